use leptos::prelude::*;

/// A table with a caption for screen readers; on a narrow screen it scrolls by itself. Rows are
/// `<tr class="pf-v6-c-table__tr">` with `<td class="pf-v6-c-table__td" data-label="…">`.
#[component]
pub fn Table(
    #[prop(into)] caption: String,
    columns: Vec<&'static str>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="gh-scroll" tabindex="0" role="region" aria-label=caption.clone()>
            <table class="pf-v6-c-table pf-m-compact pf-m-grid-md" aria-label=caption.clone()>
                <thead class="pf-v6-c-table__thead"><tr class="pf-v6-c-table__tr">
                    {columns.into_iter().map(|c| view! { <th class="pf-v6-c-table__th" scope="col">{c}</th> }).collect_view()}
                </tr></thead>
                <tbody class="pf-v6-c-table__tbody">{children()}</tbody>
            </table>
        </div>
    }
}
