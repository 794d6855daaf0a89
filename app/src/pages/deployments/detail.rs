//! One deployment: what it does in plain words, what was approved, who changed it last and what.

use super::{
    age, awaited,
    calls::calls,
    gone, key_of_address,
    standing::{standing, way_back},
    story,
};
use crate::{
    components::*,
    load::load,
    pages::approvals::{closure, rows as change_rows},
    query::Query,
};
use domain::observed::{Condition, Container, Pod};
use leptos::prelude::*;
use services::deployments::{AppliedRevision, Back, DeploymentView, Found};

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
    let query = Query::current();
    let tab = query.get("tab").unwrap_or_default().to_owned();
    let back = back(&query, &tab);
    let at = key.clone();
    load(
        |s, c| async move {
            let cursor = s.deployments.cursor().to_string();
            Ok((s.deployments.find(&c, &key, &back).await?, cursor))
        },
        move |(found, cursor)| match found {
            Found::There(v) => page(&v, tab, cursor),
            Found::Gone(v) => gone::page(*v, cursor),
            Found::Awaited(asked) => awaited::page(&at, asked, cursor),
        },
    )
}

/// How far back the address looks: each list is paged on its tab, and where both stand on one page
/// (of a deployment that is gone) that of the changes by `after`, that of the revisions by `revisions`.
fn back(query: &Query, tab: &str) -> Back {
    let get = |name: &str| query.get(name).map(str::to_owned);
    if tab == "revisions" {
        Back {
            revisions: get("after"),
            changes: None,
        }
    } else {
        Back {
            revisions: get("revisions"),
            changes: get("after"),
        }
    }
}

fn page(v: &DeploymentView, tab: String, cursor: String) -> AnyView {
    let key = v.live.key.clone();
    let topic = format!("deployment:{key}");
    let base = key.path();
    let content = match tab.as_str() {
        "revisions" => revisions(v),
        "pods" => pods(v),
        "changes" => changes(v),
        "yaml" => card(
            "The object as the cluster has it",
            view! { <Code text=v.yaml.clone() label="YAML" /> },
        ),
        _ => overview(v),
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
            actions=view! { <span class="gh-contents" data-live=format!("{topic}#actions")>{actions(v)}</span> }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <div class="gh-stack" data-live=topic.clone()>{standing(v)}{way_back(v)}</div>
            <nav class="pf-v6-c-tabs gh-tabs" aria-label="Parts of this deployment"><ul class="pf-v6-c-tabs__list" role="list">{tabs}</ul></nav>
            <div class="gh-stack" data-live=format!("{topic}#{tab}")>{content}</div>
        </section>
        <Live topic=topic cursor=cursor />
    }
    .into_any()
}

fn actions(v: &DeploymentView) -> AnyView {
    let key = v.live.key.clone();
    let base = key.path();
    let stopped = v.explanation.code == domain::state::Code::Stopped;
    let (may_change, may_stop) = (v.may_change, v.may_stop);
    view! {
        {may_change.then(|| view! {
            <form method="post" action="/deploy"><Hidden name="deployment" value=key.to_string() /><Submit text="Update" kind="secondary" /></form>
            <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/scale")>"Scale"</a>
        })}
        {(may_stop && !stopped).then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/stop")>"Stop"</a> })}
        {(may_change && stopped).then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href=format!("{base}/start")>"Start"</a> })}
        {may_change.then(|| view! { <a class="pf-v6-c-button pf-m-link pf-m-danger" href=format!("{base}/delete")>"Delete"</a> })}
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
    let revisions: Vec<AnyView> = view
        .traffic()
        .into_iter()
        .map(|t| {
            let tag = t.tag.map(|tag| format!(" ({tag})")).unwrap_or_default();
            view! { <li>{format!("{}{tag}: {} %", t.revision, t.percent)}</li> }.into_any()
        })
        .collect();
    let conditions = conditions(view.conditions());
    let open: Vec<_> = v.open_changes.clone();
    view! {
        {(!open.is_empty()).then(|| card("Changes on their way", table("Changes on their way", &["Change", "Where", "Requester", "Purpose", "State", "Asked"], vec![change_rows(open, true).into_any()])))}
        <div class="gh-columns">
            {card("What it is", view! { {facts}{calls(&v.endpoints)} })}
            {card("Conditions", conditions)}
        </div>
        {(!routes.is_empty()).then(|| card("Traffic as the routes really have it", view! { <ul role="list">{routes}</ul> }))}
        {(!revisions.is_empty()).then(|| card("Traffic between revisions, as the status says", view! { <ul role="list">{revisions}</ul> }))}
        {v.closure.as_ref().map(|c| card("Approved to lead to", view! { {closure(c)}{uncompared(v)} }))}
    }
    .into_any()
}

/// What nobody can compare with what runs, and why.
fn uncompared(v: &DeploymentView) -> Option<AnyView> {
    let all: Vec<AnyView> = v
        .uncompared
        .iter()
        .cloned()
        .map(|u| {
            view! { <li><code class="gh-hash">{u.reference}</code>{format!(": {}", u.why)}</li> }
                .into_any()
        })
        .collect();
    (!all.is_empty()).then(|| {
        view! { <p class="gh-muted">"Cannot be compared with what runs:"</p><ul role="list">{all}</ul> }.into_any()
    })
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
    let rows = revision_rows(&v.revisions, &v.live.key.path(), v.may_change);
    let (next, shown) = (v.older_revisions.clone(), v.revisions.len());
    card(
        "Applied revisions, newest first",
        view! { {rows}<Pager next=next shown=shown /> },
    )
}

/// Applied revisions as a table; `may`: offers to go back to those that were approved and are not live.
pub fn revision_rows(revisions: &[AppliedRevision], base: &str, may: bool) -> AnyView {
    let rows = revisions
        .iter()
        .map(|r: &AppliedRevision| {
            let what = if r.differences.is_empty() {
                if r.number == 1 { "the first" } else { "no field" }.into_any()
            } else {
                let n = match r.differences.len() {
                    1 => "1 field".to_owned(),
                    n => format!("{n} fields"),
                };
                view! { <details class="gh-details"><summary class="gh-nowrap">{n}</summary><DiffTable changes=r.differences.clone() before="Before" after="Then" /></details> }.into_any()
            };
            let current = r.current.then(|| view! { <Label tone=Tone::Good text="approved now" />" " });
            let back = (may && r.can_be_gone_back_to()).then(|| view! { <a class="pf-v6-c-button pf-m-secondary pf-m-small" href=format!("{base}/rollback/{}", r.revision)>"Roll back to this"</a> });
            row(vec![
                ("Revision", r.number.to_string().into_any()),
                ("Applied", r.applied_at.map_or_else(|| known(None), |t| view! { <When at=t exact=true /> }.into_any())),
                ("Change", view! { <a href=format!("/changes/{}", r.change)>{r.kind.name()}</a> }.into_any()),
                ("By", r.by.clone().into_any()),
                ("Approved by", approvers(r).into_any()),
                ("Comment", r.comment.clone().into_any()),
                ("Hash", view! { <code>{r.hash.short().to_owned()}</code> }.into_any()),
                ("What", what),
                ("Go back", view! { {current}{back} }.into_any()),
            ])
        })
        .collect();
    table(
        "Applied revisions",
        &[
            "Revision",
            "Applied",
            "Change",
            "By",
            "Approved by",
            "Comment",
            "Hash",
            "What",
            "Go back",
        ],
        rows,
    )
}

/// Whose approvals count for it; what needed none has nobody's.
fn approvers(r: &AppliedRevision) -> String {
    if r.approved_by.is_empty() {
        "nobody".to_owned()
    } else {
        r.approved_by.join(", ")
    }
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
    let mut waits: Vec<String> = p
        .conditions
        .iter()
        .filter(|c| c.status != "True" && !c.message.is_empty())
        .map(|c| c.message.clone())
        .collect();
    waits.dedup();
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
    let all = v.history.clone();
    let (next, shown) = (v.older_changes.clone(), all.len());
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
        {card("Changes, newest first", view! { {list}<Pager next=next shown=shown /> })}
        {story(&v.live.key)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_paged_by_its_own_part_of_the_address() {
        let query = |pairs: &[(&str, &str)]| {
            let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            Query::of(pairs.iter().map(owned).collect())
        };
        let turned = back(&query(&[("tab", "revisions"), ("after", "a")]), "revisions");
        assert_eq!(
            (turned.revisions.as_deref(), turned.changes),
            (Some("a"), None)
        );
        let turned = back(&query(&[("tab", "changes"), ("after", "a")]), "changes");
        assert_eq!(
            (turned.revisions, turned.changes.as_deref()),
            (None, Some("a"))
        );
        // One that is gone shows both lists on one page.
        let turned = back(&query(&[("revisions", "r"), ("after", "a")]), "");
        assert_eq!(
            (turned.revisions.as_deref(), turned.changes.as_deref()),
            (Some("r"), Some("a"))
        );
    }
}
