//! Where applications reach a deployment: its address, and the operations that its server answers.
//!
//! Which those are follows from the server (the container's image and arguments), the protocol and the
//! task, never from the format's name alone: sources are the servers' own documentation and
//! <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol>.

use crate::{isvc::View, observed::Runtime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An address and what answers there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub what: String,
    pub url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// KServe's own: OpenAI's operations under `/openai`, and KServe's protocols for other tasks.
    HuggingFace,
    /// vLLM and others that speak nothing but OpenAI's operations.
    OpenAi,
    /// As those, with NVIDIA's own operation for ranking.
    Nim,
    TextEmbeddings,
    /// OpenVINO has OpenAI's operations under `/v3`, KServe's protocols for other models.
    OpenVino,
    /// Serves the models of a repository under the names that they have there.
    Repository,
    /// Whatever its protocols say.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Generate,
    Embed,
    Rank,
    /// Classification and whatever else answers KServe's protocols.
    Predict,
}

/// The addresses of what is served. `runtime`: the one that serves it; `task`: what the catalogue
/// knows that the model does, as Hugging Face names tasks. What is not known is left out.
pub fn endpoints(view: &View<'_>, runtime: Option<&Runtime>, task: Option<&str>) -> Vec<Endpoint> {
    let of_predictor = |key: &str| {
        view.at(&format!("/status/components/predictor/{key}"))
            .as_str()
            .filter(|u| !u.is_empty() && !view.has_transformer() && !view.has_explainer())
    };
    let Some(rest) = of_predictor("restUrl").or_else(|| view.url()) else {
        return vec![];
    };
    let mut out = vec![endpoint("Address", rest.to_owned())];
    let container = Container::of(view, runtime);
    let server = container.server(view);
    let task = container.task().or_else(|| task.and_then(task_of));
    let open_ai = match server {
        Server::HuggingFace if task != Some(Task::Predict) => Some("/openai/v1"),
        Server::OpenAi | Server::Nim | Server::TextEmbeddings => Some("/v1"),
        Server::OpenVino if task.is_some_and(|t| t != Task::Predict) => Some("/v3"),
        _ => None,
    };
    match open_ai {
        Some(base) => out.push(open_ai_operation(server, task, rest, base)),
        None => {
            for protocol in protocols(view, runtime) {
                let grpc = of_predictor("grpcUrl")
                    .or_else(|| (view.protocol() == Some(protocol)).then_some(rest));
                out.extend(of_protocol(
                    protocol,
                    rest,
                    grpc,
                    &container.model_name(view, server),
                ));
            }
        }
    }
    out
}

fn endpoint(what: &str, url: String) -> Endpoint {
    Endpoint {
        what: what.to_owned(),
        url,
    }
}

fn open_ai_operation(server: Server, task: Option<Task>, rest: &str, base: &str) -> Endpoint {
    let (what, path) = match (task, server) {
        (Some(Task::Generate), _) => ("OpenAI-compatible chat", format!("{base}/chat/completions")),
        (Some(Task::Embed), _) => ("OpenAI-compatible embeddings", format!("{base}/embeddings")),
        (Some(Task::Rank), Server::Nim) => ("Ranking", format!("{base}/ranking")),
        (Some(Task::Rank), Server::TextEmbeddings) => ("Ranking", "/rerank".to_owned()),
        (Some(Task::Rank), _) => ("Ranking", format!("{base}/rerank")),
        // Which of them it answers depends on a task that nobody knows here.
        (Some(Task::Predict) | None, _) => ("OpenAI-compatible API", base.to_owned()),
    };
    endpoint(what, format!("{rest}{path}"))
}

/// What the manifest asks for, else what the runtime says that it speaks.
fn protocols<'a>(view: &View<'a>, runtime: Option<&'a Runtime>) -> Vec<&'a str> {
    let spoken = runtime.map(|r| r.protocols.as_slice()).unwrap_or_default();
    match view.protocol() {
        Some(p) if spoken.is_empty() || spoken.iter().any(|s| s == p) => vec![p],
        _ => {
            let mut all: Vec<&str> = spoken.iter().map(String::as_str).collect();
            all.sort_unstable();
            all
        }
    }
}

fn of_protocol(protocol: &str, rest: &str, grpc: Option<&str>, model: &str) -> Option<Endpoint> {
    match protocol {
        "v1" => Some(endpoint(
            "KServe v1 protocol",
            format!("{rest}/v1/models/{model}:predict"),
        )),
        "v2" => Some(endpoint(
            "Open Inference Protocol (v2)",
            format!("{rest}/v2/models/{model}/infer"),
        )),
        "grpc-v1" => grpc.map(|url| endpoint("TensorFlow Serving over gRPC", url.to_owned())),
        "grpc-v2" => grpc.map(|url| endpoint("Open Inference Protocol over gRPC", url.to_owned())),
        _ => None,
    }
}

/// A task by its name at Hugging Face, KServe's server or vLLM; `None`: none that says anything.
fn task_of(name: &str) -> Option<Task> {
    match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "" | "auto" | "draft" => None,
        "generate"
        | "text-generation"
        | "text2text-generation"
        | "conversational"
        | "image-text-to-text" => Some(Task::Generate),
        "embed" | "embedding" | "text-embedding" | "feature-extraction" | "sentence-similarity" => {
            Some(Task::Embed)
        }
        "score" | "rerank" | "text-ranking" => Some(Task::Rank),
        _ => Some(Task::Predict),
    }
}

/// The serving container: the runtime's with the manifest's over it.
struct Container<'a> {
    image: &'a str,
    /// Command and arguments; KServe appends the manifest's arguments to the runtime's.
    words: Vec<&'a str>,
}

impl<'a> Container<'a> {
    fn of(view: &View<'a>, runtime: Option<&'a Runtime>) -> Self {
        let base = runtime
            .and_then(|r| r.spec["containers"].as_array())
            .and_then(|all| {
                all.iter()
                    .find(|c| c["name"] == crate::isvc::MAIN_CONTAINER)
                    .or(all.first())
            });
        let own = view.container().map(|(_, c)| c);
        let texts = |c: Option<&'a Value>, key: &str| -> Vec<&'a str> {
            let list = c.and_then(|c| c[key].as_array());
            list.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect()
        };
        let mut words = texts(own, "command");
        if words.is_empty() {
            words = texts(base, "command");
        }
        words.extend(texts(base, "args"));
        words.extend(texts(own, "args"));
        let image = own
            .and_then(|c| c["image"].as_str())
            .or_else(|| base.and_then(|c| c["image"].as_str()))
            .unwrap_or_default();
        Self {
            image: image.split('@').next().unwrap_or_default(),
            words,
        }
    }

    fn server(&self, view: &View<'_>) -> Server {
        let image = self.image.to_ascii_lowercase();
        let named =
            |name: &str| image.contains(name) || self.words.iter().any(|w| w.contains(name));
        // The more particular first: images of Triton and of KServe's server may name vLLM too.
        if named("tritonserver") || named("torchserve") {
            Server::Repository
        } else if named("huggingfaceserver") {
            Server::HuggingFace
        } else if named("text-embeddings-inference") || named("text-embeddings-router") {
            Server::TextEmbeddings
        } else if image.contains("/nim/") {
            Server::Nim
        } else if [
            "vllm",
            "sglang",
            "text-generation-inference",
            "llama.cpp",
            "ollama",
        ]
        .into_iter()
        .any(named)
            || (image.is_empty() && view.format().is_some_and(|f| f.name == "vLLM"))
        {
            Server::OpenAi
        } else if named("openvino") || named("ovms") {
            Server::OpenVino
        } else {
            Server::Other
        }
    }

    /// The value of the last of these arguments, written `--name=value` or `--name value`.
    fn argument(&self, names: &[&str]) -> Option<&'a str> {
        // `sh -c` takes a whole command line as one word.
        let words: Vec<&str> = self
            .words
            .iter()
            .flat_map(|w| w.split_whitespace())
            .collect();
        let at = |i: usize, word: &'a str| match word.split_once('=') {
            Some((name, value)) => names.contains(&name).then_some(value),
            None => names
                .contains(&word)
                .then(|| words.get(i + 1).copied().unwrap_or_default()),
        };
        words
            .iter()
            .enumerate()
            .filter_map(|(i, w)| at(i, w))
            .next_back()
    }

    fn task(&self) -> Option<Task> {
        let flagged = ["--is-embedding", "--embedding", "--embeddings"];
        if self.words.iter().any(|w| flagged.contains(w)) {
            return Some(Task::Embed);
        }
        let said = self.argument(&["--task", "--convert"]).and_then(task_of);
        // NVIDIA's images hold one model each and say by their name what it does.
        said.or_else(
            || match self.image.to_ascii_lowercase().split_once("/nim/") {
                Some((_, name)) if name.contains("rerank") => Some(Task::Rank),
                Some((_, name)) if name.contains("embed") => Some(Task::Embed),
                _ if self.image.contains("text-embeddings-inference") => Some(Task::Embed),
                _ => None,
            },
        )
    }

    fn model_name(&self, view: &View<'_>, server: Server) -> String {
        if server == Server::Repository {
            return "{name in the model repository}".to_owned();
        }
        match self.argument(&["--model_name", "--model-name"]) {
            Some(name) if !name.is_empty() && !name.contains("{{") && !name.starts_with('$') => {
                name.to_owned()
            }
            // Templates of runtimes put the service's name there.
            _ => view.name().to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
