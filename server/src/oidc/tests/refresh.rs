//! Refreshing without the person.

use super::super::{RefreshError, SignInError, Tokens, jose::Refused};
use super::op::*;
use serde_json::{Value, json};

async fn refresh(
    w: &World,
    key: &Key,
    change: impl FnOnce(&mut Value),
) -> Result<Vec<String>, RefreshError> {
    let tokens = Tokens {
        access: "at".into(),
        refresh: Some("rt".into()),
        id: "old".into(),
        nonce: "n".into(),
    };
    let mut claims = w.claims("n");
    change(&mut claims);
    let answer = json!({ "access_token": "at2", "token_type": "Bearer", "refresh_token": "rt2", "id_token": key.token(&claims) });
    w.change(|a| drop(a.tokens.insert("rt".into(), (None, 200, answer))));
    w.provider.refresh(&tokens, "rt", "u-1").await.map(|r| {
        assert_eq!(
            (r.tokens.access.as_str(), r.tokens.refresh.as_deref()),
            ("at2", Some("rt2"))
        );
        r.groups
    })
}

#[track_caller]
fn refused(outcome: Result<Vec<String>, RefreshError>) -> Refused {
    match outcome {
        Err(RefreshError::Refused(SignInError::Refused(r))) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn oidcc_client_test_refresh_token() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refresh(&w, &key, |c| c["groups"] = json!(["gh-audit"]))
            .await
            .expect("refreshed"),
        ["gh-audit"]
    );
    let without_nonce = |c: &mut Value| drop(c.as_object_mut().expect("object").remove("nonce"));
    refresh(&w, &key, without_nonce)
        .await
        .expect("a refreshed token may leave the nonce away");
}

#[tokio::test]
async fn oidcc_client_test_refresh_token_invalid_issuer() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refused(refresh(&w, &key, |c| c["iss"] = json!("https://evil.example")).await),
        Refused::Issuer
    );
}

#[tokio::test]
async fn oidcc_client_test_refresh_token_invalid_sub() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refused(refresh(&w, &key, |c| c["sub"] = json!("u-2")).await),
        Refused::Subject
    );
    assert_eq!(
        refused(refresh(&w, &key, |c| c["nonce"] = json!("another")).await),
        Refused::Nonce
    );
}

#[tokio::test]
async fn a_token_that_the_provider_took_back_ends_the_session() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let tokens = Tokens {
        access: "at".into(),
        refresh: Some("gone".into()),
        id: "old".into(),
        nonce: "n".into(),
    };
    assert!(matches!(
        w.provider.refresh(&tokens, "gone", "u-1").await,
        Err(RefreshError::Ended(_))
    ));
}

#[tokio::test]
async fn a_provider_that_fails_does_not_end_it() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let tokens = Tokens {
        access: "at".into(),
        refresh: Some("rt".into()),
        id: "old".into(),
        nonce: "n".into(),
    };
    w.change(|a| {
        drop(a.tokens.insert(
            "rt".into(),
            (None, 503, json!({ "error": "temporarily_unavailable" })),
        ))
    });
    let outcome = w.provider.refresh(&tokens, "rt", "u-1").await;
    assert!(
        matches!(
            outcome,
            Err(RefreshError::Refused(SignInError::Unavailable(_)))
        ),
        "{:?}",
        outcome.err()
    );
}
