//! The deployment wizard: Use → Source → Target → Resources → Review. Each step is a plain form that
//! saves the draft; the steps are links, so Back and deep links work as they do everywhere.

mod resources;
mod review;
mod source;
mod steps;

use crate::{components::*, load::load};
use domain::ids::DraftId;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::wizard::{STEPS, WizardView, step_of};

const WORDS: [(&str, &str); 5] = [
    ("use", "Use"),
    ("source", "Source"),
    ("target", "Target"),
    ("resources", "Resources"),
    ("review", "Review"),
];

#[component]
pub fn WizardPage() -> impl IntoView {
    let p = use_params_map().get_untracked();
    let draft = p.get("draft").unwrap_or_default();
    let step = p.get("step").unwrap_or_default();
    let wanted = step.clone();
    load(
        move |s, c| async move {
            let id: DraftId = draft.parse()?;
            if !STEPS.contains(&wanted.as_str()) {
                return Err(domain::Error::not_found("the wizard has no such step"));
            }
            if wanted == "review" {
                let review = s.wizard.review(&c, id).await?;
                let view = review.view.clone();
                return Ok((view, Some(review)));
            }
            Ok((s.wizard.view(&c, id).await?, None))
        },
        move |(view, review)| {
            let content = match (step.as_str(), review) {
                (_, Some(review)) => review::page(review),
                ("source", _) => source::page(&view),
                ("target", _) => steps::target(&view),
                ("resources", _) => resources::page(&view),
                _ => steps::usage(&view),
            };
            frame(&view, &step, content)
        },
    )
}

fn frame(v: &WizardView, step: &str, content: AnyView) -> AnyView {
    let id = v.draft.id;
    let broken = v.draft.broken_yaml.is_some();
    let items: Vec<AnyView> = WORDS
        .iter()
        .enumerate()
        .map(|(i, (name, words))| {
            let on = *name == step;
            let open = v.errors.iter().any(|e| step_of(&e.field) == *name)
                || (*name == "use" && v.draft.usage.purpose.trim().is_empty())
                || (*name == "review" && broken);
            let class = if on { "gh-step gh-current" } else { "gh-step" };
            view! {
                <li class=class>
                    <a href=format!("/deploy/{id}/{name}") aria-current=on.then_some("step")>
                        <span class="gh-step-number" aria-hidden="true">{i + 1}</span>{*words}
                        {open.then(|| view! { <span class="gh-step-open">" — to do"</span> })}
                    </a>
                </li>
            }
            .into_any()
        })
        .collect();
    let verb = match v.draft.kind {
        domain::change::ChangeKind::Create => "Deploy",
        _ if v.draft.change.is_some() => "Edit the request for",
        _ => "Update",
    };
    let version = v.version.clone().map(|(m, ver)| {
        let tag = ver.tags.iter().find(|t| t.moved_at.is_none()).map(|t| t.name.clone()).unwrap_or_default();
        view! { <a href=format!("/catalog/versions/{}", ver.id)>{format!("{} {tag}", m.name)}</a>" · " }
    });
    let saved = v.draft.updated_at;
    view! {
        <PageHeader title=format!("{verb} {}", v.draft.title) crumbs=vec![Crumb::new("My requests", "/requests")]
            subtitle=view! { {version}"Draft saved "<When at=saved /> }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <nav aria-label="Steps"><ol class="gh-steps" role="list">{items}</ol></nav>
            <FormAlert />
            {(broken && step != "review").then(|| alert(Tone::Warn, "The YAML cannot be read yet", "The form shows the last YAML that could be read. Mend the YAML on the Review step, or save this step to go on from here."))}
            {content}
        </section>
    }
    .into_any()
}

/// The form of a step: what it saves, and the buttons that lead on.
fn form(v: &WizardView, step: &'static str, fields: AnyView) -> AnyView {
    let action = format!("/deploy/{}/{step}", v.draft.id);
    let version = v.draft.version.to_string();
    let at = STEPS.iter().position(|s| *s == step).unwrap_or(0);
    let back = at
        .checked_sub(1)
        .map(|i| format!("/deploy/{}/{}", v.draft.id, STEPS[i]));
    view! {
        <form method="post" action=action class="pf-v6-c-form gh-wizard">
            <Hidden name="version" value=version />
            {fields}
            <div class="gh-actions">
                <Submit text="Next" name="go" value="next" />
                <Submit text="Review" kind="secondary" name="go" value="review" id="to-review" />
                <Submit text="Save" kind="link" name="go" value="stay" />
                {back.map(|b| view! { <a class="pf-v6-c-button pf-m-link" href=b>"Back"</a> })}
            </div>
        </form>
    }
    .into_any()
}

/// What is wrong with a field, as far as the form itself knows.
fn problem(v: &WizardView, field: &str) -> Option<String> {
    v.errors
        .iter()
        .find(|e| e.field == field)
        .map(|e| e.message.clone())
}

/// Preflight findings that concern a step's fields.
fn findings_for(v: &WizardView, paths: &[&str]) -> AnyView {
    let some: Vec<_> = v
        .findings
        .iter()
        .filter(|f| paths.iter().any(|p| f.field.contains(p)))
        .cloned()
        .collect();
    crate::pages::approvals::findings(&some)
}
