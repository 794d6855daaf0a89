//! An InferenceService as KServe v1beta1 defines it, read from plain JSON: what the API server has,
//! what a person typed, or what a revision holds. Nothing here fails: a field that is absent or of
//! the wrong type reads as absent, because manifests are drafts before they are right.

mod amounts;
mod managed;
mod parts;
mod placement;

pub use amounts::Amounts;
pub(crate) use amounts::{container_amounts, of_part, sum};
pub use managed::Manager;
pub use parts::{
    Canary, CanaryStatus, EnvSource, EnvVar, Failure, Format, ModelStatus, Toleration, Traffic,
    gpu_resource,
};
pub(crate) use parts::{env_source, quantity_text, replicas_wished};
pub use placement::Placement;

use crate::{
    observed::{ClusterFacts, Condition, LimitRange, Runtime},
    quantity::Quantity,
    time::Micros,
};
use serde_json::Value;
use std::collections::BTreeMap;

pub const DEPLOYMENT_MODE: &str = "serving.kserve.io/deploymentMode";
pub const STOP: &str = "serving.kserve.io/stop";
pub const AUTOSCALER_CLASS: &str = "serving.kserve.io/autoscalerClass";
/// The container that KServe fills from the runtime and from `predictor.model`.
pub const MAIN_CONTAINER: &str = "kserve-container";

/// Frameworks that have a field of their own from before `predictor.model`.
const OLDER_FRAMEWORKS: [&str; 10] = [
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
];

/// How KServe runs a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// Deployments, Services and HTTPRoutes.
    Standard,
    Knative,
}

impl Mode {
    /// Reads the annotation's value; the deprecated names are what the webhook rewrites.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Standard" | "RawDeployment" => Some(Self::Standard),
            "Knative" | "Serverless" => Some(Self::Knative),
            _ => None,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Knative => "Knative",
        }
    }
    /// The name that every KServe knows: the only one before 0.16, deprecated from then on.
    pub fn older_name(self) -> &'static str {
        match self {
            Self::Standard => "RawDeployment",
            Self::Knative => "Serverless",
        }
    }
    /// How this cluster's KServe writes it.
    pub fn name_in(self, facts: &ClusterFacts) -> &'static str {
        if facts.older_mode_names {
            self.older_name()
        } else {
            self.name()
        }
    }
}

/// What kind of value this is, for sentences: "a list", "text".
pub fn kind_of(v: &Value) -> &'static str {
    match v {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

static NULL: Value = Value::Null;

/// An InferenceService, looked at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    root: &'a Value,
}

impl<'a> View<'a> {
    pub fn new(root: &'a Value) -> Self {
        Self { root }
    }
    pub fn value(&self) -> &'a Value {
        self.root
    }
    /// The value at a JSON pointer, `Null` where there is none.
    pub fn at(&self, pointer: &str) -> &'a Value {
        self.root.pointer(pointer).unwrap_or(&NULL)
    }
    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.at(pointer).as_str().filter(|t| !t.is_empty())
    }

    // --- metadata ---

    pub fn api_version(&self) -> &'a str {
        self.text("/apiVersion").unwrap_or_default()
    }
    pub fn kind(&self) -> &'a str {
        self.text("/kind").unwrap_or_default()
    }
    pub fn name(&self) -> &'a str {
        self.text("/metadata/name").unwrap_or_default()
    }
    pub fn namespace(&self) -> &'a str {
        self.text("/metadata/namespace").unwrap_or_default()
    }
    pub fn uid(&self) -> Option<&'a str> {
        self.text("/metadata/uid")
    }
    pub fn resource_version(&self) -> Option<&'a str> {
        self.text("/metadata/resourceVersion")
    }
    pub fn generation(&self) -> Option<i64> {
        self.at("/metadata/generation").as_i64()
    }
    pub fn created_at(&self) -> Option<Micros> {
        self.text("/metadata/creationTimestamp")
            .and_then(Micros::parse)
    }
    pub fn deleting(&self) -> bool {
        self.text("/metadata/deletionTimestamp").is_some()
    }
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.at("/metadata/annotations").get(key)?.as_str()
    }
    pub fn label(&self, key: &str) -> Option<&'a str> {
        self.at("/metadata/labels").get(key)?.as_str()
    }
    /// `serving.kserve.io/stop: "true"` is written.
    pub fn stop_wished(&self) -> bool {
        self.annotation(STOP)
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }
    /// What the deployment-mode annotation says, whatever it says.
    pub fn mode_written(&self) -> Option<&'a str> {
        self.annotation(DEPLOYMENT_MODE)
    }
    /// The mode: as written, else as the status tells, else the cluster's default. `None` where
    /// nothing is known, or where what is written is no mode.
    pub fn mode(&self, default: Option<&str>) -> Option<Mode> {
        match self.mode_written() {
            Some(written) => Mode::parse(written),
            None => self
                .text("/status/deploymentMode")
                .or(default)
                .and_then(Mode::parse),
        }
    }

    // --- the predictor ---

    pub fn predictor(&self) -> &'a Value {
        self.at("/spec/predictor")
    }
    pub fn model(&self) -> &'a Value {
        self.at("/spec/predictor/model")
    }
    pub fn has_transformer(&self) -> bool {
        self.at("/spec/transformer").is_object()
    }
    pub fn has_explainer(&self) -> bool {
        self.at("/spec/explainer").is_object()
    }
    pub fn format(&self) -> Option<Format> {
        parts::format(self.model())
    }
    /// The runtime as written.
    pub fn runtime(&self) -> Option<&'a str> {
        self.text("/spec/predictor/model/runtime")
    }
    /// The runtime that KServe says it used.
    pub fn runtime_in_use(&self) -> Option<&'a str> {
        self.text("/status/servingRuntimeName")
            .or_else(|| self.text("/status/clusterServingRuntimeName"))
    }
    pub fn protocol(&self) -> Option<&'a str> {
        self.text("/spec/predictor/model/protocolVersion")
    }
    pub fn storage_uri(&self) -> Option<&'a str> {
        self.text("/spec/predictor/model/storageUri")
    }
    /// Every model storage address with the path of its field: of the model, of `storageUris`, of canaries.
    pub fn storage_uris(&self) -> Vec<(String, &'a str)> {
        let mut out = parts::storage_uris("spec.predictor", self.predictor());
        for (i, canary) in self.canaries().iter().enumerate() {
            out.extend(parts::storage_uris(
                &format!("spec.canary[{i}].predictor"),
                canary.predictor,
            ));
        }
        out
    }
    /// The serving image, where the predictor brings its own instead of a runtime's.
    pub fn image(&self) -> Option<&'a str> {
        parts::main_container(self.predictor())
            .map(|(_, c)| c)?
            .get("image")?
            .as_str()
            .filter(|i| !i.is_empty())
    }
    /// Every image that the manifest itself names, with the path of its field.
    pub fn images(&self) -> Vec<(String, &'a str)> {
        let mut out = parts::images("spec.predictor", self.predictor());
        for part in ["transformer", "explainer"] {
            out.extend(parts::images(
                &format!("spec.{part}"),
                self.at(&format!("/spec/{part}")),
            ));
        }
        for (i, canary) in self.canaries().iter().enumerate() {
            out.extend(parts::images(
                &format!("spec.canary[{i}].predictor"),
                canary.predictor,
            ));
        }
        out
    }
    /// The field from before `predictor.model` that this predictor has, such as `sklearn`.
    pub fn older_framework(&self) -> Option<&'static str> {
        OLDER_FRAMEWORKS
            .into_iter()
            .find(|k| self.predictor().get(*k).is_some_and(Value::is_object))
    }
    /// Does the server fetch its model by itself, as arguments or variables tell (NIM, `--model=<id>`)?
    pub fn fetches_its_model(&self) -> bool {
        self.args().iter().any(|a| a.starts_with("--model"))
            || self.env().iter().any(|e| e.name.contains("MODEL"))
    }
    /// Storage address or serving image: what is served.
    pub fn source(&self) -> &'a str {
        self.storage_uri()
            .or_else(|| self.image())
            .unwrap_or_default()
    }
    pub fn min_replicas(&self) -> Option<i64> {
        self.at("/spec/predictor/minReplicas").as_i64()
    }
    pub fn max_replicas(&self) -> Option<i64> {
        self.at("/spec/predictor/maxReplicas").as_i64()
    }
    /// The pods that the predictor starts with: `minReplicas`, where absent or 0 in Standard mode one.
    pub fn replicas_wished(&self, mode: Option<Mode>) -> i64 {
        replicas_wished(self.predictor(), mode)
    }
    /// Container and path that carry arguments, environment and resources: `model`, or the main container.
    pub fn container(&self) -> Option<(String, &'a Value)> {
        parts::serving_container("spec.predictor", self.predictor())
    }
    pub fn args(&self) -> Vec<&'a str> {
        let container = self.container().map(|(_, c)| c).unwrap_or(&NULL);
        container["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
    pub fn env(&self) -> Vec<EnvVar<'a>> {
        parts::env(self.container().map(|(_, c)| c).unwrap_or(&NULL))
    }
    /// Where the pod may go once KServe has laid the predictor's scheduling fields over the runtime's.
    pub fn placement_with(&self, runtime: Option<&Runtime>) -> Placement {
        Placement::of(self.predictor(), runtime.map(|r| &r.spec))
    }
    /// Does the predictor run over several nodes?
    pub fn multi_node(&self) -> bool {
        self.predictor()["workerSpec"].is_object()
    }
    pub fn image_pull_secrets(&self) -> Vec<&'a str> {
        self.predictor()["imagePullSecrets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|s| s["name"].as_str())
            .collect()
    }
    /// Secrets that the predictor needs: of environment, pull secrets and volumes, with the path of each.
    pub fn secrets(&self) -> Vec<(String, &'a str)> {
        parts::secrets("spec.predictor", self.predictor())
    }
    /// What is asked for per pod, as written, summed over the predictor's containers. Where only a
    /// limit stands, Kubernetes takes it as the request.
    pub fn requests(&self) -> BTreeMap<String, String> {
        self.requests_with(None, &[])
    }
    pub fn limits(&self) -> BTreeMap<String, String> {
        self.limits_with(None, &[])
    }
    /// The containers of a pod with their amounts once KServe has merged the runtime's with the
    /// manifest's, and the namespace's limit ranges have filled in what neither says.
    pub fn amounts_with(&self, runtime: Option<&Runtime>, ranges: &[LimitRange]) -> Vec<Amounts> {
        of_part(
            "spec.predictor",
            self.predictor(),
            runtime.map(|r| &r.spec),
            ranges,
        )
    }
    /// What a pod will ask for: the sum of [`Self::amounts_with`].
    pub fn requests_with(
        &self,
        runtime: Option<&Runtime>,
        ranges: &[LimitRange],
    ) -> BTreeMap<String, String> {
        sum(self
            .amounts_with(runtime, ranges)
            .iter()
            .map(|a| &a.requests))
    }
    /// As [`Self::requests_with`], for limits.
    pub fn limits_with(
        &self,
        runtime: Option<&Runtime>,
        ranges: &[LimitRange],
    ) -> BTreeMap<String, String> {
        sum(self.amounts_with(runtime, ranges).iter().map(|a| &a.limits))
    }
    /// Devices per pod by resource name (`nvidia.com/gpu`, `nvidia.com/mig-1g.10gb`, `amd.com/gpu`).
    pub fn gpus(&self) -> BTreeMap<String, i64> {
        parts::gpus(&self.requests())
    }
    pub fn gpu_count(&self) -> i64 {
        self.gpus().values().sum()
    }
    /// Devices of each further node of a model that is spread over several: as its containers say, else
    /// `tensorParallelSize`, which KServe makes the count.
    pub fn worker_gpu_count(&self) -> i64 {
        let worker = &self.predictor()["workerSpec"];
        let asked = of_part("spec.predictor.workerSpec", worker, None, &[]);
        let stated: i64 = parts::gpus(&sum(asked.iter().map(|a| &a.requests)))
            .values()
            .sum();
        if stated > 0 {
            stated
        } else {
            worker["tensorParallelSize"].as_i64().unwrap_or(0)
        }
    }
    pub fn canaries(&self) -> Vec<Canary<'a>> {
        parts::canaries(self.at("/spec/canary"))
    }

    /// The service as it would be with a canary in its predictor's place, and nothing beside it: what
    /// is asked of the one is asked of the other.
    pub fn with_predictor_of(&self, canary: &Canary<'_>) -> Value {
        serde_json::json!({
            "apiVersion": self.at("/apiVersion"),
            "kind": self.at("/kind"),
            "metadata": self.at("/metadata"),
            "spec": {"predictor": canary.predictor},
        })
    }

    // --- status ---

    /// `None` where it is behind or gone, which says nothing: never judge completion by it.
    pub fn observed_generation(&self) -> Option<i64> {
        self.at("/status/observedGeneration").as_i64()
    }
    pub fn conditions(&self) -> Vec<Condition> {
        parts::conditions(self.at("/status/conditions"))
    }
    pub fn condition(&self, kind: &str) -> Option<Condition> {
        self.conditions().into_iter().find(|c| c.kind == kind)
    }
    pub fn model_status(&self) -> Option<ModelStatus> {
        parts::model_status(self.at("/status/modelStatus"))
    }
    pub fn canary_statuses(&self) -> Vec<CanaryStatus> {
        parts::canary_statuses(self.at("/status/canaryStatuses"))
    }
    /// A revision of the predictor by the name of its field (`latestReadyRevision`); Knative mode only.
    pub fn revision(&self, field: &str) -> Option<&'a str> {
        self.text(&format!("/status/components/predictor/{field}"))
    }
    /// How the traffic is really split between revisions; Knative mode only.
    pub fn traffic(&self) -> Vec<Traffic> {
        parts::traffic(self.at("/status/components/predictor/traffic"))
    }
    pub fn url(&self) -> Option<&'a str> {
        self.text("/status/url")
    }

    // --- ownership of fields ---

    /// Everyone who has written to the object, latest first.
    pub fn managers(&self) -> Vec<Manager> {
        managed::managers(self.root)
    }
    /// Who owns the field at this path (`spec.predictor.minReplicas`, `spec.predictor.model.env[A].value`),
    /// latest first: the owner of the field, of a part of it, or of the nearest atomic parent.
    pub fn owners(&self, path: &str) -> Vec<Manager> {
        managed::owners(self.root, path)
    }
}

/// The amount of one resource in a pod.
pub fn amount(requests: &BTreeMap<String, String>, resource: &str) -> Quantity {
    crate::quantity::amount(requests, resource)
}

#[cfg(test)]
mod tests;
