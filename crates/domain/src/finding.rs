//! What a check has to say about a manifest.

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// May be meant; the decision page shows it.
    Warning,
    /// It would not do what it says: it cannot be submitted.
    Error,
}

/// One finding, beside the field it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's stable name (`canary-percent-ignored`).
    pub rule: String,
    pub severity: Severity,
    /// Manifest path (`spec.predictor.minReplicas`); empty for the whole.
    pub field: String,
    /// What is wrong and why.
    pub message: String,
    /// The way out.
    pub remedy: String,
}
