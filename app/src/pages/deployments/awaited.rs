//! A deployment that somebody asked for and that is not there yet.

use crate::{components::*, pages::approvals::rows as change_rows};
use domain::place::DeploymentKey;
use leptos::prelude::*;
use services::ports::ChangeRow;

pub fn page(key: &DeploymentKey, asked: Vec<ChangeRow>, cursor: String) -> AnyView {
    let changes = table(
        "Changes",
        &["Change", "Where", "Requester", "Purpose", "State", "Asked"],
        vec![change_rows(asked, true).into_any()],
    );
    // The region is named otherwise than on the page of one that is there: when it comes, that is loaded.
    view! {
        <PageHeader title=key.name.clone() crumbs=vec![Crumb::new("Deployments", "/deployments")]
            subtitle=format!("{} / {}", key.cluster, key.namespace).into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <div class="gh-standing" data-live=format!("awaited:{key}")>
                <p><Label tone=Tone::Info text="Not there yet" />" "<strong>"This deployment was asked for and is not in the cluster yet"</strong></p>
                <p>"It appears here once its change is approved and applied."</p>
            </div>
            {card("Changes, newest first", changes)}
        </section>
        <Live topic="deployments" cursor=cursor />
    }
    .into_any()
}
