//! Back-channel logout tokens.

use super::super::{SignInError, jose::Refused};
use super::op::*;
use serde_json::{Value, json};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn claims(w: &World) -> Value {
    json!({ "iss": w.issuer, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "j-1", "sid": "s-1", "sub": "u-1", "events": { EVENT: {} } })
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, SignInError>) -> Refused {
    match outcome {
        Err(SignInError::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn with(change: impl FnOnce(&mut Value)) -> Result<super::super::jose::Logout, SignInError> {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let mut c = claims(&w);
    change(&mut c);
    w.provider
        .logout_token(&key.token_with(
            json!({ "alg": "RS256", "kid": "a", "typ": "logout+jwt" }),
            &c,
        ))
        .await
}

fn remove(c: &mut Value, name: &str) {
    c.as_object_mut().expect("object").remove(name);
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout() {
    let logout = with(|_| ()).await.expect("believed");
    assert_eq!(
        (
            logout.sid.as_deref(),
            logout.sub.as_deref(),
            logout.jti.as_str()
        ),
        (Some("s-1"), Some("u-1"), "j-1")
    );
    with(|c| remove(c, "sid"))
        .await
        .expect("the subject is enough");
    with(|c| remove(c, "exp"))
        .await
        .expect("old providers send no exp");
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_alg_none() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let token = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims(&w)));
    assert_eq!(
        refused(w.provider.logout_token(&token).await),
        Refused::Algorithm("none".into())
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_no_event() {
    assert_eq!(
        refused(with(|c| remove(c, "events")).await),
        Refused::LogoutEvent
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce() {
    assert_eq!(
        refused(with(|c| c["nonce"] = json!("n")).await),
        Refused::LogoutNonce
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.change(|a| a.discovery["id_token_signing_alg_values_supported"] = json!(["ES256"]));
    let outcome = w.provider.logout_token(&key.token(&claims(&w))).await;
    assert!(matches!(refused(outcome), Refused::Algorithm(_)));
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud() {
    assert_eq!(
        refused(with(|c| c["aud"] = json!("another")).await),
        Refused::Audience
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event() {
    assert_eq!(
        refused(with(|c| c["events"] = json!({ "https://example.org/other": {} })).await),
        Refused::LogoutEvent
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss() {
    assert_eq!(
        refused(with(|c| c["iss"] = json!("https://evil.example")).await),
        Refused::Issuer
    );
}

#[tokio::test]
async fn an_id_token_is_no_logout_token() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert!(
        w.provider
            .logout_token(&key.token(&w.claims("n")))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn old_nameless_and_anonymous_ones_are_refused() {
    assert_eq!(
        refused(with(|c| (c["iat"], c["exp"]) = (json!(NOW - 900), json!(NOW - 700))).await),
        Refused::Expired
    );
    assert_eq!(
        refused(with(|c| remove(c, "jti")).await),
        Refused::Missing("jti")
    );
    let nobody = |c: &mut Value| {
        remove(c, "sid");
        remove(c, "sub");
    };
    assert_eq!(refused(with(nobody).await), Refused::Missing("sid or sub"));
}
