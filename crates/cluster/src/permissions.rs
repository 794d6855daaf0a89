//! What the console needs in a cluster, as the role in the installation guide grants it, and whether
//! it has it.

use crate::link::Cluster;
use futures::{StreamExt as _, future::BoxFuture, stream};
use services::ports::Permission;

/// (verbs, resource, group, namespace, why)
type Need = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const SEE: &[&str] = &["list", "watch"];

const NEEDS: &[Need] = &[
    (
        &["get", "list", "watch"],
        "inferenceservices",
        "serving.kserve.io",
        "",
        "to show deployments and to compare them with what was approved",
    ),
    (
        SEE,
        "servingruntimes",
        "serving.kserve.io",
        "",
        "to say which runtime serves a model",
    ),
    (
        SEE,
        "clusterservingruntimes",
        "serving.kserve.io",
        "",
        "to say which runtime serves a model",
    ),
    (
        SEE,
        "clusterstoragecontainers",
        "serving.kserve.io",
        "",
        "to know which storage addresses work here",
    ),
    (
        SEE,
        "deployments",
        "apps",
        "",
        "to see whether a rollout is done",
    ),
    (
        SEE,
        "pods",
        "",
        "",
        "to say why something does not start, and how full nodes are",
    ),
    (SEE, "events", "", "", "to say why something does not start"),
    (SEE, "nodes", "", "", "to say whether a model fits"),
    (
        &["get", "list", "watch"],
        "namespaces",
        "",
        "",
        "to know whose a namespace is, and which cluster this is",
    ),
    (
        SEE,
        "resourcequotas",
        "",
        "",
        "to say how much room a namespace has",
    ),
    (
        SEE,
        "limitranges",
        "",
        "",
        "to know what a namespace fills in and bounds",
    ),
    (
        SEE,
        "httproutes",
        "gateway.networking.k8s.io",
        "",
        "to show the weights of canaries as they are",
    ),
    (
        SEE,
        "configmaps",
        "",
        "kserve",
        "to know how KServe is set up",
    ),
    (
        &["get"],
        "deployments",
        "apps",
        "kserve",
        "to know the version of KServe",
    ),
    (
        &["impersonate"],
        "users",
        "",
        "",
        "to act with a person's rights and never with its own",
    ),
    (
        &["impersonate"],
        "groups",
        "",
        "",
        "to act with a person's rights and never with its own",
    ),
    (
        &["create"],
        "subjectaccessreviews",
        "authorization.k8s.io",
        "",
        "to know what a person may do before they try",
    ),
];

/// What it must not have: rights of its own to change what serves.
const NOT_NEEDED: &[Need] = &[(
    &["create", "patch", "update", "delete"],
    "inferenceservices",
    "serving.kserve.io",
    "",
    "not needed: changes are made with the rights of the person who decided; take this right away",
)];

impl Cluster {
    /// Asks the cluster about each need, a few at a time.
    pub async fn own_permissions(&self) -> Vec<Permission> {
        let mut answers = self.ask_all(NEEDS).await;
        // A right that it should not have is worth a line only where it has it.
        answers.extend(
            self.ask_all(NOT_NEEDED)
                .await
                .into_iter()
                .filter(|p| p.allowed == Some(true)),
        );
        answers
    }

    async fn ask_all(&self, needs: &'static [Need]) -> Vec<Permission> {
        let mut questions: Vec<BoxFuture<'_, Permission>> = Vec::new();
        for need in needs {
            for verb in need.0 {
                questions.push(Box::pin(self.ask_one(need, verb)));
            }
        }
        stream::iter(questions).buffered(8).collect().await
    }

    async fn ask_one(
        &self,
        (_, resource, group, namespace, why): &'static Need,
        verb: &'static str,
    ) -> Permission {
        let allowed = self.own_right(group, resource, verb, namespace).await;
        let dot = if group.is_empty() { "" } else { "." };
        let place = if namespace.is_empty() {
            String::new()
        } else {
            format!(" in {namespace}")
        };
        Permission {
            what: format!("{verb} {resource}{dot}{group}{place}"),
            why: (*why).to_owned(),
            allowed,
        }
    }
}
