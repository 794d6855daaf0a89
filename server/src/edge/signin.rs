//! Signing in and out, as HTTP: `/signin`, `/signin/start`, `/oidc/callback`, `/signout`,
//! `/signed-out` and `/oidc/backchannel-logout`.

use super::{
    auth::{Signed, cookie, info},
    context::RequestContext,
    page::{Fault, alert, button, document, escape, log, see_other},
    return_to,
    state::AppState,
};
use crate::{
    oidc::{Answer, LoginState, SignInError, Tokens, jose::Refused, refresh::tokens_purpose},
    session::{NewSession, SIGN_IN},
    system::token,
};
use axum::{
    Extension, Form,
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Error, Kind, Micros};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use services::{
    Caller, Ctx,
    ports::{self, LoggedOut, NewRecord, RecordOutcome, Retention},
};
use tower_sessions::Session;

/// Begins the name of the cookies that remember a sign-in on its way; one each, so that several tabs
/// can sign in at once.
const STATE_COOKIE: &str = "__Host-gatehouse-signin-";
const STATE_PURPOSE: &str = "sign-in-state";
const SIGN_OUT_COOKIE: &str = "__Host-gatehouse-signout";
/// A sign-in may take so long.
const STATE_SECONDS: i64 = 600;
/// More sign-ins on their way at once are forgotten: a browser keeps few cookies.
const MAX_ON_THE_WAY: usize = 6;

#[derive(Deserialize)]
pub struct ReturnTo {
    #[serde(default)]
    return_to: String,
}

/// The page that asks to sign in; whoever is signed in goes on.
pub async fn page(signed: Option<Extension<Signed>>, Query(q): Query<ReturnTo>) -> Response {
    let to = return_to::local(&q.return_to);
    if signed.is_some() {
        return see_other(to);
    }
    let body = format!(
        "<h1 class=\"pf-v6-c-title pf-m-2xl\">Gatehouse</h1>\n\
         <p>The console through which AI models are let into service.</p>\n{}\
         <p class=\"gh-muted\">You are sent to your organisation’s OpenID provider and come back to {}.</p>",
        button(&return_to::with("/signin/start", to), "Sign in"),
        if to == "/" {
            "the overview".to_owned()
        } else {
            format!("<code>{}</code>", escape(to))
        },
    );
    Html(document("Sign in", &body)).into_response()
}

/// Sends the browser to the provider. A link and not a form: it changes nothing but a cookie of this
/// browser's, and providers that send people on to others would run into `form-action`.
pub async fn start(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    Query(q): Query<ReturnTo>,
    headers: HeaderMap,
) -> Response {
    let to = return_to::local(&q.return_to);
    let again = return_to::with("/signin/start", to);
    if !state.sign_in_limit.allow(context.address, state.now()) {
        return too_many(&again);
    }
    let begun = async {
        let ctx = &state.services.ctx;
        let (url, keep) = state.provider.begin(to, &*ctx.entropy).await?;
        let sealed = ctx.vault.seal(
            &*ctx.entropy,
            STATE_PURPOSE,
            &serde_json::to_vec(&keep).map_err(Error::internal)?,
        )?;
        Ok::<_, Error>((
            url,
            set_cookie(
                &state_cookie(&keep.state),
                &URL_SAFE_NO_PAD.encode(sealed),
                STATE_SECONDS,
            ),
        ))
    }
    .await;
    match begun {
        Ok((url, set)) => {
            let mut response = see_other(url.as_str());
            let on_the_way = names_of(&headers, STATE_COOKIE);
            if on_the_way.len() >= MAX_ON_THE_WAY {
                for name in &on_the_way {
                    add_cookie(&mut response, &remove_cookie(name));
                }
            }
            add_cookie(&mut response, &set);
            response
        }
        Err(e) => {
            state.metrics.sign_in("unavailable");
            Fault::from(e).next(again, "Try again").into_response()
        }
    }
}

/// The provider's answer.
pub async fn callback(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    signed: Option<Extension<Signed>>,
    session: Session,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
) -> Response {
    if !state.sign_in_limit.allow(context.address, state.now()) {
        return too_many("/signin");
    }
    let name = state_cookie(answer.state.as_deref().unwrap_or_default());
    let Some(keep) = kept(&state, &headers, &name) else {
        // Back in the history after a sign-in that worked: no reason to frighten anybody.
        if signed.is_some() {
            return see_other("/");
        }
        return failed(
            &state,
            &context,
            SignInError::Mixed("the browser has no such sign-in on its way"),
            "/",
        )
        .await;
    };
    let mut response = match state.provider.finish(&keep, &answer).await {
        Err(e) => failed(&state, &context, e, &keep.return_to).await,
        Ok(signed_in) => {
            let public_id = state.services.ctx.entropy.uuid().to_string();
            let info = info(Some(&context), &headers, Some(public_id.clone()));
            let new = async {
                // The record comes first: no session without one.
                let caller = state
                    .services
                    .people
                    .sign_in(&signed_in.sign_in, &info)
                    .await?;
                // A new id at each sign-in; what the browser had before ends.
                if let Some(Extension(old)) = &signed {
                    end_before(&state.services.ctx, &session, old, &caller).await?;
                }
                session.cycle_id().await.map_err(Error::internal)?;
                session.clear().await;
                let new = NewSession {
                    public_id,
                    account: caller.account,
                    issuer: signed_in.sign_in.issuer.clone(),
                    subject: signed_in.sign_in.subject.clone(),
                    sid: signed_in.sid.clone(),
                    tokens: signed_in.tokens.clone(),
                    tokens_expire_at: signed_in.tokens_expire_at,
                };
                session
                    .insert(SIGN_IN, &new)
                    .await
                    .map_err(Error::internal)?;
                session.save().await.map_err(Error::internal)
            }
            .await;
            match new {
                Ok(()) => {
                    state.metrics.sign_in("success");
                    see_other(return_to::local(&keep.return_to))
                }
                Err(e) => {
                    state.metrics.sign_in("failed");
                    Fault::from(e)
                        .next(return_to::sign_in(&keep.return_to), "Sign in")
                        .into_response()
                }
            }
        }
    };
    add_cookie(&mut response, &remove_cookie(&name));
    response
}

/// Ends the session that the browser had, on record: by whoever signs in over it, who may be
/// somebody else.
async fn end_before(
    ctx: &Ctx,
    session: &Session,
    old: &Signed,
    caller: &Caller,
) -> Result<(), Error> {
    // Read while it is there: later it would look to tower-sessions as if the cookie were made up.
    session.load().await.map_err(Error::internal)?;
    let record = access(
        ctx,
        Some(caller),
        "session.end",
        format!("session:{}", old.session.public_id),
        json!({ "by": "sign-in", "account": old.caller.account }),
    );
    ctx.store
        .session_end(&old.session.id_hash, ctx.clock.now(), &[record])
        .await
        .map(drop)
}

/// Opens the cookie of a sign-in on its way, if it is there, ours and young enough.
fn kept(state: &AppState, headers: &HeaderMap, name: &str) -> Option<LoginState> {
    let sealed = URL_SAFE_NO_PAD.decode(cookie(headers, name)?).ok()?;
    let keep: LoginState =
        serde_json::from_slice(&state.services.ctx.vault.open(STATE_PURPOSE, &sealed).ok()?)
            .ok()?;
    (state.now().since(keep.at) < STATE_SECONDS * Micros::SECOND).then_some(keep)
}

/// Records a sign-in that failed and says so.
async fn failed(
    state: &AppState,
    context: &RequestContext,
    e: SignInError,
    return_to: &str,
) -> Response {
    tracing::warn!(reason = %e, "a sign-in failed");
    state.metrics.sign_in(e.word());
    let ctx = &state.services.ctx;
    let detail =
        json!({ "why": e.word(), "reason": e.to_string(), "address": context.address.to_string() });
    let mut record = access(ctx, None, "session.start", "session:none".into(), detail);
    record.outcome = Some(RecordOutcome::Failure);
    if let Err(e) = ctx.store.audit_append(&[record]).await {
        log(&e);
    }
    let error = e.into_error();
    let status = match error.kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        kind => super::page::status(kind),
    };
    Fault::from(error)
        .status(status)
        .next(return_to::sign_in(return_to), "Sign in again")
        .into_response()
}

/// Ends the session here, then leads to the provider to end it there.
pub async fn sign_out(
    State(state): State<AppState>,
    signed: Option<Extension<Signed>>,
    session: Session,
) -> Response {
    let Some(Extension(Signed {
        caller,
        session: row,
    })) = signed
    else {
        return see_other("/signed-out");
    };
    let ctx = &state.services.ctx;
    let id_token = row
        .tokens
        .as_ref()
        .and_then(|t| ctx.vault.open(&tokens_purpose(&row.id_hash), t).ok())
        .and_then(|t| serde_json::from_slice::<Tokens>(&t).ok())
        .map(|t| t.id);
    let object = format!("session:{}", row.public_id);
    let record = access(
        ctx,
        Some(&caller),
        "session.end",
        object,
        json!({ "by": "person" }),
    );
    if let Err(e) = ctx
        .store
        .session_end(&row.id_hash, ctx.clock.now(), &[record])
        .await
    {
        return Fault::from(e).into_response();
    }
    // Takes the cookie away; the row is ended already.
    if let Err(e) = session.flush().await {
        tracing::warn!(problem = %e, "the session's cookie could not be cleared");
    }
    let back = token(&*ctx.entropy);
    match state.provider.end_session_url(id_token.as_deref(), &back) {
        Some(url) => {
            let mut response = see_other(url.as_str());
            add_cookie(
                &mut response,
                &set_cookie(SIGN_OUT_COOKIE, &back, STATE_SECONDS),
            );
            response
        }
        None => see_other("/signed-out"),
    }
}

#[derive(Deserialize)]
pub struct Back {
    state: Option<String>,
}

/// Where the provider sends people after signing out there. The session here is over in any case; a
/// state that is missing or another only says that this is not the answer to our request.
pub async fn signed_out(Query(back): Query<Back>, headers: HeaderMap) -> Response {
    let expected = cookie(&headers, SIGN_OUT_COOKIE);
    let note = match (&expected, &back.state) {
        (Some(e), Some(s)) if crate::oidc::jose::same(e.as_bytes(), s.as_bytes()) => alert(
            "success",
            "You are signed out",
            "Your session here and at the OpenID provider has ended.",
        ),
        (None, None) => alert(
            "success",
            "You are signed out",
            "Your session here has ended.",
        ),
        _ => {
            tracing::warn!("the answer to a sign-out could not be matched to its request");
            alert(
                "warning",
                "You are signed out here",
                "The OpenID provider’s answer does not belong to this sign-out: your session there may go on. Close the browser if others use it.",
            )
        }
    };
    let mut response = Html(document(
        "Signed out",
        &format!(
            "<h1 class=\"pf-v6-c-title pf-m-2xl\">Gatehouse</h1>\n{note}{}",
            button("/signin", "Sign in")
        ),
    ))
    .into_response();
    if expected.is_some() {
        add_cookie(&mut response, &remove_cookie(SIGN_OUT_COOKIE));
    }
    response
}

#[derive(Deserialize)]
pub struct LogoutToken {
    #[serde(default)]
    logout_token: String,
}

/// The provider ends sessions (OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8).
pub async fn backchannel(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    Form(form): Form<LogoutToken>,
) -> Response {
    if !state.hook_limit.allow(context.address, state.now()) {
        return (StatusCode::TOO_MANY_REQUESTS, "too many\n").into_response();
    }
    let mut response = match end_by_token(&state, &form.logout_token).await {
        Ok(ended) => {
            tracing::info!(ended, "the provider ended sessions");
            StatusCode::OK.into_response()
        }
        Err(SignInError::Unavailable(e)) => {
            log(&e);
            (StatusCode::SERVICE_UNAVAILABLE, "try again later\n").into_response()
        }
        Err(e) => {
            tracing::warn!(reason = %e, "a logout token was refused");
            let body = json!({ "error": "invalid_request", "error_description": "the logout token was refused" });
            (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
        }
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn end_by_token(state: &AppState, text: &str) -> Result<u64, SignInError> {
    let logout = state.provider.logout_token(text).await?;
    let ctx = &state.services.ctx;
    let now = ctx.clock.now();
    let unavailable = SignInError::Unavailable;
    let issuer = state.provider.issuer();
    // A `sid` names one session; without it all sessions of the subject end.
    let (object, whose) = match (logout.sid, logout.sub) {
        (Some(sid), _) => ("session:by-sid", LoggedOut::Session(sid)),
        (None, Some(sub)) => ("session:by-subject", LoggedOut::Subject(sub)),
        (None, None) => return Err(Refused::Missing("sid or sub").into()),
    };
    let record = access(
        ctx,
        None,
        "session.end",
        object.to_owned(),
        json!({ "by": "provider", "issuer": issuer, "jti": logout.jti }),
    );
    let token = ports::LogoutToken {
        jti: logout.jti,
        expires: Micros(logout.expires.saturating_mul(Micros::SECOND)),
        issuer: issuer.to_owned(),
        whose,
    };
    ctx.store
        .session_logout(&token, now, &[record])
        .await
        .map_err(unavailable)?
        .ok_or_else(|| Refused::Replayed.into())
}

/// A record about somebody's access.
fn access(
    ctx: &Ctx,
    caller: Option<&Caller>,
    action: &str,
    object: String,
    detail: serde_json::Value,
) -> NewRecord {
    NewRecord {
        detail,
        retention: Retention::Access,
        ..ctx.event(caller, action, object)
    }
}

fn too_many(again: &str) -> Response {
    Fault::from(
        Error::new(
            Kind::TooMany,
            "there were too many sign-ins from your address",
        )
        .remedy("Wait a moment."),
    )
    .next(again, "Try again")
    .into_response()
}

/// The cookie's name for a state: enough of it to tell tabs apart, in characters that a name may have.
fn state_cookie(state: &str) -> String {
    let part: String = state
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
        .take(12)
        .collect();
    format!("{STATE_COOKIE}{part}")
}

/// Lax: the provider's redirect back is a cross-site navigation.
fn set_cookie(name: &str, value: &str, seconds: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax")
}

fn remove_cookie(name: &str) -> String {
    set_cookie(name, "", 0)
}

fn add_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn names_of(headers: &HeaderMap, prefix: &str) -> Vec<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| name.starts_with(prefix) && name.len() <= prefix.len() + 12)
        .map(|(name, _)| name.to_owned())
        .collect()
}
