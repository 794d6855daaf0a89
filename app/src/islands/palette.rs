use leptos::prelude::*;

/// Ctrl K: go to a page by typing a part of its name, or search the catalogue for it.
#[island]
pub fn Palette() -> impl IntoView {
    const PLACES: [(&str, &str); 10] = [
        ("/", "Overview"),
        ("/catalog", "Catalogue"),
        ("/deployments", "Deployments"),
        ("/deployments?unhealthy=1", "Unhealthy deployments"),
        ("/approvals", "Approvals"),
        ("/requests", "My requests"),
        ("/changes", "All changes"),
        ("/audit", "Audit"),
        ("/clusters", "Clusters"),
        ("/registries", "Registries"),
    ];
    let (typed, set_typed) = signal(String::new());
    #[cfg(feature = "hydrate")]
    Effect::new(|_| install());
    let matches = move || {
        let t = typed.get().to_lowercase();
        PLACES.into_iter().filter(|(_, w)| w.to_lowercase().contains(&t)).map(|(href, words)| view! { <li><a class="pf-v6-c-nav__link" href=href>{words}</a></li> }).collect_view()
    };
    view! {
        <dialog id="palette" class="gh-dialog" aria-label="Go to">
            <form action="/catalog" method="get">
                <span class="pf-v6-c-form-control"><input type="search" name="q" id="palette-input" autocomplete="off" aria-label="Page, or words to search the catalogue for"
                    on:input=move |e| set_typed.set(event_target_value(&e)) /></span>
            </form>
            <ul role="list">{matches}</ul>
        </dialog>
    }
}

#[cfg(feature = "hydrate")]
fn install() {
    use wasm_bindgen::{JsCast, closure::Closure};
    let Some(document) = web_sys::window().and_then(|w| w.document()) else {
        return;
    };
    let handler = Closure::<dyn Fn(web_sys::KeyboardEvent)>::new(|e: web_sys::KeyboardEvent| {
        if (e.ctrl_key() || e.meta_key()) && e.key() == "k" {
            e.prevent_default();
            let dialog = web_sys::window()
                .and_then(|w| w.document())
                .and_then(|d| d.get_element_by_id("palette"));
            if let Some(d) = dialog.and_then(|d| d.dyn_into::<web_sys::HtmlDialogElement>().ok()) {
                let _ = if d.open() {
                    d.close();
                    Ok(())
                } else {
                    d.show_modal()
                };
            }
        }
    });
    // The listener lives as long as the page does.
    let _ = document.add_event_listener_with_callback("keydown", handler.as_ref().unchecked_ref());
    handler.forget();
}
