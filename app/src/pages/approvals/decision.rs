//! The page of one change: everything a decision needs, and the decision itself.

use super::{place, state_words, title};
use crate::{components::*, load::load, pages::catalog::fact_words, query::Query};
use domain::{change::*, ids::ChangeId};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::changes::{ChangeView, DecisionView};

#[component]
pub fn ChangePage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    // News of a page that shows an earlier revision must not put the later one under a hand that is
    // about to decide.
    let shown = Query::current()
        .get("shown")
        .and_then(|n| n.parse::<i32>().ok());
    load(
        |s, c| async move {
            let id: ChangeId = id.parse()?;
            let cursor = s.changes.mark(&c, id).await?;
            let view = s.changes.get(&c, id).await?;
            s.changes.seen_by(&c, id).await?;
            Ok((view, cursor))
        },
        move |(v, cursor)| {
            let change = v.change.clone();
            let edited = shown.is_some_and(|n| n != v.revision.number);
            let fragment = body(&v);
            let decide = (!edited).then(|| decide_form(&v));
            let crumbs = vec![Crumb::new("Approvals", "/approvals")];
            view! {
                <PageHeader title=title(&change) crumbs=crumbs
                    subtitle=view! { {place(&change.place)}" · "{change.place.scope.unit.clone()}" · "{change.place.scope.environment.clone()} }.into_any()
                    actions=view! { <span class="gh-contents" data-live="change#actions">{actions(&v)}</span> }.into_any() />
                <section class="pf-v6-c-page__main-section gh-stack">
                    <FormAlert />
                    <div data-live=format!("change:{}", change.id) class="gh-stack">{standing(&v)}</div>
                    <div class="gh-stack gh-when-any" data-live="change#edited" role="status">{edited.then(|| edited_since(&v))}</div>
                    <div class="gh-stack gh-when-any" data-live="change#decide">{decide}</div>
                    {fragment}
                </section>
                <Live topic=format!("change:{}", change.id) cursor=cursor shown=format!("shown={}", v.revision.number) />
                {v.undo_until.map(|_| view! { <crate::islands::Countdown /> })}
            }
        },
    )
}

fn actions(v: &ChangeView) -> impl IntoView + use<> {
    let id = v.change.id;
    let key = domain::place::DeploymentKey::new(
        &v.change.place.cluster_name,
        &v.change.place.namespace,
        &v.change.object.name,
    );
    view! {
        {v.may_edit.then(|| view! {
            <form method="post" action="/deploy"><Hidden name="change" value=id.to_string() /><Submit text="Edit" kind="secondary" /></form>
        })}
        {v.may_withdraw.then(|| view! {
            <form method="post" action=format!("/changes/{id}/withdraw")><Submit text="Withdraw" kind="secondary" /></form>
        })}
        <a class="pf-v6-c-button pf-m-link" href=key.path()>"Deployment"</a>
        <a class="pf-v6-c-button pf-m-link" href=format!("/audit?object=change:{id}")>"Audit"</a>
        {v.next.map(|n| view! { <a class="pf-v6-c-button pf-m-link" data-key="n" href=format!("/changes/{n}")>"Next waiting"</a> })}
    }
}

/// Where it stands: state, hold, items, who else looks.
fn standing(v: &ChangeView) -> impl IntoView + use<> {
    let c = &v.change;
    let reason = c.end_reason.clone();
    let now = v.now;
    let undo = v.undo_until.map(|until| {
        let id = c.id;
        view! {
            <form method="post" action=format!("/changes/{id}/undo") class="gh-inline">
                <p>"Your decision takes effect "{hold(until, now)}"; it can be undone until then."</p>
                <Submit text="Undo" kind="secondary" id="undo" key="u" />
            </form>
            <noscript><p class="gh-muted">"Load the page again to see what came of it."</p></noscript>
        }
    });
    let items: Vec<Item> = v
        .items
        .iter()
        .filter(|i| i.revision == v.revision.id)
        .cloned()
        .collect();
    view! {
        <div class=standing_class(change_tone(c.state))>
            <p><Label tone=change_tone(c.state) text=state_words(c.state) />
                {v.open.clone().map(|o| view! { " "<span>{format!("Waits for {} × {}", o.missing, o.stage.role.name())}</span> })}
                {(c.state == ChangeState::Waiting).then(|| { let at = c.expires_at; view! { <span class="gh-muted">" · expires "<When at=at /></span> } })}
            </p>
            {reason.map(|r| view! { <p>{r}</p> })}
            {undo}
            {(!v.open_by.is_empty()).then(|| view! { <p class="gh-muted">{format!("Also open at: {}", v.open_by.join(", "))}</p> })}
            {items.into_iter().map(|i| view! {
                {i.message.map(|m| view! { <p>{m}</p> })}
                {i.applied_at.map(|t| view! { <p class="gh-muted">"Applied and read back "<When at=t />{i.applied_generation.map(|g| format!(" · generation {g}"))}</p> })}
            }).collect_view()}
        </div>
    }
}

/// When a decision takes effect: by the clock, which the browser turns into a countdown.
fn hold(until: domain::Micros, now: domain::Micros) -> impl IntoView {
    let left = (until.since(now) / 1000).max(0);
    let exactly = until.in_zone(&crate::load::zone());
    view! { <time role="timer" datetime=until.rfc3339() title=exactly.clone() data-left=left.to_string()>{format!("at {exactly}")}</time> }
}

/// What is said on a page whose content is no longer what would be decided.
fn edited_since(v: &ChangeView) -> AnyView {
    let (id, number, by) = (v.change.id, v.revision.number, v.author.clone());
    view! {
        <Alert tone=Tone::Warn title="The change was edited after this page was shown">
            <p>{format!("Revision {number} by {by} is not what you see below. ")}
                <a href=format!("/changes/{id}")>{format!("Show revision {number}")}</a></p>
        </Alert>
    }
    .into_any()
}

fn decide_form(v: &ChangeView) -> impl IntoView + use<> {
    if v.change.state != ChangeState::Waiting {
        return ().into_any();
    }
    let id = v.change.id;
    match &v.cannot {
        Some(why) => alert(Tone::Info, "You cannot decide this change", why.sentence()),
        None => view! {
            <form method="post" action=format!("/changes/{id}/decide") class="pf-v6-c-form gh-decide" id="decide">
                <Hidden name="revision" value=v.revision.number.to_string() />
                <Hidden name="hash" value=v.revision.content_hash.to_string() />
                <TextArea name="reason" label="Reason" rows=2 required=true key="r" help="It stays with the decision as evidence." />
                <div class="gh-actions">
                    <Submit text="Approve" kind="primary" name="outcome" value="approve" id="approve" key="a" />
                    <Submit text="Reject" kind="danger" name="outcome" value="reject" id="reject" key="x" />
                </div>
            </form>
        }
        .into_any(),
    }
}

fn body(v: &ChangeView) -> impl IntoView + use<> {
    let deleting = v.revision.content.action == domain::content::Action::Delete;
    let difference = view! {
        <div id="difference"><DiffTable changes=v.differences.clone() before="Live then" after="Asked for" /></div>
        <details class="gh-details"><summary>"As text"</summary><DiffText lines=v.difference_text.clone() /></details>
        <details class="gh-details"><summary>"The whole content"</summary><Code text=v.content_yaml.clone() label="Content as YAML" /></details>
    };
    view! {
        <div class="gh-stack gh-when-any" data-live="change#moved">{(!v.live_moved.is_empty()).then(|| alert(
            Tone::Warn,
            "The live object has changed since this was asked for",
            format!("{}. It cannot be approved like this: the requester edits it, so that it begins from what runs now.", v.live_moved.join(", ")),
        ))}</div>
        <div class="gh-columns">{card("Request", request(v))}{card("Facts", facts(&v.revision.seen))}</div>
        {v.since_my_approval.clone().map(|(hash, changes)| card(
            format!("Since you last approved this deployment ({})", hash.short()),
            view! { <DiffTable changes=changes before="You approved" after="Now asked for" /> },
        ))}
        {card(if deleting { "What would be deleted" } else { "Difference from live" }, difference)}
        {card("What it leads to when it runs", closure(&v.revision.content.closure))}
        <div data-live="change#decisions">{card("Decisions", decisions(v))}</div>
    }
}

fn request(v: &ChangeView) -> AnyView {
    let (usage, r) = (&v.change.usage, &v.revision);
    let attested = |a: &Option<Attested>| known(a.as_ref().map(|a| a.value.clone()));
    let (asked, comment) = (v.change.created_at, r.comment.clone());
    terms(vec![
        ("Requester", v.requester.clone().into_any()),
        ("Asked", view! { <When at=asked exact=true /> }.into_any()),
        ("Purpose", usage.purpose.clone().into_any()),
        ("Owner", usage.owner.clone().into_any()),
        ("Risk tier", attested(&usage.risk_tier)),
        ("Data class", attested(&usage.data_class)),
        ("Exposure", attested(&usage.exposure)),
        (
            "Comment",
            if comment.is_empty() {
                view! { <span class="gh-muted">"none"</span> }.into_any()
            } else {
                comment.into_any()
            },
        ),
        (
            "Revision",
            format!("{} by {}", r.number, v.author).into_any(),
        ),
        (
            "Content hash",
            view! { <code class="gh-hash">{r.content_hash.to_string()}</code> }.into_any(),
        ),
    ])
}

/// Facts about the digest, what the checks said, and the effect on quota.
pub fn facts(seen: &Seen) -> AnyView {
    let facts: Vec<AnyView> = seen
        .facts
        .iter()
        .cloned()
        .map(|f| {
            let tone = match f.state.as_str() {
                "pass" => Tone::Good,
                "fail" => Tone::Bad,
                "stale" => Tone::Warn,
                _ => Tone::Quiet,
            };
            let seen = f.observed_at.map(|t| view! { <span class="gh-muted">" (seen "<When at=t />")"</span> });
            view! { <li><strong>{fact_words(&f.kind).to_owned()}</strong>" "<Label tone=tone text=f.state.replace('-', " ") /><div>{f.summary}{seen}</div></li> }.into_any()
        })
        .collect();
    view! { <ul class="gh-facts" role="list">{facts}</ul>{findings(&seen.findings)}{quota(&seen.quota)} }.into_any()
}

/// The effect on quota as a table; nothing where there is no quota.
pub fn quota(effects: &[QuotaEffect]) -> AnyView {
    if effects.is_empty() {
        return ().into_any();
    }
    let as_of =
        effects.iter().filter_map(|q| q.as_of).min().map(
            |t| view! { <p class="gh-muted">"Usage as the cluster told it "<When at=t /></p> },
        );
    let rows = effects
        .iter()
        .cloned()
        .map(|q| {
            let over = q
                .exceeded
                .then(|| view! { " "<Label tone=Tone::Bad text="over" /> });
            row(vec![
                ("Resource", q.resource.into_any()),
                ("Quota", q.quota.into_any()),
                ("Now", q.used.into_any()),
                ("After", view! { {q.after}{over} }.into_any()),
                ("Limit", q.hard.into_any()),
            ])
        })
        .collect();
    view! { <h3>"Effect on quota"</h3>{table("Effect on quota", &["Resource", "Quota", "Now", "After", "Limit"], rows)}{as_of} }.into_any()
}

/// What the object leads to when it runs.
pub fn closure(c: &domain::content::Closure) -> AnyView {
    let one = |p: &domain::content::Pinned| {
        format!(
            "{} {}",
            p.reference,
            p.digest
                .as_ref()
                .map(|d| d.short().to_owned())
                .unwrap_or_default()
        )
    };
    let runtimes: Vec<String> = c.runtimes.iter().map(one).collect();
    let runtime = (!runtimes.is_empty()).then(|| runtimes.join(", "));
    terms(vec![
        ("Runtime", known(runtime)),
        ("Images", pins(&c.images)),
        ("Storage", pins(&c.storage)),
    ])
}

fn pins(pins: &[domain::content::Pinned]) -> AnyView {
    if pins.is_empty() {
        return "none".into_any();
    }
    let items: Vec<AnyView> = pins
        .iter()
        .cloned()
        .map(|p| {
            let why = p.unpinned_because.map(|w| view! { " "<Label tone=Tone::Warn text="not pinned" />" "<span class="gh-muted">{w}</span> });
            view! { <li><code class="gh-hash">{p.reference}</code>{why}</li> }.into_any()
        })
        .collect();
    view! { <ul role="list">{items}</ul> }.into_any()
}

fn decisions(v: &ChangeView) -> AnyView {
    if v.decisions.is_empty() {
        return view! { <p>"Nobody has decided yet."</p> }.into_any();
    }
    let current = v.revision.number;
    let rows = v
        .decisions
        .iter()
        .cloned()
        .map(
            |DecisionView {
                 decision: d,
                 by,
                 revision_number,
             }| {
                let (tone, word) = match (d.counts(), d.outcome) {
                    (false, _) if d.undone_at.is_some() => (Tone::Quiet, "undone"),
                    (false, _) if revision_number == current => (Tone::Quiet, "void: asked again"),
                    (false, _) => (Tone::Quiet, "void: edited since"),
                    (true, Outcome::Approve) => (Tone::Good, "approved"),
                    (true, Outcome::Reject) => (Tone::Bad, "rejected"),
                };
                row(vec![
                    ("By", by.into_any()),
                    (
                        "Decision",
                        view! { <Label tone=tone text=word /> }.into_any(),
                    ),
                    ("As", d.role.name().into_any()),
                    ("Reason", d.reason.into_any()),
                    (
                        "When",
                        view! { <When at=d.decided_at exact=true /> }.into_any(),
                    ),
                    ("Revision", revision_number.to_string().into_any()),
                ])
            },
        )
        .collect();
    table(
        "Decisions",
        &["By", "Decision", "As", "Reason", "When", "Revision"],
        rows,
    )
}
