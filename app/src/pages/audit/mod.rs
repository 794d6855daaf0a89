//! The audit log: who did what, on what, why, when, and how it ended.

use crate::{
    components::*,
    load::{load, refuse_filter},
    query::{Query, percent},
};
use domain::{
    Micros,
    ids::{ChangeId, PersonId},
    page::Page,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::audit::About;
use services::ports::{AuditFilter, Phase, Record, RecordOutcome, StoredCheckpoint};
use std::collections::BTreeMap;

/// Actions that people look for, with words.
const ACTIONS: [(&str, &str); 12] = [
    ("", "Everything"),
    ("change.", "All about changes"),
    ("change.submit", "Asked for"),
    ("change.approve", "Approved"),
    ("change.reject", "Rejected"),
    ("item.apply", "Applied to a cluster"),
    ("session.", "Sign-ins and sign-outs"),
    ("denied.", "Denials"),
    ("registry.", "Registries"),
    ("audit.export", "Exports"),
    ("change.undo", "Undone"),
    ("change.withdraw", "Withdrawn"),
];

/// The filter of an address. Errors: a date that is none, an end before its beginning, an outcome that is
/// none.
pub fn filter_of(query: &Query) -> domain::Result<AuditFilter> {
    let date = |name: &str, end: bool| -> domain::Result<Option<Micros>> {
        let Some(text) = query.get(name) else {
            return Ok(None);
        };
        let full = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        let at = Micros::parse(&full).ok_or_else(|| {
            domain::Error::field(
                name,
                format!("“{text}” is no date; write it as 2026-11-24."),
            )
        })?;
        Ok(Some(if end && text.len() == 10 {
            at.plus(Micros::DAY)
        } else {
            at
        }))
    };
    let outcome = match query.get("outcome") {
        None => None,
        Some("success") => Some(RecordOutcome::Success),
        Some("failure") => Some(RecordOutcome::Failure),
        Some("denied") => Some(RecordOutcome::Denied),
        Some("unknown") => Some(RecordOutcome::Unknown),
        Some(other) => {
            return Err(domain::Error::field(
                "outcome",
                format!("“{other}” is no outcome: success, failure, denied or unknown."),
            ));
        }
    };
    // A link names a person by id; who types, by name.
    let (person, who) = match query
        .get("person")
        .map(|text| (text.parse::<PersonId>(), text))
    {
        None => (None, None),
        Some((Ok(id), _)) => (Some(id), None),
        Some((Err(_), text)) => (None, Some(text.to_owned())),
    };
    let change = match query
        .get("change")
        .map(|text| (text.trim().parse::<ChangeId>(), text))
    {
        None => None,
        Some((Ok(id), _)) => Some(id),
        Some((Err(_), text)) => {
            return Err(domain::Error::field(
                "change",
                format!("“{text}” is no change; it is the last part of a change’s address."),
            ));
        }
    };
    let (from, until) = (date("from", false)?, date("until", true)?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        let text = |name: &str| query.get(name).unwrap_or_default();
        return Err(domain::Error::field(
            "from",
            format!(
                "No time lies from “{}” until “{}”: exchange the two, or empty one of them.",
                text("from"),
                text("until")
            ),
        ));
    }
    Ok(AuditFilter {
        person,
        who,
        action: query.get("action").map(str::to_owned),
        object: query.get("object").map(str::to_owned),
        unit: query.get("unit").map(str::to_owned),
        change,
        outcome,
        from,
        until,
        ..Default::default()
    })
}

#[component]
pub fn AuditPage() -> impl IntoView {
    let query = Query::current();
    let after = query.get("after").map(str::to_owned);
    let filter = filter_of(&query).inspect_err(refuse_filter).ok();
    load(
        move |s, c| async move {
            let page = match filter {
                Some(filter) => s.audit.list(&c, &filter, after.as_deref(), 50).await?,
                None => Page::empty(),
            };
            let behalf = s.audit.changes_of(&page.rows).await?;
            Ok((page, behalf, s.audit.reads_all(&c)))
        },
        move |(page, behalf, all)| {
            let shown = page.rows.len();
            let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
            let outcomes = [
                ("", "Any"),
                ("success", "Success"),
                ("failure", "Failure"),
                ("denied", "Denied"),
                ("unknown", "Unknown"),
            ]
            .map(|(v, w)| (v.to_owned(), w.to_owned()))
            .to_vec();
            let actions = ACTIONS.map(|(v, w)| (v.to_owned(), w.to_owned())).to_vec();
            let rows: Vec<AnyView> = page
                .rows
                .iter()
                .map(|r| line(r, about(r, &behalf)))
                .collect();
            let export = format!("/audit/export{}", query.with("after", ""));
            let evidence = format!("/audit/evidence{}", query.with("after", ""));
            view! {
                <PageHeader title="Audit"
                    subtitle=if all { "Every record that concerns what you may see, newest first.".into_any() } else { "What you did yourself; auditors and security engineers see more.".into_any() }
                        actions=view! {
                        <a class="pf-v6-c-button pf-m-secondary" href=evidence>"Export with proof"</a>
                        <a class="pf-v6-c-button pf-m-secondary" href=export>"Export as JSON Lines"</a>
                    }.into_any() />
                <section class="pf-v6-c-page__main-section gh-stack">
                    <FormAlert />
                    <form method="get" class="gh-filter" role="search">
                        <SelectField name="action" label="What" options=actions value=get("action") />
                        <SelectField name="outcome" label="Outcome" options=outcomes value=get("outcome") />
                        <TextField name="object" label="Object" value=get("object") help="such as deployment:onprem-1/retail-dev/llama" />
                        <TextField name="person" label="Who" value=get("person") help="a name or a user name" />
                        <TextField name="unit" label="Business unit" value=get("unit") help="with those below it" />
                        <TextField name="change" label="Change" value=get("change") help="the last part of its address" />
                        <TextField name="from" label="From" kind="date" value=get("from") />
                        <TextField name="until" label="Until" kind="date" value=get("until") />
                        <Submit text="Show" kind="secondary" />
                    </form>
                    {if rows.is_empty() {
                        view! { <Empty title="No record matches"><p><a href="/audit">"Show all"</a></p></Empty> }.into_any()
                    } else {
                        table("Records", &["When", "Who", "What", "Object", "Outcome", "Why", "Record"], rows)
                    }}
                    <Pager next=page.next shown=shown />
                </section>
            }
        },
    )
}

fn outcome_label(r: &Record) -> AnyView {
    match (r.record.phase, r.record.outcome) {
        (Phase::Intent, _) => view! { <Label tone=Tone::Info text="intent" /> }.into_any(),
        (_, Some(RecordOutcome::Success)) => {
            view! { <Label tone=Tone::Good text="success" /> }.into_any()
        }
        (_, Some(RecordOutcome::Failure)) => {
            view! { <Label tone=Tone::Bad text="failure" /> }.into_any()
        }
        (_, Some(RecordOutcome::Denied)) => {
            view! { <Label tone=Tone::Bad text="denied" /> }.into_any()
        }
        (_, Some(RecordOutcome::Unknown) | None) => {
            view! { <Label tone=Tone::Warn text="unknown" /> }.into_any()
        }
    }
}

/// What the record's change is about.
fn about<'a>(r: &Record, all: &'a BTreeMap<ChangeId, About>) -> Option<&'a About> {
    all.get(&r.record.change?)
}

/// Who did it.
fn actor(r: &Record, about: Option<&About>) -> String {
    let requester = about.and_then(|a| a.requester.as_deref());
    match (&r.record.actor, requester) {
        (Some(a), _) => a.name.clone(),
        (None, Some(name)) if r.record.action.starts_with("item.") => {
            format!("the console, for {name}")
        }
        (None, _) => "the console".to_owned(),
    }
}

fn line(r: &Record, about: Option<&About>) -> AnyView {
    let n = &r.record;
    let who = actor(r, about);
    // A change is known by its deployment.
    let named = about
        .filter(|_| n.object.starts_with("change:"))
        .map(|a| view! { <div class="gh-muted gh-small gh-hash">{a.deployment.to_string()}</div> });
    let object = n.object.clone();
    let (at, seq) = (n.at, r.seq);
    row(vec![
        ("When", view! { <When at=at exact=true /> }.into_any()),
        ("Who", view! { <div class="gh-who">{who}</div> }.into_any()),
        ("What", n.action.clone().into_any()),
        ("Object", view! { <a class="gh-clip" href=format!("/audit?object={}", percent(&object)) title=object.clone()>{object.clone()}</a>{named} }.into_any()),
        ("Outcome", outcome_label(r)),
        ("Why", n.reason.clone().unwrap_or_default().into_any()),
        ("Record", view! { <a href=format!("/audit/{seq}")>{format!("#{seq}")}</a> }.into_any()),
    ])
}

#[component]
pub fn RecordPage() -> impl IntoView {
    let seq = use_params_map()
        .get_untracked()
        .get("seq")
        .unwrap_or_default();
    load(
        |s, c| async move {
            let seq: i64 = seq
                .parse()
                .map_err(|_| domain::Error::not_found("there is no such record"))?;
            let (record, bytes) = s.audit.get(&c, seq).await?;
            let behalf = s.audit.changes_of(std::slice::from_ref(&record)).await?;
            let covered = s.checkpoints.covering(seq).await?;
            let key = s.checkpoints.keys().into_iter().next().unwrap_or_default();
            Ok((record, bytes, behalf, covered, key))
        },
        |(r, bytes, behalf, covered, key)| {
            let n = r.record.clone();
            let change = n
                .change
                .map(|c| view! { <a href=format!("/changes/{c}")>{c.to_string()}</a> });
            let detail = if n.detail.is_null() {
                "nothing more".into_any()
            } else {
                view! { <Code text=domain::yaml::to_yaml(&n.detail) label="Detail" /> }.into_any()
            };
            let roles = n.actor.as_ref().map(|a| a.roles.join(", "));
            let list = terms(vec![
                ("When", view! { <When at=n.at exact=true /> }.into_any()),
                (
                    "Who",
                    n.actor
                        .as_ref()
                        .map_or_else(
                            || actor(&r, about(&r, &behalf)),
                            |a| format!("{} ({})", a.name, a.username),
                        )
                        .into_any(),
                ),
                ("Roles then", known(roles)),
                (
                    "Address",
                    known(n.actor.as_ref().and_then(|a| a.address.clone())),
                ),
                (
                    "Session",
                    known(n.actor.as_ref().and_then(|a| a.session.clone())),
                ),
                ("What", n.action.clone().into_any()),
                ("Object", n.object.clone().into_any()),
                ("Outcome", outcome_label(&r)),
                ("Why", known(n.reason.clone())),
                (
                    "Change",
                    change.map_or_else(|| "none".into_any(), |c| c.into_any()),
                ),
                (
                    "Hash of the stored bytes",
                    view! { <code class="gh-hash">{r.hash.to_string()}</code> }.into_any(),
                ),
                ("Detail", detail),
            ]);
            view! {
                <PageHeader title=format!("Record {}", r.seq) crumbs=vec![Crumb::new("Audit", "/audit")] />
                <section class="pf-v6-c-page__main-section gh-stack">
                    {card("What happened", list)}
                    {card("Proof", proof(r.seq, covered.as_ref(), &key))}
                    {card("The exact stored bytes", view! { <Code text=String::from_utf8_lossy(&bytes).into_owned() label="Stored bytes" /> })}
                </section>
            }
        },
    )
}

/// That the record stands in the log, and how that is checked without the console.
fn proof(seq: i64, covered: Option<&StoredCheckpoint>, key: &str) -> AnyView {
    let Some(c) = covered else {
        return view! { <p>"No checkpoint covers this record yet. One is signed within seconds of a record: load the page again."</p> }.into_any();
    };
    let (size, at) = (c.size, c.at);
    let command = format!("gatehouse verify --key '{key}' gatehouse-record-{seq}.jsonl");
    view! {
        <p>{format!("Under the signed checkpoint of {size} records, ")}<When at=at exact=true />". The evidence holds the record's exact bytes and what leads from them to that checkpoint; it is checked offline, with the log's public key alone."</p>
        <p><a class="pf-v6-c-button pf-m-secondary" href=format!("/audit/{seq}/evidence")>"Download the evidence"</a></p>
        <Code text=command label="Command that checks it" />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pairs: &[(&str, &str)]) -> domain::Result<AuditFilter> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        filter_of(&Query::of(pairs.iter().map(own).collect()))
    }

    #[test]
    fn a_person_is_filtered_by_id_or_by_name() {
        let id = "00000000-0000-7000-8000-000000000001";
        let by_id = filter(&[("person", id), ("change", id)]).expect("a filter");
        assert_eq!(by_id.person.map(|p| p.to_string()).as_deref(), Some(id));
        assert_eq!(by_id.change.map(|c| c.to_string()).as_deref(), Some(id));
        assert_eq!(by_id.who, None);
        let by_name = filter(&[("person", "Ada L")]).expect("a filter");
        assert_eq!(
            (by_name.person, by_name.who.as_deref()),
            (None, Some("Ada L"))
        );
        assert!(filter(&[("change", "7")]).is_err());
    }

    #[test]
    fn an_end_before_its_beginning_is_refused_with_both() {
        let e = filter(&[("from", "2026-05-02"), ("until", "2026-05-01")]).expect_err("reversed");
        assert_eq!((e.kind, e.fields.len()), (domain::Kind::Invalid, 1));
        assert!(
            e.message.contains("2026-05-02") && e.message.contains("2026-05-01"),
            "{}",
            e.message
        );
        // A day is whole.
        for until in ["2026-05-02", "2026-05-03"] {
            assert!(filter(&[("from", "2026-05-02"), ("until", until)]).is_ok());
        }
        let hours = [
            ("from", "2026-05-02T10:00:00Z"),
            ("until", "2026-05-02T09:00:00Z"),
        ];
        assert!(filter(&hours).is_err());
    }
}
