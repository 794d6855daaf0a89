//! The audit log as a file: JSON Lines, streamed page by page, itself recorded.

use crate::edge::{AppState, Fault, Who, page::log};
use app::{pages::audit::filter_of, query::Query};
use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{Error, Result, page::MAX_LIMIT};
use futures::{StreamExt as _, stream};
use http::{header, request::Parts};
use serde_json::json;
use services::{
    Caller,
    audit::AuditLog,
    evidence::Evidence,
    ports::{AuditFilter, NewRecord, RecordOutcome},
};
use tokio::{runtime::Handle, task::JoinHandle};
use url::form_urlencoded;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/audit/export", get(export))
        .route("/audit/evidence", get(evidence))
        .route("/audit/{seq}/evidence", get(evidence_of))
}

/// The log as plain lines, newest first.
async fn export(
    State(state): State<AppState>,
    Who(caller): Who,
    Asked { filter, pairs }: Asked,
) -> Response {
    let what = json!({ "filter": pairs });
    let next = async { Ok(Next::Page(Box::new((caller.clone(), filter)), None)) };
    handed_out(&state, &caller, "gatehouse-audit", what, next).await
}

/// The log in its order, with what it takes to check it without the console.
async fn evidence(
    State(state): State<AppState>,
    Who(caller): Who,
    Asked { filter, pairs }: Asked,
) -> Response {
    let what = json!({ "filter": pairs, "with": "proofs" });
    let begun = async {
        let evidence = Evidence::begin(&state.services.ctx, &caller, &filter).await?;
        Ok(Next::Evidence(Box::new(evidence)))
    };
    handed_out(&state, &caller, "gatehouse-evidence", what, begun).await
}

/// The same of one record.
async fn evidence_of(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(seq): Path<String>,
) -> Response {
    let Ok(seq) = seq.parse::<i64>() else {
        return Fault::from(Error::not_found("there is no such record")).into_response();
    };
    let what = json!({ "record": seq, "with": "proofs" });
    let begun = async {
        let evidence = Evidence::of_record(&state.services.ctx, &caller, seq).await?;
        Ok(Next::Evidence(Box::new(evidence)))
    };
    let name = format!("gatehouse-record-{seq}");
    handed_out(&state, &caller, &name, what, begun).await
}

/// The filter of an address, and its pairs as they came; a filter that cannot be read is answered.
struct Asked {
    filter: AuditFilter,
    pairs: Vec<(String, String)>,
}

impl FromRequestParts<AppState> for Asked {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Response> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        match filter_of(&Query::of(pairs.clone())) {
            Ok(filter) => Ok(Self { filter, pairs }),
            Err(e) => Err(Fault::from(e).into_response()),
        }
    }
}

/// First the record that it begins, then the bytes.
async fn handed_out(
    state: &AppState,
    caller: &Caller,
    name: &str,
    what: serde_json::Value,
    begun: impl Future<Output = Result<Next>>,
) -> Response {
    let audit = state.services.audit.clone();
    let intent = match audit.export_begins(caller, "audit", what).await {
        Ok(intent) => intent,
        Err(e) => return Fault::from(e).into_response(),
    };
    let mut export = Export {
        audit,
        intent,
        next: Next::End,
        records: 0,
    };
    match begun.await {
        Ok(next) => export.next = next,
        Err(e) => {
            if let Err(e) = export.ended(RecordOutcome::Failure, Some(&e.message)).await {
                log(&e);
            }
            return Fault::from(e).into_response();
        }
    }
    // Fused: whoever compresses it asks again after its end.
    let lines = stream::unfold(export, |mut export| async move {
        let lines = export.lines().await?;
        Some((lines.map_err(|e| std::io::Error::other(e.message)), export))
    })
    .fuse();
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/jsonl; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        header::HeaderValue::from_str(&format!("attachment; filename=\"{name}.jsonl\""))
            .expect("a plain name"),
    );
    response
}

/// What an export does when it is asked for more.
enum Next {
    /// For whom and of what, and the page after this cursor.
    Page(Box<(Caller, AuditFilter)>, Option<String>),
    /// What the evidence says next.
    Evidence(Box<Evidence>),
    /// Everything was handed over: say so in the log.
    End,
    /// Its outcome is in the log, or on its way there.
    Nothing,
}

/// An export on its way: its intent is in the log, and however it ends, its outcome follows.
struct Export {
    audit: AuditLog,
    intent: NewRecord,
    next: Next,
    /// So many were handed over.
    records: usize,
}

impl Export {
    /// The next records; nothing after the last. A broken stream is seen by the reader, where a short
    /// file would look complete: so it breaks too when the log does not take the outcome.
    async fn lines(&mut self) -> Option<Result<String>> {
        // Whoever goes away while the next lines are read leaves an export that has not ended.
        let step = match std::mem::replace(&mut self.next, Next::End) {
            Next::Page(of, after) => self.page(of, after).await,
            Next::Evidence(mut evidence) => match evidence.next().await {
                Ok(Some(found)) => Ok((found, Next::Evidence(evidence))),
                Ok(None) => Ok(((String::new(), 0), Next::End)),
                Err(e) => Err(e),
            },
            Next::End => {
                let said = self.ended(RecordOutcome::Success, None).await;
                return said.err().map(Err);
            }
            Next::Nothing => {
                self.next = Next::Nothing;
                return None;
            }
        };
        match step {
            Ok(((text, records), next)) => {
                self.records += records;
                self.next = next;
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

    async fn page(
        &self,
        of: Box<(Caller, AuditFilter)>,
        after: Option<String>,
    ) -> Result<((String, usize), Next)> {
        let page = self
            .audit
            .list(&of.0, &of.1, after.as_deref(), MAX_LIMIT)
            .await?;
        let mut text = String::new();
        for record in &page.rows {
            text.push_str(&serde_json::to_string(record).map_err(Error::internal)?);
            text.push('\n');
        }
        let next = page
            .next
            .map_or(Next::End, |next| Next::Page(of, Some(next)));
        Ok(((text, page.rows.len()), next))
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
