//! How an attempt ends, and the records that say so.

use super::{Apply, Work};
use crate::{context::Recording, ports::*, prepare};
use domain::{Micros, Result, change::*, ids::*, isvc::View};
use serde_json::{Value, json};

/// After so many attempts an unreachable cluster ends the change visibly.
const MAX_ATTEMPTS: i32 = 20;
/// A change has an intent for each attempt of each of its items, and attempts end.
const OPEN_INTENTS: usize = 1000;
/// Of an attempt whose worker wrote no end.
pub(super) const NOT_KNOWN: &str =
    "The worker wrote no end of this; it is not known whether it got through.";

/// How an attempt ended.
pub(super) enum End {
    Applied {
        uid: Option<String>,
        generation: Option<i64>,
        detail: Value,
    },
    /// What was to be deleted is gone, by whom is not known.
    Gone,
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
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            detail: Value::Null,
        }
    }
}

impl Apply {
    pub(super) async fn finish(
        &self,
        work: &mut Work,
        intent: Option<NewRecord>,
        end: End,
    ) -> Result<()> {
        let ctx = &self.ctx;
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
            End::Gone => {
                work.item.state = ItemState::Applied;
                work.item.message = None;
                work.item.applied_uid = work.revision.seen.live_uid.clone();
                work.item.applied_at = Some(now);
                (
                    RecordOutcome::Unknown,
                    json!({ "message": "It is gone; by whom is not known." }),
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
                // An earlier process's intents of this item end here. Why this attempt goes no further
                // says nothing about what came of that one.
                for left in self.open_intents(work).await? {
                    records.push(match outcome {
                        RecordOutcome::Failure => self.outcome(
                            &left,
                            RecordOutcome::Unknown,
                            json!({ "message": NOT_KNOWN, "then": detail.clone() }),
                        ),
                        _ => self.outcome(&left, outcome, detail.clone()),
                    });
                }
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

    pub(super) async fn open_intents(&self, work: &Work) -> Result<Vec<NewRecord>> {
        let now = self.ctx.clock.now();
        let open = self
            .ctx
            .store
            .audit_open_intents(Some(work.change.id), now, OPEN_INTENTS)
            .await?;
        Ok(open.into_iter().map(|r| r.record).collect())
    }

    pub(super) fn record(&self, work: &Work, action: &str) -> NewRecord {
        let c = &work.revision.content;
        self.ctx
            .event(None, action, format!("deployment:{}", work.key))
            .place(&work.change.place.scope)
            .of_change(work.change.id)
            .with(json!({
                "item": work.item.id, "revision": work.revision.number, "content_hash": work.revision.content_hash.as_str(),
                "do": c.action, "for": work.change.requester, "epoch": work.job.fence.epoch,
            }))
    }

    pub(super) fn outcome(
        &self,
        intent: &NewRecord,
        outcome: RecordOutcome,
        detail: Value,
    ) -> NewRecord {
        intent.ended(
            RecordId(self.ctx.entropy.uuid()),
            self.ctx.clock.now(),
            outcome,
            detail,
        )
    }
}

pub(super) fn applied(object: &Value, resumed: bool) -> End {
    let v = View::new(object);
    End::Applied {
        uid: v.uid().map(Into::into),
        generation: v.generation(),
        detail: json!({ "resource_version": v.resource_version(), "resumed": resumed }),
    }
}

pub(super) fn ended(refusal: Refusal) -> End {
    if let Refusal::Unavailable { message, .. } | Refusal::Changed { message } = refusal {
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
pub(super) fn backoff(attempts: i32) -> i64 {
    (Micros::SECOND << attempts.clamp(1, 7).saturating_sub(1)).min(Micros::MINUTE)
}
