//! A container image's configuration: where it runs, when it was built, and what its start command
//! says about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    malformed::{Malformed, clean},
    manifest::Platform,
};
use crate::time::Micros;

/// What matters of an image configuration (OCI image specification 1.1, `config.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Where the image runs.
    pub platform: Option<Platform>,
    /// When it was built; `None` also for the zero date that reproducible builds write.
    pub created: Option<Micros>,
    /// Entrypoint and command, in the order in which they are executed.
    pub command: Vec<String>,
    /// Names of the environment variables that are set. Values are left out: they may be secrets.
    pub env_names: Vec<String>,
    /// TCP ports that the image says it listens on.
    pub ports: Vec<u16>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The user that it runs as.
    pub user: Option<String>,
}

/// Why an image is believed to serve a model by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingHint {
    /// The server, by its product name: `vLLM`, `NVIDIA NIM`.
    pub server: String,
    /// What gave it away, in words: "it starts `vllm`".
    pub because: String,
    /// The port that it listens on, where the image or the server's own default says so.
    pub port: Option<u16>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
    created: Option<String>,
    config: Option<RawInner>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct RawInner {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    labels: Option<BTreeMap<String, Option<String>>>,
    user: Option<String>,
}

/// Most entries of one list of a configuration that are kept.
const MAX_ENTRIES: usize = 200;
/// Longest text that is kept.
const MAX_TEXT: usize = 500;

/// Servers by the program that an image starts: program, product, default port.
const SERVERS: &[(&str, &str, u16)] = &[
    ("vllm", "vLLM", 8000),
    ("tritonserver", "NVIDIA Triton", 8000),
    ("text-generation-launcher", "Text Generation Inference", 80),
    ("text-embeddings-router", "Text Embeddings Inference", 80),
    ("sglang", "SGLang", 30000),
    ("llama-server", "llama.cpp", 8080),
    ("ollama", "Ollama", 11434),
    ("tensorflow_model_server", "TensorFlow Serving", 8501),
    ("torchserve", "TorchServe", 8080),
    ("mlserver", "MLServer", 8080),
    ("ovms", "OpenVINO Model Server", 8080),
    ("huggingfaceserver", "KServe Hugging Face server", 8080),
    ("sklearnserver", "KServe scikit-learn server", 8080),
    ("start_server.sh", "NVIDIA NIM", 8000),
    ("nim_llm", "NVIDIA NIM", 8000),
];

impl ImageConfig {
    /// Reads an image configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|e| {
            Malformed::new(
                "The image configuration",
                format!(
                    "is not JSON as the OCI image specification says (near line {}, column {})",
                    e.line(),
                    e.column()
                ),
            )
        })?;
        let inner = raw.config.unwrap_or_default();
        let platform = match (raw.os, raw.architecture) {
            (Some(os), Some(architecture)) => Some(Platform {
                os: clean(&os, 50).unwrap_or_default(),
                architecture: clean(&architecture, 50).unwrap_or_default(),
                variant: raw.variant.and_then(|v| clean(&v, 50)),
            }),
            _ => None,
        }
        .filter(Platform::is_known);
        let texts = |list: Option<Vec<String>>| {
            list.unwrap_or_default()
                .into_iter()
                .take(MAX_ENTRIES)
                .filter_map(|text| clean(&text, MAX_TEXT))
                .collect::<Vec<_>>()
        };
        let mut command = texts(inner.entrypoint);
        command.extend(texts(inner.cmd));
        Ok(Self {
            platform,
            created: raw
                .created
                .as_deref()
                .and_then(Micros::parse)
                .filter(|t| t.0 > 0),
            command,
            env_names: texts(inner.env)
                .into_iter()
                .filter_map(|pair| clean(pair.split('=').next().unwrap_or_default(), 100))
                .collect(),
            ports: inner
                .exposed_ports
                .unwrap_or_default()
                .into_keys()
                .take(MAX_ENTRIES)
                .filter(|port| !port.ends_with("/udp"))
                .filter_map(|port| port.split('/').next().and_then(|p| p.parse().ok()))
                .collect(),
            labels: inner
                .labels
                .unwrap_or_default()
                .into_iter()
                .take(MAX_ENTRIES)
                .filter_map(|(key, value)| Some((clean(&key, 200)?, clean(&value?, MAX_TEXT)?)))
                .collect(),
            user: inner.user.and_then(|u| clean(&u, 100)),
        })
    }

    /// The program that the image starts, by its name alone: arguments may hold secrets. A shell
    /// without a script is none, but what base images start.
    pub fn program(&self) -> Option<String> {
        let first = self.command.first()?.split_whitespace().next()?;
        let name = first.rsplit('/').next().unwrap_or(first);
        let shell = matches!(name, "sh" | "bash" | "ash" | "dash");
        let bare_shell = shell && self.command.len() == 1;
        (!name.is_empty() && !bare_shell).then(|| name.to_owned())
    }

    /// Whether the image starts a model server by itself, and how we know.
    pub fn serving_hint(&self) -> Option<ServingHint> {
        let first_port = self.ports.iter().copied().min();
        if self.env_names.iter().any(|n| n.starts_with("NIM_"))
            || self.labels.keys().any(|k| k.starts_with("com.nvidia.nim"))
        {
            return Some(ServingHint {
                server: "NVIDIA NIM".into(),
                because: "it is set up by NVIDIA NIM's variables or labels".into(),
                port: Some(first_port.unwrap_or(8000)),
            });
        }
        for word in self.command.iter().flat_map(|text| text.split_whitespace()) {
            let program = word.rsplit('/').next().unwrap_or(word);
            // `python -m vllm.entrypoints.openai.api_server` names the package, not a program.
            let package = program.split('.').next().unwrap_or(program);
            for (name, server, port) in SERVERS {
                if program == *name || package == *name {
                    return Some(ServingHint {
                        server: (*server).into(),
                        because: format!("it starts `{program}`"),
                        port: Some(first_port.unwrap_or(*port)),
                    });
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_in_the_environment_are_not_kept() {
        let config = ImageConfig::parse(
            br#"{"os":"linux","architecture":"amd64","created":"2026-01-02T03:04:05Z",
                "config":{"Env":["HF_TOKEN=hf_secret","PATH=/bin"],"Cmd":["python3","-m","vllm.entrypoints.openai.api_server"],
                "ExposedPorts":{"9000/tcp":{},"53/udp":{}},"Labels":{"a":"b","c":null}}}"#,
        )
        .unwrap();
        assert!(
            !serde_json::to_string(&config)
                .unwrap()
                .contains("hf_secret")
        );
        assert_eq!(config.platform.as_ref().unwrap().label(), "linux/amd64");
        let hint = config.serving_hint().unwrap();
        assert_eq!((hint.server.as_str(), hint.port), ("vLLM", Some(9000)));
    }

    #[test]
    fn a_base_image_is_no_server() {
        let config =
            ImageConfig::parse(br#"{"os":"linux","architecture":"amd64","config":{"Cmd":["sh"]}}"#)
                .unwrap();
        assert_eq!((config.serving_hint(), config.program()), (None, None));
        assert_eq!(ImageConfig::parse(b"{}").unwrap(), ImageConfig::default());
        assert!(ImageConfig::parse(b"[1").is_err());
    }

    #[test]
    fn any_other_program_is_named_without_its_arguments() {
        let config = ImageConfig::parse(
            br#"{"config":{"Entrypoint":["/usr/bin/python","-m","model","--token=x"]}}"#,
        )
        .unwrap();
        assert_eq!(config.serving_hint(), None);
        assert_eq!(config.program().as_deref(), Some("python"));
    }

    #[test]
    fn nim_is_known_by_its_variables() {
        let config =
            ImageConfig::parse(br#"{"config":{"Env":["NIM_CACHE_PATH=/opt/nim/.cache"]}}"#)
                .unwrap();
        assert_eq!(config.serving_hint().unwrap().server, "NVIDIA NIM");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = ImageConfig::parse(&bytes).map(|c| c.serving_hint());
        }
    }
}
