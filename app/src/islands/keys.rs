use leptos::prelude::*;

/// Keys for what is on the page: the element with `data-key="x"` is focused (a field) or pressed (all
/// else) when `x` is typed outside a field; `j` and `k` walk the rows of a list; `?` lists the keys.
#[island]
pub fn Keys() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(|_| install());
    view! { <dialog id="keys-help" class="gh-dialog" aria-label="Keys"><h2>"Keys"</h2><ul id="keys-list"></ul><form method="dialog"><button class="pf-v6-c-button pf-m-secondary">"Close"</button></form></dialog> }
}

#[cfg(feature = "hydrate")]
fn install() {
    use wasm_bindgen::{JsCast, closure::Closure};
    let Some(document) = web_sys::window().and_then(|w| w.document()) else {
        return;
    };
    let handler = Closure::<dyn Fn(web_sys::KeyboardEvent)>::new(|e: web_sys::KeyboardEvent| {
        if e.ctrl_key() || e.meta_key() || e.alt_key() || e.default_prevented() {
            return;
        }
        let typing = e
            .target()
            .and_then(|t| t.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|t| {
                matches!(t.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
                    || t.has_attribute("contenteditable")
            });
        if typing {
            // A way out of a field, so that keys count again.
            if e.key() == "Escape"
                && let Some(field) = e
                    .target()
                    .and_then(|t| t.dyn_into::<web_sys::HtmlElement>().ok())
            {
                let _ = field.blur();
            }
            return;
        }
        if press(&e.key()) {
            e.prevent_default();
        }
    });
    // The listener lives as long as the page does.
    let _ = document.add_event_listener_with_callback("keydown", handler.as_ref().unchecked_ref());
    handler.forget();
}

#[cfg(feature = "hydrate")]
fn press(key: &str) -> bool {
    use wasm_bindgen::JsCast;
    let Some(document) = web_sys::window().and_then(|w| w.document()) else {
        return false;
    };
    match key {
        "j" => walk(&document, 1),
        "k" => walk(&document, -1),
        "?" => help(&document),
        k if k.len() == 1 && k.chars().all(|c| c.is_ascii_alphanumeric()) => {
            let Ok(Some(element)) = document.query_selector(&format!("[data-key=\"{k}\"]")) else {
                return false;
            };
            let Ok(element) = element.dyn_into::<web_sys::HtmlElement>() else {
                return false;
            };
            if matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") {
                let _ = element.focus();
            } else {
                element.click();
            }
            true
        }
        _ => false,
    }
}

#[cfg(feature = "hydrate")]
fn walk(document: &web_sys::Document, step: i32) -> bool {
    use wasm_bindgen::JsCast;
    let Ok(links) = document.query_selector_all("main tbody th a") else {
        return false;
    };
    if links.length() == 0 {
        return false;
    }
    let active = document.active_element();
    let at = (0..links.length()).find(|i| links.get(*i).as_ref() == active.as_deref());
    let next = match at {
        Some(i) => (i as i32 + step).rem_euclid(links.length() as i32) as u32,
        None if step > 0 => 0,
        None => links.length() - 1,
    };
    if let Some(link) = links
        .get(next)
        .and_then(|n| n.dyn_into::<web_sys::HtmlElement>().ok())
    {
        let _ = link.focus();
    }
    true
}

#[cfg(feature = "hydrate")]
fn help(document: &web_sys::Document) -> bool {
    use wasm_bindgen::JsCast;
    let (Some(dialog), Some(list)) = (
        document.get_element_by_id("keys-help"),
        document.get_element_by_id("keys-list"),
    ) else {
        return false;
    };
    list.set_text_content(None);
    let mut lines = vec![
        ("j / k".to_owned(), "next / previous row".to_owned()),
        ("Ctrl K".to_owned(), "go to a page".to_owned()),
        (
            "Escape".to_owned(),
            "leave a field, so that keys count".to_owned(),
        ),
        ("?".to_owned(), "these keys".to_owned()),
    ];
    if let Ok(elements) = document.query_selector_all("[data-key]") {
        for i in 0..elements.length() {
            if let Some(e) = elements
                .get(i)
                .and_then(|n| n.dyn_into::<web_sys::Element>().ok())
            {
                let words = e
                    .get_attribute("data-key-words")
                    .or_else(|| e.text_content())
                    .unwrap_or_default();
                lines.push((
                    e.get_attribute("data-key").unwrap_or_default(),
                    words.trim().to_owned(),
                ));
            }
        }
    }
    for (key, words) in lines {
        if let Ok(item) = document.create_element("li") {
            item.set_text_content(Some(&format!("{key} — {words}")));
            let _ = list.append_child(&item);
        }
    }
    dialog
        .dyn_into::<web_sys::HtmlDialogElement>()
        .is_ok_and(|d| d.show_modal().is_ok())
}
