//! What lies in an artifact's layers: names and sizes of files, the headers of weights, and the few
//! small files that say what the model is. Weights themselves are never downloaded where that can
//! be avoided, and never beyond a limit where it cannot.

mod collect;
mod found;
mod source;
mod tar;

pub(crate) use collect::{Contents, Scope};

use domain::artifact::Descriptor;
use source::{Ranged, Source, Stop, Streamed};
use tar::{EntryKind, Tar, clean_path};

use crate::client::Client;

/// Longest time for one layer; what was read by then counts.
const LAYER_TIME: std::time::Duration = std::time::Duration::from_secs(30);
/// Annotations that name the file in a layer that is one file (ModelPack, its older name, ORAS).
const FILE_ANNOTATIONS: [&str; 3] = [
    "org.cncf.model.filepath",
    "org.cnai.model.filepath",
    "org.opencontainers.image.title",
];

/// How a layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Tar,
    TarGzip,
    /// One file.
    Raw,
    /// Not read; says why.
    Unread(&'static str),
}

fn form(media_type: &str) -> Form {
    let base = media_type.split(';').next().unwrap_or(media_type);
    if base.ends_with("+zstd") || base.ends_with(".zstd") {
        Form::Unread("is compressed with zstd, which is not read")
    } else if base.ends_with("+encrypted") {
        Form::Unread("is encrypted")
    } else if base.ends_with("tar+gzip") || base.ends_with("tar.gzip") || base.ends_with(".tgz") {
        Form::TarGzip
    } else if base.ends_with(".tar") || base.ends_with("+tar") {
        Form::Tar
    } else if base.ends_with(".raw")
        || base.starts_with("application/vnd.docker.ai.")
        || base.starts_with("application/vnd.cncf.model.")
        || base == "application/octet-stream"
        || base.starts_with("text/")
    {
        Form::Raw
    } else {
        Form::Unread("is of a kind that is not read")
    }
}

/// The names of the layers that are one file each, in their order; `None` for other layers, and for
/// a name that nobody should have.
pub(crate) fn file_names(layers: &[Descriptor]) -> Vec<Option<String>> {
    let own = |layer: &Descriptor| {
        FILE_ANNOTATIONS
            .iter()
            .find_map(|key| layer.annotations.get(*key).cloned())
    };
    // Docker's layers carry no name. Of several of one kind each is a part of the model.
    let parts = |end: &str| {
        let unnamed = layers.iter().filter(|l| own(l).is_none());
        unnamed.filter(|l| kind_name(l) == end).count()
    };
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    layers
        .iter()
        .map(|layer| {
            if form(&layer.media_type) != Form::Raw {
                return None;
            }
            if let Some(name) = own(layer) {
                return clean_path(&name);
            }
            let name = kind_name(layer);
            let number = seen.entry(name).or_default();
            *number += 1;
            Some(match (name.strip_prefix("model."), parts(name)) {
                (Some(end), of @ 2..) => format!("model-{number:05}-of-{of:05}.{end}"),
                _ => name.to_owned(),
            })
        })
        .collect()
}

/// What a layer that is one file is called by its kind.
fn kind_name(layer: &Descriptor) -> &'static str {
    let kind = &layer.media_type;
    if kind.contains("mmproj") {
        "mmproj.gguf"
    } else if kind.contains("gguf") {
        "model.gguf"
    } else if kind.contains("safetensors") {
        "model.safetensors"
    } else if kind.contains("license") {
        "LICENSE"
    } else {
        "file"
    }
}

impl Client {
    /// Looks into one layer and adds what it finds. `name` is that of a layer that is one file,
    /// `budget` what may still be downloaded for this artifact, in bytes; it shrinks by what was.
    pub(crate) async fn look_into(
        &self,
        repository: &str,
        layer: &Descriptor,
        name: Option<&str>,
        contents: &mut Contents,
        budget: &mut u64,
    ) {
        contents.next_layer();
        let short = layer.digest.short();
        let form = form(&layer.media_type);
        if let Form::Unread(why) = form {
            contents.gap(format!("Layer {short} {why}."));
            return;
        }
        if layer.size == 0 {
            return;
        }
        let mut downloaded = 0;
        let work = self.read_layer(
            repository,
            layer,
            (form, name),
            contents,
            *budget,
            &mut downloaded,
        );
        let result = tokio::time::timeout(LAYER_TIME, work).await;
        *budget = budget.saturating_sub(downloaded);
        match result {
            Ok(Ok(())) => {}
            Ok(Err(Stop::End)) => {
                contents.gap(format!("Layer {short} ends in the middle of a file."));
            }
            Ok(Err(Stop::Limit)) => {
                contents.gap(format!(
                    "Layer {short} is larger than is read ({} MiB): only its beginning was.",
                    layer.size / (1024 * 1024)
                ));
            }
            Ok(Err(Stop::Malformed(why))) => contents.gap(format!("Layer {short} {why}.")),
            Ok(Err(Stop::Failed(error))) => {
                contents.gap(format!("Layer {short}: {}", error.message()))
            }
            Err(_) => contents.gap(format!(
                "Layer {short} did not come in time: only its beginning was read."
            )),
        }
    }

    async fn read_layer(
        &self,
        repository: &str,
        layer: &Descriptor,
        (form, name): (Form, Option<&str>),
        contents: &mut Contents,
        budget: u64,
        downloaded: &mut u64,
    ) -> Result<(), Stop> {
        let limits = self.limits();
        let download = limits.layer_bytes.min(budget);
        if download == 0 {
            return Err(Stop::Limit);
        }
        let mut source = if form == Form::TarGzip {
            let response = self
                .blob_response(repository, &layer.digest, None, "The layer")
                .await
                .map_err(Stop::Failed)?;
            Source::Stream(Streamed::new(
                response,
                layer.size,
                true,
                download,
                limits.unpacked_bytes,
            ))
        } else {
            match Ranged::open(self, repository, layer, download).await? {
                Ok(ranged) => Source::Ranged(ranged),
                Err(response) => Source::Stream(Streamed::new(
                    response,
                    layer.size,
                    false,
                    download,
                    limits.unpacked_bytes,
                )),
            }
        };
        let result = match form {
            Form::Raw => match name {
                Some(name) => contents.take_raw(name, layer.size, &mut source).await,
                None => Err(Stop::Malformed("has a file name that climbs or hides")),
            },
            _ => read_tar(&mut source, contents).await,
        };
        *downloaded = source.downloaded();
        result
    }
}

async fn read_tar(source: &mut Source<'_>, contents: &mut Contents) -> Result<(), Stop> {
    let mut tar = Tar::new(source);
    while let Some(entry) = tar.next().await? {
        match entry.kind {
            // The root directory has an empty path too.
            EntryKind::Directory => {}
            // Whoever unpacks the layer may make a model file of it.
            _ if entry.path.is_empty() => contents.gap(
                "A file or link has a name that climbs, hides or is too long, and was passed over."
                    .into(),
            ),
            EntryKind::File => {
                contents
                    .take_file(&entry.path, entry.size, &mut tar)
                    .await?
            }
            EntryKind::Other => contents.take_other(&entry.path),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::testing::entry;

    /// What is found in layers of a container image.
    fn found(layers: &[Vec<u8>]) -> Contents {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut contents = Contents::new(Scope::Models);
            for layer in layers {
                contents.next_layer();
                let mut source = Source::Stream(Streamed::of_bytes(layer, 1 << 20));
                read_tar(&mut source, &mut contents).await.unwrap();
            }
            contents
        })
    }

    #[test]
    fn what_is_passed_over_is_not_said_to_be_known() {
        let plain = entry("models/w.txt", b'0', "00000000001", b"x");
        let root = entry("./", b'5', "00000000000", b"");
        let links_of_the_system = entry("bin/ls", b'1', "00000000000", b"");
        assert!(found(&[[root, links_of_the_system, plain.clone()].concat()]).complete);
        for (name, flag) in [
            ("models/x/../model.pkl", b'0'),
            ("models/model.pkl", b'1'),
            ("models/model.pkl", b'2'),
            ("models", b'2'),
        ] {
            let layer = [plain.clone(), entry(name, flag, "00000000000", b"")].concat();
            let contents = found(&[layer]);
            assert!(!contents.complete, "{name}");
            assert_eq!(contents.notes.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_whiteout_hides_nothing_of_its_own_layer() {
        let pickle = entry("models/m.pkl", b'0', "00000000002", b"N.");
        let mark = entry("models/.wh.m.pkl", b'0', "00000000000", b"");
        let opaque = entry("models/.wh..wh..opq", b'0', "00000000000", b"");
        for layer in [
            [pickle.clone(), mark.clone()].concat(),
            [mark.clone(), pickle.clone()].concat(),
            [pickle.clone(), opaque.clone()].concat(),
        ] {
            assert_eq!(found(&[layer]).pickles().len(), 1);
        }
        assert!(found(&[pickle.clone(), mark]).pickles().is_empty());
        assert!(found(&[pickle, opaque]).pickles().is_empty());
    }

    #[test]
    fn layers_that_are_one_file_have_a_name_each() {
        let layer = |kind: &str, title: Option<&str>| {
            let mut layer = serde_json::json!({"mediaType": format!("application/vnd.docker.ai.{kind}"), "size": 1,
                "digest": domain::ids::Digest::of(kind.as_bytes()).as_str()});
            if let Some(title) = title {
                layer["annotations"] = serde_json::json!({"org.opencontainers.image.title": title});
            }
            serde_json::from_value::<Descriptor>(layer).unwrap()
        };
        let names = |layers: &[Descriptor]| -> Vec<String> {
            let names = file_names(layers).into_iter();
            names.map(|n| n.unwrap_or_else(|| "-".into())).collect()
        };
        let (gguf, license) = (layer("gguf.v3", None), layer("license", None));
        assert_eq!(names(&[gguf.clone(), license]), ["model.gguf", "LICENSE"]);
        assert_eq!(
            names(&[gguf.clone(), layer("mmproj", None), gguf]),
            [
                "model-00001-of-00002.gguf",
                "mmproj.gguf",
                "model-00002-of-00002.gguf"
            ]
        );
        let climbs = layer("gguf.v3", Some("../../model.pkl"));
        assert_eq!(
            names(&[climbs, layer("x", Some("a.json"))]),
            ["-", "a.json"]
        );
    }

    #[test]
    fn forms_are_known_by_their_media_types() {
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar+gzip", Form::TarGzip),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Form::TarGzip,
            ),
            ("application/vnd.oci.image.layer.v1.tar", Form::Tar),
            ("application/vnd.cncf.model.weight.v1.raw", Form::Raw),
            ("application/vnd.cncf.model.weight.v1.tar", Form::Tar),
            (
                "application/vnd.kitops.modelkit.model.v1.tar+gzip",
                Form::TarGzip,
            ),
            ("application/vnd.docker.ai.gguf.v3", Form::Raw),
        ] {
            assert_eq!(form(media_type), expected, "{media_type}");
        }
        for media_type in [
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/x",
            "",
        ] {
            assert!(matches!(form(media_type), Form::Unread(_)), "{media_type}");
        }
    }
}
