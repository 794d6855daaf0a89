//! HTTP to the provider: one client, no redirects, time and size limits.

use openidconnect::{HttpRequest, HttpResponse};
use std::{path::Path, time::Duration};

/// No answer of a provider that we read is larger.
const MAX_BODY: usize = 1024 * 1024;

/// Why there was no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    #[error("the request cannot be written")]
    Build(#[from] http::Error),
}

/// The client for the provider. It follows no redirects: a token or a secret goes to the address
/// that the discovery document names and nowhere else.
/// Errors: when the file with further certificates cannot be used.
pub fn client(
    ca_file: Option<&Path>,
) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(8))
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = ca_file {
        let pem = std::fs::read(file)?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    Ok(builder.build()?)
}

/// Sends one request of openidconnect's.
pub async fn send(
    client: reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let (parts, body) = request.into_parts();
    let mut response = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut builder = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        builder = builder.header(name, value);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(HttpError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(builder.body(bytes)?)
}
