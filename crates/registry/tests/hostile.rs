//! Registries that hang, lie, send us elsewhere or want our password: small servers that each do
//! one thing wrong.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use common::*;
use domain::{Micros, artifact::media_types, ids::Digest};
use registry::{AddressPolicy, Client, Limits, Problem, RegistryConfig, Secret, Transport};
use serde_json::json;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn limits() -> Limits {
    Limits {
        request: Duration::from_millis(300),
        call: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn client(url: &str) -> Client {
    let config = RegistryConfig::new(url)
        .with_credentials("user", Secret::new("hunter2"))
        .with_limits(limits());
    Client::new(
        &Transport::new(AddressPolicy::default(), &[]).unwrap(),
        config,
    )
    .unwrap()
}

fn manifest() -> (String, Digest) {
    let empty = Digest::of(b"{}");
    let body = json!({"schemaVersion": 2, "mediaType": media_types::OCI_MANIFEST, "layers": [],
        "config": {"mediaType": media_types::OCI_CONFIG, "digest": empty.as_str(), "size": 2}})
    .to_string();
    let digest = Digest::of(body.as_bytes());
    (body, digest)
}

/// A registry with one empty image, and `referrers` as the answer to who refers to it.
fn one_image(referrers: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Router {
    let (body, digest) = manifest();
    let fallback = digest.as_str().replace(':', "-");
    Router::new().fallback(move |request: Request| {
        let path = request.uri().path().to_owned();
        let answer = if path.ends_with(&format!("/manifests/{digest}")) {
            ([("content-type", media_types::OCI_MANIFEST)], body.clone()).into_response()
        } else if path.contains("/referrers/") || path.ends_with(&format!("/manifests/{fallback}"))
        {
            referrers()
        } else if path.contains("/blobs/") {
            "{}".into_response()
        } else {
            StatusCode::NOT_FOUND.into_response()
        };
        async move { answer }
    })
}

async fn signature_name(
    referrers: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> &'static str {
    let url = serve(one_image(referrers)).await;
    let found = client(&url)
        .inspect("a", &manifest().1, &[trusted("k", &key(1))], Micros(0))
        .await
        .unwrap();
    found.signature.name()
}

#[tokio::test]
async fn a_registry_that_hangs_does_not_hang_the_caller() {
    let url =
        serve(Router::new().fallback(|| async { std::future::pending::<Response>().await })).await;
    assert_eq!(
        client(&url).validate().await.unwrap_err().problem,
        Problem::TimedOut
    );
}

#[tokio::test]
async fn what_is_no_registry_is_named() {
    let url = serve(Router::new().fallback(|| async { "<html>hello</html>" })).await;
    assert!(matches!(
        client(&url).validate().await.unwrap_err().problem,
        Problem::NotARegistry(_)
    ));
    let url = serve(Router::new()).await;
    assert!(matches!(
        client(&url).validate().await.unwrap_err().problem,
        Problem::NotARegistry(_)
    ));
    assert_eq!(
        client("http://127.0.0.1:1")
            .validate()
            .await
            .unwrap_err()
            .problem,
        Problem::Unreachable
    );
    assert_eq!(
        client("http://does-not-exist.invalid")
            .validate()
            .await
            .unwrap_err()
            .problem,
        Problem::UnknownHost
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let endless = || async {
        let chunks =
            futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
        axum::body::Body::from_stream(chunks).into_response()
    };
    let url = serve(Router::new().fallback(endless)).await;
    let config = RegistryConfig::new(&url);
    let client = Client::new(
        &Transport::new(AddressPolicy::default(), &[]).unwrap(),
        config,
    )
    .unwrap();
    for problem in [
        client.validate().await.unwrap_err().problem,
        client.all_tags("a").await.unwrap_err().problem,
        client
            .manifest("a", &manifest().1)
            .await
            .unwrap_err()
            .problem,
    ] {
        assert!(matches!(problem, Problem::TooLarge(_)), "{problem:?}");
    }
}

#[tokio::test]
async fn credentials_stay_at_home() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let record = Arc::clone(&seen);
    let other = serve(Router::new().fallback(move |headers: HeaderMap| {
        record.lock().unwrap().push(headers);
        async { "{}" }
    }))
    .await;
    // A blob lies elsewhere: we go there, without the password.
    let target = other.replace("127.0.0.1", "localhost");
    let away = target.clone();
    let home = serve(Router::new().fallback(move |request: Request| {
        let known = request.headers().contains_key("authorization");
        let blob = request.uri().path().contains("/blobs/");
        let location = format!("{away}/elsewhere");
        async move {
            match (known, blob) {
                (false, _) => (
                    StatusCode::UNAUTHORIZED,
                    [("www-authenticate", "Basic realm=x")],
                )
                    .into_response(),
                (true, true) => {
                    (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
                }
                (true, false) => (StatusCode::FOUND, [("location", location)]).into_response(),
            }
        }
    }))
    .await;
    let client = client(&home);
    let descriptor =
        serde_json::from_value(json!({"digest": Digest::of(b"{}").as_str(), "size": 2})).unwrap();
    assert_eq!(
        client.blob("a", &descriptor, 10, "The blob").await.unwrap(),
        b"{}"
    );
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(!seen.lock().unwrap()[0].contains_key("authorization"));
    // Nothing else is followed elsewhere.
    let problem = client.validate().await.unwrap_err().problem;
    assert_eq!(problem, Problem::Redirected("localhost".into()));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_that_a_blob_lies_on_cannot_ask_for_the_password() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    for scheme in ["Basic", "Bearer"] {
        let record = Arc::clone(&seen);
        // It names itself as the token service, or wants the password outright.
        let elsewhere =
            serve(Router::new().fallback(move |request: Request| {
                record.lock().unwrap().push(request.headers().clone());
                let host = request.headers()["host"].to_str().unwrap().to_owned();
                let challenge = format!(r#"{scheme} realm="http://{host}/token""#);
                async move {
                    (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
                }
            }))
            .await;
        let location = format!("{elsewhere}/blob");
        let home =
            serve(
                Router::new().fallback(move || {
                    let location = location.clone();
                    async move {
                        (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
                    }
                }),
            )
            .await;
        let descriptor =
            serde_json::from_value(json!({"digest": Digest::of(b"{}").as_str(), "size": 2}))
                .unwrap();
        let problem = client(&home)
            .blob("a", &descriptor, 10, "The blob")
            .await
            .unwrap_err()
            .problem;
        assert_eq!(problem, Problem::RefusedElsewhere("127.0.0.1".into()));
    }
    let seen = seen.lock().unwrap();
    // Each was asked once for the blob, never for a token, and saw no credentials.
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|h| !h.contains_key("authorization")));
}

#[test]
fn certificates_that_cannot_be_read_are_said_to_be_so() {
    let pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let problem = Transport::new(AddressPolicy::default(), &[pem])
        .unwrap_err()
        .problem;
    assert!(matches!(problem, Problem::Tls(_)), "{problem:?}");
}

#[tokio::test]
async fn a_redirect_to_the_metadata_service_is_refused() {
    let evil = || async {
        (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", "http://169.254.169.254/latest/meta-data/")],
        )
            .into_response()
    };
    let url = serve(Router::new().fallback(evil)).await;
    let descriptor =
        serde_json::from_value(json!({"digest": Digest::of(b"{}").as_str(), "size": 2})).unwrap();
    let problem = client(&url)
        .blob("a", &descriptor, 10, "The blob")
        .await
        .unwrap_err()
        .problem;
    assert!(matches!(problem, Problem::Refused(_)), "{problem:?}");
}

#[tokio::test]
async fn nobody_sends_us_further_in_than_he_is_himself() {
    // This registry is on this machine; a private network is another place.
    let elsewhere = || async {
        (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", "http://10.255.255.1/admin")],
        )
            .into_response()
    };
    let url = serve(Router::new().fallback(elsewhere)).await;
    let descriptor =
        serde_json::from_value(json!({"digest": Digest::of(b"{}").as_str(), "size": 2})).unwrap();
    let blob = client(&url).blob("a", &descriptor, 10, "The blob").await;
    let problem = blob.unwrap_err().problem;
    assert!(matches!(problem, Problem::Refused(_)), "{problem:?}");

    let realm = || async {
        let challenge = r#"Bearer realm="http://10.255.255.1/token",service="reg""#;
        (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
    };
    let url = serve(Router::new().fallback(realm)).await;
    let problem = client(&url).all_tags("a").await.unwrap_err().problem;
    assert!(matches!(problem, Problem::Refused(_)), "{problem:?}");
}

#[tokio::test]
async fn a_token_service_is_asked_and_its_token_used() {
    let router = Router::new()
        .route(
            "/token",
            get(|request: Request| async move {
                let query = request.uri().query().unwrap_or_default().to_owned();
                let basic = request
                    .headers()
                    .get("authorization")
                    .is_some_and(|h| h.as_bytes().starts_with(b"Basic "));
                if basic && query.contains("service=reg") && query.contains("scope=repository") {
                    r#"{"token":"abc"}"#.into_response()
                } else {
                    StatusCode::UNAUTHORIZED.into_response()
                }
            }),
        )
        .fallback(|request: Request| async move {
            if request
                .headers()
                .get("authorization")
                .is_some_and(|h| h == "Bearer abc")
            {
                r#"{"tags":["v1"]}"#.into_response()
            } else {
                let challenge = r#"Bearer realm="/token",service="reg",scope="repository:a:pull""#;
                (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
            }
        });
    let url = serve(router).await;
    assert_eq!(client(&url).all_tags("a").await.unwrap(), ["v1"]);
    let anonymous = Client::new(
        &Transport::new(AddressPolicy::default(), &[]).unwrap(),
        RegistryConfig::new(&url),
    )
    .unwrap();
    assert_eq!(
        anonymous.all_tags("a").await.unwrap_err().problem,
        Problem::CredentialsNeeded
    );
}

#[tokio::test]
async fn what_cannot_be_listed_is_unknown_and_never_unsigned() {
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
        media_types::OCI_INDEX
    );
    let complete =
        move || ([("content-type", media_types::OCI_INDEX)], index.clone()).into_response();
    assert_eq!(signature_name(complete).await, "unsigned");
    assert_eq!(
        signature_name(|| StatusCode::NOT_FOUND.into_response()).await,
        "unsigned"
    );
    for broken in [
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        || StatusCode::FORBIDDEN.into_response(),
        || "<html>".into_response(),
        || r#"{"schemaVersion":2,"manifests":"none"}"#.into_response(),
        || {
            (
                [("link", "</v2/a/referrers/x?page=1>; rel=\"next\"")],
                r#"{"schemaVersion":2,"manifests":[]}"#,
            )
                .into_response()
        },
    ] {
        assert_eq!(signature_name(broken).await, "unknown");
    }
}

#[tokio::test]
async fn content_that_does_not_have_its_digest_is_refused() {
    let (body, _) = manifest();
    let url = serve(Router::new().fallback(move || {
        let body = body.clone();
        async move { ([("content-type", media_types::OCI_MANIFEST)], body) }
    }))
    .await;
    let client = client(&url);
    assert_eq!(
        client
            .manifest("a", &Digest::of(b"other"))
            .await
            .unwrap_err()
            .problem,
        Problem::WrongDigest
    );
    let descriptor =
        serde_json::from_value(json!({"digest": Digest::of(b"other").as_str(), "size": 2}))
            .unwrap();
    assert_eq!(
        client
            .blob("a", &descriptor, 10_000, "The blob")
            .await
            .unwrap_err()
            .problem,
        Problem::WrongDigest
    );
}

#[tokio::test]
async fn an_archive_that_unpacks_without_end_is_cut_off() {
    let bomb = gzip(&vec![0; 8 * 1024 * 1024]).await;
    let mut archive = tar(&[("models/model.bin", b"")]);
    // The header announces a file of 8 GiB.
    archive.truncate(512);
    archive[124..136].copy_from_slice(b"77777777777\0");
    archive[148..156].copy_from_slice(b"        ");
    let sum: u32 = archive.iter().map(|b| u32::from(*b)).sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut layer = gzip(&archive).await;
    for _ in 0..40 {
        layer.extend(&bomb);
    }
    let layer_digest = Digest::of(&layer);
    let body = json!({"schemaVersion": 2, "mediaType": media_types::OCI_MANIFEST,
        "config": {"mediaType": media_types::OCI_CONFIG, "digest": Digest::of(b"{}").as_str(), "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer_digest.as_str(), "size": layer.len()}]})
    .to_string();
    let digest = Digest::of(body.as_bytes());
    let url = serve(Router::new().fallback(move |request: Request| {
        let path = request.uri().path().to_owned();
        let answer = if path.contains("/referrers/") || path.contains("/manifests/sha256-") {
            StatusCode::NOT_FOUND.into_response()
        } else if path.contains("/manifests/") {
            ([("content-type", media_types::OCI_MANIFEST)], body.clone()).into_response()
        } else if path.ends_with(layer_digest.as_str()) {
            layer.clone().into_response()
        } else {
            "{}".into_response()
        };
        async move { answer }
    }))
    .await;
    let config = RegistryConfig::new(&url).with_limits(Limits {
        unpacked_bytes: 16 * 1024 * 1024,
        ..Limits::default()
    });
    let client = Client::new(
        &Transport::new(AddressPolicy::default(), &[]).unwrap(),
        config,
    )
    .unwrap();
    let found = client.inspect("a", &digest, &[], Micros(0)).await.unwrap();
    assert!(!found.facts.files.complete);
    assert!(
        found
            .facts
            .notes
            .iter()
            .any(|n| n.contains("only its beginning")),
        "{:?}",
        found.facts.notes
    );
}

#[tokio::test]
async fn what_another_platform_holds_is_told_too() {
    let layer = |files: &[(&str, &[u8])]| {
        let bytes = tar(files);
        let digest = Digest::of(&bytes);
        (digest.to_string(), bytes)
    };
    let (weights, evil) = (
        layer(&[("models/w.txt", b"x")]),
        layer(&[("models/m.pkl", b"cposix\nsystem\n.")]),
    );
    let image = |layer: &(String, Vec<u8>)| {
        let body = json!({"schemaVersion": 2, "mediaType": media_types::OCI_MANIFEST,
            "config": {"mediaType": media_types::OCI_CONFIG, "digest": Digest::of(b"{}").as_str(), "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.0, "size": layer.1.len()}]})
        .to_string()
        .into_bytes();
        (Digest::of(&body).to_string(), body)
    };
    let (amd64, arm64) = (image(&weights), image(&evil));
    let entry = |architecture: &str, image: &(String, Vec<u8>)| {
        json!({"mediaType": media_types::OCI_MANIFEST, "digest": image.0, "size": image.1.len(),
        "platform": {"os": "linux", "architecture": architecture}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": media_types::OCI_INDEX,
        "manifests": [entry("amd64", &amd64), entry("arm64", &arm64)]})
    .to_string()
    .into_bytes();
    let digest = Digest::of(&index);
    let at_index = digest.to_string();
    let stored = Arc::new(Mutex::new(vec![amd64, weights, arm64.clone(), evil]));
    let content = stored.clone();
    let url = serve(Router::new().fallback(move |request: Request| {
        let path = request.uri().path().to_owned();
        let found = content
            .lock()
            .unwrap()
            .iter()
            .find(|(digest, _)| path.ends_with(digest.as_str()) && !path.contains("/referrers/"))
            .map(|(_, bytes)| bytes.clone());
        let answer = if path.ends_with(&format!("/manifests/{at_index}")) {
            ([("content-type", media_types::OCI_INDEX)], index.clone()).into_response()
        } else if path.ends_with(Digest::of(b"{}").as_str()) {
            "{}".into_response()
        } else if let Some(bytes) = found {
            ([("content-type", media_types::OCI_MANIFEST)], bytes).into_response()
        } else {
            StatusCode::NOT_FOUND.into_response()
        };
        async move { answer }
    }))
    .await;
    let found = client(&url)
        .inspect("a", &digest, &[], Micros(0))
        .await
        .unwrap();
    let pickle = found.pickle.unwrap();
    assert_eq!(pickle.dangerous().count(), 1);
    assert_eq!(pickle.files[0].file, "models/m.pkl (linux/arm64)");
    assert!(found.facts.files.complete);

    // One that cannot be read is no reason to call the files known.
    stored
        .lock()
        .unwrap()
        .retain(|(digest, _)| *digest != arm64.0);
    let found = client(&url)
        .inspect("a", &digest, &[], Micros(0))
        .await
        .unwrap();
    assert!(!found.facts.files.complete && found.pickle.is_none());
    assert!(found.facts.notes.iter().any(|n| n.contains("linux/arm64")));
}
