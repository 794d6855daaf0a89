//! The proxies' admin endpoint.

use super::{Fault, Faults};
use crate::error::{Error, Result};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use tokio_util::sync::CancellationToken;

pub(super) async fn start(
    port: u16,
    token: String,
    faults: Faults,
    shutdown: CancellationToken,
) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| Error::other(format!("the proxies' admin port {port}: {e}")))?;
    let app = Router::new()
        .route("/faults", get(list))
        .route("/faults/{part}", put(set).delete(clear))
        .route("/faults/{part}/drop-watches", post(drop_watches))
        .layer(from_fn_with_state(token, authorise))
        .with_state(faults);
    tokio::spawn(async move {
        let served = axum::serve(listener, app)
            .with_graceful_shutdown(async move { shutdown.cancelled().await })
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the proxies' admin endpoint ended");
        }
    });
    Ok(())
}

async fn authorise(State(token): State<String>, request: Request, next: Next) -> Response {
    let wanted = format!("Bearer {token}");
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if given == Some(wanted.as_str()) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, "a bearer token is wanted\n").into_response()
    }
}

fn answer(result: Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::NOT_FOUND, format!("{error}\n")).into_response(),
    }
}

async fn list(State(faults): State<Faults>) -> Response {
    Json(faults.current()).into_response()
}

async fn set(
    State(faults): State<Faults>,
    Path(part): Path<String>,
    Json(fault): Json<Fault>,
) -> Response {
    answer(faults.set(&part, fault))
}

async fn clear(State(faults): State<Faults>, Path(part): Path<String>) -> Response {
    answer(faults.clear(&part))
}

async fn drop_watches(State(faults): State<Faults>, Path(part): Path<String>) -> Response {
    answer(faults.drop_watches(&part))
}
