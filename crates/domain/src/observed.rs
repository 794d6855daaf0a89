//! What the console sees in a cluster: plain data that the watch caches fill and the rules read.

use crate::{access::Scope, ids::ClusterId, place::DeploymentKey, time::Micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub kind: String,
    /// `True`, `False`, `Unknown`
    pub status: String,
    pub reason: String,
    pub message: String,
    pub severity: String,
    pub since: Option<Micros>,
}

/// A Deployment that KServe made for a predictor, canary or transformer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    pub name: String,
    pub generation: i64,
    pub observed_generation: i64,
    /// `spec.replicas`
    pub desired: i32,
    pub updated: i32,
    pub ready: i32,
    pub available: i32,
    pub conditions: Vec<Condition>,
    /// (container, image as written) of the pod template
    pub images: Vec<(String, String)>,
}

/// A pod of an InferenceService.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    pub name: String,
    pub phase: String,
    pub node: Option<String>,
    pub created_at: Option<Micros>,
    pub deleting: bool,
    /// `predictor`, `transformer`…
    pub component: String,
    /// Name of the Deployment that it belongs to.
    pub workload: String,
    pub conditions: Vec<Condition>,
    pub containers: Vec<Container>,
    /// Requested amounts as Kubernetes writes them, summed over containers (`nvidia.com/gpu` → `2`).
    pub requests: Vec<(String, String)>,
}

/// A container of a pod, init containers included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub name: String,
    pub init: bool,
    pub image: String,
    pub image_id: String,
    pub ready: bool,
    pub restarts: i32,
    /// `running`, `waiting`, `terminated`
    pub state: String,
    pub reason: String,
    pub message: String,
    pub last_exit: Option<Exit>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub code: i32,
    pub reason: String,
    pub message: String,
    pub finished_at: Option<Micros>,
}

/// A Kubernetes event about an object of the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `Pod`, `Deployment`, `InferenceService`…
    pub object_kind: String,
    pub object_name: String,
    /// `Normal` or `Warning`
    pub kind: String,
    pub reason: String,
    pub message: String,
    pub count: i32,
    pub first: Option<Micros>,
    pub last: Option<Micros>,
}

/// An HTTPRoute and the weights that it really has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub name: String,
    pub backends: Vec<(String, i32)>,
    pub accepted: Option<bool>,
}

/// Everything about one deployment at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub key: DeploymentKey,
    pub cluster: ClusterId,
    pub namespace_uid: String,
    pub scope: Scope,
    /// The InferenceService as the API server has it, managed fields included.
    pub object: Value,
    pub workloads: Vec<Workload>,
    pub pods: Vec<Pod>,
    pub events: Vec<Event>,
    pub routes: Vec<Route>,
    /// When the cache last heard of the cluster.
    pub as_of: Micros,
    /// The cluster is away: this is what it last said.
    pub stale: bool,
}

/// One line of the list of deployments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub key: DeploymentKey,
    pub scope: Scope,
    pub state: crate::state::Code,
    /// The state in plain words.
    pub headline: String,
    /// Why, where it is not healthy.
    pub cause: Option<String>,
    pub format: String,
    pub runtime: String,
    /// `storageUri`, or the serving image.
    pub source: String,
    pub replicas_ready: i32,
    pub replicas_desired: i32,
    pub gpus: i64,
    pub url: Option<String>,
    pub created_at: Option<Micros>,
    /// [`crate::content::fingerprint`] of the object as it is.
    pub fingerprint: crate::ids::Digest,
    /// [`crate::content::fingerprint_if_started`] of it.
    #[serde(default)]
    pub fingerprint_if_started: Option<crate::ids::Digest>,
    pub as_of: Micros,
    pub stale: bool,
}

impl Row {
    /// Does what is served amount to what was approved? `stopped`: the newest change stopped it.
    pub fn is_as_approved(&self, approved: &crate::ids::Digest, stopped: bool) -> bool {
        as_approved(
            approved,
            stopped,
            &self.fingerprint,
            self.fingerprint_if_started.as_ref(),
        )
    }
}

/// [`crate::content::drift`] by fingerprints.
pub(crate) fn as_approved(
    approved: &crate::ids::Digest,
    stopped: bool,
    live: &crate::ids::Digest,
    if_started: Option<&crate::ids::Digest>,
) -> bool {
    match if_started {
        Some(started) => live == approved || started == approved,
        None => !stopped && live == approved,
    }
}

/// A node, as far as placing models goes. Amounts are whole units: devices, millicores, bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub ready: bool,
    pub unschedulable: bool,
    pub labels: std::collections::BTreeMap<String, String>,
    pub taints: Vec<Taint>,
    pub allocatable: std::collections::BTreeMap<String, String>,
    /// Sum of the requests of the pods that run here.
    pub requested: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    pub key: String,
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`
    pub effect: String,
}

/// A ResourceQuota of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    pub name: String,
    pub hard: std::collections::BTreeMap<String, String>,
    pub used: std::collections::BTreeMap<String, String>,
    /// When the cluster was last heard of quotas: what is used is from then, or later.
    #[serde(default)]
    pub as_of: Option<Micros>,
}

/// A LimitRange of a namespace: what it fills in, and the most that it allows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitRange {
    pub name: String,
    /// Limits of a container that states none.
    pub default: std::collections::BTreeMap<String, String>,
    /// Requests of a container that states none.
    pub default_request: std::collections::BTreeMap<String, String>,
    /// The most that one container may have.
    pub max: std::collections::BTreeMap<String, String>,
    /// The most that the containers of one pod may have together.
    pub max_pod: std::collections::BTreeMap<String, String>,
}

/// A ServingRuntime or ClusterServingRuntime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    pub name: String,
    /// Only a ServingRuntime has one.
    pub namespace: Option<String>,
    pub disabled: bool,
    pub formats: Vec<RuntimeFormat>,
    pub protocols: Vec<String>,
    pub multi_node: bool,
    /// Between equals KServe takes the newest.
    #[serde(default)]
    pub created_at: Option<Micros>,
    /// The whole spec: part of a change's closure.
    pub spec: Value,
}

impl Runtime {
    /// It is for ModelMesh, which puts many models into one pod; KServe never selects it by itself.
    pub fn multi_model(&self) -> bool {
        self.spec["multiModel"] == true
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeFormat {
    pub name: String,
    pub version: Option<String>,
    pub auto_select: bool,
    pub priority: i32,
}

/// What a cluster is and how its KServe is set up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterFacts {
    pub kubernetes_version: String,
    /// From the controller's image, where the console may see it.
    pub kserve_version: Option<String>,
    /// `Standard` or `Knative`, from `inferenceservice-config`
    pub default_mode: Option<String>,
    /// Modes are called `RawDeployment` and `Serverless` here (KServe < 0.16): `Standard` and `Knative`
    /// would be taken as unknown, which means as the default. From the controller's version, else from
    /// the ConfigMap's own spelling, else from what runs.
    #[serde(default)]
    pub older_mode_names: bool,
    /// `ingress.enableGatewayApi`
    pub gateway_api: Option<bool>,
    /// `storageInitializer.enableModelcar`
    pub modelcar: Option<bool>,
    /// `storageInitializer.enableOciModelSupport`
    pub oci_fetch: Option<bool>,
    /// `storageInitializer.ociModelMode`
    pub oci_mode: Option<String>,
    /// Is `spec.canary` declared in the InferenceService's schema (KServe ≥ 0.20)?
    pub canary_field: bool,
    /// API groups that are served, such as `keda.sh`
    pub groups: Vec<String>,
    /// Prefixes and regular expressions that ClusterStorageContainers add.
    pub storage_prefixes: Vec<String>,
    pub storage_regexes: Vec<String>,
}

/// A namespace in which models may be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    pub name: String,
    pub uid: String,
    pub scope: Scope,
}

/// Is a cluster there, and how old is what we know of it?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterHealth {
    pub id: Option<ClusterId>,
    pub name: String,
    pub reachable: bool,
    /// Why not, in words for people.
    pub problem: Option<String>,
    pub as_of: Option<Micros>,
    pub server: String,
    pub deployments: usize,
}
