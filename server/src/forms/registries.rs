//! Registries: adding, changing, removing one, and asking for a sync.

use super::{Pairs, Typed, answer, field, fields, refused, storable};
use crate::edge::{AppState, Who, rerender};
use app::forms::FormState;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use domain::{Error, Result, ids::RegistryId};
use http::{StatusCode, request::Parts};
use services::{
    ports::{SyncRule, TagFilter},
    registries::RegistryInput,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/registries/new", post(add))
        .route("/registries/{id}", post(change))
        .route("/registries/{id}/sync", post(sync))
        .route("/registries/{id}/token", post(token))
        .route("/registries/{id}/remove", post(remove))
}

async fn add(
    State(state): State<AppState>,
    Who(caller): Who,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let result = match parse(&typed) {
        Ok(input) => state.services.registries.add(&caller, &input).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(id) => {
            state.wake.sync.notify_waiters();
            // Its page, which shows this once with what its notifications have to come.
            show_token(&state, &caller, &parts, id).await
        }
        Err(e) => refused(&state, &parts, "/registries/new", kept(typed), &e).await,
    }
}

async fn token(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    match id.parse() {
        Ok(id) => show_token(&state, &caller, &parts, id).await,
        Err(e) => refused(&state, &parts, "/registries", vec![], &e).await,
    }
}

/// Makes a token for the registry's notifications and answers with its page, where it is shown this
/// once. No redirect: the token would have to be kept somewhere in between.
async fn show_token(
    state: &AppState,
    caller: &services::Caller,
    parts: &Parts,
    id: RegistryId,
) -> Response {
    let page = page_of(&id.to_string());
    match state.services.registries.renew_token(caller, id).await {
        Ok(token) => {
            let mut shown = FormState::default();
            let hook = format!("{}/hooks/registry", state.config.public_origin());
            for (name, value) in [("notification_token", token), ("hook", hook)] {
                shown.values.insert(name.into(), vec![value]);
            }
            let mut response = rerender(state, parts, &page, shown).await;
            if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
                *response.status_mut() = StatusCode::OK;
            }
            response
        }
        Err(e) => refused(state, parts, &page, vec![], &e).await,
    }
}

async fn change(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let page = page_of(&id);
    let result = try_change(&state, &caller, &id, &typed).await;
    if result.is_ok() {
        state.wake.sync.notify_waiters();
    }
    answer(
        &state,
        &parts,
        &page,
        kept(typed),
        result.map(|()| page.clone()),
    )
    .await
}

async fn try_change(
    state: &AppState,
    caller: &services::Caller,
    id: &str,
    typed: &Pairs,
) -> Result<()> {
    let id: RegistryId = id.parse()?;
    let version = field(typed, "version").parse().map_err(|_| {
        Error::invalid("this form is not complete")
            .remedy("Open the registry again and send the form from there.")
    })?;
    let input = parse(typed)?;
    state
        .services
        .registries
        .change(caller, id, version, &input)
        .await
}

async fn sync(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let page = page_of(&id);
    let result = match id.parse() {
        Ok(id) => state.services.registries.sync_now(&caller, id).await,
        Err(e) => Err(e),
    };
    if result.is_ok() {
        state.wake.sync.notify_waiters();
    }
    answer(&state, &parts, &page, vec![], result.map(|()| page.clone())).await
}

async fn remove(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(id): Path<String>,
    parts: Parts,
) -> Response {
    let result = match id.parse() {
        Ok(id) => state.services.registries.remove(&caller, id).await,
        Err(e) => Err(e),
    };
    answer(
        &state,
        &parts,
        &page_of(&id),
        vec![],
        result.map(|()| "/registries".to_owned()),
    )
    .await
}

/// The registry's page; an id that is none leads to the list, never to an address of the client's making.
fn page_of(id: &str) -> String {
    id.parse::<RegistryId>().map_or_else(
        |_| "/registries".to_owned(),
        |id| format!("/registries/{id}"),
    )
}

/// What may be given back to the page: all but the password, of which it learns only that one was typed.
fn kept(typed: Pairs) -> Pairs {
    typed
        .into_iter()
        .filter_map(|(name, value)| match name.as_str() {
            "password" => (!value.is_empty()).then(|| ("password_typed".into(), "yes".into())),
            _ => Some((name, value)),
        })
        .collect()
}

fn parse(typed: &Pairs) -> Result<RegistryInput> {
    storable(typed)?;
    let minutes = field(typed, "sync_minutes").trim();
    let sync_minutes = minutes.parse().map_err(|_| {
        Error::field(
            "sync_minutes",
            format!("“{minutes}” is not a whole number of minutes; 10 is usual."),
        )
    })?;
    Ok(RegistryInput {
        name: field(typed, "name").trim().to_owned(),
        url: field(typed, "url").trim().trim_end_matches('/').to_owned(),
        username: field(typed, "username").trim().to_owned(),
        password: field(typed, "password").to_owned(),
        sync_minutes,
        rules: rules(typed)?,
        ca_pem: field(typed, "ca_pem").trim().to_owned(),
    })
}

/// The rules in the order of their rows; a row without anything in it is left out.
fn rules(typed: &Pairs) -> Result<Vec<SyncRule>> {
    let (repositories, kinds, tags, on) = (
        fields(typed, "rule_repository"),
        fields(typed, "rule_kind"),
        fields(typed, "rule_tag"),
        fields(typed, "rule_on"),
    );
    let cell = |column: &[&str], i: usize| {
        column
            .get(i)
            .map(|t| t.trim().to_owned())
            .unwrap_or_default()
    };
    let mut rules = Vec::new();
    let mut wrong = Vec::new();
    for i in 0..repositories.len() {
        let (repository, tag) = (cell(&repositories, i), cell(&tags, i));
        if repository.is_empty() && tag.is_empty() {
            continue;
        }
        let filter = match cell(&kinds, i).as_str() {
            "exact" => Some(TagFilter::Exact(tag.clone())),
            "prefix" => Some(TagFilter::Prefix(tag.clone())),
            "regex" => Some(TagFilter::Regex(tag.clone())),
            _ => None,
        };
        if filter.is_some() && tag.is_empty() {
            wrong.push(domain::FieldError {
                field: format!("rules.{i}.tag"),
                message: "Say which tag, or choose “all”.".into(),
            });
        }
        if filter.is_none() && !tag.is_empty() {
            wrong.push(domain::FieldError { field: format!("rules.{i}.tag"), message: "This text counts only when the tag “is”, “begins with” or “matches” it; choose one of them or empty it.".into() });
        }
        rules.push(SyncRule {
            repository,
            tag: filter,
            enabled: cell(&on, i) != "off",
        });
    }
    if !wrong.is_empty() {
        let mut e = Error::invalid("some rules cannot stay as they are");
        e.fields = wrong;
        return Err(e);
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Pairs {
        all.iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn rows_become_rules_and_empty_ones_are_left_out() {
        let typed = pairs(&[
            ("rule_repository", "models/**"),
            ("rule_kind", "prefix"),
            ("rule_tag", "v"),
            ("rule_on", "off"),
            ("rule_repository", ""),
            ("rule_kind", "all"),
            ("rule_tag", ""),
            ("rule_on", "on"),
            ("rule_repository", "serving/*"),
            ("rule_kind", "all"),
            ("rule_tag", ""),
            ("rule_on", "on"),
        ]);
        let rules = rules(&typed).expect("rules");
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].tag, Some(TagFilter::Prefix("v".into())));
        assert!(!rules[0].enabled);
        assert_eq!(rules[1].repository, "serving/*");
    }

    #[test]
    fn a_filter_without_its_text_is_said_beside_its_row() {
        let e = rules(&pairs(&[
            ("rule_repository", "a"),
            ("rule_kind", "regex"),
            ("rule_tag", ""),
        ]))
        .expect_err("no text");
        assert_eq!(e.fields[0].field, "rules.0.tag");
    }

    #[test]
    fn a_password_is_never_given_back() {
        let given = kept(pairs(&[("password", "hunter2"), ("name", "a")]));
        assert_eq!(given, pairs(&[("password_typed", "yes"), ("name", "a")]));
        let none = kept(pairs(&[("password", ""), ("name", "a")]));
        assert_eq!(none, pairs(&[("name", "a")]));
    }
}
