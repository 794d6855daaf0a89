//! What the namespace's quotas allow.

use super::{Checked, Rule, Said, live_replicas, said};
use crate::{
    capacity,
    finding::Severity::{Error, Warning},
    isvc::View,
};

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
];

/// What the quotas would be with so many replicas, less what runs of it now.
fn effect(c: &Checked<'_>, replicas: u32) -> Vec<(String, crate::change::QuotaEffect)> {
    if c.view.stop_wished() {
        return Vec::new();
    }
    let quotas: Vec<_> = match c.target.live.map(View::new).filter(|l| !l.stop_wished()) {
        Some(live) => {
            let runtime = crate::runtime::resolve(live.value(), c.target.runtimes).runtime();
            let (requests, limits) = (live.requests_with(runtime), live.limits_with(runtime));
            capacity::without(
                c.target.quotas,
                &requests,
                &limits,
                i64::from(live_replicas(c)),
            )
        }
        None => c.target.quotas.to_vec(),
    };
    capacity::quota_effect(&quotas, &c.requests, &c.limits, i64::from(replicas))
        .into_iter()
        .map(|e| {
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
            (field, e)
        })
        .collect()
}

fn quota_exceeded(c: &Checked<'_>, out: &mut Out) {
    for (field, e) in effect(c, c.replicas())
        .into_iter()
        .filter(|(_, e)| e.exceeded)
    {
        out.push(said(
            field,
            format!(
                "The namespace's quota {} allows {} of {}; {} are used, and it would be {}.",
                e.quota, e.hard, e.resource, e.used, e.after
            ),
            "Ask for less, stop something else in the namespace, or have the quota raised.",
        ));
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
    for (_, e) in effect(c, most).into_iter().filter(|(f, e)| {
        e.exceeded
            && !now
                .iter()
                .any(|(g, n)| g == f && n.exceeded && n.quota == e.quota)
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
    for quota in c.target.quotas {
        for resource in quota.hard.keys() {
            let (which, name, map) = match (
                resource.strip_prefix("limits."),
                resource.strip_prefix("requests."),
            ) {
                (Some(r), _) => ("limits", r, &c.limits),
                (_, Some(r)) => ("requests", r, &c.requests),
                _ => ("requests", resource.as_str(), &c.requests),
            };
            if matches!(name, "cpu" | "memory") && !map.contains_key(name) {
                out.push(said(format!("{}.resources.{which}.{name}", c.container_path), format!("The quota {} counts {resource}, so the cluster refuses pods that do not state it.", quota.name), format!("Write {which} for {name}.")));
            }
        }
    }
}
