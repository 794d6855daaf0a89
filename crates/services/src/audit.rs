//! The log, read: by filter, or the story of one object.

use crate::{Caller, Ctx, authz::Action, context::Recording, ports::*};
use domain::{Error, Result, page::Page};

#[derive(Clone)]
pub struct AuditLog(pub(crate) Ctx);

impl AuditLog {
    /// Newest first. Readers of the log see their units; everybody sees what they did themselves.
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

    /// Everything about one object, newest first.
    pub async fn story(
        &self,
        caller: &Caller,
        object: &str,
        after: Option<&str>,
    ) -> Result<Page<Record>> {
        self.list(
            caller,
            &AuditFilter {
                object: Some(object.into()),
                ..Default::default()
            },
            after,
            domain::page::DEFAULT_LIMIT,
        )
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
        let whole = narrowed.units.iter().any(|u| u == "*");
        if !own && !whole && !domain::access::unit_matches(&narrowed.units, &record.record.unit) {
            return Err(gone());
        }
        let bytes = self.0.store.audit_bytes(seq).await?.ok_or_else(gone)?;
        Ok((record, bytes))
    }

    /// May they read more than their own doings?
    pub fn reads_all(&self, caller: &Caller) -> bool {
        self.0.policy.may_anywhere(caller, Action::ViewAudit)
    }

    fn narrowed(&self, caller: &Caller, filter: &AuditFilter) -> AuditFilter {
        let units = self
            .0
            .policy
            .scopes(caller, Action::ViewAudit)
            .into_iter()
            .flat_map(|(units, _)| units)
            .collect();
        AuditFilter {
            units,
            own: Some(caller.person),
            ..filter.clone()
        }
    }

    /// An export happened (or any other reading that has to leave a trace).
    pub async fn exported(
        &self,
        caller: &Caller,
        what: &str,
        detail: serde_json::Value,
    ) -> Result<()> {
        let record = self
            .0
            .event(Some(caller), "audit.export", what)
            .with(detail)
            .retained(Retention::Access);
        self.0.store.audit_append(&[record]).await
    }
}
