//! Applying what was decided: exactly once, as the requester, without force, read back and compared.
//!
//! The order is what makes it safe to die anywhere: a job is claimed under a lease with a rising
//! epoch; rights and content are checked anew; the intent is durable; the effect goes out; the object
//! is read back; the outcome is durable. Whoever takes a job over after a death first looks whether
//! the effect is there already, and server-side apply of the same bytes by the same manager is the
//! same effect, not a second one.

use crate::{
    Ctx, authz::Action as Right, caller::grants_of, context::Recording, ports::*, prepare,
};
use domain::{
    Error, Kind, Micros, Result,
    access::Scope,
    change::*,
    content::{Action, differs_from_approved},
    ids::*,
    isvc::View,
    person::{ClusterIdentity, GroupSnapshot},
    place::DeploymentKey,
};
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Apply(pub(crate) Ctx);

/// After so many attempts an unreachable cluster ends the change visibly.
const MAX_ATTEMPTS: i32 = 20;

/// How an attempt ended.
enum End {
    Applied {
        uid: Option<String>,
        generation: Option<i64>,
        detail: Value,
    },
    Failed {
        message: String,
        detail: Value,
    },
    /// The cluster or the provider does not answer: later.
    Later {
        message: String,
    },
}

impl End {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            detail: Value::Null,
        }
    }
}

struct Work {
    job: Job,
    item: Item,
    change: Change,
    revision: Revision,
    key: DeploymentKey,
}

impl Apply {
    /// Takes one due job and brings it as far as it goes. Answers whether there was one.
    pub async fn run_once(&self, worker: &str) -> Result<bool> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let Some(job) = ctx
            .store
            .job_claim(&[JobKind::Apply], worker, now, now.plus(ctx.settings.lease))
            .await?
        else {
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

    async fn work(&self, job: Job) -> Result<()> {
        let ctx = &self.0;
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
        let mut work = Work {
            job,
            item,
            change,
            revision,
            key,
        };

        // The intent's id is made from the item and the epoch, so that a later attempt finds it.
        let resumed = work.item.state == ItemState::Applying;
        if resumed {
            match self.already_there(&work).await {
                Ok(Some(end)) => return self.finish(&mut work, None, end).await,
                Ok(None) => {}
                Err(end) => return self.finish(&mut work, None, end).await,
            }
        }
        let who = match self.checked(&work).await? {
            Ok(who) => who,
            Err(end) => return self.finish(&mut work, None, end).await,
        };
        (ctx.boundary)("checked");

        let intent = self.record(&work, "item.apply").into_intent();
        // Whoever died here left an intent without its effect: it ends before the next one begins.
        let mut records = Vec::new();
        if resumed {
            let said = json!({ "message": "The process ended before this was carried out; it is tried again." });
            for left in self.open_intents(&work).await? {
                records.push(self.outcome(&left, RecordOutcome::Failure, said.clone()));
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

        let end = self.effect(&work, &who).await;
        (ctx.boundary)("effect");
        self.finish(&mut work, Some(intent), end).await?;
        (ctx.boundary)("recorded");
        Ok(())
    }

    /// After a death between intent and outcome: is the effect there? `Err`: it cannot be asked now.
    async fn already_there(&self, work: &Work) -> Result<Option<End>, End> {
        let live = match self.0.clusters.read(&work.key.cluster, &work.key).await {
            Ok(live) => live,
            Err(Refusal::Unavailable { message, .. }) => return Err(End::Later { message }),
            Err(other) => return Err(End::failed(prepare::refused(other).0)),
        };
        match (work.revision.content.action, live) {
            (Action::Delete, None) => Ok(Some(End::Applied {
                uid: work.revision.seen.live_uid.clone(),
                generation: None,
                detail: json!({ "resumed": true }),
            })),
            (Action::Apply, Some(object)) => {
                let same_object = work
                    .revision
                    .seen
                    .live_uid
                    .as_deref()
                    .is_none_or(|uid| View::new(&object).uid() == Some(uid));
                if same_object
                    && differs_from_approved(&work.revision.content.object, &object).is_empty()
                {
                    return Ok(Some(applied(&object, true)));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Checks anew who asks and what would be stored.
    async fn checked(&self, work: &Work) -> Result<Result<ClusterIdentity, End>> {
        let ctx = &self.0;
        let (change, revision) = (&work.change, &work.revision);
        let account = ctx
            .store
            .account(change.requester_account)
            .await?
            .ok_or_else(|| Error::internal("a change without its account"))?;
        let groups = match self.groups(&account).await? {
            Ok(g) => g,
            Err(end) => return Ok(Err(end)),
        };
        let grants = grants_of(&ctx.settings.grants, &groups.groups);
        let right = prepare::right_for(change.kind);
        let Some(place) = self.place_now(change) else {
            return Ok(Err(End::Later {
                message: format!(
                    "Cluster {} does not answer, so the namespace cannot be checked.",
                    change.place.cluster_name
                ),
            }));
        };
        let scope = match place {
            Ok(scope) => scope,
            Err(message) => return Ok(Err(End::failed(message))),
        };
        if !grants
            .iter()
            .any(|g| ctx.policy.role_may(g.role, right) && g.covers(&scope))
        {
            return Ok(Err(End::failed(format!(
                "The requester no longer has the right to {} here: their groups changed after they asked. Somebody who has it can ask again.",
                if right == Right::StopDeployment {
                    "stop deployments"
                } else {
                    "change deployments"
                }
            ))));
        }
        if !self.decided(change, revision).await? {
            return Ok(Err(End::failed(
                "The decisions on record do not cover this revision; nothing was applied.",
            )));
        }
        let who = match ctx
            .clusters
            .identity(&work.key.cluster, &account.username, &groups.groups)
        {
            Ok(who) => who,
            Err(e) => return Ok(Err(End::failed(e.message))),
        };
        if revision.content.action == Action::Delete {
            return Ok(Ok(who));
        }
        Ok(
            match ctx
                .clusters
                .dry_run(&work.key.cluster, &who, &revision.content.to_apply())
                .await
            {
                Ok(stored) => {
                    let differs = differs_from_approved(&revision.content.object, &stored.object);
                    let closure = prepare::closure(
                        &stored.object,
                        &ctx.clusters
                            .runtimes(&work.key.cluster, &work.key.namespace),
                        &ctx.clusters.facts(&work.key.cluster).unwrap_or_default(),
                    );
                    if !differs.is_empty() {
                        Err(End::Failed {
                            message: format!(
                                "The cluster would now store something else than was approved ({}). Review it and ask again.",
                                differs.join(", ")
                            ),
                            detail: json!({ "differs": differs }),
                        })
                    } else if closure.runtime != revision.content.closure.runtime {
                        Err(End::Failed {
                        message: "The serving runtime was changed after the approval, so another program would run. Review it and ask again.".into(),
                        detail: json!({ "approved": revision.content.closure.runtime, "now": closure.runtime }),
                    })
                    } else {
                        Ok(who)
                    }
                }
                Err(r) => Err(ended(r)),
            },
        )
    }

    /// Do the decisions on record carry this very revision? (A stop carries itself.)
    async fn decided(&self, change: &Change, revision: &Revision) -> Result<bool> {
        if change.current_revision != revision.id
            || revision.content.hash() != revision.content_hash
        {
            return Ok(false);
        }
        let now = self.0.clock.now();
        let decisions: Vec<Decision> = self
            .0
            .store
            .decisions(change.id)
            .await?
            .into_iter()
            .filter(|d| {
                d.counts()
                    && d.revision == revision.id
                    && d.content_hash == revision.content_hash
                    && d.effective_at <= now
            })
            .collect();
        Ok(open_stage(&revision.stages, &decisions).is_none()
            && !decisions.iter().any(|d| {
                d.outcome == Outcome::Reject
                    || d.person == change.requester
                    || d.person == revision.author
            }))
    }

    /// The namespace as it is now: `None` when the cluster's cache is empty, an error when it is another.
    fn place_now(&self, change: &Change) -> Option<Result<Scope, String>> {
        let ctx = &self.0;
        let place = &change.place;
        let id = prepare::cluster_id(ctx, &place.cluster_name)?;
        if id != place.cluster {
            return Some(Err(format!(
                "“{}” is another cluster now than the one this was approved for.",
                place.cluster_name
            )));
        }
        let namespaces = ctx.clusters.namespaces(&place.cluster_name);
        if namespaces.is_empty() {
            return None;
        }
        Some(
            match namespaces.into_iter().find(|n| n.name == place.namespace) {
                Some(n) if n.uid == place.namespace_uid && n.scope == place.scope => Ok(n.scope),
                Some(n) if n.uid == place.namespace_uid => Err(format!(
                    "The namespace “{}” belongs to another business unit or environment now.",
                    n.name
                )),
                _ => Err(format!(
                    "The namespace “{}” was deleted or made anew since the approval.",
                    place.namespace
                )),
            },
        )
    }

    /// The requester's groups, not older than the limit: from the provider where they are.
    async fn groups(
        &self,
        account: &domain::person::Account,
    ) -> Result<Result<GroupSnapshot, End>> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let kept = ctx.store.groups(account.id).await?;
        if let Some(g) = kept
            .as_ref()
            .filter(|g| now.since(g.taken_at) <= ctx.settings.groups_max_age)
        {
            return Ok(Ok(g.clone()));
        }
        Ok(match ctx.identity.refresh_groups(account.id).await {
            Ok(Some(fresh)) => {
                ctx.store.record_groups(account.id, &fresh, &[]).await?;
                Ok(fresh)
            }
            Ok(None) => Err(End::failed(format!(
                "The requester's groups are older than {} and the provider cannot be asked without them. They can sign in and ask again.",
                domain::time::duration(ctx.settings.groups_max_age)
            ))),
            Err(e) if e.kind == Kind::Forbidden => Err(End::failed(
                "The provider no longer answers for the requester: they signed out there, took the console's access back, or may no longer sign in. They can sign in and ask again.",
            )),
            Err(e) => Err(End::Later { message: e.message }),
        })
    }

    async fn effect(&self, work: &Work, who: &ClusterIdentity) -> End {
        let clusters = &self.0.clusters;
        let content = &work.revision.content;
        let seen_uid = work.revision.seen.live_uid.as_deref();
        match content.action {
            Action::Delete => match clusters
                .delete(
                    &work.key.cluster,
                    who,
                    &content.object,
                    seen_uid.unwrap_or_default(),
                )
                .await
            {
                Ok(()) => End::Applied {
                    uid: seen_uid.map(Into::into),
                    generation: None,
                    detail: Value::Null,
                },
                Err(r) => ended(r),
            },
            Action::Apply => {
                // A retry after "maybe done" may find the object that it made itself.
                let expect = if work.item.attempts > 1 && seen_uid.is_none() {
                    None
                } else {
                    Some(seen_uid.unwrap_or_default())
                };
                match clusters
                    .apply(&work.key.cluster, who, &content.to_apply(), expect)
                    .await
                {
                    Ok(_) => self.read_back(work).await,
                    Err(r) => ended(r),
                }
            }
        }
    }

    async fn read_back(&self, work: &Work) -> End {
        match self.0.clusters.read(&work.key.cluster, &work.key).await {
            Ok(Some(object)) => {
                let differs = differs_from_approved(&work.revision.content.object, &object);
                if differs.is_empty() {
                    applied(&object, false)
                } else {
                    End::Failed {
                        message: format!(
                            "It was applied, and then something else changed it ({}). The deployment page shows who.",
                            differs.join(", ")
                        ),
                        detail: json!({ "differs": differs }),
                    }
                }
            }
            Ok(None) => End::failed(
                "It was applied and is gone again: something in the cluster deleted it.",
            ),
            Err(Refusal::Unavailable { message, .. }) => End::Later { message },
            Err(other) => End::failed(prepare::refused(other).0),
        }
    }

    async fn finish(&self, work: &mut Work, intent: Option<NewRecord>, end: End) -> Result<()> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let (outcome, detail) = match &end {
            End::Applied {
                uid,
                generation,
                detail,
            } => {
                work.item.state = ItemState::Applied;
                work.item.message = None;
                work.item.applied_uid = uid.clone();
                work.item.applied_generation = *generation;
                work.item.applied_at = Some(now);
                (
                    RecordOutcome::Success,
                    json!({ "uid": uid, "generation": generation, "more": detail }),
                )
            }
            End::Failed { message, detail } => {
                work.item.state = ItemState::Failed;
                work.item.message = Some(message.clone());
                (
                    RecordOutcome::Failure,
                    json!({ "message": message, "more": detail }),
                )
            }
            End::Later { message } if work.item.attempts.max(work.job.attempts) >= MAX_ATTEMPTS => {
                let message = format!("Given up after {MAX_ATTEMPTS} attempts: {message}");
                work.item.state = ItemState::Failed;
                work.item.message = Some(message.clone());
                (RecordOutcome::Unknown, json!({ "message": message }))
            }
            End::Later { message } => {
                work.item.message = Some(format!("{message} It will be tried again."));
                let records = intent
                    .map(|i| {
                        vec![self.outcome(
                            &i,
                            RecordOutcome::Unknown,
                            json!({ "message": message, "retry": true }),
                        )]
                    })
                    .unwrap_or_default();
                ctx.store
                    .item_update(&work.item, &work.job.fence, None, &records)
                    .await?;
                ctx.store
                    .job_retry(
                        &work.job.fence,
                        now.plus(backoff(work.job.attempts)),
                        message,
                    )
                    .await?;
                return Ok(());
            }
        };
        let mut records = Vec::new();
        match intent {
            Some(i) => records.push(self.outcome(&i, outcome, detail)),
            None => {
                // An earlier process's intents of this item end here.
                let mut open = self.open_intents(work).await?;
                records.extend(
                    open.drain(..)
                        .map(|i| self.outcome(&i, outcome, detail.clone())),
                );
                if records.is_empty() {
                    records.push(NewRecord {
                        outcome: Some(outcome),
                        detail,
                        ..self.record(work, "item.apply")
                    });
                }
            }
        }
        let to = if work.item.state == ItemState::Applied {
            ChangeState::Applied
        } else {
            ChangeState::Failed
        };
        let transition = Transition {
            change: work.change.id,
            expected_version: work.change.version,
            to,
            end_reason: work.item.message.clone(),
            at: now,
        };
        ctx.store
            .item_update(&work.item, &work.job.fence, Some(&transition), &records)
            .await?;
        ctx.store.job_done(&work.job.fence, now, &[]).await?;
        Ok(())
    }

    async fn open_intents(&self, work: &Work) -> Result<Vec<NewRecord>> {
        let open = self
            .0
            .store
            .audit_open_intents(self.0.clock.now(), 1000)
            .await?;
        Ok(open
            .into_iter()
            .map(|r| r.record)
            .filter(|r| r.change == Some(work.change.id))
            .collect())
    }

    fn record(&self, work: &Work, action: &str) -> NewRecord {
        let c = &work.revision.content;
        self.0
            .event(None, action, format!("deployment:{}", work.key))
            .place(&work.change.place.scope)
            .of_change(work.change.id)
            .with(json!({
                "item": work.item.id, "revision": work.revision.number, "content_hash": work.revision.content_hash.as_str(),
                "do": c.action, "for": work.change.requester, "epoch": work.job.fence.epoch,
            }))
    }

    fn outcome(&self, intent: &NewRecord, outcome: RecordOutcome, detail: Value) -> NewRecord {
        intent.ended(
            RecordId(self.0.entropy.uuid()),
            self.0.clock.now(),
            outcome,
            detail,
        )
    }
}

fn applied(object: &Value, resumed: bool) -> End {
    let v = View::new(object);
    End::Applied {
        uid: v.uid().map(Into::into),
        generation: v.generation(),
        detail: json!({ "resource_version": v.resource_version(), "resumed": resumed }),
    }
}

fn ended(refusal: Refusal) -> End {
    if let Refusal::Unavailable { message, .. } = refusal {
        return End::Later { message };
    }
    let (message, findings) = prepare::refused(refusal);
    let what_to_do: Vec<&str> = findings
        .iter()
        .map(|f| f.remedy.as_str())
        .filter(|r| !r.is_empty())
        .take(2)
        .collect();
    End::Failed {
        message: [message.as_str()]
            .into_iter()
            .chain(what_to_do)
            .collect::<Vec<_>>()
            .join(" "),
        detail: json!({ "findings": findings }),
    }
}

/// 1 s, 2 s, 4 s … at most a minute.
fn backoff(attempts: i32) -> i64 {
    (Micros::SECOND << attempts.clamp(1, 7).saturating_sub(1)).min(Micros::MINUTE)
}
