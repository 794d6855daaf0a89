//! Amounts of resources: written right, and requests beside limits.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::{Error, Info, Warning},
    isvc::gpu_resource,
    quantity::{Quantity, amount},
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "quantity",
        severity: Error,
        check: quantity,
    },
    Rule {
        name: "request-over-limit",
        severity: Error,
        check: request_over_limit,
    },
    Rule {
        name: "gpu-request-not-limit",
        severity: Error,
        check: gpu_request_not_limit,
    },
    Rule {
        name: "gpu-not-whole",
        severity: Error,
        check: gpu_not_whole,
    },
    Rule {
        name: "requests-missing",
        severity: Warning,
        check: requests_missing,
    },
    Rule {
        name: "memory-limit-missing",
        severity: Info,
        check: memory_limit_missing,
    },
];

/// Every amount in the predictor's and canaries' containers: path, resource, text.
fn amounts<'a>(c: &Checked<'a>, which: &str) -> Vec<(String, &'a str, String)> {
    let mut out = Vec::new();
    let mut of = |path: String, container: &'a Value| {
        for (k, v) in container
            .pointer(&format!("/resources/{which}"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let text = crate::isvc::quantity_text(v).unwrap_or_else(|| v.to_string());
            out.push((format!("{path}.resources.{which}.{k}"), k.as_str(), text));
        }
    };
    let mut part = |path: String, p: &'a Value| {
        if p["model"].is_object() {
            of(format!("{path}.model"), &p["model"]);
        }
        for (i, x) in p["containers"].as_array().into_iter().flatten().enumerate() {
            of(format!("{path}.containers[{i}]"), x);
        }
    };
    part("spec.predictor".into(), c.view.predictor());
    part("spec.transformer".into(), c.view.at("/spec/transformer"));
    for (i, canary) in c.view.canaries().iter().enumerate() {
        part(format!("spec.canary[{i}].predictor"), canary.predictor);
    }
    out
}

fn quantity(c: &Checked<'_>, out: &mut Out) {
    for which in ["requests", "limits"] {
        for (field, resource, text) in amounts(c, which) {
            match Quantity::parse(&text) {
                None => out.push(said(
                    field,
                    format!("`{text}` is no amount that Kubernetes reads."),
                    "Write it like `4`, `500m` or `32Gi`.",
                )),
                Some(q) if q < Quantity::ZERO => out.push(said(
                    field,
                    "An amount cannot be less than nothing.",
                    "Write it like `4`, `500m` or `32Gi`.",
                )),
                // `memory: 32` is 32 bytes; `32m` a fraction of one.
                Some(q)
                    if resource == "memory"
                        && !q.is_zero()
                        && q < Quantity::from_units(1 << 20) =>
                {
                    out.push(said(field, format!("`{text}` is less than a mebibyte of memory: a unit seems to be missing."), "Write it with its unit, such as `32Gi`."));
                }
                Some(_) => {}
            }
        }
    }
}

fn request_over_limit(c: &Checked<'_>, out: &mut Out) {
    let limits = amounts(c, "limits");
    for (field, resource, text) in amounts(c, "requests")
        .into_iter()
        .filter(|(_, r, _)| !gpu_resource(r))
    {
        let twin = field.replace(".requests.", ".limits.");
        let Some((_, _, limit)) = limits.iter().find(|(f, _, _)| *f == twin) else {
            continue;
        };
        if let (Some(r), Some(l)) = (Quantity::parse(&text), Quantity::parse(limit))
            && r > l
        {
            out.push(said(
                twin,
                format!(
                    "The limit of {resource} ({limit}) is less than what is requested ({text})."
                ),
                "Raise the limit or lower the request.",
            ));
        }
    }
}

fn gpu_request_not_limit(c: &Checked<'_>, out: &mut Out) {
    let limits = amounts(c, "limits");
    for (field, resource, text) in amounts(c, "requests")
        .into_iter()
        .filter(|(_, r, _)| gpu_resource(r))
    {
        let twin = field.replace(".requests.", ".limits.");
        let limit = limits
            .iter()
            .find(|(f, _, _)| *f == twin)
            .map(|(_, _, l)| l.clone());
        if limit.as_deref().and_then(Quantity::parse) != Quantity::parse(&text) {
            let stands = limit.map_or("no limit".to_owned(), |l| format!("the limit {l}"));
            out.push(said(twin, format!("Devices cannot be overcommitted: the request {text} of {resource} needs the same limit, and there is {stands}."), format!("Write `{resource}: \"{text}\"` under limits.")));
        }
    }
}

fn gpu_not_whole(c: &Checked<'_>, out: &mut Out) {
    for which in ["requests", "limits"] {
        for (field, resource, text) in amounts(c, which)
            .into_iter()
            .filter(|(_, r, _)| gpu_resource(r))
        {
            if Quantity::parse(&text).is_some_and(|q| q.milli() % 1000 != 0) {
                out.push(said(field, format!("{resource} is counted in whole devices."), "Write a whole number, or ask for a MIG slice such as `nvidia.com/mig-1g.10gb`."));
            }
        }
    }
}

fn requests_missing(c: &Checked<'_>, out: &mut Out) {
    let missing: Vec<&str> = ["cpu", "memory"]
        .into_iter()
        .filter(|r| amount(&c.requests, r).is_zero())
        .collect();
    if !missing.is_empty() && (c.view.model().is_object() || c.view.image().is_some()) {
        out.push(said(format!("{}.resources.requests", c.container_path), format!("No {} is requested, so the scheduler takes it for nothing, and the pod is the first to be evicted.", missing.join(" and no ")), "Write what the server needs."));
    }
}

fn memory_limit_missing(c: &Checked<'_>, out: &mut Out) {
    if amount(&c.limits, "memory").is_zero() && !amount(&c.requests, "memory").is_zero() {
        out.push(said(
            format!("{}.resources.limits.memory", c.container_path),
            "Without a limit the server can take all of its node's memory.",
            "Write a limit, as high as the request or higher.",
        ));
    }
}
