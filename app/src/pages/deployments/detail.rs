//! One deployment: what it does in plain words, what was approved, who changed it last and what.

use super::{age, approval_label, key_of_address};
use crate::{
    components::*,
    load::load,
    pages::approvals::{closure, rows as change_rows, title},
    query::Query,
};
use domain::observed::{Condition, Container, Pod};
use leptos::prelude::*;
use services::deployments::{AppliedRevision, DeploymentView};

const TABS: [(&str, &str); 5] = [
    ("", "Overview"),
    ("revisions", "Revisions"),
    ("pods", "Pods and events"),
    ("changes", "Changes"),
    ("yaml", "YAML"),
];

#[component]
pub fn DeploymentPage() -> impl IntoView {
    let key = key_of_address();
    let tab = Query::current().get("tab").unwrap_or_default().to_owned();
    load(
        |s, c| async move { s.deployments.get(&c, &key).await },
        move |v| page(v, tab),
    )
}

fn page(v: DeploymentView, tab: String) -> AnyView {
    let key = v.live.key.clone();
    let topic = format!("deployment:{key}");
    let base = key.path();
    let content = match tab.as_str() {
        "revisions" => revisions(&v),
        "pods" => pods(&v),
        "changes" => changes(&v),
        "yaml" => card(
            "The object as the cluster has it",
            view! { <Code text=v.yaml.clone() label="YAML" /> },
        ),
        _ => overview(&v),
    };
    let tabs: Vec<AnyView> = TABS
        .iter()
        .map(|(name, words)| {
            let href = if name.is_empty() { base.clone() } else { format!("{base}?tab={name}") };
            let on = *name == tab;
            let class = if on { "pf-v6-c-tabs__item pf-m-current" } else { "pf-v6-c-tabs__item" };
            view! { <li class=class><a class="pf-v6-c-tabs__link" href=href aria-current=on.then_some("page")><span class="pf-v6-c-tabs__item-text">{*words}</span></a></li> }.into_any()
        })
        .collect();
    view! {
        <PageHeader title=key.name.clone() crumbs=vec![Crumb::new("Deployments", "/deployments")]
            subtitle=view! { {format!("{} / {} · {} · {} · ", key.cluster, key.namespace, v.live.scope.unit, v.live.scope.environment)}{age(v.live.as_of, v.live.stale)} }.into_any()
            actions=actions(&v) />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <div data-live=topic.clone()>{standing(&v)}</div>
            <nav class="pf-v6-c-tabs gh-tabs" aria-label="Parts of this deployment"><ul class="pf-v6-c-tabs__list" role="list">{tabs}</ul></nav>
            <div class="gh-stack" data-live=format!("{topic}#{tab}")>{content}</div>
        </section>
        <crate::islands::LiveRegion topic=topic />
    }
    .into_any()
}

fn actions(v: &DeploymentView) -> AnyView {
    let key = v.live.key.clone();
    let base = key.path();
    let stopped = v.explanation.code == domain::state::Code::Stopped;
    let (may_change, may_stop) = (v.may_change, v.may_stop);
    let previous = v
        .revisions
        .iter()
        .find(|r| {
            !r.current
                && v.revisions
                    .iter()
                    .any(|c| c.current && c.applied_at > r.applied_at)
        })
        .map(|r| r.revision);
    view! {
        {may_change.then(|| view! {
            <form method="post" action="/deploy"><Hidden name="deployment" value=key.to_string() /><Submit text="Update" kind="secondary" /></form>
            {previous.map(|r| view! { <a class="pf-v6-c-button pf-m-secondary" data-key="b" href=format!("{base}/rollback/{r}")>"Roll back"</a> })}
            <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/scale")>"Scale"</a>
        })}
        {(may_stop && !stopped).then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/stop")>"Stop"</a> })}
        {(may_change && stopped).then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/start")>"Start"</a> })}
        {may_change.then(|| view! { <a class="pf-v6-c-button pf-m-link pf-m-danger" href=format!("{base}/delete")>"Delete"</a> })}
    }
    .into_any()
}

/// The state in plain words, and whether it is what was approved.
fn standing(v: &DeploymentView) -> AnyView {
    let e = v.explanation.clone();
    let (tone, word) = state_label(e.code);
    let last = v.last_change.clone().map(|r| {
        let href = format!("/changes/{}", r.change.id);
        view! { <p>"Last change: "<a href=href>{title(&r.change)}</a>{format!(" by {} ", r.requester_name)}<When at=r.change.created_at />{format!(", {}.", r.change.state.name())}</p> }
    });
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
    view! {
        <div class="gh-standing">
            <p><Label tone=tone text=word />" "<strong>{e.headline}</strong>" "{approval_label(v.approval)}</p>
            {e.cause.map(|c| view! { <p class="gh-cause">{c}</p> })}
            {e.next_step.map(|n| view! { <p>{n}</p> })}
            {last}
            {(!drift.is_empty()).then(|| alert(Tone::Warn, "What runs is not what was approved", view! { <ul class="pf-v6-c-list">{drift}</ul> }))}
            {(!closure_drift.is_empty()).then(|| alert(Tone::Warn, "What it leads to has changed since the approval", view! { <ul class="pf-v6-c-list">{closure_drift}</ul> }))}
        </div>
    }
    .into_any()
}

fn overview(v: &DeploymentView) -> AnyView {
    let view = domain::isvc::View::new(&v.live.object);
    let r = &v.row;
    let endpoints: Vec<AnyView> = v
        .endpoints
        .iter()
        .cloned()
        .map(|e| view! { <li>{e.what}": "<code class="gh-hash">{e.url}</code></li> }.into_any())
        .collect();
    let usage = v.usage.clone();
    let facts = terms(vec![
        (
            "Model",
            view! { <code class="gh-hash">{r.source.clone()}</code> }.into_any(),
        ),
        ("Format", known(Some(r.format.clone()))),
        ("Runtime", known(Some(r.runtime.clone()))),
        (
            "Replicas",
            format!("{} of {} ready", r.replicas_ready, r.replicas_desired).into_any(),
        ),
        ("GPUs", r.gpus.to_string().into_any()),
        ("Purpose", known(usage.as_ref().map(|u| u.purpose.clone()))),
        ("Owner", known(usage.map(|u| u.owner))),
        (
            "Created",
            r.created_at.map_or_else(
                || known(None),
                |t| view! { <When at=t exact=true /> }.into_any(),
            ),
        ),
        (
            "Endpoint",
            if endpoints.is_empty() {
                "none yet".into_any()
            } else {
                view! { <ul role="list">{endpoints}</ul> }.into_any()
            },
        ),
    ]);
    let routes: Vec<AnyView> = v
        .live
        .routes
        .iter()
        .filter(|r| r.backends.len() > 1)
        .map(|r| {
            let weights: Vec<String> = r.backends.iter().map(|(s, w)| format!("{s} {w}")).collect();
            view! { <li>{format!("{}: {}", r.name, weights.join(" · "))}</li> }.into_any()
        })
        .collect();
    let conditions = conditions(view.conditions());
    let open: Vec<_> = v.open_changes.clone();
    view! {
        {(!open.is_empty()).then(|| card("Changes on their way", table("Changes on their way", &["Change", "Where", "Requester", "Purpose", "State", "Asked"], vec![change_rows(open, true).into_any()])))}
        <div class="gh-columns">
            {card("What it is", facts)}
            {card("Conditions", conditions)}
        </div>
        {(!routes.is_empty()).then(|| card("Traffic as the routes really have it", view! { <ul role="list">{routes}</ul> }))}
        {v.closure.as_ref().map(|c| card("Approved to lead to", closure(c)))}
    }
    .into_any()
}

fn conditions(conditions: Vec<Condition>) -> AnyView {
    if conditions.is_empty() {
        return view! { <p class="gh-muted">"KServe has said nothing yet."</p> }.into_any();
    }
    let rows = conditions
        .into_iter()
        .map(|c| {
            let tone = match (c.status.as_str(), c.severity.as_str()) {
                ("True", _) => Tone::Good,
                ("False", "Info") => Tone::Quiet,
                ("False", _) => Tone::Bad,
                _ => Tone::Quiet,
            };
            row(vec![
                ("Condition", c.kind.into_any()),
                ("Status", view! { <Label tone=tone text=c.status /> }.into_any()),
                ("Why", view! { {c.reason}{(!c.message.is_empty()).then(|| view! { <div class="gh-muted">{c.message}</div> })} }.into_any()),
                ("Since", c.since.map_or_else(|| known(None), |t| view! { <When at=t /> }.into_any())),
            ])
        })
        .collect();
    table("Conditions", &["Condition", "Status", "Why", "Since"], rows)
}

fn revisions(v: &DeploymentView) -> AnyView {
    if v.revisions.is_empty() {
        return view! { <Empty title="Nothing was applied here by way of a change"><p>"Whoever made it did so past the console. Update it to bring it under approval."</p></Empty> }.into_any();
    }
    let base = v.live.key.path();
    let may = v.may_change;
    let rows = v
        .revisions
        .iter()
        .map(|r: &AppliedRevision| {
            let what = if r.differences.is_empty() {
                "first known".into_any()
            } else {
                let n = r.differences.len();
                view! { <details class="gh-details"><summary>{format!("{n} fields")}</summary><DiffTable changes=r.differences.clone() before="Before" after="Then" /></details> }.into_any()
            };
            let act = if r.current {
                view! { <Label tone=Tone::Good text="approved now" /> }.into_any()
            } else if may {
                view! { <a class="pf-v6-c-button pf-m-secondary pf-m-small" href=format!("{base}/rollback/{}", r.revision)>"Roll back to this"</a> }.into_any()
            } else {
                ().into_any()
            };
            row(vec![
                ("Applied", r.applied_at.map_or_else(|| known(None), |t| view! { <When at=t exact=true /> }.into_any())),
                ("Change", view! { <a href=format!("/changes/{}", r.change)>{r.kind.name()}</a> }.into_any()),
                ("By", r.by.clone().into_any()),
                ("Comment", r.comment.clone().into_any()),
                ("Hash", view! { <code>{r.hash.short().to_owned()}</code> }.into_any()),
                ("What", what),
                ("Go back", act),
            ])
        })
        .collect();
    card(
        "Applied revisions, newest first",
        table(
            "Applied revisions",
            &[
                "Applied", "Change", "By", "Comment", "Hash", "What", "Go back",
            ],
            rows,
        ),
    )
}

fn pods(v: &DeploymentView) -> AnyView {
    let pods: Vec<AnyView> = v.live.pods.iter().map(pod).collect();
    let events: Vec<AnyView> = v
        .live
        .events
        .iter()
        .cloned()
        .map(|e| {
            let tone = if e.kind == "Warning" {
                Tone::Warn
            } else {
                Tone::Quiet
            };
            row(vec![
                (
                    "Last",
                    e.last
                        .map_or_else(|| known(None), |t| view! { <When at=t /> }.into_any()),
                ),
                ("Kind", view! { <Label tone=tone text=e.kind /> }.into_any()),
                (
                    "About",
                    format!("{} {}", e.object_kind, e.object_name).into_any(),
                ),
                ("Reason", e.reason.into_any()),
                ("Message", e.message.into_any()),
                ("Times", e.count.to_string().into_any()),
            ])
        })
        .collect();
    view! {
        {card("Pods", if pods.is_empty() { view! { <p class="gh-muted">"There are no pods."</p> }.into_any() } else { table("Pods", &["Pod", "Phase", "Node", "Containers", "Created"], pods) })}
        {card("Events", if events.is_empty() { view! { <p class="gh-muted">"The cluster has no events about it; it keeps them for about an hour."</p> }.into_any() } else { table("Events", &["Last", "Kind", "About", "Reason", "Message", "Times"], events) })}
    }
    .into_any()
}

fn pod(p: &Pod) -> AnyView {
    let waits: Vec<String> = p
        .conditions
        .iter()
        .filter(|c| c.status != "True" && !c.message.is_empty())
        .map(|c| c.message.clone())
        .collect();
    let containers: Vec<AnyView> = p.containers.iter().map(container).collect();
    row(vec![
        ("Pod", p.name.clone().into_any()),
        ("Phase", view! { {p.phase.clone()}{waits.into_iter().map(|w| view! { <div class="gh-muted">{w}</div> }).collect_view()} }.into_any()),
        ("Node", p.node.clone().unwrap_or_else(|| "none yet".into()).into_any()),
        ("Containers", view! { <ul role="list">{containers}</ul> }.into_any()),
        ("Created", p.created_at.map_or_else(|| known(None), |t| view! { <When at=t /> }.into_any())),
    ])
}

fn container(c: &Container) -> AnyView {
    let state = match (&c.reason, c.ready) {
        (r, _) if !r.is_empty() => format!("{} ({r})", c.state),
        (_, true) => "ready".into(),
        _ => c.state.clone(),
    };
    let exit = c.last_exit.clone().map(|e| view! { <div class="gh-muted">{format!("Ended with exit code {} {}", e.code, e.message)}</div> });
    view! { <li>{format!("{}: {state}, {} restarts", c.name, c.restarts)}{exit}<div class="gh-muted gh-hash">{c.image.clone()}</div></li> }.into_any()
}

fn changes(v: &DeploymentView) -> AnyView {
    let object = format!("deployment:{}", v.live.key);
    let all = v.history.clone();
    let list = if all.is_empty() {
        view! { <p class="gh-muted">"No change was asked for here."</p> }.into_any()
    } else {
        table(
            "Changes",
            &["Change", "Where", "Requester", "Purpose", "State", "Asked"],
            vec![change_rows(all, true).into_any()],
        )
    };
    view! {
        {card("Changes, newest first", list)}
        <p><a href=format!("/audit?object={}", crate::query::percent(&object))>"The story of this deployment in the audit log"</a></p>
    }
    .into_any()
}
