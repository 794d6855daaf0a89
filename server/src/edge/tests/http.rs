//! What every answer has, and what is refused.

use super::house::*;
use ::http::{Method, StatusCode};

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site")],
    ] {
        let answer = b.send(Method::POST, "/signout", headers, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(b.get("/signin").await.location(), "/", "still signed in");
}

#[tokio::test]
async fn a_form_of_somebody_whose_session_has_ended_is_answered_with_a_page() {
    let house = House::new().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let referer = ("referer", "http://127.0.0.1:1/deploy/1/review?x=1");
    let typed = "purpose=say+%22hello%22%0Athere&x=1&x=2";
    let answer = house
        .browser()
        .send(Method::POST, "/deploy?y=1", &[form, referer], typed)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    for part in [
        "/signin?return_to=%2Fdeploy%2F1%2Freview%3Fx%3D1",
        "<form method=\"post\" action=\"/deploy?y=1\">",
        "name=\"purpose\" value=\"say &quot;hello&quot;\nthere\"",
        "name=\"x\" value=\"1\"",
        "name=\"x\" value=\"2\"",
    ] {
        assert!(answer.body.contains(part), "{part} in {}", answer.body);
    }
    let program = house
        .browser()
        .send(
            Method::POST,
            "/deploy",
            &[("accept", "application/json")],
            "",
        )
        .await;
    assert_eq!(program.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_address_with_a_nul_is_refused_in_words() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    for path in [
        "/catalog?q=a%00b",
        "/deployments/a/b/%00",
        "/audit/export?object=%00",
    ] {
        let answer = b.get(path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(
            answer.body.contains("NUL character"),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let house = House::new().await;
    let mut b = house.browser();
    let (one, two) = (b.get("/signin").await, b.get("/nothing").await);
    for answer in [&one, &two] {
        let csp = answer.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "'wasm-unsafe-eval'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(csp.contains(part), "{csp}");
        }
        assert!(!csp.contains("unsafe-inline"), "{csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(
            answer.header("strict-transport-security").is_empty(),
            "plain http on loopback"
        );
    }
    assert_ne!(
        one.header("content-security-policy"),
        two.header("content-security-policy"),
        "a nonce is used once"
    );
}

#[tokio::test]
async fn health_metrics_and_files() {
    let house = House::new().await;
    let mut b = house.browser();
    assert_eq!(b.get("/healthz").await.body, "ok\n");
    assert_eq!(b.get("/readyz").await.body, "ok\n");
    let metrics = b.get("/metrics").await;
    assert!(
        metrics.body.contains(
            "gatehouse_http_requests_total{route=\"/healthz\",method=\"GET\",status=\"200\"} 1"
        ),
        "{}",
        metrics.body
    );
    let file = b.get("/pkg/a.css").await;
    assert_eq!((file.status, file.body.as_str()), (StatusCode::OK, "a{}"));
    assert_eq!(file.header("cache-control"), "public, no-cache");
    let date = file.header("last-modified").to_owned();
    let again = b
        .send(
            Method::GET,
            "/pkg/a.css",
            &[("if-modified-since", &date)],
            "",
        )
        .await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    for path in [
        "/pkg/../../gatehouse.toml",
        "/pkg/%2e%2e/%2e%2e/gatehouse.toml",
        "/pkg/..%2f..%2fgatehouse.toml",
        "/pkg/b.css",
    ] {
        let answer = b.get(path).await;
        assert!(
            answer.status.is_client_error() && !answer.body.contains("secret_key"),
            "{path}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn figures_are_for_this_machine_and_not_for_whom_its_proxy_brings() {
    let house = House::new().await;
    let mut b = house.browser();
    assert_eq!(b.get("/metrics").await.status, StatusCode::OK);
    for header in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
    ] {
        let answer = b.send(Method::GET, "/metrics", &[header], "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header:?}");
    }
}

#[tokio::test]
async fn a_registry_tells_only_with_its_token() {
    let house = House::new().await;
    let mut b = house.browser();
    let good = format!("Bearer {TOKEN}");
    let push = r#"{"events":[{"action":"push"}]}"#;
    for (token, body, status) in [
        ("Bearer wrong", push, StatusCode::UNAUTHORIZED),
        ("", push, StatusCode::UNAUTHORIZED),
        (good.as_str(), "not json", StatusCode::BAD_REQUEST),
        (good.as_str(), "{}", StatusCode::BAD_REQUEST),
        (good.as_str(), push, StatusCode::ACCEPTED),
    ] {
        let answer = b
            .send(
                Method::POST,
                "/hooks/registry",
                &[("authorization", token)],
                body,
            )
            .await;
        assert_eq!(answer.status, status, "{token} {body}");
    }
    let large = "x".repeat(2 * 1024 * 1024);
    let answer = b
        .send(
            Method::POST,
            "/hooks/registry",
            &[("authorization", &good)],
            &large,
        )
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_manifest_that_is_too_long_is_given_back() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let draft = b.post("/deploy", "blank=1").await;
    assert_eq!(draft.status, StatusCode::SEE_OTHER, "{}", draft.body);
    let review = draft.location().replace("/use", "/review");
    let text = "a".repeat(300 * 1024);
    for page in [review.clone(), review.replace("/review", "/submit")] {
        let answer = b
            .post(&page, &format!("version=1&purpose=chat&yaml={text}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
        for part in [
            "300 KiB long; at most 256 KiB",
            text.as_str(),
            "value=\"chat\"",
        ] {
            assert!(answer.body.contains(part), "{page}");
        }
    }
    // Whose session has ended loses nothing either.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answer = house
        .browser()
        .send(Method::POST, &review, &[form], &format!("yaml={text}"))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains(&text));
}

#[tokio::test]
async fn what_cannot_be_read_is_said_in_plain_words() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let large = format!("a={}", "x".repeat(30_000));
    let answer = b.post("/deploy", &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer.body.contains("larger than this console takes"),
        "{}",
        answer.body
    );
    let answer = b
        .send(
            Method::DELETE,
            "/signin",
            &[("sec-fetch-site", "same-origin")],
            "",
        )
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        answer.body.contains("does not take DELETE"),
        "{}",
        answer.body
    );
    let answer = b.get("/events?topic=secrets").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = b.get("/events?topic=deployment:a/b/c").await;
    assert_eq!(
        answer.status,
        StatusCode::NOT_FOUND,
        "what may not be seen is not found"
    );
}
