//! What a cluster's entry in the configuration says.

use serde::Deserialize;
use std::{path::PathBuf, time::Duration};

/// One `[[clusters]]` entry. Without `kubeconfig` the console uses its own service account, which
/// works only inside that cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// The name in addresses, in the audit log and on the pages.
    pub name: String,
    /// A kubeconfig file with the console's own identity; read again whenever the cluster refuses it.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file other than its current one.
    #[serde(default)]
    pub context: Option<String>,
    /// Goes before a person's user name to make their name in this cluster.
    #[serde(default)]
    pub user_prefix: String,
    /// Goes before a person's groups.
    #[serde(default)]
    pub group_prefix: String,
    /// The namespace in which KServe runs, with its settings and its controller.
    #[serde(default = "kserve_namespace")]
    pub kserve_namespace: String,
    /// A group that the configuration grants something to, as the provider names it. Whether groups
    /// may be impersonated is asked with it where that right is given by names.
    #[serde(default)]
    pub known_group: Option<String>,
}

fn kserve_namespace() -> String {
    "kserve".into()
}

/// The labels of namespaces that say whose they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    pub business_unit: String,
    pub environment: String,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            business_unit: "gatehouse.dev/business-unit".into(),
            environment: "gatehouse.dev/environment".into(),
        }
    }
}

/// How long things may take and how often they happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// One call to an API server.
    pub call: Duration,
    /// Between two looks whether the cluster is there.
    pub probe_every: Duration,
    /// One such look.
    pub probe: Duration,
    /// A look that failed is repeated after this before the cluster counts as away.
    pub probe_again: Duration,
    /// The longest pause between two tries of a watch that fails.
    pub watch_backoff: Duration,
    /// Between two tries of a kind of object that the cluster does not know.
    pub absent_again: Duration,
    /// What happens to one deployment in this time is told once.
    pub coalesce: Duration,
    /// Between two readings of the facts about a cluster.
    pub facts_every: Duration,
    /// Between two evaluations of what is not healthy: some states depend on time alone.
    pub review_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            probe_every: Duration::from_secs(5),
            probe: Duration::from_secs(5),
            probe_again: Duration::from_secs(1),
            watch_backoff: Duration::from_secs(15),
            absent_again: Duration::from_secs(30),
            coalesce: Duration::from_millis(200),
            facts_every: Duration::from_secs(300),
            review_every: Duration::from_secs(30),
        }
    }
}
