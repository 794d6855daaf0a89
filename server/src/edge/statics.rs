//! Built files of the site, compressed beforehand where the build did so.

use super::{page::Fault, render, state::AppState};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::Error;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use tower_http::services::ServeDir;

/// A file that the build made (`/pkg/…`): no session is looked up for it.
pub async fn built(State(state): State<AppState>, request: Request) -> Response {
    match file(&state, &request).await {
        Some(found) => found,
        None => Fault::from(
            Error::not_found("there is no such file")
                .remedy("Reload the page: a new version may be there."),
        )
        .into_response(),
    }
}

/// A file of the site folder, else "not found".
pub async fn file_or_not_found(State(state): State<AppState>, request: Request) -> Response {
    match file(&state, &request).await {
        Some(found) => found,
        None => render::not_found(&state, request).await,
    }
}

/// Files are revalidated at each use (their date is compared, 304 without a body), so that a new build
/// is seen at once and nothing is fetched twice.
fn file(state: &AppState, request: &Request) -> impl Future<Output = Option<Response>> + use<> {
    // Taken out first: a body must not be held while the file is read.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let (method, uri, headers) = (
        request.method().clone(),
        request.uri().clone(),
        request.headers().clone(),
    );
    let site = state.options.site_root.clone();
    async move {
        if reads {
            open(&site, method, uri, headers).await
        } else {
            None
        }
    }
}

async fn open(site: &str, method: Method, uri: Uri, headers: HeaderMap) -> Option<Response> {
    let mut probe = Request::new(Body::empty());
    *probe.method_mut() = method;
    *probe.uri_mut() = uri;
    *probe.headers_mut() = headers;
    let mut files = ServeDir::new(site)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    match files.try_call(probe).await {
        Ok(found) if found.status() != StatusCode::NOT_FOUND => {
            let mut response = found.map(Body::new).into_response();
            let cache = HeaderValue::from_static("public, no-cache");
            response.headers_mut().insert(header::CACHE_CONTROL, cache);
            Some(response)
        }
        Ok(_) => None,
        // The site folder is not there at all.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => {
            tracing::error!(problem = %e, "a file of the site cannot be read");
            None
        }
    }
}
