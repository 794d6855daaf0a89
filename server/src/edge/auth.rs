//! Who asks: from the session's cookie to a [`Caller`].

use super::{
    context::RequestContext,
    page::{Fault, alert, document, escape, see_other},
    return_to,
    state::AppState,
};
use crate::{forms, session::id_hash};
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{Html, IntoResponse, Response},
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

/// No form of ours has as many fields.
const MOST_FIELDS: usize = 1000;
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
        Ok(None) if is_form(&request) => {
            let most = forms::most(request.uri().path(), state.config.server.body_bytes);
            return keep_form(request, most).await;
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
    if now.since(caller.groups.taken_at) >= ctx.settings.groups_max_age
        && state.identity.refreshable(&row)
    {
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
        if let Err(e) = state.identity.refresh_session(&row.id_hash).await {
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
    let from = came_from(headers);
    Fault::from(
        Error::forbidden("your session has ended, so nothing was sent")
            .remedy("Sign in and open the page again."),
    )
    .status(StatusCode::UNAUTHORIZED)
    .next(return_to::sign_in(&from), "Sign in")
    .into_response()
}

/// The path that a form stands on: where its sender comes from.
fn came_from(headers: &HeaderMap) -> String {
    headers
        .get(header::REFERER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| url::Url::parse(v).ok())
        .map_or_else(
            || "/".into(),
            |u| u[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        )
}

fn is_form(request: &Request) -> bool {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    *request.method() == Method::POST
        && request.uri().path() != "/signout"
        && header(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded")
        && header(header::ACCEPT).contains("text/html")
}

/// A form whose sender's session has ended comes back with everything that was typed, to be sent
/// again after signing in. The CSRF layer has seen to it that it came from a page of ours.
async fn keep_form(request: Request, most: usize) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, most).await else {
        return not_signed_in(&parts.method, &parts.uri, &parts.headers);
    };
    // Whoever sends it need not be signed in: what a form of ours never has is not multiplied.
    if url::form_urlencoded::parse(&bytes)
        .nth(MOST_FIELDS)
        .is_some()
    {
        return not_signed_in(&parts.method, &parts.uri, &parts.headers);
    }
    let fields: String = url::form_urlencoded::parse(&bytes)
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">\n",
                escape(&name),
                escape(&value)
            )
        })
        .collect();
    let action =
        return_to::local(parts.uri.path_and_query().map_or("/", |p| p.as_str())).to_owned();
    let body = format!(
        "<h1 class=\"pf-v6-c-title pf-m-2xl\">Your session has ended</h1>\n{}\
         <p><a class=\"pf-v6-c-button pf-m-primary\" href=\"{}\" target=\"_blank\" rel=\"noopener\">Sign in (opens another tab)</a></p>\n\
         <form method=\"post\" action=\"{}\">\n{fields}\
         <button class=\"pf-v6-c-button pf-m-secondary\" type=\"submit\">Send the form again</button>\n</form>",
        alert(
            "warning",
            "Nothing was sent, and nothing is lost",
            "This page keeps what you typed. Sign in in another tab, come back here and send the form again.",
        ),
        escape(&return_to::sign_in(&came_from(&parts.headers))),
        escape(&action),
    );
    (
        StatusCode::UNAUTHORIZED,
        Html(document("Your session has ended", &body)),
    )
        .into_response()
}
