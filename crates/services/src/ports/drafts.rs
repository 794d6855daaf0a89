use async_trait::async_trait;
use domain::{
    Micros, Result,
    change::{ChangeKind, Use},
    finding::Finding,
    ids::*,
    page::Page,
};
use serde::{Deserialize, Serialize};

/// A wizard draft: all that was typed, from the first step on, valid or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub id: DraftId,
    pub owner: PersonId,
    pub kind: ChangeKind,
    pub title: String,
    /// The catalogue version that it began with.
    pub version_id: Option<VersionId>,
    /// Set when the draft edits an existing change: submitting makes a new revision of it.
    pub change: Option<ChangeId>,
    /// Cluster name and namespace, once chosen.
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    pub usage: Use,
    pub comment: String,
    /// The manifest as it stands: form and YAML are two views of it.
    pub manifest_yaml: String,
    /// YAML as typed where it cannot be read, so that nothing is lost.
    pub broken_yaml: Option<String>,
    /// What the cluster said when it was last asked (a dry run on Review).
    pub said: Vec<Said>,
    /// The furthest step that was reached (`use`, `source`, `target`, `resources`, `review`).
    pub step: String,
    /// Raised by each save.
    pub version: i64,
    pub created_at: Micros,
    pub updated_at: Micros,
}

/// Something that a cluster said, and of which value: it holds until that value is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub finding: Finding,
    /// Digest of the value at the finding's field, as it was sent.
    pub of: Digest,
}

#[async_trait]
pub trait DraftStore {
    async fn draft_create(&self, draft: &Draft) -> Result<()>;
    /// Saves when `draft.version` is still the stored one, and raises it; `Conflict` otherwise.
    async fn draft_save(&self, draft: &Draft) -> Result<i64>;
    /// Keeps what the cluster said of this version; not a save, so that open pages stay valid.
    async fn draft_said(&self, id: DraftId, version: i64, said: &[Said]) -> Result<()>;
    async fn draft_get(&self, id: DraftId) -> Result<Option<Draft>>;
    /// Newest first.
    async fn draft_list(
        &self,
        owner: PersonId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Draft>>;
    async fn draft_delete(&self, id: DraftId) -> Result<()>;
}
