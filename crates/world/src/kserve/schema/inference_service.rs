//! `InferenceService` v1beta1.

use serde_json::{Value, json};

use super::definition::{Kind, Version, address, conditions, definition as frame};
use super::dsl::*;
use super::{container, pod};

/// The frameworks that a predictor can name directly; the defaulter turns
/// each into `model`.
const FRAMEWORKS: [&str; 10] = [
    "huggingface",
    "lightgbm",
    "onnx",
    "paddle",
    "pmml",
    "pytorch",
    "sklearn",
    "tensorflow",
    "triton",
    "xgboost",
];

/// The definition of the kind.
pub fn definition() -> Value {
    frame(
        &Kind {
            kind: "InferenceService",
            plural: "inferenceservices",
            short: &["isvc"],
            namespaced: true,
            columns: &[
                ("URL", "string", ".status.url"),
                (
                    "Ready",
                    "string",
                    ".status.conditions[?(@.type=='Ready')].status",
                ),
                (
                    "Prev",
                    "integer",
                    ".status.components.predictor.traffic[?(@.tag=='prev')].percent",
                ),
                (
                    "Latest",
                    "integer",
                    ".status.components.predictor.traffic[?(@.latestRevision==true)].percent",
                ),
                (
                    "PrevRolledoutRevision",
                    "string",
                    ".status.components.predictor.traffic[?(@.tag=='prev')].revisionName",
                ),
                (
                    "LatestReadyRevision",
                    "string",
                    ".status.components.predictor.traffic[?(@.latestRevision==true)].revisionName",
                ),
                ("Age", "date", ".metadata.creationTimestamp"),
            ],
        },
        vec![Version {
            name: "v1beta1",
            storage: true,
            spec: spec(),
            status: Some(status()),
            spec_required: false,
        }],
    )
}

fn spec() -> Schema {
    let canary = required(
        object(&[
            ("predictor", predictor(true)),
            ("trafficPercent", int32_between(0, 100)),
        ]),
        &["predictor", "trafficPercent"],
    );
    required(
        object(&[
            ("canary", atomic(canary)),
            ("explainer", explainer()),
            ("predictor", predictor(false)),
            ("transformer", merged(&[component(), pod::pod_spec()])),
        ]),
        &["predictor"],
    )
}

/// The fields of a component beside its pod (`ComponentExtensionSpec`).
fn component() -> Schema {
    let storage_uri = required(
        object(&[
            (
                "mountPath",
                with(string_or("/mnt/models"), "maxLength", json!(255)),
            ),
            ("uri", string()),
        ]),
        &["uri"],
    );
    object(&[
        ("annotations", map_of(string())),
        ("autoScaling", auto_scaling()),
        (
            "batcher",
            object(&[
                ("maxBatchSize", integer()),
                ("maxLatency", integer()),
                ("timeout", integer()),
            ]),
        ),
        ("canaryTrafficPercent", int64()),
        ("containerConcurrency", int64()),
        (
            "deploymentStrategy",
            object(&[
                (
                    "rollingUpdate",
                    object(&[
                        ("maxSurge", int_or_string()),
                        ("maxUnavailable", int_or_string()),
                    ]),
                ),
                ("type", string()),
            ]),
        ),
        ("labels", map_of(string())),
        ("logger", logger()),
        ("maxReplicas", int32()),
        ("minReplicas", int32()),
        (
            "scaleMetric",
            one_of(&["cpu", "memory", "concurrency", "rps"]),
        ),
        (
            "scaleMetricType",
            one_of(&["Utilization", "Value", "AverageValue"]),
        ),
        ("scaleTarget", int32()),
        (
            "storageUris",
            with(atomic(storage_uri), "minItems", json!(1)),
        ),
        ("timeout", int64()),
    ])
}

fn logger() -> Schema {
    let storage = object(&[
        ("key", string()),
        ("parameters", map_of(string())),
        ("path", string()),
        ("serviceAccountName", string()),
    ]);
    object(&[
        ("batchInterval", string()),
        ("batchSize", integer()),
        ("marshallerUrl", string()),
        ("metadataAnnotations", list(string())),
        ("metadataHeaders", list(string())),
        ("mode", one_of(&["all", "request", "response"])),
        ("storage", storage),
        ("url", string()),
    ])
}

fn auto_scaling() -> Schema {
    let policy = required(
        object(&[
            ("periodSeconds", int32()),
            ("type", string()),
            ("value", int32()),
        ]),
        &["periodSeconds", "type", "value"],
    );
    let rules = object(&[
        ("policies", atomic(policy)),
        ("selectPolicy", string()),
        ("stabilizationWindowSeconds", int32()),
        ("tolerance", int_or_string()),
    ]);
    let target = object(&[
        ("averageUtilization", int32()),
        ("averageValue", int_or_string()),
        ("type", one_of(&["Utilization", "Value", "AverageValue"])),
        ("value", int_or_string()),
    ]);
    let authentication = required(
        object(&[
            ("authModes", string()),
            (
                "authenticationRef",
                required(object(&[("name", string())]), &["name"]),
            ),
        ]),
        &["authenticationRef"],
    );
    let external = required(
        object(&[
            ("authenticationRef", authentication),
            (
                "metric",
                object(&[
                    ("backend", one_of(&["prometheus", "graphite"])),
                    ("namespace", string()),
                    ("query", string()),
                    ("serverAddress", string()),
                ]),
            ),
            ("target", target.clone()),
        ]),
        &["metric", "target"],
    );
    let pod_metric = required(
        object(&[
            (
                "metric",
                object(&[
                    ("backend", one_of(&["opentelemetry"])),
                    ("metricNames", list(string())),
                    ("operationOverTime", string()),
                    ("query", string()),
                    ("serverAddress", string()),
                ]),
            ),
            ("target", target.clone()),
        ]),
        &["metric", "target"],
    );
    let resource = required(
        object(&[("name", one_of(&["cpu", "memory"])), ("target", target)]),
        &["name", "target"],
    );
    let metric = required(
        object(&[
            ("external", external),
            ("podmetric", pod_metric),
            ("resource", resource),
            ("type", one_of(&["Resource", "External", "PodMetric"])),
        ]),
        &["type"],
    );
    object(&[
        (
            "behavior",
            object(&[("scaleDown", rules.clone()), ("scaleUp", rules)]),
        ),
        ("metrics", list(metric)),
    ])
}

/// A container with where its model comes from (`PredictorExtensionSpec`).
fn framework() -> Schema {
    let storage = object(&[
        ("key", string()),
        ("parameters", map_of(string())),
        ("path", string()),
        ("schemaPath", string()),
    ]);
    let confidential = required(
        object(&[("enabled", boolean()), ("resourceId", string())]),
        &["enabled"],
    );
    merged(&[
        container::container_fields(),
        object(&[
            ("confidential", confidential),
            ("protocolVersion", string()),
            ("runtimeVersion", string()),
            ("storage", storage),
            ("storageUri", string()),
        ]),
    ])
}

fn model(name_required: bool) -> Schema {
    let format = required(
        object(&[("name", string()), ("version", string())]),
        &["name"],
    );
    let schema = merged(&[
        framework(),
        object(&[("modelFormat", format), ("runtime", string())]),
    ]);
    if name_required {
        required(schema, &["modelFormat", "name"])
    } else {
        schema
    }
}

fn predictor(canary: bool) -> Schema {
    let worker = merged(&[
        pod::pod_spec(),
        object(&[
            ("pipelineParallelSize", integer()),
            ("tensorParallelSize", integer()),
        ]),
    ]);
    let mut own = vec![
        ("model", model(canary)),
        ("name", string()),
        ("storageContainerName", string()),
        ("workerSpec", worker),
    ];
    for name in FRAMEWORKS {
        own.push((name, framework()));
    }
    merged(&[component(), pod::pod_spec(), object(&own)])
}

fn explainer() -> Schema {
    let art = merged(&[
        framework(),
        object(&[("config", map_of(string())), ("type", string())]),
    ]);
    merged(&[component(), pod::pod_spec(), object(&[("art", art)])])
}

fn model_status() -> Schema {
    let states = [
        "",
        "Pending",
        "Standby",
        "Loading",
        "Loaded",
        "FailedToLoad",
    ];
    let failure = object(&[
        ("exitCode", int32()),
        ("location", string()),
        ("message", string()),
        ("modelRevisionName", string()),
        (
            "reason",
            one_of(&[
                "ModelLoadFailed",
                "RuntimeUnhealthy",
                "RuntimeDisabled",
                "NoSupportingRuntime",
                "RuntimeNotRecognized",
                "InvalidPredictorSpec",
            ]),
        ),
        ("time", with(string(), "format", json!("date-time"))),
    ]);
    required(
        object(&[
            (
                "copies",
                required(
                    object(&[
                        ("failedCopies", with(integer(), "default", json!(0))),
                        ("totalCopies", integer()),
                    ]),
                    &["failedCopies"],
                ),
            ),
            ("lastFailureInfo", failure),
            (
                "states",
                required(
                    object(&[
                        (
                            "activeModelState",
                            with(one_of(&states), "default", json!("Pending")),
                        ),
                        (
                            "targetModelState",
                            with(one_of(&states), "default", json!("")),
                        ),
                    ]),
                    &["activeModelState"],
                ),
            ),
            (
                "transitionStatus",
                with(
                    one_of(&[
                        "",
                        "UpToDate",
                        "InProgress",
                        "BlockedByFailedLoad",
                        "InvalidSpec",
                    ]),
                    "default",
                    json!("UpToDate"),
                ),
            ),
        ]),
        &["transitionStatus"],
    )
}

fn status() -> Schema {
    let traffic = object(&[
        ("configurationName", string()),
        ("latestRevision", boolean()),
        ("percent", int64()),
        ("revisionName", string()),
        ("tag", string()),
        ("url", string()),
    ]);
    let component = object(&[
        ("address", address()),
        ("grpcUrl", string()),
        ("latestCreatedRevision", string()),
        ("latestReadyRevision", string()),
        ("latestRolledoutRevision", string()),
        ("previousRolledoutRevision", string()),
        ("restUrl", string()),
        ("traffic", list(traffic)),
        ("url", string()),
    ]);
    let canary = required(
        object(&[
            ("modelStatus", model_status()),
            ("name", string()),
            ("ready", boolean()),
            ("trafficPercent", int32()),
        ]),
        &["name", "ready", "trafficPercent"],
    );
    with(
        object(&[
            ("address", address()),
            ("annotations", map_of(string())),
            ("canaryStatuses", atomic(canary)),
            ("clusterServingRuntimeName", string()),
            ("components", map_of(component)),
            ("conditions", conditions()),
            ("deploymentMode", string()),
            ("modelStatus", model_status()),
            ("observedGeneration", int64()),
            ("servingRuntimeName", string()),
            ("url", string()),
        ]),
        "x-kubernetes-preserve-unknown-fields",
        json!(true),
    )
}
