use super::{Label, Tone, sentence, ticked};
use domain::finding::{Finding, Severity};
use leptos::prelude::*;

/// How a severity looks, and its word.
pub fn severity(severity: Severity) -> (Tone, &'static str) {
    match severity {
        Severity::Error => (Tone::Bad, "error"),
        Severity::Warning => (Tone::Warn, "warning"),
        Severity::Info => (Tone::Info, "note"),
    }
}

/// What was found.
pub fn findings(all: &[Finding]) -> AnyView {
    linked_findings(all.iter().map(|f| (f, None)))
}

/// What was found, each with the address where its field is mended, if it has one.
pub fn linked_findings<'a>(all: impl Iterator<Item = (&'a Finding, Option<String>)>) -> AnyView {
    let items: Vec<AnyView> = all
        .map(|(f, link)| {
            let (tone, word) = severity(f.severity);
            let name = (!f.field.is_empty()).then(|| view! { <code>{f.field.clone()}</code> });
            let field = name.map(|name| match link {
                Some(href) => view! { <a href=href>{name}</a>" " }.into_any(),
                None => view! { {name}" " }.into_any(),
            });
            view! { <li><Label tone=tone text=word />" "{field}{ticked(&sentence(&f.message))}" "<span class="gh-muted">{ticked(&f.remedy)}</span></li> }.into_any()
        })
        .collect();
    if items.is_empty() {
        return ().into_any();
    }
    view! { <ul class="gh-facts gh-findings" role="list" aria-label="Findings">{items}</ul> }
        .into_any()
}
