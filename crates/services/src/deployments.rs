//! Deployments: what runs, in plain words, against what was approved.

mod closure;
mod history;

pub use closure::{ClosureDrift, Uncompared};
pub use history::{Back, Found, Gone, LastChange, Outside, Rollback};

use crate::{Caller, Ctx, authz::Action, facts, ports::*, prepare};
use domain::{
    Micros, Result,
    access::Scope,
    change::ChangeKind,
    content::Closure,
    diff::FieldChange,
    endpoints::{Endpoint, endpoints},
    ids::*,
    isvc::View,
    observed::{ClusterHealth, Live, Row},
    page::{Page, decode},
    place::DeploymentKey,
    state::{Code, Explanation, explain},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// A revision that was applied here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedRevision {
    pub revision: RevisionId,
    pub change: ChangeId,
    pub kind: ChangeKind,
    /// 1 is the first that was ever applied here.
    pub number: usize,
    pub hash: Digest,
    pub by: String,
    /// Whose approvals of it count; nobody's where it needed none.
    pub approved_by: Vec<String>,
    pub comment: String,
    pub applied_at: Option<Micros>,
    /// It is what is approved now.
    pub current: bool,
    /// Fields in which it differs from the one before it.
    pub differences: Vec<FieldChange>,
    /// From what is live to it; empty for a stop, which nobody approved.
    pub from_live: Vec<FieldChange>,
}

impl AppliedRevision {
    /// It was approved, and something else is live.
    pub fn can_be_gone_back_to(&self) -> bool {
        self.kind != ChangeKind::Stop && !self.from_live.is_empty()
    }
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
    /// What of it cannot be compared with what runs.
    pub uncompared: Vec<Uncompared>,
    pub usage: Option<domain::change::Use>,
    /// The newest, or those further back that were asked for.
    pub revisions: Vec<AppliedRevision>,
    /// Where the revisions before these begin.
    #[serde(skip)]
    pub older_revisions: Option<String>,
    /// Changes of this deployment that are not at their end.
    pub open_changes: Vec<ChangeRow>,
    /// Its newest changes, or those further back that were asked for, whatever became of them.
    pub history: Vec<ChangeRow>,
    /// Where the changes before these begin.
    #[serde(skip)]
    pub older_changes: Option<String>,
    /// The newest change that was applied.
    pub last: Option<LastChange>,
    /// Who made or edited it past the console.
    pub outside: Option<Outside>,
    /// The newest approved revision that is not live.
    pub rollback: Option<Rollback>,
    pub yaml: String,
    pub endpoints: Vec<Endpoint>,
    pub may_change: bool,
    pub may_stop: bool,
    pub now: Micros,
}

/// The list with what a reader must know about its completeness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentList {
    pub page: Page<DeploymentRow>,
    pub counts: BTreeMap<Code, usize>,
    pub clusters: Vec<ClusterHealth>,
    /// Business units of the places that the caller may see.
    pub units: Vec<String>,
    pub may_request: bool,
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
        let approved = ctx
            .store
            .approved_fingerprints(&self.with_namespaces(&page.rows))
            .await?;
        let page = page.map(|row| DeploymentRow {
            approval: match approved.get(&row.key) {
                None => Approval::Unapproved,
                Some(a) if row.is_as_approved(&a.fingerprint, a.stopped) => Approval::Approved,
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
            units: self.units(caller),
            may_request: ctx.policy.may_anywhere(caller, Action::RequestChange),
            now,
        })
    }

    /// To choose from: each unit once, in the order of their names.
    fn units(&self, caller: &Caller) -> Vec<String> {
        let ctx = &self.0;
        // Many namespaces are in one place.
        let places: BTreeSet<Scope> = ctx
            .clusters
            .names()
            .iter()
            .flat_map(|cluster| ctx.clusters.namespaces(cluster))
            .map(|n| n.scope)
            .collect();
        let mut units: Vec<String> = places
            .into_iter()
            .filter(|s| !s.unit.is_empty() && ctx.policy.may(caller, Action::ViewDeployment, s))
            .map(|s| s.unit)
            .collect();
        units.dedup();
        units
    }

    /// Each row's address with the UID that its namespace has now.
    fn with_namespaces(&self, rows: &[Row]) -> Vec<(DeploymentKey, String)> {
        let mut known: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for row in rows {
            known.entry(&row.key.cluster).or_insert_with(|| {
                let all = self.0.clusters.namespaces(&row.key.cluster);
                all.into_iter().map(|n| (n.name, n.uid)).collect()
            });
        }
        let uid = |key: &DeploymentKey| known.get(key.cluster.as_str())?.get(&key.namespace);
        rows.iter()
            .filter_map(|r| Some((r.key.clone(), uid(&r.key)?.clone())))
            .collect()
    }

    /// Errors: "not found" for what is not there and for what the caller may not see alike.
    pub async fn get(&self, caller: &Caller, key: &DeploymentKey) -> Result<DeploymentView> {
        self.view(caller, key, &Back::default()).await
    }

    async fn view(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
        back: &Back,
    ) -> Result<DeploymentView> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let live = self.visible(caller, key).await?;
        let uid = live.namespace_uid.as_str();
        let newest = self.history(caller, key, uid, None).await?;
        let baseline = ctx.store.approved(key, uid).await?;
        let marks = ctx
            .store
            .approved_fingerprints(&[(key.clone(), uid.to_owned())])
            .await?;
        let stopped = marks.get(key).is_some_and(|m| m.stopped);
        let view = View::new(&live.object);
        let drift: Vec<Drift> = baseline.as_ref().map_or_else(Vec::new, |(_, r, _)| {
            domain::content::drift(&r.content.object, &live.object, stopped)
                .into_iter()
                .map(|change| Drift {
                    by: view
                        .owners(&change.path)
                        .into_iter()
                        .map(|m| (m.name, m.time))
                        .collect(),
                    change,
                })
                .collect()
        });
        let approval = match (&baseline, drift.is_empty()) {
            (None, _) => Approval::Unapproved,
            (Some(_), true) => Approval::Approved,
            (Some(_), false) => Approval::Drifted,
        };
        let runtimes = ctx.clusters.runtimes(&key.cluster, &key.namespace);
        let closure_drift = baseline.as_ref().map_or_else(Vec::new, |(_, r, _)| {
            closure::drift(
                &r.content.closure,
                &prepare::closure(&live.object, &runtimes),
                &live,
            )
        });
        let current = baseline.as_ref().map(|(_, r, _)| r.id);
        let content = domain::content::clean(&live.object);
        let revisions = self
            .revisions(key, uid, current, Some(&content), None)
            .await?;
        let rollback = history::rollback(&revisions.rows);
        let open_changes = newest
            .rows
            .iter()
            .filter(|c| !c.change.state.is_end())
            .cloned()
            .collect();
        // The way back and what is on its way follow from the newest, whatever page is shown.
        let revisions = match &back.revisions {
            Some(after) => {
                self.revisions(key, uid, current, Some(&content), Some(after))
                    .await?
            }
            None => revisions,
        };
        let history = match &back.changes {
            Some(after) => self.history(caller, key, uid, Some(after)).await?,
            None => newest,
        };
        let last = self.last(key, uid).await?;
        let explanation = explain(&live, now);
        // What KServe says it used, else what it would choose.
        let serving = view
            .runtime_in_use()
            .and_then(|name| domain::runtime::find(&runtimes, &key.namespace, name))
            .or_else(|| domain::runtime::resolve(&live.object, &runtimes).runtime());
        let task = facts::version_of(ctx, &view)
            .await?
            .and_then(|(_, version)| version.facts.task);
        Ok(DeploymentView {
            row: domain::state::row(&live, now),
            explanation,
            approval,
            closure: baseline.as_ref().map(|(_, r, _)| r.content.closure.clone()),
            closure_drift,
            uncompared: baseline.as_ref().map_or_else(Vec::new, |(_, r, _)| {
                closure::uncompared(&r.content.closure)
            }),
            usage: baseline.as_ref().map(|(c, ..)| c.usage.clone()),
            rollback,
            revisions: revisions.rows,
            older_revisions: revisions.next,
            open_changes,
            last,
            outside: history::outside(&view, baseline.is_some(), &drift),
            drift,
            history: history.rows,
            older_changes: history.next,
            yaml: domain::yaml::to_yaml(&shown(&live.object)),
            endpoints: endpoints(&view, serving, task.as_deref()),
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
        if self.0.clusters.live(key, self.0.clock.now()).is_some() {
            self.visible(caller, key).await.map(|_| ())
        } else {
            self.remembered(caller, key).await.map(|_| ())
        }
    }

    /// May the caller see this row? For streams of news over all deployments; what has just gone is
    /// judged by its namespace.
    pub fn sees(&self, caller: &Caller, key: &DeploymentKey) -> bool {
        let ctx = &self.0;
        let scope = match ctx.clusters.live(key, ctx.clock.now()) {
            Some(live) => Some(live.scope),
            None => ctx
                .clusters
                .namespaces(&key.cluster)
                .into_iter()
                .find(|n| n.name == key.namespace)
                .map(|n| n.scope),
        };
        scope.is_some_and(|s| ctx.policy.may(caller, Action::ViewDeployment, &s))
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
