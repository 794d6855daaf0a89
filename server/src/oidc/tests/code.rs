//! Sign-in by authorization code.

use super::super::{Answer, SignInError, jose::Refused};
use super::op::*;
use serde_json::json;

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, SignInError>) -> Refused {
    match outcome {
        Err(SignInError::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn oidcc_client_test() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let s = w.sign_in_with(&key, |_| ()).await.expect("signed in");
    assert_eq!(
        (s.sign_in.issuer.as_str(), s.sign_in.subject.as_str()),
        (w.issuer.as_str(), "u-1")
    );
    assert_eq!(s.sign_in.username, "ai");
    assert_eq!(s.sign_in.person_key.as_deref(), Some("7"));
    assert_eq!(s.sign_in.groups, ["gh-ai", "gh-approvers-retail"]);
    assert_eq!(s.sid.as_deref(), Some("s-1"));
    assert_eq!(s.tokens.refresh.as_deref(), Some("rt"));
    assert_eq!(s.tokens_expire_at.map(|t| t.0 / 1_000_000), Some(NOW + 600));
}

#[tokio::test]
async fn the_request_has_pkce_state_nonce_and_the_exact_redirect() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let (url, keep) = w.begin().await;
    let get = |name: &str| {
        url.query_pairs()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.into_owned())
            .unwrap_or_default()
    };
    assert_eq!(get("response_type"), "code");
    assert_eq!(get("code_challenge_method"), "S256");
    assert_eq!(get("redirect_uri"), "http://127.0.0.1:1/oidc/callback");
    assert_eq!(get("scope"), "openid groups");
    assert_eq!(
        (get("state"), get("nonce")),
        (keep.state.clone(), keep.nonce.clone())
    );
    assert!(keep.state != keep.nonce && keep.nonce != keep.verifier && keep.state.len() == 43);
    assert!(!url.as_str().contains(&keep.verifier));
}

#[tokio::test]
async fn oidcc_client_test_with_an_elliptic_curve_key() {
    let key = Key::ec();
    let w = World::new(&[&key]).await;
    w.sign_in_with(&key, |_| ()).await.expect("signed in");
}

#[tokio::test]
async fn oidcc_client_test_invalid_iss() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let issuer = w.issuer.clone();
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| c["iss"] = json!("https://evil.example"))
                .await
        ),
        Refused::Issuer
    );
    // To the letter: a slash more is another issuer.
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| c["iss"] = json!(format!("{issuer}/")))
                .await
        ),
        Refused::Issuer
    );
}

#[tokio::test]
async fn oidcc_client_test_missing_sub() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let outcome = w
        .sign_in_with(&key, |c| {
            drop(c.as_object_mut().expect("object").remove("sub"))
        })
        .await;
    assert!(
        matches!(
            outcome,
            Err(SignInError::Refused(_) | SignInError::Unreadable(_))
        ),
        "{outcome:?}"
    );
    assert!(matches!(
        refused(w.sign_in_with(&key, |c| c["sub"] = json!("")).await),
        Refused::Malformed(_)
    ));
}

#[tokio::test]
async fn oidcc_client_test_invalid_aud() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["aud"] = json!("another")).await),
        Refused::Audience
    );
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["aud"] = json!([])).await),
        Refused::Audience
    );
    // Several audiences need an authorised party, and it has to be us.
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| c["aud"] = json!([CLIENT, "another"]))
                .await
        ),
        Refused::AuthorizedParty
    );
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["azp"] = json!("another")).await),
        Refused::AuthorizedParty
    );
    let both = |c: &mut serde_json::Value| {
        (c["aud"], c["azp"]) = (json!([CLIENT, "another"]), json!(CLIENT))
    };
    w.sign_in_with(&key, both).await.expect("signed in");
}

#[tokio::test]
async fn oidcc_client_test_missing_iat() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let outcome = w
        .sign_in_with(&key, |c| {
            drop(c.as_object_mut().expect("object").remove("iat"))
        })
        .await;
    assert!(
        matches!(
            outcome,
            Err(SignInError::Refused(_) | SignInError::Unreadable(_))
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn oidcc_client_test_kid_absent_single_jwks() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.sign_in(|n| key.token_with(json!({ "alg": "RS256" }), &w.claims(n)))
        .await
        .expect("the only key is the key");
}

#[tokio::test]
async fn oidcc_client_test_kid_absent_multiple_jwks() {
    let (a, b) = (Key::a(), Key::b());
    let w = World::new(&[&a, &b]).await;
    let outcome = w
        .sign_in(|n| a.token_with(json!({ "alg": "RS256" }), &w.claims(n)))
        .await;
    assert_eq!(refused(outcome), Refused::AmbiguousKey);
}

#[tokio::test]
async fn oidcc_client_test_idtoken_sig_none() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let outcome = w
        .sign_in(|n| {
            format!(
                "{}.{}.",
                part(&json!({ "alg": "none" })),
                part(&w.claims(n))
            )
        })
        .await;
    assert!(
        matches!(
            outcome,
            Err(SignInError::Refused(_) | SignInError::Unreadable(_))
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_shared_secret_signs_nothing() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let outcome = w
        .sign_in(|n| {
            let text = format!(
                "{}.{}",
                part(&json!({ "alg": "HS256" })),
                part(&w.claims(n))
            );
            let mac = ring::hmac::sign(
                &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes()),
                text.as_bytes(),
            );
            use base64::Engine as _;
            format!(
                "{text}.{}",
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac)
            )
        })
        .await;
    assert_eq!(refused(outcome), Refused::Algorithm("HS256".into()));
}

#[tokio::test]
async fn oidcc_client_test_invalid_sig_rs256() {
    let (a, b) = (Key::a(), Key::b());
    let w = World::new(&[&a]).await;
    // B signs and says that it is A.
    let outcome = w
        .sign_in(|n| b.token_with(json!({ "alg": "RS256", "kid": "a" }), &w.claims(n)))
        .await;
    assert_eq!(refused(outcome), Refused::Signature);
}

#[tokio::test]
async fn oidcc_client_test_userinfo_invalid_sub() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let without_groups =
        |c: &mut serde_json::Value| drop(c.as_object_mut().expect("object").remove("groups"));
    w.change(|a| a.userinfo = json!({ "sub": "u-2", "groups": ["gh-platform"] }));
    assert_eq!(
        refused(w.sign_in_with(&key, without_groups).await),
        Refused::Subject
    );
    w.change(|a| {
        a.userinfo = json!({ "sub": "u-1", "groups": ["gh-devops"], "iss": "https://evil.example" })
    });
    let s = w
        .sign_in_with(&key, without_groups)
        .await
        .expect("signed in");
    assert_eq!(s.sign_in.groups, ["gh-devops"]);
    assert_eq!(s.sign_in.issuer, w.issuer);
}

#[tokio::test]
async fn oidcc_client_test_nonce_invalid() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| c["nonce"] = json!("another"))
                .await
        ),
        Refused::Nonce
    );
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| drop(
                c.as_object_mut().expect("object").remove("nonce")
            ))
            .await
        ),
        Refused::Nonce
    );
}

#[tokio::test]
async fn oidcc_client_test_discovery_issuer_mismatch() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.change(|a| a.discovery["issuer"] = json!(format!("{}/", w.issuer)));
    let e = w
        .provider
        .begin("/", &Counting::default())
        .await
        .expect_err("refused");
    assert_eq!(e.kind, domain::Kind::Unavailable);
    assert!(e.for_log().contains("unexpected issuer"), "{}", e.for_log());
}

#[tokio::test]
async fn oidcc_client_test_signing_key_rotation() {
    let (a, b) = (Key::a(), Key::b());
    let w = World::new(&[&a]).await;
    w.sign_in_with(&a, |_| ()).await.expect("signed in");
    w.change(|x| x.keys = vec![b.jwk()]);
    w.clock.forward(11);
    w.sign_in_with(&b, |_| ())
        .await
        .expect("the new key is fetched");
    w.clock.forward(11);
    assert_eq!(refused(w.sign_in_with(&a, |_| ()).await), Refused::NoKey);
    // An invented key does not make the console ask again and again.
    let before = w.answers.lock().expect("lock").key_fetches;
    for _ in 0..5 {
        refused(w.sign_in_with(&a, |_| ()).await);
    }
    assert_eq!(w.answers.lock().expect("lock").key_fetches, before);
}

#[tokio::test]
async fn dates_may_be_off_by_the_skew_and_no_more() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.sign_in_with(&key, |c| c["exp"] = json!(NOW - 59))
        .await
        .expect("within");
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["exp"] = json!(NOW - 60)).await),
        Refused::Expired
    );
    w.sign_in_with(&key, |c| c["iat"] = json!(NOW + 60))
        .await
        .expect("within");
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["iat"] = json!(NOW + 61)).await),
        Refused::FromTheFuture
    );
    assert_eq!(
        refused(w.sign_in_with(&key, |c| c["nbf"] = json!(NOW + 61)).await),
        Refused::FromTheFuture
    );
}

#[tokio::test]
async fn an_access_token_of_another_sign_in_is_noticed() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert_eq!(
        refused(
            w.sign_in_with(&key, |c| c["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"))
                .await
        ),
        Refused::AccessTokenHash
    );
}

#[tokio::test]
async fn another_kind_of_token_is_no_id_token() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let header = json!({ "alg": "RS256", "kid": "a", "typ": "logout+jwt" });
    let outcome = w.sign_in(|n| key.token_with(header, &w.claims(n))).await;
    assert_eq!(refused(outcome), Refused::Type("logout+jwt".into()));
}

#[tokio::test]
async fn a_mixed_up_answer_is_refused() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let (_, keep) = w.begin().await;
    let good = w.answer(&keep.state);
    let bad = [
        Answer {
            state: Some("another".into()),
            ..good.clone()
        },
        Answer {
            state: None,
            ..good.clone()
        },
        Answer {
            iss: Some("https://evil.example".into()),
            ..good.clone()
        },
        Answer {
            iss: None,
            ..good.clone()
        },
        Answer { code: None, ..good },
    ];
    for answer in bad {
        let outcome = w.provider.finish(&keep, &answer).await;
        assert!(matches!(outcome, Err(SignInError::Mixed(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_code_works_only_with_its_verifier() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let (_, mut keep) = w.begin().await;
    w.change(|a| {
        drop(a.tokens.insert(
            "code".into(),
            (Some("of another browser".into()), 200, json!({})),
        ))
    });
    keep.verifier = "x".repeat(43);
    let outcome = w.provider.finish(&keep, &w.answer(&keep.state)).await;
    assert!(
        matches!(&outcome, Err(SignInError::Provider(e)) if e == "invalid_grant"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn names_that_forge_lines_or_turn_text_are_refused() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    for name in ["a\nroot", "a\u{202e}b", ""] {
        let outcome = w
            .sign_in_with(&key, |c| c["preferred_username"] = json!(name))
            .await;
        assert!(
            matches!(refused(outcome), Refused::Malformed(_)),
            "{name:?}"
        );
        let outcome = w
            .sign_in_with(&key, |c| c["groups"] = json!(["gh-ai", name]))
            .await;
        assert!(
            matches!(refused(outcome), Refused::Malformed(_)),
            "{name:?}"
        );
    }
    assert!(matches!(
        refused(
            w.sign_in_with(&key, |c| c["groups"] = json!({ "a": 1 }))
                .await
        ),
        Refused::Malformed(_)
    ));
    // What is only shown is cleaned.
    let s = w
        .sign_in_with(&key, |c| c["name"] = json!("Ada\u{202e} L"))
        .await
        .expect("signed in");
    assert_eq!(s.sign_in.name, "Ada L");
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be_away_and_found_again() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    let discovery = w.answers.lock().expect("lock").discovery.clone();
    w.change(|a| a.discovery = json!({}));
    assert_eq!(
        w.provider
            .begin("/", &Counting::default())
            .await
            .expect_err("away")
            .kind,
        domain::Kind::Unavailable
    );
    assert!(!w.provider.reachable());
    w.change(|a| a.discovery = discovery);
    // A failed attempt stands for two seconds.
    assert!(w.provider.begin("/", &Counting::default()).await.is_err());
    w.clock.forward(3);
    w.sign_in_with(&key, |_| ()).await.expect("signed in");
    assert!(w.provider.reachable());
}

#[tokio::test]
async fn no_endpoint_of_an_https_issuer_is_plain_http() {
    let metadata: super::super::Metadata = serde_json::from_value(json!({
        "issuer": "https://id.example.org", "authorization_endpoint": "https://id.example.org/a",
        "token_endpoint": "http://id.example.org/t", "jwks_uri": "https://id.example.org/k",
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
    .expect("metadata");
    assert!(super::super::safe_endpoints(&metadata).is_err());
}

#[tokio::test]
async fn oidcc_client_test_rp_init_logout() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    assert!(
        w.provider.end_session_url(Some("t"), "s").is_none(),
        "nothing is known yet"
    );
    w.begin().await;
    let url = w
        .provider
        .end_session_url(Some("the.id.token"), "st")
        .expect("known");
    assert_eq!(
        url.as_str(),
        format!(
            "{}/end?id_token_hint=the.id.token&client_id=gatehouse&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsigned-out&state=st",
            w.issuer
        )
    );
}
