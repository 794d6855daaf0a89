//! What a record says.

use domain::{Micros, ids::*};
use serde::{Deserialize, Serialize};

/// A record that is about to be written. The store adds the sequence number and the exact bytes
/// (canonical JSON, personal part encrypted by person) inside the same transaction as whatever the
/// record speaks of: if it cannot be written, nothing happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRecord {
    pub id: RecordId,
    pub at: Micros,
    pub phase: Phase,
    /// For an outcome: the intent that it ends.
    pub intent: Option<RecordId>,
    /// Dotted name of what is done: `change.submit`, `session.start`, `item.apply`…
    pub action: String,
    /// Who; `None` for the console itself.
    pub actor: Option<Actor>,
    /// On what, as stable text: `deployment:onprem-1/retail-dev/llama`, `change:<id>`, `registry:<id>`.
    pub object: String,
    /// Business unit of the object, for who may read the record; empty for none.
    pub unit: String,
    pub environment: String,
    pub change: Option<ChangeId>,
    /// Why, in the person's own words, where they were asked.
    pub reason: Option<String>,
    pub outcome: Option<RecordOutcome>,
    /// What else belongs to it: hashes, differences, numbers. Never a secret.
    pub detail: serde_json::Value,
    pub retention: Retention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Written durably before the effect.
    Intent,
    /// Written after it.
    Outcome,
    /// Something that has no effect outside the database: one record says all.
    Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordOutcome {
    Success,
    Failure,
    Denied,
    /// The process died between intent and outcome and it could not be found out.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// Decisions and their effects.
    Decision,
    /// Access: sign-ins, denials, exports.
    Access,
    /// The console's own doings.
    Operation,
}

/// Who acted. Name, user name and address are the personal part: encrypted by person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub person: PersonId,
    pub account: AccountId,
    pub name: String,
    pub username: String,
    /// Roles held then, by name.
    pub roles: Vec<String>,
    /// The session's public id (never its cookie).
    pub session: Option<String>,
    pub address: Option<String>,
    pub acting_for: Option<PersonId>,
}

/// A record as it is read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the one order of the log, from 1.
    pub seq: i64,
    #[serde(flatten)]
    pub record: NewRecord,
    /// SHA-256 of the exact stored bytes.
    pub hash: Digest,
}

impl Phase {
    /// The name in JSON and SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Event => "event",
        }
    }
}

impl RecordOutcome {
    /// The name in JSON, SQL and URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

impl Retention {
    /// The name in JSON and SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Access => "access",
            Self::Operation => "operation",
        }
    }
}

impl Actor {
    /// Who stands in a record whose person's key was destroyed: the roles held then and nothing else.
    pub fn erased(roles: Vec<String>) -> Self {
        Self {
            person: PersonId(uuid::Uuid::nil()),
            account: AccountId(uuid::Uuid::nil()),
            name: "erased".into(),
            username: String::new(),
            roles,
            session: None,
            address: None,
            acting_for: None,
        }
    }

    /// Whether the personal part can no longer be read.
    pub fn is_erased(&self) -> bool {
        self.person.0.is_nil()
    }
}
