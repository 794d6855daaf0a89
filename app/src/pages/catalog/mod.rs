//! The catalogue: which models the registries hold, one model, one version.

mod facts;
mod list;
mod model;
mod version;

pub use facts::fact_words;
pub use list::CatalogPage;
pub use model::ModelPage;
pub use version::VersionPage;

use crate::components::*;
use domain::ids::VersionId;
use leptos::prelude::*;
use services::ports::{TagRow, VersionRow};

/// Starts a draft with everything filled in and goes to its Review.
fn deploy(version: VersionId, text: &'static str, kind: &'static str) -> AnyView {
    view! {
        <form method="post" action="/deploy">
            <Hidden name="version" value=version.to_string() />
            <Hidden name="go" value="review" />
            <Submit text=text kind=kind />
        </form>
    }
    .into_any()
}

/// The tags that point at a version now, or its short digest where none does.
fn name_of(v: &VersionRow) -> String {
    let mut tags: Vec<&str> = v
        .tags
        .iter()
        .filter(|t| t.moved_at.is_none())
        .map(|t| t.name.as_str())
        .collect();
    // What names a version comes before what only follows the newest one.
    tags.sort_by_key(|t| matches!(*t, "latest" | "stable" | "main"));
    if tags.is_empty() {
        v.digest.short().to_owned()
    } else {
        tags.join(", ")
    }
}

/// A version's tags; one that moved says so, where to or where from, and when.
fn tags(tags: &[TagRow]) -> AnyView {
    if tags.is_empty() {
        return view! { <span class="gh-muted">"no tag"</span> }.into_any();
    }
    let items: Vec<AnyView> = tags
        .iter()
        .cloned()
        .map(|t| match (t.moved_at, t.moved_from) {
            (Some(at), _) => {
                let to = t.moved_to.map(|d| format!(" to {}", d.short()));
                view! { <li><s>{t.name}</s>" "<Label tone=Tone::Warn text="moved" /><span class="gh-muted gh-small">{to}" "<When at=at /></span></li> }.into_any()
            }
            (None, Some(from)) => {
                view! { <li>{t.name}" "<Label tone=Tone::Warn text="moved here" /><span class="gh-muted gh-small">{format!(" from {} ", from.short())}<When at=t.since /></span></li> }.into_any()
            }
            (None, None) => view! { <li>{t.name}</li> }.into_any(),
        })
        .collect();
    view! { <ul class="gh-plain-list" role="list">{items}</ul> }.into_any()
}
