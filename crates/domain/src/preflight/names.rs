//! Names: what Kubernetes takes, and how long KServe lets them be.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::Error,
    form::check::{dns_label, dns_subdomain},
    isvc::View,
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "name",
        severity: Error,
        check: name,
    },
    Rule {
        name: "name-too-long",
        severity: Error,
        check: name_too_long,
    },
    Rule {
        name: "namespace",
        severity: Error,
        check: namespace,
    },
    Rule {
        name: "name-changed",
        severity: Error,
        check: name_changed,
    },
];

fn name(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.name();
    if n.is_empty() {
        let generated = c.view.at("/metadata/generateName").is_string();
        let message = if generated {
            "The console needs a name of its own, not `generateName`: a decision is about one object."
        } else {
            "The deployment has no name."
        };
        out.push(said(
            "metadata.name",
            message,
            "Write a name, such as `llama-3-8b`.",
        ));
    } else if !dns_label(n) {
        out.push(said("metadata.name", format!("`{n}` cannot name a Service."), "Use lower-case letters, digits and `-`; begin with a letter and end with a letter or digit."));
    }
}

/// KServe makes Services, Deployments and a pod label from the name; each may have 63 characters.
fn name_too_long(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.name();
    let mut longest = format!("{n}-predictor");
    for canary in c.view.canaries() {
        let theirs = format!("{n}-{}-predictor", canary.name);
        if theirs.len() > longest.len() {
            longest = theirs;
        }
    }
    if c.view.has_transformer() && n.len() + "-transformer".len() > longest.len() {
        longest = format!("{n}-transformer");
    }
    // The pods' label is `app: isvc.<name>-predictor`.
    let label = longest.len() + "isvc.".len();
    if longest.len() > 63 || label > 63 {
        out.push(said("metadata.name", format!("KServe labels its pods `isvc.{longest}`, which has {label} characters; 63 are allowed."), format!("Shorten the name by {}.", label - 63)));
    }
}

fn namespace(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.namespace();
    if n.is_empty() {
        out.push(said(
            "metadata.namespace",
            "It is not said where to deploy it.",
            "Choose a target.",
        ));
    } else if !dns_subdomain(n) || n.contains('.') || n.len() > 63 {
        out.push(said(
            "metadata.namespace",
            format!("`{n}` is no namespace's name."),
            "Choose a target.",
        ));
    }
}

fn name_changed(c: &Checked<'_>, out: &mut Out) {
    let Some(live) = c.target.live.map(View::new) else {
        return;
    };
    for (field, before, after) in [
        ("metadata.name", live.name(), c.view.name()),
        ("metadata.namespace", live.namespace(), c.view.namespace()),
    ] {
        if !before.is_empty() && before != after {
            out.push(said(field, format!("This is an update of `{before}`; with `{after}` it would be another deployment."), "Keep it, or begin a new deployment."));
        }
    }
}
