//! The ClusterServingRuntimes that a KServe 0.20 installation brings along:
//! formats, versions, automatic selection, priorities and protocols as that
//! release has them, with plausible containers.

use serde_json::{Value, json};

/// One supported format: (name, version, selected automatically, priority).
type Format = (
    &'static str,
    Option<&'static str>,
    Option<bool>,
    Option<i32>,
);

const fn auto(name: &'static str, version: &'static str, priority: i32) -> Format {
    (name, Some(version), Some(true), Some(priority))
}

const fn manual(name: &'static str, version: &'static str, priority: Option<i32>) -> Format {
    (name, Some(version), None, priority)
}

/// The runtimes, ready to be created.
pub fn cluster_serving_runtimes() -> Vec<Value> {
    let v1_v2 = &["v1", "v2"][..];
    vec![
        vllm(),
        runtime(
            "kserve-huggingfaceserver",
            &[auto("huggingface", "1", 1)],
            v1_v2,
            "docker.io/kserve/huggingfaceserver:v0.20.0",
            &["--model_name={{.Name}}"],
        ),
        multinode(),
        runtime(
            "kserve-tritonserver",
            &[
                auto("tensorrt", "8", 1),
                auto("tensorflow", "1", 1),
                auto("tensorflow", "2", 1),
                auto("onnx", "1", 1),
                manual("pytorch", "1", None),
                auto("triton", "2", 1),
            ],
            &["v2", "grpc-v2"],
            "nvcr.io/nvidia/tritonserver:25.09-py3",
            &[
                "tritonserver",
                "--model-store=/mnt/models",
                "--grpc-port=9000",
                "--http-port=8080",
                "--allow-grpc=true",
                "--allow-http=true",
            ],
        ),
        mlserver(),
        runtime(
            "kserve-openvino",
            &[
                auto("openvino", "10", 1),
                auto("onnx", "1", 2),
                auto("tensorflow", "1", 3),
                ("huggingface", None, Some(true), None),
            ],
            &["v1", "v2", "grpc-v2"],
            "docker.io/openvino/model_server:2025.3",
            &[
                "--model_name={{.Name}}",
                "--model_path=/mnt/models",
                "--port=9000",
                "--rest_port=8080",
                "--file_system_poll_wait_seconds=0",
            ],
        ),
        runtime(
            "kserve-tensorflow-serving",
            &[auto("tensorflow", "1", 2), auto("tensorflow", "2", 2)],
            &["v1", "grpc-v1"],
            "docker.io/tensorflow/serving:2.19.1",
            &[
                "--model_name={{.Name}}",
                "--port=9000",
                "--rest_api_port=8080",
                "--model_base_path=/mnt/models",
                "--rest_api_timeout_in_ms=60000",
            ],
        ),
        runtime(
            "kserve-torchserve",
            &[auto("pytorch", "1", 2)],
            &["v1", "v2", "grpc-v2"],
            "docker.io/pytorch/torchserve-kfs:0.12.0",
            &[
                "torchserve",
                "--start",
                "--model-store=/mnt/models/model-store",
                "--ts-config=/mnt/models/config/config.properties",
            ],
        ),
        kserve_python("sklearnserver", &[auto("sklearn", "1", 1)]),
        kserve_python("xgbserver", &[auto("xgboost", "2", 1)]),
        kserve_python("lgbserver", &[auto("lightgbm", "4", 1)]),
        kserve_python("paddleserver", &[auto("paddle", "2", 1)]),
        kserve_python("pmmlserver", &[auto("pmml", "3", 1), auto("pmml", "4", 1)]),
        kserve_python("autogluonserver", &[auto("autogluon", "1", 1)]),
        kserve_python(
            "predictiveserver",
            &[
                manual("sklearn", "1", Some(3)),
                manual("xgboost", "2", Some(3)),
                manual("lightgbm", "4", Some(3)),
            ],
        ),
    ]
}

/// A ClusterStorageContainer as the release has it: the storage initializer
/// for every scheme that needs a download.
pub fn storage_container() -> Value {
    let prefixes = [
        "gs://",
        "s3://",
        "hdfs://",
        "hf://",
        "webhdfs://",
        "http://",
        "https://",
    ];
    let formats: Vec<Value> = prefixes.iter().map(|p| json!({"prefix": p})).collect();
    json!({
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": "default"},
        "spec": {
            "container": {
                "name": "storage-initializer",
                "image": "docker.io/kserve/storage-initializer:v0.20.0",
                "resources": {
                    "limits": {"cpu": "1", "memory": "1Gi"},
                    "requests": {"cpu": "100m", "memory": "100Mi"},
                },
            },
            "supportedUriFormats": formats,
            "workloadType": "initContainer",
        },
    })
}

fn formats(list: &[Format]) -> Vec<Value> {
    list.iter()
        .map(|(name, version, auto_select, priority)| {
            let mut format = json!({"name": name});
            if let Some(version) = version {
                format["version"] = json!(version);
            }
            if let Some(auto_select) = auto_select {
                format["autoSelect"] = json!(auto_select);
            }
            if let Some(priority) = priority {
                format["priority"] = json!(priority);
            }
            format
        })
        .collect()
}

fn security_context() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "privileged": false,
        "capabilities": {"drop": ["ALL"]},
    })
}

fn small() -> Value {
    json!({
        "limits": {"cpu": "1", "memory": "2Gi"},
        "requests": {"cpu": "1", "memory": "2Gi"},
    })
}

fn frame(name: &str, supported: &[Format], protocols: &[&str], container: Value) -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": name},
        "spec": {
            "annotations": {
                "prometheus.kserve.io/path": "/metrics",
                "prometheus.kserve.io/port": "8080",
            },
            "supportedModelFormats": formats(supported),
            "protocolVersions": protocols,
            "containers": [container],
        },
    })
}

fn runtime(
    name: &str,
    supported: &[Format],
    protocols: &[&str],
    image: &str,
    args: &[&str],
) -> Value {
    let container = json!({
        "name": "kserve-container",
        "image": image,
        "args": args,
        "securityContext": security_context(),
        "resources": small(),
    });
    frame(name, supported, protocols, container)
}

fn kserve_python(server: &str, supported: &[Format]) -> Value {
    runtime(
        &format!("kserve-{server}"),
        supported,
        &["v1", "v2"],
        &format!("docker.io/kserve/{server}:v0.20.0"),
        &[
            "--model_name={{.Name}}",
            "--model_dir=/mnt/models",
            "--http_port=8080",
        ],
    )
}

fn mlserver() -> Value {
    let container = json!({
        "name": "kserve-container",
        "image": "docker.io/seldonio/mlserver:1.7.1",
        "env": [
            {"name": "MLSERVER_HTTP_PORT", "value": "8080"},
            {"name": "MLSERVER_GRPC_PORT", "value": "9000"},
            {"name": "MODELS_DIR", "value": "/mnt/models"},
        ],
        "securityContext": security_context(),
        "resources": small(),
    });
    frame(
        "kserve-mlserver",
        &[
            auto("sklearn", "0", 2),
            auto("sklearn", "1", 2),
            auto("xgboost", "1", 2),
            auto("xgboost", "2", 2),
            auto("lightgbm", "3", 2),
            auto("lightgbm", "4", 2),
            auto("mlflow", "1", 1),
            auto("mlflow", "2", 1),
        ],
        &["v2"],
        container,
    )
}

/// The runtime of the recorded scenarios, container by container.
fn vllm() -> Value {
    let probe = json!({"path": "/v1/models", "port": 8080, "scheme": "HTTP"});
    let container = json!({
        "name": "kserve-container",
        "image": "docker.io/vllm/vllm-openai:v0.11.0",
        "command": ["python", "-m", "vllm.entrypoints.openai.api_server"],
        "args": ["--port=8080", "--served-model-name={{.Name}}", "--model=/mnt/models"],
        "env": [
            {"name": "LMCACHE_USE_EXPERIMENTAL", "value": "True"},
            {"name": "HF_HOME", "value": "/tmp"},
            {"name": "VLLM_CONFIG_ROOT", "value": "/tmp"},
            {"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "spawn"},
        ],
        "securityContext": security_context(),
        "readinessProbe": {
            "httpGet": probe,
            "failureThreshold": 3,
            "periodSeconds": 10,
            "successThreshold": 1,
            "timeoutSeconds": 5,
        },
        "startupProbe": {
            "httpGet": probe,
            "failureThreshold": 60,
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
            "successThreshold": 1,
            "timeoutSeconds": 10,
        },
        "volumeMounts": [{"name": "devshm", "mountPath": "/dev/shm"}],
    });
    let mut runtime = frame(
        "kserve-vllmserver",
        &[auto("vLLM", "1", 1)],
        &["v2"],
        container,
    );
    runtime["spec"]["volumes"] = json!([{"name": "devshm", "emptyDir": {"medium": "Memory"}}]);
    runtime
}

fn multinode() -> Value {
    let image = "docker.io/kserve/huggingfaceserver:v0.20.0-gpu";
    let shm = json!([{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "12Gi"}}]);
    let mount = json!([{"name": "shm", "mountPath": "/dev/shm"}]);
    let container = json!({
        "name": "kserve-container",
        "image": image,
        "command": ["bash", "-c"],
        "args": ["ray start --head && python3 -m huggingfaceserver --model_name={{.Name}} --model_dir=/mnt/models"],
        "env": [{"name": "RAY_PORT", "value": "6379"}, {"name": "TENSOR_PARALLEL_SIZE", "value": "1"}],
        "resources": {"limits": {"cpu": "16", "memory": "48Gi", "nvidia.com/gpu": "1"}, "requests": {"cpu": "8"}},
        "volumeMounts": mount,
    });
    let worker = json!({
        "containers": [{
            "name": "worker-container",
            "image": image,
            "command": ["bash", "-c"],
            "args": ["ray start --address=\"${HEAD_SVC}:6379\" --block"],
            "resources": {"limits": {"cpu": "16", "memory": "48Gi"}, "requests": {"cpu": "8"}},
            "volumeMounts": mount,
        }],
        "pipelineParallelSize": 2,
        "tensorParallelSize": 1,
        "volumes": shm,
    });
    let mut runtime = frame(
        "kserve-huggingfaceserver-multinode",
        &[auto("huggingface", "1", 2)],
        &["v1", "v2"],
        container,
    );
    runtime["spec"]["volumes"] = shm;
    runtime["spec"]["workerSpec"] = worker;
    runtime
}

#[cfg(test)]
mod tests {
    use super::cluster_serving_runtimes;

    #[test]
    fn every_runtime_of_the_release_is_there_once() {
        let mut names: Vec<String> = cluster_serving_runtimes()
            .iter()
            .filter_map(|r| r["metadata"]["name"].as_str().map(ToOwned::to_owned))
            .collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!((names.len(), count), (15, 15), "{names:?}");
    }
}
