//! Lists of changes.

use super::rows;
use crate::{
    components::*,
    load::{load, refuse_filter},
    query::Query,
};
use domain::{Result, change::ChangeState, page::Page};
use leptos::prelude::*;
use services::{changes::QueueView, ports::ChangeFilter};

const COLUMNS: [&str; 6] = ["Change", "Where", "Requester", "Purpose", "State", "Asked"];

/// What waits for this person, oldest first.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let after = Query::current().get("after").map(str::to_owned);
    load(
        |s, c| async move { s.changes.queue_view(&c, after.as_deref()).await },
        |QueueView { page, count, mark }| {
            let first = page
                .rows
                .first()
                .map(|r| format!("/changes/{}", r.change.id));
            let shown = page.rows.len();
            view! {
                <PageHeader
                    title="Approvals"
                    subtitle=view! { <span data-live="queue#count">{format!("{} waiting for you, oldest first. ", counted(count))}</span><a href="/changes">"All changes"</a> }.into_any()
                    actions=view! { <span class="gh-contents" data-live="queue#next">{first.map(|href| view! { <a class="pf-v6-c-button pf-m-primary" id="decide-next" data-key="d" href=href>"Decide next"</a> })}</span> }.into_any()
                />
                <section class="pf-v6-c-page__main-section" data-live="queue">
                    {if page.rows.is_empty() {
                        view! { <Empty title="Nothing waits for you">
                            <p>"Changes appear here when somebody asks for one where you are an approver. Your own requests are decided by others: "<a href="/requests">"My requests"</a>"."</p>
                        </Empty> }.into_any()
                    } else {
                        view! { <Table caption="Changes that wait for you" columns=COLUMNS.to_vec()>{rows(page.rows, true)}</Table> }.into_any()
                    }}
                    <Pager next=page.next shown=shown />
                </section>
                <Live topic="queue" cursor=mark />
            }
        },
    )
}

/// What this person asked for, newest first.
#[component]
pub fn RequestsPage() -> impl IntoView {
    let after = Query::current().get("after").map(str::to_owned);
    load(
        |s, c| async move {
            let page = s.changes.mine(&c, after.as_deref(), 50).await?;
            let drafts = s.wizard.drafts(&c, None).await?;
            Ok((page, drafts.rows))
        },
        |(page, drafts)| {
            let shown = page.rows.len();
            view! {
                <PageHeader title="My requests" />
                <section class="pf-v6-c-page__main-section gh-stack">
                    {(!drafts.is_empty()).then(|| view! {
                        <Card title="Drafts">
                            <Table caption="Drafts" columns=vec!["Draft", "Where", "Saved", "Discard"]>
                                {drafts.into_iter().map(|d| {
                                    let href = format!("/deploy/{}/{}", d.id, d.step);
                                    view! {
                                        <tr class="pf-v6-c-table__tr">
                                            <th class="pf-v6-c-table__td" scope="row" data-label="Draft"><a href=href>{d.title}</a></th>
                                            <td class="pf-v6-c-table__td" data-label="Where">{[d.cluster, d.namespace].into_iter().flatten().collect::<Vec<_>>().join(" / ")}</td>
                                            <td class="pf-v6-c-table__td" data-label="Saved"><When at=d.updated_at /></td>
                                            <td class="pf-v6-c-table__td" data-label="Discard"><form method="post" action=format!("/deploy/{}/discard", d.id)><Submit text="Discard" kind="link" /></form></td>
                                        </tr>
                                    }
                                }).collect_view()}
                            </Table>
                        </Card>
                    })}
                    {if page.rows.is_empty() {
                        view! { <Empty title="You have asked for nothing yet"><p>"Open a model in the "<a href="/catalog">"catalogue"</a>" and deploy it."</p></Empty> }.into_any()
                    } else {
                        view! { <Table caption="Changes that you asked for" columns=vec!["Change", "Where", "Purpose", "State", "Asked"]>{rows(page.rows, false)}</Table> }.into_any()
                    }}
                    <Pager next=page.next shown=shown />
                </section>
            }
        },
    )
}

/// The filter of an address. Errors: a state that is none.
fn filter_of(query: &Query) -> Result<ChangeFilter> {
    let state = |name: &str| ChangeState::ALL.into_iter().find(|s| s.name() == name);
    Ok(ChangeFilter {
        states: query.each("state", "state of a change", state)?,
        text: query.get("q").map(str::to_owned),
        ..Default::default()
    })
}

/// Every change that the reader may see.
#[component]
pub fn ChangesPage() -> impl IntoView {
    let query = Query::current();
    let after = query.get("after").map(str::to_owned);
    let state = query.get("state").unwrap_or_default().to_owned();
    let text = query.get("q").unwrap_or_default().to_owned();
    let filter = filter_of(&query).inspect_err(refuse_filter).ok();
    load(
        |s, c| async move {
            match filter {
                Some(filter) => s.changes.list(&c, &filter, after.as_deref(), 50).await,
                None => Ok(Page::empty()),
            }
        },
        move |page| {
            let shown = page.rows.len();
            let options = std::iter::once((String::new(), "All states".to_owned()))
                .chain(
                    ChangeState::ALL
                        .into_iter()
                        .map(|s| (s.name().to_owned(), super::state_words(s).to_owned())),
                )
                .collect();
            view! {
                <PageHeader title="Changes" />
                <section class="pf-v6-c-page__main-section gh-stack">
                    <FormAlert />
                    <form method="get" class="gh-filter" role="search">
                        <TextField name="q" label="Name, namespace or purpose" value=text />
                        <SelectField name="state" label="State" options=options value=state />
                        <Submit text="Show" kind="secondary" />
                    </form>
                    {if page.rows.is_empty() {
                        view! { <Empty title="No change matches"><p><a href="/changes">"Show all"</a></p></Empty> }.into_any()
                    } else {
                        view! { <Table caption="Changes" columns=COLUMNS.to_vec()>{rows(page.rows, true)}</Table> }.into_any()
                    }}
                    <Pager next=page.next shown=shown />
                </section>
            }
        },
    )
}
