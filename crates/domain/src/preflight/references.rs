//! References into nothing: KServe accepts them, and the pod never starts.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::Error,
    references::{Referred, named, secrets_of_runtime},
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: RUNTIME_SECRET,
        severity: Error,
        check: runtime_secret,
    },
    Rule {
        name: "volume-claim-missing",
        severity: Error,
        check: volume_claim,
    },
    Rule {
        name: "service-account-missing",
        severity: Error,
        check: service_account,
    },
];

pub(super) const RUNTIME_SECRET: &str = "runtime-secret-missing";

fn runtime_secret(c: &Checked<'_>, out: &mut Out) {
    let (Some(there), Some(runtime)) = (c.target.secrets, c.runtime.runtime()) else {
        return;
    };
    for name in secrets_of_runtime(c.view.predictor(), runtime) {
        if !there.iter().any(|s| s == name) {
            out.push(said(
                "spec.predictor.model.runtime",
                format!(
                    "The runtime `{}` takes what it needs from a Secret `{name}`, which the namespace does not have: the pod would not start.",
                    runtime.name
                ),
                "Create it there, or choose another runtime.",
            ));
        }
    }
}

fn absent(c: &Checked<'_>, kind: Referred) -> Vec<(String, String)> {
    named(c.view.value(), c.target.runtimes)
        .into_iter()
        .filter(|r| r.kind == kind)
        .filter(|r| {
            c.target
                .absent
                .iter()
                .any(|(k, n)| *k == kind && *n == r.name)
        })
        .map(|r| (r.field, r.name))
        .collect()
}

fn volume_claim(c: &Checked<'_>, out: &mut Out) {
    for (field, name) in absent(c, Referred::VolumeClaim) {
        out.push(said(
            field,
            format!("The namespace has no volume claim `{name}`: the pod would wait for ever."),
            "Create the PersistentVolumeClaim there, or name one that is there.",
        ));
    }
}

fn service_account(c: &Checked<'_>, out: &mut Out) {
    for (field, name) in absent(c, Referred::ServiceAccount) {
        out.push(said(
            field,
            format!("The namespace has no service account `{name}`: no pod would be made."),
            "Create the ServiceAccount there, or name one that is there.",
        ));
    }
}
