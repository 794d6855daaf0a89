use leptos::prelude::*;

/// A step of the path to a page.
#[derive(Clone, Debug)]
pub struct Crumb {
    pub text: String,
    pub href: String,
}

impl Crumb {
    pub fn new(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            href: href.into(),
        }
    }
}

/// Title, path, one line about it, and what can be done.
#[component]
pub fn PageHeader(
    #[prop(into)] title: String,
    #[prop(optional)] crumbs: Vec<Crumb>,
    #[prop(optional)] subtitle: Option<AnyView>,
    #[prop(optional)] actions: Option<AnyView>,
) -> impl IntoView {
    view! {
        <leptos_meta::Title text=title.clone() />
        {(!crumbs.is_empty()).then(|| view! {
            <section class="pf-v6-c-page__main-breadcrumb">
                <nav class="pf-v6-c-breadcrumb" aria-label="Path">
                    <ol class="pf-v6-c-breadcrumb__list" role="list">
                        {crumbs.into_iter().enumerate().map(|(i, c)| view! {
                            <li class="pf-v6-c-breadcrumb__item">
                                {(i > 0).then(|| view! { <span class="pf-v6-c-breadcrumb__item-divider" aria-hidden="true">"/"</span> })}
                                <a class="pf-v6-c-breadcrumb__link" href=c.href>{c.text}</a>
                            </li>
                        }).collect_view()}
                    </ol>
                </nav>
            </section>
        })}
        <section class="pf-v6-c-page__main-section gh-page-header">
            <div class="gh-page-title"><h1 class="pf-v6-c-title pf-m-2xl">{title}</h1>{subtitle.map(|s| view! { <p class="gh-muted">{s}</p> })}</div>
            {actions.map(|a| view! { <div class="gh-actions">{a}</div> })}
        </section>
    }
}
