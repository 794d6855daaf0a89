//! Who owns which field: `metadata.managedFields` (FieldsV1).

use crate::time::Micros;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Somebody who has written to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// `gatehouse`, `kubectl-edit`, `kserve-manager`…
    pub name: String,
    /// `Apply` or `Update`
    pub operation: String,
    /// `status`, or empty
    pub subresource: String,
    pub time: Option<Micros>,
}

fn entries(root: &Value) -> impl Iterator<Item = (Manager, &Value)> {
    root.pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|m| {
            let text = |k: &str| m[k].as_str().unwrap_or_default().to_owned();
            let manager = Manager {
                name: text("manager"),
                operation: text("operation"),
                subresource: text("subresource"),
                time: m["time"].as_str().and_then(Micros::parse),
            };
            (manager, &m["fieldsV1"])
        })
}

fn latest_first(mut all: Vec<Manager>) -> Vec<Manager> {
    all.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.name.cmp(&b.name)));
    all
}

pub(super) fn managers(root: &Value) -> Vec<Manager> {
    latest_first(entries(root).map(|(m, _)| m).collect())
}

pub(super) fn owners(root: &Value, path: &str) -> Vec<Manager> {
    let Some(steps) = steps(path) else {
        return Vec::new();
    };
    latest_first(
        entries(root)
            .filter(|(_, fields)| owns(fields, root, &steps))
            .map(|(m, _)| m)
            .collect(),
    )
}

/// One step of a path.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    Field(&'a str),
    /// `[A]`: the item of a list that has this name.
    Named(&'a str),
    Index(usize),
}

/// Splits a path. Annotations' and labels' names have dots themselves: after `annotations.`,
/// `labels.`, `requests.`, `limits.` and `nodeSelector.` the rest is one name.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (item, after) = inner.split_once(']')?;
            out.push(item.parse().map_or(Step::Named(item), Step::Index));
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let whole = matches!(
            out.last(),
            Some(Step::Field(
                "annotations" | "labels" | "requests" | "limits" | "nodeSelector"
            ))
        );
        let end = if whole {
            rest.len()
        } else {
            rest.find(['.', '[']).unwrap_or(rest.len())
        };
        out.push(Step::Field(&rest[..end]));
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    (!out.is_empty()).then_some(out)
}

/// Does this set of fields hold the path, something below it, or an atomic parent of it?
fn owns(fields: &Value, object: &Value, steps: &[Step<'_>]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    let Some(set) = fields.as_object() else {
        return false;
    };
    // `f:tolerations: {}`: the list or mapping is owned as a whole.
    if set.is_empty() {
        return true;
    }
    match step {
        Step::Field(name) => set
            .get(&format!("f:{name}"))
            .is_some_and(|inner| owns(inner, &object[*name], rest)),
        Step::Named(_) | Step::Index(_) => {
            let item = |v: &Value, i: usize| match step {
                Step::Index(n) => *n == i,
                Step::Named(n) => v["name"] == *n,
                Step::Field(_) => false,
            };
            let Some((index, value)) = object
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .find(|(i, v)| item(v, *i))
            else {
                return false;
            };
            set.iter().any(|(key, inner)| {
                let mine = match key.split_once(':') {
                    Some(("k", keys)) => serde_json::from_str::<Value>(keys)
                        .ok()
                        .and_then(|k| {
                            k.as_object()
                                .map(|k| k.iter().all(|(n, v)| value.get(n) == Some(v)))
                        })
                        .unwrap_or(false),
                    Some(("v", v)) => serde_json::from_str::<Value>(v).is_ok_and(|v| v == *value),
                    Some(("i", n)) => n.parse() == Ok(index),
                    _ => false,
                };
                mine && owns(inner, value, rest)
            })
        }
    }
}
