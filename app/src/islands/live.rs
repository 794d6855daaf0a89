use leptos::prelude::*;

/// Follows the server's news about a topic; when there are any, fetches this very page again and puts
/// the new content of each `[data-live]` region in place of the old. Without JavaScript the page is
/// as it was when it was opened, and says when that was.
#[island]
pub fn LiveRegion(topic: String) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| follow(&topic));
    #[cfg(not(feature = "hydrate"))]
    let _ = topic;
    view! { <span class="gh-live" aria-live="polite"></span> }
}

#[cfg(feature = "hydrate")]
fn follow(topic: &str) {
    use wasm_bindgen::{JsCast, closure::Closure};
    let encoded = js_sys::encode_uri_component(topic);
    let Ok(source) = web_sys::EventSource::new(&format!("/events?topic={encoded}")) else {
        return;
    };
    let on_news = Closure::<dyn Fn()>::new(|| wasm_bindgen_futures::spawn_local(refresh()));
    for event in ["changed", "reload"] {
        // The listener lives as long as the page does.
        let _ = source.add_event_listener_with_callback(event, on_news.as_ref().unchecked_ref());
    }
    on_news.forget();
    // Leaving the page ends the stream; otherwise a handful of tabs use up the browser's connections.
    let closing = source.clone();
    let on_hide = Closure::<dyn Fn()>::new(move || closing.close());
    if let Some(w) = web_sys::window() {
        let _ = w.add_event_listener_with_callback("pagehide", on_hide.as_ref().unchecked_ref());
    }
    on_hide.forget();
}

#[cfg(feature = "hydrate")]
async fn refresh() {
    let _ = try_refresh().await;
}

#[cfg(feature = "hydrate")]
async fn try_refresh() -> Result<(), wasm_bindgen::JsValue> {
    use wasm_bindgen::JsCast;
    let window = web_sys::window().ok_or("no window")?;
    let document = window.document().ok_or("no document")?;
    let href = window.location().href()?;
    let response: web_sys::Response =
        wasm_bindgen_futures::JsFuture::from(window.fetch_with_str(&href))
            .await?
            .dyn_into()?;
    if !response.ok() {
        return Ok(());
    }
    let html = wasm_bindgen_futures::JsFuture::from(response.text()?)
        .await?
        .as_string()
        .unwrap_or_default();
    let fresh =
        web_sys::DomParser::new()?.parse_from_string(&html, web_sys::SupportedType::TextHtml)?;
    let regions = document.query_selector_all("[data-live]")?;
    for i in 0..regions.length() {
        let Some(old) = regions
            .get(i)
            .and_then(|n| n.dyn_into::<web_sys::Element>().ok())
        else {
            continue;
        };
        let name = old.get_attribute("data-live").unwrap_or_default();
        // What somebody is typing in stays.
        if document.active_element().is_some_and(|a| {
            old.contains(Some(&a))
                && matches!(a.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        }) {
            continue;
        }
        let candidates = fresh.query_selector_all("[data-live]")?;
        for j in 0..candidates.length() {
            let Some(new) = candidates
                .get(j)
                .and_then(|n| n.dyn_into::<web_sys::Element>().ok())
            else {
                continue;
            };
            if new.get_attribute("data-live").as_deref() == Some(&name)
                && new.inner_html() != old.inner_html()
            {
                old.set_inner_html(&new.inner_html());
            }
        }
    }
    Ok(())
}
