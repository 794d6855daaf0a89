//! The deployment wizard: Use → Source → Target → Resources → Review. Each step is a plain form that
//! saves the draft; the steps are links, so Back and deep links work as they do everywhere.

mod resources;
mod review;
mod source;
mod steps;

use crate::{components::*, load::load};
use domain::finding::Severity;
use domain::ids::DraftId;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::wizard::{STEPS, WizardView, spot, step_of};

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
            Ok((s.wizard.view(&c, id, &wanted).await?, None))
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
                || v.findings.iter().any(|f| {
                    f.finding.severity == Severity::Error
                        && f.spot.as_ref().is_some_and(|s| s.step == *name)
                })
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
            {form_alert(|field| href(v, step, field))}
            {(broken && step != "review").then(|| alert(Tone::Warn, "The YAML cannot be read yet", "The form shows the last YAML that could be read. Mend the YAML on the Review step; saving this step goes on from here and drops the YAML that cannot be read."))}
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

/// The address of a field: on this page where it stands here too, else on its step.
fn href(v: &WizardView, here: &str, field: &str) -> Option<String> {
    let s = spot(field, &v.form)?;
    // Review has a field for the purpose as well.
    let also_here = here == "review" && s.id == "purpose";
    Some(if s.step == here || also_here {
        format!("#{}", s.id)
    } else {
        format!("/deploy/{}/{}#{}", v.draft.id, s.step, s.id)
    })
}

/// What is said of the field with this id: the form's own complaints, or where it has none those of
/// preflight and of the cluster.
fn beside(v: &WizardView, id: &str) -> Vec<Remark> {
    let own: Vec<Remark> = v
        .errors
        .iter()
        .filter(|e| spot(&e.field, &v.form).is_some_and(|s| s.id == id))
        .map(|e| Remark {
            tone: Tone::Bad,
            text: e.message.clone(),
        })
        .collect();
    let checked = v
        .findings
        .iter()
        .filter(|f| f.spot.as_ref().is_some_and(|s| s.id == id))
        .filter(|f| own.is_empty() || f.finding.severity != Severity::Error)
        .map(|f| Remark {
            tone: severity(f.finding.severity).0,
            text: format!("{} {}", sentence(&f.finding.message), f.finding.remedy)
                .trim()
                .to_owned(),
        });
    let mut all: Vec<Remark> = Vec::new();
    for r in own.iter().cloned().chain(checked) {
        if !all.contains(&r) {
            all.push(r);
        }
    }
    all
}

#[cfg(test)]
mod tests;
