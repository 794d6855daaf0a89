use crate::islands::LiveRegion;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Keeps the page's `[data-live]` regions as the topic is. `cursor`: of the state that the page was made
/// from, taken before it was read; what happens between then and the stream's beginning is told too.
#[component]
pub fn Live(#[prop(into)] topic: String, #[prop(into)] cursor: String) -> impl IntoView {
    let here = use_location();
    // The page's own address: after a refused form the browser stands at the form's.
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let search = search.trim_start_matches('?');
    let href = if search.is_empty() {
        path
    } else {
        format!("{path}?{search}")
    };
    view! { <LiveRegion topic=topic cursor=cursor href=href /> }
}
