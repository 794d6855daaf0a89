//! A base that passes, and for each rule a way to break it, in the order of the table.

use super::super::*;
use crate::{artifact::ArtifactKind, observed::*, references::Referred};
use serde_json::json;
use std::collections::BTreeMap;

const DIGEST: &str = "sha256:0123456789012345678901234567890123456789012345678901234567890123";

/// Everything that a target can be.
pub struct World {
    pub facts: ClusterFacts,
    pub runtimes: Vec<Runtime>,
    pub nodes: Vec<Node>,
    pub quotas: Vec<Quota>,
    pub limit_ranges: Vec<LimitRange>,
    pub live: Option<Value>,
    /// So many pods of its predictor run; `None`: as many as it starts with.
    pub running: Option<i64>,
    pub secrets: Option<Vec<String>>,
    pub absent: Vec<(Referred, String)>,
    pub artifact: Option<ArtifactKind>,
}

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

pub fn runtime(name: &str, format: &str, auto: bool, protocols: &[&str]) -> Runtime {
    Runtime {
        name: name.into(),
        namespace: None,
        disabled: false,
        formats: vec![RuntimeFormat {
            name: format.into(),
            version: Some("1".into()),
            auto_select: auto,
            priority: 1,
        }],
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
        multi_node: false,
        created_at: None,
        spec: json!({"containers": [{"name": "kserve-container", "image": format!("server@{DIGEST}")}]}),
    }
}

fn node(name: &str, gpus: &str) -> Node {
    Node {
        name: name.into(),
        ready: true,
        labels: map(&[("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3")]),
        taints: vec![Taint {
            key: "nvidia.com/gpu".into(),
            value: String::new(),
            effect: "NoSchedule".into(),
        }],
        allocatable: map(&[("cpu", "64"), ("memory", "512Gi"), ("nvidia.com/gpu", gpus)]),
        requested: map(&[("cpu", "4"), ("memory", "32Gi"), ("nvidia.com/gpu", "2")]),
        ..Node::default()
    }
}

pub fn world() -> World {
    World {
        facts: ClusterFacts {
            kubernetes_version: "v1.34.4".into(),
            kserve_version: Some("0.20.0".into()),
            default_mode: Some("Standard".into()),
            older_mode_names: false,
            gateway_api: Some(true),
            modelcar: Some(true),
            oci_fetch: Some(true),
            oci_mode: Some("modelcar".into()),
            canary_field: true,
            groups: vec!["keda.sh".into(), "serving.kserve.io".into()],
            storage_prefixes: vec!["models://".into()],
            storage_regexes: vec![],
        },
        runtimes: vec![
            runtime("kserve-vllmserver", "vLLM", true, &[]),
            runtime("by-hand", "pytorch", false, &["v2"]),
        ],
        nodes: vec![node("h100-1", "8"), node("h100-2", "8")],
        quotas: vec![Quota {
            name: "gpus".into(),
            hard: map(&[("requests.nvidia.com/gpu", "16"), ("limits.memory", "1Ti")]),
            used: map(&[("requests.nvidia.com/gpu", "2"), ("limits.memory", "64Gi")]),
            as_of: None,
        }],
        limit_ranges: vec![],
        live: None,
        running: None,
        secrets: Some(vec!["hugging-face".into(), "registry".into()]),
        absent: vec![],
        artifact: Some(ArtifactKind::ModelImage),
    }
}

pub fn base() -> Value {
    let amounts = json!({"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "1"});
    json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "llama", "namespace": "retail-dev", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": {
            "minReplicas": 1, "maxReplicas": 1,
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
            "imagePullSecrets": [{"name": "registry"}],
            "model": {
                "modelFormat": {"name": "vLLM"}, "runtime": "kserve-vllmserver",
                "storageUri": format!("oci+native://registry.example/models/llama@{DIGEST}"),
                "args": ["--tensor-parallel-size=1"],
                "env": [{"name": "MAX_TOKENS", "value": "512"}, {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hugging-face", "key": "token"}}}],
                "resources": {"requests": amounts, "limits": amounts}
            }
        }}
    })
}

pub fn run(manifest: &Value, w: &World) -> Vec<Finding> {
    let mode = w.facts.default_mode.as_deref();
    let of = |l| crate::pods::of(l, &w.runtimes, &w.limit_ranges, mode);
    let mut running = w.live.as_ref().map(of).unwrap_or_default();
    if let (Some(predictor), Some(there)) = (running.first_mut(), w.running) {
        predictor.replicas = there;
    }
    check(
        manifest,
        &Target {
            facts: &w.facts,
            runtimes: &w.runtimes,
            nodes: &w.nodes,
            quotas: &w.quotas,
            limit_ranges: &w.limit_ranges,
            live: w.live.as_ref(),
            running: &running,
            secrets: w.secrets.as_deref(),
            absent: &w.absent,
            artifact: w.artifact,
        },
    )
}

pub type Change = fn(&mut Value, &mut World);

pub fn predictor(m: &mut Value) -> &mut Value {
    &mut m["spec"]["predictor"]
}

fn annotate(m: &mut Value, key: &str, value: &str) {
    m["metadata"]["annotations"][key] = json!(value);
}

pub fn amount(m: &mut Value, resource: &str, value: &str) {
    for which in ["requests", "limits"] {
        predictor(m)["model"]["resources"][which][resource] = json!(value);
    }
}

fn uri(m: &mut Value, uri: &str) {
    predictor(m)["model"]["storageUri"] = json!(uri);
}

pub fn canary(m: &mut Value, name: &str, percent: i64) {
    let mut stable = predictor(m).clone();
    stable["name"] = json!(name);
    for key in ["maxReplicas", "canaryTrafficPercent"] {
        stable.as_object_mut().unwrap().remove(key);
    }
    let one = json!({"predictor": stable, "trafficPercent": percent});
    match m["spec"]["canary"].as_array_mut() {
        Some(list) => list.push(one),
        None => m["spec"]["canary"] = json!([one]),
    }
}

pub fn required(terms: Value) -> Value {
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
}

/// A rule and how to break it.
pub const CASES: &[(&str, Change)] = &[
    ("not-an-inference-service", |m, _| {
        m["apiVersion"] = json!("serving.kserve.io/v1alpha1")
    }),
    ("top-level-unknown", |m, _| {
        m["metdata"] = json!({"labels": {"team": "x"}});
        m["predictor"] = json!({"minReplicas": 1});
        m["resources"] = json!({});
    }),
    ("predictor-missing", |m, _| {
        *predictor(m) = json!({"minReplicas": 1})
    }),
    ("predictor-twice", |m, _| {
        predictor(m)["sklearn"] = json!({})
    }),
    ("predictor-older-form", |m, _| {
        *predictor(m) = json!({"sklearn": {"storageUri": "s3://b/m"}})
    }),
    ("model-name", |m, _| {
        predictor(m)["model"]["name"] = json!("llama")
    }),
    ("annotation-not-text", |m, _| {
        m["metadata"]["annotations"]["serving.kserve.io/stop"] = json!(true)
    }),
    ("mode-unknown", |m, _| {
        annotate(m, "serving.kserve.io/deploymentMode", "Fast")
    }),
    ("mode-deprecated", |m, _| {
        annotate(m, "serving.kserve.io/deploymentMode", "RawDeployment")
    }),
    ("mode-not-written", |m, _| {
        m["metadata"]["annotations"] = json!({})
    }),
    ("mode-changed", |m, w| {
        w.live = Some(m.clone());
        annotate(m, "serving.kserve.io/deploymentMode", "Knative");
    }),
    ("stop-not-true", |m, _| {
        annotate(m, "serving.kserve.io/stop", "yes")
    }),
    ("created-stopped", |m, _| {
        annotate(m, "serving.kserve.io/stop", "true")
    }),
    ("annotation-misspelt", |m, _| {
        annotate(m, "serving.kserve.io/autoscaler-class", "none")
    }),
    ("visibility", |m, _| {
        annotate(m, "networking.kserve.io/visibility", "internal")
    }),
    ("format-missing", |m, _| {
        predictor(m)["model"]["modelFormat"] = json!({})
    }),
    ("format-wrong-case", |m, _| {
        predictor(m)["model"]["modelFormat"]["name"] = json!("vllm")
    }),
    ("runtime-none", |m, _| {
        predictor(m)["model"]["modelFormat"]["name"] = json!("pytorch");
        predictor(m)["model"]["runtime"] = Value::Null;
    }),
    ("runtime-missing", |m, _| {
        predictor(m)["model"]["runtime"] = json!("vllm")
    }),
    ("runtime-disabled", |_, w| w.runtimes[0].disabled = true),
    ("runtime-unsupported", |m, _| {
        predictor(m)["model"]["runtime"] = json!("by-hand")
    }),
    ("runtime-chosen-by-kserve", |m, _| {
        predictor(m)["model"]["runtime"] = Value::Null
    }),
    ("protocol-unknown", |m, _| {
        predictor(m)["model"]["protocolVersion"] = json!("v3")
    }),
    ("min-replicas-zero", |m, _| {
        predictor(m)["minReplicas"] = json!(0)
    }),
    ("replicas-range", |m, _| {
        predictor(m)["minReplicas"] = json!(3)
    }),
    ("concurrency-ignored", |m, _| {
        predictor(m)["containerConcurrency"] = json!(10)
    }),
    ("scale-metric-ignored", |m, _| {
        predictor(m)["scaleMetric"] = json!("rps")
    }),
    ("autoscaler-class", |m, _| {
        annotate(m, "serving.kserve.io/autoscalerClass", "foo")
    }),
    ("keda-absent", |m, w| {
        annotate(m, "serving.kserve.io/autoscalerClass", "keda");
        w.facts.groups.remove(0);
    }),
    ("autoscaling-unused", |m, _| {
        predictor(m)["autoScaling"] = json!({"metrics": [{"type": "External"}]})
    }),
    ("multi-node", |m, _| {
        predictor(m)["workerSpec"] = json!({"pipelineParallelSize": 1})
    }),
    ("multi-node-storage", |m, _| {
        predictor(m)["workerSpec"] = json!({"pipelineParallelSize": 2});
        uri(m, "s3://b/m");
    }),
    ("scaled-by-others", |m, _| {
        annotate(m, "serving.kserve.io/autoscalerClass", "external")
    }),
    ("autoscaler-needs-cpu-request", |m, _| {
        predictor(m)["maxReplicas"] = json!(3);
        predictor(m)["model"]["resources"]["requests"] =
            json!({"memory": "32Gi", "nvidia.com/gpu": "1"});
        predictor(m)["model"]["resources"]["limits"] =
            json!({"memory": "32Gi", "nvidia.com/gpu": "1"});
    }),
    ("gpu-server-scaled-by-cpu", |m, _| {
        predictor(m)["maxReplicas"] = json!(3)
    }),
    ("canary-percent-ignored", |m, _| {
        predictor(m)["canaryTrafficPercent"] = json!(101)
    }),
    ("canary-percent-range", |m, _| {
        annotate(m, "serving.kserve.io/deploymentMode", "Knative");
        predictor(m)["canaryTrafficPercent"] = json!(101);
    }),
    ("canary-not-known", |m, w| {
        canary(m, "v2", 10);
        w.facts.canary_field = false;
    }),
    ("canary-needs-standard", |m, _| {
        canary(m, "v2", 10);
        annotate(m, "serving.kserve.io/deploymentMode", "Knative");
    }),
    ("canary-without-gateway-api", |m, w| {
        canary(m, "v2", 10);
        w.facts.gateway_api = Some(false);
    }),
    ("canary-beside-transformer", |m, _| {
        canary(m, "v2", 10);
        m["spec"]["transformer"] = json!({"containers": [{"image": format!("t@{DIGEST}")}]});
    }),
    ("canary-fields", |m, _| {
        canary(m, "v2", 10);
        m["spec"]["canary"][0]["predictor"]["maxReplicas"] = json!(3);
    }),
    ("canary-names", |m, _| {
        canary(m, "v2", 10);
        canary(m, "v2", 10);
    }),
    ("canary-traffic", |m, _| {
        canary(m, "v2", 60);
        canary(m, "v3", 60);
    }),
    ("canary-min-replicas", |m, _| {
        canary(m, "v2", 10);
        m["spec"]["canary"][0]["predictor"]["minReplicas"] = json!(2);
    }),
    ("predictor-name-before-canary", |m, _| {
        predictor(m)["name"] = json!("v2")
    }),
    ("storage-missing", |m, _| {
        uri(m, "");
        predictor(m)["model"]["env"] = json!([]);
    }),
    ("storage-scheme", |m, _| uri(m, "ftp://host/model")),
    ("storage-malformed", |m, _| {
        uri(m, "oci://Registry/Models/Llama:1")
    }),
    ("storage-twice", |m, _| {
        predictor(m)["storageUris"] = json!([{"uri": "s3://b/adapter"}])
    }),
    ("modelcar-off", |m, w| {
        uri(m, &format!("oci://registry.example/models/llama@{DIGEST}"));
        w.facts.modelcar = Some(false);
    }),
    ("oci-native-kubernetes", |_, w| {
        w.facts.kubernetes_version = "v1.32.9".into()
    }),
    ("oci-fetch-off", |m, w| {
        uri(
            m,
            &format!("oci+fetch://registry.example/models/llama@{DIGEST}"),
        );
        w.facts.oci_fetch = Some(false);
    }),
    ("oci-fetch-mixed", |m, _| {
        uri(
            m,
            &format!("oci+fetch://registry.example/models/llama@{DIGEST}"),
        );
        predictor(m)["storageUris"] = json!([{"uri": "s3://b/adapter"}]);
    }),
    ("oci-fetch-pull-secret", |m, _| {
        uri(
            m,
            &format!("oci+fetch://registry.example/models/llama@{DIGEST}"),
        );
        predictor(m)["imagePullSecrets"] = json!([{"name": "hugging-face"}, {"name": "registry"}]);
    }),
    ("artifact-not-served", |_, w| {
        w.artifact = Some(ArtifactKind::ModelPack)
    }),
    ("storage-not-pinned", |m, _| {
        uri(m, "oci+native://registry.example/models/llama:8b")
    }),
    ("image-not-pinned", |m, _| {
        predictor(m)["model"]["image"] = json!("vllm/vllm-openai:latest")
    }),
    ("runtime-image-not-pinned", |_, w| {
        w.runtimes[0].spec["containers"][0]["image"] = json!("vllm:0.11")
    }),
    ("name", |m, _| m["metadata"]["name"] = json!("Llama_3")),
    ("name-too-long", |m, _| {
        m["metadata"]["name"] = json!("a".repeat(49))
    }),
    ("namespace", |m, _| m["metadata"]["namespace"] = Value::Null),
    ("name-changed", |m, w| {
        w.live = Some(m.clone());
        m["metadata"]["name"] = json!("other");
    }),
    ("quantity", |m, _| amount(m, "memory", "32")),
    ("request-over-limit", |m, _| {
        predictor(m)["model"]["resources"]["limits"]["memory"] = json!("16Gi")
    }),
    ("gpu-request-not-limit", |m, _| {
        predictor(m)["model"]["resources"]["limits"]["nvidia.com/gpu"] = json!("2")
    }),
    ("gpu-not-whole", |m, _| amount(m, "nvidia.com/gpu", "500m")),
    ("requests-missing", |m, _| {
        predictor(m)["model"]["resources"] = json!({"limits": {"nvidia.com/gpu": "1"}})
    }),
    ("memory-limit-missing", |m, _| {
        predictor(m)["model"]["resources"]["limits"] = json!({"nvidia.com/gpu": "1"})
    }),
    ("gpus-more-than-any-node", |m, _| {
        amount(m, "nvidia.com/gpu", "16")
    }),
    ("fits-no-node", |m, _| amount(m, "memory", "600Gi")),
    ("gpu-taint-not-tolerated", |m, _| {
        predictor(m)["tolerations"] = json!([])
    }),
    ("node-selector-matches-none", |m, _| {
        predictor(m)["nodeSelector"]["nvidia.com/gpu.product"] = json!("NVIDIA-B200")
    }),
    ("affinity-matches-none", |m, _| {
        predictor(m)["affinity"] = required(
            json!([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]),
        )
    }),
    ("no-room-now", |m, _| amount(m, "nvidia.com/gpu", "8")),
    ("cpu-only-on-gpu-nodes", |m, _| {
        predictor(m)["nodeSelector"] = json!({});
        predictor(m)["model"]["resources"] =
            json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}});
    }),
    ("tensor-parallel-differs", |m, _| {
        predictor(m)["model"]["args"] = json!(["--tensor-parallel-size", "2"])
    }),
    ("container-name", |m, _| {
        predictor(m)["model"] = Value::Null;
        predictor(m)["containers"] = json!([{"name": "a", "image": format!("a@{DIGEST}")}, {"name": "b", "image": format!("b@{DIGEST}")}]);
    }),
    ("volume-missing", |m, _| {
        predictor(m)["model"]["volumeMounts"] = json!([{"name": "shm", "mountPath": "/dev/shm"}])
    }),
    ("privileged", |m, _| {
        predictor(m)["model"]["securityContext"] = json!({"privileged": true, "runAsUser": 0});
        predictor(m)["hostNetwork"] = json!(true);
        predictor(m)["volumes"] = json!([{"name": "v", "hostPath": {"path": "/"}}]);
    }),
    ("quota-exceeded", |m, w| {
        w.quotas[0]
            .hard
            .insert("requests.nvidia.com/gpu".into(), "2".into());
        predictor(m)["maxReplicas"] = json!(1);
    }),
    ("quota-exceeded-scaled-out", |m, w| {
        predictor(m)["maxReplicas"] = json!(2);
        w.quotas[0]
            .hard
            .insert("requests.nvidia.com/gpu".into(), "3".into());
    }),
    ("quota-needs-amount", |m, _| {
        predictor(m)["model"]["resources"]["limits"] = json!({"nvidia.com/gpu": "1"});
    }),
    ("limit-range-exceeded", |_, w| {
        w.limit_ranges.push(LimitRange {
            name: "bounds".into(),
            max: map(&[("memory", "16Gi"), ("ephemeral-storage", "10Gi")]),
            max_pod: map(&[("cpu", "2")]),
            ..LimitRange::default()
        });
    }),
    ("secret-in-env", |m, _| {
        predictor(m)["model"]["env"][0] = json!({"name": "NGC_API_KEY", "value": "abc"})
    }),
    ("secret-in-args", |m, _| {
        predictor(m)["model"]["args"] = json!(["--api-key", "abc"])
    }),
    ("secret-missing", |m, _| {
        predictor(m)["imagePullSecrets"][0]["name"] = json!("gone")
    }),
    ("env-name", |m, _| {
        predictor(m)["model"]["env"][0]["name"] = json!("1A")
    }),
    ("env-twice", |m, _| {
        predictor(m)["model"]["env"][1]["name"] = json!("MAX_TOKENS")
    }),
    ("env-not-text", |m, _| {
        predictor(m)["model"]["env"][0]["value"] = json!(512)
    }),
    ("args-not-text", |m, _| {
        predictor(m)["model"]["args"] = json!([8000])
    }),
    ("env-set-by-kserve", |m, _| {
        predictor(m)["model"]["env"][0]["name"] = json!("STORAGE_URI")
    }),
    ("trust-remote-code", |m, _| {
        predictor(m)["model"]["args"] = json!(["--trust-remote-code"])
    }),
    ("runtime-secret-missing", |_, w| {
        w.runtimes[0].spec["containers"][0]["env"] = json!([{"name": "NGC_API_KEY", "valueFrom": {"secretKeyRef": {"name": "ngc", "key": "key"}}}]);
    }),
    ("volume-claim-missing", |m, w| {
        uri(m, "pvc://models/llama");
        predictor(m)["volumes"] =
            json!([{"name": "cache", "persistentVolumeClaim": {"claimName": "models"}}]);
        w.absent.push((Referred::VolumeClaim, "models".into()));
    }),
    ("service-account-missing", |m, w| {
        predictor(m)["serviceAccountName"] = json!("s3");
        w.absent.push((Referred::ServiceAccount, "s3".into()));
    }),
];
