//! The same components as plain functions, for content that borrows from a page's data: a component's
//! children are a closure that owns what it shows, an argument is not.

use super::*;
use leptos::prelude::*;

/// [`Card`] around content that is there already.
pub fn card(title: impl Into<String>, content: impl IntoView + 'static) -> AnyView {
    let content = content.into_any();
    view! { <Card title=title.into()>{content}</Card> }.into_any()
}

/// [`Alert`] around content that is there already.
pub fn alert(tone: Tone, title: impl Into<String>, content: impl IntoView + 'static) -> AnyView {
    let content = content.into_any();
    view! { <Alert tone=tone title=title.into()>{content}</Alert> }.into_any()
}

/// [`Table`] around rows that are there already.
pub fn table(caption: impl Into<String>, columns: &[&'static str], rows: Vec<AnyView>) -> AnyView {
    view! { <Table caption=caption.into() columns=columns.to_vec()>{rows}</Table> }.into_any()
}

/// A row: its first cell heads it.
pub fn row(cells: Vec<(&'static str, AnyView)>) -> AnyView {
    let cells: Vec<AnyView> = cells
        .into_iter()
        .enumerate()
        .map(|(i, (label, content))| {
            if i == 0 {
                view! { <th class="pf-v6-c-table__td" scope="row" data-label=label>{content}</th> }
                    .into_any()
            } else {
                view! { <td class="pf-v6-c-table__td" data-label=label>{content}</td> }.into_any()
            }
        })
        .collect();
    view! { <tr class="pf-v6-c-table__tr">{cells}</tr> }.into_any()
}

/// [`Terms`] from pairs.
pub fn terms(pairs: Vec<(&'static str, AnyView)>) -> AnyView {
    let all: Vec<AnyView> = pairs
        .into_iter()
        .map(|(name, content)| view! { <Term name=name>{content}</Term> }.into_any())
        .collect();
    view! { <Terms>{all}</Terms> }.into_any()
}

/// Text as a view, or a muted "unknown".
pub fn known(text: Option<String>) -> AnyView {
    match text {
        Some(t) if !t.is_empty() => t.into_any(),
        _ => view! { <span class="gh-muted">"unknown"</span> }.into_any(),
    }
}
