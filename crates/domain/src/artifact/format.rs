//! The files of an artifact and the format that they show.

use serde::{Deserialize, Serialize};

use super::malformed::clean;

/// A file in an artifact's layers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path without a leading slash: `models/config.json`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

impl FileEntry {
    /// A file. The path is taken as it is.
    pub fn new(path: impl Into<String>, size: u64) -> Self {
        Self {
            path: path.into(),
            size,
        }
    }

    /// The part behind the last slash.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The part of the name behind the last dot, in lower case.
    fn extension(&self) -> String {
        self.name()
            .rsplit_once('.')
            .map(|(_, end)| end.to_lowercase())
            .unwrap_or_default()
    }

    /// Whether it holds weights or another form of a trained model.
    pub fn is_model_file(&self) -> bool {
        matches!(
            self.extension().as_str(),
            "safetensors"
                | "gguf"
                | "onnx"
                | "bin"
                | "pt"
                | "pth"
                | "ckpt"
                | "pkl"
                | "pickle"
                | "joblib"
                | "bst"
                | "ubj"
                | "pb"
                | "plan"
                | "engine"
                | "pmml"
                | "pdmodel"
                | "pdiparams"
                | "mar"
                | "h5"
                | "keras"
                | "tflite"
        ) || matches!(self.name(), "MLmodel" | "model.txt" | "model.json")
    }
}

/// The files that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileListing {
    /// The files, by path.
    pub entries: Vec<FileEntry>,
    /// Whether these are all: a layer that is too large or too strange to read leaves gaps.
    pub complete: bool,
}

impl FileListing {
    fn any(&self, wanted: impl Fn(&FileEntry) -> bool) -> bool {
        self.entries.iter().any(wanted)
    }

    fn has_name(&self, name: &str) -> bool {
        self.any(|file| file.name() == name)
    }

    fn has_extension(&self, wanted: &[&str]) -> bool {
        self.any(|file| wanted.contains(&file.extension().as_str()))
    }
}

/// How a model's files are laid out, which decides what can load them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelFormat {
    /// Hugging Face layout: `config.json` beside weights.
    HuggingFace,
    /// safetensors without a `config.json`.
    Safetensors,
    /// GGUF.
    Gguf,
    /// ONNX.
    Onnx,
    /// A Triton model repository.
    Triton,
    /// TensorRT engines.
    TensorRt,
    /// A TensorFlow saved model.
    TensorFlow,
    /// PyTorch files or a TorchServe archive.
    PyTorch,
    /// OpenVINO intermediate representation.
    OpenVino,
    /// An MLflow model.
    Mlflow,
    /// scikit-learn, pickled or by joblib.
    Sklearn,
    /// XGBoost.
    XgBoost,
    /// LightGBM.
    LightGbm,
    /// PMML.
    Pmml,
    /// PaddlePaddle.
    Paddle,
    /// What a packaging's configuration calls it, where nothing else is known.
    Other(String),
}

impl ModelFormat {
    /// The name for people and for search.
    pub fn label(&self) -> &str {
        match self {
            Self::HuggingFace => "Hugging Face",
            Self::Safetensors => "safetensors",
            Self::Gguf => "GGUF",
            Self::Onnx => "ONNX",
            Self::Triton => "Triton repository",
            Self::TensorRt => "TensorRT",
            Self::TensorFlow => "TensorFlow",
            Self::PyTorch => "PyTorch",
            Self::OpenVino => "OpenVINO",
            Self::Mlflow => "MLflow",
            Self::Sklearn => "scikit-learn",
            Self::XgBoost => "XGBoost",
            Self::LightGbm => "LightGBM",
            Self::Pmml => "PMML",
            Self::Paddle => "PaddlePaddle",
            Self::Other(name) => name,
        }
    }

    /// Names under which KServe's runtimes support this format, best first, written exactly as they
    /// must be (KServe compares them letter by letter). `generates` is whether the model writes
    /// text, as far as its configuration says.
    pub fn runtime_formats(&self, generates: Option<bool>) -> Vec<String> {
        let names: &[&str] = match self {
            Self::HuggingFace => match generates {
                Some(true) => &["vLLM", "huggingface"],
                Some(false) => &["huggingface"],
                None => &["huggingface", "vLLM"],
            },
            Self::Gguf => &["gguf"],
            Self::Onnx => &["onnx"],
            Self::Triton => &["triton"],
            Self::TensorRt => &["tensorrt"],
            Self::TensorFlow => &["tensorflow"],
            Self::PyTorch => &["pytorch"],
            Self::OpenVino => &["openvino"],
            Self::Mlflow => &["mlflow"],
            Self::Sklearn => &["sklearn"],
            Self::XgBoost => &["xgboost"],
            Self::LightGbm => &["lightgbm"],
            Self::Pmml => &["pmml"],
            Self::Paddle => &["paddle"],
            Self::Safetensors | Self::Other(_) => &[],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The format that a list of files shows.
    pub fn of_files(files: &FileListing) -> Option<Self> {
        let ext = |wanted: &[&str]| files.has_extension(wanted);
        let named = |name: &str| files.has_name(name);
        Some(match () {
            () if named("config.pbtxt") => Self::Triton,
            () if named("MLmodel") => Self::Mlflow,
            () if ext(&["gguf"]) => Self::Gguf,
            () if named("config.json") && (ext(&["safetensors"]) || named("pytorch_model.bin")) => {
                Self::HuggingFace
            }
            () if ext(&["safetensors"]) => Self::Safetensors,
            () if ext(&["onnx"]) => Self::Onnx,
            () if ext(&["plan", "engine"]) => Self::TensorRt,
            () if named("saved_model.pb") => Self::TensorFlow,
            () if ext(&["xml"]) && ext(&["bin"]) => Self::OpenVino,
            () if ext(&["bst", "ubj"]) => Self::XgBoost,
            () if ext(&["joblib", "pkl", "pickle"]) => Self::Sklearn,
            () if ext(&["pmml"]) => Self::Pmml,
            () if ext(&["pdmodel"]) => Self::Paddle,
            () if ext(&["pt", "pth", "mar", "bin", "ckpt"]) => Self::PyTorch,
            () if named("model.txt") => Self::LightGbm,
            () => return None,
        })
    }

    /// The format that a packaging's configuration names.
    pub(crate) fn of_name(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "gguf" => Self::Gguf,
            "safetensors" => Self::Safetensors,
            "huggingface" | "transformers" => Self::HuggingFace,
            "onnx" => Self::Onnx,
            "tensorrt" => Self::TensorRt,
            "tensorflow" | "tf" => Self::TensorFlow,
            "pytorch" | "torch" | "pt" | "pth" => Self::PyTorch,
            "openvino" => Self::OpenVino,
            "mlflow" => Self::Mlflow,
            "sklearn" | "scikit-learn" | "joblib" | "pkl" => Self::Sklearn,
            "xgboost" => Self::XgBoost,
            "lightgbm" => Self::LightGbm,
            "pmml" => Self::Pmml,
            "paddle" => Self::Paddle,
            _ => Self::Other(clean(name, 50).unwrap_or_else(|| "unknown".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> FileListing {
        FileListing {
            entries: paths.iter().map(|p| FileEntry::new(*p, 100)).collect(),
            complete: true,
        }
    }

    #[test]
    fn files_show_the_format() {
        for (paths, format) in [
            (
                &["models/config.json", "models/model.safetensors"][..],
                Some(ModelFormat::HuggingFace),
            ),
            (
                &["models/x.gguf", "models/config.json"],
                Some(ModelFormat::Gguf),
            ),
            (
                &["models/1/model.onnx", "models/config.pbtxt"],
                Some(ModelFormat::Triton),
            ),
            (&["models/model.onnx"], Some(ModelFormat::Onnx)),
            (&["models/model.joblib"], Some(ModelFormat::Sklearn)),
            (&["models/model.bst"], Some(ModelFormat::XgBoost)),
            (
                &["models/model.xml", "models/model.bin"],
                Some(ModelFormat::OpenVino),
            ),
            (&["bin/sh"], None),
        ] {
            assert_eq!(ModelFormat::of_files(&files(paths)), format, "{paths:?}");
        }
    }
}
