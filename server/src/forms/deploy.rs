//! The wizard: beginning a draft, saving a step, submitting, discarding.

use super::{Pairs, answer, field, fields};
use crate::edge::{AppState, Who, see_other};
use axum::{
    Form, Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use domain::{
    Error, FieldError, Result,
    form::{Env, EnvFrom, Form as Deploy, Source},
    ids::DraftId,
    place::DeploymentKey,
};
use http::request::Parts;
use services::{
    Caller,
    wizard::{Edit, STEPS, Start, UseInput, Wizard},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/deploy", post(start))
        .route("/deploy/{draft}/submit", post(submit))
        .route("/deploy/{draft}/discard", post(discard))
        .route("/deploy/{draft}/{step}", post(save))
}

async fn start(
    State(state): State<AppState>,
    Who(caller): Who,
    parts: Parts,
    Form(typed): Form<Pairs>,
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
    Form(typed): Form<Pairs>,
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
            edit.yaml = Some(yaml(typed).unwrap_or_default());
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

fn source(typed: &Pairs, form: &mut Deploy, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| field(typed, name).trim().to_owned();
    form.source = if field(typed, "source_kind") == "image" {
        Source::Image {
            image: text("image"),
            port: number(typed, "port", wrong),
        }
    } else {
        Source::Storage { uri: text("uri") }
    };
    if form.format != text("format") {
        form.format_version = String::new();
    }
    form.format = text("format");
    form.runtime = text("runtime");
    form.protocol = text("protocol");
    form.deployment_mode = text("deployment_mode");
    form.args = field(typed, "args")
        .lines()
        .map(|l| l.trim_end_matches('\r').to_owned())
        .filter(|l| !l.trim().is_empty())
        .collect();
    form.pull_secrets = field(typed, "pull_secrets")
        .split(',')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect();
    let column = |name: &str| fields(typed, name);
    let (names, values, secrets, keys) = (
        column("env_name"),
        column("env_value"),
        column("env_secret"),
        column("env_key"),
    );
    let cell = |c: &[&str], i: usize| c.get(i).map(|s| (*s).to_owned()).unwrap_or_default();
    form.env = names
        .iter()
        .enumerate()
        .filter(|(i, n)| {
            !n.trim().is_empty()
                || !cell(&values, *i).is_empty()
                || !cell(&secrets, *i).trim().is_empty()
        })
        .map(|(i, n)| {
            let secret = cell(&secrets, i).trim().to_owned();
            let source = if secret.is_empty() {
                EnvFrom::Value {
                    value: cell(&values, i),
                }
            } else {
                EnvFrom::Secret {
                    secret,
                    key: cell(&keys, i).trim().to_owned(),
                }
            };
            Env {
                name: n.trim().to_owned(),
                source,
            }
        })
        .collect();
}

fn target(typed: &Pairs, form: &mut Deploy) {
    let (cluster, namespace) = field(typed, "target").split_once('/').unwrap_or_default();
    form.cluster = cluster.to_owned();
    form.namespace = namespace.to_owned();
    form.name = field(typed, "name").trim().to_owned();
}

fn resources(typed: &Pairs, form: &mut Deploy, wrong: &mut Vec<FieldError>) {
    let text = |name: &str| field(typed, name).trim().to_owned();
    form.min_replicas = number(typed, "min_replicas", wrong);
    form.max_replicas = number(typed, "max_replicas", wrong);
    form.gpus = number(typed, "gpus", wrong).unwrap_or(0);
    form.timeout = number(typed, "timeout", wrong);
    if !text("gpu_resource").is_empty() {
        form.gpu_resource = text("gpu_resource");
    }
    form.gpu_product = text("gpu_product");
    form.tolerate_gpu_taint = field(typed, "tolerate") == "yes";
    form.cpu = text("cpu");
    form.cpu_limit = text("cpu_limit");
    form.memory = text("memory");
    form.memory_limit = text("memory_limit");
}

/// A whole number, or nothing; what is neither is named.
fn number<T: std::str::FromStr>(
    typed: &Pairs,
    name: &str,
    wrong: &mut Vec<FieldError>,
) -> Option<T> {
    let text = field(typed, name).trim();
    if text.is_empty() {
        return None;
    }
    text.parse().ok().or_else(|| {
        wrong.push(FieldError {
            field: name.into(),
            message: format!("“{text}” is not a whole number that can be used here."),
        });
        None
    })
}

async fn submit(
    State(state): State<AppState>,
    Who(caller): Who,
    Path(draft): Path<String>,
    parts: Parts,
    Form(typed): Form<Pairs>,
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
    let wizard = &state.services.wizard;
    // What stands on Review is kept before anything is asked for. The YAML too: where it was edited and
    // not checked yet, what would be stored has another hash than the page showed, and the page says so.
    let edit = Edit {
        usage: Some(on_review(wizard, caller, id, typed).await?),
        comment: Some(field(typed, "comment").to_owned()),
        yaml: match yaml(typed) {
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

/// The YAML as it was typed: browsers send line ends as CR LF.
fn yaml(typed: &Pairs) -> Option<String> {
    typed
        .iter()
        .find(|(n, _)| n == "yaml")
        .map(|(_, text)| text.replace("\r\n", "\n"))
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
