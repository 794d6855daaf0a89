//! The objects that KServe makes of an InferenceService in Standard mode. All
//! of it is pure: objects in, objects out.

use serde_json::{Map, Value, json};

use super::isvc::{self, OWNER_LABEL, SOURCE_URI, meta, predictor_name, without};
use super::pod_template::{array, extend, pod_spec};
use super::select::Selected;
use super::settings::Settings;

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
