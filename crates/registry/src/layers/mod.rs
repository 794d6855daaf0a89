//! What lies in an artifact's layers: names and sizes of files, the headers of weights, and the few
//! small files that say what the model is. Weights themselves are never downloaded where that can
//! be avoided, and never beyond a limit where it cannot.

mod collect;
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

/// The name of a layer that is one file; `None` when it has one that nobody should have.
fn raw_name(layer: &Descriptor) -> Option<String> {
    let named = FILE_ANNOTATIONS
        .iter()
        .find_map(|key| layer.annotations.get(*key));
    if let Some(name) = named {
        return clean_path(name);
    }
    Some({
        let kind = &layer.media_type;
        let name = if kind.contains("gguf") {
            "model.gguf"
        } else if kind.contains("safetensors") {
            "model.safetensors"
        } else if kind.contains("license") {
            "LICENSE"
        } else {
            "file"
        };
        name.to_owned()
    })
}

impl Client {
    /// Looks into one layer and adds what it finds. `budget` is what may still be downloaded for
    /// this artifact, in bytes; it shrinks by what was.
    pub(crate) async fn look_into(
        &self,
        repository: &str,
        layer: &Descriptor,
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
        let work = self.read_layer(repository, layer, form, contents, *budget, &mut downloaded);
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
        form: Form,
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
            Form::Raw => match raw_name(layer) {
                Some(name) => contents.take_raw(&name, layer.size, &mut source).await,
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
