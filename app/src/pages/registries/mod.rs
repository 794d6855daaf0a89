//! Registries: what is taken from them, how that goes, and adding or changing one.

mod detail;
mod form;
mod list;

pub use detail::RegistryPage;
pub use form::NewRegistryPage;
pub use list::RegistriesPage;

use crate::components::*;
use leptos::prelude::*;
use services::ports::{RegistryRow, Source, SyncRule, TagFilter};

/// A rule in words.
fn rule(r: &SyncRule) -> AnyView {
    let tag = match &r.tag {
        None => "all tags".to_owned(),
        Some(TagFilter::Exact(t)) => format!("the tag {t}"),
        Some(TagFilter::Prefix(t)) => format!("tags that begin with {t}"),
        Some(TagFilter::Regex(t)) => format!("tags that match {t}"),
    };
    let off = (!r.enabled).then(|| view! { " "<Label tone=Tone::Quiet text="off" /> });
    view! { <li><code class="gh-hash">{r.repository.clone()}</code>{format!(", {tag}")}{off}</li> }
        .into_any()
}

fn rules(r: &RegistryRow) -> AnyView {
    if r.rules.iter().all(|x| !x.enabled) {
        let off: Vec<AnyView> = r.rules.iter().map(rule).collect();
        return view! { <p>"Nothing is taken: no rule is on."</p><ul class="gh-plain-list" role="list">{off}</ul> }.into_any();
    }
    let items: Vec<AnyView> = r.rules.iter().map(rule).collect();
    view! { <ul class="gh-plain-list" role="list">{items}</ul> }.into_any()
}

fn source(s: Source) -> AnyView {
    match s {
        Source::File => view! { <Label tone=Tone::Quiet text="configuration file" /> }.into_any(),
        Source::Console => view! { <Label tone=Tone::Info text="console" /> }.into_any(),
    }
}

/// How the last sync went, how far the running one is, and what is asked for.
fn sync_state(r: &RegistryRow) -> AnyView {
    let s = r.status.clone();
    let (tone, word) = match (s.running_since, &s.last_error, s.last_success) {
        (Some(_), ..) => (Tone::Info, "syncing"),
        (None, Some(_), _) => (Tone::Bad, "failed"),
        (None, None, Some(_)) => (Tone::Good, "in step"),
        (None, None, None) => (Tone::Quiet, "not synced yet"),
    };
    let running = s.running_since.map(|t| match s.total {
        Some(total) => {
            let (done, most) = (s.done.to_string(), total.max(1).to_string());
            view! {
                <div><progress class="gh-bar" max=most value=done aria-label="Repositories read"></progress>
                <span class="gh-muted gh-small">{format!(" {} of {total} repositories, begun ", s.done)}<When at=t /></span></div>
            }
            .into_any()
        }
        None => view! { <div class="gh-muted gh-small">"Listing repositories, begun "<When at=t /></div> }.into_any(),
    });
    let asked = (s.running_since.is_none()).then_some(s.wanted_since).flatten().map(|t| view! { <div class="gh-muted gh-small">"A sync is asked for since "<When at=t /></div> });
    let success = s
        .last_success
        .map(|t| view! { <div class="gh-muted gh-small">"Last complete sync "<When at=t /></div> });
    let error = s.last_error.map(|e| {
        let at = s.last_error_at.map(|t| view! { <span class="gh-muted">" "<When at=t /></span> });
        view! { <div class="gh-cause">{sentence(&e)}{at}" What the catalogue knows stays as it is."</div> }
    });
    view! { <Label tone=tone text=word />{running}{asked}{success}{error} }.into_any()
}

/// Asks for a sync at once.
fn sync_now(r: &RegistryRow, kind: &'static str) -> AnyView {
    view! { <form method="post" action=format!("/registries/{}/sync", r.id)><Submit text="Sync now" kind=kind /></form> }.into_any()
}
