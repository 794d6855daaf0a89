use async_trait::async_trait;
use domain::{
    Micros, Result, finding::Finding, isvc::View, observed::*, person::ClusterIdentity,
    place::DeploymentKey, references::Referred,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Under this name the console's fields are kept apart from those of others.
pub const FIELD_MANAGER: &str = "gatehouse";

/// What an answer from the cache may have to be the present of, and not only the last that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    Deployments,
    Namespaces,
    Runtimes,
}

/// What the API server answered to an apply or a dry run that it refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A webhook, the schema or the API server says no; findings stand beside the fields they concern.
    Rejected {
        findings: Vec<Finding>,
        message: String,
    },
    /// Another field manager owns a field that differs: who, and which fields.
    Conflict {
        managers: Vec<(String, String)>,
        message: String,
    },
    /// The person has no right to.
    Forbidden { message: String },
    /// It is not the object that was approved (UID or existence changed).
    Precondition { message: String },
    /// It is the object, in another version than the one that was looked at: nothing was done. Status
    /// counts too, so look again before anything is made of it.
    Changed { message: String },
    /// The cluster does not answer or is failing for now: try again later. `maybe_done`: the request
    /// was sent and its effect is not known.
    Unavailable { message: String, maybe_done: bool },
}

/// One version of an object, as the API server tells it: what was looked at and may be written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    pub uid: String,
    pub resource_version: String,
}

impl ObjectVersion {
    /// The version of a stored object; `None` where it has none, so that nothing is written over it.
    pub fn of(object: &Value) -> Option<Self> {
        let v = View::new(object);
        Some(Self {
            uid: v.uid()?.to_owned(),
            resource_version: v.resource_version()?.to_owned(),
        })
    }
}

/// The answer to a dry run or an apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The object as the API server has (or would have) it.
    pub object: Value,
    pub warnings: Vec<String>,
}

/// One thing the console may or may not do, for the page "Clusters".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `list inferenceservices.serving.kserve.io`
    pub what: String,
    /// Why it needs it.
    pub why: String,
    /// `None`: the cluster did not say.
    pub allowed: Option<bool>,
}

/// What the console may do in a cluster, and how old that is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    pub all: Vec<Permission>,
    /// When the cluster said so; `None`: it did not.
    pub as_of: Option<Micros>,
    /// Why this is not what it says now, as a sentence.
    pub problem: Option<String>,
}

/// Filters of the list of deployments; they run on the cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowFilter {
    pub clusters: Vec<String>,
    pub namespaces: Vec<String>,
    pub units: Vec<String>,
    pub environments: Vec<String>,
    pub states: Vec<domain::state::Code>,
    pub text: Option<String>,
    /// Rows whose source names this digest.
    pub digest: Option<String>,
    /// Where the reader may see: (units, environments) patterns; empty = nowhere.
    pub scopes: Vec<(Vec<String>, Vec<String>)>,
    /// Only what is not healthy, stopped or as wished.
    pub unhealthy: bool,
}

/// Something changed; the cursor is global and rises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEvent {
    pub cursor: u64,
    pub key: DeploymentKey,
}

/// The clusters outside and the watch caches in front of them. Reads come from the cache and never
/// wait; only `dry_run`, `apply`, `delete`, `read`, `can`, `secrets`, `exists` and `permissions` go out,
/// under a time limit.
#[async_trait]
pub trait Clusters: Send + Sync {
    fn names(&self) -> Vec<String>;
    fn health(&self, now: Micros) -> Vec<ClusterHealth>;
    /// Is the cluster there and is this followed right now? `Err`: why not, in words.
    fn followed(&self, cluster: &str, what: Followed) -> Result<(), String>;
    fn facts(&self, cluster: &str) -> Option<Arc<ClusterFacts>>;
    fn namespaces(&self, cluster: &str) -> Vec<Namespace>;
    fn nodes(&self, cluster: &str) -> Vec<Node>;
    /// Cluster-wide runtimes and those of the namespace.
    fn runtimes(&self, cluster: &str, namespace: &str) -> Vec<Runtime>;
    fn quotas(&self, cluster: &str, namespace: &str) -> Vec<Quota>;
    fn limit_ranges(&self, cluster: &str, namespace: &str) -> Vec<LimitRange>;
    /// Sorted by key, from after `after`, at most `limit`.
    fn rows(
        &self,
        filter: &RowFilter,
        after: Option<&DeploymentKey>,
        limit: usize,
        now: Micros,
    ) -> Vec<Row>;
    /// Rows by state in the places that the filter names; what it asks of the rows themselves is ignored.
    fn counts(
        &self,
        filter: &RowFilter,
        now: Micros,
    ) -> std::collections::BTreeMap<domain::state::Code, usize>;
    fn live(&self, key: &DeploymentKey, now: Micros) -> Option<Live>;
    /// What changes from here on.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<LiveEvent>;
    fn cursor(&self) -> u64;

    /// The identity of a person in a cluster (prefixes of the configuration).
    fn identity(&self, cluster: &str, username: &str, groups: &[String])
    -> Result<ClusterIdentity>;
    /// Server-side apply as a dry run, as this person, with our field manager, never forced.
    async fn dry_run(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
    ) -> Result<Stored, Refusal>;
    /// Server-side apply as this person, over exactly this version; `None`: refuse when there is an
    /// object of this name.
    async fn apply(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
        over: Option<&ObjectVersion>,
    ) -> Result<Stored, Refusal>;
    /// Deletes exactly this version of the object, as this person. Gone already counts as done.
    async fn delete(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
        what: &ObjectVersion,
    ) -> Result<(), Refusal>;
    /// Reads the object from the API server itself, as the console.
    async fn read(&self, cluster: &str, key: &DeploymentKey) -> Result<Option<Value>, Refusal>;
    /// May this person do this verb on InferenceServices in the namespace? (SubjectAccessReview)
    async fn can(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        verb: &str,
        namespace: &str,
    ) -> Result<bool, Refusal>;
    /// Names of the secrets and their keys' names that a manifest may refer to, read as this person; never values.
    async fn secrets(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        namespace: &str,
    ) -> Result<Vec<(String, Vec<String>)>, Refusal>;
    /// Is there an object of this name in the namespace? Asked as this person.
    async fn exists(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        namespace: &str,
        kind: Referred,
        name: &str,
    ) -> Result<bool, Refusal>;
    /// What the console needs in a cluster and whether it has it. Waits two seconds at most: after
    /// that it is what the cluster said before, or not known.
    async fn permissions(&self, cluster: &str) -> Permissions;
}
