//! The pod of a predictor: the runtime's, with what the InferenceService says
//! about it laid over. Pure.

use serde_json::{Map, Value, json};

use super::isvc::meta;
use super::select::Selected;

const CONTAINER: &str = "kserve-container";

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

/// The specification of the pod template.
pub fn pod_spec(isvc: &Value, predictor: &Value, runtime: Option<&Selected>) -> Value {
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
        if NOT_OF_THE_POD.contains(&key.as_str()) || *value == json!([]) {
            continue;
        }
        // A strategic merge: maps key by key, lists replaced.
        match spec.get_mut(key).and_then(Value::as_object_mut) {
            Some(known) if key == "nodeSelector" => extend(known, value),
            _ => drop(spec.insert(key.clone(), value.clone())),
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

/// The entries of a list, none where there is no list.
pub fn array(value: &Value) -> Vec<Value> {
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

/// Lays the entries of one object over another's.
pub fn extend(target: &mut Map<String, Value>, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        target.insert(key.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kserve::select::{Catalogue, select};

    #[test]
    fn the_runtimes_scheduling_fields_are_kept_where_the_predictor_says_nothing_else() {
        let runtime = json!({"metadata": {"name": "r"}, "spec": {
            "supportedModelFormats": [{"name": "vLLM", "autoSelect": true}],
            "nodeSelector": {"pool": "gpus", "zone": "a"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [{"name": CONTAINER}]}});
        let predictor = json!({
            "model": {"modelFormat": {"name": "vLLM"}},
            "nodeSelector": {"zone": "b"}, "tolerations": []});
        let catalogue = Catalogue {
            namespaced: vec![runtime],
            cluster: vec![],
        };
        let selected = select(&predictor, &catalogue).unwrap();
        let pod = pod_spec(&json!({}), &predictor, Some(&selected));
        assert_eq!(pod["nodeSelector"], json!({"pool": "gpus", "zone": "b"}));
        assert_eq!(pod["tolerations"][0]["key"], "nvidia.com/gpu");
    }
}
