//! The same services for programs: JSON under `/api/v1`. One table ([`endpoints`]) makes the routes and
//! the OpenAPI document, so that neither can have what the other lacks.

mod document;
mod problem;
mod query;
mod reads;
mod schemas;
mod writes;

pub use document::document;
pub use problem::{Problem, of_layer};

use crate::edge::{AppState, Signed};
use axum::{
    Json, Router,
    extract::FromRequestParts,
    routing::{MethodRouter, any, get, post},
};
use domain::Error;
use http::{Method, StatusCode, request::Parts};
use query::Parameter;
use services::Caller;

/// One operation: what it answers, and what the document says of it.
pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    pub summary: &'static str,
    /// Of the query; those of the path are read from it.
    pub parameters: &'static [Parameter],
    /// Name of the body's schema.
    pub body: Option<&'static str>,
    pub status: StatusCode,
    /// Name of the answer's schema.
    pub answer: &'static str,
    handler: MethodRouter<AppState>,
}

fn read(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answer: &'static str,
    handler: MethodRouter<AppState>,
) -> Endpoint {
    Endpoint {
        method: Method::GET,
        path,
        summary,
        parameters,
        body: None,
        status: StatusCode::OK,
        answer,
        handler,
    }
}

fn write(
    path: &'static str,
    summary: &'static str,
    body: &'static str,
    status: StatusCode,
    handler: MethodRouter<AppState>,
) -> Endpoint {
    Endpoint {
        method: Method::POST,
        path,
        summary,
        parameters: &[],
        body: Some(body),
        status,
        answer: "Change",
        handler,
    }
}

/// Everything there is.
#[rustfmt::skip]
pub fn endpoints() -> Vec<Endpoint> {
    use query::*;
    vec![
        read("/api/v1/models", "Models of the catalogue", MODELS, "ModelPage", get(reads::models)),
        read("/api/v1/models/{id}", "A model with its versions, newest first", AFTER, "Model", get(reads::model)),
        read("/api/v1/versions/{id}", "A version: facts, how each cluster can serve it, where it runs", NONE, "Version", get(reads::version)),
        read("/api/v1/deployments", "What runs, of what the caller may see", DEPLOYMENTS, "DeploymentList", get(reads::deployments)),
        read("/api/v1/deployments/{cluster}/{namespace}/{name}", "A deployment: its state in plain words against what was approved", NONE, "Deployment", get(reads::deployment)),
        read("/api/v1/changes", "Changes, newest first", CHANGES, "ChangePage", get(reads::changes)),
        write("/api/v1/changes", "Asks for a change: checks and dry run first, findings that stand in the way as 422", "NewChange", StatusCode::CREATED, post(writes::submit)),
        read("/api/v1/changes/{id}", "A change: content, differences, decisions", NONE, "Change", get(reads::change)),
        write("/api/v1/changes/{id}/decisions", "Approves or rejects exactly the revision with this number and content hash", "NewDecision", StatusCode::OK, post(writes::decide)),
        write("/api/v1/changes/{id}/withdraw", "Withdraws a change of one’s own", "Withdrawal", StatusCode::OK, post(writes::withdraw)),
        read("/api/v1/clusters", "Clusters, and how old what is known of each is", NONE, "ClusterPage", get(reads::clusters)),
        read("/api/v1/registries", "Registries and how their last sync went", NONE, "RegistryPage", get(reads::registries)),
        read("/api/v1/audit", "Records of the audit log, newest first", AUDIT, "RecordPage", get(reads::audit)),
        read("/api/openapi.json", "This document", NONE, "OpenApi", get(|| async { Json(document()) })),
    ]
}

pub fn routes() -> Router<AppState> {
    endpoints()
        .into_iter()
        .fold(Router::new(), |r, e| r.route(e.path, e.handler))
        .route("/api/{*rest}", any(nothing))
}

async fn nothing() -> Problem {
    Error::not_found("the API has nothing at this address")
        .remedy("/api/openapi.json names all that it has.")
        .into()
}

/// Who asks; a program without a session gets a problem, never the sign-in page.
pub struct Asker(pub Caller);

impl FromRequestParts<AppState> for Asker {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Signed>()
            .map(|s| Self(s.caller.clone()))
            .ok_or_else(problem::not_signed_in)
    }
}
