//! What the console knows of one cluster. Watches put into it, pages read from it; nothing here
//! waits for anything.

use crate::{
    few::Few,
    names::{Interner, Name},
    pack::Packed,
    shown::Shown,
    usage::{Requests, Usage},
};
use domain::{access::Scope, observed::*, quantity::Quantity, state::Code};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Events kept of one deployment; older ones make room.
pub(crate) const EVENTS_KEPT: usize = 50;
/// Events kept that came before the object that they are about.
const EVENTS_WAITING: usize = 500;

/// Kinds whose objects belong to a deployment, by name where nothing else tells.
const OWNED: &[&str] = &[
    "InferenceService",
    "Pod",
    "Deployment",
    "ReplicaSet",
    "HorizontalPodAutoscaler",
    "ScaledObject",
    "Service",
    "HTTPRoute",
];

/// What a watch of one kind reports.
pub(crate) enum Change<T> {
    Put(Name, T),
    Gone(Name),
    /// A complete list: what is not in it is gone.
    All(Vec<(Name, T)>),
}

/// A namespace and whose it is.
#[derive(Clone, PartialEq)]
pub(crate) struct Space {
    pub uid: String,
    pub scope: Scope,
}

/// One deployment with everything that belongs to it. Children may come before their parent.
#[derive(Default)]
pub(crate) struct Entry {
    pub object: Option<Packed<Value>>,
    pub workloads: Few<Workload>,
    pub pods: Few<Pod>,
    pub routes: Few<Route>,
    /// By the event object's name, oldest first.
    pub events: Few<Event>,
    /// The line in the list, made when something changed; by [`Data::show`] alone, which counts it.
    shown: Option<Arc<Shown>>,
}

impl Entry {
    pub fn shown(&self) -> Option<&Arc<Shown>> {
        self.shown.as_ref()
    }

    fn is_empty(&self) -> bool {
        self.object.is_none()
            && self.workloads.is_empty()
            && self.pods.is_empty()
            && self.routes.is_empty()
            && self.events.is_empty()
    }
}

/// A pod as the sums of nodes need it, and where its full form is.
pub(crate) struct PodSeen {
    pub owner: Option<Arc<str>>,
    pub node: Option<Arc<str>>,
    pub requests: Requests,
}

/// What a pod's watch puts: its deployment (with its full form) and what it asks of its node.
pub(crate) struct PodPut {
    pub owner: Option<(String, Packed<Pod>)>,
    pub node: Option<String>,
    pub requests: BTreeMap<String, Quantity>,
}

/// A child of a deployment with the deployment's name.
pub(crate) struct Child<T> {
    pub owner: String,
    pub value: Packed<T>,
}

/// An event and the object that it is about.
pub(crate) struct EventPut {
    pub kind: String,
    pub object: String,
    pub value: Packed<Event>,
}

/// Prefixes and regular expressions of storage addresses.
pub(crate) type UriFormats = (Vec<String>, Vec<String>);

/// `inferenceservice-config`, as far as it says what KServe will do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KserveSettings {
    pub default_mode: Option<String>,
    /// The default mode has its name from before KServe 0.16.
    pub older_mode_names: bool,
    pub gateway_api: Option<bool>,
    pub modelcar: Option<bool>,
    pub oci_fetch: Option<bool>,
    pub oci_mode: Option<String>,
}

/// The cache of one cluster.
#[derive(Default)]
pub(crate) struct Data {
    interner: Interner,
    pub spaces: BTreeMap<Arc<str>, Space>,
    pub deployments: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Entry>>,
    /// How many lines of each namespace are in which state, so that no page walks all of them.
    pub states: BTreeMap<Arc<str>, BTreeMap<Code, usize>>,
    workload_owner: BTreeMap<Name, Arc<str>>,
    route_owner: BTreeMap<Name, Arc<str>>,
    event_owner: BTreeMap<Name, Arc<str>>,
    waiting_events: VecDeque<(Name, EventPut)>,
    pods: BTreeMap<Name, PodSeen>,
    shared_requests: BTreeSet<Requests>,
    pub usage: Usage,
    pub nodes: BTreeMap<Name, Node>,
    pub quotas: BTreeMap<Name, Quota>,
    pub limit_ranges: BTreeMap<Name, LimitRange>,
    pub runtimes: BTreeMap<Name, Runtime>,
    pub cluster_runtimes: BTreeMap<Name, Runtime>,
    pub storage: BTreeMap<Name, UriFormats>,
    pub settings: Option<KserveSettings>,
    /// Deployments whose line must be made anew.
    pub dirty: BTreeSet<Name>,
}

impl Data {
    /// The name, held once.
    pub fn name(&mut self, namespace: &str, name: &str) -> Name {
        Name {
            namespace: self.interner.get(namespace),
            name: name.into(),
        }
    }

    pub fn entry(&self, namespace: &str, name: &str) -> Option<&Entry> {
        self.deployments.get(namespace)?.get(name)
    }

    /// Deployments that exist (children alone do not count).
    pub fn count(&self) -> usize {
        self.deployments
            .values()
            .flat_map(BTreeMap::values)
            .filter(|e| e.object.is_some())
            .count()
    }

    /// Puts the line of a deployment in place of the one before. Answers whether there was one;
    /// `None` where nothing is known of the deployment any more.
    pub fn show(&mut self, name: &Name, line: Option<Arc<Shown>>) -> Option<bool> {
        let entry = self
            .deployments
            .get_mut(&name.namespace)?
            .get_mut(&name.name)?;
        let state = line.as_ref().map(|l| l.row.state);
        let was = std::mem::replace(&mut entry.shown, line);
        if let Some(was) = &was {
            self.uncount(&name.namespace, was.row.state);
        }
        if let Some(state) = state {
            let states = self.states.entry(name.namespace.clone()).or_default();
            *states.entry(state).or_default() += 1;
        }
        Some(was.is_some())
    }

    fn uncount(&mut self, namespace: &Arc<str>, state: Code) {
        let Some(states) = self.states.get_mut(namespace) else {
            return;
        };
        if let Some(n) = states.get_mut(&state) {
            *n -= 1;
        }
        states.retain(|_, n| *n > 0);
        if states.is_empty() {
            self.states.remove(namespace);
        }
    }

    fn touch(&mut self, namespace: &Arc<str>, name: &Arc<str>, with: impl FnOnce(&mut Entry)) {
        let space = self.deployments.entry(namespace.clone()).or_default();
        let key = space
            .get_key_value(name)
            .map_or_else(|| name.clone(), |(k, _)| k.clone());
        let entry = space.entry(key.clone()).or_default();
        with(entry);
        if entry.is_empty() {
            let gone = space.remove(&key).and_then(|e| e.shown);
            if space.is_empty() {
                self.deployments.remove(namespace);
            }
            if let Some(gone) = gone {
                self.uncount(namespace, gone.row.state);
            }
        }
        self.dirty.insert(Name {
            namespace: namespace.clone(),
            name: key,
        });
    }

    pub fn objects(&mut self, change: Change<Packed<Value>>) {
        match change {
            Change::Put(n, object) => {
                let known = self
                    .entry(&n.namespace, &n.name)
                    .and_then(|e| e.object.as_ref());
                let new = known.is_none();
                if known != Some(&object) {
                    self.touch(&n.namespace, &n.name, |e| e.object = Some(object));
                }
                if new {
                    self.retry_events(&n.namespace);
                }
            }
            Change::Gone(n) => {
                if self
                    .entry(&n.namespace, &n.name)
                    .is_some_and(|e| e.object.is_some())
                {
                    self.touch(&n.namespace, &n.name, |e| e.object = None);
                }
            }
            Change::All(list) => {
                let kept: BTreeSet<Name> = list.iter().map(|(n, _)| n.clone()).collect();
                for gone in self
                    .known_objects()
                    .into_iter()
                    .filter(|n| !kept.contains(n))
                {
                    self.objects(Change::Gone(gone));
                }
                list.into_iter()
                    .for_each(|(n, o)| self.objects(Change::Put(n, o)));
            }
        }
    }

    fn known_objects(&self) -> Vec<Name> {
        let of = |ns: &Arc<str>, m: &BTreeMap<Arc<str>, Entry>| -> Vec<Name> {
            m.iter()
                .filter(|(_, e)| e.object.is_some())
                .map(|(n, _)| Name {
                    namespace: ns.clone(),
                    name: n.clone(),
                })
                .collect()
        };
        self.deployments
            .iter()
            .flat_map(|(ns, m)| of(ns, m))
            .collect()
    }

    pub fn workloads(&mut self, change: Change<Child<Workload>>) {
        self.children(change, |d| &mut d.workload_owner, |e| &mut e.workloads);
    }

    pub fn routes(&mut self, change: Change<Child<Route>>) {
        self.children(change, |d| &mut d.route_owner, |e| &mut e.routes);
    }

    fn children<T>(
        &mut self,
        change: Change<Child<T>>,
        index: fn(&mut Self) -> &mut BTreeMap<Name, Arc<str>>,
        slot: fn(&mut Entry) -> &mut Few<T>,
    ) {
        match change {
            Change::Put(n, child) => {
                let owner = self.interner.get(&child.owner);
                if index(self).get(&n).is_some_and(|known| *known != owner) {
                    self.children(Change::Gone(n.clone()), index, slot);
                }
                index(self).insert(n.clone(), owner.clone());
                let known = self
                    .deployments
                    .get_mut(&n.namespace)
                    .and_then(|s| s.get_mut(&owner));
                if known.is_some_and(|e| slot(e).get(&n.name) == Some(&child.value)) {
                    return;
                }
                self.touch(&n.namespace, &owner, |e| {
                    slot(e).put(&n.name, child.value);
                });
            }
            Change::Gone(n) => {
                if let Some(owner) = index(self).remove(&n) {
                    self.touch(&n.namespace, &owner, |e| {
                        slot(e).remove(&n.name);
                    });
                }
            }
            Change::All(list) => {
                let kept: BTreeSet<Name> = list.iter().map(|(n, _)| n.clone()).collect();
                let gone: Vec<Name> = index(self)
                    .keys()
                    .filter(|n| !kept.contains(*n))
                    .cloned()
                    .collect();
                gone.into_iter()
                    .for_each(|n| self.children(Change::Gone(n), index, slot));
                list.into_iter()
                    .for_each(|(n, c)| self.children(Change::Put(n, c), index, slot));
            }
        }
    }

    pub fn pods(&mut self, change: Change<PodPut>) {
        match change {
            Change::Put(n, pod) => {
                let node = pod.node.as_deref().map(|t| self.interner.get(t));
                let requests = self.shared(pod.requests);
                let owner = pod.owner.as_ref().map(|(o, _)| self.interner.get(o));
                if self.pods.get(&n).is_some_and(|known| known.owner != owner) {
                    self.pods(Change::Gone(n.clone()));
                }
                if let Some(PodSeen {
                    node: Some(node),
                    requests,
                    ..
                }) = self.pods.get(&n)
                {
                    self.usage.remove(node, requests);
                }
                if let Some(node) = &node {
                    self.usage.add(node, &requests);
                }
                if let (Some(owner), Some((_, full))) = (&owner, pod.owner) {
                    let same = self
                        .entry(&n.namespace, owner)
                        .and_then(|e| e.pods.get(&n.name))
                        == Some(&full);
                    if !same {
                        self.touch(&n.namespace, owner, |e| {
                            e.pods.put(&n.name, full);
                        });
                    }
                }
                self.pods.insert(
                    n,
                    PodSeen {
                        owner,
                        node,
                        requests,
                    },
                );
            }
            Change::Gone(n) => {
                let Some(known) = self.pods.remove(&n) else {
                    return;
                };
                if let Some(node) = &known.node {
                    self.usage.remove(node, &known.requests);
                }
                if let Some(owner) = &known.owner {
                    self.touch(&n.namespace, owner, |e| {
                        e.pods.remove(&n.name);
                    });
                }
            }
            Change::All(list) => {
                let kept: BTreeSet<Name> = list.iter().map(|(n, _)| n.clone()).collect();
                let gone: Vec<Name> = self
                    .pods
                    .keys()
                    .filter(|n| !kept.contains(*n))
                    .cloned()
                    .collect();
                gone.into_iter().for_each(|n| self.pods(Change::Gone(n)));
                list.into_iter()
                    .for_each(|(n, p)| self.pods(Change::Put(n, p)));
            }
        }
    }

    fn shared(&mut self, requests: BTreeMap<String, Quantity>) -> Requests {
        let list: Requests = requests
            .into_iter()
            .map(|(k, v)| (self.interner.get(&k), v))
            .collect();
        match self.shared_requests.get(&list) {
            Some(known) => known.clone(),
            None => {
                // Forget lists that no pod asks for any more before the set grows without bound.
                if self.shared_requests.len() > 4096 {
                    self.shared_requests.retain(|r| Arc::strong_count(r) > 1);
                }
                self.shared_requests.insert(list.clone());
                list
            }
        }
    }

    pub fn events(&mut self, change: Change<EventPut>) {
        match change {
            Change::Put(n, put) => {
                let owner = self.deployment_of(&n.namespace, &put.kind, &put.object);
                let Some(owner) = owner else {
                    if OWNED.contains(&put.kind.as_str()) {
                        self.waiting_events.push_back((n, put));
                        if self.waiting_events.len() > EVENTS_WAITING {
                            self.waiting_events.pop_front();
                        }
                    }
                    return;
                };
                self.event_owner.insert(n.clone(), owner.clone());
                let known = self.entry(&n.namespace, &owner);
                if known.and_then(|e| e.events.get(&n.name)) == Some(&put.value) {
                    return;
                }
                let mut pushed_out = None;
                self.touch(&n.namespace, &owner, |e| {
                    // What happened again is the newest.
                    e.events.remove(&n.name);
                    e.events.put(&n.name, put.value);
                    pushed_out = e.events.limit(EVENTS_KEPT);
                });
                if let Some(name) = pushed_out {
                    self.event_owner.remove(&Name {
                        namespace: n.namespace,
                        name,
                    });
                }
            }
            Change::Gone(n) => {
                if let Some(owner) = self.event_owner.remove(&n) {
                    self.touch(&n.namespace, &owner, |e| e.events.remove(&n.name));
                }
            }
            Change::All(list) => {
                let kept: BTreeSet<Name> = list.iter().map(|(n, _)| n.clone()).collect();
                let gone: Vec<Name> = self
                    .event_owner
                    .keys()
                    .filter(|n| !kept.contains(*n))
                    .cloned()
                    .collect();
                gone.into_iter().for_each(|n| self.events(Change::Gone(n)));
                list.into_iter()
                    .for_each(|(n, e)| self.events(Change::Put(n, e)));
            }
        }
    }

    /// Watches are not in step: an event may come before its object. Those of a namespace in which
    /// something appeared get another chance.
    fn retry_events(&mut self, namespace: &Arc<str>) {
        let (mine, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting_events)
            .into_iter()
            .partition(|(n, _)| n.namespace == *namespace);
        self.waiting_events = others;
        mine.into_iter()
            .for_each(|(n, e)| self.events(Change::Put(n, e)));
    }

    /// The deployment that an object belongs to: by what is known of its children, else by how KServe
    /// and Kubernetes name them (`{deployment}-predictor-{hash}-{random}`): the longest name that fits.
    pub fn deployment_of(
        &self,
        namespace: &Arc<str>,
        kind: &str,
        object: &str,
    ) -> Option<Arc<str>> {
        let space = self.deployments.get(namespace)?;
        let exists = |name: &str| {
            space
                .get_key_value(name)
                .filter(|(_, e)| e.object.is_some())
                .map(|(k, _)| k.clone())
        };
        let known = |index: &BTreeMap<Name, Arc<str>>, name: &str| {
            index
                .get(&Name {
                    namespace: namespace.clone(),
                    name: name.into(),
                })
                .cloned()
        };
        match kind {
            "InferenceService" => return exists(object),
            "HTTPRoute" => return known(&self.route_owner, object),
            "Pod" => {
                if let Some(seen) = self.pods.get(&Name {
                    namespace: namespace.clone(),
                    name: object.into(),
                }) {
                    return seen.owner.clone();
                }
            }
            kind if OWNED.contains(&kind) => {}
            _ => return None,
        }
        let mut rest = object;
        loop {
            if let Some(owner) = known(&self.workload_owner, rest).or_else(|| exists(rest)) {
                return Some(owner);
            }
            rest = &rest[..rest.rfind('-')?];
        }
    }

    pub fn namespaces(&mut self, change: Change<Space>) {
        let mut changed = Vec::new();
        match change {
            Change::Put(n, space) => {
                if self.spaces.get(&n.name) != Some(&space) {
                    changed.push(n.name.clone());
                    self.spaces.insert(n.name, space);
                }
            }
            Change::Gone(n) => {
                self.spaces.remove(&n.name);
                changed.push(n.name);
            }
            Change::All(list) => {
                let new: BTreeMap<Arc<str>, Space> =
                    list.into_iter().map(|(n, s)| (n.name, s)).collect();
                changed.extend(
                    new.iter()
                        .filter(|(n, s)| self.spaces.get(*n) != Some(*s))
                        .map(|(n, _)| n.clone()),
                );
                changed.extend(
                    self.spaces
                        .keys()
                        .filter(|n| !new.contains_key(*n))
                        .cloned(),
                );
                self.spaces = new;
            }
        }
        for namespace in changed {
            let names: Vec<Name> = self
                .deployments
                .get(&namespace)
                .into_iter()
                .flat_map(BTreeMap::keys)
                .map(|n| Name {
                    namespace: namespace.clone(),
                    name: n.clone(),
                })
                .collect();
            self.dirty.extend(names);
        }
    }

    pub fn scope(&self, namespace: &str) -> Scope {
        self.spaces
            .get(namespace)
            .map(|s| s.scope.clone())
            .unwrap_or_else(|| Scope {
                unit: String::new(),
                environment: String::new(),
            })
    }
}

/// For kinds that are only kept.
pub(crate) fn keep<T>(map: &mut BTreeMap<Name, T>, change: Change<T>) {
    match change {
        Change::Put(n, v) => {
            map.insert(n, v);
        }
        Change::Gone(n) => {
            map.remove(&n);
        }
        Change::All(list) => *map = list.into_iter().collect(),
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
