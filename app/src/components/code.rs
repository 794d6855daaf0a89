use leptos::prelude::*;

/// Text to read or copy as it is; scrolls by itself and by keyboard.
#[component]
pub fn Code(#[prop(into)] text: String, #[prop(into)] label: String) -> impl IntoView {
    view! {
        <div class="pf-v6-c-code-block gh-scroll" tabindex="0" role="region" aria-label=label>
            <div class="pf-v6-c-code-block__content"><pre class="pf-v6-c-code-block__pre"><code class="pf-v6-c-code-block__code">{text}</code></pre></div>
        </div>
    }
}
