//! What the provider says of a person, in the ways that providers say it.

use super::super::SignInError;
use super::op::*;
use serde_json::{Value, json};

fn without(c: &mut Value, name: &str) {
    c.as_object_mut().expect("object").remove(name);
}

#[tokio::test]
async fn groups_may_lie_deeper() {
    let key = Key::a();
    for claim in ["realm_access.roles", "/realm_access/roles"] {
        let w = World::with(&[&key], |c| c.groups_claim = claim.into()).await;
        let s = w
            .sign_in_with(&key, |c| {
                c["realm_access"] = json!({ "roles": ["gh-ai", "gh-audit"] });
            })
            .await
            .expect("signed in");
        assert_eq!(s.sign_in.groups, ["gh-ai", "gh-audit"], "{claim}");
    }
    // A claim of just that name comes first.
    let claim = "https://example.org/groups";
    let w = World::with(&[&key], |c| c.groups_claim = claim.into()).await;
    let s = w
        .sign_in_with(&key, |c| c[claim] = json!("gh-ai"))
        .await
        .expect("signed in");
    assert_eq!(s.sign_in.groups, ["gh-ai"], "one name is a list of one");
}

#[tokio::test]
async fn more_groups_than_fit_are_not_none() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.change(|a| a.userinfo = json!({ "sub": "u-1" }));
    let overage = |c: &mut Value| {
        without(c, "groups");
        c["_claim_names"] = json!({ "groups": "src1" });
        c["_claim_sources"] = json!({ "src1": { "endpoint": "https://graph.example/groups" } });
    };
    let e = w.sign_in_with(&key, overage).await.expect_err("refused");
    assert!(matches!(e, SignInError::TooManyGroups), "{e:?}");
    let page = e.into_error();
    assert!(page.message.contains("too many groups"), "{}", page.message);
    assert!(page.remedy.expect("what to do").contains("groups_claim"));
    // An account without groups, at a provider that then leaves the claim away.
    let s = w.sign_in_with(&key, |c| without(c, "groups")).await;
    assert!(s.expect("signed in").sign_in.groups.is_empty());
}

#[tokio::test]
async fn who_cannot_be_told_apart_from_others_does_not_sign_in() {
    let key = Key::a();
    let w = World::new(&[&key]).await;
    w.change(|a| a.userinfo = json!({ "sub": "u-1" }));
    let nobody = |c: &mut Value| without(c, "employee_number");
    let e = w.sign_in_with(&key, nobody).await.expect_err("refused");
    assert_eq!(e.word(), "no-person");
    let page = e.into_error();
    assert!(page.message.contains("employee_number"), "{}", page.message);
}

#[tokio::test]
async fn an_address_that_is_not_verified_names_nobody() {
    let key = Key::a();
    let w = World::with(&[&key], |c| c.username_claim = "email".into()).await;
    for (verified, may) in [
        (Some(json!(false)), false),
        (Some(json!(true)), true),
        (None, true),
    ] {
        let outcome = w
            .sign_in_with(&key, |c| {
                if let Some(v) = &verified {
                    c["email_verified"] = v.clone();
                }
            })
            .await;
        assert_eq!(outcome.is_ok(), may, "{verified:?}");
        if let Err(e) = outcome {
            assert!(matches!(e, SignInError::UnverifiedEmail), "{e:?}");
        }
    }
}
