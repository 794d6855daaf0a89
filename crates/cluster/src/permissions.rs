//! What the console needs in a cluster, as the role in the installation guide grants it, and whether
//! it has it.

use crate::link::Cluster;
use domain::Micros;
use futures::{StreamExt as _, future::BoxFuture, stream};
use services::ports::{Permission, Permissions};
use std::time::Duration;

/// (verbs, resource, group, only in KServe's namespace, why)
type Need = (
    &'static [&'static str],
    &'static str,
    &'static str,
    bool,
    &'static str,
);

/// So long a page waits for the answers: it is worth showing without them.
const PAGE_WAITS: Duration = Duration::from_secs(2);
/// A page that is loaded again within this time asks no second time, if nothing was missing.
const GOOD_FOR: i64 = Micros::MINUTE;
/// Questions that are on their way at the same time.
const AT_ONCE: usize = 16;
/// How the reason of a right begins that the console should not have.
const NOT_NEEDED_WHY: &str = "not needed";
const SILENT: &str = "The cluster did not answer in time.";

const SEE: &[&str] = &["list", "watch"];

const NEEDS: &[Need] = &[
    (
        &["get", "list", "watch"],
        "inferenceservices",
        "serving.kserve.io",
        false,
        "to show deployments and to compare them with what was approved",
    ),
    (
        SEE,
        "servingruntimes",
        "serving.kserve.io",
        false,
        "to say which runtime serves a model",
    ),
    (
        SEE,
        "clusterservingruntimes",
        "serving.kserve.io",
        false,
        "to say which runtime serves a model",
    ),
    (
        SEE,
        "clusterstoragecontainers",
        "serving.kserve.io",
        false,
        "to know which storage addresses work here",
    ),
    (
        SEE,
        "deployments",
        "apps",
        false,
        "to see whether a rollout is done",
    ),
    (
        SEE,
        "pods",
        "",
        false,
        "to say why something does not start, and how full nodes are",
    ),
    (
        SEE,
        "events",
        "",
        false,
        "to say why something does not start",
    ),
    (SEE, "nodes", "", false, "to say whether a model fits"),
    (
        &["get", "list", "watch"],
        "namespaces",
        "",
        false,
        "to know whose a namespace is, and which cluster this is",
    ),
    (
        SEE,
        "resourcequotas",
        "",
        false,
        "to say how much room a namespace has",
    ),
    (
        SEE,
        "limitranges",
        "",
        false,
        "to know what a namespace fills in and bounds",
    ),
    (
        SEE,
        "httproutes",
        "gateway.networking.k8s.io",
        false,
        "to show the weights of canaries as they are",
    ),
    (SEE, "configmaps", "", true, "to know how KServe is set up"),
    (
        &["get"],
        "deployments",
        "apps",
        true,
        "to know the version of KServe",
    ),
    (
        &["impersonate"],
        "users",
        "",
        false,
        "to act with a person's rights and never with its own",
    ),
    (
        &["impersonate"],
        "groups",
        "",
        false,
        "to act with a person's rights and never with its own",
    ),
    (
        &["create"],
        "subjectaccessreviews",
        "authorization.k8s.io",
        false,
        "to know what a person may do before they try",
    ),
];

/// What it must not have: rights of its own to change what serves.
const NOT_NEEDED: &[Need] = &[(
    &["create", "patch", "update", "delete"],
    "inferenceservices",
    "serving.kserve.io",
    false,
    "not needed: changes are made with the rights of the person who decided; take this right away",
)];

impl Cluster {
    /// Asks the cluster about each need, all within one time limit. What it does not say in time is
    /// what it said before, or unknown.
    pub async fn own_permissions(&self) -> Permissions {
        let known = self.permissions();
        let now = self.clock.now();
        let good = |p: &Permissions| {
            p.as_of.is_some_and(|t| now.since(t) < GOOD_FOR)
                && p.all.iter().all(|one| one.allowed == Some(true))
        };
        if let Some(known) = known.as_ref().filter(|p| good(p)) {
            return known.clone();
        }
        self.ask_within(PAGE_WAITS, known).await
    }

    pub(crate) async fn ask_within(
        &self,
        within: Duration,
        known: Option<Permissions>,
    ) -> Permissions {
        let asked = tokio::time::timeout(within, self.ask_all()).await;
        let said_all = |all: &[Permission]| all.iter().all(|p| p.allowed.is_some());
        match (asked, known) {
            (Ok(all), _) if said_all(&all) => {
                let answer = Permissions {
                    all: worth_a_line(all),
                    as_of: Some(self.clock.now()),
                    problem: None,
                };
                self.set_permissions(answer.clone());
                answer
            }
            (_, Some(before)) => Permissions {
                problem: Some(SILENT.to_owned()),
                ..before
            },
            (asked, None) => Permissions {
                all: asked.map_or_else(|_| self.unknown(), worth_a_line),
                as_of: None,
                problem: Some(SILENT.to_owned()),
            },
        }
    }

    fn unknown(&self) -> Vec<Permission> {
        questions(NEEDS)
            .map(|(need, verb)| self.line(need, verb, None))
            .collect()
    }

    async fn ask_all(&self) -> Vec<Permission> {
        let all: Vec<BoxFuture<'_, Permission>> = questions(NEEDS)
            .chain(questions(NOT_NEEDED))
            .map(|(need, verb)| -> BoxFuture<'_, Permission> { Box::pin(self.ask_one(need, verb)) })
            .collect();
        stream::iter(all).buffered(AT_ONCE).collect().await
    }

    async fn ask_one(&self, need: &'static Need, verb: &'static str) -> Permission {
        let (_, resource, group, in_kserve, _) = need;
        let namespace = self.namespace_of(*in_kserve);
        let mut allowed = self.own_right(group, resource, verb, namespace, "").await;
        // The right may be given by names, as the roles advise: then the question without one is denied.
        let by_name = self
            .known_group()
            .filter(|_| (verb, *resource) == ("impersonate", "groups"));
        if let (Some(false), Some(name)) = (allowed, &by_name) {
            allowed = self.own_right(group, resource, verb, namespace, name).await;
            if allowed == Some(true) {
                let mut line = self.line(need, verb, allowed);
                line.what += &format!(" (as asked for {name})");
                return line;
            }
        }
        self.line(need, verb, allowed)
    }

    /// A group that the configuration names, as this cluster knows it.
    fn known_group(&self) -> Option<String> {
        let name = self.config.known_group.as_ref()?;
        Some(format!("{}{name}", self.config.group_prefix)).filter(|n| !n.starts_with("system:"))
    }

    fn namespace_of(&self, in_kserve: bool) -> &str {
        if in_kserve {
            &self.config.kserve_namespace
        } else {
            ""
        }
    }

    fn line(&self, need: &Need, verb: &str, allowed: Option<bool>) -> Permission {
        let (_, resource, group, in_kserve, why) = need;
        let dot = if group.is_empty() { "" } else { "." };
        let place = if *in_kserve {
            format!(" in {}", self.namespace_of(true))
        } else {
            String::new()
        };
        Permission {
            what: format!("{verb} {resource}{dot}{group}{place}"),
            why: (*why).to_owned(),
            allowed,
        }
    }
}

/// A right that it should not have is worth a line only where it has it.
fn worth_a_line(mut all: Vec<Permission>) -> Vec<Permission> {
    all.retain(|p| !p.why.starts_with(NOT_NEEDED_WHY) || p.allowed == Some(true));
    all
}

fn questions(needs: &'static [Need]) -> impl Iterator<Item = (&'static Need, &'static str)> + Send {
    needs
        .iter()
        .flat_map(|need| need.0.iter().map(move |verb| (need, *verb)))
}

#[cfg(test)]
#[path = "permissions_tests.rs"]
mod tests;
