//! Refreshing without the person.

use super::super::{RefreshError, SignInError, Tokens, jose::Refused, refresh::Refreshed};
use super::op::*;
use serde_json::{Value, json};

fn tokens(refresh: &str) -> Tokens {
    Tokens {
        access: "at".into(),
        refresh: Some(refresh.into()),
        id: "old".into(),
        nonce: "n".into(),
    }
}

async fn refreshed(w: &World, refresh: &str) -> Result<Refreshed, RefreshError> {
    let new = w
        .provider
        .exchange_refresh(&tokens(refresh), refresh)
        .await?;
    assert_eq!(
        (new.tokens.access.as_str(), new.tokens.refresh.as_deref()),
        ("at2", Some("rt2"))
    );
    Ok(w.provider.refreshed(&new, "u-1").await?)
}

async fn refresh(
    w: &World,
    key: &Key,
    change: impl FnOnce(&mut Value),
) -> Result<Vec<String>, RefreshError> {
    let mut claims = w.claims("n");
    change(&mut claims);
    let answer = json!({ "access_token": "at2", "token_type": "Bearer", "refresh_token": "rt2", "id_token": key.token(&claims) });
    w.change(|a| drop(a.tokens.insert("rt".into(), (None, 200, answer))));
    Ok(refreshed(w, "rt").await?.groups.unwrap_or_default())
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
    assert!(matches!(
        refreshed(&w, "gone").await,
        Err(RefreshError::Ended(_))
    ));
}

#[tokio::test]
async fn a_provider_that_fails_does_not_end_it() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.change(|a| {
        drop(a.tokens.insert(
            "rt".into(),
            (None, 503, json!({ "error": "temporarily_unavailable" })),
        ))
    });
    let outcome = refreshed(&w, "rt").await;
    assert!(
        matches!(
            outcome,
            Err(RefreshError::Refused(SignInError::Unavailable(_)))
        ),
        "{:?}",
        outcome.err()
    );
}

#[tokio::test]
async fn silence_about_groups_is_not_no_groups() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let answer = json!({ "access_token": "at2", "token_type": "Bearer", "refresh_token": "rt2" });
    w.change(|a| {
        a.userinfo = json!({ "sub": "u-1" });
        a.tokens.insert("rt".into(), (None, 200, answer.clone()));
    });
    // No ID token, and userinfo has no groups.
    assert_eq!(refreshed(&w, "rt").await.expect("refreshed").groups, None);
    w.change(|a| {
        a.userinfo = json!({ "sub": "u-1", "groups": [] });
        a.tokens.insert("rt".into(), (None, 200, answer));
    });
    let said = refreshed(&w, "rt").await.expect("refreshed");
    assert_eq!(said.groups, Some(vec![]), "an empty list is an answer");
}
