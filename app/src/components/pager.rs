use crate::query::Query;
use leptos::prelude::*;

/// Onwards by key, and back to the beginning. `by`: the parameter in the address, where a page has
/// more than one list.
#[component]
pub fn Pager(
    next: Option<String>,
    shown: usize,
    #[prop(default = "after")] by: &'static str,
) -> impl IntoView {
    let query = Query::current();
    let paged = query.get(by).is_some();
    (paged || next.is_some()).then(|| view! {
        <nav class="gh-pager" aria-label="Pages">
            {paged.then(|| view! { <a class="pf-v6-c-button pf-m-secondary" href=query.with(by, "")>"First page"</a> })}
            <span class="gh-muted">{format!("{shown} on this page")}</span>
            {next.map(|n| view! { <a class="pf-v6-c-button pf-m-secondary" rel="next" href=query.with(by, &n)>"Next page"</a> })}
        </nav>
    })
}
