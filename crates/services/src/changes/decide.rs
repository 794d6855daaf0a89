//! Deciding, undoing, withdrawing. Each ends in one transaction that fails when somebody was faster.

use super::Changes;
use crate::{Caller, authz::Action, context::Recording, moved, ports::*};
use domain::{Error, FieldError, Result, access::Role, change::*, ids::*, place::DeploymentKey};
use serde_json::json;

/// The most characters of a reason.
pub const MAX_REASON: usize = 2000;

impl Changes {
    /// A change that the caller may see; "not found" otherwise.
    pub(super) async fn visible(&self, caller: &Caller, id: ChangeId) -> Result<Change> {
        let gone = crate::context::unseen;
        let change = self.0.store.change_get(id).await?.ok_or_else(gone)?;
        if change.requester != caller.person {
            self.0
                .require(
                    caller,
                    Action::ViewChange,
                    &change.place.scope,
                    &format!("change:{id}"),
                )
                .await?;
        }
        Ok(change)
    }

    /// Approves or rejects what the page showed: `number` and `hash` are the revision's that it named.
    /// The hash covers the content alone; purpose, owner and what the checks found belong to the revision.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: ChangeId,
        outcome: Outcome,
        reason: &str,
        number: i32,
        hash: &Digest,
    ) -> Result<DecisionId> {
        let ctx = &self.0;
        let caller = &ctx.up_to_date(caller).await?;
        let change = self.visible(caller, id).await?;
        let revision = self.revision(&change).await?;
        let decisions = ctx.store.decisions(id).await?;
        let now = ctx.clock.now();
        let roles = caller.roles_in(&change.place.scope);
        let open = match may_decide(&change, &revision, &decisions, caller.person, &roles, now) {
            Ok(open) => open,
            Err(why) => {
                let record = ctx
                    .event(Some(caller), "denied.decide", format!("change:{id}"))
                    .place(&change.place.scope)
                    .of_change(id)
                    .with(json!({ "why": why }));
                ctx.store
                    .audit_append(&[NewRecord {
                        outcome: Some(RecordOutcome::Denied),
                        ..record
                    }])
                    .await?;
                return Err(match why {
                    CannotDecide::NotWaiting { .. } | CannotDecide::Expired => {
                        Error::conflict(why.sentence())
                    }
                    _ => Error::forbidden(why.sentence()),
                });
            }
        };
        if number != revision.number || *hash != revision.content_hash {
            return Err(Error::conflict(
                "the change was edited after this page was shown; nothing was decided",
            )
            .remedy("Look at the new revision and decide on that."));
        }
        // What is approved is the step from what was seen; from another state it may undo somebody's work.
        let moved = self.moved(&change, &revision);
        if outcome == Outcome::Approve && !moved.is_empty() {
            return Err(Error::conflict(format!(
                "what runs changed since this was asked: {}; nothing was decided",
                moved::few(&moved)
            ))
            .remedy(
                "The requester must revise it, or withdraw it and ask again, so that it begins from what runs now; or reject it.",
            ));
        }
        check_reason(reason)?;
        let decision = Decision {
            id: DecisionId(ctx.entropy.uuid()),
            change: id,
            revision: revision.id,
            stage: open.index,
            role: open.stage.role,
            outcome,
            person: caller.person,
            account: caller.account,
            acting_for: None,
            reason: reason.trim().into(),
            content_hash: revision.content_hash.clone(),
            policy_version: ctx.policy_version(),
            decided_at: now,
            effective_at: now.plus(ctx.settings.hold),
            undone_at: None,
            voided_at: None,
        };
        let mut with_this: Vec<Decision> = decisions
            .into_iter()
            .filter(|d| d.revision == revision.id)
            .collect();
        with_this.push(decision.clone());
        let ends = outcome == Outcome::Reject || open_stage(&revision.stages, &with_this).is_none();
        let transition = ends.then_some(Transition {
            change: id,
            expected_version: change.version,
            to: ChangeState::Held,
            end_reason: None,
            at: now,
        });
        let action = match outcome {
            Outcome::Approve => "change.approve",
            Outcome::Reject => "change.reject",
        };
        let record = ctx
            .event(Some(caller), action, format!("change:{id}"))
            .place(&change.place.scope)
            .of_change(id)
            .because(reason.trim())
            .with(json!({
                "revision": revision.number, "content_hash": revision.content_hash.as_str(), "stage": open.index, "role": open.stage.role,
                "policy_version": decision.policy_version.as_str(), "effective_at": decision.effective_at,
                "seen_live_hash": revision.seen.live_hash,
            }));
        ctx.store
            .decide(&decision, transition.as_ref(), change.version, &[record])
            .await?;
        Ok(decision.id)
    }

    /// Takes one's own decision back while its hold runs.
    pub async fn undo(&self, caller: &Caller, id: ChangeId) -> Result<()> {
        let ctx = &self.0;
        let change = self.visible(caller, id).await?;
        let now = ctx.clock.now();
        let decision = ctx
            .store
            .decisions(id)
            .await?
            .into_iter()
            .rev()
            .find(|d| {
                d.counts() && d.person == caller.person && d.revision == change.current_revision
            })
            .ok_or_else(|| Error::not_found("you have no decision here that could be undone"))?;
        if now >= decision.effective_at
            || !matches!(change.state, ChangeState::Held | ChangeState::Waiting)
        {
            return Err(Error::conflict(
                "the decision has taken effect and can no longer be undone",
            )
            .remedy("Stop the deployment or roll it back: each is a change of its own."));
        }
        let record = ctx
            .event(Some(caller), "change.undo", format!("change:{id}"))
            .place(&change.place.scope)
            .of_change(id)
            .with(json!({ "decision": decision.id }));
        ctx.store
            .undo_decision(decision.id, now, change.version, &[record])
            .await
    }

    /// The requester takes it back, as long as nothing has been applied.
    pub async fn withdraw(&self, caller: &Caller, id: ChangeId, reason: &str) -> Result<()> {
        let ctx = &self.0;
        let change = self.visible(caller, id).await?;
        if change.requester != caller.person {
            return Err(Error::forbidden(
                "only the person who asked for a change can withdraw it",
            ));
        }
        if !change.state.may_become(ChangeState::Withdrawn) {
            return Err(Error::conflict(format!(
                "this change is {}; it can no longer be withdrawn",
                change.state.name()
            )));
        }
        if reason.chars().count() > MAX_REASON {
            return Err(Error::field(
                "reason",
                format!("At most {MAX_REASON} characters."),
            ));
        }
        let now = ctx.clock.now();
        let record = ctx
            .event(Some(caller), "change.withdraw", format!("change:{id}"))
            .place(&change.place.scope)
            .of_change(id)
            .because(reason.trim());
        let transition = Transition {
            change: id,
            expected_version: change.version,
            to: ChangeState::Withdrawn,
            end_reason: Some(if reason.trim().is_empty() {
                "Withdrawn by the requester.".into()
            } else {
                reason.trim().into()
            }),
            at: now,
        };
        ctx.store.transition(&transition, &[], &[record]).await
    }

    /// What became other in the live object since the current revision was made. An empty cache of a
    /// cluster that is away says nothing.
    pub(super) fn moved(&self, change: &Change, revision: &Revision) -> Vec<String> {
        let clusters = &self.0.clusters;
        let place = &change.place;
        let key = DeploymentKey::new(&place.cluster_name, &place.namespace, &change.object.name);
        let live = clusters.live(&key, self.0.clock.now());
        let unknown = live.is_none()
            && clusters
                .followed(&place.cluster_name, Followed::Deployments)
                .is_err();
        if unknown {
            return vec![];
        }
        moved::since(revision, live.as_ref().map(|l| &l.object))
    }

    pub(super) async fn revision(&self, change: &Change) -> Result<Revision> {
        self.0
            .store
            .revision_get(change.current_revision)
            .await?
            .ok_or_else(|| Error::internal("a change without its revision"))
    }

    /// Roles that may decide somewhere: whoever holds one has a queue.
    pub(super) fn deciding_roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = self
            .0
            .settings
            .approvals
            .iter()
            .flat_map(|r| r.stages.iter().map(|s| s.role))
            .collect();
        roles.push(Role::Approver);
        roles.sort();
        roles.dedup();
        roles
    }
}

fn check_reason(reason: &str) -> Result<()> {
    let n = reason.trim().chars().count();
    let message = match n {
        0 => "Give a reason: it stays with the decision as evidence.".to_owned(),
        n if n > MAX_REASON => format!("At most {MAX_REASON} characters; these are {n}."),
        _ => return Ok(()),
    };
    let mut e = Error::invalid("the decision needs a reason");
    e.fields.push(FieldError {
        field: "reason".into(),
        message,
    });
    Err(e)
}
