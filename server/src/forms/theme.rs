//! Light, dark, or as the system has it: a cookie of this browser.

use super::{Typed, field};
use crate::edge::{AppState, return_to, see_other};
use axum::{Router, response::Response, routing::post};
use http::{HeaderValue, header};

pub fn routes() -> Router<AppState> {
    Router::new().route("/theme", post(choose))
}

async fn choose(Typed(typed): Typed) -> Response {
    let theme = match field(&typed, "theme") {
        "light" => "light",
        "dark" => "dark",
        _ => "auto",
    };
    let mut response = see_other(return_to::local(field(&typed, "return_to")));
    let cookie =
        format!("gatehouse-theme={theme}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
