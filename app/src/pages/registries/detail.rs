//! One registry: how its sync goes, and, where it was added in the console, changing or removing it.

use super::{form, rules, source, sync_now, sync_state};
use crate::{
    components::*,
    load::{form_state, load},
    query::Query,
};
use domain::ids::RegistryId;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::{
    ports::{RegistryRow, Source},
    registries::RegistryRights,
};

#[component]
pub fn RegistryPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let removing = Query::current().get("remove").is_some();
    load(
        |s, c| async move {
            let id: RegistryId = id.parse()?;
            let cursor = s.registries.mark(&c).await?;
            Ok((
                s.registries.get(&c, id).await?,
                s.registries.rights(&c),
                cursor,
            ))
        },
        move |(r, rights, cursor)| page(&r, rights, removing, cursor),
    )
}

fn page(r: &RegistryRow, rights: RegistryRights, removing: bool, cursor: String) -> AnyView {
    let editable = rights.manage && r.source == Source::Console;
    let base = format!("/registries/{}", r.id);
    let models = format!("/catalog?registry={}", r.id);
    let actions = view! {
        {rights.sync.then(|| sync_now(r, "secondary"))}
        <a class="pf-v6-c-button pf-m-secondary" href=models>"Models"</a>
        {editable.then(|| view! { <a class="pf-v6-c-button pf-m-link pf-m-danger" href=format!("{base}?remove=1")>"Remove"</a> })}
    };
    let confirm = (removing && editable).then(|| {
        alert(Tone::Warn, format!("Remove {}?", r.name), view! {
            <p>"Its models leave the catalogue. Deployments that run from it go on, and the registry itself is not touched."</p>
            <form method="post" action=format!("{base}/remove") class="gh-actions">
                <Submit text="Remove it" kind="danger" />
                <a class="pf-v6-c-button pf-m-link" href=base.clone()>"Keep it"</a>
            </form>
        })
    });
    let facts = terms(vec![
        (
            "Address",
            view! { <code class="gh-hash">{r.url.clone()}</code> }.into_any(),
        ),
        (
            "User",
            r.username.clone().map_or_else(
                || {
                    view! { <span class="gh-muted">"none, read without signing in"</span> }
                        .into_any()
                },
                IntoAny::into_any,
            ),
        ),
        (
            "Password",
            if r.secret.is_some() {
                "stored, encrypted; it is never shown".into_any()
            } else {
                view! { <span class="gh-muted">"none"</span> }.into_any()
            },
        ),
        ("Every", format!("{} minutes", r.sync_minutes).into_any()),
        (
            "Certificates",
            if r.ca_pem.is_some() {
                "its own besides the system’s".into_any()
            } else {
                view! { <span class="gh-muted">"the system’s"</span> }.into_any()
            },
        ),
        ("Source", source(r.source)),
        ("What is taken", rules(r)),
    ]);
    let edit = if editable {
        card("Change", form::fields(Some(r)))
    } else if r.source == Source::File {
        alert(
            Tone::Info,
            "It is read-only here",
            view! { <p>"This registry stands in the configuration file. Whoever runs the console changes it there and starts the console again."</p> },
        )
    } else {
        ().into_any()
    };
    view! {
        <PageHeader title=r.name.clone() crumbs=vec![Crumb::new("Registries", "/registries")] subtitle=view! { <code class="gh-hash">{r.url.clone()}</code> }.into_any() actions=actions.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            {new_token()}
            {confirm}
            <div class="gh-columns">{card("Sync", view! { <div data-live="registries#sync">{sync_state(r)}</div> })}{card("What it is", facts)}</div>
            {editable.then(|| notifications(r))}
            {edit}
        </section>
        <Live topic="registries" cursor=cursor />
    }
    .into_any()
}

/// The token that the answer to a form brought: it is on no other page.
fn new_token() -> Option<AnyView> {
    let state = form_state();
    let token = state.value("notification_token")?.to_owned();
    let hook = state.value("hook").unwrap_or_default().to_owned();
    Some(alert(
        Tone::Good,
        "Copy this now: it is not shown again",
        view! {
            <p>"With it the registry can tell of pushes at once. Let it send its notifications to this address with this header; without them it is synced at its interval."</p>
            {terms(vec![
                ("Address", view! { <code class="gh-hash">{hook}</code> }.into_any()),
                ("Header", view! { <code class="gh-hash">{format!("Authorization: Bearer {token}")}</code> }.into_any()),
            ])}
        },
    ))
}

fn notifications(r: &RegistryRow) -> AnyView {
    let (words, button) = if r.notification_secret.is_some() {
        (
            "It has a token to send notifications with, kept encrypted. With a new one the old one counts no more.",
            "Make a new token",
        )
    } else {
        (
            "It has no token to send notifications with, so pushes are seen at the next sync.",
            "Make a token",
        )
    };
    card(
        "Notifications",
        view! {
            <p>{words}</p>
            <form method="post" action=format!("/registries/{}/token", r.id)><Submit text=button kind="secondary" /></form>
        }
        .into_any(),
    )
}
