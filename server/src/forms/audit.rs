//! The audit log as a file: JSON Lines, streamed page by page, itself recorded.

use crate::edge::{AppState, Fault, Who, page::log};
use app::{pages::audit::filter_of, query::Query};
use axum::{
    Router,
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{Error, Result, page::MAX_LIMIT};
use futures::stream;
use http::header;
use serde_json::json;
use services::{
    Caller,
    audit::AuditLog,
    ports::{AuditFilter, NewRecord, RecordOutcome},
};
use tokio::{runtime::Handle, task::JoinHandle};
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
    // First the record that it begins, then the bytes.
    let detail = json!({ "filter": pairs });
    let intent = match state
        .services
        .audit
        .export_begins(&caller, "audit", detail)
        .await
    {
        Ok(intent) => intent,
        Err(e) => return Fault::from(e).into_response(),
    };
    let export = Export {
        audit: state.services.audit.clone(),
        caller,
        filter,
        intent,
        next: Next::Page(None),
        records: 0,
    };
    let lines = stream::unfold(export, |mut export| async move {
        let lines = export.lines().await?;
        Some((lines.map_err(|e| std::io::Error::other(e.message)), export))
    });
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

/// What an export does when it is asked for more.
enum Next {
    /// The page after this cursor.
    Page(Option<String>),
    /// Everything was handed over: say so in the log.
    End,
    /// Its outcome is in the log, or on its way there.
    Nothing,
}

/// An export on its way: its intent is in the log, and however it ends, its outcome follows.
struct Export {
    audit: AuditLog,
    caller: Caller,
    filter: AuditFilter,
    intent: NewRecord,
    next: Next,
    /// So many were handed over.
    records: usize,
}

impl Export {
    /// The next records; nothing after the last. A broken stream is seen by the reader, where a short
    /// file would look complete: so it breaks too when the log does not take the outcome.
    async fn lines(&mut self) -> Option<Result<String>> {
        let after = match &self.next {
            Next::Page(after) => after.clone(),
            Next::End => {
                let said = self.ended(RecordOutcome::Success, None).await;
                return said.err().map(Err);
            }
            Next::Nothing => return None,
        };
        let page = self
            .audit
            .list(&self.caller, &self.filter, after.as_deref(), MAX_LIMIT)
            .await;
        let text = page.and_then(|page| {
            let mut text = String::new();
            for record in &page.rows {
                text.push_str(&serde_json::to_string(record).map_err(Error::internal)?);
                text.push('\n');
            }
            Ok((text, page.rows.len(), page.next))
        });
        match text {
            Ok((text, records, next)) => {
                self.records += records;
                self.next = next.map_or(Next::End, |next| Next::Page(Some(next)));
                Some(Ok(text))
            }
            Err(e) => {
                let said = self.ended(RecordOutcome::Failure, Some(&e.message)).await;
                if let Err(e) = said {
                    log(&e);
                }
                Some(Err(e))
            }
        }
    }

    /// Writes the outcome, in a task of its own: a reader who goes away meanwhile stops nothing.
    async fn ended(&mut self, outcome: RecordOutcome, why: Option<&str>) -> Result<()> {
        self.end(outcome, why).await.map_err(Error::internal)?
    }

    fn end(&mut self, outcome: RecordOutcome, why: Option<&str>) -> JoinHandle<Result<()>> {
        self.next = Next::Nothing;
        let (audit, intent) = (self.audit.clone(), self.intent.clone());
        let mut detail = json!({ "records": self.records });
        if let Some(why) = why {
            detail["message"] = why.into();
        }
        tokio::spawn(async move { audit.export_ended(&intent, outcome, detail).await })
    }
}

impl Drop for Export {
    /// The reader went away: how much of it arrived is not known.
    fn drop(&mut self) {
        if matches!(self.next, Next::Nothing) || Handle::try_current().is_err() {
            return;
        }
        let why = "whoever read it went away before its end";
        let said = self.end(RecordOutcome::Unknown, Some(why));
        tokio::spawn(async move {
            if let Ok(Err(e)) = said.await {
                log(&e);
            }
        });
    }
}
