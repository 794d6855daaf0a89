//! The API over HTTP: who may ask, in which words it refuses, and that its document is true.

use super::house::*;
use crate::api::{document, endpoints};
use ::http::{Method, StatusCode};
use serde_json::{Value, json};

#[path = "../../../tests/apply/schema.rs"]
mod schema;

/// A path with something in the place of each of its parameters.
fn filled(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

fn problem(answer: &Answered) -> Value {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{}",
        answer.body
    );
    let value: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(value["status"], answer.status.as_u16());
    let wrong = schema::wrong(&document(), "Problem", &value);
    assert!(wrong.is_empty(), "{wrong:?} {value}");
    value
}

#[tokio::test]
async fn every_route_is_in_the_document_and_needs_a_session() {
    let house = House::new().await;
    let mut b = house.browser();
    let served = b.get("/api/openapi.json").await;
    let served: Value = serde_json::from_str(&served.body).expect("JSON");
    assert_eq!(served["openapi"], "3.1.0");
    let paths = served["paths"].as_object().expect("paths");
    let mut operations = 0;
    for e in endpoints() {
        let method = e.method.as_str().to_ascii_lowercase();
        let operation = &paths[e.path][&method];
        assert!(operation.is_object(), "{method} {}", e.path);
        operations += 1;
        for name in [Some(e.answer), e.body].into_iter().flatten() {
            assert!(served["components"]["schemas"][name].is_object(), "{name}");
        }
        if e.path == "/api/openapi.json" {
            continue;
        }
        let json = ("content-type", "application/json");
        let answer = b.send(e.method, &filled(e.path), &[json], "{}").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", e.path);
        problem(&answer);
    }
    let documented: usize = paths
        .values()
        .map(|p| p.as_object().map_or(0, |o| o.len()))
        .sum();
    assert_eq!(documented, operations, "and nothing else is in it");
    // Every reference leads somewhere.
    let text = served.to_string();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(served["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn lists_are_as_the_document_says() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for (path, name) in [
        ("/api/v1/models?sort=newest&limit=200", "ModelPage"),
        ("/api/v1/deployments?unhealthy=1", "DeploymentList"),
        ("/api/v1/changes?state=waiting&state=held", "ChangePage"),
        ("/api/v1/audit?limit=1", "RecordPage"),
    ] {
        let answer = b.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        let value: Value = serde_json::from_str(&answer.body).expect("JSON");
        let wrong = schema::wrong(&document(), name, &value);
        assert!(wrong.is_empty(), "{path}: {wrong:?} {value}");
    }
    let first = b.get("/api/v1/audit?action=session.start").await;
    let first: Value = serde_json::from_str(&first.body).expect("JSON");
    assert_eq!(first["rows"].as_array().map(Vec::len), Some(1), "{first}");
}

#[tokio::test]
async fn what_is_refused_is_a_problem_that_says_what_to_do() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for (path, status, field) in [
        (
            "/api/v1/models?limit=201",
            StatusCode::UNPROCESSABLE_ENTITY,
            "limit",
        ),
        (
            "/api/v1/changes?stat=held",
            StatusCode::UNPROCESSABLE_ENTITY,
            "stat",
        ),
        (
            "/api/v1/changes?state=hold",
            StatusCode::UNPROCESSABLE_ENTITY,
            "state",
        ),
        ("/api/v1/models/x", StatusCode::NOT_FOUND, ""),
        ("/api/v1/deployments/a/b/c", StatusCode::NOT_FOUND, ""),
        ("/api/v1/secrets", StatusCode::NOT_FOUND, ""),
        (
            "/api/v1/audit?object=%00",
            StatusCode::UNPROCESSABLE_ENTITY,
            "",
        ),
    ] {
        let answer = b.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let p = problem(&answer);
        if !field.is_empty() {
            assert_eq!(p["fields"][0]["field"], field, "{p}");
        }
    }
    let wrong_method = b
        .send(
            Method::DELETE,
            "/api/v1/changes",
            &[("sec-fetch-site", "same-origin")],
            "",
        )
        .await;
    assert_eq!(wrong_method.status, StatusCode::METHOD_NOT_ALLOWED);
    problem(&wrong_method);
    assert!(wrong_method.header("allow").contains("POST"));
}

#[tokio::test]
async fn only_our_own_pages_and_programs_change_something() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let json = ("content-type", "application/json");
    let body = json!({ "cluster": "one", "namespace": "retail-prod", "purpose": "chat", "manifest": "a: [" });
    let body = body.to_string();
    for other in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let answer = b
            .send(Method::POST, "/api/v1/changes", &[json, other], &body)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{other:?}");
        problem(&answer);
    }
    let own = ("sec-fetch-site", "same-origin");
    let text = b
        .send(
            Method::POST,
            "/api/v1/changes",
            &[("content-type", "text/plain"), own],
            &body,
        )
        .await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    problem(&text);
    // The manifest's own YAML is broken.
    let broken = b
        .send(Method::POST, "/api/v1/changes", &[json, own], &body)
        .await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let p = problem(&broken);
    assert_eq!(p["fields"][0]["field"], "manifest", "{p}");
    // All that is wrong is said at once, in YAML too.
    let yaml = "kind: scale\npurpose: 1\nmodel: x\n";
    let media = ("content-type", "application/yaml");
    let answer = b
        .send(Method::POST, "/api/v1/changes", &[media, own], yaml)
        .await;
    let p = problem(&answer);
    let fields: Vec<&str> = p["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|f| f["field"].as_str())
        .collect();
    for field in ["model", "kind", "purpose", "manifest"] {
        assert!(fields.contains(&field), "{field} in {p}");
    }
    let large = format!("{{\"purpose\": \"{}\"}}", "x".repeat(30_000));
    let answer = b
        .send(Method::POST, "/api/v1/changes", &[json, own], &large)
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    problem(&answer);
}
