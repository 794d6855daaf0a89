//! What the containers of a pod ask for: the manifest's amounts over the runtime's, and those that the
//! namespace's limit ranges fill in where neither says anything.

use super::{MAIN_CONTAINER, parts::quantity_text};
use crate::{observed::LimitRange, quantity::Quantity};
use serde_json::Value;
use std::collections::BTreeMap;

/// The amounts of one container, as its pod will have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Where the manifest says them, or leads to them: `spec.predictor.model`,
    /// `spec.predictor.containers[0]`, `spec.predictor.model.runtime`.
    pub path: String,
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
}

fn resource_map(container: &Value, which: &str) -> BTreeMap<String, String> {
    let map = container
        .pointer(&format!("/resources/{which}"))
        .and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), quantity_text(v)?)))
        .collect()
}

/// One container's amounts over those of the runtime's container, which the manifest's override one
/// by one. A limit stands in for a request that nobody wrote; then the limit ranges fill in, the
/// first that says something first, as Kubernetes' LimitRanger does.
pub(crate) fn container_amounts(
    path: String,
    container: &Value,
    base: Option<&Value>,
    ranges: &[LimitRange],
) -> Amounts {
    let merged = |which| {
        let mut map = base.map(|b| resource_map(b, which)).unwrap_or_default();
        map.extend(resource_map(container, which));
        map
    };
    let (mut requests, mut limits) = (merged("requests"), merged("limits"));
    let fill = |into: &mut BTreeMap<String, String>, from: &BTreeMap<String, String>| {
        for (k, v) in from {
            into.entry(k.clone()).or_insert_with(|| v.clone());
        }
    };
    fill(&mut requests, &limits);
    for range in ranges {
        fill(&mut limits, &range.default);
        fill(&mut requests, &range.default_request);
    }
    Amounts {
        path,
        requests,
        limits,
    }
}

/// The containers of a part (predictor, transformer, explainer), with those of its runtime.
pub(crate) fn of_part(
    path: &str,
    part: &Value,
    runtime: Option<&Value>,
    ranges: &[LimitRange],
) -> Vec<Amounts> {
    let of_runtime: Vec<&Value> = runtime
        .and_then(|r| r["containers"].as_array())
        .into_iter()
        .flatten()
        .collect();
    let mut each = Vec::new();
    if let Some(model) = part.get("model").filter(|m| m.is_object()) {
        let main = of_runtime.iter().find(|c| c["name"] == MAIN_CONTAINER);
        each.push(container_amounts(
            format!("{path}.model"),
            model,
            main.copied(),
            ranges,
        ));
        // The runtime's other containers run beside it.
        for c in of_runtime.iter().filter(|c| c["name"] != MAIN_CONTAINER) {
            each.push(container_amounts(
                format!("{path}.model.runtime"),
                c,
                None,
                ranges,
            ));
        }
    }
    for (i, c) in part["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        each.push(container_amounts(
            format!("{path}.containers[{i}]"),
            c,
            None,
            ranges,
        ));
    }
    each
}

/// Amounts summed by resource.
pub(crate) fn sum<'a>(
    each: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut sums: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (k, v) in each.flatten() {
        sums.entry(k).or_default().push(v);
    }
    sums.into_iter()
        .map(|(resource, texts)| {
            let text = match texts.as_slice() {
                // One alone stays as written, also where it cannot be read: a rule complains then.
                [one] => (*one).to_owned(),
                many => many
                    .iter()
                    .filter_map(|t| Quantity::parse(t))
                    .sum::<Quantity>()
                    .show(resource),
            };
            (resource.to_owned(), text)
        })
        .collect()
}
