//! The pages of `app`, rendered for one request.

use super::{
    auth::{Signed, cookie, not_signed_in},
    context::RequestContext,
    state::AppState,
};
use app::{Theme, forms::FormState};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode, header, request::Parts};
use leptos::{nonce::Nonce, prelude::provide_context};

/// Handler of every page: somebody has to be signed in.
pub async fn page(State(state): State<AppState>, request: Request) -> Response {
    if request.extensions().get::<Signed>().is_none() {
        return not_signed_in(request.method(), request.uri(), request.headers());
    }
    render(&state, request, None).await
}

async fn render(state: &AppState, request: Request, form: Option<FormState>) -> Response {
    let services = state.services.clone();
    let caller = request
        .extensions()
        .get::<Signed>()
        .map(|s| s.caller.clone());
    let nonce = request
        .extensions()
        .get::<RequestContext>()
        .map(|c| c.nonce.clone())
        .unwrap_or_default();
    let theme = match cookie(request.headers(), "gatehouse-theme").as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::Auto,
    };
    let context = move || {
        provide_context(services.clone());
        provide_context(Nonce::from_value(nonce.clone()));
        provide_context(theme);
        if let Some(caller) = &caller {
            provide_context(caller.clone());
        }
        if let Some(form) = &form {
            provide_context(form.clone());
        }
    };
    let options = state.options.clone();
    leptos_axum::render_app_async_with_context(context, move || app::shell(options.clone()))(
        request,
    )
    .await
}

/// Renders the page at `path` again for a form that was refused: status 422, with what was typed and
/// what is wrong in the page's context. `parts`: those of the POST. `path` is ours, never the client's.
pub async fn rerender(state: &AppState, parts: &Parts, path: &str, form: FormState) -> Response {
    let status = form
        .error
        .as_ref()
        .map_or(StatusCode::UNPROCESSABLE_ENTITY, |e| {
            super::page::status(e.kind)
        });
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = path.parse().unwrap_or_default();
    for name in [
        header::COOKIE,
        header::HOST,
        header::ACCEPT_LANGUAGE,
        header::ACCEPT,
    ] {
        if let Some(value) = parts.headers.get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    *request.extensions_mut() = parts.extensions.clone();
    let mut response = render(state, request, Some(form)).await;
    // A page that could not be loaded at all keeps its own status.
    if response.status().is_success() {
        *response.status_mut() = status;
    }
    response
}

/// What no route and no file answers: the app's own "not found", or the sign-in.
pub async fn not_found(state: &AppState, request: Request) -> Response {
    if request.extensions().get::<Signed>().is_none() {
        return not_signed_in(request.method(), request.uri(), request.headers());
    }
    let mut response = render(state, request, None).await;
    if response.status().is_success() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
