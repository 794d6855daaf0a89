//! The parts of an InferenceService and how each is read.

use super::{MAIN_CONTAINER, Mode};
use crate::{observed::Condition, quantity::Quantity, time::Micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A model format, as written: KServe compares with case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub name: String,
    pub version: Option<String>,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.version {
            Some(v) => write!(f, "{} {v}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// An environment variable and where its value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvVar<'a> {
    pub name: &'a str,
    pub source: EnvSource<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvSource<'a> {
    Value(&'a str),
    Secret {
        name: &'a str,
        key: &'a str,
    },
    /// A config map, a field of the pod, or a form that the API server will refuse.
    Other,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// Empty with `Exists`: every taint.
    pub key: String,
    /// `Exists` or `Equal` (the default)
    pub operator: String,
    pub value: String,
    /// Empty: every effect.
    pub effect: String,
}

impl Toleration {
    pub fn tolerates(&self, taint: &crate::observed::Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && match self.operator.as_str() {
                "Exists" => self.key.is_empty() || self.key == taint.key,
                _ => self.key == taint.key && self.value == taint.value,
            }
    }
}

/// One entry of `spec.canary` (KServe ≥ 0.20, Standard mode).
#[derive(Clone, Copy, Debug)]
pub struct Canary<'a> {
    pub name: &'a str,
    /// The wish, in percent; what is real stands in the HTTPRoute.
    pub traffic_percent: Option<i64>,
    pub predictor: &'a Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryStatus {
    pub name: String,
    pub ready: bool,
    /// The wish again, also while nothing is sent there.
    pub traffic_percent: i64,
}

/// One entry of `status.components.predictor.traffic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub revision: String,
    /// In percent.
    pub percent: i64,
    /// It follows the latest revision that is ready.
    pub latest: bool,
    /// `prev` for the one before, `latest`, or none.
    pub tag: Option<String>,
}

/// `status.modelStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// `UpToDate`, `InProgress`, `BlockedByFailedLoad`, `InvalidSpec`, or empty
    pub transition: String,
    /// `Pending`, `Standby`, `Loading`, `Loaded`, `FailedToLoad`, or empty
    pub active: String,
    pub target: String,
    pub failed_copies: i64,
    pub total_copies: Option<i64>,
    pub failure: Option<Failure>,
}

/// `lastFailureInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `ModelLoadFailed`, `RuntimeUnhealthy`, `RuntimeDisabled`, `NoSupportingRuntime`,
    /// `RuntimeNotRecognized`, `InvalidPredictorSpec`
    pub reason: String,
    pub message: String,
    pub exit_code: Option<i64>,
    pub location: String,
    pub time: Option<Micros>,
}

fn owned(v: &Value) -> String {
    v.as_str().unwrap_or_default().to_owned()
}

pub(super) fn traffic(list: &Value) -> Vec<Traffic> {
    let one = |t: &Value| Traffic {
        revision: owned(&t["revisionName"]),
        percent: t["percent"].as_i64().unwrap_or(0),
        latest: t["latestRevision"].as_bool().unwrap_or(false),
        tag: t["tag"].as_str().map(str::to_owned),
    };
    list.as_array().into_iter().flatten().map(one).collect()
}

pub(super) fn format(model: &Value) -> Option<Format> {
    let name = model
        .pointer("/modelFormat/name")?
        .as_str()
        .filter(|n| !n.is_empty())?;
    let version = model
        .pointer("/modelFormat/version")
        .and_then(Value::as_str)
        .filter(|v| !v.is_empty());
    Some(Format {
        name: name.to_owned(),
        version: version.map(str::to_owned),
    })
}

pub(super) fn storage_uris<'a>(path: &str, predictor: &'a Value) -> Vec<(String, &'a str)> {
    let mut out = Vec::new();
    if let Some(uri) = predictor
        .pointer("/model/storageUri")
        .and_then(Value::as_str)
        .filter(|u| !u.is_empty())
    {
        out.push((format!("{path}.model.storageUri"), uri));
    }
    for (i, entry) in predictor["storageUris"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if let Some(uri) = entry["uri"].as_str() {
            out.push((format!("{path}.storageUris[{i}].uri"), uri));
        }
    }
    out
}

/// The predictor's own serving container: the one called `kserve-container`, or the first where
/// there is no model. (Beside a model, other containers are sidecars.)
pub(super) fn main_container(predictor: &Value) -> Option<(usize, &Value)> {
    let all = predictor["containers"].as_array()?;
    let named = all.iter().position(|c| c["name"] == MAIN_CONTAINER);
    let index = if predictor["model"].is_object() {
        named?
    } else {
        named.unwrap_or(0)
    };
    Some((index, all.get(index)?))
}

pub(super) fn serving_container<'a>(
    path: &str,
    predictor: &'a Value,
) -> Option<(String, &'a Value)> {
    match predictor.get("model").filter(|m| m.is_object()) {
        Some(model) => Some((format!("{path}.model"), model)),
        None => main_container(predictor).map(|(i, c)| (format!("{path}.containers[{i}]"), c)),
    }
}

pub(super) fn images<'a>(path: &str, part: &'a Value) -> Vec<(String, &'a str)> {
    let mut out = Vec::new();
    if let Some(image) = part.pointer("/model/image").and_then(Value::as_str) {
        out.push((format!("{path}.model.image"), image));
    }
    for list in ["initContainers", "containers"] {
        for (i, c) in part[list].as_array().into_iter().flatten().enumerate() {
            if let Some(image) = c["image"].as_str() {
                out.push((format!("{path}.{list}[{i}].image"), image));
            }
        }
    }
    if let Some(worker) = part.get("workerSpec") {
        out.extend(images(&format!("{path}.workerSpec"), worker));
    }
    out
}

pub(super) fn env(container: &Value) -> Vec<EnvVar<'_>> {
    container["env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(env_var)
        .collect()
}

fn env_var(e: &Value) -> Option<EnvVar<'_>> {
    Some(EnvVar {
        name: e["name"].as_str()?,
        source: env_source(e),
    })
}

pub(crate) fn env_source(e: &Value) -> EnvSource<'_> {
    if let Some(secret) = e.pointer("/valueFrom/secretKeyRef") {
        return match (secret["name"].as_str(), secret["key"].as_str()) {
            (Some(name), Some(key)) => EnvSource::Secret { name, key },
            _ => EnvSource::Other,
        };
    }
    match (e.get("value"), e.get("valueFrom")) {
        (Some(Value::String(v)), None) => EnvSource::Value(v),
        (None, None) => EnvSource::Value(""),
        _ => EnvSource::Other,
    }
}

/// The pods that a part starts with: `minReplicas`, where absent or 0 in Standard mode one.
pub(crate) fn replicas_wished(part: &Value, mode: Option<Mode>) -> i64 {
    match (part["minReplicas"].as_i64(), mode) {
        (Some(0), Some(Mode::Knative)) => 0,
        (min, _) => min.unwrap_or(1).max(1),
    }
}

pub(super) fn tolerations(list: &Value) -> Vec<Toleration> {
    let one = |t: &Value| Toleration {
        key: owned(&t["key"]),
        operator: owned(&t["operator"]),
        value: owned(&t["value"]),
        effect: owned(&t["effect"]),
    };
    list.as_array().into_iter().flatten().map(one).collect()
}

pub(super) fn text_map(v: &Value) -> BTreeMap<String, String> {
    v.as_object()
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

pub(super) fn secrets<'a>(path: &str, predictor: &'a Value) -> Vec<(String, &'a str)> {
    let mut out = Vec::new();
    for (i, s) in predictor["imagePullSecrets"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if let Some(name) = s["name"].as_str() {
            out.push((format!("{path}.imagePullSecrets[{i}].name"), name));
        }
    }
    let containers = predictor["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(i, c)| (format!("{path}.containers[{i}]"), c));
    for (at, container) in
        containers.chain(predictor.get("model").map(|m| (format!("{path}.model"), m)))
    {
        for (i, e) in container["env"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let EnvSource::Secret { name, .. } = env_source(e) {
                out.push((format!("{at}.env[{i}].valueFrom.secretKeyRef.name"), name));
            }
        }
        for (i, e) in container["envFrom"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Some(name) = e.pointer("/secretRef/name").and_then(Value::as_str) {
                out.push((format!("{at}.envFrom[{i}].secretRef.name"), name));
            }
        }
    }
    for (i, v) in predictor["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if let Some(name) = v.pointer("/secret/secretName").and_then(Value::as_str) {
            out.push((format!("{path}.volumes[{i}].secret.secretName"), name));
        }
    }
    out
}

/// A quantity may be written as text or as a number.
pub(crate) fn quantity_text(v: &Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Is this an accelerator's resource name? Vendors call them `…/gpu`, NVIDIA's MIG slices
/// `nvidia.com/mig-…`, time-sliced ones `nvidia.com/gpu.shared`.
pub fn gpu_resource(name: &str) -> bool {
    let Some((domain, kind)) = name.split_once('/') else {
        return false;
    };
    let kind = kind.strip_suffix(".shared").unwrap_or(kind);
    kind == "gpu"
        || kind == "gaudi"
        || kind == "neuron"
        || (domain == "nvidia.com" && kind.starts_with("mig-"))
        || (domain == "gpu.intel.com" && matches!(kind, "i915" | "xe"))
}

pub(super) fn gpus(requests: &BTreeMap<String, String>) -> BTreeMap<String, i64> {
    let count = |(name, text): (&String, &String)| {
        Some((name.clone(), Quantity::parse(text)?.units()))
            .filter(|(n, c)| gpu_resource(n) && *c > 0)
    };
    requests.iter().filter_map(count).collect()
}

pub(super) fn canaries(list: &Value) -> Vec<Canary<'_>> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|c| Canary {
            name: c
                .pointer("/predictor/name")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            traffic_percent: c["trafficPercent"].as_i64(),
            predictor: &c["predictor"],
        })
        .collect()
}

pub(super) fn conditions(list: &Value) -> Vec<Condition> {
    let one = |c: &Value| Condition {
        kind: owned(&c["type"]),
        status: owned(&c["status"]),
        reason: owned(&c["reason"]),
        message: owned(&c["message"]),
        severity: owned(&c["severity"]),
        since: c["lastTransitionTime"].as_str().and_then(Micros::parse),
    };
    list.as_array().into_iter().flatten().map(one).collect()
}

pub(super) fn model_status(v: &Value) -> Option<ModelStatus> {
    v.as_object()?;
    let failure = v
        .get("lastFailureInfo")
        .filter(|f| f.is_object())
        .map(|f| Failure {
            reason: owned(&f["reason"]),
            message: owned(&f["message"]),
            exit_code: f["exitCode"].as_i64(),
            location: owned(&f["location"]),
            time: f["time"].as_str().and_then(Micros::parse),
        });
    Some(ModelStatus {
        transition: owned(&v["transitionStatus"]),
        active: owned(
            v.pointer("/states/activeModelState")
                .unwrap_or(&Value::Null),
        ),
        target: owned(
            v.pointer("/states/targetModelState")
                .unwrap_or(&Value::Null),
        ),
        failed_copies: v
            .pointer("/copies/failedCopies")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        total_copies: v.pointer("/copies/totalCopies").and_then(Value::as_i64),
        failure,
    })
}

pub(super) fn canary_statuses(list: &Value) -> Vec<CanaryStatus> {
    let one = |c: &Value| CanaryStatus {
        name: owned(&c["name"]),
        ready: c["ready"].as_bool().unwrap_or(false),
        traffic_percent: c["trafficPercent"].as_i64().unwrap_or(0),
    };
    list.as_array().into_iter().flatten().map(one).collect()
}
