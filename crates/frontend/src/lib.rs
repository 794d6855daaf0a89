//! The browser's half of the console: registers the islands of `app` and hydrates them.

// Islands register themselves when they are linked in; nothing of `app` is called by name.
use app as _;

/// Called by the page's script once the module is loaded.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
