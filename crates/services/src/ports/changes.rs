use super::NewRecord;
use async_trait::async_trait;
use domain::{Micros, Result, access::Grant, change::*, ids::*, page::Page, place::DeploymentKey};
use serde::{Deserialize, Serialize};

/// A change with what a list shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeRow {
    pub change: Change,
    pub revision_number: i32,
    pub content_hash: Digest,
    pub comment: String,
    pub requester_name: String,
    /// Who has its page open now, with names; recent presence only.
    pub open_by: Vec<String>,
    /// Decisions that count / needed in all.
    pub agreed: u32,
    pub needed: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeFilter {
    pub states: Vec<ChangeState>,
    pub kinds: Vec<ChangeKind>,
    pub requester: Option<PersonId>,
    /// Only what this person may decide now, as [`domain::change::may_decide`] says.
    pub decider: Option<Decider>,
    pub deployment: Option<DeploymentKey>,
    /// Only in the namespace with this UID: one that was made anew under the name is another.
    #[serde(default)]
    pub namespace_uid: Option<String>,
    /// Places that the reader may see: pairs of unit patterns and environments; empty means none.
    pub scopes: Vec<(Vec<String>, Vec<String>)>,
    /// Text in name, namespace or purpose.
    pub text: Option<String>,
    pub oldest_first: bool,
    /// Rows name who had them open since then; `None`: nobody is named.
    #[serde(default)]
    pub open_since: Option<Micros>,
}

/// What is approved to run somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// [`domain::content::fingerprint`] of the approved content.
    pub fingerprint: Digest,
    /// A later change stopped it.
    pub stopped: bool,
}

/// Somebody who decides, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decider {
    pub person: PersonId,
    pub grants: Vec<Grant>,
    pub now: Micros,
}

/// What a person did to a change, all or nothing.
#[derive(Clone, Debug)]
pub struct Transition {
    pub change: ChangeId,
    /// The version that was read; `Conflict` when somebody was faster.
    pub expected_version: i64,
    pub to: ChangeState,
    pub end_reason: Option<String>,
    pub at: Micros,
}

/// The draft that a change was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftUsed {
    pub id: DraftId,
    pub version: i64,
}

/// A held change that waits again.
#[derive(Clone, Debug)]
pub struct Reopening {
    pub change: ChangeId,
    pub expected_version: i64,
    /// Why, for people.
    pub note: String,
    pub void: Vec<DecisionId>,
    /// The stages that the configuration asks for now, and the digest of that configuration.
    pub stages: Option<(Vec<domain::access::Stage>, Digest)>,
    pub at: Micros,
}

#[async_trait]
pub trait ChangeStore {
    /// A new change with its first revision and items, in `change.state` (waiting, or queued where no
    /// approval is needed, then with a job for each item). The draft that it was made from goes with it:
    /// `Conflict` when that is gone already or is another version, for then it was submitted before.
    async fn change_create(
        &self,
        change: &Change,
        revision: &Revision,
        items: &[Item],
        jobs: &[super::NewJob],
        draft: Option<DraftUsed>,
        audit: &[NewRecord],
    ) -> Result<()>;
    /// A further revision: becomes current, decisions on earlier ones are voided, earlier items are
    /// superseded, the state becomes `change.state` (as in [`ChangeStore::change_create`], with the
    /// draft too). Only from waiting or held.
    #[allow(clippy::too_many_arguments, reason = "all of one transaction")]
    async fn change_revise(
        &self,
        expected_version: i64,
        change: &Change,
        revision: &Revision,
        items: &[Item],
        jobs: &[super::NewJob],
        draft: Option<DraftUsed>,
        audit: &[NewRecord],
    ) -> Result<()>;
    /// What was decided is to be decided again: these decisions are voided, the stages of the current
    /// revision become others where they are given, and the change waits.
    async fn change_reopen(&self, again: &Reopening, audit: &[NewRecord]) -> Result<()>;
    async fn change_get(&self, id: ChangeId) -> Result<Option<Change>>;
    /// Those of these that there are, in no order; at most as many as a page has rows.
    async fn changes_get(&self, ids: &[ChangeId]) -> Result<Vec<Change>>;
    async fn revision_get(&self, id: RevisionId) -> Result<Option<Revision>>;
    /// Oldest first.
    async fn revisions(&self, change: ChangeId) -> Result<Vec<Revision>>;
    /// Oldest first, voided and undone ones too.
    async fn decisions(&self, change: ChangeId) -> Result<Vec<Decision>>;
    /// The approvals of these revisions that count, oldest first.
    async fn approvals(&self, revisions: &[RevisionId]) -> Result<Vec<Decision>>;
    async fn items(&self, change: ChangeId) -> Result<Vec<Item>>;
    async fn item_get(&self, id: ItemId) -> Result<Option<Item>>;
    async fn change_list(
        &self,
        filter: &ChangeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ChangeRow>>;
    /// How many, up to `cap`.
    async fn change_count(&self, filter: &ChangeFilter, cap: usize) -> Result<usize>;
    /// Writes a decision and moves the change, in one transaction, if nobody was faster.
    async fn decide(
        &self,
        decision: &Decision,
        transition: Option<&Transition>,
        expected_version: i64,
        audit: &[NewRecord],
    ) -> Result<()>;
    /// Takes a decision back before it takes effect; the change waits again, unless somebody else's
    /// rejection still counts.
    async fn undo_decision(
        &self,
        decision: DecisionId,
        now: Micros,
        expected_version: i64,
        audit: &[NewRecord],
    ) -> Result<()>;
    /// Held changes whose hold is over at `now`.
    async fn holds_over(&self, now: Micros, limit: usize) -> Result<Vec<ChangeId>>;
    /// Waiting changes whose time is over.
    async fn waiting_over(&self, now: Micros, limit: usize) -> Result<Vec<ChangeId>>;
    /// Moves the change and, when it becomes queued, makes the jobs.
    async fn transition(
        &self,
        transition: &Transition,
        jobs: &[super::NewJob],
        audit: &[NewRecord],
    ) -> Result<()>;
    /// Writes an item's state (and, when `change_to` is given, the change's) under the job's fence:
    /// `Conflict` when another worker has taken over.
    async fn item_update(
        &self,
        item: &Item,
        fence: &super::Fence,
        change_to: Option<&Transition>,
        audit: &[NewRecord],
    ) -> Result<()>;
    /// What is approved to run there: the newest applied revision of a deployment, with its change. A
    /// stop does not count, for nobody approved what ran along; after a deletion nothing is approved.
    ///
    /// Here and below a deployment is told by its address and the UID of its namespace: what was
    /// approved in a namespace that is gone says nothing of one that was made anew under its name.
    async fn approved(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
    ) -> Result<Option<(Change, Revision, Item)>>;
    /// The same by fingerprint, of many deployments at once (each with its namespace's UID), for lists.
    async fn approved_fingerprints(
        &self,
        deployments: &[(DeploymentKey, String)],
    ) -> Result<std::collections::BTreeMap<DeploymentKey, Approved>>;
    /// The newest thing that was applied there, whatever it was; without a UID in whichever namespace
    /// of that name, for what is no longer there.
    async fn last_applied(
        &self,
        key: &DeploymentKey,
        namespace_uid: Option<&str>,
    ) -> Result<Option<(Change, Revision, Item)>>;
    /// How many revisions were applied there up to this item (its time and id), itself counted,
    /// deletions left out.
    async fn applied_count(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        until: (Option<Micros>, ItemId),
    ) -> Result<usize>;
    /// Applied revisions of a deployment, newest first, deletions left out.
    async fn applied_revisions(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(Change, Revision, Item)>>;
    /// The newest revision of this deployment that this person approved.
    async fn last_approved_by(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        person: PersonId,
    ) -> Result<Option<Revision>>;
    /// "I have this page open": kept for a minute.
    async fn presence_put(&self, change: ChangeId, person: PersonId, now: Micros) -> Result<()>;
    async fn presence(&self, change: ChangeId, now: Micros) -> Result<Vec<(PersonId, Micros)>>;
}
