//! Plain form posts: one file an area. Each handler parses, calls one service, and answers 303, or 422
//! with the page rendered again and everything that was typed.

mod audit;
mod changes;
mod deploy;
mod deployments;
mod registries;
mod theme;

use crate::edge::{AppState, rerender, see_other};
use app::forms::FormState;
use axum::{Router, response::Response};
use domain::{Error, Result};
use http::request::Parts;

/// Routes of all areas.
pub fn routes() -> Router<AppState> {
    Router::new()
        .merge(audit::routes())
        .merge(changes::routes())
        .merge(deployments::routes())
        .merge(deploy::routes())
        .merge(registries::routes())
        .merge(theme::routes())
}

/// The pairs of a form as they came.
pub type Pairs = Vec<(String, String)>;

/// The first value of a field; empty where it was not sent.
pub fn field<'a>(typed: &'a Pairs, name: &str) -> &'a str {
    typed
        .iter()
        .find(|(n, _)| n == name)
        .map_or("", |(_, v)| v.as_str())
}

/// All values of a repeated field.
pub fn fields<'a>(typed: &'a Pairs, name: &str) -> Vec<&'a str> {
    typed
        .iter()
        .filter(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
        .collect()
}

/// On to the next page, or back to the form's own with what was typed.
pub async fn answer(
    state: &AppState,
    parts: &Parts,
    page: &str,
    typed: Pairs,
    result: Result<String>,
) -> Response {
    match result {
        Ok(next) => see_other(&next),
        Err(e) => refused(state, parts, page, typed, &e).await,
    }
}

/// The form's page again, with what was typed and what is wrong.
pub async fn refused(
    state: &AppState,
    parts: &Parts,
    page: &str,
    typed: Pairs,
    error: &Error,
) -> Response {
    if let Some(cause) = error.cause() {
        tracing::warn!(page, cause = %cause, "a form was refused");
    }
    rerender(state, parts, page, FormState::refused(typed, error)).await
}
