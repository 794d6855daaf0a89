//! Which files are kept, and what is read of them.

use std::collections::BTreeMap;

use domain::artifact::{
    GgufHeader, MAX_CARD_BYTES, MAX_GGUF_HEADER_BYTES, MAX_INDEX_BYTES, PickleScan, TensorSummary,
    header_length, index_total, is_pickle_name, parse_header, scan_model_file,
};

use super::{
    source::{Source, Stop},
    tar::Tar,
};

/// Most files that are kept by name.
const MAX_FILES: usize = 20_000;
/// Most weight files and pickles whose beginnings are read.
const MAX_HEADERS: usize = 500;
/// Bytes of a pickle that are scanned.
const MAX_PICKLE_BYTES: u64 = 8 * 1024 * 1024;
/// Largest small file that is kept.
const MAX_SMALL_BYTES: u64 = 2 * 1024 * 1024;
/// Notes that are kept.
const MAX_NOTES: usize = 20;

/// Which files of a layer belong to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In a container image: what lies under `models/`, and a README beside it.
    Models,
    /// In a model artifact: all.
    All,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Contents {
    scope: Scope,
    pub(super) files: BTreeMap<String, u64>,
    /// The layer that each file came with: a layer's whiteouts hide nothing of its own.
    layers: BTreeMap<String, usize>,
    /// The layer that is being read.
    layer: usize,
    pub(super) cards: BTreeMap<String, Vec<u8>>,
    pub(super) configs: BTreeMap<String, Vec<u8>>,
    pub(super) tensors: BTreeMap<String, TensorSummary>,
    pub(super) indexes: BTreeMap<String, u64>,
    pub(super) gguf: BTreeMap<String, GgufHeader>,
    pub(super) pickles: BTreeMap<String, PickleScan>,
    /// Whether everything was looked at.
    pub(crate) complete: bool,
    /// What was not, and why, in sentences.
    pub(crate) notes: Vec<String>,
}

/// Where a file's bytes come from: an entry of an archive, or a layer that is the file.
enum Body<'a, 'b, 'c> {
    Entry(&'a mut Tar<'b, 'c>),
    Whole {
        source: &'a mut Source<'c>,
        left: u64,
    },
}

impl Body<'_, '_, '_> {
    /// Up to `length` further bytes.
    async fn read(&mut self, length: u64) -> Result<Vec<u8>, Stop> {
        match self {
            Self::Entry(tar) => tar.read(length).await,
            Self::Whole { source, left } => {
                let length = length.min(*left);
                let mut buffer = vec![0; usize::try_from(length).map_err(|_| Stop::Limit)?];
                source.read_exact(&mut buffer).await?;
                *left -= length;
                Ok(buffer)
            }
        }
    }
}

impl Contents {
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope,
            files: BTreeMap::new(),
            layers: BTreeMap::new(),
            layer: 0,
            cards: BTreeMap::new(),
            configs: BTreeMap::new(),
            tensors: BTreeMap::new(),
            indexes: BTreeMap::new(),
            gguf: BTreeMap::new(),
            pickles: BTreeMap::new(),
            complete: true,
            notes: Vec::new(),
        }
    }

    /// What comes from now on lies in the next layer.
    pub(super) fn next_layer(&mut self) {
        self.layer += 1;
    }

    /// Something was not looked at.
    pub(crate) fn gap(&mut self, note: String) {
        self.complete = false;
        self.note(note);
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) async fn take_file(
        &mut self,
        path: &str,
        size: u64,
        tar: &mut Tar<'_, '_>,
    ) -> Result<(), Stop> {
        if self.whiteout(path) {
            return Ok(());
        }
        self.take(path, size, Body::Entry(tar)).await
    }

    pub(super) async fn take_raw(
        &mut self,
        path: &str,
        size: u64,
        source: &mut Source<'_>,
    ) -> Result<(), Stop> {
        self.take(path, size, Body::Whole { source, left: size })
            .await
    }

    /// A link or a device. What a link leads to may be a model file under another name, or lie
    /// where nothing is read, so what is known of the model's files is not all.
    pub(super) fn take_other(&mut self, path: &str) {
        if self.scope == Scope::All || path == "models" || path.starts_with("models/") {
            self.forget(path);
            self.gap(format!("{path} is a link or a device and was passed over."));
        }
    }

    /// Obeys the marks by which a layer removes what earlier ones hold (OCI image specification,
    /// "Whiteouts"). They never hide what their own layer brings, before them or behind.
    fn whiteout(&mut self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(removed) = name.strip_prefix(".wh.") else {
            return false;
        };
        if removed == ".wh..opq" {
            self.forget_below(folder);
        } else {
            let target = if folder.is_empty() {
                removed.to_owned()
            } else {
                format!("{folder}/{removed}")
            };
            if self.is_earlier(&target) {
                self.forget(&target);
            }
            self.forget_below(&target);
        }
        true
    }

    /// Whether an earlier layer than the current one holds this file.
    fn is_earlier(&self, path: &str) -> bool {
        self.layers
            .get(path)
            .is_some_and(|layer| *layer < self.layer)
    }

    fn forget(&mut self, path: &str) {
        self.files.remove(path);
        self.layers.remove(path);
        self.cards.remove(path);
        self.configs.remove(path);
        self.tensors.remove(path);
        self.indexes.remove(path);
        self.gguf.remove(path);
        self.pickles.remove(path);
    }

    fn forget_below(&mut self, folder: &str) {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let below: Vec<String> = self
            .files
            .keys()
            .filter(|p| p.starts_with(&prefix) && self.is_earlier(p))
            .cloned()
            .collect();
        for path in below {
            self.forget(&path);
        }
    }

    async fn take(
        &mut self,
        path: &str,
        size: u64,
        mut body: Body<'_, '_, '_>,
    ) -> Result<(), Stop> {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let readme = name == "readme.md" || name == "model_card.md" || name == "modelcard.md";
        let ours = self.scope == Scope::All
            || path.starts_with("models/")
            || (readme && !path.contains('/'));
        if !ours {
            return Ok(());
        }
        if self.files.len() >= MAX_FILES {
            self.gap(format!(
                "There are more than {MAX_FILES} files; the rest was passed over."
            ));
            return Ok(());
        }
        self.forget(path);
        self.files.insert(path.to_owned(), size);
        self.layers.insert(path.to_owned(), self.layer);
        if readme {
            let bytes = body.read(size.min(MAX_CARD_BYTES as u64 + 1)).await?;
            self.cards.insert(path.to_owned(), bytes);
        } else if name == "config.json" {
            if size <= MAX_SMALL_BYTES {
                self.configs.insert(path.to_owned(), body.read(size).await?);
            } else {
                self.note(format!("{path} is larger than is read."));
            }
        } else if name.ends_with(".safetensors.index.json") {
            if size <= MAX_INDEX_BYTES
                && let Some(total) = index_total(&body.read(size).await?)
            {
                self.indexes.insert(path.to_owned(), total);
            }
        } else if self.tensors.len() + self.gguf.len() + self.pickles.len() >= MAX_HEADERS {
            self.gap(format!(
                "There are more than {MAX_HEADERS} weight files; the rest was not looked into."
            ));
        } else if name.ends_with(".safetensors") {
            self.take_safetensors(path, size, body).await?;
        } else if name.ends_with(".gguf") {
            let head = body.read(size.min(MAX_GGUF_HEADER_BYTES as u64)).await?;
            match GgufHeader::parse(&head) {
                Ok(header) => {
                    self.gguf.insert(path.to_owned(), header);
                }
                Err(malformed) => self.note(format!("{path}: {malformed}.")),
            }
        } else if is_pickle_name(path) {
            let head = body.read(size.min(MAX_PICKLE_BYTES)).await?;
            let scan = scan_model_file(path, &head, size <= MAX_PICKLE_BYTES);
            self.pickles.insert(path.to_owned(), scan);
        }
        Ok(())
    }

    async fn take_safetensors(
        &mut self,
        path: &str,
        size: u64,
        mut body: Body<'_, '_, '_>,
    ) -> Result<(), Stop> {
        let first = body.read(8).await?;
        let parsed = match <[u8; 8]>::try_from(first) {
            Ok(first) => match header_length(first, Some(size)) {
                Ok(length) => parse_header(&body.read(length).await?, Some(size)),
                Err(malformed) => Err(malformed),
            },
            Err(_) => {
                self.note(format!("{path} is too short for a safetensors file."));
                return Ok(());
            }
        };
        match parsed {
            Ok(summary) => {
                self.tensors.insert(path.to_owned(), summary);
            }
            Err(malformed) => self.note(format!("{path}: {malformed}.")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layers::source::Streamed;

    fn collect(name: &str, claimed: u64, bytes: &[u8]) -> (Contents, Result<(), Stop>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut contents = Contents::new(Scope::All);
            let mut source = Source::Stream(Streamed::of_bytes(bytes, 1 << 20));
            let result = contents.take_raw(name, claimed, &mut source).await;
            (contents, result)
        })
    }

    #[test]
    fn a_file_that_is_shorter_than_it_claims_is_an_end_not_a_fact() {
        let (contents, result) = collect("a.safetensors", 1000, b"\x10\0\0\0\0\0\0\0{}");
        assert!(matches!(result, Err(Stop::End)));
        assert_eq!(contents.tensors(), None);
        let (contents, result) = collect("config.json", 3, b"{}}");
        assert!(result.is_ok());
        let mut contents = contents;
        assert_eq!(contents.config(), None);
        assert!(contents.notes[0].starts_with("config.json is not JSON"));
    }

    proptest! {
        #[test]
        fn any_file_is_answered(
            name in prop::sample::select(vec!["README.md", "config.json", "a.safetensors", "b.gguf", "c.pkl", "d.pt", "e"]),
            claimed in prop::sample::select(vec![0, 4, 8, 40, 4000, u64::MAX]),
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (mut contents, _) = collect(name, claimed, &bytes);
            let _ = (contents.config(), contents.card(), contents.gguf(), contents.tensors(), contents.listing());
        }
    }

    #[test]
    fn later_layers_remove_what_earlier_ones_hold() {
        let mut contents = Contents::new(Scope::Models);
        for path in ["models/a", "models/b/c", "models/b/d", "models/e"] {
            contents.files.insert(path.into(), 1);
            contents.layers.insert(path.into(), 0);
        }
        contents.next_layer();
        for path in ["models/a", "models/b/own"] {
            contents.files.insert(path.into(), 1);
            contents.layers.insert(path.into(), 1);
        }
        assert!(contents.whiteout("models/.wh.a"));
        assert!(contents.whiteout("models/b/.wh..wh..opq"));
        assert!(!contents.whiteout("models/e"));
        // What the same layer brings stays, whether it stands before or behind the mark.
        assert_eq!(
            contents.files.keys().collect::<Vec<_>>(),
            ["models/a", "models/b/own", "models/e"]
        );
    }
}
