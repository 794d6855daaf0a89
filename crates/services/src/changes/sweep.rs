//! What time does to changes: holds end, waiting expires. Idempotent; any replica may do it.

use super::Changes;
use crate::{context::Recording, ports::*};
use domain::{Error, Kind, Result, change::*, ids::ChangeId};
use serde_json::json;

/// So many at a time.
const BATCH: usize = 100;

impl Changes {
    /// Lets decisions take effect whose hold is over and expires what nobody decided. Answers how
    /// many changes moved.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.0.clock.now();
        let mut moved = 0;
        for id in self.0.store.holds_over(now, BATCH).await? {
            moved += usize::from(lost_race_is_fine(self.end_hold(id).await)?);
        }
        for id in self.0.store.waiting_over(now, BATCH).await? {
            moved += usize::from(lost_race_is_fine(self.expire(id).await)?);
        }
        Ok(moved)
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
        // What was agreed holds for the configuration it was agreed under; a stricter one since then asks again.
        let (to, end_reason) = match rejected {
            Some(d) => (ChangeState::Rejected, Some(d.reason.clone())),
            None if open_stage(&revision.stages, &decisions).is_some() => {
                (ChangeState::Waiting, None)
            }
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
            items.iter().map(|i| self.job(&revision, i)).collect()
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

/// Another replica or a person was faster: that is an end too.
fn lost_race_is_fine(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind == Kind::Conflict => Ok(false),
        Err(e) => Err(e),
    }
}
