//! What the files that were looked into say together.

use std::collections::BTreeMap;

use domain::artifact::{
    Card, ConfigJson, FileEntry, FileListing, GgufHeader, PickleScan, TensorSummary,
};

use super::collect::Contents;

impl Contents {
    /// Whether a pickle of this kind of scan was found.
    pub(crate) fn pickles(&self) -> Vec<PickleScan> {
        self.pickles.values().cloned().collect()
    }

    /// The card: the one that lies highest.
    pub(crate) fn card(&self) -> Option<Card> {
        highest(&self.cards).map(|(_, bytes)| Card::parse(bytes))
    }

    /// `config.json`: the one that lies highest, where it can be read.
    pub(crate) fn config(&mut self) -> Option<ConfigJson> {
        let (path, parsed) = highest(&self.configs)
            .map(|(path, bytes)| (path.to_owned(), ConfigJson::parse(bytes)))?;
        match parsed {
            Ok(config) => Some(config),
            Err(malformed) => {
                self.note(format!("{path} {}.", malformed.problem));
                None
            }
        }
    }

    /// The sum over the safetensors files; incomplete where a file or a layer could not be read.
    pub(crate) fn tensors(&self) -> Option<TensorSummary> {
        let mut sum: Option<TensorSummary> = None;
        for summary in self.tensors.values() {
            match &mut sum {
                Some(sum) => sum.merge(summary),
                None => sum = Some(summary.clone()),
            }
        }
        let weights = self
            .files
            .keys()
            .filter(|path| path.to_lowercase().ends_with(".safetensors"))
            .count();
        if let Some(sum) = &mut sum {
            sum.complete &= self.complete && weights == self.tensors.len();
        }
        sum
    }

    /// What the index of the safetensors files says of all of them: the one that lies highest.
    pub(crate) fn index_bytes(&self) -> Option<u64> {
        highest(&self.indexes).map(|(_, total)| *total)
    }

    /// The GGUF header of the largest model: of one file, or of the first of several with the
    /// tensors of all. Incomplete where one of them or a layer could not be read.
    pub(crate) fn gguf(&self) -> Option<GgufHeader> {
        let mut models: BTreeMap<&str, (u64, u32, Vec<&GgufHeader>)> = BTreeMap::new();
        for (path, header) in &self.gguf {
            let (stem, of) = shard(path).unwrap_or((path, 1));
            // The files of one model follow each other by name.
            let (size, files, headers) = models.entry(stem).or_default();
            *size = size.saturating_add(self.files.get(path).copied().unwrap_or_default());
            *files = of;
            headers.push(header);
        }
        let (_, files, headers) = models.into_values().max_by_key(|(size, ..)| *size)?;
        let (first, others) = headers.split_first()?;
        let mut header = (*first).clone();
        for other in others {
            header.tensors.merge(&other.tensors);
        }
        header.tensors.complete &= self.complete && headers.len() == files as usize;
        Some(header)
    }

    /// The files.
    pub(crate) fn listing(&self) -> FileListing {
        FileListing {
            entries: self
                .files
                .iter()
                .map(|(path, size)| FileEntry::new(path, *size))
                .collect(),
            complete: self.complete,
        }
    }
}

/// Of one file of a model in several (`name-00001-of-00003.gguf`, as llama.cpp's gguf-split names
/// them): what comes before the number, and how many there are.
fn shard(path: &str) -> Option<(&str, u32)> {
    let (rest, of) = path.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    (digits(of) && digits(number))
        .then(|| of.parse().ok())
        .flatten()
        .map(|of| (stem, of))
}

/// The entry whose path has the fewest folders, and of those the first.
fn highest<T>(map: &BTreeMap<String, T>) -> Option<(&str, &T)> {
    map.iter()
        .min_by_key(|(path, _)| path.matches('/').count())
        .map(|(path, value)| (path.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Scope;

    #[test]
    fn a_model_in_several_gguf_files_is_all_of_them() {
        // No metadata and one tensor of 32 F32 elements.
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        for number in [1u64, 0, 1] {
            file.extend(number.to_le_bytes());
        }
        file.extend(b"t\x01\0\0\0");
        file.extend(32u64.to_le_bytes());
        file.extend([0; 12]);
        let header = GgufHeader::parse(&file).unwrap();
        let mut contents = Contents::new(Scope::All);
        let mut add = |path: &str, size: u64| {
            contents.files.insert(path.into(), size);
            contents.gguf.insert(path.into(), header.clone());
        };
        add("q4.gguf", 150);
        add("q8-00001-of-00002.gguf", 100);
        add("q8-00002-of-00002.gguf", 100);
        let found = contents.gguf().unwrap();
        assert_eq!(found.tensors.elements(), 64);
        assert!(found.tensors.complete);
        contents.gguf.remove("q8-00001-of-00002.gguf");
        contents.files.insert("q8-00002-of-00002.gguf".into(), 200);
        assert!(!contents.gguf().unwrap().tensors.complete);
        assert_eq!(shard("a-00001-of-00002.gguf"), Some(("a", 2)));
        assert_eq!(shard("a-1-of-2.gguf"), None);
    }

    #[test]
    fn the_highest_file_counts() {
        let map = BTreeMap::from([
            ("a/b/README.md".to_owned(), 1),
            ("z/README.md".to_owned(), 2),
        ]);
        assert_eq!(highest(&map), Some(("z/README.md", &2)));
    }
}
