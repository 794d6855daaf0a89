//! What goes out of the console's hands has two records: that it begins, and how it ended.

use super::house::*;
use crate::session::COOKIE;
use ::http::{StatusCode, header};
use axum::{body::Body, extract::Request, response::Response};
use domain::{
    access::{Grant, Role},
    ids::AccountId,
};
use serde_json::Value;
use services::{Caller, people::RequestInfo, registries::RegistryInput};
use std::time::Duration;
use tower::ServiceExt as _;

async fn export(b: &Browser<'_>) -> Response {
    packed(b, "/audit/export", "identity").await
}

async fn packed(b: &Browser<'_>, path: &str, encoding: &str) -> Response {
    let request = Request::builder()
        .uri(path)
        .header(header::ACCEPT_ENCODING, encoding)
        .header(header::HOST, "127.0.0.1:1")
        .header(header::COOKIE, format!("{COOKIE}={}", b.cookies[COOKIE]))
        .body(Body::empty())
        .expect("request");
    let router = b.house.router.clone();
    let answer = router.oneshot(request).await.expect("answered");
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

async fn read(answer: Response) -> Result<String, axum::Error> {
    let bytes = axum::body::to_bytes(answer.into_body(), 1_000_000).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The two newest records of this action: the intent and the outcome, which belong together.
async fn pair(house: &House, action: &str) -> (Value, Value) {
    let records = house.records(action).await;
    let [outcome, intent, ..] = &records[..] else {
        panic!("two records: {records:?}")
    };
    assert_eq!(
        (&intent["phase"], &outcome["phase"]),
        (&"intent".into(), &"outcome".into())
    );
    assert_eq!(outcome["intent"], intent["id"]);
    assert_eq!(intent["outcome"], Value::Null);
    (intent.clone(), outcome.clone())
}

#[tokio::test]
async fn an_export_says_how_it_ended() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;

    let text = read(export(&b).await).await.expect("all of it");
    let (_, outcome) = pair(&house, "audit.export").await;
    assert_eq!(outcome["outcome"], "success");
    assert_eq!(outcome["detail"]["records"], text.lines().count());
    assert!(
        text.contains("\"phase\":\"intent\""),
        "its own intent is in it"
    );

    // Nobody reads: the answer is dropped before its first byte.
    drop(export(&b).await);
    let told = async {
        while house.records("audit.export").await.len() < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told)
        .await
        .expect("the outcome is written all the same");
    let (_, outcome) = pair(&house, "audit.export").await;
    assert_eq!(outcome["outcome"], "unknown");
    assert_eq!(outcome["detail"]["records"], 0);
}

#[tokio::test]
async fn what_is_compressed_on_its_way_ends_too() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for path in ["/audit/export", "/audit/evidence"] {
        for encoding in ["gzip", "br"] {
            let answer = packed(&b, path, encoding).await;
            assert_eq!(answer.headers()[header::CONTENT_ENCODING], encoding);
            let bytes = axum::body::to_bytes(answer.into_body(), 1_000_000).await;
            assert!(bytes.is_ok_and(|b| !b.is_empty()), "{path} as {encoding}");
        }
    }
}

#[tokio::test]
async fn an_export_that_breaks_is_no_success() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    // The oldest record no longer is what was written; the log stops at it.
    for sql in [
        "DROP TRIGGER audit_records_no_update",
        "UPDATE audit_records SET hash = 'sha256:0000000000000000000000000000000000000000000000000000000000000000' WHERE seq = 1",
    ] {
        house.db.execute_for_test(sql).await.expect("done");
    }
    assert!(read(export(&b).await).await.is_err(), "no short file");
    let (_, outcome) = pair(&house, "audit.export").await;
    assert_eq!(outcome["outcome"], "failure");
    assert!(outcome["detail"]["message"].is_string());
}

/// Somebody who may add registries.
async fn platform(house: &House, account: AccountId) -> Caller {
    let people = &house.state.services.people;
    let caller = people.of_account(account, &RequestInfo::default()).await;
    Caller {
        grants: vec![Grant {
            role: Role::PlatformEngineer,
            units: vec!["*".into()],
            environments: vec!["*".into()],
        }],
        ..caller.expect("asked").expect("there")
    }
}

#[tokio::test]
async fn credentials_go_to_a_registry_after_their_intent() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let id = b.cookies[COOKIE].parse().expect("an id");
    let row = house
        .store
        .session_load(&crate::session::id_hash(&id), house.state.now())
        .await
        .expect("asked")
        .expect("there");
    let caller = platform(&house, row.account.expect("an account")).await;
    let input = RegistryInput {
        name: "other".into(),
        url: "http://127.0.0.1:1".into(),
        username: "robot".into(),
        password: "secret".into(),
        sync_minutes: 5,
        ..RegistryInput::default()
    };
    let registries = &house.state.services.registries;
    registries
        .add(&caller, &input)
        .await
        .expect_err("nobody answers there");
    let (intent, outcome) = pair(&house, "registry.add").await;
    assert_eq!(outcome["outcome"], "failure");
    assert!(outcome["reason"].is_string());
    assert_eq!(intent["detail"]["url"], "http://127.0.0.1:1");
    assert!(!format!("{intent}{outcome}").contains("\"secret\""));

    // Without the record nothing is sent.
    house.db.break_audit().await.expect("broken");
    let refused = registries.add(&caller, &input).await;
    assert_eq!(
        refused.expect_err("not recorded").kind,
        domain::Kind::Internal
    );
}
