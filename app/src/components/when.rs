use crate::load::{now, zone};
use domain::Micros;
use leptos::prelude::*;

/// An instant: how long ago or how far ahead, and on hover (and in `datetime`) exactly when, in the reader's zone.
#[component]
pub fn When(
    at: Micros,
    /// Says the instant itself instead of its age.
    #[prop(optional)]
    exact: bool,
) -> impl IntoView {
    let exactly = at.in_zone(&zone());
    let now = now();
    let text = if exact {
        exactly.clone()
    } else if at > now {
        format!("in {}", domain::time::ahead(at.since(now)))
    } else {
        match at.ago(now).as_str() {
            "now" => "just now".into(),
            age => format!("{age} ago"),
        }
    };
    view! { <time datetime=at.rfc3339() title=exactly>{text}</time> }
}
