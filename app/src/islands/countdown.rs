use leptos::prelude::*;

/// Counts the elements with `data-left` (milliseconds from when they came) down, second by second. By
/// what is left rather than by an instant: clocks of browsers are wrong.
#[island]
pub fn Countdown() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(|_| start());
}

#[cfg(feature = "hydrate")]
fn start() {
    use wasm_bindgen::{JsCast, closure::Closure};
    let tick = || {
        let found = web_sys::window()
            .and_then(|w| w.document())
            .and_then(|d| d.query_selector_all("[data-left]").ok());
        let Some(found) = found else { return };
        let now = js_sys::Date::now();
        for i in 0..found.length() {
            let Some(e) = found
                .get(i)
                .and_then(|n| n.dyn_into::<web_sys::Element>().ok())
            else {
                continue;
            };
            let number = |name: &str| e.get_attribute(name).and_then(|v| v.parse::<f64>().ok());
            let until = number("data-until").unwrap_or_else(|| {
                let until = now + number("data-left").unwrap_or(0.0);
                let _ = e.set_attribute("data-until", &until.to_string());
                until
            });
            let left = ((until - now) / 1000.0).ceil();
            e.set_text_content(Some(&if left > 0.0 {
                format!("in {left} s")
            } else {
                "now".to_owned()
            }));
        }
    };
    tick();
    let tick = Closure::<dyn Fn()>::new(tick);
    if let Some(w) = web_sys::window() {
        let _ = w.set_interval_with_callback_and_timeout_and_arguments_0(
            tick.as_ref().unchecked_ref(),
            1000,
        );
    }
    // It runs as long as the page lives.
    tick.forget();
}
