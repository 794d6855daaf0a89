//! Where a pod may go: tolerations, node selector and required node affinity, the predictor's laid over
//! the runtime's as KServe does it (a strategic merge: lists are replaced, maps merged key by key).

use super::parts::{Toleration, text_map, tolerations};
use crate::observed::Node;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a pod's spec says about nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    pub tolerations: Vec<Toleration>,
    pub node_selector: BTreeMap<String, String>,
    /// `requiredDuringSchedulingIgnoredDuringExecution`: one of the terms has to be met. `None`:
    /// nothing is required.
    pub required: Option<Vec<Term>>,
}

/// One of `nodeSelectorTerms`: everything in it has to be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// `matchExpressions`, on labels.
    pub labels: Vec<Requirement>,
    /// `matchFields`; the only field is `metadata.name`.
    pub fields: Vec<Requirement>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`
    pub operator: String,
    pub values: Vec<String>,
}

impl Placement {
    /// Of a pod's spec over that of a runtime.
    pub(super) fn of(pod: &Value, runtime: Option<&Value>) -> Self {
        static NULL: Value = Value::Null;
        let base = runtime.unwrap_or(&NULL);
        let filled = |v: &Value| v.as_array().is_some_and(|l| !l.is_empty());
        let (own, theirs) = (&pod["tolerations"], &base["tolerations"]);
        let mut node_selector = text_map(&base["nodeSelector"]);
        node_selector.extend(text_map(&pod["nodeSelector"]));
        let terms = |spec: &Value| {
            spec.pointer("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")
                .and_then(Value::as_array)
                .filter(|l| !l.is_empty())
                .map(|l| l.iter().map(term).collect())
        };
        Self {
            tolerations: tolerations(if filled(own) { own } else { theirs }),
            node_selector,
            required: terms(pod).or_else(|| terms(base)),
        }
    }

    /// Why the required affinity keeps the pod away from this node, in words; empty where it does not.
    pub fn affinity_against(&self, node: &Node) -> Vec<String> {
        let Some(terms) = &self.required else {
            return Vec::new();
        };
        let against: Vec<Vec<String>> = terms.iter().map(|t| t.against(node)).collect();
        if against.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        match <[Vec<String>; 1]>::try_from(against) {
            Ok([one]) => one,
            Err(all) => vec![format!(
                "is none of those that the node affinity asks for: it {}",
                all.iter()
                    .map(|term| term.join(" and "))
                    .collect::<Vec<_>>()
                    .join(", or ")
            )],
        }
    }
}

fn term(v: &Value) -> Term {
    let all = |key: &str| {
        v[key]
            .as_array()
            .into_iter()
            .flatten()
            .map(requirement)
            .collect()
    };
    Term {
        labels: all("matchExpressions"),
        fields: all("matchFields"),
    }
}

fn requirement(v: &Value) -> Requirement {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    Requirement {
        key: text(&v["key"]),
        operator: text(&v["operator"]),
        values: v["values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect(),
    }
}

impl Term {
    fn against(&self, node: &Node) -> Vec<String> {
        // Kubernetes has an empty term match no node.
        if self.labels.is_empty() && self.fields.is_empty() {
            return vec!["is not matched by the node affinity's empty term".into()];
        }
        let labels = self
            .labels
            .iter()
            .filter_map(|r| r.against(node.labels.get(&r.key).map(String::as_str)));
        let fields = self
            .fields
            .iter()
            .filter_map(|r| r.against((r.key == "metadata.name").then_some(node.name.as_str())));
        labels.chain(fields).collect()
    }
}

impl Requirement {
    /// Why a node with this value does not meet it; `None`: it does.
    fn against(&self, have: Option<&str>) -> Option<String> {
        let Self { key, values, .. } = self;
        let asks = match self.operator.as_str() {
            "Exists" => "one".to_owned(),
            "Gt" => format!("more than {}", values.join(", ")),
            "Lt" => format!("less than {}", values.join(", ")),
            _ => values.join(" or "),
        };
        // Both sides are whole numbers, or nothing is greater or less.
        let number = |t: &str| t.parse::<i64>().ok();
        let compared = |greater: bool| {
            let (have, than) = (number(have?)?, number(values.first()?)?);
            Some(if greater { have > than } else { have < than })
        };
        let met = match self.operator.as_str() {
            "In" => have.is_some_and(|h| values.iter().any(|v| v == h)),
            "NotIn" => have.is_none_or(|h| values.iter().all(|v| v != h)),
            "Exists" => have.is_some(),
            "DoesNotExist" => have.is_none(),
            "Gt" => compared(true) == Some(true),
            "Lt" => compared(false) == Some(true),
            _ => false,
        };
        if met {
            return None;
        }
        Some(match (self.operator.as_str(), have) {
            ("NotIn" | "DoesNotExist", Some(have)) => {
                format!("has {key} {have}, which the node affinity rules out")
            }
            (_, Some(have)) => format!("has {key} {have}, and the node affinity asks for {asks}"),
            (_, None) => format!("has no label {key}, and the node affinity asks for {asks}"),
        })
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
