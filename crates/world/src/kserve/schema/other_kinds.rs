//! The kinds that the console reads but this world does not run: only their
//! definitions are here, no controller acts on them.

use serde_json::{Value, json};

use super::definition::{Kind, Version, address, conditions, definition};
use super::dsl::*;
use super::{container, pod};

const READY: (&str, &str, &str) = (
    "Ready",
    "string",
    ".status.conditions[?(@.type=='Ready')].status",
);
const URL: (&str, &str, &str) = ("URL", "string", ".status.url");
const AGE: (&str, &str, &str) = ("Age", "date", ".metadata.creationTimestamp");

/// `ClusterStorageContainer` v1alpha1.
pub fn cluster_storage_container() -> Value {
    let format = object(&[("prefix", string()), ("regex", string())]);
    let spec = required(
        object(&[
            ("container", container::container()),
            ("supportedUriFormats", list(format)),
            (
                "workloadType",
                one_of(&["initContainer", "localModelDownloadJob"]),
            ),
        ]),
        &["container", "supportedUriFormats"],
    );
    definition(
        &Kind {
            kind: "ClusterStorageContainer",
            plural: "clusterstoragecontainers",
            short: &[],
            namespaced: false,
            columns: &[AGE],
        },
        vec![Version {
            name: "v1alpha1",
            storage: true,
            spec,
            status: None,
            spec_required: false,
        }],
    )
}

/// `LocalModelCache` v1alpha1.
pub fn local_model_cache() -> Value {
    let reference = object(&[("name", string()), ("namespace", string())]);
    let immutable = json!([{"rule": "self == oldSelf", "message": "StorageUri is immutable"}]);
    let spec = required(
        object(&[
            ("modelSize", int_or_string()),
            ("nodeGroups", with(list(string()), "minItems", json!(1))),
            ("serviceAccountName", string()),
            (
                "sourceModelUri",
                with(string(), "x-kubernetes-validations", immutable),
            ),
            (
                "storage",
                object(&[("key", string()), ("parameters", map_of(string()))]),
            ),
        ]),
        &["modelSize", "nodeGroups", "sourceModelUri"],
    );
    let node = one_of(&[
        "",
        "NodeNotReady",
        "NodeDownloadPending",
        "NodeDownloading",
        "NodeDownloaded",
        "NodeDownloadError",
    ]);
    let status = object(&[
        (
            "copies",
            object(&[
                ("available", integer()),
                ("failed", integer()),
                ("total", integer()),
            ]),
        ),
        ("inferenceServices", list(reference.clone())),
        ("llmInferenceServices", list(reference)),
        ("nodeStatus", map_of(node)),
    ]);
    definition(
        &Kind {
            kind: "LocalModelCache",
            plural: "localmodelcaches",
            short: &[],
            namespaced: false,
            columns: &[AGE],
        },
        vec![Version {
            name: "v1alpha1",
            storage: true,
            spec,
            status: Some(status),
            spec_required: false,
        }],
    )
}

/// `InferenceGraph` v1alpha1.
pub fn inference_graph() -> Value {
    let step = object(&[
        ("condition", string()),
        ("data", string()),
        ("dependency", one_of(&["Soft", "Hard"])),
        ("mapPredictionsToInstances", boolean()),
        ("name", string()),
        ("nodeName", string()),
        ("serviceName", string()),
        ("serviceUrl", string()),
        ("weight", int64()),
    ]);
    let router = required(
        object(&[
            (
                "routerType",
                one_of(&["Sequence", "Splitter", "Ensemble", "Switch"]),
            ),
            ("steps", list(step)),
        ]),
        &["routerType"],
    );
    let spec = required(
        object(&[
            ("affinity", pod::affinity()),
            ("maxReplicas", int32()),
            ("minReplicas", int32()),
            ("nodeName", string()),
            ("nodeSelector", map_of(string())),
            ("nodes", map_of(router)),
            ("resources", container::resources()),
            (
                "routerTimeouts",
                object(&[
                    ("serverIdle", int64()),
                    ("serverRead", int64()),
                    ("serverWrite", int64()),
                    ("serviceClient", int64()),
                ]),
            ),
            (
                "scaleMetric",
                one_of(&["cpu", "memory", "concurrency", "rps"]),
            ),
            ("scaleTarget", int32()),
            ("serviceAccountName", string()),
            ("timeout", int64()),
            ("tolerations", list(pod::toleration())),
        ]),
        &["nodes"],
    );
    let status = object(&[
        ("annotations", map_of(string())),
        ("conditions", conditions()),
        ("deploymentMode", string()),
        ("observedGeneration", int64()),
        ("url", string()),
    ]);
    definition(
        &Kind {
            kind: "InferenceGraph",
            plural: "inferencegraphs",
            short: &["ig"],
            namespaced: true,
            columns: &[URL, READY, AGE],
        },
        vec![Version {
            name: "v1alpha1",
            storage: true,
            spec,
            status: Some(status),
            spec_required: false,
        }],
    )
}

/// `TrainedModel` v1alpha1.
pub fn trained_model() -> Value {
    let model = required(
        object(&[
            ("framework", string()),
            ("memory", int_or_string()),
            ("storageUri", string()),
        ]),
        &["framework", "memory", "storageUri"],
    );
    let spec = required(
        object(&[("inferenceService", string()), ("model", model)]),
        &["inferenceService", "model"],
    );
    let status = object(&[
        ("address", address()),
        ("annotations", map_of(string())),
        ("conditions", conditions()),
        ("observedGeneration", int64()),
        ("url", string()),
    ]);
    definition(
        &Kind {
            kind: "TrainedModel",
            plural: "trainedmodels",
            short: &["tm"],
            namespaced: true,
            columns: &[URL, READY, AGE],
        },
        vec![Version {
            name: "v1alpha1",
            storage: true,
            spec,
            status: Some(status),
            spec_required: false,
        }],
    )
}

/// `LLMInferenceService` v1alpha1 and v1alpha2 (stored), in their outline:
/// the model, parallelism and router are declared, pod templates are kept as
/// they come.
pub fn llm_inference_service() -> Value {
    let parallelism = object(&[
        ("data", with(int32(), "minimum", json!(1))),
        ("dataLocal", with(int32(), "minimum", json!(1))),
        ("dataRPCPort", int32_between(1, 65_535)),
        ("expert", boolean()),
        ("pipeline", with(int32(), "minimum", json!(1))),
        ("tensor", with(int32(), "minimum", json!(1))),
    ]);
    let model = required(
        object(&[
            ("confidential", anything()),
            ("criticality", string()),
            ("lora", anything()),
            ("name", string()),
            ("uri", string()),
        ]),
        &["uri"],
    );
    let router = object(&[
        ("gateway", anything()),
        ("ingress", anything()),
        ("route", anything()),
        ("scheduler", anything()),
    ]);
    let spec = object(&[
        ("annotations", map_of(string())),
        ("baseRefs", list(object(&[("name", string())]))),
        ("kvCacheOffloading", anything()),
        ("labels", map_of(string())),
        ("model", model),
        ("parallelism", parallelism),
        ("prefill", anything()),
        ("replicas", with(int32(), "minimum", json!(0))),
        ("rolloutStrategy", anything()),
        ("router", router),
        ("scaling", anything()),
        ("storageInitializer", object(&[("enabled", boolean())])),
        ("template", anything()),
        ("tracing", anything()),
        ("worker", anything()),
    ]);
    let status = with(
        object(&[
            ("address", address()),
            ("addresses", list(address())),
            ("annotations", map_of(string())),
            ("conditions", conditions()),
            ("observedGeneration", int64()),
            ("router", anything()),
            ("url", string()),
        ]),
        "x-kubernetes-preserve-unknown-fields",
        json!(true),
    );
    let version = |name: &'static str, storage: bool| Version {
        name,
        storage,
        spec: spec.clone(),
        status: Some(status.clone()),
        spec_required: false,
    };
    definition(
        &Kind {
            kind: "LLMInferenceService",
            plural: "llminferenceservices",
            short: &["llmisvc"],
            namespaced: true,
            columns: &[
                URL,
                READY,
                (
                    "Reason",
                    "string",
                    ".status.conditions[?(@.type=='Ready')].reason",
                ),
                AGE,
            ],
        },
        vec![version("v1alpha1", false), version("v1alpha2", true)],
    )
}
