//! What is approved: content, not intentions.
//!
//! The content of a change is the object as the API server would store it (the answer to a server
//! dry run, after webhooks), with everything removed that is not a decision: status, bookkeeping
//! and our own annotations. Together with the place and the closure it has one hash, and the bytes
//! that are applied are made from it by [`Content::to_apply`] and nothing else.

use crate::{
    diff::{FieldChange, diff},
    ids::{ClusterId, Digest},
    isvc::{STOP, View},
    place::ObjectRef,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Annotations under this prefix are the console's own and never part of the content.
pub const OWN_PREFIX: &str = "gatehouse.dev/";
/// Written by `kubectl apply` for itself.
const KUBECTL_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotations and labels that change what is served.
pub const SERVING_PREFIXES: [&str; 2] = ["serving.kserve.io/", "networking.kserve.io/"];

/// What is done with the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Apply,
    Delete,
}

/// Everything that a decision binds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub action: Action,
    pub cluster: ClusterId,
    pub namespace: String,
    pub namespace_uid: String,
    /// The cleaned object ([`clean`]). For a deletion: the object as it was when the deletion was asked for.
    pub object: Value,
    pub closure: Closure,
}

/// What the object leads to when it runs: everything by digest, or said to be unpinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// The runtimes that serve it, the stable predictor's first, then those of canaries; each with the
    /// digest of its spec's canonical JSON. Stored as `runtime`: nothing, one, or a list of several, so
    /// that content from before canaries counted keeps its bytes and so its hash.
    #[serde(rename = "runtime", default, with = "one_or_many")]
    pub runtimes: Vec<Pinned>,
    /// Container images.
    pub images: Vec<Pinned>,
    /// Model storage.
    pub storage: Vec<Pinned>,
}

/// A reference and the digest that it resolved to; without one, why it cannot be pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub reference: String,
    pub digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpinned_because: Option<String>,
}

/// None as `null`, one as itself, several as a list.
mod one_or_many {
    use super::Pinned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Many(Vec<Pinned>),
        One(Pinned),
    }

    pub fn serialize<S: Serializer>(all: &[Pinned], s: S) -> Result<S::Ok, S::Error> {
        match all {
            [] => s.serialize_none(),
            [one] => one.serialize(s),
            many => many.serialize(s),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Pinned>, D::Error> {
        Ok(match Option::<Stored>::deserialize(d)? {
            None => vec![],
            Some(Stored::One(one)) => vec![one],
            Some(Stored::Many(many)) => many,
        })
    }
}

/// The keys that an object of Kubernetes has at its top.
pub const TOP_LEVEL: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// The keys at the top that no such object has. [`clean`] leaves them out: nothing would come of them.
pub fn unknown_at_top(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !TOP_LEVEL.contains(&key.as_str()))
}

/// Removes what is not a decision: status; uid, resourceVersion, generation, timestamps, managed
/// fields, finalizers and owners; the console's annotations and kubectl's copy.
pub fn clean(object: &Value) -> Value {
    let mut out = Map::new();
    for key in ["apiVersion", "kind", "spec"] {
        if let Some(v) = object.get(key) {
            out.insert(key.into(), v.clone());
        }
    }
    let mut meta = Map::new();
    if let Some(m) = object.get("metadata").and_then(Value::as_object) {
        for key in ["name", "namespace", "labels"] {
            if let Some(v) = m.get(key).filter(|v| !is_empty(v)) {
                meta.insert(key.into(), v.clone());
            }
        }
        if let Some(a) = m.get("annotations").and_then(Value::as_object) {
            let kept: Map<_, _> = a
                .iter()
                .filter(|(k, _)| !k.starts_with(OWN_PREFIX) && *k != KUBECTL_LAST_APPLIED)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            if !kept.is_empty() {
                meta.insert("annotations".into(), Value::Object(kept));
            }
        }
    }
    out.insert("metadata".into(), Value::Object(meta));
    Value::Object(out)
}

fn is_empty(v: &Value) -> bool {
    matches!(v, Value::Object(m) if m.is_empty()) || v.is_null()
}

/// Canonical JSON (RFC 8785).
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("JSON values have a canonical form")
}

impl Content {
    /// The content hash: over the canonical JSON of the whole.
    pub fn hash(&self) -> Digest {
        Digest::of(&canonical(self))
    }

    pub fn object_ref(&self) -> ObjectRef {
        let text = |p: &str| {
            self.object
                .pointer(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        ObjectRef {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            name: text("/metadata/name"),
        }
    }

    /// The one way from content to what the API server is sent: the object and nothing else. No
    /// annotation of ours ties it to its change: KServe copies an InferenceService's annotations into
    /// the pod template, so one that changes with each change would restart pods that need no restart.
    pub fn to_apply(&self) -> Value {
        self.object.clone()
    }
}

/// The annotations or labels that change what is served.
fn serving(object: &Value, key: &str) -> Map<String, Value> {
    object
        .pointer(&format!("/metadata/{key}"))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(k, _)| SERVING_PREFIXES.iter().any(|p| k.starts_with(p)))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Digest of what decides what is served: the spec, and the annotations and labels that change it. Two
/// objects with the same one are served alike, whatever else stands on them; lists compare by it.
pub fn fingerprint(object: &Value) -> Digest {
    fingerprint_of(object, serving(object, "annotations"))
}

fn fingerprint_of(object: &Value, mut decides: Map<String, Value>) -> Digest {
    let labels = serving(object, "labels");
    decides.extend(labels.into_iter().map(|(k, v)| (format!("label {k}"), v)));
    Digest::of(&canonical(&(object.get("spec"), decides)))
}

/// The fingerprint that a stopped object would have if it were started; `None`: it is not stopped.
pub fn fingerprint_if_started(object: &Value) -> Option<Digest> {
    View::new(object).stop_wished().then(|| {
        let mut annotations = serving(object, "annotations");
        annotations.remove(STOP);
        fingerprint_of(object, annotations)
    })
}

/// The fields in which what is served differs from what was approved. Being stopped is no difference,
/// for stopping lowers risk and needs no approval; running although the newest change stopped it
/// (`stopped`) is one. [`crate::observed::Row::is_as_approved`] is the same rule by fingerprints.
pub fn drift(approved: &Value, live: &Value, stopped: bool) -> Vec<FieldChange> {
    let served = |o: &Value| {
        (
            o.get("spec").cloned().unwrap_or_default(),
            serving(o, "annotations"),
            serving(o, "labels"),
        )
    };
    let (mut a, mut b) = (served(approved), served(live));
    if View::new(live).stop_wished() {
        a.1.remove(STOP);
        b.1.remove(STOP);
    } else if stopped {
        a.1.insert(STOP.into(), "true".into());
    }
    let whole = |(spec, annotations, labels): (Value, Map<String, Value>, Map<String, Value>)| serde_json::json!({"spec": spec, "metadata": {"annotations": annotations, "labels": labels}});
    diff(&whole(a), &whole(b))
}

/// Does what the API server has (or would have) amount to what was approved? The spec must be equal,
/// and so must the annotations and labels that change what is served; others that were approved must be
/// there, and others may have come since. Answers the paths that differ, empty for "yes".
pub fn differs_from_approved(approved: &Value, other: &Value) -> Vec<String> {
    let other = clean(other);
    let mut paths = spec_differences(approved, &other);
    let map = |o: &Value, key: &str| {
        o.pointer(&format!("/metadata/{key}"))
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    for key in ["labels", "annotations"] {
        let (a, b) = (map(approved, key), map(&other, key));
        for (k, v) in &a {
            if b.get(k) != Some(v) {
                paths.push(format!("metadata.{key}.{k}"));
            }
        }
        for k in serving(&other, key).keys() {
            if !a.contains_key(k) {
                paths.push(format!("metadata.{key}.{k}"));
            }
        }
    }
    paths
}

/// In what two states of one object are served differently: paths of the spec and of the annotations and
/// labels that change what is served. What controllers write (status, other annotations and labels) does
/// not count.
pub fn served_differences(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (clean(before), clean(after));
    let mut paths = spec_differences(&before, &after);
    for key in ["annotations", "labels"] {
        let (a, b) = (serving(&before, key), serving(&after, key));
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        paths.extend(
            keys.into_iter()
                .filter(|k| a.get(*k) != b.get(*k))
                .map(|k| format!("metadata.{key}.{k}")),
        );
    }
    paths
}

fn spec_differences(a: &Value, b: &Value) -> Vec<String> {
    let spec = |o: &Value| o.get("spec").cloned().unwrap_or(Value::Null);
    diff(&spec(a), &spec(b))
        .into_iter()
        .map(|c| {
            if c.path.is_empty() {
                "spec".into()
            } else {
                format!("spec.{}", c.path)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored() -> Value {
        json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "llama", "namespace": "retail-dev", "uid": "u", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-11-24T05:43:07Z", "managedFields": [], "finalizers": ["x"], "labels": {},
                "annotations": {"gatehouse.dev/change": "c", "modelFormat": "vLLM", "serving.kserve.io/deploymentMode": "Standard"}},
            "spec": {"predictor": {"minReplicas": 1}}, "status": {"url": "x"}
        })
    }

    fn content() -> Content {
        Content {
            action: Action::Apply,
            cluster: ClusterId("k".into()),
            namespace: "retail-dev".into(),
            namespace_uid: "n".into(),
            object: clean(&stored()),
            closure: Closure::default(),
        }
    }

    #[test]
    fn bookkeeping_is_not_content() {
        let mut later = stored();
        later["metadata"]["resourceVersion"] = json!("8");
        later["status"] = json!({});
        later["metadata"]["annotations"]["gatehouse.dev/change"] = json!("other");
        assert_eq!(clean(&stored()), clean(&later));
        assert_eq!(
            clean(&stored()),
            json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "llama", "namespace": "retail-dev",
                "annotations": {"modelFormat": "vLLM", "serving.kserve.io/deploymentMode": "Standard"}},
            "spec": {"predictor": {"minReplicas": 1}}})
        );
    }

    #[test]
    fn applying_and_cleaning_gives_the_content_back() {
        let c = content();
        let applied = c.to_apply();
        assert_eq!(clean(&applied), c.object);
        assert_eq!(fingerprint(&applied), fingerprint(&stored()));
        assert!(differs_from_approved(&c.object, &applied).is_empty());
    }

    #[test]
    fn the_place_and_the_closure_are_part_of_the_hash() {
        let c = content();
        let elsewhere = Content {
            cluster: ClusterId("other".into()),
            ..c.clone()
        };
        let other_runtime = Content {
            closure: Closure {
                runtimes: vec![pinned("vllm")],
                ..Default::default()
            },
            ..c.clone()
        };
        assert_ne!(c.hash(), elsewhere.hash());
        assert_ne!(c.hash(), other_runtime.hash());
    }

    fn pinned(reference: &str) -> Pinned {
        Pinned {
            reference: reference.into(),
            digest: None,
            unpinned_because: None,
        }
    }

    #[test]
    fn content_from_before_canaries_counted_keeps_its_bytes() {
        for (stored, runtimes) in [
            (
                json!({"runtime": null, "images": [], "storage": []}),
                vec![],
            ),
            (
                json!({"runtime": {"reference": "a", "digest": null}, "images": [], "storage": []}),
                vec![pinned("a")],
            ),
            (
                json!({"runtime": [{"reference": "a", "digest": null}, {"reference": "b", "digest": null}], "images": [], "storage": []}),
                vec![pinned("a"), pinned("b")],
            ),
        ] {
            let read: Closure = serde_json::from_value(stored.clone()).expect("reads");
            assert_eq!(read.runtimes, runtimes);
            assert_eq!(serde_json::to_value(&read).expect("writes"), stored);
        }
    }

    #[test]
    fn what_controllers_write_is_no_other_service_and_a_stop_is() {
        let seen = clean(&stored());
        let mut live = stored();
        live["status"] = json!({"url": "y"});
        live["metadata"]["labels"]["team"] = json!("x");
        live["metadata"]["annotations"]["modelFormat"] = json!("other");
        live["metadata"]["resourceVersion"] = json!("9");
        assert!(served_differences(&seen, &live).is_empty());
        live["metadata"]["annotations"]["serving.kserve.io/stop"] = json!("true");
        live["metadata"]["labels"]["networking.kserve.io/visibility"] = json!("cluster-local");
        live["spec"]["predictor"]["minReplicas"] = json!(3);
        let paths = [
            "spec.predictor.minReplicas",
            "metadata.annotations.serving.kserve.io/stop",
            "metadata.labels.networking.kserve.io/visibility",
        ];
        assert_eq!(served_differences(&seen, &live), paths);
        assert_eq!(served_differences(&live, &seen), paths);
    }

    #[test]
    fn lists_and_pages_tell_drift_by_one_rule() {
        let approved = content().object;
        let with = |path: &str, key: &str, value: Value| {
            let mut o = stored();
            o[path][key] = value;
            o
        };
        let mut stopped = stored();
        stopped["metadata"]["annotations"][STOP] = json!("true");
        let mut edited = stopped.clone();
        edited["spec"]["predictor"]["minReplicas"] = json!(3);
        let mut exposed = stored();
        exposed["metadata"]["labels"]["networking.kserve.io/visibility"] = json!("x");
        let other = with("spec", "predictor", json!({"minReplicas": 2}));
        let stray = with("metadata", "labels", json!({"team": "x"}));
        for (live, by_change, drifts) in [
            (stored(), false, false),
            (stray, false, false),
            (other.clone(), false, true),
            (exposed, false, true),
            // Stopped by a change or past the console: what would be served is what was approved.
            (stopped.clone(), true, false),
            (stopped.clone(), false, false),
            (edited, true, true),
            // Started past the console.
            (stored(), true, true),
            (other, true, true),
        ] {
            for approved in [approved.clone(), clean(&stopped)] {
                let has_stop = View::new(&approved).stop_wished();
                let expected = drifts || (has_stop && !View::new(&live).stop_wished());
                let found = drift(&approved, &live, by_change);
                assert_eq!(!found.is_empty(), expected, "{live} {found:?}");
                let same = crate::observed::as_approved(
                    &fingerprint(&approved),
                    by_change,
                    &fingerprint(&live),
                    fingerprint_if_started(&live).as_ref(),
                );
                assert_eq!(same, !expected, "{live}");
            }
        }
    }

    #[test]
    fn what_decides_serving_and_nobody_approved_is_a_difference_and_a_stray_label_is_not() {
        let approved = content().object;
        let mut live = stored();
        live["metadata"]["labels"]["team"] = json!("x");
        assert!(differs_from_approved(&approved, &live).is_empty());
        live["metadata"]["annotations"]["networking.kserve.io/visibility"] = json!("cluster-local");
        live["metadata"]["labels"]["networking.kserve.io/visibility"] = json!("exposed");
        live["spec"]["predictor"]["minReplicas"] = json!(2);
        assert_eq!(
            differs_from_approved(&approved, &live),
            [
                "spec.predictor.minReplicas",
                "metadata.labels.networking.kserve.io/visibility",
                "metadata.annotations.networking.kserve.io/visibility"
            ]
        );
    }
}
