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
use std::collections::BTreeSet;

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
    #[serde(default)]
    target: Target,
}

#[derive(Default, serde::Deserialize)]
struct Target {
    #[serde(default)]
    repository: String,
}

/// The repositories that something happened to, as a hint where to look again; none: anywhere.
fn touched(events: Vec<Event>) -> Vec<String> {
    let names: BTreeSet<String> = events
        .into_iter()
        .filter(|e| e.action != "pull")
        .map(|e| e.target.repository)
        .collect();
    if names
        .iter()
        .all(|n| domain::artifact::is_repository_name(n))
    {
        names.into_iter().collect()
    } else {
        Vec::new()
    }
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
    if name.is_none() && !given.is_empty() {
        name = match state.services.registries.of_token(given).await {
            Ok(name) => name,
            Err(e) => {
                super::page::log(&e);
                return (super::page::status(e.kind), "try again later\n").into_response();
            }
        };
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
    match state
        .services
        .registries
        .notified(&name, &touched(notification.events))
        .await
    {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_changed_is_looked_at_again() {
        let of = |json| {
            let n: Notification = serde_json::from_value(json).expect("a notification");
            touched(n.events)
        };
        let event = |action: &str, repository: &str| serde_json::json!({ "action": action, "target": { "repository": repository } });
        let events = [
            event("push", "models/a"),
            event("push", "models/a"),
            event("pull", "models/b"),
            event("delete", "models/c"),
        ];
        assert_eq!(
            of(serde_json::json!({ "events": events })),
            ["models/a", "models/c"]
        );
        // What says no repository, or none that can be, means any.
        let anywhere =
            serde_json::json!({ "events": [{ "action": "push" }, event("push", "models/a")] });
        assert!(of(anywhere).is_empty());
    }
}
