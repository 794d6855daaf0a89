//! What is asked of a deployment (scale, roll back, stop, start, delete): what it would do, then the asking.

use super::key_of_address;
use crate::{
    components::*,
    load::{form_state, load},
    pages::approvals::quota,
};
use domain::{change::ChangeKind, diff, place::DeploymentKey, yaml::to_yaml};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde_json::Value;
use services::{changes::Ask, prepare::Prepared};

#[component]
pub fn AskPage() -> impl IntoView {
    let key = key_of_address();
    let p = use_params_map().get_untracked();
    let what = p.get("ask").unwrap_or_default();
    let revision = p.get("revision").unwrap_or_default();
    let typed = form_state();
    let shown = key.clone();
    load(
        move |s, c| async move {
            let scale = |name: &str, live: i64| {
                typed
                    .value(name)
                    .and_then(|v| v.trim().parse().ok())
                    .unwrap_or(live)
            };
            let ask = match what.as_str() {
                "scale" => {
                    let view = s.deployments.get(&c, &key).await?;
                    let isvc = domain::isvc::View::new(&view.live.object);
                    let min = isvc.min_replicas().unwrap_or(1);
                    Ask::Scale {
                        min: scale("min", min),
                        max: scale("max", isvc.max_replicas().unwrap_or(min.max(1))),
                    }
                }
                "rollback" => Ask::Rollback {
                    revision: revision.parse()?,
                },
                "stop" => Ask::Stop,
                "start" => Ask::Start,
                "delete" => Ask::Delete,
                _ => return Err(domain::Error::not_found("there is no such page")),
            };
            // Numbers that cannot be used are said beside their fields; the difference needs usable ones.
            let prepared = match s.changes.preview(&c, &key, &ask).await {
                Ok(p) => Some(p),
                Err(e) if e.kind == domain::Kind::Invalid => None,
                Err(e) => return Err(e),
            };
            Ok((ask, prepared))
        },
        move |(ask, prepared)| page(shown, ask, prepared),
    )
}

fn page(key: DeploymentKey, ask: Ask, prepared: Option<Prepared>) -> AnyView {
    let kind = ask.kind();
    let (title, says, button) = match kind {
        ChangeKind::Scale => (
            "Scale",
            "The number of replicas changes; what is served does not. It waits for an approval.",
            "Ask for it",
        ),
        ChangeKind::Rollback => (
            "Roll back",
            "The content goes back to the revision you chose; that waits for an approval. Below is what would change.",
            "Ask for the rollback",
        ),
        ChangeKind::Stop => (
            "Stop",
            "KServe removes the pods; the approved content stays. This takes effect at once and needs no approval.",
            "Stop it",
        ),
        ChangeKind::Start => (
            "Start",
            "KServe makes the pods again, with the content shown below. It waits for an approval.",
            "Ask to start it",
        ),
        _ => (
            "Delete",
            "The object and everything that KServe made for it goes. Revisions and the audit log stay. It waits for an approval.",
            "Ask for the deletion",
        ),
    };
    let scale = match ask {
        Ask::Scale { min, max } => Some((min, max)),
        _ => None,
    };
    let mut action = key.path();
    action.push_str(match kind {
        ChangeKind::Scale => "/scale",
        ChangeKind::Rollback => "/rollback/",
        ChangeKind::Stop => "/stop",
        ChangeKind::Start => "/start",
        _ => "/delete",
    });
    if let Ask::Rollback { revision } = &ask {
        action.push_str(&revision.to_string());
    }
    let hash = prepared
        .as_ref()
        .and_then(|p| p.hash.clone())
        .map(|h| h.to_string())
        .unwrap_or_default();
    let blocked = prepared.as_ref().is_some_and(|p| !p.submittable());
    let what = prepared.map(|p| difference(&p));
    view! {
        <PageHeader title=format!("{title} {}", key.name) crumbs=vec![Crumb::new("Deployments", "/deployments"), Crumb::new(key.name.clone(), key.path())] />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <p>{says}</p>
            <form method="post" action=action class="pf-v6-c-form gh-decide">
                {scale.is_none().then(|| view! { <Hidden name="hash" value=hash /> })}
                {scale.map(|(min, max)| view! {
                    <TextField name="min" label="Smallest number of replicas" value=min.to_string() kind="number" required=true />
                    <TextField name="max" label="Largest number of replicas" value=max.to_string() kind="number" required=true />
                })}
                <TextField name="comment" label="Comment" help=if kind == ChangeKind::Stop { "Optional; it stands in the log." } else { "Optional; who decides sees it." } />
                <div class="gh-actions">
                    <Submit text=button kind=if matches!(kind, ChangeKind::Delete | ChangeKind::Stop) { "danger" } else { "primary" } disabled=blocked />
                    <a class="pf-v6-c-button pf-m-link" href=key.path()>"Cancel"</a>
                </div>
            </form>
            {what}
        </section>
    }
    .into_any()
}

fn difference(p: &Prepared) -> AnyView {
    let null = Value::Null;
    let before = p.seen.live.as_ref().unwrap_or(&null);
    let after = match &p.content {
        Some(c) if c.action == domain::content::Action::Delete => &null,
        Some(c) => &c.object,
        None => &p.manifest,
    };
    let text = |v: &Value| {
        if v.is_null() {
            String::new()
        } else {
            to_yaml(v)
        }
    };
    let refusal = p
        .refusal
        .clone()
        .map(|r| alert(Tone::Bad, "The cluster has not accepted it", r));
    let (changes, lines) = (
        diff::diff(before, after),
        diff::lines(&text(before), &text(after)),
    );
    view! {
        {refusal}
        {findings(&p.seen.findings)}
        {card("Difference from live", view! {
            <DiffTable changes=changes before="Live" after="Then" />
            <details class="gh-details"><summary>"As text"</summary><DiffText lines=lines /></details>
        })}
        {quota(&p.seen.quota)}
    }
    .into_any()
}
