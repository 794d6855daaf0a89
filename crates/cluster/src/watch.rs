//! Watching one kind of object: list, then follow, and start over when the thread is lost.

use crate::{
    cache::Change,
    link::{Cluster, Watching},
    names::Name,
};
use futures::{StreamExt as _, pin_mut};
use kube::{
    Api, Client, Resource,
    core::Status,
    runtime::watcher::{Config, Error, Event, watcher},
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Failures in a row after which a watch counts as broken; one is a hiccup.
const HICCUPS: u32 = 3;

/// A watch of one kind: how to read its objects and where to put them.
pub(crate) struct Watch<K, D, P> {
    /// `inferenceservices.serving.kserve.io`
    pub kind: &'static str,
    pub api: Api<K>,
    pub config: Config,
    /// What is kept of an object; `None` for those that are of no interest.
    pub read: D,
    pub put: P,
}

/// A client for the watch of one kind: each answer that it gets, be it only a quiet watch that is
/// taken up again, tells how old what is shown of the kind can be.
pub(crate) fn noted(client: &Client, cluster: &Arc<Cluster>, kind: &'static str) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (client, cluster) = (client.clone(), cluster.clone());
    let noting = tower::service_fn(move |request| {
        let (client, cluster) = (client.clone(), cluster.clone());
        async move {
            let answer = client.send(request).await?;
            if answer.status().is_success() {
                cluster.told(kind);
            }
            Ok::<_, kube::Error>(answer)
        }
    });
    Client::new(noting, namespace)
}

/// A list that is being collected: nothing of it counts before it is complete.
type Collected<T> = Option<Vec<(Name, T)>>;

impl<K, D, P> Watch<K, D, P>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// Runs until told to stop. Never gives up: what fails is tried again, after a pause that grows.
    pub async fn run<T>(self, cluster: Arc<Cluster>, stop: CancellationToken)
    where
        T: Send,
        D: Fn(&K) -> Option<T> + Send + Sync,
        P: Fn(&Cluster, Change<T>) + Send + Sync,
    {
        cluster
            .standing_mut()
            .watches
            .insert(self.kind, Watching::Starting);
        let mut failures = 0u32;
        let mut asked_again = false;
        loop {
            let stream = watcher(self.api.clone(), self.config.clone());
            pin_mut!(stream);
            let mut list: Collected<T> = None;
            loop {
                let event = tokio::select! {
                    () = stop.cancelled() => return,
                    event = stream.next() => event,
                };
                match event {
                    None => break,
                    Some(Err(error)) => {
                        let wait = self.failed(&cluster, &error, failures);
                        failures = failures.saturating_add(1);
                        if rest(&cluster, &stop, wait).await {
                            return;
                        }
                        // A watch that resumes says nothing until something changes; only a new
                        // list proves that what counts as broken is well again.
                        if !self.well(&cluster) {
                            break;
                        }
                    }
                    Some(Ok(Event::InitDone)) => {
                        let complete = list.take().unwrap_or_default();
                        failures = 0;
                        if complete.is_empty() && self.filled(&cluster) && !asked_again {
                            // Absence of an answer is no answer: nothing where there was something is
                            // believed only when a second list, made anew, says the same.
                            tracing::warn!(
                                cluster = cluster.name(),
                                kind = self.kind,
                                "an empty list where there was something; asking again"
                            );
                            asked_again = true;
                            if rest(&cluster, &stop, cluster.timing.probe_again).await {
                                return;
                            }
                            break;
                        }
                        asked_again = false;
                        self.fill(&cluster, !complete.is_empty());
                        (self.put)(&cluster, Change::All(complete));
                        self.running(&cluster);
                    }
                    Some(Ok(Event::Init)) => list = Some(Vec::new()),
                    Some(Ok(Event::InitApply(object))) => {
                        if let (Some(list), Some(value)) = (list.as_mut(), (self.read)(&object)) {
                            list.push((name(&cluster, &object), value));
                        }
                    }
                    Some(Ok(Event::Apply(object))) => {
                        failures = 0;
                        let n = name(&cluster, &object);
                        match (self.read)(&object) {
                            Some(value) => {
                                self.fill(&cluster, true);
                                (self.put)(&cluster, Change::Put(n, value));
                            }
                            None => (self.put)(&cluster, Change::Gone(n)),
                        }
                        self.running(&cluster);
                    }
                    Some(Ok(Event::Delete(object))) => {
                        failures = 0;
                        (self.put)(&cluster, Change::Gone(name(&cluster, &object)));
                        self.running(&cluster);
                    }
                }
            }
        }
    }

    fn well(&self, cluster: &Cluster) -> bool {
        cluster.standing().watches.get(self.kind) == Some(&Watching::Running)
    }

    fn filled(&self, cluster: &Cluster) -> bool {
        cluster.standing().filled.contains(self.kind)
    }

    fn fill(&self, cluster: &Cluster, filled: bool) {
        if self.filled(cluster) != filled {
            let mut standing = cluster.standing_mut();
            if filled {
                standing.filled.insert(self.kind);
            } else {
                standing.filled.remove(self.kind);
            }
        }
    }

    fn running(&self, cluster: &Cluster) {
        if cluster.standing().watches.get(self.kind) != Some(&Watching::Running) {
            cluster
                .standing_mut()
                .watches
                .insert(self.kind, Watching::Running);
        }
        cluster.told(self.kind);
        cluster.changed.notify_one();
    }

    /// Notes what failed and answers how long to wait.
    fn failed(&self, cluster: &Cluster, error: &Error, failures: u32) -> Duration {
        tracing::debug!(
            cluster = cluster.name(),
            kind = self.kind,
            error = error as &dyn std::error::Error,
            "a watch failed"
        );
        let backoff =
            (FIRST_PAUSE * 2u32.saturating_pow(failures.min(10))).min(cluster.timing.watch_backoff);
        let (state, wait) = match status(error) {
            // The place in the history is too old: the next list is the answer.
            Some(s) if s.code == 410 => return Duration::ZERO,
            Some(s) if s.code == 404 && !self.filled(cluster) => {
                (Some(Watching::Absent), cluster.timing.absent_again)
            }
            Some(s) if s.code == 404 => (
                Some(self.broken(
                    cluster,
                    "the cluster does not know this kind any more".into(),
                )),
                backoff,
            ),
            Some(s) if s.code == 403 => (
                Some(self.broken(
                    cluster,
                    "the console may not list and watch them here".into(),
                )),
                cluster.timing.watch_backoff,
            ),
            Some(s) if s.code == 401 => (
                Some(self.broken(
                    cluster,
                    "the cluster does not accept the console's credentials".into(),
                )),
                backoff,
            ),
            _ => (
                (failures + 1 >= HICCUPS)
                    .then(|| self.broken(cluster, "the cluster does not answer".into())),
                backoff,
            ),
        };
        if let Some(state) = state {
            let known = cluster.standing().watches.get(self.kind).cloned();
            let same = match (&known, &state) {
                (
                    Some(Watching::Broken { problem: a, .. }),
                    Watching::Broken { problem: b, .. },
                ) => a == b,
                (Some(a), b) => a == b,
                _ => false,
            };
            if !same {
                tracing::info!(cluster = cluster.name(), kind = self.kind, state = ?state, "a watch changed");
                cluster.standing_mut().watches.insert(self.kind, state);
                cluster.changed.notify_one();
            }
        }
        wait
    }

    fn broken(&self, cluster: &Cluster, problem: String) -> Watching {
        Watching::Broken {
            problem,
            since: cluster.clock.now(),
        }
    }
}

fn name<K: Resource>(cluster: &Cluster, object: &K) -> Name {
    let meta = object.meta();
    cluster.data_mut().name(
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

fn status(error: &Error) -> Option<&Status> {
    match error {
        Error::WatchError(s) => Some(s),
        Error::InitialListFailed(e) | Error::WatchStartFailed(e) | Error::WatchFailed(e) => match e
        {
            kube::Error::Api(s) => Some(s),
            _ => None,
        },
        Error::NoResourceVersion => None,
    }
}

/// Waits, shorter when the cluster comes back; `true`: stop.
async fn rest(cluster: &Cluster, stop: &CancellationToken, wait: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(wait) => false,
        () = cluster.back.notified() => false,
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
