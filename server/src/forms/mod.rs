//! Plain form posts: one file an area. Each handler parses, calls one service, and answers 303, or 422
//! with the page rendered again and everything that was typed.

mod audit;
mod changes;
mod deploy;
mod deployments;
mod registries;
mod steps;
mod theme;

use crate::edge::{AppState, rerender, see_other};
use app::forms::FormState;
use axum::{
    Form, Router,
    extract::{FromRequest, Request, rejection::FormRejection},
    response::Response,
};
use domain::{Error, FieldError};
use http::request::Parts;

/// Routes of all areas.
pub fn routes() -> Router<AppState> {
    Router::new()
        .merge(audit::routes())
        .merge(changes::routes())
        .merge(deployments::routes())
        .merge(deploy::routes())
        .merge(registries::routes())
        .merge(theme::routes())
}

/// Forms that may be longer than others: up to [`most`].
pub fn long_routes() -> Router<AppState> {
    deploy::long_routes()
}

/// So many bytes a form with a manifest may have at least: one that is far too long comes back with what
/// is wrong and what was typed, where a bare refusal would lose it.
const LONG: usize = 4 * 1024 * 1024;

/// The most bytes that are taken at this path; `usual`: elsewhere.
pub fn most(path: &str, usual: usize) -> usize {
    if path.starts_with("/deploy/") {
        usual.max(LONG)
    } else {
        usual
    }
}

/// The pairs of a form.
pub type Pairs = Vec<(String, String)>;

/// The pairs of a form's body with line ends as people mean them: a browser sends each as CR LF.
pub struct Typed(pub Pairs);

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        let Form(mut pairs) = Form::<Pairs>::from_request(request, state).await?;
        for (_, value) in &mut pairs {
            if value.contains('\r') {
                *value = value.replace("\r\n", "\n");
            }
        }
        Ok(Self(pairs))
    }
}

/// Errors: `Invalid` with the fields that hold a NUL: no database keeps one in a text. [`refused`] takes
/// it out of what the page shows again.
pub fn storable(typed: &Pairs) -> domain::Result<()> {
    let fields: Vec<FieldError> = typed
        .iter()
        .filter(|(_, value)| value.contains('\0'))
        .map(|(name, _)| FieldError {
            field: name.clone(),
            message: "A NUL character (U+0000) stood in this text; it was taken out.".into(),
        })
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    let mut e = Error::invalid("a text with a NUL character cannot be kept")
        .remedy("It was taken out: look at what is left and send it again.");
    e.fields = fields;
    Err(e)
}

/// The first value of a field; empty where it was not sent.
pub fn field<'a>(typed: &'a Pairs, name: &str) -> &'a str {
    typed
        .iter()
        .find(|(n, _)| n == name)
        .map_or("", |(_, v)| v.as_str())
}

/// All values of a repeated field.
pub fn fields<'a>(typed: &'a Pairs, name: &str) -> Vec<&'a str> {
    typed
        .iter()
        .filter(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
        .collect()
}

/// On to the next page, or back to the form's own with what was typed.
pub async fn answer(
    state: &AppState,
    parts: &Parts,
    page: &str,
    typed: Pairs,
    result: domain::Result<String>,
) -> Response {
    match result {
        Ok(next) => see_other(&next),
        Err(e) => refused(state, parts, page, typed, &e).await,
    }
}

/// The form's page again, with what was typed and what is wrong.
pub async fn refused(
    state: &AppState,
    parts: &Parts,
    page: &str,
    mut typed: Pairs,
    error: &Error,
) -> Response {
    for (_, value) in &mut typed {
        value.retain(|c| c != '\0');
    }
    if let Some(cause) = error.cause() {
        tracing::warn!(page, cause = %cause, "a form was refused");
    }
    rerender(state, parts, page, FormState::refused(typed, error)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_refused_with_its_field() {
        let e = storable(&vec![
            ("reason".into(), "a\0b".into()),
            ("hash".into(), String::new()),
        ])
        .expect_err("NUL");
        assert_eq!(
            (e.kind, e.fields.len(), e.fields[0].field.as_str()),
            (domain::Kind::Invalid, 1, "reason")
        );
        assert!(storable(&vec![("reason".into(), "a\nb".into())]).is_ok());
    }
}
