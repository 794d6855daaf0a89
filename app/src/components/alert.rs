use super::Tone;
use leptos::prelude::*;

/// A message inside the page (PatternFly: inline alert).
#[component]
pub fn Alert(
    tone: Tone,
    #[prop(into)] title: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let (class, word) = match tone {
        Tone::Good => ("pf-m-success", "Success"),
        Tone::Bad => ("pf-m-danger", "Error"),
        Tone::Warn => ("pf-m-warning", "Warning"),
        _ => ("pf-m-info", "Note"),
    };
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div class=format!("pf-v6-c-alert pf-m-inline {class}") role=role>
            <div class="pf-v6-c-alert__icon" aria-hidden="true"><span class=format!("gh-dot gh-dot-{}", tone.word())></span></div>
            <p class="pf-v6-c-alert__title"><span class="pf-v6-screen-reader">{word}": "</span>{title}</p>
            {children.map(|c| view! { <div class="pf-v6-c-alert__description">{c()}</div> })}
        </div>
    }
}
