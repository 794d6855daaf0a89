//! How a deployment stands: its state in plain words, who changed it last and what, what waits, what
//! drifted, and the way back.

use super::approval_label;
use crate::{
    components::*,
    pages::approvals::{state_words, title},
};
use domain::{Micros, change::ChangeKind, diff::in_words};
use leptos::prelude::*;
use services::deployments::{DeploymentView, LastChange, Outside, Rollback};

/// So many fields stand in the sentence about the last change.
const FIELDS: usize = 3;
/// So many fields of a way back are shown; its own page shows all.
const DIFFERENCES: usize = 8;

/// The state in plain words, and whether it is what was approved.
pub fn standing(v: &DeploymentView) -> AnyView {
    let e = v.explanation.clone();
    let (tone, word) = state_label(e.code);
    let drift: Vec<AnyView> = v
        .drift
        .iter()
        .cloned()
        .map(|d| {
            let by = if d.by.is_empty() {
                "by whom is not recorded".to_owned()
            } else {
                format!(
                    "by {}",
                    d.by.iter()
                        .map(|(m, _)| m.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            };
            let when =
                d.by.first()
                    .and_then(|(_, t)| *t)
                    .map(|t| view! { " "<When at=t /> });
            view! { <li><code>{d.change.path}</code>" set "{by}{when}</li> }.into_any()
        })
        .collect();
    let closure_drift: Vec<AnyView> = v
        .closure_drift
        .iter()
        .cloned()
        .map(|d| view! { <li>{format!("The {} is another one now: approved ", d.what)}<code>{d.approved}</code>", now "<code>{d.now}</code></li> }.into_any())
        .collect();
    let pending: Vec<AnyView> = v
        .open_changes
        .iter()
        .map(|r| {
            let href = format!("/changes/{}", r.change.id);
            view! { <p>{format!("{}: ", state_words(r.change.state))}<a href=href>{title(&r.change)}</a>{format!(", asked for by {} ", r.requester_name)}<When at=r.change.created_at />"."</p> }.into_any()
        })
        .collect();
    view! {
        <div class=standing_class(tone)>
            <p><Label tone=tone text=word />" "<strong>{e.headline}</strong>" "{approval_label(v.approval)}</p>
            {e.cause.map(|c| view! { <p class="gh-cause">{c}</p> })}
            {e.next_step.map(|n| view! { <p>{n}</p> })}
            {v.last.as_ref().map(last)}
            {v.outside.as_ref().map(outside)}
            {pending}
            {(!drift.is_empty()).then(|| alert(Tone::Warn, "What runs is not what was approved", view! { <ul class="pf-v6-c-list">{drift}</ul> }))}
            {(!closure_drift.is_empty()).then(|| alert(Tone::Warn, "What it leads to has changed since the approval", view! { <ul class="pf-v6-c-list">{closure_drift}</ul> }))}
        </div>
    }
    .into_any()
}

/// Who changed it last, when, and what.
fn last(l: &LastChange) -> AnyView {
    let href = format!("/changes/{}", l.change.id);
    let what = what(l);
    view! { <p>"Last change: "<a href=href>{title(&l.change)}</a>{format!(" by {} ", l.by)}{moment(l.at)}{what}"."</p> }.into_any()
}

fn what(l: &LastChange) -> String {
    match l.change.kind {
        ChangeKind::Create | ChangeKind::Delete => String::new(),
        _ if l.what.is_empty() => ", no field differs".into(),
        _ => format!(": {}", in_words(&l.what, FIELDS)),
    }
}

fn outside(o: &Outside) -> AnyView {
    let by =
        o.by.as_ref()
            .map_or_else(|| "by whom is not recorded ".into(), |m| format!("by {m} "));
    let at = moment(o.at);
    if o.made {
        view! { <p>"What runs was made past the console, last written "{by}{at}"."</p> }.into_any()
    } else {
        view! { <p>"Edited past the console since, "{by}{at}"."</p> }.into_any()
    }
}

fn moment(at: Option<Micros>) -> Option<AnyView> {
    at.map(|t| view! { <When at=t /> }.into_any())
}

/// The way back: what would change, and the asking in one press.
pub fn way_back(v: &DeploymentView) -> Option<AnyView> {
    let r: Rollback = v.rollback.clone().filter(|_| v.may_change)?;
    let words = format!("Roll back to revision {}", r.number);
    let action = format!("{}/rollback/{}", v.live.key.path(), r.revision);
    let (all, shown) = (r.changes.len(), r.changes.len().min(DIFFERENCES));
    let more = (all > shown).then(|| {
        view! { <p><a href=action.clone()>{format!("All {all} fields")}</a></p> }
    });
    let changes = r.changes.into_iter().take(DIFFERENCES).collect();
    Some(
        view! {
            <Card title=words.clone()>
                <p class="gh-muted">"The newest approved revision that is not what is live, applied "{moment(r.applied_at)}". Others are under Revisions."</p>
                <DiffTable changes=changes before="Live" after=format!("Revision {}", r.number) />
                {more}
                <form method="post" action=action class="gh-actions">
                    <Hidden name="comment" value=words.clone() />
                    <Submit text=words kind="secondary" key="b" />
                </form>
            </Card>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{change::*, diff::FieldChange, ids::ClusterId, place::*};

    fn id<T: serde::de::DeserializeOwned>() -> T {
        serde_json::from_str("\"00000000-0000-7000-8000-000000000000\"").expect("an id")
    }

    fn last_change(kind: ChangeKind, paths: &[&str]) -> LastChange {
        LastChange {
            change: Change {
                id: id(),
                kind,
                state: ChangeState::Applied,
                place: Place {
                    cluster: ClusterId("c".into()),
                    cluster_name: "c".into(),
                    namespace: "n".into(),
                    namespace_uid: "u".into(),
                    scope: domain::access::Scope {
                        unit: "retail".into(),
                        environment: "production".into(),
                    },
                },
                object: ObjectRef::inference_service("llama"),
                usage: Use::default(),
                requester: id(),
                requester_account: id(),
                created_at: Micros(0),
                expires_at: Micros(0),
                current_revision: id(),
                version: 1,
                end_reason: None,
                ended_at: None,
            },
            by: "Ada".into(),
            at: None,
            what: paths
                .iter()
                .map(|p| FieldChange {
                    path: (*p).into(),
                    before: Some(1.into()),
                    after: Some(2.into()),
                })
                .collect(),
        }
    }

    #[test]
    fn the_last_change_says_what() {
        let p = "spec.predictor.minReplicas";
        assert_eq!(
            what(&last_change(ChangeKind::Scale, &[p])),
            ": minReplicas 1 → 2"
        );
        assert!(what(&last_change(ChangeKind::Update, &[p; 5])).ends_with(" and 2 more"));
        assert_eq!(what(&last_change(ChangeKind::Create, &[""])), "");
        assert_eq!(
            what(&last_change(ChangeKind::Start, &[])),
            ", no field differs"
        );
    }
}
