//! What time does to changes: holds end, waiting expires. Idempotent; any replica may do it.

use super::Changes;
use crate::{caller::grants_of, context::Recording, ports::*};
use domain::{Error, Kind, Result, access::stages_for, change::*, ids::ChangeId};
use serde_json::json;

/// So many at a time.
const BATCH: usize = 100;

impl Changes {
    /// Lets decisions take effect whose hold is over and expires what nobody decided. Answers how
    /// many changes moved; one that cannot be moved does not hold up the others.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.0.clock.now();
        let mut moved = 0;
        let mut failed = None;
        let mut note = |id: ChangeId, result: Result<()>| match result {
            Ok(()) => moved += 1,
            // Another replica or a person was faster: that is an end too.
            Err(e) if e.kind == Kind::Conflict => {}
            Err(e) => {
                tracing::error!(change = %id, problem = e.for_log(), "a change could not be moved");
                failed.get_or_insert(e);
            }
        };
        for id in self.0.store.holds_over(now, BATCH).await? {
            note(id, self.end_hold(id).await);
        }
        for id in self.0.store.waiting_over(now, BATCH).await? {
            note(id, self.expire(id).await);
        }
        failed.map_or(Ok(moved), Err)
    }

    async fn end_hold(&self, id: ChangeId) -> Result<()> {
        let ctx = &self.0;
        let change = ctx
            .store
            .change_get(id)
            .await?
            .ok_or_else(|| Error::conflict("gone"))?;
        let revision = self.revision(&change).await?;
        let decisions: Vec<Decision> = ctx
            .store
            .decisions(id)
            .await?
            .into_iter()
            .filter(|d| d.counts() && d.revision == revision.id)
            .collect();
        let now = ctx.clock.now();
        if change.state != ChangeState::Held || decisions.iter().any(|d| d.effective_at > now) {
            return Err(Error::conflict("not yet"));
        }
        let rejected = decisions.iter().find(|d| d.outcome == Outcome::Reject);
        if rejected.is_none()
            && let Some(again) = self.to_decide_again(&change, &revision, &decisions).await?
        {
            let record = ctx
                .event(None, "change.reopen", format!("change:{id}"))
                .place(&change.place.scope)
                .of_change(id)
                .with(json!({
                    "why": again.note, "void": again.void, "stages": again.stages.as_ref().map(|(s, _)| s),
                    "revision": revision.number, "content_hash": revision.content_hash.as_str(),
                }));
            return ctx.store.change_reopen(&again, &[record]).await;
        }
        let (to, end_reason) = match rejected {
            Some(d) => (ChangeState::Rejected, Some(d.reason.clone())),
            None => (ChangeState::Queued, None),
        };
        let items: Vec<Item> = ctx
            .store
            .items(id)
            .await?
            .into_iter()
            .filter(|i| i.revision == revision.id)
            .collect();
        let jobs: Vec<NewJob> = if to == ChangeState::Queued {
            items
                .iter()
                .map(|i| self.job(&change, &revision, i))
                .collect()
        } else {
            vec![]
        };
        let record = ctx
            .event(None, "change.effective", format!("change:{id}"))
            .place(&change.place.scope)
            .of_change(id)
            .with(json!({ "state": to, "revision": revision.number, "content_hash": revision.content_hash.as_str() }));
        let transition = Transition {
            change: id,
            expected_version: change.version,
            to,
            end_reason,
            at: now,
        };
        (ctx.boundary)("hold-over");
        ctx.store.transition(&transition, &jobs, &[record]).await?;
        (ctx.boundary)("queued");
        Ok(())
    }

    /// What was agreed holds for the rules and the rights that it was agreed under. Where the rules ask
    /// for more by now, or somebody who agreed may no longer, it has to be decided again.
    async fn to_decide_again(
        &self,
        change: &Change,
        revision: &Revision,
        decisions: &[Decision],
    ) -> Result<Option<Reopening>> {
        let ctx = &self.0;
        let (mut hold, mut lost) = (Vec::new(), Vec::new());
        for d in decisions {
            let groups = ctx.store.groups(d.account).await?;
            let grants = grants_of(
                &ctx.settings.grants,
                &groups.map(|g| g.groups).unwrap_or_default(),
            );
            let may = grants
                .iter()
                .any(|g| g.role == d.role && g.covers(&change.place.scope));
            match may {
                true => hold.push(d.clone()),
                false => lost.push(d.clone()),
            }
        }
        let now = if change.kind.needs_approval() {
            stages_for(&ctx.settings.approvals, &change.place.scope)
        } else {
            vec![]
        };
        let stricter = !amount_to(&now, decisions);
        if !stricter && open_stage(&revision.stages, &hold).is_none() && amount_to(&now, &hold) {
            return Ok(None);
        }
        let note = if stricter {
            "The approval rules became stricter after this was decided, so it has to be decided again."
        } else {
            "Somebody who approved this no longer has the right to, so it has to be decided again."
        };
        // A decision belongs to a stage: with other stages it says nothing any more.
        let restaged = stricter && now != revision.stages;
        let void = if restaged { decisions } else { &lost[..] };
        Ok(Some(Reopening {
            change: change.id,
            expected_version: change.version,
            note: note.into(),
            void: void.iter().map(|d| d.id).collect(),
            stages: restaged.then(|| (now, ctx.policy_version())),
            at: ctx.clock.now(),
        }))
    }

    async fn expire(&self, id: ChangeId) -> Result<()> {
        let ctx = &self.0;
        let change = ctx
            .store
            .change_get(id)
            .await?
            .ok_or_else(|| Error::conflict("gone"))?;
        let now = ctx.clock.now();
        if change.state != ChangeState::Waiting || change.expires_at > now {
            return Err(Error::conflict("not yet"));
        }
        let record = ctx
            .event(None, "change.expire", format!("change:{id}"))
            .place(&change.place.scope)
            .of_change(id);
        let transition = Transition {
            change: id,
            expected_version: change.version,
            to: ChangeState::Expired,
            end_reason: Some("Nobody decided it in time.".into()),
            at: now,
        };
        ctx.store.transition(&transition, &[], &[record]).await
    }
}
