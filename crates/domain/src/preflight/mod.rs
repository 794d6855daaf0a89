//! What KServe and the API server accept and then do not do, caught before anybody decides.
//!
//! The rules stand in one table ([`RULES`]); each looks at the manifest and at what is known of the
//! target, and says what is wrong, beside which field, and the way out. What is not known is not
//! held against anybody: a rule that lacks a fact is silent.

mod amounts;
mod canaries;
mod context;
mod names;
mod nodes;
mod pod;
mod quotas;
mod runtimes;
mod scaling;
mod secrets;
mod shape;
mod storage;

pub use context::{Checked, Target};
pub(crate) use storage::{SCHEMES, matches_uri};

use crate::finding::{Finding, Severity};
use serde_json::Value;

/// One rule. `check` adds what it finds; the rule's name and severity are put to it here.
pub struct Rule {
    /// Stable name, shown and stored (`canary-percent-ignored`).
    pub name: &'static str,
    pub severity: Severity,
    pub check: fn(&Checked<'_>, &mut Vec<Said>),
}

/// What a rule says: field, what is wrong and why, the way out.
pub struct Said {
    pub field: String,
    pub message: String,
    pub remedy: String,
}

pub(crate) fn said(
    field: impl Into<String>,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Said {
    Said {
        field: field.into(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

/// The path of an annotation.
fn annotation(key: &str) -> String {
    format!("metadata.annotations.{key}")
}

/// Pods of the deployment that run now and that an update replaces.
fn live_replicas(c: &Checked<'_>) -> u32 {
    let Some(live) = c
        .target
        .live
        .map(crate::isvc::View::new)
        .filter(|l| !l.stop_wished())
    else {
        return 0;
    };
    u32::try_from(live.replicas_wished(live.mode(None))).unwrap_or(0)
}

/// Every rule there is.
pub static RULES: &[&[Rule]] = &[
    shape::RULES,
    runtimes::RULES,
    scaling::RULES,
    canaries::RULES,
    storage::RULES,
    names::RULES,
    amounts::RULES,
    nodes::RULES,
    pod::RULES,
    quotas::RULES,
    secrets::RULES,
];

/// Checks a manifest against a target: errors first, then warnings, then what is worth knowing.
pub fn check(manifest: &Value, target: &Target<'_>) -> Vec<Finding> {
    let checked = Checked::new(manifest, target);
    let mut out = Vec::new();
    for rule in RULES.iter().copied().flatten() {
        let mut found = Vec::new();
        (rule.check)(&checked, &mut found);
        out.extend(found.into_iter().map(|s| Finding {
            rule: rule.name.into(),
            severity: rule.severity,
            field: s.field,
            message: s.message,
            remedy: s.remedy,
        }));
    }
    out.sort_by_key(|f| std::cmp::Reverse(f.severity));
    out
}

/// May it be submitted?
pub fn passes(findings: &[Finding]) -> bool {
    !findings.iter().any(|f| f.severity == Severity::Error)
}

#[cfg(test)]
mod tests;
