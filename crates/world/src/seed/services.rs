//! The InferenceServices that are in the clusters from the beginning. Nobody approved them: the
//! platform team made them with kubectl before there was a console. Most of them are approved by
//! the history that `cargo xtask run` makes; it names them.

use super::Shelf;
use serde_json::{Value, json};

/// What becomes of a service after it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Stays,
    /// Somebody edits its arguments once it is ready, as `kubectl edit` does.
    Edited,
}

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) cluster: &'static str,
    pub(super) then: Then,
    pub(super) object: Value,
}

/// GPUs, or slices, and on which product.
#[derive(Clone, Copy)]
struct Gpus(u32, &'static str, &'static str);

const H100: &str = "NVIDIA-H100-80GB-HBM3";
const L40S: &str = "NVIDIA-L40S";
const A100: &str = "NVIDIA-A100-SXM4-80GB";
const A100_HALF: &str = "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb";
const GPU: &str = "nvidia.com/gpu";
const HALF: &str = "nvidia.com/mig-3g.40gb";
const SEVENTH: &str = "nvidia.com/mig-1g.10gb";

/// A predictor on GPUs.
fn on_gpu(format: &str, runtime: &str, uri: &str, gpus: Gpus, args: &[&str]) -> Value {
    let Gpus(count, resource, product) = gpus;
    let (cpu, memory) = (4 * count, format!("{}Gi", 32 * count));
    let mut resources = json!({"cpu": cpu.to_string(), "memory": memory});
    resources[resource] = json!(count.to_string());
    json!({
        "minReplicas": 1,
        "maxReplicas": 1,
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "nodeSelector": {"nvidia.com/gpu.product": product},
        "model": {
            "modelFormat": {"name": format},
            "runtime": runtime,
            "storageUri": uri,
            "args": args,
            "resources": {"requests": resources, "limits": resources},
        },
    })
}

fn vllm(uri: &str, gpus: Gpus, args: &[&str]) -> Value {
    on_gpu("vLLM", "kserve-vllmserver", uri, gpus, args)
}

/// A predictor on plain processors; KServe chooses the runtime by the format.
fn on_cpu(format: &str, uri: &str) -> Value {
    let resources = json!({"cpu": "1", "memory": "2Gi"});
    json!({
        "minReplicas": 1,
        "maxReplicas": 1,
        "model": {
            "modelFormat": {"name": format},
            "storageUri": uri,
            "resources": {"requests": resources, "limits": resources},
        },
    })
}

fn scaled(mut predictor: Value, min: u32, max: u32) -> Value {
    predictor["minReplicas"] = json!(min);
    predictor["maxReplicas"] = json!(max);
    predictor
}

fn service(cluster: &'static str, namespace: &str, name: &str, predictor: Value) -> Service {
    let fixed = predictor["minReplicas"] == predictor["maxReplicas"];
    Service {
        cluster,
        then: Then::Stays,
        object: json!({
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": {
                    "serving.kserve.io/deploymentMode": "Standard",
                    "serving.kserve.io/autoscalerClass": if fixed { "none" } else { "hpa" },
                    "serving.kserve.io/enable-prometheus-scraping": "true",
                },
            },
            "spec": {"predictor": predictor},
        }),
    }
}

impl Service {
    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.object["metadata"]["annotations"][key] = json!(value);
        self
    }

    fn stopped(self) -> Self {
        self.annotated("serving.kserve.io/stop", "true")
    }

    fn canary(mut self, predictor: Value, percent: u32) -> Self {
        let mut predictor = predictor;
        predictor["name"] = json!("v2");
        if let Some(fields) = predictor.as_object_mut() {
            // A canary may not say it; KServe refuses it.
            fields.remove("maxReplicas");
        }
        self.object["spec"]["canary"] =
            json!([{"predictor": predictor, "trafficPercent": percent}]);
        self
    }

    fn edited(mut self) -> Self {
        self.then = Then::Edited;
        self
    }
}

/// All of them.
pub(super) fn all(shelf: &Shelf<'_>) -> Vec<Service> {
    let mut all = on_premises(shelf);
    all.extend(in_cloud(shelf));
    all
}

fn on_premises(shelf: &Shelf<'_>) -> Vec<Service> {
    const HERE: &str = "onprem-1";
    let llama = shelf.model("llama-3.1-8b-instruct", "v1.1.0");
    let llama_before = shelf.model("llama-3.1-8b-instruct", "v1.0.0");
    let llama_fp8 = shelf.model("llama-3.1-8b-instruct", "v1.1.0-fp8");
    let one_l40s = Gpus(1, GPU, L40S);
    let transcriber = on_gpu(
        "huggingface",
        "kserve-huggingfaceserver",
        &shelf.model("whisper-large-v3", "v3.0.0"),
        Gpus(1, HALF, A100),
        &["--task=automatic_speech_recognition"],
    );
    let embeddings = on_gpu(
        "huggingface",
        "kserve-huggingfaceserver",
        &shelf.model("bge-large-en", "v1.5.0"),
        Gpus(1, SEVENTH, A100),
        &["--task=text_embedding"],
    );
    vec![
        service(
            HERE,
            "retail-prod",
            "product-chat",
            scaled(vllm(&llama, one_l40s, &["--max-model-len=16384"]), 2, 2),
        ),
        service(
            HERE,
            "retail-prod",
            "search-embeddings",
            scaled(embeddings, 2, 2),
        ),
        service(
            HERE,
            "retail-prod",
            "demand-forecast",
            scaled(
                on_cpu("xgboost", &shelf.model("demand-forecast", "2026.11")),
                2,
                2,
            ),
        ),
        service(
            HERE,
            "retail-staging",
            "product-chat",
            vllm(&llama_before, one_l40s, &["--max-model-len=16384"]),
        )
        .canary(vllm(&llama_fp8, one_l40s, &["--max-model-len=16384"]), 20),
        // The quota holds four GPUs, so the edited version's pod finds no room beside the old one.
        service(
            HERE,
            "retail-dev",
            "shopping-assistant",
            vllm(
                &shelf.model("qwen3-32b", "v1.0.0"),
                Gpus(4, GPU, L40S),
                &["--tensor-parallel-size=4", "--max-model-len=8192"],
            ),
        )
        .edited(),
        service(
            HERE,
            "logistics-prod",
            "route-planner",
            vllm(
                &shelf.model("mistral-7b-instruct", "v0.3.0"),
                one_l40s,
                &["--max-model-len=8192"],
            ),
        ),
        service(
            HERE,
            "logistics-prod",
            "arrival-times",
            on_cpu("xgboost", &shelf.model("demand-forecast", "2026.09")),
        ),
        // No machine with L40S has eight of them.
        service(
            HERE,
            "logistics-prod",
            "dispatch-assistant",
            vllm(
                &shelf.model("mixtral-8x7b-instruct", "v0.1.0"),
                Gpus(8, GPU, L40S),
                &["--tensor-parallel-size=8"],
            ),
        ),
        service(
            HERE,
            "logistics-staging",
            "delivery-notes",
            vllm(
                &shelf.model("gemma-2-9b-it", "v1.0.0"),
                Gpus(1, HALF, A100),
                &["--max-model-len=8192", "--gpu-memory-utilization=0.98"],
            ),
        )
        .annotated(
            "world.gatehouse.dev/crash",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.75 GiB. GPU 0 has a \
             total capacity of 39.25 GiB of which 1.12 GiB is free.",
        ),
        service(
            HERE,
            "logistics-dev",
            "label-reader",
            vllm(
                &shelf.model("phi-3.5-mini-instruct", "v1.0.0"),
                Gpus(1, HALF, A100),
                &["--max-model-len=4096"],
            ),
        )
        .stopped(),
        service(
            HERE,
            "research-prod",
            "reading-room",
            vllm(
                &shelf.model("deepseek-v2-lite-chat", "v2.0.0"),
                Gpus(1, GPU, H100),
                &["--max-model-len=32768", "--trust-remote-code"],
            ),
        ),
        service(HERE, "research-staging", "transcriber", transcriber),
        service(
            HERE,
            "research-dev",
            "pocket-model",
            on_cpu("gguf", &shelf.model("llama-3.2-3b-gguf", "v1.0.0-q4_k_m")),
        ),
        service(
            HERE,
            "research-dev",
            "iris",
            on_cpu("sklearn", &shelf.model("iris-classifier", "v1.2.0")),
        ),
    ]
}

fn in_cloud(shelf: &Shelf<'_>) -> Vec<Service> {
    const HERE: &str = "cloud-1";
    let nim = shelf.image("serving/nim-llama-3.1-8b-instruct", "1.13.1");
    let resources = json!({"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "1"});
    let nim = json!({
        "minReplicas": 1,
        "maxReplicas": 1,
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "nodeSelector": {"nvidia.com/gpu.product": L40S},
        "containers": [{
            "name": "kserve-container",
            "image": nim,
            "ports": [{"containerPort": 8000, "protocol": "TCP"}],
            "env": [{"name": "NGC_API_KEY", "valueFrom": {
                "secretKeyRef": {"name": "ngc", "key": "api-key", "optional": true},
            }}],
            "resources": {"requests": resources, "limits": resources},
        }],
    });
    let half = Gpus(1, GPU, A100_HALF);
    vec![
        service(
            HERE,
            "retail-prod",
            "product-chat",
            vllm(
                &shelf.model("llama-3.1-8b-instruct", "v1.1.0-fp8"),
                Gpus(1, GPU, H100),
                &["--max-model-len=32768"],
            ),
        ),
        service(HERE, "retail-staging", "nim-assistant", nim),
        service(
            HERE,
            "retail-dev",
            "review-sentiment",
            on_cpu("sklearn", &shelf.model("review-sentiment", "v0.9.0")),
        ),
        service(
            HERE,
            "logistics-prod",
            "support-chat",
            scaled(
                vllm(
                    &shelf.model("mistral-7b-instruct", "v0.2.0"),
                    Gpus(1, GPU, L40S),
                    &["--max-model-len=8192"],
                ),
                1,
                4,
            ),
        ),
        service(
            HERE,
            "research-prod",
            "long-documents",
            vllm(
                &shelf.model("mixtral-8x7b-instruct", "v0.1.0"),
                Gpus(2, GPU, H100),
                &["--tensor-parallel-size=2", "--max-model-len=32768"],
            ),
        ),
        // Development has four GPUs.
        service(
            HERE,
            "research-dev",
            "big-thinker",
            vllm(
                &shelf.model("qwen3-32b", "v1.0.0"),
                Gpus(8, GPU, H100),
                &["--tensor-parallel-size=8"],
            ),
        ),
        service(
            HERE,
            "research-staging",
            "paper-chat",
            vllm(
                &shelf.model("phi-3.5-mini-instruct", "v1.0.0"),
                half,
                &["--max-model-len=65536"],
            ),
        ),
        service(
            HERE,
            "logistics-dev",
            "night-batch",
            vllm(
                &shelf.model("gemma-2-9b-it", "v1.0.0"),
                half,
                &["--max-model-len=8192"],
            ),
        )
        .stopped(),
    ]
}
