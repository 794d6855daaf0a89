//! Signing in and out, and how long a session lasts.

use super::house::*;
use crate::{
    oidc::{refresh::Refresh, tests::op::*},
    session::{self, COOKIE},
};
use ::http::{Method, StatusCode, header};
use serde_json::json;
use tower_sessions::{SessionStore as _, session::Record};

#[tokio::test]
async fn a_deep_link_survives_the_sign_in() {
    let house = House::new().await;
    let mut b = house.browser();
    let asked = b.get("/deployments?state=crashing&text=a%20b").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    assert_eq!(
        asked.location(),
        "/signin?return_to=%2Fdeployments%3Fstate%3Dcrashing%26text%3Da%2520b"
    );
    let page = b.get(asked.location()).await;
    assert!(
        page.body
            .contains("/signin/start?return_to=%2Fdeployments%3Fstate%3Dcrashing%26text%3Da%2520b"),
        "{}",
        page.body
    );
    let callback = b
        .through_the_provider(
            "/signin/start?return_to=%2Fdeployments%3Fstate%3Dcrashing%26text%3Da%2520b",
        )
        .await;
    let back = b.get(&callback).await;
    assert_eq!(
        (back.status, back.location()),
        (
            StatusCode::SEE_OTHER,
            "/deployments?state=crashing&text=a%20b"
        )
    );
    let cookie = back
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .find(|c| c.starts_with(&format!("{COOKIE}=")))
        .expect("a session");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(
        b.cookies.keys().collect::<Vec<_>>(),
        [COOKIE],
        "the cookie of the way is gone"
    );
    let started = &house.records("session.start").await[0];
    assert_eq!(started["outcome"], "success");
    assert!(
        !started.to_string().contains(&b.cookies[COOKIE]),
        "the cookie is in no record"
    );
}

#[tokio::test]
async fn several_tabs_can_sign_in_at_once() {
    let house = House::new().await;
    let mut b = house.browser();
    let one = b
        .through_the_provider("/signin/start?return_to=/catalog")
        .await;
    let two = b
        .through_the_provider("/signin/start?return_to=/audit")
        .await;
    assert_eq!(b.get(&two).await.location(), "/audit");
    assert_eq!(b.get(&one).await.location(), "/catalog");
}

#[tokio::test]
async fn a_callback_works_once_in_one_browser_and_in_time() {
    let house = House::new().await;
    let (mut b, mut other) = (house.browser(), house.browser());
    let callback = b.through_the_provider("/signin/start").await;
    let stolen = other.get(&callback).await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST);
    assert!(!other.cookies.contains_key(COOKIE));
    assert_eq!(
        house.records("session.start").await[0]["outcome"],
        "failure"
    );
    house.world.clock.forward(601);
    assert_eq!(
        b.get(&callback).await.status,
        StatusCode::BAD_REQUEST,
        "too late"
    );
    let callback = b.through_the_provider("/signin/start").await;
    assert_eq!(b.get(&callback).await.status, StatusCode::SEE_OTHER);
    // Back in the history: nobody is frightened, nothing happens.
    let session = b.cookies[COOKIE].clone();
    assert_eq!(b.get(&callback).await.location(), "/");
    assert_eq!(b.cookies[COOKIE], session);
}

#[tokio::test]
async fn each_sign_in_has_a_new_id_and_ends_the_old_session() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let old = b.cookies[COOKIE].clone();
    let row = house
        .store
        .session_load(
            &session::id_hash(&old.parse().expect("an id")),
            house.state.now(),
        )
        .await
        .expect("asked")
        .expect("there");
    b.sign_in().await;
    assert_ne!(b.cookies[COOKIE], old);
    let ended = house.records("session.end").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["detail"]["by"], "sign-in");
    assert_eq!(ended[0]["object"], format!("session:{}", row.public_id));
    let mut stale = house.browser();
    stale.cookies.insert(COOKIE.into(), old);
    assert_eq!(
        stale.get("/deployments").await.status,
        StatusCode::SEE_OTHER
    );
    // An id that somebody planted is not taken over either.
    let mut planted = house.browser();
    planted
        .cookies
        .insert(COOKIE.into(), "AAAAAAAAAAAAAAAAAAAAAA".into());
    planted.sign_in().await;
    assert_ne!(planted.cookies[COOKIE], "AAAAAAAAAAAAAAAAAAAAAA");
}

#[tokio::test]
async fn a_session_ends_when_idle_and_in_any_case() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for _ in 0..24 {
        house.world.clock.forward(29 * 60);
        assert_eq!(
            b.get("/signin").await.location(),
            "/",
            "used within the idle limit"
        );
    }
    house.world.clock.forward(29 * 60);
    assert_eq!(
        b.get("/signin").await.status,
        StatusCode::OK,
        "twelve hours are over"
    );
    b.sign_in().await;
    house.world.clock.forward(31 * 60);
    assert_eq!(
        b.get("/signin").await.status,
        StatusCode::OK,
        "idle for too long"
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_init_logout_ends_the_session_at_once() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let old = b.cookies[COOKIE].clone();
    let out = b.post("/signout", "").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(
        out.location()
            .starts_with(&format!("{}/end?id_token_hint=", house.world.issuer)),
        "{}",
        out.location()
    );
    assert!(!b.cookies.contains_key(COOKIE));
    let mut stale = house.browser();
    stale.cookies.insert(COOKIE.into(), old);
    assert_eq!(stale.get("/").await.location(), "/signin");
    assert_eq!(
        house.records("session.end").await[0]["detail"]["by"],
        "person"
    );
    let state = url::Url::parse(out.location())
        .expect("url")
        .query_pairs()
        .find(|(k, _)| k == "state")
        .expect("state")
        .1
        .into_owned();
    let mut other = Browser {
        house: &house,
        cookies: b.cookies.clone(),
        offline: false,
    };
    assert!(
        b.get(&format!("/signed-out?state={state}"))
            .await
            .body
            .contains("You are signed out</h2>")
    );
    // oidcc-client-test-rp-init-logout-other-state and -no-state
    let mut third = Browser {
        house: &house,
        cookies: other.cookies.clone(),
        offline: false,
    };
    assert!(
        other
            .get("/signed-out?state=another")
            .await
            .body
            .contains("signed out here")
    );
    assert!(
        third
            .get("/signed-out")
            .await
            .body
            .contains("signed out here")
    );
}

#[tokio::test]
async fn a_late_save_does_not_bring_a_session_back() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let id = b.cookies[COOKIE].parse().expect("an id");
    let record: Record = house
        .backend
        .load(&id)
        .await
        .expect("loaded")
        .expect("there");
    b.post("/signout", "").await;
    house
        .backend
        .save(&record)
        .await
        .expect("no error, no effect");
    assert!(house.backend.load(&id).await.expect("loaded").is_none());
    assert!(
        house
            .store
            .session_load(&session::id_hash(&id), house.state.now())
            .await
            .expect("asked")
            .is_none()
    );
}

#[tokio::test]
async fn tokens_are_sealed_and_the_cookie_is_hashed_at_rest() {
    let house = House::new().await;
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
    let tokens = row.tokens.expect("tokens");
    assert!(!tokens.windows(4).any(|w| w == b"\"rt\""));
    assert!(!String::from_utf8_lossy(&row.data).contains("rt"));
    assert_ne!(row.id_hash, b.cookies[COOKIE]);
}

#[tokio::test]
async fn back_channel_logout_ends_the_session_once() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let claims = json!({ "iss": house.world.issuer, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "j", "sid": "s-1",
                         "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let form = format!("logout_token={}", house.key.token(&claims));
    let mut provider = house.browser();
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        provider
            .send(
                Method::POST,
                "/oidc/backchannel-logout",
                &form_type,
                "logout_token=x"
            )
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(b.get("/signin").await.location(), "/", "still signed in");
    let done = provider
        .send(Method::POST, "/oidc/backchannel-logout", &form_type, &form)
        .await;
    assert_eq!(
        (done.status, done.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    assert_eq!(b.get("/signin").await.status, StatusCode::OK, "signed out");
    assert_eq!(
        house.records("session.end").await[0]["detail"]["by"],
        "provider"
    );
    let again = provider
        .send(Method::POST, "/oidc/backchannel-logout", &form_type, &form)
        .await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "a token works once");
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_so_and_signed_in_people_go_on() {
    let house = House::new().await;
    house.world.change(|a| a.discovery = json!({}));
    let page = house.browser().get("/signin/start?return_to=/audit").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.body.contains("The OpenID provider does not answer"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("/signin/start?return_to=%2Faudit"),
        "there is a retry"
    );
    assert!(!page.body.contains("missing field"), "no library's words");
}

#[tokio::test]
async fn nobody_is_sent_to_a_provider_that_went_away() {
    let house = House::new().await;
    let mut signed_in = house.browser();
    signed_in.sign_in().await;
    house.world.change(|a| a.away = true);
    house.world.clock.forward(60);
    let page = house.browser().get("/signin/start?return_to=/audit").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("The OpenID provider does not answer"));
    assert!(page.body.contains("/signin/start?return_to=%2Faudit"));
    assert_eq!(page.header("retry-after"), "5");
    assert_eq!(signed_in.get("/signin").await.location(), "/", "goes on");
    house.world.change(|a| a.away = false);
    house.world.clock.forward(3);
    let again = house.browser().get("/signin/start").await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "it is back");
}

#[tokio::test]
async fn one_refresh_for_many_tabs_and_new_groups_count() {
    let house = House::new().await;
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
    let mut claims = house.world.claims("n");
    claims["groups"] = json!(["gh-audit"]);
    claims.as_object_mut().expect("object").remove("nonce");
    let answer = |next: &str| {
        let id_token = house.key.token(&claims);
        json!({ "access_token": "at2", "token_type": "Bearer", "refresh_token": next, "id_token": id_token })
    };
    // The provider takes each refresh token once; a second use would be refused and end the session.
    house.world.change(|a| {
        a.tokens.insert("rt".into(), (None, 200, answer("rt2")));
        a.tokens.insert("rt2".into(), (None, 200, answer("rt3")));
    });
    let identity = &house.state.identity;
    let (one, two) = tokio::join!(
        identity.refresh_session(&row.id_hash),
        identity.refresh_session(&row.id_hash)
    );
    for outcome in [one, two] {
        assert_ne!(outcome.expect("no error"), Refresh::Impossible);
    }
    let groups = house
        .store
        .groups(row.account.expect("account"))
        .await
        .expect("asked")
        .expect("there");
    assert_eq!(groups.groups, ["gh-audit"]);
    // What the provider refuses ends the session.
    house.world.clock.forward(60);
    house.world.change(|a| a.tokens.clear());
    let refused = identity
        .refresh_session(&row.id_hash)
        .await
        .expect_err("the token is spent");
    assert_eq!(refused.kind, domain::Kind::Forbidden);
    assert_eq!(b.get("/signin").await.status, StatusCode::OK, "signed out");
}

#[tokio::test]
async fn sign_ins_are_limited_for_each_address() {
    let house = House::new().await;
    let mut b = house.browser();
    let mut last = StatusCode::OK;
    for _ in 0..41 {
        last = b.get("/oidc/callback?state=x").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
