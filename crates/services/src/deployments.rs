//! Deployments: what runs, in plain words, against what was approved.

use crate::{Caller, Ctx, authz::Action, ports::*, prepare};
use domain::{
    Micros, Result,
    change::{Change, ChangeKind, ItemState},
    content::{Closure, differs_from_approved},
    diff::{FieldChange, diff},
    ids::*,
    isvc::View,
    observed::{ClusterHealth, Live, Row},
    page::{Page, decode},
    place::DeploymentKey,
    state::{Code, Explanation, explain},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Deployments(pub(crate) Ctx);

/// Is what runs what was approved?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// The live content is what was approved.
    Approved,
    /// Something was approved, and something else runs.
    Drifted,
    /// Nobody approved it.
    Unapproved,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRow {
    #[serde(flatten)]
    pub row: Row,
    /// By the fingerprint of what is live against that of what is approved; the deployment's page names the fields.
    pub approval: Approval,
}

/// A field that runs otherwise than approved, and who set it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    pub change: FieldChange,
    /// (field manager, when)
    pub by: Vec<(String, Option<Micros>)>,
}

/// A member of the closure that is another one now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureDrift {
    pub what: String,
    pub approved: String,
    pub now: String,
}

/// A revision that was applied here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedRevision {
    pub revision: RevisionId,
    pub change: ChangeId,
    pub kind: ChangeKind,
    pub number: i32,
    pub hash: Digest,
    pub by: String,
    pub comment: String,
    pub applied_at: Option<Micros>,
    /// It is what is approved now.
    pub current: bool,
    /// Fields in which it differs from the one before it.
    pub differences: Vec<FieldChange>,
}

/// Everything that the page of a deployment shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentView {
    pub live: Live,
    pub explanation: Explanation,
    pub row: Row,
    pub approval: Approval,
    pub drift: Vec<Drift>,
    pub closure: Option<Closure>,
    pub closure_drift: Vec<ClosureDrift>,
    pub usage: Option<domain::change::Use>,
    pub revisions: Vec<AppliedRevision>,
    /// Changes of this deployment that are not at their end.
    pub open_changes: Vec<ChangeRow>,
    /// Its newest changes, whatever became of them.
    pub history: Vec<ChangeRow>,
    /// The newest change, whatever became of it.
    pub last_change: Option<ChangeRow>,
    pub yaml: String,
    pub endpoints: Vec<Endpoint>,
    pub may_change: bool,
    pub may_stop: bool,
    pub now: Micros,
}

/// Where applications reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub what: String,
    pub url: String,
}

/// The list with what a reader must know about its completeness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentList {
    pub page: Page<DeploymentRow>,
    pub counts: BTreeMap<Code, usize>,
    pub clusters: Vec<ClusterHealth>,
    pub now: Micros,
}

impl Deployments {
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &RowFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<DeploymentList> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let filter = RowFilter {
            scopes: ctx.policy.scopes(caller, Action::ViewDeployment),
            ..filter.clone()
        };
        let after: Option<DeploymentKey> = after.map(decode).transpose()?;
        let limit = limit.clamp(1, domain::page::MAX_LIMIT);
        let rows = ctx.clusters.rows(&filter, after.as_ref(), limit + 1, now);
        let page = Page::cut(rows, limit, |r| r.key.clone());
        let keys: Vec<DeploymentKey> = page.rows.iter().map(|r| r.key.clone()).collect();
        let approved = ctx.store.approved_fingerprints(&keys).await?;
        let page = page.map(|row| DeploymentRow {
            approval: match approved.get(&row.key) {
                None => Approval::Unapproved,
                Some(a) if *a == row.fingerprint => Approval::Approved,
                Some(_) => Approval::Drifted,
            },
            row,
        });
        let unfiltered = RowFilter {
            scopes: filter.scopes.clone(),
            ..Default::default()
        };
        Ok(DeploymentList {
            page,
            counts: ctx.clusters.counts(&unfiltered, now),
            clusters: ctx.clusters.health(now),
            now,
        })
    }

    /// Errors: "not found" for what is not there and for what the caller may not see alike.
    pub async fn get(&self, caller: &Caller, key: &DeploymentKey) -> Result<DeploymentView> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let live = self.visible(caller, key).await?;
        let applied = ctx.store.applied_revisions(key, None, 20).await?.rows;
        let history = ChangeFilter {
            deployment: Some(key.clone()),
            scopes: vec![(vec!["*".into()], vec!["*".into()])],
            ..Default::default()
        };
        let changes = ctx.store.change_list(&history, None, 20).await?.rows;
        // A stop carries whatever ran along; what was approved before it is what counts.
        let baseline = applied
            .iter()
            .find(|(c, ..)| c.kind != ChangeKind::Stop && c.kind != ChangeKind::Delete);
        let stopped_by_change = applied
            .first()
            .is_some_and(|(c, ..)| c.kind == ChangeKind::Stop);
        let view = View::new(&live.object);
        let drift =
            baseline.map_or_else(Vec::new, |(_, r, _)| {
                let mut approved = r.content.object.clone();
                if stopped_by_change {
                    approved["metadata"]["annotations"]["serving.kserve.io/stop"] =
                        serde_json::json!("true");
                }
                let paths = differs_from_approved(&approved, &live.object);
                let all = diff(&approved, &domain::content::clean(&live.object));
                paths
                    .into_iter()
                    .map(|path| Drift {
                        by: view
                            .owners(&path)
                            .into_iter()
                            .map(|m| (m.name, m.time))
                            .collect(),
                        change: all.iter().find(|c| c.path == path).cloned().unwrap_or(
                            FieldChange {
                                path,
                                before: None,
                                after: None,
                            },
                        ),
                    })
                    .collect()
            });
        let approval = match (baseline, drift.is_empty()) {
            (None, _) => Approval::Unapproved,
            (Some(_), true) => Approval::Approved,
            (Some(_), false) => Approval::Drifted,
        };
        let runtimes = ctx.clusters.runtimes(&key.cluster, &key.namespace);
        let closure_drift = baseline.map_or_else(Vec::new, |(_, r, _)| {
            closure_drift(
                &r.content.closure,
                &prepare::closure(&live.object, &runtimes),
                &live,
            )
        });
        let people: Vec<PersonId> = applied.iter().map(|(_, r, _)| r.author).collect();
        let names = ctx.store.person_names(&people).await?;
        let revisions = applied
            .iter()
            .enumerate()
            .map(|(i, (c, r, item))| AppliedRevision {
                revision: r.id,
                change: c.id,
                kind: c.kind,
                number: r.number,
                hash: r.content_hash.clone(),
                by: names.get(&r.author).cloned().unwrap_or_default(),
                comment: r.comment.clone(),
                applied_at: item.applied_at,
                current: baseline.is_some_and(|(_, b, _)| b.id == r.id),
                differences: applied.get(i + 1).map_or_else(Vec::new, |(_, before, _)| {
                    diff(&before.content.object, &r.content.object)
                }),
            })
            .collect();
        let explanation = explain(&live, now);
        Ok(DeploymentView {
            row: domain::state::row(&live, now),
            explanation,
            approval,
            drift,
            closure: baseline.map(|(_, r, _)| r.content.closure.clone()),
            closure_drift,
            usage: baseline.map(|(c, ..)| c.usage.clone()),
            revisions,
            open_changes: changes
                .iter()
                .filter(|c| !c.change.state.is_end())
                .cloned()
                .collect(),
            last_change: changes.first().cloned(),
            history: changes,
            yaml: domain::yaml::to_yaml(&shown(&live.object)),
            endpoints: endpoints(&view),
            may_change: ctx.policy.may(caller, Action::RequestChange, &live.scope),
            may_stop: ctx.policy.may(caller, Action::StopDeployment, &live.scope),
            live,
            now,
        })
    }

    async fn visible(&self, caller: &Caller, key: &DeploymentKey) -> Result<Live> {
        let ctx = &self.0;
        let live = ctx
            .clusters
            .live(key, ctx.clock.now())
            .ok_or_else(crate::context::unseen)?;
        ctx.require(
            caller,
            Action::ViewDeployment,
            &live.scope,
            &format!("deployment:{key}"),
        )
        .await?;
        Ok(live)
    }

    /// May the caller follow its news? (For live updates.)
    pub async fn may_view(&self, caller: &Caller, key: &DeploymentKey) -> Result<()> {
        self.visible(caller, key).await.map(|_| ())
    }

    /// May the caller see this row? For streams of news over all deployments.
    pub fn sees(&self, caller: &Caller, key: &DeploymentKey) -> bool {
        let ctx = &self.0;
        ctx.clusters
            .live(key, ctx.clock.now())
            .is_some_and(|l| ctx.policy.may(caller, Action::ViewDeployment, &l.scope))
    }

    /// Who changed it last and what: the newest change that was applied.
    pub async fn last_applied(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
    ) -> Result<Option<Change>> {
        self.visible(caller, key).await?;
        Ok(self
            .0
            .store
            .approved(key)
            .await?
            .filter(|(.., i)| i.state == ItemState::Applied)
            .map(|(c, ..)| c))
    }

    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<LiveEvent> {
        self.0.clusters.subscribe()
    }

    pub fn cursor(&self) -> u64 {
        self.0.clusters.cursor()
    }
}

/// The object without the managed fields, which nobody reads.
fn shown(object: &serde_json::Value) -> serde_json::Value {
    let mut o = object.clone();
    if let Some(m) = o.get_mut("metadata").and_then(|m| m.as_object_mut()) {
        m.remove("managedFields");
    }
    o
}

fn closure_drift(approved: &Closure, now: &Closure, live: &Live) -> Vec<ClosureDrift> {
    let mut out = Vec::new();
    if approved.runtimes != now.runtimes {
        let show = |all: &[domain::content::Pinned]| {
            if all.is_empty() {
                return "none".into();
            }
            let one = |p: &domain::content::Pinned| {
                format!(
                    "{} {}",
                    p.reference,
                    p.digest.as_ref().map_or("", |d| d.short())
                )
            };
            all.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        out.push(ClosureDrift {
            what: "serving runtime".into(),
            approved: show(&approved.runtimes),
            now: show(&now.runtimes),
        });
    }
    // What the pods really run, where the approval pinned it.
    for image in approved.images.iter().filter(|i| i.digest.is_some()) {
        let digest = image
            .digest
            .as_ref()
            .map(Digest::as_str)
            .unwrap_or_default();
        let name = image.reference.split('@').next().unwrap_or_default();
        for c in live.pods.iter().flat_map(|p| &p.containers) {
            if c.image.starts_with(name)
                && !c.image_id.is_empty()
                && c.image_id.contains("sha256:")
                && !c.image_id.contains(digest)
            {
                out.push(ClosureDrift {
                    what: format!("image of container {}", c.name),
                    approved: image.reference.clone(),
                    now: c.image_id.clone(),
                });
            }
        }
    }
    out.dedup();
    out
}

/// The service's address, and the operations that its kind of server answers.
fn endpoints(view: &View<'_>) -> Vec<Endpoint> {
    let Some(url) = view.url() else { return vec![] };
    let mut out = vec![Endpoint {
        what: "Address".into(),
        url: url.into(),
    }];
    let format = view.format().map(|f| f.name).unwrap_or_default();
    if matches!(format.as_str(), "vLLM" | "huggingface") {
        out.push(Endpoint {
            what: "OpenAI-compatible chat".into(),
            url: format!("{url}/v1/chat/completions"),
        });
    } else if !format.is_empty() {
        out.push(Endpoint {
            what: "Open Inference Protocol".into(),
            url: format!("{url}/v2/models/{}/infer", view.name()),
        });
    }
    out
}
