//! Reads from the cache: the list, its counts, one deployment.

use crate::{
    link::Cluster,
    names::Name,
    shown::{Parts, Shown, digest_bytes},
};
use domain::{
    Micros,
    access::{Scope, any_matches, unit_matches},
    observed::{Live, Row},
    place::DeploymentKey,
    state::Code,
};
use services::ports::RowFilter;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

/// A filter made ready: what is the same for every line is worked out once.
pub(crate) struct Wanted<'a> {
    filter: &'a RowFilter,
    text: Option<String>,
    /// `Some(None)`: a digest was asked for that cannot be one.
    digest: Option<Option<[u8; 32]>>,
}

impl<'a> Wanted<'a> {
    pub fn new(filter: &'a RowFilter) -> Self {
        let text = filter
            .text
            .as_deref()
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_lowercase);
        let digest = filter
            .digest
            .as_deref()
            .filter(|d| !d.is_empty())
            .map(digest_bytes);
        Self {
            filter,
            text,
            digest,
        }
    }

    pub fn cluster(&self, name: &str) -> bool {
        self.filter.clusters.is_empty() || self.filter.clusters.iter().any(|c| c == name)
    }

    /// First of all: may the reader see anything there? Then whether they want to.
    fn space(&self, namespace: &str, scope: &Scope) -> bool {
        let f = self.filter;
        f.scopes.iter().any(|(units, environments)| {
            unit_matches(units, &scope.unit) && any_matches(environments, &scope.environment)
        }) && (f.namespaces.is_empty() || f.namespaces.iter().any(|n| n == namespace))
            && (f.units.is_empty() || unit_matches(&f.units, &scope.unit))
            && (f.environments.is_empty() || any_matches(&f.environments, &scope.environment))
    }

    fn line(&self, shown: &Shown) -> bool {
        (self.filter.states.is_empty() || self.filter.states.contains(&shown.row.state))
            && (!self.filter.unhealthy || shown.row.state.unhealthy())
            && self
                .digest
                .as_ref()
                .is_none_or(|d| d.as_ref().is_some_and(|d| shown.names(d)))
            && self.text.as_ref().is_none_or(|t| shown.contains(t))
    }
}

impl Cluster {
    /// Adds this cluster's lines after `after`, until `limit` are there.
    pub fn rows(
        &self,
        wanted: &Wanted<'_>,
        after: Option<&DeploymentKey>,
        limit: usize,
        out: &mut Vec<Row>,
    ) {
        let (heard, stale) = {
            let s = self.standing();
            (s.as_of().unwrap_or_default(), s.stale())
        };
        let mut found: Vec<Arc<Shown>> = Vec::new();
        let room = limit.saturating_sub(out.len());
        {
            let data = self.data();
            let from: Bound<&str> =
                after.map_or(Bound::Unbounded, |k| Bound::Included(k.namespace.as_str()));
            'all: for (namespace, space) in
                data.deployments.range::<str, _>((from, Bound::Unbounded))
            {
                if !wanted.space(namespace, &data.scope(namespace)) {
                    continue;
                }
                let from: Bound<&str> = after
                    .filter(|k| *k.namespace == **namespace)
                    .map_or(Bound::Unbounded, |k| Bound::Excluded(k.name.as_str()));
                for shown in space
                    .range::<str, _>((from, Bound::Unbounded))
                    .filter_map(|(_, e)| e.shown())
                {
                    if found.len() == room {
                        break 'all;
                    }
                    if wanted.line(shown) {
                        found.push(shown.clone());
                    }
                }
            }
        }
        out.extend(found.into_iter().map(|s| Row {
            as_of: heard,
            stale,
            ..s.row.clone()
        }));
    }

    pub fn counts(&self, wanted: &Wanted<'_>, into: &mut BTreeMap<Code, usize>) {
        let data = self.data();
        for (namespace, states) in &data.states {
            if wanted.space(namespace, &data.scope(namespace)) {
                for (state, n) in states {
                    *into.entry(*state).or_default() += n;
                }
            }
        }
    }

    pub fn parts(&self, namespace: &str, name: &str) -> Option<Parts> {
        let data = self.data();
        let uid = data
            .spaces
            .get(namespace)
            .map(|s| s.uid.clone())
            .unwrap_or_default();
        Parts::of(data.entry(namespace, name)?, uid, data.scope(namespace))
    }

    pub fn live(&self, key: &DeploymentKey) -> Option<Live> {
        let parts = self.parts(&key.namespace, &key.name)?;
        let (id, heard, stale) = {
            let s = self.standing();
            (s.id.clone()?, s.as_of().unwrap_or_default(), s.stale())
        };
        let name = Name {
            namespace: key.namespace.as_str().into(),
            name: key.name.as_str().into(),
        };
        Some(parts.live(self.name(), &id, &name, heard, stale))
    }

    /// Names of deployments in the list, at most so many.
    pub fn shown_names(&self, most: usize) -> Vec<Name> {
        let data = self.data();
        let of = |namespace: &Arc<str>, name: &Arc<str>| Name {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        data.deployments
            .iter()
            .flat_map(|(ns, m)| {
                m.iter()
                    .filter(|(_, e)| e.shown().is_some())
                    .map(move |(n, _)| of(ns, n))
            })
            .take(most)
            .collect()
    }

    /// Makes the lines of deployments that changed anew, without holding up readers. Answers those
    /// whose change is to be told; at most `most` at a time.
    pub fn refresh(&self, most: usize, now: Micros) -> Vec<Name> {
        let id = self.id();
        let batch: Vec<(Name, Option<Parts>)> = {
            let mut data = self.data_mut();
            let names: Vec<Name> = (0..most).map_while(|_| data.dirty.pop_first()).collect();
            names
                .into_iter()
                .map(|n| {
                    let uid = data
                        .spaces
                        .get(&n.namespace)
                        .map(|s| s.uid.clone())
                        .unwrap_or_default();
                    let scope = data.scope(&n.namespace);
                    let parts = data
                        .entry(&n.namespace, &n.name)
                        .and_then(|e| Parts::of(e, uid, scope));
                    (n, parts)
                })
                .collect()
        };
        let lines: Vec<(Name, Option<Arc<Shown>>)> = batch
            .into_iter()
            .map(|(n, p)| {
                let line = p.map(|p| crate::shown::shown(&p, self.name(), &id, &n, now));
                (n, line)
            })
            .collect();
        let mut data = self.data_mut();
        lines
            .into_iter()
            .filter_map(|(n, line)| {
                let there = line.is_some();
                // Children that nobody owns yet are nobody's news; what vanished is.
                let news = data.show(&n, line).is_none_or(|was| was || there);
                news.then_some(n)
            })
            .collect()
    }

    /// Evaluates again what is not simply healthy: some states depend on time alone. Answers those
    /// whose line changed.
    pub fn review(&self, now: Micros) -> Vec<Name> {
        let id = self.id();
        let open: Vec<(Name, Parts)> = {
            let data = self.data();
            let mut list = Vec::new();
            for (namespace, space) in &data.deployments {
                let uid = data
                    .spaces
                    .get(namespace)
                    .map(|s| s.uid.clone())
                    .unwrap_or_default();
                let scope = data.scope(namespace);
                for (name, entry) in space {
                    let settled = entry
                        .shown()
                        .is_none_or(|s| matches!(s.row.state, Code::Healthy | Code::Stopped));
                    if !settled && let Some(p) = Parts::of(entry, uid.clone(), scope.clone()) {
                        list.push((
                            Name {
                                namespace: namespace.clone(),
                                name: name.clone(),
                            },
                            p,
                        ));
                    }
                }
            }
            list
        };
        let mut changed = Vec::new();
        for (name, parts) in open {
            let line = crate::shown::shown(&parts, self.name(), &id, &name, now);
            let mut data = self.data_mut();
            if data.dirty.contains(&name) {
                continue;
            }
            let Some(was) = data
                .entry(&name.namespace, &name.name)
                .and_then(|e| e.shown())
            else {
                continue;
            };
            let same = Row {
                as_of: was.row.as_of,
                ..line.row.clone()
            } == was.row;
            if !same {
                data.show(&name, Some(line));
                changed.push(name);
            }
        }
        changed
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
