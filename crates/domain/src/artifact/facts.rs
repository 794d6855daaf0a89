//! What is known of the model in an artifact. A field that is `None` means "unknown".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    card::Card,
    config_json::ConfigJson,
    format::{FileListing, ModelFormat},
    gguf::GgufHeader,
    image_config::ImageConfig,
    malformed::clean,
    packaging::{PackagingFacts, count},
};
use crate::ids::Digest;

/// Tensors of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtypeTotal {
    /// How many.
    pub tensors: u64,
    /// Their elements.
    pub elements: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Tensors by type, summed over the files whose headers were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TensorSummary {
    /// Totals by type, as the file names it: `BF16`, `Q4_K`.
    pub by_dtype: BTreeMap<String, DtypeTotal>,
    /// Whether every tensor of every weight file was counted.
    pub complete: bool,
}

impl TensorSummary {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.by_dtype
            .values()
            .fold(0, |sum, t| sum.saturating_add(t.bytes))
    }

    /// All elements.
    pub fn elements(&self) -> u64 {
        self.by_dtype
            .values()
            .fold(0, |sum, t| sum.saturating_add(t.elements))
    }

    /// The type that takes most bytes.
    pub fn main_dtype(&self) -> Option<&str> {
        self.by_dtype
            .iter()
            .max_by_key(|(_, t)| t.bytes)
            .map(|(dtype, _)| dtype.as_str())
    }

    /// Adds another file's tensors.
    pub fn merge(&mut self, other: &Self) {
        for (dtype, more) in &other.by_dtype {
            let total = self.by_dtype.entry(dtype.clone()).or_default();
            total.tensors = total.tensors.saturating_add(more.tensors);
            total.elements = total.elements.saturating_add(more.elements);
            total.bytes = total.bytes.saturating_add(more.bytes);
        }
        self.complete &= other.complete;
    }
}

/// Everything that was read about a model, to be put together by [`ModelFacts::assemble`].
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The files of the layers.
    pub files: FileListing,
    /// `config.json`.
    pub config: Option<ConfigJson>,
    /// Sum over the safetensors headers.
    pub safetensors: Option<TensorSummary>,
    /// What the index of the safetensors files says of all of them, in bytes.
    pub index_bytes: Option<u64>,
    /// The first GGUF header.
    pub gguf: Option<GgufHeader>,
    /// The packaging's configuration.
    pub packaging: Option<PackagingFacts>,
    /// The model card.
    pub card: Option<Card>,
    /// The image's configuration.
    pub image: Option<ImageConfig>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Layers that are one file each.
    pub file_layers: Vec<FileLayer>,
}

/// A layer that is one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLayer {
    /// What the file is called, or is to be called where nothing says it.
    pub name: String,
    /// Digest of the layer, which is that of the file.
    pub digest: Digest,
}

/// What is known of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelFacts {
    /// The name that the artifact gives the model.
    pub name: Option<String>,
    /// The version that its author gives it.
    pub version: Option<String>,
    /// How its files are laid out.
    pub format: Option<ModelFormat>,
    /// KServe's names of formats that can load it, best first.
    pub runtime_formats: Vec<String>,
    /// What it does, as Hugging Face names tasks: `text-generation`.
    pub task: Option<String>,
    /// Number of parameters.
    pub parameters: Option<u64>,
    /// Quantisation for people: `AWQ 4-bit`, `Q4_K_M`; `none` where the weights are known to be whole.
    pub quantisation: Option<String>,
    /// Type of most of the weights: `BF16`.
    pub dtype: Option<String>,
    /// Longest sequence, in tokens.
    pub context_length: Option<u64>,
    /// Licence identifier: `apache-2.0`.
    pub licence: Option<String>,
    /// Paths of licence texts.
    pub licence_files: Vec<String>,
    /// The model's class or architecture: `LlamaForCausalLM`, `llama`.
    pub architecture: Option<String>,
    /// Languages, as ISO codes.
    pub languages: Vec<String>,
    /// Models that it was made from.
    pub base_models: Vec<String>,
    /// Bytes of the model's files, unpacked; unknown where not all files are.
    pub size_bytes: Option<u64>,
    /// Bytes of the whole artifact as stored (compressed where it is).
    pub artifact_bytes: Option<u64>,
    /// Tensors by type.
    pub tensors: Option<TensorSummary>,
    /// Bytes of all tensors by the index of the files (`model.safetensors.index.json`).
    pub index_bytes: Option<u64>,
    /// What sizing needs of `config.json`.
    pub config: Option<ConfigJson>,
    /// The server in a serving image: `vLLM`.
    pub server: Option<String>,
    /// The program that an image starts which is no server that we know: `python`.
    pub program: Option<String>,
    /// The port that the server or program listens on.
    pub port: Option<u16>,
    /// The files that are known.
    pub files: FileListing,
    /// Layers that are one file each.
    pub file_layers: Vec<FileLayer>,
    /// What could not be read and why, in sentences to show.
    pub notes: Vec<String>,
}

impl ModelFacts {
    /// Puts together what was read. Where sources disagree, the one nearest to the weights wins:
    /// file headers, then `config.json`, then the packaging's configuration, then the card.
    pub fn assemble(sources: Sources) -> Self {
        let Sources {
            files,
            config,
            safetensors,
            index_bytes,
            gguf,
            packaging,
            card,
            image,
            annotations,
            file_layers,
        } = sources;
        let packaging = packaging.unwrap_or_default();
        let card_meta = card.map(|c| c.meta).unwrap_or_default();
        let gguf = gguf.as_ref();
        let of_config = |get: fn(&ConfigJson) -> Option<u64>| config.as_ref().and_then(get);

        let by_name = packaging.format.as_deref().map(ModelFormat::of_name);
        let format = match (ModelFormat::of_files(&files), by_name) {
            (Some(ModelFormat::Safetensors), _) if config.is_some() => {
                Some(ModelFormat::HuggingFace)
            }
            (Some(found), _) => Some(found),
            (None, Some(ModelFormat::Safetensors)) if config.is_some() => {
                Some(ModelFormat::HuggingFace)
            }
            (None, named) => named.or_else(|| gguf.map(|_| ModelFormat::Gguf)),
        };
        let generates = config.as_ref().and_then(ConfigJson::generates);
        let tensors = safetensors.or_else(|| gguf.map(|g| g.tensors.clone()));
        let quantisation = gguf
            .and_then(|g| g.quantisation().map(str::to_owned))
            .or_else(|| {
                config
                    .as_ref()
                    .and_then(|c| c.quantization.as_ref())
                    .map(|q| q.label())
            })
            .or_else(|| packaging.quantisation.clone())
            .or_else(|| {
                let main = tensors
                    .as_ref()
                    .filter(|t| t.complete)
                    .and_then(TensorSummary::main_dtype)?;
                match main {
                    "F32" | "F16" | "BF16" | "F64" => Some("none".to_owned()),
                    "F8_E4M3" | "F8_E5M2" => Some("FP8".to_owned()),
                    _ => None,
                }
            });
        let parameters = parameters(tensors.as_ref(), quantisation.as_deref())
            .or_else(|| {
                gguf.and_then(|g| {
                    g.number("general.parameter_count")
                        .or_else(|| g.size_label().and_then(count))
                })
            })
            .or(packaging.parameters);
        let model_bytes = files
            .entries
            .iter()
            .filter(|f| f.is_model_file())
            .map(|f| f.size)
            .reduce(u64::saturating_add)
            .filter(|_| files.complete);
        let hint = image.as_ref().and_then(ImageConfig::serving_hint);
        let program = image
            .as_ref()
            .filter(|_| hint.is_none())
            .and_then(ImageConfig::program);
        let own_port = image
            .as_ref()
            .filter(|_| program.is_some())
            .and_then(|i| i.ports.iter().copied().min());

        Self {
            name: packaging
                .name
                .or_else(|| gguf.and_then(|g| g.name().map(str::to_owned)))
                .or(card_meta.model_name)
                .or_else(|| {
                    annotations
                        .get("org.opencontainers.image.title")
                        .and_then(|t| clean(t, 200))
                }),
            version: packaging.version.or_else(|| {
                annotations
                    .get("org.opencontainers.image.version")
                    .and_then(|t| clean(t, 100))
            }),
            runtime_formats: format
                .as_ref()
                .map(|f| f.runtime_formats(generates))
                .unwrap_or_default(),
            format,
            task: card_meta
                .pipeline_tag
                .or_else(|| {
                    config
                        .as_ref()
                        .and_then(ConfigJson::task)
                        .map(str::to_owned)
                })
                .or_else(|| gguf.map(|_| "text-generation".to_owned())),
            parameters,
            quantisation,
            dtype: tensors
                .as_ref()
                .and_then(TensorSummary::main_dtype)
                .map(str::to_owned)
                .or_else(|| config.as_ref().and_then(|c| c.dtype.clone()))
                .or(packaging.precision),
            context_length: gguf
                .and_then(|g| g.of_architecture("context_length"))
                .or_else(|| of_config(|c| c.max_position_embeddings))
                .or(packaging.context_length),
            licence: licence(&card_meta.licence, &card_meta.licence_name)
                .or_else(|| packaging.licences.first().map(|l| l.to_lowercase()))
                .or_else(|| gguf.and_then(|g| g.licence().map(str::to_lowercase)))
                .or_else(|| {
                    annotations
                        .get("org.opencontainers.image.licenses")
                        .and_then(|l| clean(l, 100))
                        .map(|l| l.to_lowercase())
                }),
            licence_files: licence_files(&files),
            architecture: config
                .as_ref()
                .and_then(|c| {
                    c.architectures
                        .first()
                        .cloned()
                        .or_else(|| c.model_type.clone())
                })
                .or_else(|| gguf.and_then(|g| g.architecture().map(str::to_owned)))
                .or(packaging.architecture),
            languages: card_meta.languages,
            base_models: card_meta.base_models,
            size_bytes: model_bytes,
            tensors,
            index_bytes,
            config,
            artifact_bytes: None,
            port: hint.as_ref().and_then(|h| h.port).or(own_port),
            server: hint.map(|h| h.server),
            program,
            files,
            file_layers,
            notes: Vec::new(),
        }
    }
}

/// The number of parameters, where the tensors show it. Packed weights (4-bit values in 32-bit
/// integers) hide it, so quantised tensors count only where a format stores element by element.
fn parameters(tensors: Option<&TensorSummary>, quantisation: Option<&str>) -> Option<u64> {
    let tensors = tensors.filter(|t| t.complete)?;
    let packed = tensors
        .by_dtype
        .keys()
        .any(|dtype| matches!(dtype.as_str(), "I32" | "U8" | "I64" | "U32"));
    let whole = quantisation
        .is_none_or(|q| matches!(q, "none" | "FP8") || q.starts_with('Q') || q.starts_with("IQ"));
    let elements = tensors.elements();
    ((whole || !packed) && elements > 0).then_some(elements)
}

fn licence(identifier: &Option<String>, name: &Option<String>) -> Option<String> {
    match (identifier.as_deref(), name) {
        (Some("other"), Some(name)) => Some(name.to_lowercase()),
        (identifier, _) => identifier.map(str::to_owned),
    }
}

/// Paths of the files that hold licence texts.
fn licence_files(files: &FileListing) -> Vec<String> {
    files
        .entries
        .iter()
        .filter(|file| {
            let name = file.name().to_lowercase();
            ["license", "licence", "notice", "use_policy", "copying"]
                .iter()
                .any(|stem| name.starts_with(stem))
        })
        .map(|file| file.path.clone())
        .take(20)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::FileEntry;
    use crate::artifact::safetensors::parse_header;

    fn files(paths: &[&str]) -> FileListing {
        FileListing {
            entries: paths.iter().map(|p| FileEntry::new(*p, 100)).collect(),
            complete: true,
        }
    }

    #[test]
    fn the_source_nearest_to_the_weights_wins() {
        let header = br#"{"w":{"dtype":"BF16","shape":[1000],"data_offsets":[0,2000]}}"#;
        let facts = ModelFacts::assemble(Sources {
            files: files(&["models/config.json", "models/model.safetensors", "models/LICENSE"]),
            config: Some(ConfigJson::parse(br#"{"architectures":["LlamaForCausalLM"],"max_position_embeddings":4096,"torch_dtype":"float16"}"#).unwrap()),
            safetensors: Some(parse_header(header, None).unwrap()),
            card: Some(Card::parse(b"---\nlicense: other\nlicense_name: Llama3\nlanguage: en\n---\n")),
            packaging: Some(PackagingFacts { parameters: Some(7), ..PackagingFacts::default() }),
            ..Sources::default()
        });
        assert_eq!(facts.parameters, Some(1000));
        assert_eq!(facts.dtype.as_deref(), Some("BF16"));
        assert_eq!(facts.quantisation.as_deref(), Some("none"));
        assert_eq!(facts.licence.as_deref(), Some("llama3"));
        assert_eq!(facts.context_length, Some(4096));
        assert_eq!(facts.task.as_deref(), Some("text-generation"));
        assert_eq!(facts.runtime_formats, ["vLLM", "huggingface"]);
        assert_eq!(facts.licence_files, ["models/LICENSE"]);
        assert_eq!(facts.size_bytes, Some(100));
    }

    #[test]
    fn some_of_the_files_are_not_the_size_of_all() {
        let mut listing = files(&["models/model-00001-of-00004.safetensors"]);
        listing.complete = false;
        let facts = ModelFacts::assemble(Sources {
            files: listing,
            ..Sources::default()
        });
        assert_eq!(facts.size_bytes, None);
    }

    #[test]
    fn packed_weights_do_not_show_the_number_of_parameters() {
        let header = br#"{"w":{"dtype":"I32","shape":[1000],"data_offsets":[0,4000]}}"#;
        let facts = ModelFacts::assemble(Sources {
            config: Some(
                ConfigJson::parse(br#"{"quantization_config":{"quant_method":"awq","bits":4}}"#)
                    .unwrap(),
            ),
            safetensors: Some(parse_header(header, None).unwrap()),
            ..Sources::default()
        });
        assert_eq!(facts.parameters, None);
        assert_eq!(facts.quantisation.as_deref(), Some("AWQ 4-bit"));
    }

    #[test]
    fn nothing_known_is_all_unknown() {
        assert_eq!(
            ModelFacts::assemble(Sources::default()),
            ModelFacts::default()
        );
    }
}
