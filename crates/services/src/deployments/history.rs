//! What became of a deployment: who changed it last and what, what can be gone back to, and what is
//! left to tell when it is no longer there.

use super::{AppliedRevision, Deployments};
use crate::{Caller, authz::Action, ports::*};
use domain::{
    Kind, Micros, Result,
    access::Scope,
    change::{Change, ChangeKind, Item, Revision},
    diff::{FieldChange, diff},
    ids::*,
    isvc::View,
    page::Page,
    place::DeploymentKey,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many revisions, and so many changes, a page shows.
const SHOWN: usize = 20;

/// How far back a page looks: where in the list the page before ended. `None`: the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Back {
    pub revisions: Option<String>,
    pub changes: Option<String>,
}

/// The newest change that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastChange {
    pub change: Change,
    /// Who asked for it.
    pub by: String,
    pub at: Option<Micros>,
    /// Against what was live when it was asked for.
    pub what: Vec<FieldChange>,
}

/// Somebody wrote to the object past the console, as its managed fields tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// It was made so, or its newest life was; else it was edited.
    pub made: bool,
    /// Field manager, where one is recorded.
    pub by: Option<String>,
    pub at: Option<Micros>,
}

/// An approved revision that can be gone back to, and what would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    pub revision: RevisionId,
    pub number: usize,
    pub applied_at: Option<Micros>,
    /// From what is live.
    pub changes: Vec<FieldChange>,
}

/// A deployment that is no longer there, as the store remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    pub key: DeploymentKey,
    pub scope: Scope,
    pub last: LastChange,
    /// The cluster is not heard, so that nobody knows.
    pub away: Option<String>,
    pub revisions: Page<AppliedRevision>,
    pub history: Page<ChangeRow>,
}

/// What an address of a deployment leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Found {
    There(Box<super::DeploymentView>),
    Gone(Box<Gone>),
    /// It never was there; somebody asked for it.
    Awaited(Vec<ChangeRow>),
}

type Applied = (Change, Revision, Item);

impl Deployments {
    /// The deployment, or what is remembered of it.
    pub async fn find(&self, caller: &Caller, key: &DeploymentKey, back: &Back) -> Result<Found> {
        if self.0.clusters.live(key, self.0.clock.now()).is_some() {
            let view = self.view(caller, key, back).await?;
            return Ok(Found::There(Box::new(view)));
        }
        match self.gone(caller, key, back).await {
            Ok(gone) => Ok(Found::Gone(Box::new(gone))),
            Err(e) if e.kind == Kind::NotFound => {
                let asked = ChangeFilter {
                    deployment: Some(key.clone()),
                    scopes: self.0.policy.scopes(caller, Action::ViewChange),
                    ..Default::default()
                };
                let asked = self.0.store.change_list(&asked, None, SHOWN).await?.rows;
                // Of what was only ever refused nothing is to come.
                let awaited = asked.iter().any(|r| !r.change.state.is_end());
                awaited.then_some(Found::Awaited(asked)).ok_or(e)
            }
            Err(e) => Err(e),
        }
    }

    async fn gone(&self, caller: &Caller, key: &DeploymentKey, back: &Back) -> Result<Gone> {
        let ctx = &self.0;
        let last = self.remembered(caller, key).await?;
        let away = ctx
            .clusters
            .health(ctx.clock.now())
            .into_iter()
            .find(|c| c.name == key.cluster && !c.reachable)
            .map(|c| c.problem.unwrap_or_else(|| "it does not answer".into()));
        // Of the namespace in which it was last, not of others that had the name before.
        let uid = last.0.place.namespace_uid.clone();
        let revisions = self
            .revisions(key, &uid, None, None, back.revisions.as_deref())
            .await?;
        let history = self
            .history(caller, key, &uid, back.changes.as_deref())
            .await?;
        Ok(Gone {
            scope: last.0.place.scope.clone(),
            last: self.told(last).await?,
            away,
            revisions,
            history,
            key: key.clone(),
        })
    }

    /// What was applied last to a deployment that is not there, for whoever might see its place.
    pub(super) async fn remembered(&self, caller: &Caller, key: &DeploymentKey) -> Result<Applied> {
        let last = self.0.store.last_applied(key, None).await?;
        let last = last.ok_or_else(crate::context::unseen)?;
        let scope = &last.0.place.scope;
        self.0
            .require(
                caller,
                Action::ViewDeployment,
                scope,
                &format!("deployment:{key}"),
            )
            .await?;
        Ok(last)
    }

    /// Its changes, newest first, whatever became of them: those that the caller may see.
    pub(super) async fn history(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
        namespace_uid: &str,
        after: Option<&str>,
    ) -> Result<Page<ChangeRow>> {
        let filter = ChangeFilter {
            deployment: Some(key.clone()),
            namespace_uid: Some(namespace_uid.to_owned()),
            scopes: self.0.policy.scopes(caller, Action::ViewChange),
            ..Default::default()
        };
        self.0.store.change_list(&filter, after, SHOWN).await
    }

    pub(super) async fn last(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
    ) -> Result<Option<LastChange>> {
        match self.0.store.last_applied(key, Some(namespace_uid)).await? {
            Some(last) => Ok(Some(self.told(last).await?)),
            None => Ok(None),
        }
    }

    async fn told(&self, (change, revision, item): Applied) -> Result<LastChange> {
        let names = self.0.store.person_names(&[change.requester]).await?;
        let deleted = revision.content.action == domain::content::Action::Delete;
        let before = revision.seen.live.as_ref().unwrap_or(&Value::Null);
        Ok(LastChange {
            by: names.get(&change.requester).cloned().unwrap_or_default(),
            at: item.applied_at,
            what: if deleted {
                vec![]
            } else {
                diff(before, &revision.content.object)
            },
            change,
        })
    }

    /// Applied revisions, newest first and numbered in the order in which they came.
    pub(super) async fn revisions(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        current: Option<RevisionId>,
        live: Option<&Value>,
        after: Option<&str>,
    ) -> Result<Page<AppliedRevision>> {
        let store = &self.0.store;
        // One more than is shown: the last that is shown is compared with it.
        let applied = store
            .applied_revisions(key, namespace_uid, after, SHOWN + 1)
            .await?
            .rows;
        let first = match applied.first() {
            Some((_, _, item)) => {
                let until = (item.applied_at, item.id);
                store.applied_count(key, namespace_uid, until).await?
            }
            None => 0,
        };
        let shown: Vec<RevisionId> = applied.iter().map(|(_, r, _)| r.id).collect();
        let approvals = store.approvals(&shown).await?;
        let authors = applied.iter().map(|(_, r, _)| r.author);
        let people: Vec<PersonId> = authors.chain(approvals.iter().map(|d| d.person)).collect();
        let names = store.person_names(&people).await?;
        let name = |id: &PersonId| names.get(id).cloned().unwrap_or_else(|| "somebody".into());
        let rows = applied
            .iter()
            .enumerate()
            .map(|(i, (c, r, item))| AppliedRevision {
                revision: r.id,
                change: c.id,
                kind: c.kind,
                number: first.saturating_sub(i),
                hash: r.content_hash.clone(),
                by: names.get(&r.author).cloned().unwrap_or_default(),
                approved_by: approvals
                    .iter()
                    .filter(|d| d.revision == r.id)
                    .map(|d| name(&d.person))
                    .collect(),
                comment: r.comment.clone(),
                applied_at: item.applied_at,
                current: current == Some(r.id),
                // What runs along with a stop was approved by nobody; going back to what is live is nothing.
                from_live: live
                    .filter(|_| c.kind != ChangeKind::Stop)
                    .map(|live| diff(live, &r.content.object))
                    .unwrap_or_default(),
                differences: applied.get(i + 1).map_or_else(Vec::new, |(_, before, _)| {
                    diff(&before.content.object, &r.content.object)
                }),
            })
            .zip(
                applied
                    .iter()
                    .map(|(_, _, item)| (item.applied_at, item.id)),
            )
            .collect();
        Ok(Page::cut(rows, SHOWN, |(_, key)| *key).map(|(row, _)| row))
    }
}

/// The newest revision that differs from what is live.
pub(super) fn rollback(revisions: &[AppliedRevision]) -> Option<Rollback> {
    let r = revisions.iter().find(|r| r.can_be_gone_back_to())?;
    Some(Rollback {
        revision: r.revision,
        number: r.number,
        applied_at: r.applied_at,
        changes: r.from_live.clone(),
    })
}

/// Who wrote past the console: of what drifted, or the whole where nothing was approved.
pub(super) fn outside(view: &View<'_>, approved: bool, drift: &[super::Drift]) -> Option<Outside> {
    let newest = if approved {
        if drift.is_empty() {
            return None;
        }
        drift
            .iter()
            .flat_map(|d| &d.by)
            .max_by_key(|(_, at)| *at)
            .cloned()
    } else {
        view.owners("spec")
            .into_iter()
            .next()
            .map(|m| (m.name, m.time))
    };
    let (by, at) = newest.map_or((None, None), |(name, at)| (Some(name), at));
    Some(Outside {
        made: !approved,
        by,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: usize, kind: ChangeKind, differs: bool) -> AppliedRevision {
        let change = FieldChange {
            path: "spec.predictor.minReplicas".into(),
            before: Some(2.into()),
            after: Some(1.into()),
        };
        AppliedRevision {
            revision: RevisionId(uuid::Uuid::from_u128(number as u128)),
            change: ChangeId(uuid::Uuid::nil()),
            kind,
            number,
            hash: Digest::of(b""),
            by: String::new(),
            approved_by: vec![],
            comment: String::new(),
            applied_at: None,
            current: false,
            from_live: if differs { vec![change] } else { vec![] },
            differences: vec![],
        }
    }

    #[test]
    fn a_rollback_leads_to_what_was_approved_and_is_not_live() {
        use ChangeKind::*;
        // Stop, then start: the stop is never offered, nor what runs now.
        let all = [
            revision(3, Start, false),
            AppliedRevision {
                from_live: revision(2, Scale, true).from_live,
                ..revision(2, Stop, true)
            },
            revision(1, Create, false),
        ];
        assert_eq!(rollback(&all), None);
        let mut older = all.to_vec();
        older.push(revision(0, Create, true));
        assert_eq!(rollback(&older).map(|r| r.number), Some(0));
        assert_eq!(rollback(&[]), None);
    }
}
