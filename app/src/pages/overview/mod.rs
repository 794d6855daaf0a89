//! The landing page: what waits for this person, and what is unhealthy in what they may see.

use crate::{
    components::*,
    load::load,
    pages::{
        approvals::{place, state_words, title},
        deployments::{age, approval_label},
    },
};
use domain::{observed::ClusterHealth, state::Code};
use leptos::prelude::*;
use services::{
    deployments::DeploymentRow,
    overview::OverviewView,
    ports::{ChangeRow, Draft},
};

#[component]
pub fn OverviewPage() -> impl IntoView {
    load(
        |s, c| async move {
            let cursor = s.deployments.cursor().to_string();
            Ok((s.overview.get(&c).await?, cursor))
        },
        |(v, cursor)| page(&v, cursor),
    )
}

fn page(v: &OverviewView, cursor: String) -> AnyView {
    let first = v
        .waiting
        .rows
        .first()
        .map(|r| format!("/changes/{}", r.change.id));
    let waits = match v.waiting_count {
        0 => "Nothing waits for you".to_owned(),
        1 => "1 change waits for you".to_owned(),
        n => format!("{} changes wait for you", counted(n)),
    };
    let bad: usize = v
        .counts
        .iter()
        .filter(|(c, _)| c.unhealthy())
        .map(|(_, n)| n)
        .sum();
    let now = v.now;
    let actions = view! {
        {first.map(|href| view! { <a class="pf-v6-c-button pf-m-primary" id="decide-next" data-key="d" href=href>"Decide next"</a> })}
        {v.may_request.then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href="/catalog">"Deploy a model"</a> })}
    };
    let queue = (v.may_decide || !v.waiting.rows.is_empty()).then(|| queue(v));
    let own = (v.may_request || !v.mine.is_empty() || !v.drafts.is_empty()).then(|| own(v));
    view! {
        <PageHeader title="Overview" subtitle=view! { {format!("{waits} · {bad} not healthy · as of ")}<When at=now exact=true /> }.into_any() actions=actions.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <div class="gh-stack gh-when-any" data-live="overview-away">{away(&v.clusters)}</div>
            {queue}
            <div data-live="overview-unhealthy">{unhealthy(v, bad)}</div>
            {own}
            <div class="gh-columns">
                <div data-live="overview-states">{states(v)}</div>
                <div data-live="overview-clusters">{clusters(&v.clusters)}</div>
            </div>
        </section>
        <Live topic="deployments" cursor=cursor />
    }
    .into_any()
}

/// A card whose title has a link to the whole list beside it.
fn with_link(
    title: &'static str,
    href: &'static str,
    words: &'static str,
    content: AnyView,
) -> AnyView {
    view! { <Card title=title action=view! { <a href=href>{words}</a> }.into_any()>{content}</Card> }.into_any()
}

fn away(clusters: &[ClusterHealth]) -> Vec<AnyView> {
    clusters
        .iter()
        .filter(|c| !c.reachable)
        .cloned()
        .map(|c| {
            let since = c.as_of.map(|t| view! { " What is shown of it was last heard "<When at=t />"." });
            let href = format!("/clusters/{}", c.name);
            alert(Tone::Warn, format!("Cluster {} is away", c.name), view! { <p>{c.problem.map(|p| sentence(&p))}{since}" "<a href=href>"Look at the cluster"</a></p> })
        })
        .collect()
}

fn queue(v: &OverviewView) -> AnyView {
    let content = if v.waiting.rows.is_empty() {
        view! { <p class="gh-muted">"Nothing waits for your decision."</p> }.into_any()
    } else {
        let rows = v
            .waiting
            .rows
            .iter()
            .map(|r| {
                let open = (!r.open_by.is_empty()).then(|| view! { <div class="gh-muted gh-small">{format!("Open at {}", r.open_by.join(", "))}</div> });
                let href = format!("/changes/{}", r.change.id);
                row(vec![
                    ("Change", view! { <a href=href>{title(&r.change)}</a>{open} }.into_any()),
                    ("Where", place(&r.change.place).into_any()),
                    ("Requester", r.requester_name.clone().into_any()),
                    ("Purpose", r.change.usage.purpose.clone().into_any()),
                    ("Asked", view! { <When at=r.change.created_at /> }.into_any()),
                    ("Expires", view! { <When at=r.change.expires_at /> }.into_any()),
                ])
            })
            .collect();
        table(
            "Changes that wait for you, oldest first",
            &[
                "Change",
                "Where",
                "Requester",
                "Purpose",
                "Asked",
                "Expires",
            ],
            rows,
        )
    };
    with_link(
        "Waits for your decision",
        "/approvals",
        "All approvals",
        content,
    )
}

/// What is not well, with the cause in the row itself.
fn unhealthy(v: &OverviewView, bad: usize) -> AnyView {
    if v.unhealthy.is_empty() {
        let total: usize = v.counts.values().sum();
        let words = if total == 0 {
            "There is no deployment that you may see yet."
        } else {
            "Everything that you may see is as it should be."
        };
        return with_link(
            "Not healthy",
            "/deployments",
            "All deployments",
            view! { <p class="gh-muted">{words}</p> }.into_any(),
        );
    }
    let shown = v.unhealthy.len();
    let rows = v
        .unhealthy
        .iter()
        .map(|DeploymentRow { row: r, approval }| {
            let (tone, word) = state_label(r.state);
            let cause = r.cause.clone().unwrap_or_else(|| r.headline.clone());
            row(vec![
                ("Deployment", view! { <a href=r.key.path()>{r.key.name.clone()}</a>" "{approval_label(*approval)} }.into_any()),
                ("State", view! { <Label tone=tone text=word /> }.into_any()),
                ("Why", view! { <span class="gh-cause">{cause}</span> }.into_any()),
                ("Where", format!("{} / {}", r.key.cluster, r.key.namespace).into_any()),
                ("Replicas", format!("{} of {}", r.replicas_ready, r.replicas_desired).into_any()),
                ("As of", age(r.as_of, r.stale)),
            ])
        })
        .collect();
    let more = (bad > shown)
        .then(|| view! { <p><a href="/deployments?unhealthy=1">{format!("All {bad}")}</a></p> });
    with_link(
        "Not healthy",
        "/deployments?unhealthy=1",
        "All that are not healthy",
        view! { {table("Deployments that are not healthy", &["Deployment", "State", "Why", "Where", "Replicas", "As of"], rows)}{more} }.into_any(),
    )
}

fn own(v: &OverviewView) -> AnyView {
    let requests = (!v.mine.is_empty()).then(|| {
        table(
            "Your requests",
            &["Request", "Where", "State", "Asked"],
            v.mine.iter().map(request).collect(),
        )
    });
    let drafts = (!v.drafts.is_empty()).then(|| {
        table(
            "Drafts to resume",
            &["Draft", "Where", "Saved", "Continue"],
            v.drafts.iter().map(draft).collect(),
        )
    });
    let nothing = (requests.is_none() && drafts.is_none()).then(|| {
        view! { <p class="gh-muted">"None is open. Choose a model in the "<a href="/catalog">"catalogue"</a>" to ask for a deployment."</p> }
    });
    let apart = drafts.is_some() && requests.is_some();
    with_link(
        "Your requests and drafts",
        "/requests",
        "All my requests",
        view! { <div class="gh-stack">{requests}{apart.then(|| view! { <h3>"Drafts"</h3> })}{drafts}{nothing}</div> }.into_any(),
    )
}

fn request(r: &ChangeRow) -> AnyView {
    let href = format!("/changes/{}", r.change.id);
    let why = r
        .change
        .end_reason
        .clone()
        .map(|w| view! { <div class="gh-cause">{w}</div> });
    row(vec![
        ("Request", view! { <a href=href>{title(&r.change)}</a> }.into_any()),
        ("Where", place(&r.change.place).into_any()),
        ("State", view! { <Label tone=change_tone(r.change.state) text=state_words(r.change.state) />{why} }.into_any()),
        ("Asked", view! { <When at=r.change.created_at /> }.into_any()),
    ])
}

fn draft(d: &Draft) -> AnyView {
    let href = format!("/deploy/{}/{}", d.id, d.step);
    let target: Vec<&str> = [d.cluster.as_deref(), d.namespace.as_deref()]
        .into_iter()
        .flatten()
        .filter(|t| !t.is_empty())
        .collect();
    row(vec![
        (
            "Draft",
            view! { <a href=href.clone()>{d.title.clone()}</a> }.into_any(),
        ),
        (
            "Where",
            if target.is_empty() {
                view! { <span class="gh-muted">"not chosen"</span> }.into_any()
            } else {
                target.join(" / ").into_any()
            },
        ),
        ("Saved", view! { <When at=d.updated_at /> }.into_any()),
        (
            "Continue",
            view! { <a href=href>{format!("Continue at {}", step_words(&d.step))}</a> }.into_any(),
        ),
    ])
}

fn step_words(step: &str) -> &'static str {
    match step {
        "source" => "Source",
        "target" => "Target",
        "resources" => "Resources",
        "review" => "Review",
        _ => "Use",
    }
}

fn states(v: &OverviewView) -> AnyView {
    let items: Vec<AnyView> = v
        .counts
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(code, n)| {
            let (tone, word) = state_label(*code);
            let href = format!("/deployments?state={}", name(*code));
            view! { <li><a class="gh-count" href=href><strong>{n.to_string()}</strong><span class="gh-inline"><span class=format!("gh-dot gh-dot-{}", tone.word()) aria-hidden="true"></span>{word}</span></a></li> }.into_any()
        })
        .collect();
    let content = if items.is_empty() {
        view! { <p class="gh-muted">"No deployment yet."</p> }.into_any()
    } else {
        view! { <ul class="gh-counts" role="list">{items}</ul> }.into_any()
    };
    with_link(
        "Deployments by state",
        "/deployments",
        "All deployments",
        content,
    )
}

/// A state's name in addresses.
fn name(code: Code) -> String {
    serde_json::to_value(code)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn clusters(clusters: &[ClusterHealth]) -> AnyView {
    let rows = clusters
        .iter()
        .cloned()
        .map(|c| {
            let href = format!("/clusters/{}", c.name);
            let (tone, word) = if c.reachable {
                (Tone::Good, "reachable")
            } else {
                (Tone::Bad, "away")
            };
            row(vec![
                ("Cluster", view! { <a href=href>{c.name}</a> }.into_any()),
                ("State", view! { <Label tone=tone text=word /> }.into_any()),
                ("Deployments", c.deployments.to_string().into_any()),
                (
                    "Last heard",
                    c.as_of
                        .map_or_else(|| known(None), |t| view! { <When at=t /> }.into_any()),
                ),
            ])
        })
        .collect::<Vec<_>>();
    let content = if rows.is_empty() {
        view! { <p class="gh-muted">"No cluster is connected. Clusters are named in the configuration file."</p> }.into_any()
    } else {
        table(
            "Clusters",
            &["Cluster", "State", "Deployments", "Last heard"],
            rows,
        )
    };
    with_link("Clusters", "/clusters", "All clusters", content)
}
