//! `/hooks/registry`: what a registry tells of pushes and deletions (CNCF distribution's
//! notifications). It is only a hint that a sync is due; nothing in it is believed.

use super::{context::RequestContext, health::bearer, state::AppState};
use crate::oidc::jose::same;
use axum::{
    Extension,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};

/// Largest notification: the registry batches few events.
pub const MAX_BODY: usize = 1024 * 1024;

#[derive(serde::Deserialize)]
struct Notification {
    events: Vec<Event>,
}

#[derive(serde::Deserialize)]
struct Event {
    #[serde(default)]
    action: String,
}

pub async fn registry(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !state.hook_limit.allow(context.address, state.now()) {
        return (StatusCode::TOO_MANY_REQUESTS, "too many notifications\n").into_response();
    }
    let given = bearer(&headers).unwrap_or_default();
    // Every token is compared, so that the time says nothing of which registry came close.
    let mut name = None;
    for r in &state.config.registries {
        if let Some(token) = &r.notification_token
            && same(given.as_bytes(), token.expose().as_bytes())
        {
            name = Some(r.name.clone());
        }
    }
    let Some(name) = name else {
        return (
            StatusCode::UNAUTHORIZED,
            "the notification token is missing or wrong\n",
        )
            .into_response();
    };
    let Ok(notification) = serde_json::from_slice::<Notification>(&body) else {
        return (
            StatusCode::BAD_REQUEST,
            "a JSON object with `events` is expected\n",
        )
            .into_response();
    };
    // Our own sync pulls: if a pull made a sync due, it would never end.
    if notification.events.iter().all(|e| e.action == "pull") {
        return StatusCode::ACCEPTED.into_response();
    }
    match state.services.registries.notified(&name).await {
        Ok(()) => {
            state.wake.sync.notify_waiters();
            StatusCode::ACCEPTED.into_response()
        }
        Err(e) => {
            super::page::log(&e);
            // The registry repeats what was not taken.
            (super::page::status(e.kind), "try again later\n").into_response()
        }
    }
}
