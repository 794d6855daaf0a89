//! Applying what was decided: exactly once, as the requester, without force, read back and compared.
//!
//! The order is what makes it safe to die anywhere: a job is claimed under a lease with a rising
//! epoch, and nobody else at the same object meanwhile; rights and content are checked anew; the
//! intent is durable; the effect goes out, over the version that was compared and no other; the object
//! is read back; the outcome is durable. Whoever takes a job over after a death first looks whether
//! the effect is there already, and server-side apply of the same bytes by the same manager is the
//! same effect, not a second one. A worker that only was slow finds another version and its epoch over.

mod checks;
mod effect;
mod end;

use crate::{Ctx, context::Recording, ports::*};
use domain::{Error, Kind, Result, change::*, place::DeploymentKey};
use end::{End, NOT_KNOWN, backoff};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The worker. Its clones share which clusters they are busy with.
#[derive(Clone)]
pub struct Apply {
    ctx: Ctx,
    busy: Arc<Busy>,
}

/// The clusters that this process works at, each with one job at most: one that hangs holds up its own
/// queue only, and its slow answers never take all workers.
#[derive(Default)]
struct Busy {
    claiming: tokio::sync::Mutex<()>,
    clusters: Mutex<BTreeSet<String>>,
}

/// Gives the cluster free again, also when the work dies.
struct At {
    busy: Arc<Busy>,
    cluster: String,
}

impl Drop for At {
    fn drop(&mut self) {
        let clusters = self.busy.clusters.lock();
        clusters
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.cluster);
    }
}

struct Work {
    job: Job,
    item: Item,
    change: Change,
    revision: Revision,
    key: DeploymentKey,
    /// An earlier attempt began and may have got through.
    resumed: bool,
}

impl Apply {
    pub(crate) fn new(ctx: Ctx) -> Self {
        Self {
            ctx,
            busy: Arc::default(),
        }
    }

    /// Takes one due job and brings it as far as it goes. Answers whether there was one. May run
    /// several times at once.
    pub async fn run_once(&self, worker: &str) -> Result<bool> {
        let ctx = &self.ctx;
        let Some((job, _at)) = self.claim(worker).await? else {
            return Ok(false);
        };
        (ctx.boundary)("claimed");
        match self.work(job.clone()).await {
            Ok(()) => {}
            // Another worker took over: it will end it.
            Err(e) if e.kind == Kind::Conflict => {
                tracing::info!(job = %job.id, "taken over by another worker")
            }
            Err(e) => {
                tracing::error!(job = %job.id, error = %e.for_log(), "apply attempt failed on our side");
                ctx.store
                    .job_retry(
                        &job.fence,
                        ctx.clock.now().plus(backoff(job.attempts)),
                        "an error on the console's side",
                    )
                    .await?;
            }
        }
        Ok(true)
    }

    /// A due job at a cluster where nobody is at work yet.
    async fn claim(&self, worker: &str) -> Result<Option<(Job, At)>> {
        let _one_at_a_time = self.busy.claiming.lock().await;
        let ctx = &self.ctx;
        let now = ctx.clock.now();
        let except: Vec<String> = {
            let busy = self.busy.clusters.lock();
            busy.unwrap_or_else(PoisonError::into_inner)
                .iter()
                .cloned()
                .collect()
        };
        let lease = now.plus(ctx.settings.lease);
        let job = ctx
            .store
            .job_claim(&[JobKind::Apply], worker, now, lease, &except)
            .await?;
        Ok(job.map(|job| {
            let busy = self.busy.clusters.lock();
            busy.unwrap_or_else(PoisonError::into_inner)
                .insert(job.cluster.clone());
            let at = At {
                busy: self.busy.clone(),
                cluster: job.cluster.clone(),
            };
            (job, at)
        }))
    }

    async fn work(&self, job: Job) -> Result<()> {
        let ctx = &self.ctx;
        let (_, item) = job
            .key
            .split_once('/')
            .ok_or_else(|| Error::internal("a job key without an item"))?;
        let item = ctx
            .store
            .item_get(item.parse()?)
            .await?
            .ok_or_else(|| Error::internal("a job without its item"))?;
        let change = ctx
            .store
            .change_get(item.change)
            .await?
            .ok_or_else(|| Error::internal("an item without its change"))?;
        let revision = ctx
            .store
            .revision_get(item.revision)
            .await?
            .ok_or_else(|| Error::internal("an item without its revision"))?;
        if !matches!(item.state, ItemState::Queued | ItemState::Applying)
            || !matches!(change.state, ChangeState::Queued | ChangeState::Applying)
        {
            ctx.store.job_done(&job.fence, ctx.clock.now(), &[]).await?;
            return Ok(());
        }
        let key = DeploymentKey::new(
            &change.place.cluster_name,
            &change.place.namespace,
            &item.object.name,
        );
        let resumed = item.state == ItemState::Applying;
        let mut work = Work {
            job,
            item,
            change,
            revision,
            key,
            resumed,
        };
        // A cluster that is known to be away is not waited for.
        if let Some(why) = ctx.away(&work.key.cluster) {
            return self
                .finish(&mut work, None, End::Later { message: why })
                .await;
        }

        // The intent's id is made from the item and the epoch, so that a later attempt finds it.
        if resumed {
            match self.already_there(&work).await {
                Ok(Some(end)) => return self.finish(&mut work, None, end).await,
                Ok(None) => {}
                Err(end) => return self.finish(&mut work, None, end).await,
            }
        }
        let (who, over) = match self.checked(&work).await? {
            Ok(checked) => checked,
            Err(end) => return self.finish(&mut work, None, end).await,
        };
        (ctx.boundary)("checked");

        let intent = self.record(&work, "item.apply").into_intent();
        // Whoever died here left an intent, and may be alive and only slow: it ends before the next one
        // begins, and what came of it is not known.
        let mut records = Vec::new();
        if resumed {
            let said = json!({ "message": format!("{NOT_KNOWN} It is tried again.") });
            for left in self.open_intents(&work).await? {
                records.push(self.outcome(&left, RecordOutcome::Unknown, said.clone()));
            }
        }
        records.push(intent.clone());
        work.item.attempts += 1;
        work.item.state = ItemState::Applying;
        let to_applying = (work.change.state == ChangeState::Queued).then(|| Transition {
            change: work.change.id,
            expected_version: work.change.version,
            to: ChangeState::Applying,
            end_reason: None,
            at: ctx.clock.now(),
        });
        ctx.store
            .item_update(&work.item, &work.job.fence, to_applying.as_ref(), &records)
            .await?;
        if to_applying.is_some() {
            work.change = ctx
                .store
                .change_get(work.change.id)
                .await?
                .ok_or_else(|| Error::internal("the change is gone"))?;
        }
        (ctx.boundary)("intent");

        let end = self.effect(&work, &who, over).await?;
        (ctx.boundary)("effect");
        self.finish(&mut work, Some(intent), end).await?;
        (ctx.boundary)("recorded");
        Ok(())
    }
}
