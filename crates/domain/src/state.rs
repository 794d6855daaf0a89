//! The state of a deployment in plain words.

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
