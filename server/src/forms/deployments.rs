//! What is asked of a deployment: scale, roll back, stop, start, delete.

use super::{Pairs, Typed, answer, field, storable};
use crate::edge::{AppState, Who};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use domain::{Error, FieldError, Result, ids::ChangeId, place::DeploymentKey};
use http::request::Parts;
use services::{Caller, changes::Ask};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/deployments/{cluster}/{namespace}/{name}/{ask}", post(ask))
        // The pattern of its page: a route of its own would answer the page's GET with 405.
        .route(
            "/deployments/{cluster}/{namespace}/{name}/{ask}/{revision}",
            post(rollback),
        )
}

async fn ask(
    State(state): State<AppState>,
    Who(caller): Who,
    Path((cluster, namespace, name, what)): Path<(String, String, String, String)>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let key = DeploymentKey::new(cluster, namespace, name);
    let page = format!("{}/{what}", key.path());
    let result = match parse(&what, &typed) {
        Ok(ask) => send(&state, &caller, &key, &ask, &typed).await,
        Err(e) => Err(e),
    };
    answer(
        &state,
        &parts,
        &page,
        typed,
        result.map(|id| format!("/changes/{id}")),
    )
    .await
}

async fn rollback(
    State(state): State<AppState>,
    Who(caller): Who,
    Path((cluster, namespace, name, what, revision)): Path<(
        String,
        String,
        String,
        String,
        String,
    )>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let key = DeploymentKey::new(cluster, namespace, name);
    let page = format!("{}/{what}/{revision}", key.path());
    let result = match (what.as_str(), revision.parse()) {
        ("rollback", Ok(revision)) => {
            send(&state, &caller, &key, &Ask::Rollback { revision }, &typed).await
        }
        ("rollback", Err(e)) => Err(e),
        _ => Err(Error::not_found("a deployment cannot be asked for that")),
    };
    answer(
        &state,
        &parts,
        &page,
        typed,
        result.map(|id| format!("/changes/{id}")),
    )
    .await
}

fn parse(what: &str, typed: &Pairs) -> Result<Ask> {
    Ok(match what {
        "stop" => Ask::Stop,
        "start" => Ask::Start,
        "delete" => Ask::Delete,
        "scale" => {
            let mut wrong = Vec::new();
            let mut number = |name: &str| {
                field(typed, name)
                    .trim()
                    .parse::<i64>()
                    .unwrap_or_else(|_| {
                        wrong.push(FieldError {
                            field: name.into(),
                            message: "This has to be a whole number, such as 2.".into(),
                        });
                        0
                    })
            };
            let ask = Ask::Scale {
                min: number("min"),
                max: number("max"),
            };
            if !wrong.is_empty() {
                let mut e = Error::invalid("these numbers of replicas cannot be used");
                e.fields = wrong;
                return Err(e);
            }
            ask
        }
        _ => return Err(Error::not_found("a deployment cannot be asked for that")),
    })
}

async fn send(
    state: &AppState,
    caller: &Caller,
    key: &DeploymentKey,
    ask: &Ask,
    typed: &Pairs,
) -> Result<ChangeId> {
    storable(typed)?;
    let expected = match field(typed, "hash") {
        "" => None,
        hash => Some(hash.parse()?),
    };
    let id = state
        .services
        .changes
        .ask(caller, key, ask, field(typed, "comment"), expected)
        .await?;
    state.wake.changes.notify_waiters();
    Ok(id)
}
