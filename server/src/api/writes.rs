//! What can be asked for and decided. Bodies are JSON or YAML, read by the one strict reader that
//! manifests have.

use super::{Asker, Problem, problem::wrong_media, reads::id};
use crate::edge::AppState;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    Error, FieldError,
    change::{ChangeKind, Outcome},
    ids::{ChangeId, Digest},
    yaml::parse_manifest,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use services::{
    Caller,
    wizard::{NewChange, UseInput},
};

/// A body's members; what is wrong with them is gathered, so that one answer says all of it.
struct Members {
    all: Map<String, Value>,
    wrong: Vec<FieldError>,
}

impl Members {
    fn read(headers: &HeaderMap, body: &Bytes, known: &[&str]) -> Result<Self, Problem> {
        let media = headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.split(';').next())
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if !matches!(
            media.as_str(),
            "application/json" | "application/yaml" | "application/x-yaml" | "text/yaml"
        ) {
            return Err(wrong_media());
        }
        let text = std::str::from_utf8(body)
            .map_err(|_| Error::field("body", "The body is not UTF-8 text."))?;
        let value = parse_manifest(text).map_err(|mut e| {
            // The reader speaks of manifests; here it read a whole body.
            for f in &mut e.fields {
                f.field = "body".into();
            }
            e
        })?;
        let Value::Object(all) = value else {
            return Err(Error::field("body", "The body is not a mapping of members.").into());
        };
        let wrong = all
            .keys()
            .filter(|k| !known.contains(&k.as_str()))
            .map(|k| FieldError {
                field: k.chars().take(60).collect(),
                message: format!("There is no such member; there are: {}.", known.join(", ")),
            })
            .collect();
        Ok(Self { all, wrong })
    }

    fn say(&mut self, field: &str, message: &str) {
        self.wrong.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Empty where it is not there.
    fn text(&mut self, name: &str) -> String {
        match self.all.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(s)) if s.contains('\0') => {
                self.say(
                    name,
                    "A text with a NUL character (U+0000) cannot be kept: take it out.",
                );
                String::new()
            }
            Some(Value::String(s)) => s.clone(),
            Some(_) => {
                self.say(name, "This has to be text.");
                String::new()
            }
        }
    }

    /// A whole number; `None` where there is none.
    fn number(&self, name: &str) -> Option<i32> {
        i32::try_from(self.all.get(name)?.as_i64()?).ok()
    }

    fn one_of<T>(&mut self, name: &str, values: &[(&str, T)]) -> Option<T>
    where
        T: Copy,
    {
        let text = self.text(name);
        let found = values.iter().find(|(n, _)| *n == text).map(|(_, v)| *v);
        if found.is_none() && !text.is_empty() {
            let names: Vec<&str> = values.iter().map(|(n, _)| *n).collect();
            self.say(
                name,
                &format!("This has to be one of: {}.", names.join(", ")),
            );
        }
        found
    }

    /// Errors: everything that was wrong.
    fn done(self) -> Result<(), Problem> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        let mut e = Error::invalid("the body cannot be used like this");
        e.fields = self.wrong;
        Err(e.into())
    }
}

pub async fn submit(
    State(state): State<AppState>,
    Asker(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    const KNOWN: [&str; 11] = [
        "kind",
        "cluster",
        "namespace",
        "purpose",
        "owner",
        "risk_tier",
        "data_class",
        "exposure",
        "comment",
        "manifest",
        "content_hash",
    ];
    let mut m = Members::read(&headers, &body, &KNOWN)?;
    let kinds = [
        ("create", ChangeKind::Create),
        ("update", ChangeKind::Update),
    ];
    let kind = m.one_of("kind", &kinds).unwrap_or(ChangeKind::Create);
    let hash = m.text("content_hash");
    let expected = (!hash.is_empty())
        .then(|| hash.parse::<Digest>())
        .transpose()?;
    let manifest = m.all.get("manifest").cloned().unwrap_or_default();
    if manifest.as_str().is_some_and(|text| text.contains('\0')) {
        m.say(
            "manifest",
            "A text with a NUL character (U+0000) cannot be kept: take it out.",
        );
    }
    if manifest.is_null() {
        m.say(
            "manifest",
            "The InferenceService that is asked for is missing.",
        );
    }
    let new = NewChange {
        kind,
        cluster: m.text("cluster"),
        namespace: m.text("namespace"),
        usage: UseInput {
            purpose: m.text("purpose"),
            owner: m.text("owner"),
            risk_tier: m.text("risk_tier"),
            data_class: m.text("data_class"),
            exposure: m.text("exposure"),
        },
        comment: m.text("comment"),
        manifest,
        expected,
    };
    m.done()?;
    let change = state.services.wizard.submit_whole(&caller, new).await?;
    state.wake.changes.notify_waiters();
    let mut response = shown(&state, &caller, change).await?;
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(at) = format!("/api/v1/changes/{change}").parse() {
        response.headers_mut().insert(header::LOCATION, at);
    }
    Ok(response)
}

pub async fn decide(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path(change): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let change: ChangeId = id(&change)?;
    let mut m = Members::read(
        &headers,
        &body,
        &["outcome", "reason", "revision", "content_hash"],
    )?;
    let outcomes = [("approve", Outcome::Approve), ("reject", Outcome::Reject)];
    let outcome = m.one_of("outcome", &outcomes);
    let (reason, hash) = (m.text("reason"), m.text("content_hash"));
    let number = m.number("revision");
    if outcome.is_none() && m.wrong.is_empty() {
        m.say("outcome", "Say `approve` or `reject`.");
    }
    if number.is_none() {
        m.say(
            "revision",
            "Name the number of the revision that is decided: the change may have been edited since.",
        );
    }
    if hash.is_empty() {
        m.say(
            "content_hash",
            "Name the hash of the content that is decided: a decision is about nothing else.",
        );
    }
    m.done()?;
    let number = number.unwrap_or_default();
    let hash: Digest = hash.parse()?;
    let changes = &state.services.changes;
    let outcome = outcome.ok_or_else(|| Error::field("outcome", "Say `approve` or `reject`."))?;
    changes
        .decide(&caller, change, outcome, &reason, number, &hash)
        .await?;
    state.wake.changes.notify_waiters();
    shown(&state, &caller, change).await
}

pub async fn withdraw(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path(change): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let change: ChangeId = id(&change)?;
    let reason = if body.is_empty() {
        String::new()
    } else {
        let mut m = Members::read(&headers, &body, &["reason"])?;
        let reason = m.text("reason");
        m.done()?;
        reason
    };
    state
        .services
        .changes
        .withdraw(&caller, change, &reason)
        .await?;
    shown(&state, &caller, change).await
}

/// The change as it stands now.
async fn shown(state: &AppState, caller: &Caller, change: ChangeId) -> Result<Response, Problem> {
    let view = state.services.changes.get(caller, change).await?;
    Ok(Json(view).into_response())
}
