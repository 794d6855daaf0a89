use super::NewRecord;
use async_trait::async_trait;
use domain::{Micros, Result, ids::*};
use serde::{Deserialize, Serialize};

/// What a worker has to do. The key makes it unique: (revision, item) for an apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    /// Unique among all jobs ever: a second one with the same key is not made.
    pub key: String,
    pub run_at: Micros,
    /// Name of the cluster that it goes to.
    pub cluster: String,
    /// What it is about there, `namespace/name`: no two jobs are at one object at the same time.
    pub object: String,
    /// Goes before all that are not: a stop.
    pub urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// `key` = `<revision>/<item>`
    Apply,
}

/// A claimed job: who claims later gets a higher epoch, and writes under a lower one are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub key: String,
    pub cluster: String,
    pub fence: Fence,
    /// How often it was claimed, this time included.
    pub attempts: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub job: JobId,
    pub epoch: i64,
}

#[async_trait]
pub trait JobStore {
    /// Claims one due job whose lease is free or over, urgent ones first; none that goes to one of the
    /// clusters `except`, and none whose object another worker is at, in whatever process.
    async fn job_claim(
        &self,
        kinds: &[JobKind],
        worker: &str,
        now: Micros,
        lease_until: Micros,
        except: &[String],
    ) -> Result<Option<Job>>;
    /// `false`: another worker has it.
    async fn job_extend(&self, fence: &Fence, lease_until: Micros) -> Result<bool>;
    /// Puts it back for later.
    async fn job_retry(&self, fence: &Fence, run_at: Micros, note: &str) -> Result<bool>;
    /// Done for good, with the records that say so.
    async fn job_done(&self, fence: &Fence, now: Micros, audit: &[NewRecord]) -> Result<bool>;
}
