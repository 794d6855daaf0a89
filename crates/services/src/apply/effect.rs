//! The effect itself, and a look at what came of it.

use super::{
    Apply, Work,
    end::{End, applied, ended},
};
use crate::{ports::*, prepare};
use domain::{
    Error, Result,
    content::{Action, differs_from_approved},
    person::ClusterIdentity,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How often one attempt looks again because the object got another version in between. Controllers
/// write status all the time; what they write is no reason to give up.
const LOOKS: usize = 5;

impl Apply {
    /// Brings it about over the version that was compared (`over`), while the job surely is this worker's.
    /// Errors: `Conflict` when another worker has taken over.
    pub(super) async fn effect(
        &self,
        work: &Work,
        who: &ClusterIdentity,
        over: Option<ObjectVersion>,
    ) -> Result<End> {
        let ctx = &self.ctx;
        let lease = ctx.settings.lease;
        // Before the lease begins anew, so that this worker stops waiting before another one begins.
        let until = Instant::now() + Duration::from_micros(lease.try_into().unwrap_or(0));
        let lease_until = ctx.clock.now().plus(lease);
        if !ctx.store.job_extend(&work.job.fence, lease_until).await? {
            return Err(Error::conflict("another worker has taken over this job"));
        }
        let effect = self.over_what_was_seen(work, who, over);
        let end = tokio::time::timeout_at(until, effect).await;
        Ok(end.unwrap_or_else(|_| End::Later {
            message: format!(
                "The cluster {} did not answer in time; it is not known whether it got through.",
                work.key.cluster
            ),
        }))
    }

    /// Another version than the one that was compared is compared again, and written over only when what
    /// is served is still what the decision looked at.
    async fn over_what_was_seen(
        &self,
        work: &Work,
        who: &ClusterIdentity,
        mut over: Option<ObjectVersion>,
    ) -> End {
        let mut said = String::new();
        for _ in 0..LOOKS {
            match self.once(work, who, over.as_ref()).await {
                Ok(end) => return end,
                Err(Refusal::Changed { message }) => said = message,
                Err(refusal) => return ended(refusal),
            }
            over = match self.unmoved(work).await {
                Ok(version) => version,
                Err(end) => return end,
            };
        }
        End::Later { message: said }
    }

    async fn once(
        &self,
        work: &Work,
        who: &ClusterIdentity,
        over: Option<&ObjectVersion>,
    ) -> Result<End, Refusal> {
        let (clusters, content) = (&self.ctx.clusters, &work.revision.content);
        let cluster = &work.key.cluster;
        match (content.action, over) {
            (Action::Delete, None) => Ok(End::Gone),
            (Action::Delete, Some(version)) => {
                clusters
                    .delete(cluster, who, &content.object, version)
                    .await?;
                Ok(End::Applied {
                    uid: Some(version.uid.clone()),
                    generation: None,
                    detail: Value::Null,
                })
            }
            (Action::Apply, over) => {
                clusters
                    .apply(cluster, who, &content.to_apply(), over)
                    .await?;
                Ok(self.read_back(work).await)
            }
        }
    }

    async fn read_back(&self, work: &Work) -> End {
        match self.ctx.clusters.read(&work.key.cluster, &work.key).await {
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
}
