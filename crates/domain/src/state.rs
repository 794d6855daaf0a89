//! The state of a deployment in plain words.
//!
//! Decided from everything that is seen and never from `Ready` or `observedGeneration` alone: KServe
//! keeps `Ready` while an update rolls, leaves `observedGeneration` behind for ever once a canary was
//! used, and says why something does not come up only on the pods, the events and the ReplicaSet.

pub(crate) mod canary;
mod judge;
mod knative;
mod problem;
mod row;
mod words;
mod worker;

pub use row::row;

use crate::{Micros, observed::Live};
use serde::{Deserialize, Serialize};

/// What a deployment does, decided from everything that is seen and never from `Ready` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    Healthy,
    /// A new version comes up while the old one serves.
    Rolling,
    /// A canary takes part, as wished.
    Canary,
    /// Comes up for the first time.
    Starting,
    /// It serves, but with less than wished.
    Degraded,
    OutOfQuota,
    Unschedulable,
    Crashing,
    /// No runtime supports it.
    NoRuntime,
    /// KServe refuses or cannot reconcile it.
    Failed,
    Stopped,
    Deleting,
    /// Nothing is known yet.
    Unknown,
}

impl Code {
    pub const ALL: [Self; 13] = [
        Self::Healthy,
        Self::Rolling,
        Self::Canary,
        Self::Starting,
        Self::Degraded,
        Self::OutOfQuota,
        Self::Unschedulable,
        Self::Crashing,
        Self::NoRuntime,
        Self::Failed,
        Self::Stopped,
        Self::Deleting,
        Self::Unknown,
    ];

    /// The name in URLs and filters: `out-of-quota`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Rolling => "rolling",
            Self::Canary => "canary",
            Self::Starting => "starting",
            Self::Degraded => "degraded",
            Self::OutOfQuota => "out-of-quota",
            Self::Unschedulable => "unschedulable",
            Self::Crashing => "crashing",
            Self::NoRuntime => "no-runtime",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Unknown => "unknown",
        }
    }

    /// Reads [`Self::name`] back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// The label for people: `Out of quota`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Rolling => "Rolling",
            Self::Canary => "Canary",
            Self::Starting => "Starting",
            Self::Degraded => "Degraded",
            Self::OutOfQuota => "Out of quota",
            Self::Unschedulable => "Cannot be scheduled",
            Self::Crashing => "Crashing",
            Self::NoRuntime => "No runtime",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Deleting => "Deleting",
            Self::Unknown => "Unknown",
        }
    }

    pub fn tone(self) -> Tone {
        match self {
            Self::Healthy => Tone::Success,
            Self::Rolling | Self::Canary | Self::Starting => Tone::Info,
            Self::Degraded => Tone::Warning,
            Self::OutOfQuota
            | Self::Unschedulable
            | Self::Crashing
            | Self::NoRuntime
            | Self::Failed => Tone::Danger,
            Self::Stopped | Self::Deleting | Self::Unknown => Tone::Neutral,
        }
    }

    /// Does somebody have to look at it?
    pub fn unhealthy(self) -> bool {
        matches!(self.tone(), Tone::Warning | Tone::Danger)
    }
}

/// How a state is to be shown; always beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    Success,
    Info,
    Warning,
    Danger,
    Neutral,
}

/// The state, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub code: Code,
    /// One sentence without a full stop.
    pub headline: String,
    /// Why, where it is not as it should be.
    pub cause: Option<String>,
    /// What somebody can do about it.
    pub next_step: Option<String>,
    pub tone: Tone,
}

impl Explanation {
    pub(crate) fn new(code: Code, headline: impl Into<String>) -> Self {
        Self {
            code,
            headline: headline.into(),
            cause: None,
            next_step: None,
            tone: code.tone(),
        }
    }
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into()).filter(|c: &String| !c.is_empty());
        self
    }
    pub(crate) fn so(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}

/// What this deployment does, why, and what to do about it.
pub fn explain(live: &Live, now: Micros) -> Explanation {
    judge::judge(live, now)
}

#[cfg(test)]
mod tests;
