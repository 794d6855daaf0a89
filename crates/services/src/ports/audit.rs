use async_trait::async_trait;
use domain::{Micros, Result, ids::*, page::Page};
use serde::{Deserialize, Serialize};

pub use ::audit::{Actor, NewRecord, Phase, Record, RecordOutcome, Retention};

/// What the audit page filters by; each is indexed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditFilter {
    pub person: Option<PersonId>,
    /// Words of a name or user name; each has to be there.
    #[serde(default)]
    pub who: Option<String>,
    /// Exact action, or a prefix that ends in `.`
    pub action: Option<String>,
    /// Exactly this object; of a deployment also what is about its changes, of a change also what is
    /// about the object that it changes.
    pub object: Option<String>,
    pub change: Option<ChangeId>,
    pub outcome: Option<RecordOutcome>,
    /// A business unit, with those below it.
    #[serde(default)]
    pub unit: Option<String>,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
    /// Places that the reader may see: pairs of unit patterns and environments. What has no place is
    /// seen only with `*` for both, or when `own` matches.
    pub scopes: Vec<(Vec<String>, Vec<String>)>,
    /// Records of this person are always theirs to see.
    pub own: Option<PersonId>,
}

#[async_trait]
pub trait AuditStore {
    /// Appends records on their own, durably, in order.
    async fn audit_append(&self, records: &[NewRecord]) -> Result<()>;
    /// Newest first. `after` is a page cursor.
    async fn audit_list(
        &self,
        filter: &AuditFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>>;
    async fn audit_get(&self, seq: i64) -> Result<Option<Record>>;
    /// The exact stored bytes of a record.
    async fn audit_bytes(&self, seq: i64) -> Result<Option<Vec<u8>>>;
    /// In the log's order, after one position and up to another, with their exact stored bytes.
    async fn audit_forward(
        &self,
        filter: &AuditFilter,
        after: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<(Record, Vec<u8>)>>;
    /// The first position at or after a time and the last before another; `None` when there is none.
    async fn audit_between(
        &self,
        from: Option<Micros>,
        until: Option<Micros>,
    ) -> Result<Option<(i64, i64)>>;
    /// Intents older than `before` that have no outcome, of this change or of all; oldest first.
    async fn audit_open_intents(
        &self,
        of: Option<ChangeId>,
        before: Micros,
        limit: usize,
    ) -> Result<Vec<Record>>;
    /// Appends the outcome of an intent, unless that has one already. Says whether it was appended.
    async fn audit_end(&self, outcome: &NewRecord) -> Result<bool>;
}
