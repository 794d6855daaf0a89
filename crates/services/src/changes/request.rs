//! Asking for a change: prepare, compare with what was shown, store it with its first revision.

use super::Changes;
use crate::{
    Caller,
    context::Recording,
    ports::*,
    prepare::{self, Prepared},
};
use domain::{
    Error, FieldError, Result, access::stages_for, change::*, content::SERVING_PREFIXES, ids::*,
    place::DeploymentKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Limits of what people type, in characters.
pub const MAX_PURPOSE: usize = 500;
pub const MAX_OWNER: usize = 200;
pub const MAX_COMMENT: usize = 2000;

const STOP: &str = "serving.kserve.io/stop";

/// What is asked of a deployment that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Ask {
    Scale { min: i64, max: i64 },
    Rollback { revision: RevisionId },
    Stop,
    Start,
    Delete,
}

impl Ask {
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Scale { .. } => ChangeKind::Scale,
            Self::Rollback { .. } => ChangeKind::Rollback,
            Self::Stop => ChangeKind::Stop,
            Self::Start => ChangeKind::Start,
            Self::Delete => ChangeKind::Delete,
        }
    }
}

/// A manifest on its way to become a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    pub kind: ChangeKind,
    pub cluster: String,
    pub namespace: String,
    pub manifest: Value,
    /// The text as written; the canonical YAML where there is none.
    pub manifest_yaml: String,
    pub usage: Use,
    pub comment: String,
    /// The content hash that the person was shown; another one is refused.
    pub expected: Option<Digest>,
    /// A waiting change that this becomes a new revision of.
    pub revises: Option<ChangeId>,
    /// The draft that it was made from, which goes with it.
    pub draft: Option<DraftUsed>,
}

impl Changes {
    /// What an [`Ask`] would do: the manifest and everything known of it, nothing stored.
    pub async fn preview(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
        ask: &Ask,
    ) -> Result<Prepared> {
        let manifest = self.manifest_for(caller, key, ask).await?;
        prepare::prepare(
            &self.0,
            caller,
            &key.cluster,
            &key.namespace,
            ask.kind(),
            &manifest,
        )
        .await
    }

    /// Asks for it. `expected`: the hash that the page showed, where it showed one.
    pub async fn ask(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
        ask: &Ask,
        comment: &str,
        expected: Option<Digest>,
    ) -> Result<ChangeId> {
        let caller = &self.0.up_to_date(caller).await?;
        let manifest = self.manifest_for(caller, key, ask).await?;
        let place = prepare::place(&self.0, caller, &key.cluster, &key.namespace).await?;
        let usage = self
            .0
            .store
            .approved(key, &place.namespace_uid)
            .await?
            .map(|(c, ..)| c.usage)
            .unwrap_or_else(|| Use {
                purpose: format!("{} of what runs already", ask.kind().name()),
                owner: caller.name.clone(),
                ..Default::default()
            });
        self.submit(
            caller,
            Submission {
                kind: ask.kind(),
                cluster: key.cluster.clone(),
                namespace: key.namespace.clone(),
                manifest_yaml: domain::yaml::to_yaml(&manifest),
                manifest,
                usage,
                comment: comment.into(),
                expected,
                revises: None,
                draft: None,
            },
        )
        .await
    }

    async fn manifest_for(&self, caller: &Caller, key: &DeploymentKey, ask: &Ask) -> Result<Value> {
        let ctx = &self.0;
        let place = prepare::place(ctx, caller, &key.cluster, &key.namespace).await?;
        ctx.require(
            caller,
            prepare::right_for(ask.kind()),
            &place.scope,
            &format!("deployment:{key}"),
        )
        .await?;
        let live = ctx.clusters.live(key, ctx.clock.now()).ok_or_else(|| {
            Error::not_found(format!(
                "there is no deployment “{}” in {} on {}",
                key.name, key.namespace, key.cluster
            ))
        })?;
        let mut manifest = domain::content::clean(&live.object);
        match ask {
            Ask::Delete => {}
            Ask::Stop => set_annotation(&mut manifest, STOP, Some("true")),
            Ask::Start => set_annotation(&mut manifest, STOP, None),
            Ask::Scale { min, max } => {
                let mut fields = Vec::new();
                if !(0..=1000).contains(min) {
                    fields.push(FieldError {
                        field: "min".into(),
                        message: "The smallest number of replicas is 0 to 1000.".into(),
                    });
                }
                if !(1..=1000).contains(max) || max < min {
                    fields.push(FieldError { field: "max".into(), message: "The largest number of replicas is 1 to 1000 and not below the smallest.".into() });
                }
                if !fields.is_empty() {
                    let mut e = Error::invalid("these numbers of replicas cannot be used");
                    e.fields = fields;
                    return Err(e);
                }
                manifest["spec"]["predictor"]["minReplicas"] = json!(min);
                manifest["spec"]["predictor"]["maxReplicas"] = json!(max);
            }
            Ask::Rollback { revision } => {
                let revision = ctx.store.revision_get(*revision).await?.filter(|r| {
                    r.content.namespace == key.namespace
                        && r.content.cluster == place.cluster
                        && r.content.object_ref().name == key.name
                        && r.content.namespace_uid == place.namespace_uid
                });
                let revision = revision
                    .ok_or_else(|| Error::not_found("this deployment has no such revision"))?;
                // A stop needs no approval: what ran along with it may be anything.
                let change = ctx.store.change_get(revision.change).await?;
                if change.is_none_or(|c| c.kind == ChangeKind::Stop) {
                    return Err(Error::invalid(
                        "this revision stopped the deployment, and nobody approved what ran then",
                    )
                    .remedy("Choose another revision, or start the deployment."));
                }
                if !ctx
                    .store
                    .items(revision.change)
                    .await?
                    .iter()
                    .any(|i| i.revision == revision.id && i.state == ItemState::Applied)
                {
                    return Err(Error::invalid(
                        "this revision was never applied, so there is nothing to roll back to",
                    ));
                }
                manifest = revision.content.object;
            }
        }
        Ok(manifest)
    }

    /// Stores a change (or a new revision of one that waits). What needs no approval is queued at once.
    pub async fn submit(&self, caller: &Caller, s: Submission) -> Result<ChangeId> {
        let ctx = &self.0;
        check_words(&s)?;
        let caller = &ctx.up_to_date(caller).await?;
        let prepared =
            prepare::prepare(ctx, caller, &s.cluster, &s.namespace, s.kind, &s.manifest).await?;
        let Some(content) = prepared.content.clone().filter(|_| prepared.submittable()) else {
            return Err(not_submittable(&prepared));
        };
        let hash = content.hash();
        if s.expected.as_ref().is_some_and(|e| *e != hash) {
            return Err(Error::conflict(
                "what the cluster would store has changed since this page was shown",
            )
            .remedy("Look at the difference again and submit that."));
        }
        let now = ctx.clock.now();
        let stages = if s.kind.needs_approval() {
            stages_for(&ctx.settings.approvals, &prepared.place.scope)
        } else {
            vec![]
        };
        let previous = match s.revises {
            Some(id) => Some(self.revisable(caller, id, &content).await?),
            None => None,
        };
        let change_id = previous
            .as_ref()
            .map_or_else(|| ChangeId(ctx.entropy.uuid()), |(c, _)| c.id);
        let revision = Revision {
            id: RevisionId(ctx.entropy.uuid()),
            change: change_id,
            number: previous.as_ref().map_or(1, |(_, n)| n + 1),
            content_hash: hash.clone(),
            manifest_yaml: s.manifest_yaml,
            comment: s.comment.trim().into(),
            author: caller.person,
            author_account: caller.account,
            created_at: now,
            seen: prepared.seen.clone(),
            stages: stages.clone(),
            policy_version: ctx.policy_version(),
            content,
        };
        let at_once = stages.iter().all(|s| s.count == 0);
        let object = revision.content.object_ref();
        let item = Item {
            id: ItemId(ctx.entropy.uuid()),
            change: change_id,
            revision: revision.id,
            cluster: prepared.place.cluster.clone(),
            object: object.clone(),
            state: ItemState::Queued,
            message: None,
            applied_uid: None,
            applied_generation: None,
            applied_at: None,
            attempts: 0,
        };
        let record = |action: &str| {
            ctx.event(Some(caller), action, format!("deployment:{}/{}/{}", s.cluster, s.namespace, object.name))
                .place(&prepared.place.scope)
                .of_change(change_id)
                .because(revision.comment.clone())
                .with(json!({
                    "kind": s.kind.name(), "revision": revision.number, "content_hash": hash.as_str(),
                    "purpose": s.usage.purpose, "owner": s.usage.owner,
                    "differences": domain::diff::diff(prepared.seen.live.as_ref().unwrap_or(&Value::Null), &revision.content.object).len(),
                }))
        };
        let state = if at_once {
            ChangeState::Queued
        } else {
            ChangeState::Waiting
        };
        let jobs = |change: &Change| -> Vec<NewJob> {
            match change.state {
                ChangeState::Queued => vec![self.job(change, &revision, &item)],
                _ => vec![],
            }
        };
        match previous {
            Some((old, _)) => {
                let change = Change {
                    state,
                    usage: s.usage.clone(),
                    current_revision: revision.id,
                    expires_at: now.plus(ctx.settings.expire),
                    ..old.clone()
                };
                ctx.store
                    .change_revise(
                        old.version,
                        &change,
                        &revision,
                        std::slice::from_ref(&item),
                        &jobs(&change),
                        s.draft,
                        &[record("change.revise")],
                    )
                    .await?;
            }
            None => {
                let change = Change {
                    id: change_id,
                    kind: s.kind,
                    state,
                    place: prepared.place.clone(),
                    object: object.clone(),
                    usage: s.usage.clone(),
                    requester: caller.person,
                    requester_account: caller.account,
                    created_at: now,
                    expires_at: now.plus(ctx.settings.expire),
                    current_revision: revision.id,
                    version: 1,
                    end_reason: None,
                    ended_at: None,
                };
                ctx.store
                    .change_create(
                        &change,
                        &revision,
                        std::slice::from_ref(&item),
                        &jobs(&change),
                        s.draft,
                        &[record("change.submit")],
                    )
                    .await?;
            }
        }
        Ok(change_id)
    }

    pub(super) fn job(&self, change: &Change, revision: &Revision, item: &Item) -> NewJob {
        NewJob {
            id: JobId(self.0.entropy.uuid()),
            kind: JobKind::Apply,
            key: format!("{}/{}", revision.id, item.id),
            run_at: self.0.clock.now(),
            cluster: change.place.cluster_name.clone(),
            object: format!("{}/{}", change.place.namespace, item.object.name),
            urgent: change.kind == ChangeKind::Stop,
        }
    }

    /// The change that a new revision may be made of, and the number of its newest one.
    async fn revisable(
        &self,
        caller: &Caller,
        id: ChangeId,
        content: &domain::content::Content,
    ) -> Result<(Change, i32)> {
        let change = self.visible(caller, id).await?;
        // It is applied with the requester's rights in the cluster: nobody else's content is.
        if change.requester != caller.person {
            return Err(not_yours());
        }
        if !matches!(change.state, ChangeState::Waiting | ChangeState::Held) {
            return Err(Error::conflict(format!(
                "this change is {}; it can no longer be edited",
                change.state.name()
            ))
            .remedy("Open the deployment and ask for a new change."));
        }
        if change.place.cluster != content.cluster
            || change.place.namespace_uid != content.namespace_uid
            || change.object != content.object_ref()
        {
            return Err(Error::invalid(
                "a new revision has to stay with the same cluster, namespace and name",
            )
            .remedy("Withdraw this change and submit the draft as a new one."));
        }
        let number = self
            .0
            .store
            .revisions(id)
            .await?
            .iter()
            .map(|r| r.number)
            .max()
            .unwrap_or(0);
        Ok((change, number))
    }
}

/// Why somebody else's change cannot be edited.
pub(crate) fn not_yours() -> Error {
    Error::forbidden("only the person who asked for a change can edit it")
        .remedy("Open the deployment, or start a new one, and make a change of your own.")
}

fn set_annotation(manifest: &mut Value, key: &str, value: Option<&str>) {
    debug_assert!(SERVING_PREFIXES.iter().any(|p| key.starts_with(p)));
    let meta = &mut manifest["metadata"];
    match value {
        Some(v) => meta["annotations"][key] = json!(v),
        None => {
            if let Some(a) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                a.remove(key);
            }
        }
    }
}

fn check_words(s: &Submission) -> Result<()> {
    let mut fields = Vec::new();
    let mut text = |field: &str, value: &str, max: usize, required: bool| {
        let n = value.trim().chars().count();
        if required && n == 0 {
            fields.push(FieldError {
                field: field.into(),
                message: "This has to be filled in: who decides needs to know it.".into(),
            });
        } else if n > max {
            fields.push(FieldError {
                field: field.into(),
                message: format!("At most {max} characters; these are {n}."),
            });
        }
    };
    text("purpose", &s.usage.purpose, MAX_PURPOSE, true);
    text("owner", &s.usage.owner, MAX_OWNER, true);
    text("comment", &s.comment, MAX_COMMENT, false);
    if fields.is_empty() {
        return Ok(());
    }
    let mut e = Error::invalid("the change cannot be submitted like this");
    e.fields = fields;
    Err(e)
}

fn not_submittable(p: &Prepared) -> Error {
    let fields = p
        .seen
        .findings
        .iter()
        .filter(|f| f.severity == domain::finding::Severity::Error)
        .map(|f| FieldError {
            field: f.field.clone(),
            message: format!("{} {}", f.message, f.remedy).trim().into(),
        })
        .collect();
    let mut e = match &p.refusal {
        Some(r) => Error::invalid(r.clone()),
        None => Error::invalid("the cluster would take this and then not do it"),
    };
    e.fields = fields;
    e
}
