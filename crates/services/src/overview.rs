//! The landing page: what waits for this person, and what is unhealthy in what they may see.

use crate::{
    Caller, Ctx,
    authz::Action,
    changes::Changes,
    deployments::{DeploymentRow, Deployments},
    ports::*,
};
use domain::{Micros, Result, observed::ClusterHealth, page::Page, state::Code};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Overview(pub(crate) Ctx);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverviewView {
    /// Oldest first.
    pub waiting: Page<ChangeRow>,
    pub waiting_count: usize,
    /// The caller's own requests that are not at their end, and those that failed lately.
    pub mine: Vec<ChangeRow>,
    pub drafts: Vec<Draft>,
    pub unhealthy: Vec<DeploymentRow>,
    pub counts: BTreeMap<Code, usize>,
    pub clusters: Vec<ClusterHealth>,
    pub may_request: bool,
    pub may_decide: bool,
    pub now: Micros,
}

impl Overview {
    pub async fn get(&self, caller: &Caller) -> Result<OverviewView> {
        let ctx = &self.0;
        let changes = Changes(ctx.clone());
        let list = Deployments(ctx.clone())
            .list(
                caller,
                &RowFilter {
                    unhealthy: true,
                    ..Default::default()
                },
                None,
                20,
            )
            .await?;
        let now = ctx.clock.now();
        let mine = changes.mine(caller, None, 20).await?.rows;
        let recent = |t: Option<Micros>| t.is_some_and(|t| now.since(t) < Micros::DAY);
        Ok(OverviewView {
            waiting: changes.queue(caller, None, 10).await?,
            waiting_count: changes.queue_count(caller).await?,
            mine: mine
                .into_iter()
                .filter(|r| {
                    !r.change.state.is_end()
                        || (r.change.state == domain::change::ChangeState::Failed
                            && recent(r.change.ended_at))
                })
                .collect(),
            drafts: ctx.store.draft_list(caller.person, None, 5).await?.rows,
            unhealthy: list.page.rows,
            counts: list.counts,
            clusters: list.clusters,
            may_request: ctx.policy.may_anywhere(caller, Action::RequestChange),
            may_decide: changes.decides(caller),
            now,
        })
    }
}
