//! Reading an InferenceService: the few questions that webhooks and
//! controller both ask.

use serde_json::{Map, Value};

use super::settings::{Settings, canonical_mode};

/// Annotation keys under `serving.kserve.io/`.
pub const DEPLOYMENT_MODE: &str = "serving.kserve.io/deploymentMode";
/// `hpa`, `external`, `keda` or `none`.
pub const AUTOSCALER_CLASS: &str = "serving.kserve.io/autoscalerClass";
/// `"true"` takes the service down without deleting it.
pub const STOP: &str = "serving.kserve.io/stop";
/// Where the pods' webhook finds the model's address.
pub const SOURCE_URI: &str = "internal.serving.kserve.io/storage-initializer-sourceuri";
/// Label of every child that belongs to an InferenceService.
pub const OWNER_LABEL: &str = "serving.kserve.io/inferenceservice";
/// The finalizer that the controller puts on.
pub const FINALIZER: &str = "inferenceservice.finalizers";
/// The world's own: pods of a service that carries it crash with this message
/// once the model has been loaded. Not KServe's.
pub const CRASH: &str = "world.gatehouse.dev/crash";
/// The same as an environment variable of the model's container.
pub const CRASH_ENV: &str = "WORLD_GATEHOUSE_CRASH";

/// An annotation's value.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"].get(key)?.as_str()
}

/// A string field of `metadata`, empty where absent.
pub fn meta<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// The deployment mode that applies: the status', else the annotation's, else
/// the default. A mode that KServe does not know counts as none.
pub fn deployment_mode(isvc: &Value, settings: &Settings) -> String {
    let known = |mode: &str| matches!(mode, "Standard" | "Knative" | "ModelMesh");
    [
        isvc["status"]["deploymentMode"].as_str(),
        annotation(isvc, DEPLOYMENT_MODE),
    ]
    .into_iter()
    .flatten()
    .map(canonical_mode)
    .find(|mode| known(mode))
    .unwrap_or(&settings.default_mode)
    .to_owned()
}

/// Whether the service is told to stop.
pub fn stopped(isvc: &Value) -> bool {
    annotation(isvc, STOP).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The autoscaler class, `hpa` where none is named.
pub fn autoscaler(isvc: &Value) -> &str {
    annotation(isvc, AUTOSCALER_CLASS).unwrap_or("hpa")
}

/// The name of a predictor's Deployment, Service and autoscaler.
pub fn predictor_name(isvc: &str, predictor: &Value) -> String {
    match predictor["name"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => format!("{isvc}-{name}-predictor"),
        None => format!("{isvc}-predictor"),
    }
}

/// The entries of `spec.canary`.
pub fn canaries(isvc: &Value) -> &[Value] {
    isvc["spec"]["canary"].as_array().map_or(&[], Vec::as_slice)
}

/// The host under which a name is reached from outside.
pub fn host(name: &str, namespace: &str, settings: &Settings) -> String {
    format!("{name}-{namespace}.{}", settings.domain)
}

/// A JSON object's entries without some keys.
pub fn without(map: &Value, keys: &[String]) -> Map<String, Value> {
    map.as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !keys.contains(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
