use leptos::prelude::*;

/// Tells the server the browser's time zone by a cookie, for the next page: a page that is being read
/// does not change under the reader. Without JavaScript times are in UTC, as their offset says.
#[island]
pub fn Zone() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(|_| {
        let _ = tell();
    });
}

#[cfg(feature = "hydrate")]
fn tell() -> Option<()> {
    use js_sys::{Array, Intl::DateTimeFormat, Object, Reflect};
    let options = DateTimeFormat::new(&Array::new(), &Object::new()).resolved_options();
    let zone = Reflect::get(options.as_ref(), &"timeZone".into())
        .ok()?
        .as_string()?;
    let window = web_sys::window()?;
    let secure = if window.location().protocol().ok()? == "https:" {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("gatehouse-zone={zone}; Path=/; Max-Age=31536000; SameSite=Lax{secure}");
    Reflect::set(
        window.document()?.as_ref(),
        &"cookie".into(),
        &cookie.into(),
    )
    .ok()
    .map(|_| ())
}
