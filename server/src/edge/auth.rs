//! Who asks: from the session's cookie to a [`Caller`].

use super::{
    context::RequestContext,
    page::{Fault, see_other},
    return_to,
    state::AppState,
};
use crate::session::id_hash;
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Error, Micros, Result};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use services::{Caller, people::RequestInfo, ports::SessionRow};
use std::sync::Arc;
use tower_sessions::Session;

/// A signed-in request: in its extensions.
#[derive(Clone)]
pub struct Signed {
    pub caller: Caller,
    pub session: Arc<SessionRow>,
}

/// The idle limit is moved at most so often.
const TOUCH_AFTER: i64 = Micros::MINUTE;

/// Finds out who asks and puts [`Signed`] into the request; nobody is refused here.
pub async fn authenticate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request.extensions().get::<Session>().and_then(Session::id);
    let context = request.extensions().get::<RequestContext>().cloned();
    match signed(&state, id, context.as_ref(), request.headers().clone()).await {
        Ok(Some(signed)) => {
            request.extensions_mut().insert(signed);
        }
        Ok(None) => {}
        // Not knowing who asks is not "nobody asks": the page must not say "sign in" then.
        Err(e) => return Fault::from(e).into_response(),
    }
    next.run(request).await
}

async fn signed(
    state: &AppState,
    id: Option<tower_sessions::session::Id>,
    context: Option<&RequestContext>,
    headers: HeaderMap,
) -> Result<Option<Signed>> {
    let Some(id) = id else { return Ok(None) };
    let ctx = &state.services.ctx;
    let now = ctx.clock.now();
    let hash = id_hash(&id);
    let Some(row) = ctx.store.session_load(&hash, now).await? else {
        return Ok(None);
    };
    let Some(account) = row.account else {
        return Ok(None);
    };
    let info = info(context, &headers, Some(row.public_id.clone()));
    let Some(caller) = state.services.people.of_account(account, &info).await? else {
        return Ok(None);
    };
    if now.since(row.seen_at) >= TOUCH_AFTER {
        ctx.store
            .session_touch(&hash, now, now.plus(state.limits().idle))
            .await?;
    }
    let row = Arc::new(row);
    if now.since(caller.groups.taken_at) >= ctx.settings.groups_max_age && row.tokens.is_some() {
        refresh_aside(state.clone(), row.clone());
    }
    Ok(Some(Signed {
        caller,
        session: row,
    }))
}

/// Old groups are refreshed beside the request, which does not wait: a provider that hangs must not
/// make a page hang. A lease in the database sees to it that many tabs refresh once.
fn refresh_aside(state: AppState, row: Arc<SessionRow>) {
    tokio::spawn(async move {
        if let Err(e) = state.identity.refresh_session(&row).await {
            tracing::info!(
                session = row.public_id,
                problem = e.for_log(),
                "groups were not refreshed"
            );
        }
    });
}

/// What is known of a request besides the person.
pub fn info(
    context: Option<&RequestContext>,
    headers: &HeaderMap,
    session: Option<String>,
) -> RequestInfo {
    RequestInfo {
        session,
        request_id: context.map(|c| c.id.clone()).unwrap_or_default(),
        address: context.map(|c| c.address.to_string()),
        zone: cookie(headers, "gatehouse-zone")
            .filter(|z| plausible_zone(z))
            .unwrap_or_default(),
    }
}

/// The value of a cookie of ours, by its exact name.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v.to_owned())
}

fn plausible_zone(zone: &str) -> bool {
    zone.len() <= 64
        && zone
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
}

/// For handlers that need somebody: `Signed` as an argument.
impl FromRequestParts<AppState> for Signed {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Response> {
        match parts.extensions.get::<Self>() {
            Some(signed) => Ok(signed.clone()),
            None => Err(not_signed_in(&parts.method, &parts.uri, &parts.headers)),
        }
    }
}

/// A caller as an argument, for form handlers.
pub struct Who(pub Caller);

impl FromRequestParts<AppState> for Who {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        Signed::from_request_parts(parts, state)
            .await
            .map(|s| Self(s.caller))
    }
}

/// A page leads to the sign-in and back; a form is answered by a page that loses nothing; programs
/// get a plain 401.
pub fn not_signed_in(method: &Method, uri: &http::Uri, headers: &HeaderMap) -> Response {
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("text/html") || v.contains("*/*"));
    let reads = *method == Method::GET || *method == Method::HEAD;
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    if reads && wants_page {
        return see_other(&return_to::sign_in(path));
    }
    if !wants_page {
        let body = serde_json::json!({ "error": "you are not signed in" });
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    // The form's own page is where they come from.
    let from = headers
        .get(header::REFERER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| url::Url::parse(v).ok())
        .map(|u| u[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
        .unwrap_or_else(|| "/".into());
    Fault::from(
        Error::forbidden("your session has ended, so nothing was sent").remedy(
            "Keep this page: sign in by the link below in another tab, then come back here, go back once and send the form again. \
             Your browser still has what you typed.",
        ),
    )
    .status(StatusCode::UNAUTHORIZED)
    .next(return_to::sign_in(&from), "Sign in")
    .into_response()
}
