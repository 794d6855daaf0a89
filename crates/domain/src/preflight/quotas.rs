//! What the namespace's quotas and limit ranges allow.

use super::{Checked, Rule, Said, said};
use crate::{
    capacity,
    change::QuotaEffect,
    finding::Severity::{Error, Warning},
    isvc::Amounts,
    pods::{self, Pods},
    quantity::{Quantity, amount},
};
use serde_json::Value;
use std::collections::BTreeMap;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "quota-exceeded",
        severity: Error,
        check: quota_exceeded,
    },
    Rule {
        name: "quota-exceeded-scaled-out",
        severity: Warning,
        check: quota_scaled_out,
    },
    Rule {
        name: "quota-needs-amount",
        severity: Error,
        check: quota_needs_amount,
    },
    Rule {
        name: "limit-range-exceeded",
        severity: Error,
        check: limit_range_exceeded,
    },
];

/// Every pod that a manifest starts with here.
fn pods_of(c: &Checked<'_>, manifest: &Value) -> Vec<Pods> {
    pods::of(
        manifest,
        c.target.runtimes,
        c.target.limit_ranges,
        c.target.facts.default_mode.as_deref(),
    )
}

/// What a quota would be, and the field that asks for it.
struct Effect {
    field: String,
    of: QuotaEffect,
    /// With nothing else in the namespace: what is asked for, and how much of it the quota lacks.
    too_small: Option<(String, String)>,
}

/// What the quotas would be with so many replicas of the predictor and all that runs beside it, less
/// what runs of it now.
fn effect(c: &Checked<'_>, replicas: u32) -> Vec<Effect> {
    let mut after = pods_of(c, c.view.value());
    if after.is_empty() {
        return Vec::new();
    }
    if let Some(predictor) = after.first_mut() {
        predictor.replicas = i64::from(replicas);
    }
    let default_mode = c.target.facts.default_mode.as_deref();
    pods::keep(&mut after, &c.view, default_mode, c.target.running);
    let quotas = capacity::without(c.target.quotas, c.target.running);
    let mut empty = quotas.clone();
    empty.iter_mut().for_each(|q| q.used.clear());
    // Which lines there are does not depend on what is used.
    capacity::quota_effect(&quotas, &after)
        .into_iter()
        .zip(capacity::quota_effect(&empty, &after))
        .map(|(e, alone)| {
            let (which, resource) = match (
                e.resource.strip_prefix("limits."),
                e.resource.strip_prefix("requests."),
            ) {
                (Some(r), _) => ("limits", r),
                (_, Some(r)) => ("requests", r),
                _ => ("requests", e.resource.as_str()),
            };
            let field = if resource.contains("pods") {
                "spec.predictor.minReplicas".to_owned()
            } else {
                format!("{}.resources.{which}.{resource}", c.container_path)
            };
            Effect {
                field,
                too_small: alone.exceeded.then(|| {
                    let amount = |text: &str| Quantity::parse(text).unwrap_or_default();
                    let lacking = amount(&alone.after) - amount(&alone.hard);
                    (alone.after, lacking.show(&alone.resource))
                }),
                of: e,
            }
        })
        .collect()
}

fn quota_exceeded(c: &Checked<'_>, out: &mut Out) {
    for Effect {
        field,
        of: e,
        too_small,
    } in effect(c, c.replicas())
        .into_iter()
        .filter(|e| e.of.exceeded)
    {
        out.push(match too_small {
            // Whatever else is stopped, this does not fit.
            Some((asked, lacking)) => said(
                field,
                format!(
                    "The namespace's quota {} is too small for this: it allows {} of {} in all, and this alone needs {asked}, which is {lacking} more.",
                    e.quota, e.hard, e.resource
                ),
                format!(
                    "Ask for less, or have whoever runs the cluster raise the quota to {} or more.",
                    e.after
                ),
            ),
            None => said(
                field,
                format!(
                    "The namespace's quota {} allows {} of {}; {} are used, and it would be {}.",
                    e.quota, e.hard, e.resource, e.used, e.after
                ),
                "Ask for less, stop something else in the namespace, or have the quota raised.",
            ),
        });
    }
}

fn quota_scaled_out(c: &Checked<'_>, out: &mut Out) {
    let Some(most) = c
        .view
        .max_replicas()
        .and_then(|m| u32::try_from(m).ok())
        .filter(|m| *m > c.replicas())
    else {
        return;
    };
    let now = effect(c, c.replicas());
    for Effect { of: e, .. } in effect(c, most).into_iter().filter(|e| {
        let known = |n: &Effect| n.field == e.field && n.of.exceeded && n.of.quota == e.of.quota;
        e.of.exceeded && !now.iter().any(known)
    }) {
        out.push(said(
            "spec.predictor.maxReplicas",
            format!(
                "Scaled out to {most} replicas it would use {} of {}; the quota {} allows {}.",
                e.after, e.resource, e.quota, e.hard
            ),
            "Lower `maxReplicas`, or have the quota raised.",
        ));
    }
}

fn quota_needs_amount(c: &Checked<'_>, out: &mut Out) {
    let all = pods_of(c, c.view.value());
    for quota in c.target.quotas {
        for resource in quota.hard.keys() {
            let (which, name) = match (
                resource.strip_prefix("limits."),
                resource.strip_prefix("requests."),
            ) {
                (Some(r), _) => ("limits", r),
                (_, Some(r)) => ("requests", r),
                _ => ("requests", resource.as_str()),
            };
            if !matches!(name, "cpu" | "memory") {
                continue;
            }
            // What runs of a runtime beside the server is not for the person to write.
            for container in all
                .iter()
                .flat_map(|p| &p.containers)
                .filter(|a| !a.path.ends_with(".model.runtime"))
            {
                let map = match which {
                    "limits" => &container.limits,
                    _ => &container.requests,
                };
                if !map.contains_key(name) {
                    out.push(said(format!("{}.resources.{which}.{name}", container.path), format!("The quota {} counts {resource}, so the cluster refuses pods that do not state it.", quota.name), format!("Write {which} for {name}.")));
                }
            }
        }
    }
}

/// The cluster refuses a pod whose containers may use more than a limit range allows, or that set no
/// limit where one is bounded.
fn limit_range_exceeded(c: &Checked<'_>, out: &mut Out) {
    let mut name_it = |field: String,
                       what: &str,
                       have: Option<Quantity>,
                       most: Quantity,
                       resource: &str,
                       range: &str| {
        let (message, way) = match have {
            Some(have) => (
                format!(
                    "The namespace's limit range `{range}` allows {what} {} of {resource} at most, and it would have {}: the cluster refuses the pod.",
                    most.show(resource),
                    have.show(resource)
                ),
                "Ask for less, or have the limit range raised.".to_owned(),
            ),
            None => (
                format!(
                    "The namespace's limit range `{range}` bounds {resource}, so the cluster refuses pods that set no limit of it."
                ),
                format!("Write a limit of {} or less.", most.show(resource)),
            ),
        };
        out.push(said(field, message, way));
    };
    for pods in pods_of(c, c.view.value()) {
        let first = pods.containers.first().map(|a| a.path.clone());
        for range in c.target.limit_ranges {
            for container in &pods.containers {
                for (resource, most) in bounds(&range.max) {
                    let (which, have) = used_at_most(container, resource);
                    if have.is_none_or(|h| h > most) {
                        let field = format!("{}.resources.{which}.{resource}", container.path);
                        name_it(field, "a container", have, most, resource, &range.name);
                    }
                }
            }
            for (resource, most) in bounds(&range.max_pod) {
                let have: Quantity = pods
                    .containers
                    .iter()
                    .filter_map(|a| used_at_most(a, resource).1)
                    .sum();
                if let Some(first) = first.as_ref().filter(|_| have > most) {
                    let field = format!("{first}.resources.limits.{resource}");
                    name_it(field, "a pod", Some(have), most, resource, &range.name);
                }
            }
        }
    }
}

fn bounds(max: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, Quantity)> {
    max.iter()
        .filter_map(|(r, t)| Some((r.as_str(), Quantity::parse(t)?)))
}

/// The more of limit and request, and which it is; no amount: it has no limit.
fn used_at_most(container: &Amounts, resource: &str) -> (&'static str, Option<Quantity>) {
    if !container.limits.contains_key(resource) {
        return ("limits", None);
    }
    let limit = amount(&container.limits, resource);
    let request = amount(&container.requests, resource);
    if request > limit {
        ("requests", Some(request))
    } else {
        ("limits", Some(limit))
    }
}
