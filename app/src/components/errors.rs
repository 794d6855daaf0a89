use super::{Alert, Tone};
use crate::load::form_state;
use domain::Kind;
use leptos::prelude::*;

/// A whole page's error, in words, with the way out.
#[component]
pub fn ErrorState(kind: Kind, message: String, remedy: Option<String>) -> impl IntoView {
    let title = match kind {
        Kind::NotFound => "Not found",
        Kind::Forbidden => "Not allowed",
        Kind::SignInAgain => "Sign in again",
        Kind::Conflict => "Something else came first",
        Kind::Unavailable => "Not available now",
        Kind::Invalid => "This cannot be shown",
        Kind::TooLarge => "Too large",
        Kind::TooMany => "Too many requests",
        Kind::Internal => "Something went wrong on our side",
    };
    let sentence = sentence(&message);
    view! {
        <leptos_meta::Title text=title />
        <section class="pf-v6-c-page__main-section">
            <div class="pf-v6-c-empty-state">
                <div class="pf-v6-c-empty-state__content">
                    <h1 class="pf-v6-c-empty-state__title-text">{title}</h1>
                    <div class="pf-v6-c-empty-state__body"><p>{sentence}</p>{remedy.map(|r| view! { <p>{r}</p> })}</div>
                    <div class="pf-v6-c-empty-state__footer"><a class="pf-v6-c-button pf-m-link" href="/">"Back to the overview"</a></div>
                </div>
            </div>
        </section>
    }
}

/// What is wrong with a form that was refused, above it: the whole, and each field as a link to it.
#[component]
pub fn FormAlert() -> impl IntoView {
    let state = form_state();
    state.error.map(|e| {
        let fields = state.fields.clone();
        view! {
            <Alert tone=Tone::Bad title=sentence(&e.message)>
                {e.remedy.map(|r| view! { <p>{r}</p> })}
                // In another tab: this one keeps what was typed.
                {(e.kind == Kind::SignInAgain).then(|| view! {
                    <p><a href="/signin/start" rel="external noopener" target="_blank">"Sign in again (opens another tab)"</a></p>
                })}
                {(!fields.is_empty()).then(|| view! {
                    <ul class="pf-v6-c-list">
                        {fields.into_iter().map(|f| view! { <li><a href=format!("#{}", f.field)>{f.message}</a></li> }).collect_view()}
                    </ul>
                })}
            </Alert>
        }
    })
}

/// Starts with a capital and ends with a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}
