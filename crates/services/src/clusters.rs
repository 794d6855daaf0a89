//! Clusters: are they there, what are they, and what may the console do in them.

use crate::{Caller, Ctx, authz::Action, ports::*};
use domain::{
    Error, Micros, Result,
    capacity::{GpuProduct, gpus_by_product},
    observed::{ClusterFacts, ClusterHealth, Namespace, Node, Runtime},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct ClusterPages(pub(crate) Ctx);

/// A line of the list of clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRow {
    pub health: ClusterHealth,
    pub facts: Option<ClusterFacts>,
    pub nodes: usize,
    pub gpus: Vec<GpuProduct>,
}

/// Everything about one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub row: ClusterRow,
    pub namespaces: Vec<Namespace>,
    pub nodes: Vec<Node>,
    pub runtimes: Vec<Runtime>,
    pub permissions: Permissions,
    pub now: Micros,
}

impl ClusterPages {
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ClusterRow>> {
        self.0
            .require_anywhere(caller, Action::ViewClusters, "clusters")
            .await?;
        Ok(self
            .0
            .clusters
            .health(self.0.clock.now())
            .into_iter()
            .map(|h| self.row(h))
            .collect())
    }

    fn row(&self, health: ClusterHealth) -> ClusterRow {
        let nodes = self.0.clusters.nodes(&health.name);
        ClusterRow {
            facts: self.0.clusters.facts(&health.name).map(|f| (*f).clone()),
            nodes: nodes.len(),
            gpus: gpus_by_product(&nodes),
            health,
        }
    }

    pub async fn get(&self, caller: &Caller, name: &str) -> Result<ClusterView> {
        self.0
            .require_anywhere(caller, Action::ViewClusters, &format!("cluster:{name}"))
            .await?;
        let ctx = &self.0;
        let now = ctx.clock.now();
        let health = ctx
            .clusters
            .health(now)
            .into_iter()
            .find(|h| h.name == name)
            .ok_or_else(|| Error::not_found("there is no such cluster"))?;
        // Asking takes calls to the cluster: only where it answers, and with the port's own time limit.
        let permissions = if health.reachable {
            ctx.clusters.permissions(name).await
        } else {
            Permissions::default()
        };
        Ok(ClusterView {
            namespaces: ctx
                .clusters
                .namespaces(name)
                .into_iter()
                .filter(|n| ctx.policy.may(caller, Action::ViewDeployment, &n.scope))
                .collect(),
            nodes: ctx.clusters.nodes(name),
            runtimes: ctx.clusters.runtimes(name, ""),
            row: self.row(health),
            permissions,
            now,
        })
    }
}
