//! What would be applied, how it differs from what is live, and what everybody says to it.

use crate::{
    components::*,
    load::form_state,
    pages::approvals::{closure, facts},
};
use leptos::prelude::*;
use services::wizard::Review;

pub fn page(r: Review) -> AnyView {
    let v = &r.view;
    let id = v.draft.id;
    let hash = r.prepared.as_ref().and_then(|p| p.hash.clone());
    let unknown: Vec<AnyView> = v
        .unknown
        .iter()
        .cloned()
        .map(|u| view! { <li><code>{u}</code></li> }.into_any())
        .collect();
    let stages: Vec<String> = v
        .stages
        .iter()
        .filter(|s| s.count > 0)
        .map(|s| format!("{} × {}", s.count, s.role.name()))
        .collect();
    let waits = if stages.is_empty() {
        "It is applied at once.".to_owned()
    } else {
        format!("It then waits for {}.", stages.join(", then "))
    };
    let purpose_missing = v.draft.usage.purpose.trim().is_empty();
    let errors: Vec<AnyView> = v
        .errors
        .iter()
        .cloned()
        .map(|e| {
            let step = services::wizard::step_of(&e.field);
            view! { <li><a href=format!("/deploy/{id}/{step}#{}", e.field)>{e.message}</a></li> }
                .into_any()
        })
        .collect();
    let yaml = form_state()
        .value("yaml")
        .map_or_else(|| r.yaml.clone(), str::to_owned);
    view! {
        {r.problem.clone().map(|p| alert(Tone::Bad, "It cannot be submitted yet", p))}
        {(!errors.is_empty()).then(|| alert(Tone::Bad, "Some fields cannot stay as they are", view! { <ul class="pf-v6-c-list">{errors}</ul> }))}
        <form method="post" action=format!("/deploy/{id}/submit") class="pf-v6-c-form gh-decide">
            {hash.clone().map(|h| view! { <Hidden name="hash" value=h.to_string() /> })}
            <Hidden name="version" value=v.draft.version.to_string() />
            <TextField name="purpose" label="Purpose" value=v.draft.usage.purpose.clone() required=true help="What the model is used for; who decides reads it." />
            <TextField name="comment" label="Comment" value=v.draft.comment.clone() help="Optional; who decides sees it." />
            <p class="gh-muted">{waits}{hash.map(|h| view! { " Content hash "<code>{h.short().to_owned()}</code>"." })}</p>
            <div class="gh-actions">
                <Submit text="Submit for approval" disabled=!r.submittable id="submit" key="s" />
                <a class="pf-v6-c-button pf-m-link" href=format!("/deploy/{id}/resources")>"Back"</a>
            </div>
        </form>
        {purpose_missing.then(|| view! { <p class="gh-muted">{format!("The owner is {}; change it on the Use step.", v.draft.usage.owner)}</p> })}
        {r.prepared.as_ref().map(|p| card("Checks, facts and quota", facts(&p.seen)))}
        {r.prepared.is_some().then(|| card("Difference from what is live", view! {
            <DiffTable changes=r.differences.clone() before="Live" after="Then" />
            <details class="gh-details"><summary>"As text"</summary><DiffText lines=r.difference_text.clone() /></details>
        }))}
        {v.sizing.as_ref().map(|e| card("GPU memory, as a range", super::resources::sizing(e)))}
        {v.fit.as_ref().map(|f| card("Does it fit now?", super::resources::fit(f)))}
        {r.prepared.as_ref().and_then(|p| p.content.as_ref()).map(|c| card("What it leads to when it runs", closure(&c.closure)))}
        <section class="pf-v6-c-card">
            <div class="pf-v6-c-card__header"><div class="pf-v6-c-card__header-main"><h2 class="pf-v6-c-card__title-text">"The YAML that would be applied"</h2></div></div>
            <div class="pf-v6-c-card__body">
                {(!unknown.is_empty()).then(|| view! { <p>"The form does not know these fields; they are kept:"</p><ul class="pf-v6-c-list">{unknown}</ul> })}
                <form method="post" action=format!("/deploy/{id}/review") class="pf-v6-c-form">
                    <Hidden name="version" value=v.draft.version.to_string() />
                    <TextArea name="yaml" label="Manifest" value=yaml rows=24 code=true help="Edit it freely; form and YAML are two views of the same draft." />
                    <div class="gh-actions"><Submit text="Check and save the YAML" kind="secondary" name="go" value="stay" /></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}
