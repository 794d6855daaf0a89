//! Canaries: where they exist, what they may hold, and what would send them no traffic.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::Error,
    isvc::{Mode, View},
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "canary-percent-ignored",
        severity: Error,
        check: canary_percent_ignored,
    },
    Rule {
        name: "canary-percent-range",
        severity: Error,
        check: canary_percent_range,
    },
    Rule {
        name: "canary-not-known",
        severity: Error,
        check: canary_not_known,
    },
    Rule {
        name: "canary-needs-standard",
        severity: Error,
        check: canary_needs_standard,
    },
    Rule {
        name: "canary-without-gateway-api",
        severity: Error,
        check: canary_without_gateway,
    },
    Rule {
        name: "canary-beside-transformer",
        severity: Error,
        check: canary_beside_transformer,
    },
    Rule {
        name: "canary-fields",
        severity: Error,
        check: canary_fields,
    },
    Rule {
        name: "canary-names",
        severity: Error,
        check: canary_names,
    },
    Rule {
        name: "canary-traffic",
        severity: Error,
        check: canary_traffic,
    },
    Rule {
        name: "canary-min-replicas",
        severity: Error,
        check: canary_min_replicas,
    },
    Rule {
        name: "predictor-name-before-canary",
        severity: Error,
        check: predictor_name,
    },
];

fn canary_percent(c: &Checked<'_>) -> Option<i64> {
    c.view.predictor()["canaryTrafficPercent"].as_i64()
}

fn canary_percent_ignored(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = canary_percent(c).filter(|_| c.standard()) {
        let way = if c.target.facts.canary_field {
            "Describe the new version in `spec.canary` with its `trafficPercent`."
        } else {
            "This KServe has no canaries in Standard mode: remove the field, or have KServe 0.20 or later installed."
        };
        out.push(said("spec.predictor.canaryTrafficPercent", format!("In Standard mode KServe ignores `canaryTrafficPercent: {p}`: all traffic would go to the new version."), way));
    }
}

fn canary_percent_range(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = canary_percent(c).filter(|p| !(0..=100).contains(p) && !c.standard()) {
        out.push(said(
            "spec.predictor.canaryTrafficPercent",
            format!("{p} is no percentage; KServe accepts it all the same."),
            "Write a number from 0 to 100.",
        ));
    }
}

fn canary_not_known(c: &Checked<'_>, out: &mut Out) {
    if !c.view.at("/spec/canary").is_null() && !c.target.facts.canary_field {
        out.push(said(
            "spec.canary",
            "This cluster's KServe does not know `spec.canary` (it came with 0.20).",
            "Remove it, or have KServe 0.20 or later installed.",
        ));
    }
}

fn canary_needs_standard(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty() && c.mode == Some(Mode::Knative) {
        out.push(said(
            "spec.canary",
            "`spec.canary` is for Standard mode; this is Knative.",
            "Use `predictor.canaryTrafficPercent` in Knative mode.",
        ));
    }
}

fn canary_without_gateway(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty()
        && c.target.facts.gateway_api == Some(false)
        && c.mode != Some(Mode::Knative)
    {
        out.push(said("spec.canary", "KServe gives canaries their share of the traffic on HTTPRoutes only, and this cluster's KServe does not make any (`ingress.enableGatewayApi` is false): the canary would run and get nothing.", "Have the Gateway API switched on in KServe's configuration, or remove the canary."));
    }
}

fn canary_beside_transformer(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty() && c.view.has_transformer() {
        out.push(said("spec.canary", "With a transformer the canary's share would go straight to the canary and leave the transformer out.", "Deploy the new version as a service of its own, or do without the transformer."));
    }
}

fn canary_fields(c: &Checked<'_>, out: &mut Out) {
    for (i, canary) in c.view.canaries().iter().enumerate() {
        for field in [
            "workerSpec",
            "maxReplicas",
            "scaleTarget",
            "scaleMetric",
            "autoScaling",
        ] {
            if canary.predictor.get(field).is_some_and(|v| !v.is_null()) {
                out.push(said(
                    format!("spec.canary[{i}].predictor.{field}"),
                    format!("A canary may not set `{field}`: it does not scale by itself."),
                    format!("Remove `{field}`; the size of a canary is its `minReplicas`."),
                ));
            }
        }
    }
}

fn canary_names(c: &Checked<'_>, out: &mut Out) {
    let all = c.view.canaries();
    for (i, canary) in all.iter().enumerate() {
        let field = format!("spec.canary[{i}].predictor.name");
        if canary.name.is_empty() {
            out.push(said(
                field,
                "A canary needs a name.",
                "Name it after the version, such as `v2`.",
            ));
        } else if all[..i].iter().any(|o| o.name == canary.name) {
            out.push(said(
                field,
                format!("Two canaries are called `{}`.", canary.name),
                "Give each its own name.",
            ));
        } else if c.view.predictor()["name"] == canary.name {
            out.push(said(
                field,
                format!("The stable predictor is called `{}` already.", canary.name),
                "Give the canary another name.",
            ));
        } else if !crate::form::check::dns_label(&format!("x{}", canary.name)) {
            out.push(said(
                field,
                "The name becomes part of a Deployment's and a Service's name.",
                "Use lower-case letters, digits and `-`.",
            ));
        }
    }
}

fn canary_traffic(c: &Checked<'_>, out: &mut Out) {
    let all = c.view.canaries();
    for (i, canary) in all.iter().enumerate() {
        let field = format!("spec.canary[{i}].trafficPercent");
        match canary.traffic_percent {
            Some(p) if !(0..=100).contains(&p) => out.push(said(
                field,
                format!("{p} is no percentage."),
                "Write a number from 0 (a dark launch) to 100.",
            )),
            _ => {}
        }
    }
    let sum: i64 = all
        .iter()
        .filter_map(|c| c.traffic_percent)
        .fold(0, i64::saturating_add);
    if sum > 100
        && all
            .iter()
            .all(|c| c.traffic_percent.is_none_or(|p| p <= 100))
    {
        out.push(said(
            "spec.canary",
            format!("The canaries ask for {sum} % of the traffic together."),
            "Make it at most 100.",
        ));
    }
}

fn canary_min_replicas(c: &Checked<'_>, out: &mut Out) {
    let stable = c.view.min_replicas().unwrap_or(1);
    for (i, canary) in c.view.canaries().iter().enumerate() {
        if let Some(n) = canary.predictor["minReplicas"]
            .as_i64()
            .filter(|n| *n > stable)
        {
            out.push(said(
                format!("spec.canary[{i}].predictor.minReplicas"),
                format!("The canary's {n} replicas are more than the stable version's {stable}."),
                "Write at most as many as `spec.predictor.minReplicas`.",
            ));
        }
    }
}

fn predictor_name(c: &Checked<'_>, out: &mut Out) {
    let Some(name) = c.view.predictor()["name"]
        .as_str()
        .filter(|n| !n.is_empty())
    else {
        return;
    };
    let live = c.target.live.map(View::new);
    let known = live.is_some_and(|l| {
        l.predictor()["name"] == name || l.canaries().iter().any(|k| k.name == name)
    });
    if !known {
        out.push(said("spec.predictor.name", format!("`{name}` is no canary of what runs now: KServe allows a name in the stable predictor only to promote a canary."), "Remove `name`, or deploy the version as a canary first."));
    }
}
