use crate::islands::LiveRegion;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Keeps the page's `[data-live]` regions as the topic is. `cursor`: of the state that the page was made
/// from, taken before it was read; what happens between then and the stream's beginning is told too.
/// `shown` goes with the address that news are fetched from (`name=value`): what the parts of the page
/// that are not live were made from.
#[component]
pub fn Live(
    #[prop(into)] topic: String,
    #[prop(into)] cursor: String,
    #[prop(optional, into)] shown: String,
) -> impl IntoView {
    let here = use_location();
    // The page's own address: after a refused form the browser stands at the form's.
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let with = |query: &[&str]| {
        let query: Vec<&str> = query.iter().copied().filter(|q| !q.is_empty()).collect();
        if query.is_empty() {
            path.clone()
        } else {
            format!("{path}?{}", query.join("&"))
        }
    };
    let search = search.trim_start_matches('?');
    // Whoever goes there sees the page as it is; what was shown belongs to the page that fetches news.
    let (href, news) = (with(&[search]), with(&[search, &shown]));
    view! { <LiveRegion topic=topic cursor=cursor href=href news=news /> }
}
