use super::{Alert, Tone, ticked};
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
                    <div class="pf-v6-c-empty-state__body"><p>{ticked(&sentence)}</p>{remedy.map(|r| view! { <p>{ticked(&r)}</p> })}</div>
                    <div class="pf-v6-c-empty-state__footer"><a class="pf-v6-c-button pf-m-link" href="/">"Back to the overview"</a></div>
                </div>
            </div>
        </section>
    }
}

/// What is wrong with a form that was refused, above it: the whole, and each field as a link to it.
#[component]
pub fn FormAlert() -> impl IntoView {
    form_alert(|field| (!field.is_empty()).then(|| format!("#{field}")))
}

/// [`FormAlert`] where `link` says where each field stands; what stands nowhere is said without a link.
pub fn form_alert(link: impl Fn(&str) -> Option<String>) -> AnyView {
    let state = form_state();
    let Some(e) = state.error else {
        return ().into_any();
    };
    let title = sentence(&e.message);
    let items: Vec<AnyView> = state
        .fields
        .into_iter()
        .filter_map(|f| {
            // What the title says already is not said again.
            let text = if sentence(&f.message) == title {
                None
            } else {
                Some(ticked(&f.message).into_any())
            };
            Some(match link(&f.field) {
                Some(href) => {
                    let text = text.unwrap_or_else(|| "Go to the field".into_any());
                    view! { <li><a href=href>{text}</a></li> }.into_any()
                }
                None => view! { <li>{text?}</li> }.into_any(),
            })
        })
        .collect();
    let remedy = e.remedy;
    view! {
        <Alert tone=Tone::Bad title=title>
            {remedy.map(|r| view! { <p>{ticked(&r)}</p> })}
            // In another tab: this one keeps what was typed.
            {(e.kind == Kind::SignInAgain).then(|| view! {
                <p><a href="/signin/start" rel="external noopener" target="_blank">"Sign in again (opens another tab)"</a></p>
            })}
            {(!items.is_empty()).then(|| view! { <ul class="pf-v6-c-list">{items}</ul> })}
        </Alert>
    }
    .into_any()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::FormState;
    use domain::{Error, FieldError};

    #[test]
    fn what_the_title_says_is_not_said_twice_and_still_leads_to_its_field() {
        let html = |e: &Error, linked: bool| {
            Owner::new().with(|| {
                provide_context(FormState::refused([], e));
                form_alert(|field| linked.then(|| format!("#{field}"))).to_html()
            })
        };
        let mut e = Error::field("cpu", "Not an amount.");
        let one = html(&e, true);
        assert_eq!(one.matches("Not an amount.").count(), 1, "{one}");
        assert!(one.contains("href=\"#cpu\"") && one.contains("Go to the field"));
        assert!(!html(&e, false).contains("<li"));
        e.fields.push(FieldError {
            field: "memory".into(),
            message: "Not one either.".into(),
        });
        let two = html(&e, true);
        assert!(two.contains("href=\"#memory\"") && two.contains("Not one either."));
    }
}
