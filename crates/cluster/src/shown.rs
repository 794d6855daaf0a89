//! From a cache entry to what pages show: the whole ([`Live`]) and the line in the list.

use crate::{cache::Entry, names::Name, pack::Packed};
use domain::{
    Micros,
    access::Scope,
    ids::ClusterId,
    observed::{Event, Live, Pod, Route, Row, Workload},
    place::DeploymentKey,
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// A line of the list, and what searches look at.
#[derive(Clone, PartialEq)]
pub(crate) struct Shown {
    pub row: Row,
    /// Lower-case text of everything that a search may find.
    hay: Box<str>,
    /// `sha256:…` of everything that its spec names, canaries included.
    digests: Box<[[u8; 32]]>,
}

impl Shown {
    pub fn new(live: &Live, now: Micros) -> Self {
        let row = domain::state::row(live, now);
        let k = &row.key;
        let hay = [
            k.cluster.as_str(),
            &k.namespace,
            &k.name,
            &row.format,
            &row.runtime,
            &row.source,
        ]
        .join("\n")
        .to_lowercase();
        let mut digests = BTreeSet::new();
        collect_digests(
            live.object.get("spec").unwrap_or(&Value::Null),
            &mut digests,
        );
        Self {
            row,
            hay: hay.into(),
            digests: digests.into_iter().collect(),
        }
    }

    /// Does the (lower-case) text stand anywhere in it?
    pub fn contains(&self, text: &str) -> bool {
        self.hay.contains(text)
    }

    pub fn names(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains(digest)
    }
}

/// `sha256:` and 64 hex digits → the bytes.
pub(crate) fn digest_bytes(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?.as_bytes();
    let mut out = [0u8; 32];
    if hex.len() != 64 {
        return None;
    }
    for (i, pair) in hex.chunks(2).enumerate() {
        let digit = |b: u8| (b as char).to_digit(16);
        out[i] = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(out)
}

fn collect_digests(value: &Value, into: &mut BTreeSet<[u8; 32]>) {
    match value {
        Value::String(s) => {
            for (at, _) in s.match_indices("sha256:") {
                into.extend(s.get(at..at + 71).and_then(digest_bytes));
            }
        }
        Value::Array(a) => a.iter().for_each(|v| collect_digests(v, into)),
        Value::Object(o) => o.values().for_each(|v| collect_digests(v, into)),
        _ => {}
    }
}

/// Everything of one deployment, still packed: taken under the lock, unpacked outside of it.
pub(crate) struct Parts {
    object: Packed<Value>,
    workloads: Vec<Packed<Workload>>,
    pods: Vec<Packed<Pod>>,
    routes: Vec<Packed<Route>>,
    events: Vec<Packed<Event>>,
    namespace_uid: String,
    scope: Scope,
}

impl Parts {
    /// `None` where there is no such deployment (any more).
    pub fn of(entry: &Entry, namespace_uid: String, scope: Scope) -> Option<Self> {
        Some(Self {
            object: entry.object.clone()?,
            workloads: entry.workloads.values().cloned().collect(),
            pods: entry.pods.values().cloned().collect(),
            routes: entry.routes.values().cloned().collect(),
            events: entry.events.values().cloned().collect(),
            namespace_uid,
            scope,
        })
    }

    pub fn live(
        &self,
        cluster: &str,
        id: &ClusterId,
        name: &Name,
        as_of: Micros,
        stale: bool,
    ) -> Live {
        let mut events: Vec<Event> = self.events.iter().filter_map(Packed::get).collect();
        events.sort_by_key(|e| e.last);
        Live {
            key: DeploymentKey::new(cluster, &*name.namespace, &*name.name),
            cluster: id.clone(),
            namespace_uid: self.namespace_uid.clone(),
            scope: self.scope.clone(),
            object: self.object.get().unwrap_or(Value::Null),
            workloads: self.workloads.iter().filter_map(Packed::get).collect(),
            pods: self.pods.iter().filter_map(Packed::get).collect(),
            events,
            routes: self.routes.iter().filter_map(Packed::get).collect(),
            as_of,
            stale,
        }
    }
}

/// The line of a deployment, behind an `Arc` because lists share it.
pub(crate) fn shown(
    parts: &Parts,
    cluster: &str,
    id: &ClusterId,
    name: &Name,
    now: Micros,
) -> Arc<Shown> {
    Arc::new(Shown::new(&parts.live(cluster, id, name, now, false), now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_canaries_count_too() {
        let d = |c: char| format!("sha256:{}", c.to_string().repeat(64));
        let spec = serde_json::json!({"predictor": {"model": {"storageUri": format!("oci://r/m@{}", d('a'))}},
            "canary": [{"predictor": {"model": {"storageUri": format!("oci://r/m@{}", d('b'))}}}], "short": "sha256:abc"});
        let mut found = BTreeSet::new();
        collect_digests(&spec, &mut found);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [[0xaa; 32], [0xbb; 32]]
        );
        assert_eq!(digest_bytes(&d('g')), None);
    }
}
