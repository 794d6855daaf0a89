//! The list of registries.

use super::{rules, source, sync_now, sync_state};
use crate::{components::*, load::load};
use leptos::prelude::*;
use services::{ports::RegistryRow, registries::RegistryRights};

#[component]
pub fn RegistriesPage() -> impl IntoView {
    load(
        |s, c| async move {
            let cursor = s.registries.mark(&c).await?;
            let rows = s.registries.list(&c).await?;
            Ok((rows, s.registries.rights(&c), cursor))
        },
        |(rows, rights, cursor)| page(&rows, rights, cursor),
    )
}

fn page(rows: &[RegistryRow], rights: RegistryRights, cursor: String) -> AnyView {
    let actions = rights.manage.then(|| view! { <a class="pf-v6-c-button pf-m-primary" href="/registries/new">"Add a registry"</a> });
    let content = if rows.is_empty() {
        let way = if rights.manage {
            view! { <p>"Add one here, or name it in the configuration file."</p> }.into_any()
        } else {
            view! { <p>"A platform engineer can add one here or name it in the configuration file."</p> }.into_any()
        };
        view! { <Empty title="No registry is connected">{way}</Empty> }.into_any()
    } else {
        table(
            "Registries",
            &["Registry", "Source", "What is taken", "Every", "Sync", "Do"],
            rows.iter().map(|r| line(r, rights)).collect(),
        )
    };
    view! {
        <PageHeader title="Registries" subtitle=view! { "Where the catalogue takes models from." }.into_any() actions=view! { {actions} }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <div data-live="registries">{content}</div>
        </section>
        <Live topic="registries" cursor=cursor />
    }
    .into_any()
}

fn line(r: &RegistryRow, rights: RegistryRights) -> AnyView {
    let href = format!("/registries/{}", r.id);
    let models = format!("/catalog?registry={}", r.id);
    row(vec![
        ("Registry", view! { <a href=href>{r.name.clone()}</a><div class="gh-muted gh-small gh-hash">{r.url.clone()}</div> }.into_any()),
        ("Source", source(r.source)),
        ("What is taken", rules(r)),
        ("Every", format!("{} min", r.sync_minutes).into_any()),
        ("Sync", sync_state(r)),
        ("Do", view! { <div class="gh-actions">{rights.sync.then(|| sync_now(r, "link"))}<a href=models>"Models"</a></div> }.into_any()),
    ])
}
