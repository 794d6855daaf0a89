//! Deciding a change, undoing that, withdrawing it.

use super::{Pairs, Typed, answer, field, storable};
use crate::edge::{AppState, Who};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use domain::{Error, Result, change::Outcome, ids::ChangeId};
use http::request::Parts;
use services::Caller;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/changes/{id}/decide", post(decide))
        .route("/changes/{id}/undo", post(undo))
        .route("/changes/{id}/withdraw", post(withdraw))
}

async fn decide(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let result = try_decide(&state, &caller, &id, &typed).await;
    answer(
        &state,
        &parts,
        &format!("/changes/{id}"),
        typed,
        result.map(|()| format!("/changes/{id}")),
    )
    .await
}

async fn try_decide(state: &AppState, caller: &Caller, id: &str, typed: &Pairs) -> Result<()> {
    let id: ChangeId = id.parse()?;
    storable(typed)?;
    let outcome = match field(typed, "outcome") {
        "approve" => Outcome::Approve,
        "reject" => Outcome::Reject,
        _ => {
            return Err(Error::invalid("choose to approve or to reject")
                .remedy("Press one of the two buttons."));
        }
    };
    let number = field(typed, "revision").parse().map_err(|_| {
        Error::invalid("the form does not say which revision it is about")
            .remedy("Open the change again and decide what it shows.")
    })?;
    let hash = field(typed, "hash").parse()?;
    state
        .services
        .changes
        .decide(caller, id, outcome, field(typed, "reason"), number, &hash)
        .await?;
    state.wake.changes.notify_waiters();
    Ok(())
}

async fn undo(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let result = match id.parse() {
        Ok(change) => state.services.changes.undo(&caller, change).await,
        Err(e) => Err(e),
    };
    answer(
        &state,
        &parts,
        &format!("/changes/{id}"),
        typed,
        result.map(|()| format!("/changes/{id}")),
    )
    .await
}

async fn withdraw(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let result = try_withdraw(&state, &caller, &id, &typed).await;
    answer(
        &state,
        &parts,
        &format!("/changes/{id}"),
        typed,
        result.map(|()| format!("/changes/{id}")),
    )
    .await
}

async fn try_withdraw(state: &AppState, caller: &Caller, id: &str, typed: &Pairs) -> Result<()> {
    let id: ChangeId = id.parse()?;
    storable(typed)?;
    let changes = &state.services.changes;
    changes.withdraw(caller, id, field(typed, "reason")).await
}
