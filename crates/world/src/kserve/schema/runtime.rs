//! `ServingRuntime` and `ClusterServingRuntime` v1alpha1: the same
//! specification in two scopes, without a status.

use serde_json::{Value, json};

use super::definition::{Kind, Version, definition};
use super::dsl::*;
use super::{container, pod};

const COLUMNS: [(&str, &str, &str); 4] = [
    ("Disabled", "boolean", ".spec.disabled"),
    ("ModelType", "string", ".spec.supportedModelFormats[*].name"),
    ("Containers", "string", ".spec.containers[*].name"),
    ("Age", "date", ".metadata.creationTimestamp"),
];

/// The definition of `ServingRuntime`.
pub fn serving_runtime() -> Value {
    of("ServingRuntime", "servingruntimes", true)
}

/// The definition of `ClusterServingRuntime`.
pub fn cluster_serving_runtime() -> Value {
    of("ClusterServingRuntime", "clusterservingruntimes", false)
}

fn of(kind: &str, plural: &str, namespaced: bool) -> Value {
    definition(
        &Kind {
            kind,
            plural,
            short: &[],
            namespaced,
            columns: &COLUMNS,
        },
        vec![Version {
            name: "v1alpha1",
            storage: true,
            spec: spec(),
            status: None,
            spec_required: false,
        }],
    )
}

fn pod_part() -> Schema {
    object(&[
        ("affinity", pod::affinity()),
        ("annotations", map_of(string())),
        ("containers", list(container::container())),
        ("hostIPC", boolean()),
        ("imagePullSecrets", list(pod::pull_secret())),
        ("labels", map_of(string())),
        ("nodeSelector", map_of(string())),
        ("resourceClaims", pod::resource_claims()),
        ("schedulerName", string()),
        ("tolerations", list(pod::toleration())),
        ("volumes", list(pod::volume())),
    ])
}

fn spec() -> Schema {
    let format = required(
        object(&[
            ("autoSelect", boolean()),
            ("name", string()),
            ("priority", with(int32(), "minimum", json!(1))),
            ("version", string()),
        ]),
        &["name"],
    );
    let adapter = object(&[
        ("env", list(container::env_var())),
        ("memBufferBytes", integer()),
        ("modelLoadingTimeoutMillis", integer()),
        ("runtimeManagementPort", integer()),
        ("serverType", string()),
    ]);
    let worker = required(
        merged(&[
            pod_part(),
            object(&[
                ("pipelineParallelSize", integer()),
                ("tensorParallelSize", integer()),
            ]),
        ]),
        &["containers"],
    );
    required(
        merged(&[
            pod_part(),
            object(&[
                ("builtInAdapter", adapter),
                ("disabled", boolean()),
                ("grpcDataEndpoint", string()),
                ("grpcEndpoint", string()),
                ("httpDataEndpoint", string()),
                ("multiModel", boolean()),
                ("protocolVersions", list(string())),
                ("replicas", integer()),
                ("storageHelper", object(&[("disabled", boolean())])),
                ("supportedModelFormats", list(format)),
                ("workerSpec", worker),
            ]),
        ]),
        &["containers"],
    )
}
