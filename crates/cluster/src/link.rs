//! One cluster: its cache, how the console stands with it, and what waits for changes.

use crate::{
    cache::Data,
    config::{ClusterConfig, Labels, Timing},
    connect::Connection,
};
use domain::{Micros, ids::ClusterId, observed::ClusterFacts};
use services::ports::{Clock, Permissions};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tokio::sync::Notify;

/// How the watch of one kind of object goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Watching {
    /// The first list has not arrived yet.
    Starting,
    Running,
    /// The cluster does not know this kind: a fact, not a failure.
    Absent,
    /// Why not, in words, and since when.
    Broken {
        problem: String,
        since: Micros,
    },
}

/// How the console stands with the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub id: Option<ClusterId>,
    pub reachable: bool,
    pub problem: Option<String>,
    /// When it last said anything, be it only that it is there.
    pub heard: Option<Micros>,
    /// When the watch of each kind was last answered.
    pub told: BTreeMap<&'static str, Micros>,
    pub server: String,
    pub watches: BTreeMap<&'static str, Watching>,
    /// Kinds of which something was seen.
    pub filled: BTreeSet<&'static str>,
}

/// The resource whose watch decides whether the list of deployments is fresh.
pub(crate) const DEPLOYMENTS: &str = "inferenceservices.serving.kserve.io";
/// Those that what is applied is checked against.
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const RUNTIMES: &str = "servingruntimes.serving.kserve.io";
pub(crate) const CLUSTER_RUNTIMES: &str = "clusterservingruntimes.serving.kserve.io";
/// Those whose figures are shown with their age.
pub(crate) const QUOTAS: &str = "resourcequotas";

/// The resources that a deployment's line is made of: its state is computed from its children, and
/// who may see it from its namespace.
const SHOWN: [&str; 5] = [
    DEPLOYMENTS,
    "deployments.apps",
    "pods",
    "httproutes.gateway.networking.k8s.io",
    NAMESPACES,
];

impl Standing {
    /// Is what is shown of deployments older than it looks?
    pub fn stale(&self) -> bool {
        let broken = |kind| matches!(self.watches.get(kind), Some(Watching::Broken { .. }));
        !self.reachable || SHOWN.into_iter().any(broken)
    }

    /// From when what is shown of deployments is: from when the one of their watches was answered
    /// that was so longest ago. That the cluster is there says nothing of a watch that hangs.
    pub fn as_of(&self) -> Option<Micros> {
        SHOWN
            .into_iter()
            .filter(|kind| {
                matches!(
                    self.watches.get(kind),
                    Some(Watching::Running | Watching::Broken { .. })
                )
            })
            .filter_map(|kind| self.told.get(kind))
            .min()
            .copied()
            .or(self.heard)
    }

    /// Are these kinds followed right now, so that what is kept of them is what there is?
    ///
    /// # Errors
    /// Why not, in words.
    pub fn follows(&self, kinds: &[&str]) -> Result<(), String> {
        if !self.reachable {
            return Err(self
                .words()
                .unwrap_or_else(|| "the cluster does not answer".into()));
        }
        for kind in kinds {
            match self.watches.get(*kind) {
                Some(Watching::Running | Watching::Absent) => {}
                Some(Watching::Broken { problem, .. }) => {
                    return Err(format!("{kind} cannot be followed: {problem}"));
                }
                Some(Watching::Starting) | None => {
                    return Err(format!("{kind} have not been listed yet"));
                }
            }
        }
        Ok(())
    }

    /// What is wrong, the gravest first.
    pub fn words(&self) -> Option<String> {
        if let Some(p) = &self.problem {
            return Some(p.clone());
        }
        let broken: Vec<String> = self
            .watches
            .iter()
            .filter_map(|(kind, w)| match w {
                Watching::Broken { problem, .. } => Some(format!("{kind}: {problem}")),
                _ => None,
            })
            .collect();
        if !broken.is_empty() {
            return Some(broken.join("; "));
        }
        matches!(self.watches.get(DEPLOYMENTS), Some(Watching::Absent)).then(|| {
            "KServe is not installed in this cluster (it knows no InferenceServices)".to_owned()
        })
    }
}

/// One cluster of the fleet.
pub(crate) struct Cluster {
    pub config: ClusterConfig,
    pub labels: Labels,
    pub timing: Timing,
    pub clock: Arc<dyn Clock>,
    data: RwLock<Data>,
    standing: RwLock<Standing>,
    connection: RwLock<Option<Connection>>,
    facts: RwLock<Option<Arc<ClusterFacts>>>,
    /// What the console may do, as the cluster said last.
    permissions: RwLock<Option<Permissions>>,
    /// Something is dirty.
    pub changed: Notify,
    /// The cluster is back: whoever pauses may try at once.
    pub back: Notify,
    /// Something that the facts depend on changed.
    pub facts_due: Notify,
}

impl Cluster {
    pub fn new(
        config: ClusterConfig,
        labels: Labels,
        timing: Timing,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            config,
            labels,
            timing,
            clock,
            data: RwLock::default(),
            standing: RwLock::new(Standing {
                problem: Some("the console has not reached this cluster yet".into()),
                ..Default::default()
            }),
            connection: RwLock::default(),
            facts: RwLock::default(),
            permissions: RwLock::default(),
            changed: Notify::new(),
            back: Notify::new(),
            facts_due: Notify::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    // A thread that panicked while it held one of these locks left whole values behind: every
    // change is a single insert or remove. So poisoning is no reason to stop.
    pub fn data(&self) -> RwLockReadGuard<'_, Data> {
        self.data
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub fn data_mut(&self) -> RwLockWriteGuard<'_, Data> {
        self.data
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub fn standing(&self) -> RwLockReadGuard<'_, Standing> {
        self.standing
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub fn standing_mut(&self) -> RwLockWriteGuard<'_, Standing> {
        self.standing
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub fn connection(&self) -> Option<Connection> {
        self.connection
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
    pub fn set_connection(&self, connection: Option<Connection>) {
        *self
            .connection
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = connection;
    }
    pub fn facts(&self) -> Option<Arc<ClusterFacts>> {
        self.facts
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
    pub fn set_facts(&self, facts: ClusterFacts) {
        *self
            .facts
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(facts));
    }

    pub fn permissions(&self) -> Option<Permissions> {
        self.permissions
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
    pub fn set_permissions(&self, permissions: Permissions) {
        *self
            .permissions
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(permissions);
    }

    /// The cluster answered the watch of this kind just now.
    pub fn told(&self, kind: &'static str) {
        let now = self.clock.now();
        let mut standing = self.standing_mut();
        standing.heard = Some(now);
        standing.told.insert(kind, now);
    }

    /// The cluster's identity, as soon as it is known.
    pub fn id(&self) -> ClusterId {
        self.standing()
            .id
            .clone()
            .unwrap_or_else(|| ClusterId(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_followed_now_may_be_relied_on() {
        let kinds = [NAMESPACES, RUNTIMES];
        let mut standing = Standing {
            problem: Some("away".into()),
            ..Default::default()
        };
        assert_eq!(standing.follows(&kinds), Err("away".into()));
        standing.reachable = true;
        standing.problem = None;
        standing.watches.insert(NAMESPACES, Watching::Running);
        assert!(standing.follows(&kinds).is_err(), "one was never listed");
        standing.watches.insert(RUNTIMES, Watching::Starting);
        assert!(standing.follows(&kinds).is_err(), "one is being listed");
        standing.watches.insert(RUNTIMES, Watching::Absent);
        assert_eq!(standing.follows(&kinds), Ok(()));
        let broken = Watching::Broken {
            problem: "forbidden".into(),
            since: Micros(0),
        };
        standing.watches.insert(NAMESPACES, broken);
        let why = standing.follows(&kinds).unwrap_err();
        assert!(
            why.contains("namespaces") && why.contains("forbidden"),
            "{why}"
        );
        assert_eq!(standing.follows(&[RUNTIMES]), Ok(()));
    }

    fn standing() -> Standing {
        Standing {
            reachable: true,
            heard: Some(Micros(100)),
            told: SHOWN.into_iter().zip((10..).map(Micros)).collect(),
            watches: SHOWN
                .into_iter()
                .map(|kind| (kind, Watching::Running))
                .collect(),
            ..Default::default()
        }
    }

    #[test]
    fn a_line_is_stale_when_the_watch_of_anything_that_it_is_made_of_is_broken() {
        assert!(!standing().stale());
        for kind in SHOWN {
            let mut s = standing();
            let problem = "the cluster does not answer".to_owned();
            s.watches.insert(
                kind,
                Watching::Broken {
                    problem,
                    since: Micros(1),
                },
            );
            assert!(s.stale(), "{kind}");
        }
        let mut s = standing();
        s.watches.insert("resourcequotas", Watching::Absent);
        s.watches.insert(SHOWN[3], Watching::Absent);
        assert!(!s.stale(), "what a cluster does not have is not old");
    }

    #[test]
    fn a_line_is_as_old_as_its_oldest_watch() {
        assert_eq!(standing().as_of(), Some(Micros(10)));
        let mut s = standing();
        // Not installed: nothing of it is shown.
        s.watches.insert(DEPLOYMENTS, Watching::Absent);
        assert_eq!(s.as_of(), Some(Micros(11)));
        s.watches.clear();
        assert_eq!(s.as_of(), Some(Micros(100)), "before the first list");
    }
}
