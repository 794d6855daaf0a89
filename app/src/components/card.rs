use leptos::prelude::*;

/// A card with a title.
#[component]
pub fn Card(
    #[prop(into)] title: String,
    #[prop(optional, into)] id: Option<String>,
    /// Beside the title, such as a link to the whole list.
    #[prop(optional)]
    action: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="pf-v6-c-card" id=id>
            <div class="pf-v6-c-card__header">
                <div class="pf-v6-c-card__header-main"><h2 class="pf-v6-c-card__title-text">{title}</h2></div>
                {action.map(|a| view! { <div class="pf-v6-c-card__actions">{a}</div> })}
            </div>
            <div class="pf-v6-c-card__body">{children()}</div>
        </section>
    }
}
