//! One HTTP exchange with an API server, bounded in time and size.

use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body, core::Status};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Larger than any object or list that is asked for.
pub(crate) const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Why there is no good answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was sent: there is no connection to this cluster.
    NotConnected,
    /// It did not answer in time; it may have acted.
    Timeout,
    /// The connection broke or the answer is unreadable; it may have acted.
    Lost,
    /// The answer is larger than the console takes.
    TooLarge,
    /// The API server says no.
    Refused(Box<Status>),
}

/// A good answer.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// The texts of `Warning` headers.
    pub warnings: Vec<String>,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|e| {
            tracing::warn!(error = %e, "an API server's answer is not what it should be");
            Failure::Lost
        })
    }
}

/// What to send.
pub(crate) struct Ask<'a> {
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Impersonation and the like.
    pub headers: HeaderMap,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub body: Vec<u8>,
    pub limit: usize,
    pub within: Duration,
}

impl<'a> Ask<'a> {
    pub fn get(path: &'a str, within: Duration) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            content_type: "application/json",
            accept: "application/json",
            body: Vec::new(),
            limit: MAX_ANSWER,
            within,
        }
    }

    pub fn post(path: &'a str, body: &serde_json::Value, within: Duration) -> Self {
        Self {
            method: Method::POST,
            body: body.to_string().into_bytes(),
            ..Self::get(path, within)
        }
    }

    pub fn with_person(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }
}

/// Sends it and reads the whole answer.
pub(crate) async fn ask(client: &Client, ask: Ask<'_>) -> Result<Answer, Failure> {
    let mut request = Request::new(Body::from(ask.body));
    *request.method_mut() = ask.method;
    *request.uri_mut() = ask.path.parse().map_err(|_| {
        tracing::error!(path = ask.path, "not a path");
        Failure::NotConnected
    })?;
    *request.headers_mut() = ask.headers;
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(ask.content_type),
    );
    request
        .headers_mut()
        .insert(header::ACCEPT, header::HeaderValue::from_static(ask.accept));
    request.headers_mut().insert(
        header::USER_AGENT,
        header::HeaderValue::from_static("gatehouse"),
    );
    match tokio::time::timeout(ask.within, exchange(client, request, ask.limit)).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::Timeout),
    }
}

async fn exchange(
    client: &Client,
    request: Request<Body>,
    limit: usize,
) -> Result<Answer, Failure> {
    let response = client.send(request).await.map_err(|e| failure_of(&e))?;
    let status = response.status();
    let warnings = response
        .headers()
        .get_all(header::WARNING)
        .iter()
        .filter_map(|v| warning(v.to_str().ok()?))
        .take(20)
        .collect();
    let mut body = Vec::new();
    let mut stream = response.into_body();
    while let Some(frame) = stream.frame().await {
        let frame = frame.map_err(|e| {
            tracing::debug!(error = %e, "the connection broke");
            Failure::Lost
        })?;
        if let Some(data) = frame.data_ref() {
            if body.len() + data.len() > limit {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(data);
        }
    }
    if status.is_success() {
        return Ok(Answer {
            status,
            body,
            warnings,
        });
    }
    // What answers without a Status object is a proxy or a load balancer; its text is for the log.
    let refusal = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| {
        tracing::debug!(code = status.as_u16(), body = %String::from_utf8_lossy(&body[..body.len().min(500)]), "an answer without a Status");
        Status::failure("", "")
    });
    let code = if refusal.code == 0 {
        status.as_u16()
    } else {
        refusal.code
    };
    Err(Failure::Refused(refusal.with_code(code).boxed()))
}

/// Was anything sent? Only what surely was not is `NotConnected`.
pub(crate) fn failure_of(error: &kube::Error) -> Failure {
    if let kube::Error::Api(status) = error {
        return Failure::Refused(status.clone());
    }
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "no answer from an API server"
    );
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                std::io::ErrorKind::ConnectionRefused
                    | std::io::ErrorKind::HostUnreachable
                    | std::io::ErrorKind::NetworkUnreachable
                    | std::io::ErrorKind::AddrNotAvailable
                    | std::io::ErrorKind::NotFound
            )
        {
            return Failure::NotConnected;
        }
        cause = e.source();
    }
    Failure::Lost
}

/// `299 - "text"` (RFC 9111 as Kubernetes uses it) → the text.
fn warning(header: &str) -> Option<String> {
    let quoted = header.splitn(3, ' ').nth(2)?.trim();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(
        inner
            .replace("\\\"", "\"")
            .chars()
            .filter(|c| !c.is_control())
            .take(500)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_from_their_headers() {
        assert_eq!(
            warning(r#"299 - "unknown field \"spec.x\"""#).as_deref(),
            Some("unknown field \"spec.x\"")
        );
        assert_eq!(warning("299 gateway"), None);
    }
}
