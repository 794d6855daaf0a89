//! The queue, my requests, all changes, and the page on which a change is decided.

mod decision;
mod lists;

pub use decision::{ChangePage, closure, facts, quota};
pub use lists::{ApprovalsPage, ChangesPage, RequestsPage};

use services::ports::ChangeRow;

/// `Update llama` — what a change does, as a title.
pub fn title(change: &domain::change::Change) -> String {
    use domain::change::ChangeKind::*;
    let verb = match change.kind {
        Create => "Deploy",
        Update => "Update",
        Scale => "Scale",
        Rollback => "Roll back",
        Stop => "Stop",
        Start => "Start",
        Delete => "Delete",
    };
    format!("{verb} {}", change.object.name)
}

/// `onprem-1 / retail-prod`
pub fn place(row: &domain::place::Place) -> String {
    format!("{} / {}", row.cluster_name, row.namespace)
}

/// A state with what it means for the one who reads.
pub fn state_words(state: domain::change::ChangeState) -> &'static str {
    use domain::change::ChangeState::*;
    match state {
        Waiting => "Waits for a decision",
        Held => "Decided, can still be undone",
        Queued => "Approved, about to be applied",
        Applying => "Being applied",
        Applied => "Applied",
        Failed => "Failed",
        Rejected => "Rejected",
        Withdrawn => "Withdrawn",
        Expired => "Expired",
    }
}

/// Rows of changes as a table body.
pub fn rows(rows: Vec<ChangeRow>, with_requester: bool) -> impl leptos::IntoView {
    use crate::components::*;
    use leptos::prelude::*;
    rows.into_iter()
        .map(|r| {
            let href = format!("/changes/{}", r.change.id);
            let open = (!r.open_by.is_empty()).then(|| format!("Open at {}", r.open_by.join(", ")));
            view! {
                <tr class="pf-v6-c-table__tr">
                    <th class="pf-v6-c-table__td" scope="row" data-label="Change"><a href=href>{title(&r.change)}</a></th>
                    <td class="pf-v6-c-table__td" data-label="Where">{place(&r.change.place)}</td>
                    {with_requester.then(|| view! { <td class="pf-v6-c-table__td" data-label="Requester">{r.requester_name.clone()}</td> })}
                    <td class="pf-v6-c-table__td" data-label="Purpose">{r.change.usage.purpose.clone()}</td>
                    <td class="pf-v6-c-table__td" data-label="State">
                        <Label tone=change_tone(r.change.state) text=state_words(r.change.state) />
                        {open.map(|o| view! { <div class="gh-muted">{o}</div> })}
                    </td>
                    <td class="pf-v6-c-table__td" data-label="Asked"><When at=r.change.created_at /></td>
                </tr>
            }
        })
        .collect_view()
}
