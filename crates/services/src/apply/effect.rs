//! The effect itself, and a look at what came of it.

use super::{
    Apply, Work,
    end::{End, applied, ended},
};
use crate::{ports::Refusal, prepare};
use domain::{
    content::{Action, differs_from_approved},
    person::ClusterIdentity,
};
use serde_json::{Value, json};

impl Apply {
    pub(super) async fn effect(&self, work: &Work, who: &ClusterIdentity) -> End {
        let clusters = &self.ctx.clusters;
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
