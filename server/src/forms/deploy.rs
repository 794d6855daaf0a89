//! The wizard: beginning a draft, saving a step, submitting, discarding.

use super::{
    Pairs, Typed, answer, field,
    steps::{resources, source, target},
    storable,
};
use crate::edge::{AppState, Who, see_other};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use domain::{Error, Result, ids::DraftId, place::DeploymentKey, yaml::MAX_BYTES};
use http::request::Parts;
use services::{
    Caller,
    wizard::{Edit, STEPS, Start, UseInput, Wizard},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/deploy", post(start))
        .route("/deploy/{draft}/discard", post(discard))
}

/// The forms with a manifest in them.
pub fn long_routes() -> Router<AppState> {
    Router::new()
        .route("/deploy/{draft}/submit", post(submit))
        .route("/deploy/{draft}/{step}", post(save))
}

async fn start(
    State(state): State<AppState>,
    Who(caller): Who,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let result = match parse_start(&typed) {
        // Everything is filled in from the catalogue or from what runs: the next page is the last step
        // but for the purpose, which Review asks for.
        Ok(s) => state
            .services
            .wizard
            .start(&caller, &s)
            .await
            .map(|id| (id, s)),
        Err(e) => Err(e),
    };
    let next = result.map(|(id, s)| match s {
        Start::Blank => format!("/deploy/{id}/use"),
        _ => format!(
            "/deploy/{id}/{}",
            if field(&typed, "go") == "review" {
                "review"
            } else {
                "use"
            }
        ),
    });
    answer(&state, &parts, "/requests", typed, next).await
}

fn parse_start(typed: &Pairs) -> Result<Start> {
    storable(typed)?;
    if let v @ 1.. = field(typed, "version").len() {
        let _ = v;
        return Ok(Start::Version(field(typed, "version").parse()?));
    }
    if !field(typed, "change").is_empty() {
        return Ok(Start::Change(field(typed, "change").parse()?));
    }
    let mut parts = field(typed, "deployment").splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(c), Some(n), Some(name)) => Ok(Start::Deployment(DeploymentKey::new(c, n, name))),
        _ => Ok(Start::Blank),
    }
}

async fn save(
    State(state): State<AppState>,
    Who(caller): Who,
    Path((draft, step)): Path<(String, String)>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let page = format!("/deploy/{draft}/{step}");
    let result = try_save(&state, &caller, &draft, &step, &typed).await;
    answer(&state, &parts, &page, typed, result).await
}

async fn try_save(
    state: &AppState,
    caller: &Caller,
    draft: &str,
    step: &str,
    typed: &Pairs,
) -> Result<String> {
    let id: DraftId = draft.parse()?;
    storable(typed)?;
    let at = STEPS
        .iter()
        .position(|s| *s == step)
        .ok_or_else(|| Error::not_found("the wizard has no such step"))?;
    let wizard = &state.services.wizard;
    let mut edit = Edit {
        step: step.to_owned(),
        ..Default::default()
    };
    let mut wrong = Vec::new();
    match step {
        "use" => edit.usage = Some(usage(typed)),
        "review" => {
            edit.yaml = Some(yaml(typed)?.unwrap_or_default());
            // Purpose and comment stand in the same form: they are kept too, and an empty purpose is no
            // mistake before anything is submitted.
            if !field(typed, "purpose").trim().is_empty() {
                edit.usage = Some(on_review(wizard, caller, id, typed).await?);
            }
            edit.comment = typed
                .iter()
                .any(|(n, _)| n == "comment")
                .then(|| field(typed, "comment").to_owned());
        }
        _ => {
            let mut form = wizard.form(caller, id).await?;
            match step {
                "source" => source(typed, &mut form, &mut wrong),
                "target" => target(typed, &mut form),
                _ => resources(typed, &mut form, &mut wrong),
            }
            edit.form = Some(form);
        }
    }
    let saved = wizard.save(caller, id, version(typed)?, edit).await;
    match (saved, wrong.is_empty()) {
        (Ok(_), true) => {}
        (Ok(_), false) => {
            let mut e = Error::invalid("saved, but some of it cannot stay as it is");
            e.fields = wrong;
            return Err(e);
        }
        (Err(mut e), _) => {
            e.fields.splice(0..0, wrong);
            return Err(e);
        }
    }
    Ok(match field(typed, "go") {
        "review" => format!("/deploy/{id}/review"),
        "next" => format!("/deploy/{id}/{}", STEPS[(at + 1).min(STEPS.len() - 1)]),
        _ => format!("/deploy/{id}/{step}"),
    })
}

fn version(typed: &Pairs) -> Result<i64> {
    field(typed, "version").parse().map_err(|_| {
        Error::invalid("this form is not complete")
            .remedy("Open the step again and send it from there.")
    })
}

fn usage(typed: &Pairs) -> UseInput {
    let text = |name: &str| field(typed, name).to_owned();
    UseInput {
        purpose: text("purpose"),
        owner: text("owner"),
        risk_tier: text("risk_tier"),
        data_class: text("data_class"),
        exposure: text("exposure"),
    }
}

async fn submit(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(draft): Path<String>,
    parts: Parts,
    Typed(typed): Typed,
) -> Response {
    let page = format!("/deploy/{draft}/review");
    let result = try_submit(&state, &caller, &draft, &typed).await;
    answer(&state, &parts, &page, typed, result).await
}

async fn try_submit(
    state: &AppState,
    caller: &Caller,
    draft: &str,
    typed: &Pairs,
) -> Result<String> {
    let id: DraftId = draft.parse()?;
    storable(typed)?;
    let wizard = &state.services.wizard;
    // What stands on Review is kept before anything is asked for. The YAML too: where it was edited and
    // not checked yet, what would be stored has another hash than the page showed, and the page says so.
    let edit = Edit {
        usage: Some(on_review(wizard, caller, id, typed).await?),
        comment: Some(field(typed, "comment").to_owned()),
        yaml: match yaml(typed)? {
            Some(text) if text != wizard.draft(caller, id).await?.manifest_yaml => Some(text),
            _ => None,
        },
        step: "review".into(),
        ..Default::default()
    };
    wizard.save(caller, id, version(typed)?, edit).await?;
    let hash = match field(typed, "hash") {
        "" => {
            return Err(
                Error::invalid("there is nothing yet that could be submitted")
                    .remedy("Mend what this page says first."),
            );
        }
        hash => hash.parse()?,
    };
    let change = wizard
        .submit(caller, id, hash, field(typed, "comment"))
        .await?;
    state.wake.changes.notify_waiters();
    Ok(format!("/changes/{change}"))
}

/// The YAML as it was typed. Errors: longer than is read, so that no draft could keep it whole; the page
/// that says so still has it.
fn yaml(typed: &Pairs) -> Result<Option<String>> {
    let Some((_, text)) = typed.iter().find(|(n, _)| n == "yaml") else {
        return Ok(None);
    };
    if text.len() > MAX_BYTES {
        return Err(Error::field(
            "yaml",
            format!(
                "The manifest is {} KiB long; at most {} KiB are read. It stands below as you typed it and is not saved: take out what does not belong into an InferenceService, such as embedded files.",
                text.len().div_ceil(1024),
                MAX_BYTES / 1024
            ),
        ));
    }
    Ok(Some(text.clone()))
}

/// The use with the purpose that was typed on Review; the rest stands on the first step.
async fn on_review(
    wizard: &Wizard,
    caller: &Caller,
    id: DraftId,
    typed: &Pairs,
) -> Result<UseInput> {
    let kept = wizard.draft(caller, id).await?.usage;
    let value = |a: &Option<domain::change::Attested>| {
        a.as_ref().map(|a| a.value.clone()).unwrap_or_default()
    };
    Ok(UseInput {
        purpose: field(typed, "purpose").to_owned(),
        owner: kept.owner.clone(),
        risk_tier: value(&kept.risk_tier),
        data_class: value(&kept.data_class),
        exposure: value(&kept.exposure),
    })
}

async fn discard(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(draft): Path<String>,
    parts: Parts,
) -> Response {
    let result = match draft.parse() {
        Ok(id) => state.services.wizard.discard(&caller, id).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(()) => see_other("/requests"),
        Err(e) => answer(&state, &parts, "/requests", vec![], Err(e)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_is_too_long_is_refused_with_its_size_and_the_limit() {
        let typed = |bytes: usize| vec![("yaml".to_owned(), "a".repeat(bytes))];
        let kept = yaml(&typed(MAX_BYTES)).expect("as long as it may be");
        assert_eq!(kept.map(|text| text.len()), Some(MAX_BYTES));
        let e = yaml(&typed(MAX_BYTES + 1)).expect_err("too long");
        assert_eq!(e.fields[0].field, "yaml");
        assert!(
            e.message.contains("257 KiB") && e.message.contains("256 KiB"),
            "{}",
            e.message
        );
        assert_eq!(yaml(&vec![]).expect("none"), None);
    }
}
