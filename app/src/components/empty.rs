use leptos::prelude::*;

/// Nothing here, why, and what to do.
#[component]
pub fn Empty(#[prop(into)] title: String, children: Children) -> impl IntoView {
    view! {
        <div class="pf-v6-c-empty-state pf-m-sm">
            <div class="pf-v6-c-empty-state__content">
                <p class="pf-v6-c-empty-state__title-text gh-empty-title">{title}</p>
                <div class="pf-v6-c-empty-state__body">{children()}</div>
            </div>
        </div>
    }
}
