use leptos::prelude::*;

/// Terms and what they are here (PatternFly: description list).
#[component]
pub fn Terms(children: Children) -> impl IntoView {
    view! { <dl class="pf-v6-c-description-list pf-m-horizontal-on-md gh-terms">{children()}</dl> }
}

/// One of them.
#[component]
pub fn Term(#[prop(into)] name: String, children: Children) -> impl IntoView {
    view! {
        <div class="pf-v6-c-description-list__group">
            <dt class="pf-v6-c-description-list__term"><span class="pf-v6-c-description-list__text">{name}</span></dt>
            <dd class="pf-v6-c-description-list__description"><div class="pf-v6-c-description-list__text">{children()}</div></dd>
        </div>
    }
}
