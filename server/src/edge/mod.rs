//! The HTTP edge: routes and the layers around them.

pub mod auth;
pub mod context;
mod events;
mod health;
mod hooks;
pub mod limit;
mod log;
pub mod metrics;
pub mod page;
pub mod recent;
pub mod render;
pub mod return_to;
mod signin;
mod state;
mod statics;
pub mod streams;
#[cfg(test)]
mod tests;
mod topic;

pub use auth::{Signed, Who};
pub use events::remember;
pub use page::{Fault, see_other};
pub use render::rerender;
pub use state::{AppState, Inner, Ping};

use crate::{api, forms, session};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler as _,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use domain::{Error, Kind};
use http::{Method, StatusCode, Uri};
use leptos_axum::{LeptosRoutes as _, generate_route_list};
use std::{any::Any, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer,
    limit::RequestBodyLimitLayer, timeout::TimeoutLayer,
};

/// Everything that the console answers.
pub fn router(state: AppState, backend: session::Backend) -> Router {
    let origin = state.config.public_origin();
    let csrf = CsrfLayer::new()
        .add_trusted_origin(&origin)
        .expect("the public address was checked when the configuration was read")
        .with_rejection_response(refused);
    let time = Duration::from_secs(state.config.server.request_seconds);

    let body = state.config.server.body_bytes;
    let long = forms::long_routes()
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(forms::most("/deploy/", body)));

    // Behind the session: pages, forms, streams, sign-in.
    let people = Router::new()
        .route("/signin", get(signin::page))
        .route("/signin/start", get(signin::start))
        .route("/oidc/callback", get(signin::callback))
        .route("/signout", post(signin::sign_out))
        .route("/signed-out", get(signin::signed_out))
        .route("/events", get(events::stream))
        .merge(forms::routes())
        .merge(api::routes())
        .leptos_routes_with_handler(generate_route_list(app::App), render::page)
        .fallback(statics::file_or_not_found)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(body))
        .merge(long)
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .layer(session::layer(backend))
        .layer(csrf);

    // Programs: no cookie counts here, each has a proof of its own.
    let programs = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(log::routes())
        .route("/pkg/{*file}", get(statics::built))
        .route(
            "/hooks/registry",
            post(hooks::registry.layer(RequestBodyLimitLayer::new(hooks::MAX_BODY))),
        )
        .route(
            "/oidc/backchannel-logout",
            post(signin::backchannel.layer(RequestBodyLimitLayer::new(128 * 1024))),
        );

    programs
        .merge(people)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            time,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(no_nul))
        .layer(from_fn(plain_errors))
        .layer(CompressionLayer::new().br(true).gzip(true))
        .layer(from_fn_with_state(state.clone(), context::observe))
        .with_state(state)
}

/// What the CSRF layer answers.
fn refused(e: tower_http::csrf::ProtectionError) -> Response {
    tracing::warn!(reason = %e, "a request from another site was refused");
    Fault::from(
        Error::forbidden("this form came from another site, so nothing was done")
            .remedy("Open the page here in the console and send the form from there."),
    )
    .into_response()
}

/// Nothing here has a NUL in its name, and no database keeps one in a text: an address with one (it can
/// only be written as `%00`) is refused before anything is looked for.
async fn no_nul(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    if !request.uri().to_string().contains("%00") {
        return next.run(request).await;
    }
    let error = Error::invalid("this address has a NUL character (%00) in it")
        .remedy("Take it out of the address, or start from the overview.");
    if request.uri().path().starts_with("/api/") {
        return api::Problem::from(error).into_response();
    }
    Fault::from(error).into_response()
}

/// Answers of axum and of layers that are bare text (a body that is too large, a form that cannot be
/// read, a method that is not there) become pages in plain words, without the library's text.
async fn plain_errors(
    method: Method,
    uri: Uri,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let response = next.run(request).await;
    if uri.path().starts_with("/api/") {
        return api::of_layer(response);
    }
    let status = response.status();
    let kind = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let ours = !kind.is_empty() && !kind.starts_with("text/plain");
    let program = [
        "/hooks/",
        "/oidc/backchannel-logout",
        "/healthz",
        "/readyz",
        "/metrics",
    ]
    .iter()
    .any(|p| uri.path().starts_with(p));
    if ours || program || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(
            Kind::TooLarge,
            "what was sent is larger than this console takes",
        )
        .remedy("Send less; whoever runs the console can raise server.body_bytes."),
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::invalid(format!("this address does not take {method}"))
                .remedy("Open it from the console’s own pages.")
        }
        StatusCode::GATEWAY_TIMEOUT => Error::unavailable("this took too long and was given up")
            .remedy("Try again in a moment. If it was a form, look first whether it was done."),
        s if s.is_server_error() => Error::new(
            Kind::Internal,
            "something went wrong on our side; it has been logged",
        ),
        _ => Error::invalid("what was sent could not be read")
            .remedy("Open the page again and send the form from there."),
    };
    let headers = response.headers().clone();
    let mut page = Fault::from(error).status(status).into_response();
    // `Allow` and cookies stay.
    for name in [http::header::ALLOW, http::header::SET_COOKIE] {
        for value in headers.get_all(&name) {
            page.headers_mut().append(name.clone(), value.clone());
        }
    }
    page
}

fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(cause = text, "a request panicked");
    Fault::from(Error::new(Kind::Internal, "something went wrong on our side; it has been logged")
        .remedy("Try again. If it happens again, tell whoever runs this console the request’s id below."))
    .into_response()
}
