//! The objects that KServe makes of an InferenceService in Standard mode. All
//! of it is pure: objects in, objects out.

use serde_json::{Map, Value, json};

use super::isvc::{self, OWNER_LABEL, SOURCE_URI, host, meta, predictor_name, without};
use super::select::Selected;
use super::settings::Settings;

const CONTAINER: &str = "kserve-container";
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// The objects of one predictor, stable or canary.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Name of each of the objects.
    pub name: String,
    pub deployment: Value,
    pub service: Value,
    /// HorizontalPodAutoscaler, or KEDA's ScaledObject.
    pub autoscaler: Option<Value>,
}

/// A canary's place in the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub service: String,
    pub percent: i64,
}

/// The reference by which children are collected with their owner.
pub fn owner(isvc: &Value) -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": meta(isvc, "name"),
        "uid": meta(isvc, "uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The stable predictor's workload.
pub fn stable(isvc: &Value, runtime: Option<&Selected>, settings: &Settings) -> Workload {
    workload(isvc, &isvc["spec"]["predictor"], runtime, settings, None)
}

/// A canary's workload. Its autoscaler never exceeds its own minimum.
pub fn canary(
    isvc: &Value,
    entry: &Value,
    runtime: Option<&Selected>,
    settings: &Settings,
) -> Workload {
    let stable_min = isvc["spec"]["predictor"]["minReplicas"]
        .as_i64()
        .unwrap_or(1);
    let percent = entry["trafficPercent"].as_i64().unwrap_or(0);
    let replicas = entry["predictor"]["minReplicas"]
        .as_i64()
        .unwrap_or_else(|| (stable_min * percent + 99) / 100)
        .max(1);
    workload(isvc, &entry["predictor"], runtime, settings, Some(replicas))
}

fn workload(
    isvc: &Value,
    predictor: &Value,
    runtime: Option<&Selected>,
    settings: &Settings,
    fixed_replicas: Option<i64>,
) -> Workload {
    let isvc_name = meta(isvc, "name");
    let name = predictor_name(isvc_name, predictor);
    let annotations = annotations(isvc, predictor, runtime, settings);
    let labels = labels(isvc, predictor, runtime, &name, settings);
    let metadata = json!({
        "name": name,
        "namespace": meta(isvc, "namespace"),
        "annotations": annotations,
        "labels": labels,
        "ownerReferences": [owner(isvc)],
    });
    let mut deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": {"app": format!("isvc.{name}")}},
            "progressDeadlineSeconds": 600,
            "strategy": strategy(predictor),
            "template": {
                "metadata": {
                    "name": name,
                    "namespace": meta(isvc, "namespace"),
                    "annotations": annotations,
                    "labels": labels,
                },
                "spec": pod_spec(isvc, predictor, runtime),
            },
        },
    });
    // With an autoscaler of its own the number of replicas is not KServe's.
    if matches!(isvc::autoscaler(isvc), "none" | "external") {
        let minimum = fixed_replicas.or(predictor["minReplicas"].as_i64());
        deployment["spec"]["replicas"] = json!(minimum.unwrap_or(1));
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": format!("isvc.{name}")},
            "ports": [{
                "name": name,
                "port": 80,
                "protocol": "TCP",
                "targetPort": port(predictor, runtime),
            }],
        },
    });
    let autoscaler = match isvc::autoscaler(isvc) {
        "hpa" => Some(hpa(&metadata, predictor, fixed_replicas)),
        "keda" => Some(scaled_object(&metadata, predictor, fixed_replicas)),
        _ => None,
    };
    Workload {
        name,
        deployment,
        service,
        autoscaler,
    }
}

fn extend(target: &mut Map<String, Value>, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        target.insert(key.clone(), value.clone());
    }
}

fn annotations(
    isvc: &Value,
    predictor: &Value,
    runtime: Option<&Selected>,
    settings: &Settings,
) -> Value {
    let mut result = Map::new();
    if let Some(runtime) = runtime {
        extend(&mut result, &runtime.spec["annotations"]);
    }
    result.extend(without(
        &isvc["metadata"]["annotations"],
        &settings.annotations_kept_back,
    ));
    extend(&mut result, &predictor["annotations"]);
    if let Some(uri) = predictor["model"]["storageUri"].as_str() {
        result.insert(SOURCE_URI.into(), json!(uri));
    }
    Value::Object(result)
}

fn labels(
    isvc: &Value,
    predictor: &Value,
    runtime: Option<&Selected>,
    name: &str,
    settings: &Settings,
) -> Value {
    let mut result = Map::new();
    if let Some(runtime) = runtime {
        extend(&mut result, &runtime.spec["labels"]);
    }
    result.extend(without(
        &isvc["metadata"]["labels"],
        &settings.labels_kept_back,
    ));
    extend(&mut result, &predictor["labels"]);
    result.insert("app".into(), json!(format!("isvc.{name}")));
    result.insert("component".into(), json!("predictor"));
    result.insert(OWNER_LABEL.into(), json!(meta(isvc, "name")));
    Value::Object(result)
}

fn strategy(predictor: &Value) -> Value {
    let given = &predictor["deploymentStrategy"];
    if given.is_object() {
        given.clone()
    } else {
        json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        })
    }
}

/// Fields of a component that belong to KServe and not to its pod.
const NOT_OF_THE_POD: [&str; 31] = [
    "annotations",
    "autoScaling",
    "batcher",
    "canaryTrafficPercent",
    "containerConcurrency",
    "containers",
    "deploymentStrategy",
    "huggingface",
    "labels",
    "lightgbm",
    "logger",
    "maxReplicas",
    "minReplicas",
    "model",
    "name",
    "onnx",
    "paddle",
    "pmml",
    "pytorch",
    "scaleMetric",
    "scaleMetricType",
    "scaleTarget",
    "sklearn",
    "storageContainerName",
    "storageUris",
    "tensorflow",
    "timeout",
    "triton",
    "workerSpec",
    "xgboost",
    "volumes",
];

fn pod_spec(isvc: &Value, predictor: &Value, runtime: Option<&Selected>) -> Value {
    let mut spec = Map::new();
    let mut volumes: Vec<Value> = Vec::new();
    let mut containers: Vec<Value> = Vec::new();
    if let Some(runtime) = runtime {
        for key in [
            "affinity",
            "hostIPC",
            "imagePullSecrets",
            "nodeSelector",
            "resourceClaims",
            "schedulerName",
            "tolerations",
        ] {
            if let Some(value) = runtime.spec.get(key) {
                spec.insert(key.into(), value.clone());
            }
        }
        volumes.extend(array(&runtime.spec["volumes"]));
        containers.extend(array(&runtime.spec["containers"]));
    }
    for (key, value) in predictor.as_object().into_iter().flatten() {
        if !NOT_OF_THE_POD.contains(&key.as_str()) {
            spec.insert(key.clone(), value.clone());
        }
    }
    volumes = merged_by_name(volumes, array(&predictor["volumes"]));
    if predictor["model"].is_object() {
        let served = containers
            .iter()
            .position(|container| container["name"] == CONTAINER);
        match served {
            Some(index) => {
                containers[index] = container_with_model(&containers[index], &predictor["model"]);
            }
            None => containers.push(container_with_model(
                &json!({"name": CONTAINER}),
                &predictor["model"],
            )),
        }
        containers = merged_by_name(containers, array(&predictor["containers"]));
    } else {
        containers = array(&predictor["containers"]);
        if containers.len() == 1 {
            containers[0]["name"] = json!(CONTAINER);
        }
    }
    for container in &mut containers {
        if container["name"] == CONTAINER {
            let own = json!([{"name": "INFERENCE_SERVICE_NAME", "value": meta(isvc, "name")}]);
            let env = merged_by_name(array(&container["env"]), array(&own));
            container["env"] = Value::Array(env);
        }
    }
    spec.insert("containers".into(), Value::Array(containers));
    if !volumes.is_empty() {
        spec.insert("volumes".into(), Value::Array(volumes));
    }
    fill_in(Value::Object(spec), isvc)
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn merged_by_name(mut base: Vec<Value>, more: Vec<Value>) -> Vec<Value> {
    for entry in more {
        match base.iter().position(|known| known["name"] == entry["name"]) {
            Some(index) => base[index] = entry,
            None => base.push(entry),
        }
    }
    base
}

/// The runtime's container with what the model says about it: arguments are
/// added, environment and mounts merged, everything else replaced.
fn container_with_model(container: &Value, model: &Value) -> Value {
    let mut result = container.clone();
    for (key, value) in model.as_object().into_iter().flatten() {
        match key.as_str() {
            "name" | "modelFormat" | "runtime" | "runtimeVersion" | "storageUri" | "storage"
            | "protocolVersion" | "confidential" => {}
            "args" => {
                let mut args = array(&result["args"]);
                args.extend(array(value));
                result["args"] = Value::Array(args);
            }
            "env" | "ports" => {
                result[key] = Value::Array(merged_by_name(array(&result[key]), array(value)));
            }
            "volumeMounts" => {
                let mut mounts = array(&result[key]);
                mounts.retain(|known| {
                    !array(value)
                        .iter()
                        .any(|new| new["mountPath"] == known["mountPath"])
                });
                mounts.extend(array(value));
                result[key] = Value::Array(mounts);
            }
            "resources" => {
                for part in ["limits", "requests", "claims"] {
                    if let Some(entries) = value.get(part) {
                        let mut all = result["resources"][part]
                            .as_object()
                            .cloned()
                            .unwrap_or_default();
                        if entries.is_object() {
                            extend(&mut all, entries);
                            result["resources"][part] = Value::Object(all);
                        } else {
                            result["resources"][part] = entries.clone();
                        }
                    }
                }
            }
            _ => result[key] = value.clone(),
        }
    }
    if let (Some(version), Some(image)) =
        (model["runtimeVersion"].as_str(), result["image"].as_str())
    {
        let repository = image.split('@').next().unwrap_or(image);
        let end = repository
            .rfind(':')
            .filter(|colon| !repository[*colon..].contains('/'));
        result["image"] = json!(format!(
            "{}:{version}",
            &repository[..end.unwrap_or(repository.len())]
        ));
    }
    result
}

/// Fills in what a runtime leaves open: `{{.Name}}`, `{{.Namespace}}`,
/// `{{.Labels.x}}`, `{{.Annotations.x}}`.
fn fill_in(value: Value, isvc: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("{{") => Value::String(fill_in_text(&text, isvc)),
        Value::Array(items) => items.into_iter().map(|item| fill_in(item, isvc)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, item)| (key, fill_in(item, isvc)))
            .collect(),
        other => other,
    }
}

fn fill_in_text(text: &str, isvc: &Value) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else {
            break;
        };
        result.push_str(&rest[..start]);
        let placeholder = rest[start + 2..start + length].trim();
        let value = match placeholder {
            ".Name" => meta(isvc, "name"),
            ".Namespace" => meta(isvc, "namespace"),
            other => {
                let lookup = |prefix: &str, field: &str| {
                    let key = other.strip_prefix(prefix)?;
                    isvc["metadata"][field].get(key)?.as_str()
                };
                lookup(".Labels.", "labels")
                    .or_else(|| lookup(".Annotations.", "annotations"))
                    .unwrap_or_default()
            }
        };
        result.push_str(value);
        rest = &rest[start + length + 2..];
    }
    result.push_str(rest);
    result
}

fn port(predictor: &Value, runtime: Option<&Selected>) -> i64 {
    let first_port = |container: &Value| container["ports"][0]["containerPort"].as_i64();
    let of_model = first_port(&predictor["model"]);
    let of_container = first_port(&predictor["containers"][0]);
    let of_runtime = runtime.and_then(|runtime| first_port(&runtime.spec["containers"][0]));
    of_model.or(of_container).or(of_runtime).unwrap_or(8080)
}

fn hpa(metadata: &Value, predictor: &Value, fixed: Option<i64>) -> Value {
    // Standard mode cannot scale to zero: KServe raises the minimum.
    let minimum = fixed
        .or(predictor["minReplicas"].as_i64())
        .unwrap_or(1)
        .max(1);
    let maximum = match fixed {
        Some(replicas) => replicas,
        None => predictor["maxReplicas"].as_i64().unwrap_or(1).max(minimum),
    };
    let mut spec = json!({
        "minReplicas": minimum,
        "maxReplicas": maximum,
        "metrics": metrics(predictor),
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": metadata["name"],
        },
    });
    let behavior = &predictor["autoScaling"]["behavior"];
    if behavior.is_object() {
        spec["behavior"] = behavior.clone();
    }
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": spec,
    })
}

fn metrics(predictor: &Value) -> Value {
    let resource = |name: &str, target: Value| json!({"type": "Resource", "resource": {"name": name, "target": target}});
    let given: Vec<Value> = array(&predictor["autoScaling"]["metrics"])
        .iter()
        .filter(|metric| metric["type"] == "Resource")
        .map(|metric| {
            let name = metric["resource"]["name"].as_str().unwrap_or("cpu");
            resource(name, metric["resource"]["target"].clone())
        })
        .collect();
    if !given.is_empty() {
        return Value::Array(given);
    }
    let target = predictor["scaleTarget"].as_i64().unwrap_or(80);
    let utilization = json!({"type": "Utilization", "averageUtilization": target});
    match predictor["scaleMetric"].as_str() {
        Some("memory") => json!([resource("memory", utilization)]),
        _ => json!([resource("cpu", utilization)]),
    }
}

fn scaled_object(metadata: &Value, predictor: &Value, fixed: Option<i64>) -> Value {
    let minimum = fixed.or(predictor["minReplicas"].as_i64()).unwrap_or(1);
    let maximum = predictor["maxReplicas"].as_i64().unwrap_or(1).max(minimum);
    let triggers: Vec<Value> = array(&predictor["autoScaling"]["metrics"])
        .iter()
        .map(|metric| match metric["type"].as_str() {
            Some("External") => json!({
                "type": metric["external"]["metric"]["backend"],
                "metadata": {
                    "serverAddress": metric["external"]["metric"]["serverAddress"],
                    "query": metric["external"]["metric"]["query"],
                    "threshold": metric["external"]["target"]["value"].to_string().trim_matches('"'),
                },
            }),
            _ => json!({
                "type": metric["resource"]["name"],
                "metricType": "Utilization",
                "metadata": {"value": metric["resource"]["target"]["averageUtilization"].to_string()},
            }),
        })
        .collect();
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"name": metadata["name"]},
            "minReplicaCount": minimum,
            "maxReplicaCount": maximum,
            "triggers": triggers,
        },
    })
}

/// The HTTPRoutes `{isvc}` and `{isvc}-predictor`. `ready` holds the canaries
/// that may get traffic; with canaries in the specification but none ready the
/// stable predictor has the weight 100, without canaries no weight is set.
pub fn routes(isvc: &Value, stable: &str, ready: &[Share], settings: &Settings) -> Vec<Value> {
    let name = meta(isvc, "name");
    let namespace = meta(isvc, "namespace");
    let backend = |service: &str, weight: Option<i64>| {
        let mut reference = json!({
            "group": "",
            "kind": "Service",
            "name": service,
            "namespace": namespace,
            "port": 80,
        });
        if let Some(weight) = weight {
            reference["weight"] = json!(weight);
        }
        reference
    };
    let mut backends = Vec::new();
    if isvc::canaries(isvc).is_empty() {
        backends.push(backend(stable, None));
    } else {
        let given: i64 = ready.iter().map(|share| share.percent).sum();
        backends.push(backend(stable, Some((100 - given).max(0))));
        backends.extend(
            ready
                .iter()
                .map(|share| backend(&share.service, Some(share.percent))),
        );
    }
    let annotations = without(
        &isvc["metadata"]["annotations"],
        &settings.annotations_kept_back,
    );
    let timeout = isvc["spec"]["predictor"]["timeout"].as_i64().unwrap_or(60);
    [name.to_owned(), format!("{name}-predictor")]
        .into_iter()
        .map(|route| {
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {
                    "name": route,
                    "namespace": namespace,
                    "annotations": annotations,
                    "ownerReferences": [owner(isvc)],
                },
                "spec": {
                    "hostnames": [host(&route, namespace, settings)],
                    "parentRefs": [{
                        "group": GATEWAY_GROUP,
                        "kind": "Gateway",
                        "namespace": settings.gateway.0,
                        "name": settings.gateway.1,
                    }],
                    "rules": [{
                        "backendRefs": backends,
                        "filters": [{
                            "type": "RequestHeaderModifier",
                            "requestHeaderModifier": {"set": [
                                {"name": "KServe-Isvc-Name", "value": name},
                                {"name": "KServe-Isvc-Namespace", "value": namespace},
                            ]},
                        }],
                        "matches": [{"path": {"type": "RegularExpression", "value": "^/.*$"}}],
                        "timeouts": {"request": format!("{timeout}s")},
                    }],
                },
            })
        })
        .collect()
}

/// The Ingress that stands in for the routes where the Gateway API is off. It
/// knows no weights: canaries get no traffic.
pub fn ingress(isvc: &Value, stable: &str, settings: &Settings) -> Value {
    let name = meta(isvc, "name");
    let namespace = meta(isvc, "namespace");
    let rule = |route: &str| {
        json!({
            "host": host(route, namespace, settings),
            "http": {"paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": {"service": {"name": stable, "port": {"number": 80}}},
            }]},
        })
    };
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "ownerReferences": [owner(isvc)],
        },
        "spec": {
            "ingressClassName": settings.ingress_class,
            "rules": [rule(name), rule(&format!("{name}-predictor"))],
        },
    })
}
