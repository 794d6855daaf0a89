//! The use cases: one file an area. Each call takes a [`Caller`], decides whether they may, writes
//! the audit record and then acts. Knows the outside only by its ports.

pub mod apply;
pub mod audit;
pub mod authz;
mod caller;
pub mod catalog;
pub mod changes;
pub mod checkpoints;
pub mod clusters;
mod context;
pub mod deployments;
pub mod evidence;
mod facts;
pub mod markdown;
mod moved;
pub mod overview;
pub mod people;
pub mod ports;
pub mod prepare;
mod references;
pub mod registries;
pub mod secrets;
mod sizing;
pub mod vault;
pub mod wizard;

pub use caller::{Caller, GroupGrant, grants_of};
pub use context::{Ctx, Settings};

/// All areas over one context; cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub people: people::People,
    pub catalog: catalog::Catalog,
    pub registries: registries::Registries,
    pub wizard: wizard::Wizard,
    pub changes: changes::Changes,
    pub apply: apply::Apply,
    pub deployments: deployments::Deployments,
    pub clusters: clusters::ClusterPages,
    pub audit: audit::AuditLog,
    pub checkpoints: checkpoints::Checkpoints,
    pub overview: overview::Overview,
    pub ctx: Ctx,
}

impl Services {
    pub fn new(ctx: Ctx) -> Self {
        Self {
            people: people::People(ctx.clone()),
            catalog: catalog::Catalog(ctx.clone()),
            registries: registries::Registries(ctx.clone()),
            wizard: wizard::Wizard(ctx.clone()),
            changes: changes::Changes(ctx.clone()),
            apply: apply::Apply::new(ctx.clone()),
            deployments: deployments::Deployments(ctx.clone()),
            clusters: clusters::ClusterPages(ctx.clone()),
            audit: audit::AuditLog(ctx.clone()),
            checkpoints: checkpoints::Checkpoints(ctx.clone()),
            overview: overview::Overview(ctx.clone()),
            ctx,
        }
    }
}
