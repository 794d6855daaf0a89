//! Errors as RFC 9457 has them: `application/problem+json`.

use crate::edge::{context::request_id, page};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use domain::{Error, FieldError, Kind};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

const TYPE: &str = "application/problem+json";

/// What a program is told. Nothing of an error's cause gets here.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: Box<str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<Box<str>>,
    /// Single fields: a parameter's or member's name, or the manifest's path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldError>,
    /// The request's id in the console's log.
    #[serde(skip_serializing_if = "String::is_empty")]
    request: String,
}

impl Problem {
    fn new(status: StatusCode, error: Error) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: error.message.into(),
            remedy: error.remedy.map(Into::into),
            fields: error.fields,
            request: request_id(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        page::log(&error);
        Self::new(page::status(error.kind), error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TYPE));
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

pub fn not_signed_in() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        Error::forbidden("you are not signed in")
            .remedy("Sign in to the console and send its session’s cookie."),
    )
}

pub fn wrong_media() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::invalid("the body’s media type is not one that this address takes")
            .remedy("Send application/json or application/yaml and say so in Content-Type."),
    )
}

/// What a layer around the API answered, as a problem: layers know pages and bare text only.
pub fn of_layer(response: Response) -> Response {
    let status = response.status();
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|t| t == TYPE);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error = match status {
        StatusCode::UNAUTHORIZED => return with_headers(not_signed_in(), &response),
        StatusCode::FORBIDDEN => {
            Error::forbidden("this request came from another site, so nothing was done")
        }
        StatusCode::METHOD_NOT_ALLOWED => Error::invalid("this address does not take this method")
            .remedy("/api/openapi.json says which it takes."),
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(
            Kind::TooLarge,
            "what was sent is larger than this console takes",
        )
        .remedy("Send less; whoever runs the console can raise server.body_bytes."),
        StatusCode::GATEWAY_TIMEOUT => Error::unavailable("this took too long and was given up")
            .remedy("Look first whether it was done, then try again."),
        s if s.is_server_error() => Error::new(
            Kind::Internal,
            "something went wrong on our side; it has been logged",
        ),
        _ => Error::invalid("what was sent could not be read"),
    };
    with_headers(Problem::new(status, error), &response)
}

/// `Allow` and cookies stay.
fn with_headers(problem: Problem, from: &Response) -> Response {
    let mut out = problem.into_response();
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in from.headers().get_all(&name) {
            out.headers_mut().append(name.clone(), value.clone());
        }
    }
    out
}
