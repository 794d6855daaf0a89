//! Deployments: the list over all clusters, one deployment, and what can be asked of it.

mod ask;
mod awaited;
mod calls;
mod detail;
mod gone;
mod list;
mod standing;

pub use ask::AskPage;
pub use detail::DeploymentPage;
pub use list::{DeploymentsPage, deployment_rows};

use crate::components::*;
use domain::{Micros, place::DeploymentKey};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::deployments::Approval;

/// The deployment that this page's address names.
pub fn key_of_address() -> DeploymentKey {
    let p = use_params_map().get_untracked();
    let part = |name: &str| p.get(name).unwrap_or_default();
    DeploymentKey::new(part("cluster"), part("namespace"), part("name"))
}

/// Everything about it in the audit log.
pub fn story(key: &DeploymentKey) -> AnyView {
    let object = crate::query::percent(&format!("deployment:{key}"));
    view! { <p><a href=format!("/audit?object={object}")>"The story of this deployment in the audit log"</a></p> }.into_any()
}

/// Is what runs what was approved?
pub fn approval_label(a: Approval) -> AnyView {
    let (tone, text) = match a {
        Approval::Approved => (Tone::Good, "approved"),
        Approval::Drifted => (Tone::Warn, "drifted"),
        Approval::Unapproved => (Tone::Bad, "nobody approved it"),
    };
    view! { <Label tone=tone text=text /> }.into_any()
}

/// How old what we show is; a cluster that is away says so.
pub fn age(as_of: Micros, stale: bool) -> AnyView {
    if stale {
        view! { <Label tone=Tone::Warn text="stale" />" "<When at=as_of /> }.into_any()
    } else {
        view! { <span class="gh-muted"><When at=as_of /></span> }.into_any()
    }
}
