//! All clusters together: what the use cases see.

use crate::{
    config::{ClusterConfig, Labels, Timing},
    link::{CLUSTER_RUNTIMES, Cluster, DEPLOYMENTS, NAMESPACES, QUOTAS, RUNTIMES},
    names::Name,
    query::Wanted,
    supervise,
};
use async_trait::async_trait;
use domain::{
    Error, Micros, Result, observed::*, person::ClusterIdentity, place::DeploymentKey,
    references::Referred, state::Code,
};
use serde_json::Value;
use services::ports::{
    Clock, Clusters, Followed, LiveEvent, ObjectVersion, Permissions, Refusal, RowFilter, Stored,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Events that a slow subscriber may fall behind; beyond, it is told that it missed some.
const BACKLOG: usize = 4096;
/// Lines made anew in one go.
const BATCH: usize = 64;
/// Rows that one call answers at most.
const MAX_ROWS: usize = 10_000;

/// The clusters of the configuration.
pub struct Fleet {
    clusters: BTreeMap<String, Arc<Cluster>>,
    events: broadcast::Sender<LiveEvent>,
    cursor: AtomicU64,
}

impl Fleet {
    /// The clusters with empty caches; [`Fleet::run`] fills them.
    ///
    /// # Errors
    /// `Invalid` when two clusters have the same name or one has a name that is no address.
    pub fn new(
        clusters: Vec<ClusterConfig>,
        labels: Labels,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Self::with_timing(clusters, labels, clock, Timing::default())
    }

    /// The same with other time limits.
    ///
    /// # Errors
    /// As [`Fleet::new`].
    pub fn with_timing(
        clusters: Vec<ClusterConfig>,
        labels: Labels,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> Result<Self> {
        let mut all = BTreeMap::new();
        for config in clusters {
            let name = config.name.clone();
            let plain = !name.is_empty()
                && name.len() <= 63
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            if !plain || name.starts_with('.') {
                return Err(Error::field(
                    "clusters.name",
                    format!(
                        "the name of a cluster consists of letters, digits, `-`, `_` and `.`; `{name}` does not"
                    ),
                ));
            }
            let cluster = Arc::new(Cluster::new(
                config,
                labels.clone(),
                timing.clone(),
                clock.clone(),
            ));
            if all.insert(name.clone(), cluster).is_some() {
                return Err(Error::field(
                    "clusters.name",
                    format!("two clusters have the name `{name}`"),
                ));
            }
        }
        // Readers remember a cursor across restarts of the console: it goes on from the time.
        let start = u64::try_from(clock.now().0).unwrap_or_default();
        Ok(Self {
            clusters: all,
            events: broadcast::Sender::new(BACKLOG),
            cursor: AtomicU64::new(start),
        })
    }

    /// Watches every cluster until told to stop. Never ends of itself, and never fails: what a
    /// cluster does wrong shows in [`Clusters::health`].
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        for cluster in self.clusters.values() {
            tasks.spawn(supervise::run(cluster.clone(), shutdown.clone()));
        }
        let tellers = self.clusters.values().map(|c| self.tell(c, &shutdown));
        futures::future::join_all(tellers).await;
        while tasks.join_next().await.is_some() {}
    }

    /// Makes lines anew and tells what changed: at once, and then not more often than agreed.
    async fn tell(&self, cluster: &Cluster, shutdown: &CancellationToken) {
        let mut stale = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = cluster.changed.notified() => loop {
                    let changed = cluster.refresh(BATCH, cluster.clock.now());
                    self.announce(cluster, &changed);
                    if cluster.data().dirty.is_empty() {
                        break;
                    }
                    tokio::task::yield_now().await;
                },
                () = tokio::time::sleep(cluster.timing.review_every) => {
                    let changed = cluster.review(cluster.clock.now());
                    self.announce(cluster, &changed);
                }
            }
            // A cluster that goes away or comes back changes what every line says.
            let now_stale = cluster.standing().stale();
            if now_stale != stale {
                stale = now_stale;
                self.announce(cluster, &cluster.shown_names(BACKLOG / 2));
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(cluster.timing.coalesce) => {}
            }
        }
    }

    fn announce(&self, cluster: &Cluster, names: &[Name]) {
        for name in names {
            let cursor = self.cursor.fetch_add(1, Ordering::SeqCst) + 1;
            // Nobody listening is not an error.
            let _ = self.events.send(LiveEvent {
                cursor,
                key: DeploymentKey::new(cluster.name(), &*name.namespace, &*name.name),
            });
        }
    }

    fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.clusters.get(name)
    }

    fn called(&self, name: &str) -> Result<&Arc<Cluster>, Refusal> {
        self.cluster(name).ok_or_else(|| Refusal::Unavailable {
            message: format!("the console knows no cluster `{name}`"),
            maybe_done: false,
        })
    }
}

#[async_trait]
impl Clusters for Fleet {
    fn names(&self) -> Vec<String> {
        self.clusters.keys().cloned().collect()
    }

    fn health(&self, now: Micros) -> Vec<ClusterHealth> {
        self.clusters
            .values()
            .map(|c| {
                let standing = c.standing().clone();
                let as_of = standing.as_of();
                let words = standing.words().map(|w| match as_of {
                    Some(at) if !standing.reachable => format!(
                        "{w}. What is shown is {} old",
                        domain::time::duration(now.since(at)).replace("now", "moments")
                    ),
                    _ => w,
                });
                ClusterHealth {
                    id: standing.id,
                    name: c.name().to_owned(),
                    reachable: standing.reachable,
                    problem: words,
                    as_of,
                    server: standing.server,
                    deployments: c.data().count(),
                }
            })
            .collect()
    }

    fn followed(&self, cluster: &str, what: Followed) -> Result<(), String> {
        let Some(c) = self.cluster(cluster) else {
            return Err(format!("the console knows no cluster `{cluster}`"));
        };
        c.standing().follows(match what {
            Followed::Deployments => &[DEPLOYMENTS],
            Followed::Namespaces => &[NAMESPACES],
            Followed::Runtimes => &[RUNTIMES, CLUSTER_RUNTIMES],
        })
    }

    fn facts(&self, cluster: &str) -> Option<Arc<ClusterFacts>> {
        self.cluster(cluster)?.facts()
    }

    fn namespaces(&self, cluster: &str) -> Vec<Namespace> {
        let Some(c) = self.cluster(cluster) else {
            return Vec::new();
        };
        c.data()
            .spaces
            .iter()
            .filter(|(_, s)| !s.scope.unit.is_empty())
            .map(|(name, s)| Namespace {
                name: name.to_string(),
                uid: s.uid.clone(),
                scope: s.scope.clone(),
            })
            .collect()
    }

    fn nodes(&self, cluster: &str) -> Vec<Node> {
        let Some(c) = self.cluster(cluster) else {
            return Vec::new();
        };
        let data = c.data();
        data.nodes
            .values()
            .map(|n| Node {
                requested: data.usage.of(&n.name),
                ..n.clone()
            })
            .collect()
    }

    fn runtimes(&self, cluster: &str, namespace: &str) -> Vec<Runtime> {
        let Some(c) = self.cluster(cluster) else {
            return Vec::new();
        };
        let data = c.data();
        let own = data
            .runtimes
            .iter()
            .filter(|(n, _)| &*n.namespace == namespace)
            .map(|(_, r)| r.clone());
        own.chain(data.cluster_runtimes.values().cloned()).collect()
    }

    fn quotas(&self, cluster: &str, namespace: &str) -> Vec<Quota> {
        let Some(c) = self.cluster(cluster) else {
            return Vec::new();
        };
        let as_of = c.standing().told.get(QUOTAS).copied();
        c.data()
            .quotas
            .iter()
            .filter(|(n, _)| &*n.namespace == namespace)
            .map(|(_, q)| Quota { as_of, ..q.clone() })
            .collect()
    }

    fn limit_ranges(&self, cluster: &str, namespace: &str) -> Vec<LimitRange> {
        let Some(c) = self.cluster(cluster) else {
            return Vec::new();
        };
        c.data()
            .limit_ranges
            .iter()
            .filter(|(n, _)| &*n.namespace == namespace)
            .map(|(_, l)| l.clone())
            .collect()
    }

    fn rows(
        &self,
        filter: &RowFilter,
        after: Option<&DeploymentKey>,
        limit: usize,
        _now: Micros,
    ) -> Vec<Row> {
        let wanted = Wanted::new(filter);
        let limit = limit.min(MAX_ROWS);
        let mut out = Vec::new();
        for (name, cluster) in &self.clusters {
            if out.len() >= limit {
                break;
            }
            let after = match after {
                Some(k) if *name < k.cluster => continue,
                Some(k) if *name == k.cluster => Some(k),
                _ => None,
            };
            if wanted.cluster(name) {
                cluster.rows(&wanted, after, limit, &mut out);
            }
        }
        out
    }

    fn counts(&self, filter: &RowFilter, _now: Micros) -> BTreeMap<Code, usize> {
        let wanted = Wanted::new(filter);
        let mut counts = BTreeMap::new();
        self.clusters
            .iter()
            .filter(|(n, _)| wanted.cluster(n))
            .for_each(|(_, c)| c.counts(&wanted, &mut counts));
        counts
    }

    fn live(&self, key: &DeploymentKey, _now: Micros) -> Option<Live> {
        self.cluster(&key.cluster)?.live(key)
    }

    fn subscribe(&self) -> broadcast::Receiver<LiveEvent> {
        self.events.subscribe()
    }

    fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::SeqCst)
    }

    fn identity(
        &self,
        cluster: &str,
        username: &str,
        groups: &[String],
    ) -> Result<ClusterIdentity> {
        let c = self
            .cluster(cluster)
            .ok_or_else(|| Error::not_found(format!("the console knows no cluster `{cluster}`")))?;
        let who = ClusterIdentity::map(
            username,
            groups,
            &c.config.user_prefix,
            &c.config.group_prefix,
        )?;
        crate::identity::headers(&who).map_err(Error::forbidden)?;
        Ok(who)
    }

    async fn dry_run(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
    ) -> Result<Stored, Refusal> {
        self.called(cluster)?.dry_run(who, object).await
    }

    async fn apply(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
        over: Option<&ObjectVersion>,
    ) -> Result<Stored, Refusal> {
        self.called(cluster)?.apply_as(who, object, over).await
    }

    async fn delete(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        object: &Value,
        what: &ObjectVersion,
    ) -> Result<(), Refusal> {
        self.called(cluster)?.delete_as(who, object, what).await
    }

    async fn read(&self, cluster: &str, key: &DeploymentKey) -> Result<Option<Value>, Refusal> {
        self.called(cluster)?.read_now(key).await
    }

    async fn can(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        verb: &str,
        namespace: &str,
    ) -> Result<bool, Refusal> {
        self.called(cluster)?.may(who, verb, namespace).await
    }

    async fn secrets(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        namespace: &str,
    ) -> Result<Vec<(String, Vec<String>)>, Refusal> {
        self.called(cluster)?.secret_names(who, namespace).await
    }

    async fn exists(
        &self,
        cluster: &str,
        who: &ClusterIdentity,
        namespace: &str,
        kind: Referred,
        name: &str,
    ) -> Result<bool, Refusal> {
        self.called(cluster)?
            .is_there(who, namespace, kind, name)
            .await
    }

    async fn permissions(&self, cluster: &str) -> Permissions {
        match self.cluster(cluster) {
            Some(c) => c.own_permissions().await,
            None => Permissions::default(),
        }
    }
}
