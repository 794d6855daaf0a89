//! Groups asked for without the person, and what becomes of tokens on the way.

use super::house::*;
use crate::{
    oidc::{refresh::Refresh, tests::op::*},
    session::{self, COOKIE},
};
use ::http::{Method, StatusCode};
use domain::Kind;
use serde_json::{Value, json};
use services::ports::{IdentityProvider as _, SessionRow};

/// Somebody with a refresh token.
async fn signed_in(house: &House) -> (Browser<'_>, SessionRow) {
    let mut b = house.browser();
    b.offline = true;
    b.sign_in().await;
    let id = b.cookies[COOKIE].parse().expect("an id");
    let row = house
        .store
        .session_load(&session::id_hash(&id), house.state.now())
        .await
        .expect("asked")
        .expect("there");
    (b, row)
}

/// The provider takes `old` once and gives `new` for it; the answer has an ID token with these groups,
/// or none.
fn offers(house: &House, old: &str, new: &str, groups: Option<&[&str]>) {
    let mut answer = json!({ "access_token": "at2", "token_type": "Bearer", "refresh_token": new });
    if let Some(groups) = groups {
        let mut claims = house.world.claims("n");
        claims["groups"] = json!(groups);
        claims.as_object_mut().expect("object").remove("nonce");
        answer["id_token"] = Value::String(house.key.token(&claims));
    }
    house
        .world
        .change(|a| drop(a.tokens.insert(old.into(), (None, 200, answer))));
}

async fn groups(house: &House, row: &SessionRow) -> Vec<String> {
    let account = row.account.expect("account");
    let found = house.store.groups(account).await.expect("asked");
    found.expect("there").groups
}

#[tokio::test]
async fn the_worker_asks_for_somebody_who_went_home() {
    let house = House::new().await;
    let (mut b, row) = signed_in(&house).await;
    house.world.clock.forward(9 * 3600);
    offers(&house, "rt", "rt2", Some(&["gh-audit"]));
    assert_eq!(b.get("/signin").await.status, StatusCode::OK, "idle");
    let account = row.account.expect("account");
    let fresh = house.state.identity.refresh_groups(account).await;
    assert_eq!(
        fresh.expect("asked").expect("answered").groups,
        ["gh-audit"]
    );
    // Nothing waits for this account, so the next sweep forgets its tokens.
    let now = house.state.now();
    house.store.session_sweep(now, now).await.expect("swept");
    let none = house.state.identity.refresh_groups(account).await;
    assert_eq!(none.expect("asked"), None);
}

#[tokio::test]
async fn a_token_in_exchange_is_kept_though_what_follows_fails() {
    let house = House::new().await;
    let (mut b, row) = signed_in(&house).await;
    let identity = &house.state.identity;
    house.world.clock.forward(60);
    offers(&house, "rt", "rt2", None);
    for status in [429, 503] {
        house.world.change(|a| a.userinfo_status = Some(status));
        let e = identity.refresh_session(&row.id_hash).await;
        assert_eq!(e.expect_err("userinfo is away").kind, Kind::Unavailable);
        assert_eq!(b.get("/signin").await.location(), "/", "still signed in");
        // Nobody asks again at once.
        let busy = identity.refresh_session(&row.id_hash).await;
        assert_eq!(busy.expect("asked"), Refresh::Busy);
        house.world.clock.forward(3);
        offers(&house, "rt2", "rt2", None);
    }
    house.world.change(|a| {
        a.userinfo_status = None;
        a.userinfo = json!({ "sub": "u-1", "groups": ["gh-audit"] });
    });
    let fresh = identity.refresh_session(&row.id_hash).await;
    assert!(
        matches!(fresh, Ok(Refresh::Fresh(_))),
        "{:?}",
        fresh.is_ok()
    );
    assert_eq!(groups(&house, &row).await, ["gh-audit"]);
}

#[tokio::test]
async fn an_answer_without_groups_leaves_what_is_known() {
    let house = House::new().await;
    let (_, row) = signed_in(&house).await;
    let before = groups(&house, &row).await;
    house.world.clock.forward(60);
    offers(&house, "rt", "rt2", None);
    house.world.change(|a| a.userinfo = json!({ "sub": "u-1" }));
    let outcome = house.state.identity.refresh_session(&row.id_hash).await;
    assert_eq!(outcome.expect("asked"), Refresh::Impossible);
    assert_eq!(groups(&house, &row).await, before);
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_ends_nothing() {
    let house = House::new().await;
    let (mut b, row) = signed_in(&house).await;
    house.world.clock.forward(60);
    let mut claims = house.world.claims("n");
    claims["aud"] = json!("another");
    let answer = json!({ "access_token": "a", "token_type": "Bearer", "id_token": house.key.token(&claims) });
    house
        .world
        .change(|a| drop(a.tokens.insert("rt".into(), (None, 200, answer))));
    let outcome = house.state.identity.refresh_session(&row.id_hash).await;
    assert_eq!(outcome.expect_err("refused").kind, Kind::Unavailable);
    assert_eq!(b.get("/signin").await.location(), "/", "still signed in");
}

#[tokio::test]
async fn a_lost_logout_is_told_again() {
    let house = House::new().await;
    let (mut b, _) = signed_in(&house).await;
    let claims = json!({ "iss": house.world.issuer, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "j", "sid": "s-1",
                         "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let form = format!("logout_token={}", house.key.token(&claims));
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    let mut provider = house.browser();
    house.db.break_audit().await.expect("broken");
    let failed = provider
        .send(Method::POST, "/oidc/backchannel-logout", &form_type, &form)
        .await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    house.db.mend_audit().await.expect("mended");
    let done = provider
        .send(Method::POST, "/oidc/backchannel-logout", &form_type, &form)
        .await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(b.get("/signin").await.status, StatusCode::OK, "signed out");
}
