//! Before anything goes out: who asks, what was decided, what runs, and what would be stored.

use super::{
    Apply, Work,
    end::{End, applied, ended},
};
use crate::{authz::Action as Right, caller::grants_of, moved, ports::*, prepare};
use domain::{
    Error, Kind, Result,
    access::Scope,
    change::*,
    content::{Action, differs_from_approved},
    isvc::View,
    person::{ClusterIdentity, GroupSnapshot},
};
use serde_json::{Value, json};

/// Is this what the change asked for, written by the console? What somebody else made just like it is
/// not an effect of this change.
fn is_ours(work: &Work, object: &Value) -> bool {
    differs_from_approved(&work.revision.content.object, object).is_empty()
        && View::new(object)
            .managers()
            .iter()
            .any(|m| m.name == FIELD_MANAGER)
}

impl Apply {
    /// After a death between intent and outcome: is the effect there? `Err`: it cannot be asked now.
    pub(super) async fn already_there(&self, work: &Work) -> Result<Option<End>, End> {
        let live = match self.ctx.clusters.read(&work.key.cluster, &work.key).await {
            Ok(live) => live,
            Err(Refusal::Unavailable { message, .. }) => return Err(End::Later { message }),
            Err(other) => return Err(End::failed(prepare::refused(other).0)),
        };
        match (work.revision.content.action, live) {
            (Action::Delete, None) => Ok(Some(End::Gone)),
            (Action::Apply, Some(object)) => {
                let same_object = work
                    .revision
                    .seen
                    .live_uid
                    .as_deref()
                    .is_none_or(|uid| View::new(&object).uid() == Some(uid));
                Ok((same_object && is_ours(work, &object)).then(|| applied(&object, true)))
            }
            _ => Ok(None),
        }
    }

    /// Checks anew who asks and what would be stored. Answers as whom it may go out, and over which
    /// version of the object.
    pub(super) async fn checked(
        &self,
        work: &Work,
    ) -> Result<Result<(ClusterIdentity, Option<ObjectVersion>), End>> {
        let ctx = &self.ctx;
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
        let scope = match self.place_now(change) {
            Ok(scope) => scope,
            Err(end) => return Ok(Err(end)),
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
                "The decisions on record do not cover this revision, so it is not applied.",
            )));
        }
        let who = match ctx
            .clusters
            .identity(&work.key.cluster, &account.username, &groups.groups)
        {
            Ok(who) => who,
            Err(e) => return Ok(Err(End::failed(e.message))),
        };
        let over = match self.unmoved(work).await {
            Ok(over) => over,
            Err(end) => return Ok(Err(end)),
        };
        if revision.content.action == Action::Apply
            && let Err(end) = self.would_be_stored(work, &who).await
        {
            return Ok(Err(end));
        }
        Ok(Ok((who, over)))
    }

    /// Is what runs still what the decision looked at? An update that is applied over somebody else's
    /// would undo theirs without a word: a stop above all, which is an annotation of the same manager.
    /// Answers the version that it is; nothing but that one may be written over. `None`: nothing is there.
    pub(super) async fn unmoved(&self, work: &Work) -> Result<Option<ObjectVersion>, End> {
        let live = self.ctx.clusters.read(&work.key.cluster, &work.key).await;
        let live = live.map_err(ended)?;
        let moved = moved::since(&work.revision, live.as_ref());
        // An earlier attempt whose answer was lost may have got through since it was looked for.
        let ours = || {
            work.resumed
                && work.revision.content.action == Action::Apply
                && live.as_ref().is_some_and(|o| is_ours(work, o))
        };
        if !moved.is_empty() && !ours() {
            let so = if work.resumed {
                "Whether an earlier attempt got through is not known"
            } else {
                "Nothing was applied"
            };
            return Err(End::Failed {
                message: format!(
                    "What runs changed since it was {}: {}. {so}; look at what runs now and ask again.",
                    if work.change.kind.needs_approval() {
                        "approved"
                    } else {
                        "asked for"
                    },
                    moved::few(&moved)
                ),
                detail: json!({ "moved": moved }),
            });
        }
        live.map(|object| {
            ObjectVersion::of(&object).ok_or_else(|| {
                End::failed("The cluster does not say which version of the object this is.")
            })
        })
        .transpose()
    }

    /// Would the API server store what was approved, and would the same programs run?
    async fn would_be_stored(&self, work: &Work, who: &ClusterIdentity) -> Result<(), End> {
        let (clusters, content) = (&self.ctx.clusters, &work.revision.content);
        let cluster = &work.key.cluster;
        let stored = clusters.dry_run(cluster, who, &content.to_apply()).await;
        let stored = stored.map_err(ended)?;
        let differs = differs_from_approved(&content.object, &stored.object);
        if !differs.is_empty() {
            return Err(End::Failed {
                message: format!(
                    "The cluster would now store something else than was approved ({}). Review it and ask again.",
                    differs.join(", ")
                ),
                detail: json!({ "differs": differs }),
            });
        }
        // Nothing runs of what is stopped.
        if View::new(&content.object).stop_wished() {
            return Ok(());
        }
        clusters
            .followed(cluster, Followed::Runtimes)
            .map_err(|why| End::Later {
                message: format!("The serving runtimes of {cluster} cannot be checked: {why}."),
            })?;
        let now = prepare::closure(
            &stored.object,
            &clusters.runtimes(cluster, &work.key.namespace),
        );
        if now.runtimes != content.closure.runtimes {
            return Err(End::Failed {
                message: "The serving runtime was changed after the approval, so another program would run. Review it and ask again.".into(),
                detail: json!({ "approved": content.closure.runtimes, "now": now.runtimes }),
            });
        }
        Ok(())
    }

    /// Do the decisions on record carry this very revision? (A stop carries itself.)
    async fn decided(&self, change: &Change, revision: &Revision) -> Result<bool> {
        if change.current_revision != revision.id
            || revision.content.hash() != revision.content_hash
        {
            return Ok(false);
        }
        let now = self.ctx.clock.now();
        let decisions: Vec<Decision> = self
            .ctx
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

    /// The namespace as it is now; what was last heard of a cluster is not enough to say it is the same.
    fn place_now(&self, change: &Change) -> Result<Scope, End> {
        let ctx = &self.ctx;
        let place = &change.place;
        let name = &place.cluster_name;
        let later = |why: String| End::Later {
            message: format!("The namespace cannot be checked on {name}: {why}."),
        };
        ctx.clusters
            .followed(name, Followed::Namespaces)
            .map_err(later)?;
        let id = prepare::cluster_id(ctx, name)
            .ok_or_else(|| later("the cluster was not reached yet".into()))?;
        if id != place.cluster {
            return Err(End::failed(format!(
                "“{name}” is another cluster now than the one this was approved for."
            )));
        }
        let namespaces = ctx.clusters.namespaces(name);
        match namespaces.into_iter().find(|n| n.name == place.namespace) {
            Some(n) if n.uid == place.namespace_uid && n.scope == place.scope => Ok(n.scope),
            Some(n) if n.uid == place.namespace_uid => Err(End::failed(format!(
                "The namespace “{}” belongs to another business unit or environment now.",
                n.name
            ))),
            _ => Err(End::failed(format!(
                "The namespace “{}” was deleted or made anew since the approval.",
                place.namespace
            ))),
        }
    }

    /// The requester's groups, not older than the limit: from the provider where they are.
    async fn groups(
        &self,
        account: &domain::person::Account,
    ) -> Result<Result<GroupSnapshot, End>> {
        let ctx = &self.ctx;
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
}
