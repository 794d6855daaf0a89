//! The log, read: by filter, or the story of one object.

use crate::{Caller, Ctx, authz::Action, context::Recording, ports::*};
use domain::{
    Error, Result,
    access::{any_matches, unit_matches},
    ids::{ChangeId, PersonId, RecordId},
    page::Page,
    place::DeploymentKey,
};
use std::collections::{BTreeMap, BTreeSet};

/// No export and no validation takes so long.
const ABANDONED: i64 = 6 * 60 * domain::Micros::MINUTE;

const RECONCILED_AT_ONCE: usize = 1000;

/// What a change that stands in the log is about.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    pub deployment: DeploymentKey,
    /// The name of whoever asked for it: a worker applies as they.
    pub requester: Option<String>,
}

#[derive(Clone)]
pub struct AuditLog(pub(crate) Ctx);

impl AuditLog {
    /// Newest first. Readers of the log see the places of their grants; everybody sees what they did themselves.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>> {
        let filter = self.narrowed(caller, filter);
        self.0
            .store
            .audit_list(&filter, after, limit.clamp(1, domain::page::MAX_LIMIT))
            .await
    }

    /// One record with its exact stored bytes.
    pub async fn get(&self, caller: &Caller, seq: i64) -> Result<(Record, Vec<u8>)> {
        let gone = || Error::not_found("there is no such record, or none that you may see");
        let record = self.0.store.audit_get(seq).await?.ok_or_else(gone)?;
        let narrowed = self.narrowed(caller, &AuditFilter::default());
        let own = record
            .record
            .actor
            .as_ref()
            .is_some_and(|a| Some(a.person) == narrowed.own);
        let n = &record.record;
        let seen = narrowed.scopes.iter().any(|(units, environments)| {
            unit_matches(units, &n.unit) && any_matches(environments, &n.environment)
        });
        if !own && !seen {
            return Err(gone());
        }
        let bytes = self.0.store.audit_bytes(seq).await?.ok_or_else(gone)?;
        Ok((record, bytes))
    }

    /// What the changes of these records are about, and who asked for them.
    pub async fn changes_of(&self, records: &[Record]) -> Result<BTreeMap<ChangeId, About>> {
        let ids: BTreeSet<ChangeId> = records.iter().filter_map(|r| r.record.change).collect();
        let ids: Vec<ChangeId> = ids.into_iter().collect();
        let changes = self.0.store.changes_get(&ids).await?;
        let people: Vec<PersonId> = changes.iter().map(|c| c.requester).collect();
        let names = self.0.store.person_names(&people).await?;
        Ok(changes
            .into_iter()
            .map(|c| {
                let about = About {
                    deployment: DeploymentKey::new(
                        &c.place.cluster_name,
                        &c.place.namespace,
                        &c.object.name,
                    ),
                    requester: names.get(&c.requester).cloned(),
                };
                (c.id, about)
            })
            .collect())
    }

    /// May they read more than their own doings?
    pub fn reads_all(&self, caller: &Caller) -> bool {
        self.0.policy.may_anywhere(caller, Action::ViewAudit)
    }

    pub(crate) fn narrowed(&self, caller: &Caller, filter: &AuditFilter) -> AuditFilter {
        AuditFilter {
            scopes: self.0.policy.scopes(caller, Action::ViewAudit),
            own: Some(caller.person),
            ..filter.clone()
        }
    }

    /// An export begins: its intent, in the log before anything is handed out.
    pub async fn export_begins(
        &self,
        caller: &Caller,
        what: &str,
        detail: serde_json::Value,
    ) -> Result<NewRecord> {
        let intent = self
            .0
            .event(Some(caller), "audit.export", what)
            .with(detail)
            .retained(Retention::Access)
            .into_intent();
        self.0
            .store
            .audit_append(std::slice::from_ref(&intent))
            .await?;
        Ok(intent)
    }

    /// How the export that this intent began came to its end.
    pub async fn export_ended(
        &self,
        intent: &NewRecord,
        outcome: RecordOutcome,
        detail: serde_json::Value,
    ) -> Result<()> {
        let id = RecordId(self.0.entropy.uuid());
        let ended = intent.ended(id, self.0.clock.now(), outcome, detail);
        self.0.store.audit_end(&ended).await.map(drop)
    }

    /// Ends what was begun so long ago that whoever began it is no longer there: what came of it is
    /// unknown. Applies are not among it: their worker's successor looks what came of them.
    pub async fn reconcile(&self) -> Result<()> {
        let now = self.0.clock.now();
        let open = self
            .0
            .store
            .audit_open_intents(None, now.plus(-ABANDONED), RECONCILED_AT_ONCE)
            .await?;
        for Record { record, .. } in open {
            if record.change.is_some() {
                continue;
            }
            let id = RecordId(self.0.entropy.uuid());
            let why = serde_json::json!({"why": "the process ended before it could say what came of this"});
            let ended = record.ended(id, now, RecordOutcome::Unknown, why);
            self.0.store.audit_end(&ended).await?;
        }
        Ok(())
    }
}
