use leptos::prelude::*;

/// Follows the server's news about a topic from the moment (`cursor`) that the page shows; when there
/// are any, fetches the page again (at `news`; `href` is its own address) and puts the new content of
/// each `[data-live]` region in place of the old. A page that is no longer made of these regions, or no longer there, is loaded
/// anew. Without JavaScript the page is as it was when it was opened, and says when that was.
#[island]
pub fn LiveRegion(topic: String, cursor: String, href: String, news: String) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| browser::follow(&topic, &cursor, &href, &news));
    #[cfg(not(feature = "hydrate"))]
    let _ = (topic, cursor, href, news);
    view! { <div class="gh-live" role="status"></div> }
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
    };
    use wasm_bindgen::{JsCast, JsValue, closure::Closure};
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{Element, EventSource, MessageEvent};

    /// A stream that the server refused is asked for again after so many milliseconds.
    const AGAIN: i32 = 15_000;

    type Listener = Closure<dyn Fn(MessageEvent)>;

    struct Page {
        topic: String,
        href: String,
        news: String,
        /// How often news were fetched: an answer that another one overtook is of yesterday.
        asked: Cell<u32>,
        /// The newest that was heard.
        cursor: RefCell<String>,
        source: RefCell<Option<EventSource>>,
        /// Keeps what is called; lives as long as the page does.
        heard: RefCell<Option<Listener>>,
        broken: RefCell<Option<Closure<dyn Fn()>>>,
    }

    pub fn follow(topic: &str, cursor: &str, href: &str, news: &str) {
        let page = Rc::new(Page {
            topic: topic.to_owned(),
            href: href.to_owned(),
            news: news.to_owned(),
            asked: Cell::new(0),
            cursor: RefCell::new(cursor.to_owned()),
            source: RefCell::new(None),
            heard: RefCell::new(None),
            broken: RefCell::new(None),
        });
        let p = page.clone();
        *page.heard.borrow_mut() = Some(Closure::new(move |e: MessageEvent| hear(&p, &e)));
        let p = page.clone();
        *page.broken.borrow_mut() = Some(Closure::new(move || lost(&p)));
        open(&page);
        // Leaving the page ends the stream, else a handful of tabs use up the browser's connections;
        // coming back to it by the history goes on from what was heard last.
        let p = page.clone();
        listen("pagehide", move || close(&p));
        listen("pageshow", move || open(&page));
    }

    fn listen(event: &str, f: impl Fn() + 'static) {
        let f = Closure::<dyn Fn()>::new(f);
        if let Some(w) = web_sys::window() {
            let _ = w.add_event_listener_with_callback(event, f.as_ref().unchecked_ref());
        }
        f.forget();
    }

    fn open(page: &Rc<Page>) {
        if page.source.borrow().is_some() {
            return;
        }
        let text = |t: &str| String::from(js_sys::encode_uri_component(t));
        let mut url = format!("/events?topic={}", text(&page.topic));
        if !page.cursor.borrow().is_empty() {
            url.push_str(&format!("&cursor={}", text(&page.cursor.borrow())));
        }
        let Ok(source) = EventSource::new(&url) else {
            return;
        };
        if let Some(heard) = page.heard.borrow().as_ref() {
            for event in ["ready", "changed", "reload", "ended"] {
                let _ =
                    source.add_event_listener_with_callback(event, heard.as_ref().unchecked_ref());
            }
        }
        if let Some(broken) = page.broken.borrow().as_ref() {
            source.set_onerror(Some(broken.as_ref().unchecked_ref()));
        }
        *page.source.borrow_mut() = Some(source);
    }

    fn close(page: &Page) {
        if let Some(source) = page.source.borrow_mut().take() {
            source.close();
        }
    }

    fn hear(page: &Rc<Page>, event: &MessageEvent) {
        match event.type_().as_str() {
            "ended" => {
                close(page);
                signed_out(&page.href);
            }
            kind => {
                if let Some(cursor) = event.data().as_string() {
                    *page.cursor.borrow_mut() = cursor;
                }
                if kind != "ready" {
                    refresh(page);
                }
            }
        }
    }

    /// The browser comes back by itself after a broken connection, not after a refusal.
    fn lost(page: &Rc<Page>) {
        let refused = page
            .source
            .borrow()
            .as_ref()
            .is_some_and(|s| s.ready_state() == EventSource::CLOSED);
        if !refused {
            return;
        }
        close(page);
        refresh(page);
        let p = page.clone();
        let again = Closure::once_into_js(move || {
            // Only a page that did not learn why asks again.
            if notice().is_some_and(|n| n.child_element_count() == 0) {
                open(&p);
            }
        });
        if let Some(w) = web_sys::window() {
            let _ = w.set_timeout_with_callback_and_timeout_and_arguments_0(
                again.unchecked_ref(),
                AGAIN,
            );
        }
    }

    fn notice() -> Option<Element> {
        web_sys::window()?
            .document()?
            .query_selector(".gh-live")
            .ok()?
    }

    fn signed_out(href: &str) {
        let Some(notice) = notice() else { return };
        let back = js_sys::encode_uri_component(href);
        notice.set_inner_html(&format!(
            "<p><strong>You are signed out.</strong> This page shows what was known until then. \
             <a href=\"/signin?return_to={back}\">Sign in</a></p>"
        ));
    }

    fn refresh(page: &Rc<Page>) {
        let page = page.clone();
        spawn_local(async move {
            let _ = try_refresh(&page).await;
        });
    }

    async fn try_refresh(page: &Page) -> Result<(), JsValue> {
        let href = page.href.as_str();
        let turn = page.asked.get().wrapping_add(1);
        page.asked.set(turn);
        let window = web_sys::window().ok_or("no window")?;
        let document = window.document().ok_or("no document")?;
        let response: web_sys::Response = JsFuture::from(window.fetch_with_str(&page.news))
            .await?
            .dyn_into()?;
        if response.url().contains("/signin") {
            signed_out(href);
            return Ok(());
        }
        if matches!(response.status(), 403 | 404 | 410) {
            return window.location().set_href(href);
        }
        if !response.ok() {
            return Ok(());
        }
        let html = JsFuture::from(response.text()?)
            .await?
            .as_string()
            .unwrap_or_default();
        if page.asked.get() != turn {
            return Ok(());
        }
        let fresh = web_sys::DomParser::new()?
            .parse_from_string(&html, web_sys::SupportedType::TextHtml)?;
        let (old, new) = (regions(&document)?, regions(&fresh)?);
        for (name, region) in &old {
            let Some((_, with)) = new.iter().find(|(n, _)| n == name) else {
                return window.location().set_href(href);
            };
            // What somebody is typing in stays, and what they have typed.
            let typing = typed_in(region, with)?
                || document.active_element().is_some_and(|a| {
                    region.contains(Some(&a))
                        && matches!(a.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
                });
            if !typing && with.inner_html() != region.inner_html() {
                region.set_inner_html(&with.inner_html());
            }
        }
        Ok(())
    }

    /// Does a field of it hold a text that the new one would not? What a refused form gave back is
    /// somebody's text too.
    fn typed_in(region: &Element, with: &Element) -> Result<bool, JsValue> {
        const TEXTS: &str = "textarea, input[type=text]";
        let (old, new) = (
            region.query_selector_all(TEXTS)?,
            with.query_selector_all(TEXTS)?,
        );
        for i in 0..old.length() {
            let text = |field: Option<web_sys::Node>| {
                let field = field?;
                let value = js_sys::Reflect::get(field.as_ref(), &"value".into());
                value.ok()?.as_string()
            };
            let now = text(old.get(i)).unwrap_or_default();
            if !now.is_empty() && now != text(new.get(i)).unwrap_or_default() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn regions(document: &web_sys::Document) -> Result<Vec<(String, Element)>, JsValue> {
        let found = document.query_selector_all("[data-live]")?;
        Ok((0..found.length())
            .filter_map(|i| found.get(i)?.dyn_into::<Element>().ok())
            .map(|e| (e.get_attribute("data-live").unwrap_or_default(), e))
            .collect())
    }
}
