//! `/hooks/registry`: what a registry tells of pushes and deletions (CNCF distribution's
//! notifications, Harbor's webhooks in both of their forms). It is only a hint that a sync is due; nothing in it is believed.

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
#[serde(untagged)]
enum Notification {
    Distribution {
        events: Vec<Event>,
    },
    /// Harbor's own form, and CloudEvents, where the same data stands under `data`.
    Harbor {
        /// `PUSH_ARTIFACT`, `harbor.artifact.pushed`.
        #[serde(rename = "type")]
        kind: String,
        #[serde(default, alias = "data")]
        event_data: HarborData,
    },
}

#[derive(Default, serde::Deserialize)]
struct HarborData {
    #[serde(default)]
    repository: HarborRepository,
}

#[derive(Default, serde::Deserialize)]
struct HarborRepository {
    /// With the project: `models/a`.
    #[serde(default)]
    repo_full_name: String,
}

impl Notification {
    fn events(self) -> Vec<Event> {
        match self {
            Self::Distribution { events } => events,
            Self::Harbor { kind, event_data } => {
                let action = match kind.as_str() {
                    "PULL_ARTIFACT" | "harbor.artifact.pulled" => "pull".into(),
                    _ => kind,
                };
                let repository = event_data.repository.repo_full_name;
                vec![Event {
                    action,
                    target: Target { repository },
                }]
            }
        }
    }
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
            "a JSON object with `events`, or Harbor's with `type`, is expected\n",
        )
            .into_response();
    };
    let events = notification.events();
    // Our own sync pulls: if a pull made a sync due, it would never end.
    if events.iter().all(|e| e.action == "pull") {
        return StatusCode::ACCEPTED.into_response();
    }
    match state
        .services
        .registries
        .notified(&name, &touched(events))
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
    fn harbors_webhooks_are_hints_too() {
        let of = |json| {
            let n: Notification = serde_json::from_value(json).expect("a notification");
            touched(n.events())
        };
        let data = serde_json::json!({
            "resources": [{"digest": "sha256:0", "tag": "v1", "resource_url": "harbor.example/models/a:v1"}],
            "repository": {"name": "a", "namespace": "models", "repo_full_name": "models/a", "repo_type": "private"},
        });
        let own = |kind: &str| serde_json::json!({"type": kind, "occur_at": 1, "operator": "admin", "event_data": data});
        assert_eq!(of(own("PUSH_ARTIFACT")), ["models/a"]);
        assert!(of(own("PULL_ARTIFACT")).is_empty());
        let cloud = |kind: &str| serde_json::json!({"specversion": "1.0", "id": "1", "source": "/projects/1/webhook/policies/1", "type": kind, "datacontenttype": "application/json", "data": data});
        assert_eq!(of(cloud("harbor.artifact.deleted")), ["models/a"]);
        assert!(of(cloud("harbor.artifact.pulled")).is_empty());
    }

    #[test]
    fn only_what_was_changed_is_looked_at_again() {
        let of = |json| {
            let n: Notification = serde_json::from_value(json).expect("a notification");
            touched(n.events())
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
