//! What the queue and the decision page show.

use super::Changes;
use crate::{Caller, authz::Action, ports::*};
use domain::{
    Micros, Result,
    change::*,
    diff::{FieldChange, Line, diff, lines},
    ids::*,
    page::Page,
    place::DeploymentKey,
    yaml::to_yaml,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A person and their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    pub id: PersonId,
    pub name: String,
}

/// A decision with names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    pub decision: Decision,
    pub by: String,
    /// Number of the revision that it was about.
    pub revision_number: i32,
}

/// Everything about one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeView {
    pub change: Change,
    pub revision: Revision,
    /// All revisions, oldest first: (number, hash, author's name, when).
    pub revisions: Vec<(i32, Digest, String, Micros)>,
    pub requester: String,
    pub author: String,
    pub decisions: Vec<DecisionView>,
    pub items: Vec<Item>,
    /// Against what was live when it was asked for.
    pub differences: Vec<FieldChange>,
    pub difference_text: Vec<Line>,
    pub content_yaml: String,
    /// The live object is another one now than the revision was compared with: paths that moved since.
    /// Nobody can approve it then.
    pub live_moved: Vec<String>,
    /// Against the newest revision of this deployment that the caller approved, with its hash.
    pub since_my_approval: Option<(Digest, Vec<FieldChange>)>,
    /// Why the caller cannot decide; `None`: they can.
    pub cannot: Option<CannotDecide>,
    /// What agrees next, where it waits.
    pub open: Option<OpenStage>,
    /// Others who have the page open.
    pub open_by: Vec<String>,
    /// The caller's own decision that can still be undone, and until when.
    pub undo_until: Option<Micros>,
    pub may_withdraw: bool,
    pub may_edit: bool,
    /// The next change that waits for the caller.
    pub next: Option<ChangeId>,
    pub now: Micros,
}

/// So many waiting changes are counted; of more it is only said that there are more.
pub const COUNTED: usize = 100;

/// Rows of one page of the queue.
const QUEUE_PAGE: usize = 50;

/// What waits for a person.
pub struct QueueView {
    pub page: Page<ChangeRow>,
    /// Up to [`COUNTED`].
    pub count: usize,
    /// Differs once the queue's first page or the count does.
    pub mark: String,
}

fn mark_of(first: &[ChangeRow], count: usize) -> String {
    let shown: Vec<_> = first
        .iter()
        .map(|r| (r.change.id, r.change.version, &r.open_by))
        .collect();
    let text = domain::content::canonical(&(shown, count));
    Digest::of(&text).short().to_owned()
}

impl Changes {
    /// What waits for this person: oldest first.
    pub async fn queue(
        &self,
        caller: &Caller,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ChangeRow>> {
        self.0
            .store
            .change_list(
                &self.queue_filter(caller),
                after,
                limit.min(domain::page::MAX_LIMIT),
            )
            .await
    }

    /// How much waits for this person, counted up to [`COUNTED`].
    pub async fn queue_count(&self, caller: &Caller) -> Result<usize> {
        self.0
            .store
            .change_count(&self.queue_filter(caller), COUNTED)
            .await
    }

    /// A page of the queue with the count and the mark of all of it.
    pub async fn queue_view(&self, caller: &Caller, after: Option<&str>) -> Result<QueueView> {
        let first = self.queue(caller, None, QUEUE_PAGE).await?;
        let count = self.queue_count(caller).await?;
        let mark = mark_of(&first.rows, count);
        let page = match after {
            None => first,
            Some(_) => self.queue(caller, after, QUEUE_PAGE).await?,
        };
        Ok(QueueView { page, count, mark })
    }

    /// Does this person decide anything anywhere?
    pub fn decides(&self, caller: &Caller) -> bool {
        let roles = self.deciding_roles();
        caller.grants.iter().any(|g| roles.contains(&g.role))
    }

    fn queue_filter(&self, caller: &Caller) -> ChangeFilter {
        let now = self.0.clock.now();
        ChangeFilter {
            states: vec![ChangeState::Waiting],
            decider: Some(Decider {
                person: caller.person,
                grants: caller.grants.clone(),
                now,
            }),
            scopes: caller.scopes_of(|_| true),
            oldest_first: true,
            open_since: Some(now.plus(-Micros::MINUTE)),
            ..Default::default()
        }
    }

    /// "My requests": newest first, all states.
    pub async fn mine(
        &self,
        caller: &Caller,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ChangeRow>> {
        let filter = ChangeFilter {
            requester: Some(caller.person),
            scopes: everywhere(),
            ..Default::default()
        };
        self.0
            .store
            .change_list(&filter, after, limit.min(domain::page::MAX_LIMIT))
            .await
    }

    /// All changes that the caller may see, by filter; its `scopes` are set here.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ChangeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ChangeRow>> {
        let filter = ChangeFilter {
            scopes: self.0.policy.scopes(caller, Action::ViewChange),
            ..filter.clone()
        };
        self.0
            .store
            .change_list(&filter, after, limit.min(domain::page::MAX_LIMIT))
            .await
    }

    pub async fn get(&self, caller: &Caller, id: ChangeId) -> Result<ChangeView> {
        let ctx = &self.0;
        let change = self.visible(caller, id).await?;
        let now = ctx.clock.now();
        let revision = self.revision(&change).await?;
        let revisions = ctx.store.revisions(id).await?;
        let decisions = ctx.store.decisions(id).await?;
        let presence = ctx.store.presence(id, now).await?;
        let mut ids: Vec<PersonId> = vec![change.requester];
        ids.extend(revisions.iter().map(|r| r.author));
        ids.extend(decisions.iter().map(|d| d.person));
        ids.extend(presence.iter().map(|(p, _)| *p));
        let names = ctx.store.person_names(&ids).await?;
        let name = |id: &PersonId| names.get(id).cloned().unwrap_or_else(|| "somebody".into());

        let null = Value::Null;
        let before = revision.seen.live.as_ref().unwrap_or(&null);
        let after = if revision.content.action == domain::content::Action::Delete {
            &null
        } else {
            &revision.content.object
        };
        let yaml = |v: &Value| {
            if v.is_null() {
                String::new()
            } else {
                to_yaml(v)
            }
        };
        let key = DeploymentKey::new(
            &change.place.cluster_name,
            &change.place.namespace,
            &change.object.name,
        );
        let live_moved = match change.state {
            ChangeState::Waiting | ChangeState::Held => self.moved(&change, &revision),
            _ => vec![],
        };
        let roles = caller.roles_in(&change.place.scope);
        let of_revision: Vec<Decision> = decisions
            .iter()
            .filter(|d| d.revision == revision.id)
            .cloned()
            .collect();
        let cannot = may_decide(&change, &revision, &of_revision, caller.person, &roles, now).err();
        let since_my_approval = match ctx
            .store
            .last_approved_by(&key, &change.place.namespace_uid, caller.person)
            .await?
        {
            Some(r) if r.id != revision.id => {
                Some((r.content_hash.clone(), diff(&r.content.object, after)))
            }
            _ => None,
        };
        let undo_until = of_revision
            .iter()
            .rev()
            .find(|d| d.counts() && d.person == caller.person)
            .map(|d| d.effective_at)
            .filter(|t| {
                *t > now && matches!(change.state, ChangeState::Held | ChangeState::Waiting)
            });
        let next = self
            .queue(caller, None, 2)
            .await?
            .rows
            .into_iter()
            .map(|r| r.change.id)
            .find(|c| *c != id);
        Ok(ChangeView {
            differences: diff(before, after),
            difference_text: lines(&yaml(before), &yaml(after)),
            content_yaml: yaml(&revision.content.object),
            live_moved,
            since_my_approval,
            open: if change.state == ChangeState::Waiting {
                open_stage(&revision.stages, &of_revision)
            } else {
                None
            },
            cannot,
            open_by: presence
                .iter()
                .filter(|(p, _)| *p != caller.person)
                .map(|(p, _)| name(p))
                .collect(),
            undo_until,
            may_withdraw: change.requester == caller.person
                && change.state.may_become(ChangeState::Withdrawn),
            may_edit: change.requester == caller.person
                && matches!(change.state, ChangeState::Waiting | ChangeState::Held)
                && !matches!(change.kind, ChangeKind::Delete | ChangeKind::Stop)
                && ctx
                    .policy
                    .may(caller, Action::RequestChange, &change.place.scope),
            next,
            requester: name(&change.requester),
            author: name(&revision.author),
            decisions: decisions
                .into_iter()
                .map(|d| DecisionView {
                    by: name(&d.person),
                    revision_number: revisions
                        .iter()
                        .find(|r| r.id == d.revision)
                        .map_or(0, |r| r.number),
                    decision: d,
                })
                .collect(),
            items: ctx.store.items(id).await?,
            revisions: revisions
                .iter()
                .map(|r| {
                    (
                        r.number,
                        r.content_hash.clone(),
                        name(&r.author),
                        r.created_at,
                    )
                })
                .collect(),
            revision,
            change,
            now,
        })
    }

    /// Another text whenever the page of this change looks different to this person.
    pub async fn mark(&self, caller: &Caller, id: ChangeId) -> Result<String> {
        let change = self.visible(caller, id).await?;
        let now = self.0.clock.now();
        let mut open: Vec<PersonId> = self
            .0
            .store
            .presence(id, now)
            .await?
            .into_iter()
            .map(|(p, _)| p)
            .filter(|p| *p != caller.person)
            .collect();
        open.sort();
        let who = Digest::of(&domain::content::canonical(&open));
        Ok(format!(
            "{}.{}.{}",
            change.version,
            change.state.name(),
            who.short()
        ))
    }

    /// The same of the queue's first page, and of how much waits in all.
    pub async fn queue_mark(&self, caller: &Caller) -> Result<String> {
        let rows = self.queue(caller, None, QUEUE_PAGE).await?.rows;
        Ok(mark_of(&rows, self.queue_count(caller).await?))
    }

    /// "I have this page open."
    pub async fn seen_by(&self, caller: &Caller, id: ChangeId) -> Result<()> {
        let change = self.visible(caller, id).await?;
        if change.state.is_end() {
            return Ok(());
        }
        self.0
            .store
            .presence_put(id, caller.person, self.0.clock.now())
            .await
    }

    /// May the caller follow this change's news? (For live updates.)
    pub async fn may_view(&self, caller: &Caller, id: ChangeId) -> Result<()> {
        self.visible(caller, id).await.map(|_| ())
    }
}

pub(super) fn everywhere() -> Vec<(Vec<String>, Vec<String>)> {
    vec![(vec!["*".into()], vec!["*".into()])]
}
