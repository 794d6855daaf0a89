//! A change: what somebody wants done, in immutable revisions, decided by others, applied once.

use crate::{
    access::{Role, Stage},
    content::Content,
    ids::*,
    place::{ObjectRef, Place},
    time::Micros,
};
use serde::{Deserialize, Serialize};

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Create,
    Update,
    Scale,
    Rollback,
    Stop,
    Start,
    Delete,
}

impl ChangeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Scale => "scale",
            Self::Rollback => "rollback",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Delete => "delete",
        }
    }
    /// Stopping lowers risk: it needs a right and never an approval.
    pub fn needs_approval(self) -> bool {
        self != Self::Stop
    }
}

/// Where a change stands. `Applied`, `Failed`, `Rejected`, `Withdrawn` and `Expired` are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// Waits for decisions.
    Waiting,
    /// Decided; the hold in which the decision can be undone still runs.
    Held,
    /// Approved; a worker will take it.
    Queued,
    /// A worker is at it.
    Applying,
    /// The cluster has it: read back and compared.
    Applied,
    /// It did not come about; the item says why and what to do.
    Failed,
    Rejected,
    Withdrawn,
    /// Nobody decided in time.
    Expired,
}

impl ChangeState {
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Held,
        Self::Queued,
        Self::Applying,
        Self::Applied,
        Self::Failed,
        Self::Rejected,
        Self::Withdrawn,
        Self::Expired,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Self::Applied | Self::Failed | Self::Rejected | Self::Withdrawn | Self::Expired
        )
    }
    /// The only steps there are.
    pub fn may_become(self, next: Self) -> bool {
        use ChangeState::*;
        matches!(
            (self, next),
            (Waiting, Held | Queued | Rejected | Withdrawn | Expired)
                | (Held, Waiting | Queued | Rejected | Withdrawn)
                | (Queued, Applying | Failed | Expired)
                | (Applying, Applied | Failed)
        )
    }
}

/// What the model is used for, by whom it is answered for, and who said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub purpose: String,
    /// A person or a team that answers for the deployment.
    pub owner: String,
    pub risk_tier: Option<Attested>,
    pub data_class: Option<Attested>,
    pub exposure: Option<Attested>,
}

/// A statement and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    pub value: String,
    pub by: PersonId,
}

/// The change itself; what is asked for stands in its revisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub id: ChangeId,
    pub kind: ChangeKind,
    pub state: ChangeState,
    pub place: Place,
    pub object: ObjectRef,
    pub usage: Use,
    pub requester: PersonId,
    pub requester_account: AccountId,
    pub created_at: Micros,
    /// After this nobody can decide any more.
    pub expires_at: Micros,
    pub current_revision: RevisionId,
    /// Raised by each write: two people at once are told apart by it.
    pub version: i64,
    /// Why it ended as it did, in a sentence, where it ended other than applied; or why it waits again.
    pub end_reason: Option<String>,
    pub ended_at: Option<Micros>,
}

/// One immutable statement of what is asked for. An edit makes a new one and voids the decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub id: RevisionId,
    pub change: ChangeId,
    /// 1, 2, 3…
    pub number: i32,
    pub content: Content,
    pub content_hash: Digest,
    /// The manifest as the person wrote it.
    pub manifest_yaml: String,
    pub comment: String,
    pub author: PersonId,
    pub author_account: AccountId,
    pub created_at: Micros,
    pub seen: Seen,
    /// What has to agree, as the configuration said when the revision was made.
    pub stages: Vec<Stage>,
    /// Digest of the approval configuration and policy in force.
    pub policy_version: Digest,
}

/// What a decision looked at besides the content: recorded and signed beside it, not inside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The live object, cleaned, where there was one.
    pub live: Option<serde_json::Value>,
    pub live_hash: Option<Digest>,
    /// The live object's resourceVersion and UID when it was read.
    pub live_version: Option<String>,
    pub live_uid: Option<String>,
    /// Preflight findings and warnings of the dry run.
    pub findings: Vec<crate::finding::Finding>,
    /// Facts about the digest: signature, scans, in words.
    pub facts: Vec<SeenFact>,
    /// What the quota would be after it.
    pub quota: Vec<QuotaEffect>,
}

/// A fact as it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFact {
    /// `signature`, `scan`, `model-files`
    pub kind: String,
    /// `pass`, `fail`, `not-scannable`, `stale`, `unknown`
    pub state: String,
    pub summary: String,
    pub observed_at: Option<Micros>,
}

/// One resource of one quota before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaEffect {
    pub quota: String,
    /// `requests.nvidia.com/gpu`, `limits.memory`…
    pub resource: String,
    pub used: String,
    pub after: String,
    pub hard: String,
    pub exceeded: bool,
    /// From when `used` is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Micros>,
}

/// What a person said about a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Approve,
    Reject,
}

/// One decision. There may be several for a revision; what is voided stays on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    pub change: ChangeId,
    pub revision: RevisionId,
    pub stage: i32,
    pub role: Role,
    pub outcome: Outcome,
    pub person: PersonId,
    pub account: AccountId,
    pub acting_for: Option<PersonId>,
    pub reason: String,
    /// The hash that the page showed; a decision on anything else is refused.
    pub content_hash: Digest,
    pub policy_version: Digest,
    pub decided_at: Micros,
    /// When it takes effect; until then it can be undone.
    pub effective_at: Micros,
    pub undone_at: Option<Micros>,
    /// Set when a new revision, stricter rules or a lost right made it void.
    pub voided_at: Option<Micros>,
}

impl Decision {
    pub fn counts(&self) -> bool {
        self.undone_at.is_none() && self.voided_at.is_none()
    }
}

/// One object on one cluster in a revision, and how far it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: ItemId,
    pub change: ChangeId,
    pub revision: RevisionId,
    pub cluster: ClusterId,
    pub object: ObjectRef,
    pub state: ItemState,
    /// What happened and what to do, for people.
    pub message: Option<String>,
    pub applied_uid: Option<String>,
    pub applied_generation: Option<i64>,
    pub applied_at: Option<Micros>,
    pub attempts: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    Queued,
    Applying,
    Applied,
    Failed,
    Superseded,
    Expired,
}

impl ItemState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }
}

/// Why somebody may not decide a revision, said on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum CannotDecide {
    /// They asked for it (with this or another account of theirs).
    Requester,
    /// They wrote the current revision.
    Author,
    /// No grant makes them one of the roles that are missing, here.
    NoRole { needed: Vec<Role> },
    /// They have decided on this revision already.
    AlreadyDecided,
    /// It no longer waits.
    NotWaiting { state: ChangeState },
    /// Its time is over.
    Expired,
}

impl CannotDecide {
    pub fn sentence(&self) -> String {
        match self {
            Self::Requester => "You asked for this change, so somebody else has to decide it. This holds for every account of yours.".into(),
            Self::Author => "You wrote this revision, so somebody else has to decide it. This holds for every account of yours.".into(),
            Self::NoRole { needed } => format!(
                "It waits for {}; none of your groups makes you that here.",
                needed.iter().map(|r| format!("a person with the role {}", r.name())).collect::<Vec<_>>().join(" or ")
            ),
            Self::AlreadyDecided => "You have decided on this revision already; another person is needed.".into(),
            Self::NotWaiting { state } => format!("It no longer waits for a decision: it is {}.", state.name()),
            Self::Expired => "The time to decide it is over.".into(),
        }
    }
}

/// How far the stages have come: the first stage that still lacks people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStage {
    pub index: i32,
    pub stage: Stage,
    pub missing: u32,
}

/// The stage that is next, or `None` when all have agreed. Each person counts once in all.
pub fn open_stage(stages: &[Stage], decisions: &[Decision]) -> Option<OpenStage> {
    stages.iter().enumerate().find_map(|(i, stage)| {
        let people: std::collections::BTreeSet<_> = decisions
            .iter()
            .filter(|d| d.counts() && d.outcome == Outcome::Approve && d.stage == i as i32)
            .map(|d| d.person)
            .collect();
        let missing = stage.count.saturating_sub(people.len() as u32);
        (missing > 0).then(|| OpenStage {
            index: i as i32,
            stage: stage.clone(),
            missing,
        })
    })
}

/// Do these approvals amount to the stages, whatever stage each was given for? Each person counts once.
pub fn amount_to(stages: &[Stage], decisions: &[Decision]) -> bool {
    stages.iter().all(|stage| {
        let needed: u32 = stages
            .iter()
            .filter(|s| s.role == stage.role)
            .map(|s| s.count)
            .sum();
        let people: std::collections::BTreeSet<_> = decisions
            .iter()
            .filter(|d| d.counts() && d.outcome == Outcome::Approve && d.role == stage.role)
            .map(|d| d.person)
            .collect();
        people.len() >= needed as usize
    })
}

/// May this person decide this revision now? `roles` are the roles they hold in the change's place.
pub fn may_decide(
    change: &Change,
    revision: &Revision,
    decisions: &[Decision],
    person: PersonId,
    roles: &[Role],
    now: Micros,
) -> Result<OpenStage, CannotDecide> {
    if change.state != ChangeState::Waiting {
        return Err(CannotDecide::NotWaiting {
            state: change.state,
        });
    }
    if now >= change.expires_at {
        return Err(CannotDecide::Expired);
    }
    if change.requester == person {
        return Err(CannotDecide::Requester);
    }
    if revision.author == person {
        return Err(CannotDecide::Author);
    }
    if decisions
        .iter()
        .any(|d| d.counts() && d.revision == revision.id && d.person == person)
    {
        return Err(CannotDecide::AlreadyDecided);
    }
    let open = open_stage(&revision.stages, decisions).ok_or(CannotDecide::NotWaiting {
        state: change.state,
    })?;
    if !roles.contains(&open.stage.role) {
        return Err(CannotDecide::NoRole {
            needed: vec![open.stage.role],
        });
    }
    Ok(open)
}

#[cfg(test)]
mod tests;
