//! Plain pages that need nobody signed in, and the one conversion from an error to an answer.

use super::context::request_id;
use axum::{
    body::Body,
    response::{Html, IntoResponse, Response},
};
use domain::{Error, Kind};
use http::{StatusCode, header};

/// Text made safe for HTML, in content and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A whole document around `body`, which must be HTML already.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" class=\"gh-theme-auto\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"stylesheet\" href=\"/pkg/gatehouse.css\">\n\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n\
         <title>{} · Gatehouse</title>\n</head>\n<body>\n\
         <main class=\"gh-plain\" id=\"main\">\n{body}\n</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// An alert in PatternFly's markup. `tone`: `danger`, `warning`, `info`, `success`.
pub fn alert(tone: &str, title: &str, text: &str) -> String {
    format!(
        "<div class=\"pf-v6-c-alert pf-m-inline pf-m-{tone}\"><h2 class=\"pf-v6-c-alert__title\">{}</h2>\
         <div class=\"pf-v6-c-alert__description\"><p>{}</p></div></div>",
        escape(title),
        escape(text)
    )
}

/// A link that looks like a button.
pub fn button(href: &str, words: &str) -> String {
    format!(
        "<p><a class=\"pf-v6-c-button pf-m-primary\" href=\"{}\">{}</a></p>",
        escape(href),
        escape(words)
    )
}

/// The status code of a kind of error.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Forbidden | Kind::SignInAgain => StatusCode::FORBIDDEN,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "This cannot be used",
        Kind::NotFound => "Nothing here",
        Kind::Forbidden => "Not allowed",
        Kind::SignInAgain => "Sign in again",
        Kind::Conflict => "Something else came first",
        Kind::TooLarge => "Too large",
        Kind::TooMany => "Too often",
        Kind::Unavailable => "Not available now",
        Kind::Internal => "Something went wrong",
    }
}

/// An error on its way to a page; the log gets what the page does not.
pub struct Fault {
    pub error: Error,
    pub status: StatusCode,
    /// Where to go on: (address, words).
    pub next: (String, String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            status: status(error.kind),
            error,
            next: ("/".into(), "Go to the overview".into()),
        }
    }
}

impl Fault {
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
    pub fn next(mut self, href: impl Into<String>, words: impl Into<String>) -> Self {
        self.next = (href.into(), words.into());
        self
    }
}

/// Writes what the log should have of an error.
pub fn log(error: &Error) {
    match error.kind {
        Kind::Internal => tracing::error!(problem = error.for_log(), "failed"),
        Kind::Unavailable => tracing::warn!(problem = error.for_log(), "unavailable"),
        _ => tracing::debug!(problem = error.for_log(), "refused"),
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self {
            error,
            status,
            next,
        } = self;
        log(&error);
        let mut body = format!(
            "<h1 class=\"pf-v6-c-title pf-m-2xl\">{}</h1>\n",
            heading(error.kind)
        );
        body.push_str(&alert(
            if status.is_server_error() {
                "danger"
            } else {
                "warning"
            },
            &sentence(&error.message),
            error.remedy.as_deref().unwrap_or_default(),
        ));
        for field in &error.fields {
            body.push_str(&format!(
                "<p><b>{}</b>: {}</p>",
                escape(&field.field),
                escape(&field.message)
            ));
        }
        body.push_str(&button(&next.0, &next.1));
        let id = request_id();
        if !id.is_empty() {
            body.push_str(&format!(
                "<p class=\"gh-muted\">Request {}</p>",
                escape(&id)
            ));
        }
        let mut response = (status, Html(document(heading(error.kind), &body))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, http::HeaderValue::from_static("5"));
        }
        response
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// A redirect that the browser follows with GET, to a path of ours or an address that was checked.
pub fn see_other(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    match http::HeaderValue::from_str(location) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response
        }
        Err(_) => Fault::from(Error::invalid("this address cannot be opened")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_cause_is_on_the_page() {
        let html = axum::body::to_bytes(
            Fault::from(Error::internal("password=hunter2 <script>"))
                .into_response()
                .into_body(),
            100_000,
        );
        let html = String::from_utf8(futures::executor::block_on(html).expect("body").to_vec())
            .expect("text");
        assert!(!html.contains("hunter2"));
        assert!(html.contains("it has been logged"));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escape("<a href='x' b=\"y\">&"),
            "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;"
        );
    }
}
