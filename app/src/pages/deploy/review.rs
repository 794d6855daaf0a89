//! What would be applied, how it differs from what is live, and what everybody says to it.

use super::{beside, href};
use crate::{
    components::*,
    load::form_state,
    pages::approvals::{closure, facts},
};
use domain::change::Seen;
use leptos::prelude::*;
use services::wizard::{Placed, Review, WizardView};

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
    let target = v.draft.cluster.clone().zip(v.draft.namespace.clone());
    let target = target.map(|(cluster, namespace)| {
        let place = v.targets.iter().find(|t| t.cluster == cluster && t.namespace == namespace);
        let scope = place.map(|t| format!(" · {} · {}", t.scope.unit, t.scope.environment));
        view! { <p>"It goes to "<strong>{format!("{cluster} / {namespace}")}</strong>{scope}". "<a href=format!("/deploy/{id}/target")>"Another target"</a></p> }
    });
    let waits = if r.prepared.is_none() {
        String::new()
    } else if stages.is_empty() {
        "It is applied at once.".to_owned()
    } else {
        format!("It then waits for {}.", stages.join(", then "))
    };
    let purpose_missing = v.draft.usage.purpose.trim().is_empty();
    let errors: Vec<AnyView> = v
        .errors
        .iter()
        .map(|e| {
            let words = e.message.clone();
            match href(v, "review", &e.field) {
                Some(to) => view! { <li><a href=to>{words}</a></li> }.into_any(),
                None => view! { <li>{words}</li> }.into_any(),
            }
        })
        .collect();
    let yaml = form_state()
        .value("yaml")
        .map_or_else(|| r.yaml.clone(), str::to_owned);
    let broken = r.broken.clone();
    // Right after a save that was refused, the message above the page has said it.
    let said_above = form_state().problem("yaml").is_some();
    let cannot = match (&broken, &r.problem) {
        (Some(b), _) if !said_above => {
            Some(view! { <p><a href="#yaml">{sentence(&b.message)}</a></p> }.into_any())
        }
        (None, Some(p)) => Some(view! { <p>{sentence(p)}</p> }.into_any()),
        _ => None,
    };
    let yaml_remarks: Vec<Remark> = match &broken {
        Some(b) => vec![Remark {
            tone: Tone::Bad,
            text: b.message.clone(),
        }],
        None => beside(v, "yaml"),
    };
    let excerpt = broken
        .and_then(|b| b.at)
        .and_then(|(line, column)| excerpt(&yaml, line, column));
    let back = format!("/deploy/{id}/resources");
    view! {
        {cannot.map(|c| alert(Tone::Bad, "It cannot be submitted yet", c))}
        {(!errors.is_empty()).then(|| alert(Tone::Warn, "Some fields are not as their steps want them", view! { <ul class="pf-v6-c-list">{errors}</ul> }))}
        <form method="post" action=format!("/deploy/{id}/submit") class="pf-v6-c-form gh-review">
            <div class="gh-decide gh-stack">
                {target}
                {hash.clone().map(|h| view! { <Hidden name="hash" value=h.to_string() /> })}
                <Hidden name="version" value=v.draft.version.to_string() />
                <TextField name="purpose" label="Purpose" value=v.draft.usage.purpose.clone() required=true help="What the model is used for; who decides reads it." />
                <TextField name="comment" label="Comment" value=v.draft.comment.clone() help="Optional; who decides sees it." />
                <p class="gh-muted">{waits}{hash.map(|h| view! { " Content hash "<code>{h.short().to_owned()}</code>"." })}</p>
                <div class="gh-actions">
                    <Submit text="Submit for approval" disabled=!r.submittable id="submit" key="s" />
                    <a class="pf-v6-c-button pf-m-link" href=back>"Back"</a>
                </div>
            </div>
            {purpose_missing.then(|| view! { <p class="gh-muted">{format!("The owner is {}; change it on the Use step.", v.draft.usage.owner)}</p> })}
            {(!r.findings.is_empty()).then(|| card("What checks and the cluster say", checked(v, &r.findings)))}
            {r.prepared.as_ref().map(|p| card("Facts and quota", facts(&Seen { findings: vec![], ..p.seen.clone() })))}
            {r.prepared.is_some().then(|| card("Difference from what is live", view! {
                <DiffTable changes=r.differences.clone() before="Live" after="Then" />
                <details class="gh-details"><summary>"As text"</summary><DiffText lines=r.difference_text.clone() /></details>
            }))}
            {v.sizing.as_ref().map(|e| card("GPU memory, as a range", super::resources::sizing(e)))}
            {v.fit.as_ref().map(|f| card("Does it fit now?", super::resources::fit(f)))}
            {r.prepared.as_ref().and_then(|p| p.content.as_ref()).map(|c| card("What it leads to when it runs", closure(&c.closure)))}
            {card("The YAML that would be applied", view! {
                {(!unknown.is_empty()).then(|| view! { <p>"The form does not know these fields; they are kept:"</p><ul class="pf-v6-c-list">{unknown}</ul> })}
                {excerpt.map(|lines| view! { <p>"Where it breaks:"</p><Code text=lines label="Where the YAML breaks" /> })}
                <TextArea name="yaml" label="Manifest" value=yaml rows=24 code=true remarks=yaml_remarks help="Edit it freely; form and YAML are two views of the same draft." />
                <div class="gh-actions"><Submit text="Check and save the YAML" kind="secondary" name="go" value="stay" action=format!("/deploy/{id}/review") /></div>
            })}
        </form>
    }
    .into_any()
}

/// Every finding, with a link to the field that it concerns.
fn checked(v: &WizardView, all: &[Placed]) -> AnyView {
    linked_findings(all.iter().map(|p| {
        let link = p.spot.as_ref().map(|s| match s.step.as_str() {
            "review" => format!("#{}", s.id),
            step => format!("/deploy/{}/{step}#{}", v.draft.id, s.id),
        });
        (&p.finding, link)
    }))
}

/// The line where the YAML breaks with its neighbours, numbered, and a mark below the column.
pub(super) fn excerpt(yaml: &str, line: usize, column: usize) -> Option<String> {
    let lines: Vec<&str> = yaml.lines().collect();
    let line = line.clamp(1, lines.len().max(1));
    let from = line.saturating_sub(3);
    let mut out = String::new();
    for (i, text) in lines.iter().enumerate().take(line).skip(from) {
        let text: String = text.chars().take(200).collect();
        out.push_str(&format!("{:>5} {text}\n", i + 1));
    }
    out.push_str(&format!(
        "{:>5} {}^",
        "",
        " ".repeat(column.clamp(1, 200) - 1)
    ));
    (!lines.is_empty()).then_some(out)
}
