//! What every area shares: the ports, the configuration that rules need, and the audit helper.

use crate::{
    Caller, GroupGrant,
    authz::{Action, Policy},
    caller::grants_of,
    ports::*,
};
use domain::{
    Error, Kind, Result,
    access::{ApprovalRule, Scope},
    ids::{ChangeId, Digest, RecordId},
    person::{ClusterIdentity, GroupSnapshot},
};
use std::{sync::Arc, time::Duration};

/// How long a form waits for the provider.
const PERSON_WAITS: Duration = Duration::from_secs(5);

/// Settings that use cases need, from the configuration file.
#[derive(Clone, Debug)]
pub struct Settings {
    pub grants: Vec<GroupGrant>,
    pub approvals: Vec<ApprovalRule>,
    /// How long a decision can be undone, microseconds.
    pub hold: i64,
    /// How long a change waits for decisions, microseconds.
    pub expire: i64,
    /// How old a group snapshot may be when somebody asks for a change, decides one, or when one is
    /// applied, microseconds.
    pub groups_max_age: i64,
    /// How old an intent without outcome must be before it is reconciled, microseconds.
    pub lease: i64,
}

impl Default for Settings {
    fn default() -> Self {
        use domain::Micros as M;
        Self {
            grants: Vec::new(),
            approvals: Vec::new(),
            hold: 10 * M::SECOND,
            expire: 72 * M::HOUR,
            groups_max_age: 15 * M::MINUTE,
            lease: 60 * M::SECOND,
        }
    }
}

/// The ports and settings; cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    pub store: Arc<dyn Store>,
    pub clusters: Arc<dyn Clusters>,
    pub registries: Arc<dyn Registries>,
    pub identity: Arc<dyn IdentityProvider>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub policy: Arc<Policy>,
    pub settings: Arc<Settings>,
    /// Seals secrets at rest.
    pub vault: Arc<crate::vault::Vault>,
    /// What the audit log's checkpoints are signed with.
    pub log_keys: Arc<crate::checkpoints::LogKeys>,
    /// Called at each boundary between decided and applied with its name; tests kill the process there.
    pub boundary: fn(&'static str),
}

impl Ctx {
    /// Digest of everything that decides who must approve what: policy and approval rules.
    pub fn policy_version(&self) -> Digest {
        Digest::of(&domain::content::canonical(&(
            self.policy.version(),
            &self.settings.approvals,
            &self.settings.grants,
        )))
    }

    /// Why nothing can be asked of this cluster now, where that is known: whoever knows does not wait.
    pub fn away(&self, cluster: &str) -> Option<String> {
        let health = self.clusters.health(self.clock.now());
        let h = health.into_iter().find(|h| h.name == cluster)?;
        if h.reachable {
            return None;
        }
        let why = h.problem.unwrap_or_else(|| "it does not answer".into());
        Some(format!("Cluster {cluster} is away: {why}."))
    }

    /// Whom a cluster is asked as, in this person's name.
    ///
    /// Errors: why it cannot be asked now, as a sentence.
    pub fn asks_as(&self, cluster: &str, caller: &Caller) -> Result<ClusterIdentity, String> {
        if let Some(why) = self.away(cluster) {
            return Err(why);
        }
        self.clusters
            .identity(cluster, &caller.username, &caller.groups.groups)
            .map_err(|e| format!("{}.", e.message))
    }

    /// The caller with groups that are young enough to act by: who asks for a change or decides one
    /// does so by what the provider says now, not by what it said when they signed in.
    /// Errors: `SignInAgain`, `Unavailable`.
    pub async fn up_to_date(&self, caller: &Caller) -> Result<Caller> {
        let age = |g: &GroupSnapshot| self.clock.now().since(g.taken_at);
        let max = self.settings.groups_max_age;
        if age(&caller.groups) <= max {
            return Ok(caller.clone());
        }
        // Another request may have refreshed them since this one began.
        let kept = self.store.groups(caller.account).await?;
        let groups = match kept.filter(|g| age(g) <= max) {
            Some(groups) => groups,
            None => self.refreshed(caller).await?,
        };
        Ok(Caller {
            grants: grants_of(&self.settings.grants, &groups.groups),
            groups,
            ..caller.clone()
        })
    }

    async fn refreshed(&self, caller: &Caller) -> Result<GroupSnapshot> {
        let again = "Sign in again, then send this form once more: what you typed is still here.";
        let asked = self.identity.refresh_groups(caller.account);
        match tokio::time::timeout(PERSON_WAITS, asked).await {
            Ok(Ok(Some(groups))) => Ok(groups),
            Ok(Ok(None)) => Err(Error::new(
                Kind::SignInAgain,
                format!(
                    "your groups were read {} ago and the OpenID provider tells them anew only when you sign in; nothing was done",
                    domain::time::duration(self.clock.now().since(caller.groups.taken_at))
                ),
            )
            .remedy(again)),
            Ok(Err(e)) if e.kind == Kind::Forbidden => Err(Error::new(
                Kind::SignInAgain,
                "the OpenID provider no longer vouches for your session; nothing was done",
            )
            .remedy(again)),
            Ok(Err(e)) if e.kind != Kind::Unavailable => Err(e),
            // It may still go on: whoever sends the form again finds what it brought.
            failed => {
                let cause = failed.map_or_else(|e| e.to_string(), |f| match f {
                    Ok(_) => String::new(),
                    Err(e) => e.for_log(),
                });
                Err(Error::unavailable(
                    "the OpenID provider does not answer, so your groups cannot be checked; nothing was done",
                )
                .remedy("Send the form again in a moment: what you typed is still here.")
                .caused_by(cause))
            }
        }
    }

    /// A record of something that happens inside the database only.
    pub fn event(
        &self,
        caller: Option<&Caller>,
        action: &str,
        object: impl Into<String>,
    ) -> NewRecord {
        NewRecord {
            id: RecordId(self.entropy.uuid()),
            at: self.clock.now(),
            phase: Phase::Event,
            intent: None,
            action: action.into(),
            actor: caller.map(Caller::actor),
            object: object.into(),
            unit: String::new(),
            environment: String::new(),
            change: None,
            reason: None,
            outcome: Some(RecordOutcome::Success),
            detail: serde_json::Value::Null,
            retention: Retention::Operation,
        }
    }

    /// Refuses, and records that it was refused. What may not even be viewed is "not found".
    pub async fn require(
        &self,
        caller: &Caller,
        action: Action,
        scope: &Scope,
        object: &str,
    ) -> Result<()> {
        if self.policy.may(caller, action, scope) {
            return Ok(());
        }
        self.deny(caller, action, scope, object).await
    }

    /// As [`Ctx::require`], for what is not in a place.
    pub async fn require_anywhere(
        &self,
        caller: &Caller,
        action: Action,
        object: &str,
    ) -> Result<()> {
        if self.policy.may_anywhere(caller, action) {
            return Ok(());
        }
        self.deny(
            caller,
            action,
            &Scope {
                unit: String::new(),
                environment: String::new(),
            },
            object,
        )
        .await
    }

    async fn deny(
        &self,
        caller: &Caller,
        action: Action,
        scope: &Scope,
        object: &str,
    ) -> Result<()> {
        let record = NewRecord {
            outcome: Some(RecordOutcome::Denied),
            retention: Retention::Access,
            ..self
                .event(Some(caller), &format!("denied.{}", action.name()), object)
                .place(scope)
        };
        self.store.audit_append(&[record]).await?;
        let views = matches!(action, Action::ViewDeployment | Action::ViewChange);
        Err(if views {
            unseen()
        } else {
            Error::forbidden(format!("your roles do not include “{}” here", action.name().replace('-', " ")))
                .remedy("Ask whoever manages groups at your OpenID provider; the configuration maps groups to roles.")
        })
    }
}

/// What may not be seen and what is not there: the same words for both, so that they tell nothing.
pub(crate) fn unseen() -> Error {
    Error::not_found("there is nothing here that you may see").remedy(
        "Check the address: it may be gone. If a colleague sent it, ask for a role in that business unit.",
    )
}

/// Fills a record in, step by step.
pub(crate) trait Recording: Sized {
    fn place(self, scope: &Scope) -> Self;
    fn of_change(self, change: ChangeId) -> Self;
    fn because(self, reason: impl Into<String>) -> Self;
    fn with(self, detail: serde_json::Value) -> Self;
    fn retained(self, retention: Retention) -> Self;
    /// Makes an intent of it: durable before the effect, with an outcome to follow.
    fn into_intent(self) -> Self;
    /// The outcome that ends this intent.
    fn ended(
        &self,
        id: RecordId,
        at: domain::Micros,
        outcome: RecordOutcome,
        detail: serde_json::Value,
    ) -> Self;
}

impl Recording for NewRecord {
    fn place(mut self, scope: &Scope) -> Self {
        self.unit = scope.unit.clone();
        self.environment = scope.environment.clone();
        self
    }
    fn of_change(mut self, change: ChangeId) -> Self {
        self.change = Some(change);
        self.retention = Retention::Decision;
        self
    }
    fn because(mut self, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        self.reason = (!reason.is_empty()).then_some(reason);
        self
    }
    fn with(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }
    fn retained(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }
    fn into_intent(mut self) -> Self {
        self.phase = Phase::Intent;
        self.outcome = None;
        self
    }
    fn ended(
        &self,
        id: RecordId,
        at: domain::Micros,
        outcome: RecordOutcome,
        detail: serde_json::Value,
    ) -> Self {
        Self {
            id,
            at,
            phase: Phase::Outcome,
            intent: Some(self.id),
            outcome: Some(outcome),
            detail,
            ..self.clone()
        }
    }
}
