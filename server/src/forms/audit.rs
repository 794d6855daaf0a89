//! The audit log as a file: JSON Lines, streamed page by page, itself recorded.

use crate::edge::{AppState, Fault, Who};
use app::{pages::audit::filter_of, query::Query};
use axum::{
    Router,
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::page::MAX_LIMIT;
use futures::stream;
use http::header;
use services::ports::AuditFilter;
use url::form_urlencoded;

pub fn routes() -> Router<AppState> {
    Router::new().route("/audit/export", get(export))
}

async fn export(
    State(state): State<AppState>,
    Who(caller): Who,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let filter = match filter_of(&Query::of(pairs.clone())) {
        Ok(f) => f,
        Err(e) => return Fault::from(e).into_response(),
    };
    // First the record that it happens, then the bytes.
    if let Err(e) = state
        .services
        .audit
        .exported(&caller, "audit", serde_json::json!({ "filter": pairs }))
        .await
    {
        return Fault::from(e).into_response();
    }
    let start = (state, caller, filter, Some(None::<String>));
    let lines = stream::unfold(
        start,
        |(state, caller, filter, after): (_, _, AuditFilter, Option<Option<String>>)| async move {
            let after = after?;
            match state
                .services
                .audit
                .list(&caller, &filter, after.as_deref(), MAX_LIMIT)
                .await
            {
                Ok(page) => {
                    let mut text = String::new();
                    for record in &page.rows {
                        text.push_str(&serde_json::to_string(record).unwrap_or_default());
                        text.push('\n');
                    }
                    let next = page.next.map(Some);
                    Some((Ok(text), (state, caller, filter, next)))
                }
                // A broken stream is seen by the reader; a short file would look complete.
                Err(e) => Some((
                    Err(std::io::Error::other(e.message)),
                    (state, caller, filter, None),
                )),
            }
        },
    );
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/jsonl; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        header::HeaderValue::from_static("attachment; filename=\"gatehouse-audit.jsonl\""),
    );
    response
}
