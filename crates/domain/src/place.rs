//! Where an object lives: by identity, with the names that people know beside it.

use crate::{access::Scope, ids::ClusterId};
use serde::{Deserialize, Serialize};

/// A namespace of a cluster, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub cluster: ClusterId,
    /// The cluster's name in the configuration.
    pub cluster_name: String,
    pub namespace: String,
    /// The namespace's UID: a namespace made anew under an old name is another place.
    pub namespace_uid: String,
    pub scope: Scope,
}

/// An object's kind and name in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// `serving.kserve.io/v1beta1`
    pub api_version: String,
    /// `InferenceService`
    pub kind: String,
    pub name: String,
}

impl ObjectRef {
    /// The InferenceService of this name (KServe v1beta1).
    pub fn inference_service(name: impl Into<String>) -> Self {
        Self {
            api_version: "serving.kserve.io/v1beta1".into(),
            kind: "InferenceService".into(),
            name: name.into(),
        }
    }
}

/// A deployment as an address: cluster name, namespace, name. This is what URLs and the audit log carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentKey {
    pub cluster: String,
    pub namespace: String,
    pub name: String,
}

impl DeploymentKey {
    pub fn new(
        cluster: impl Into<String>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            cluster: cluster.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
    /// The page's path in the console.
    pub fn path(&self) -> String {
        format!(
            "/deployments/{}/{}/{}",
            self.cluster, self.namespace, self.name
        )
    }
}

impl std::fmt::Display for DeploymentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}
