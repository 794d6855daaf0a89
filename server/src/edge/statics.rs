//! Built files of the site, compressed beforehand where the build did so.

use super::{render, state::AppState};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use tower_http::services::ServeDir;

/// A file of the site folder, else "not found". Files are revalidated at each use (their date is
/// compared, 304 without a body), so that a new build is seen at once and nothing is fetched twice.
pub async fn file_or_not_found(State(state): State<AppState>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return render::not_found(&state, request).await;
    }
    let mut probe = Request::new(Body::empty());
    *probe.method_mut() = request.method().clone();
    *probe.uri_mut() = request.uri().clone();
    *probe.headers_mut() = request.headers().clone();
    let files = ServeDir::new(&*state.options.site_root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    match files.clone().try_call(probe).await {
        Ok(found) if found.status() != StatusCode::NOT_FOUND => {
            let mut response = found.map(Body::new).into_response();
            response.headers_mut().insert(
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, no-cache"),
            );
            response
        }
        Ok(_) => render::not_found(&state, request).await,
        Err(e) => {
            tracing::error!(problem = %e, "a file of the site cannot be read");
            render::not_found(&state, request).await
        }
    }
}
