//! A provider for tests: real HTTP on loopback and real keys; what it answers is up to the test.

use super::super::{Answer, LoginState, Provider, SignInError, SignedIn, http};
use crate::config;
use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::Micros;
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey as _,
    core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey},
};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use services::ports::{Clock, Entropy};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Where the console says it is.
pub const CONSOLE: &str = "http://127.0.0.1:1";
pub const CLIENT: &str = "gatehouse";
pub const SECRET: &str = "s3cret & co";
/// The time of all tests, in seconds.
pub const NOW: i64 = 1_800_000_000;

pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * Micros::SECOND, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

/// Counts instead of drawing.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        for (b, n) in bytes.iter_mut().zip(n.into_iter().cycle()) {
            *b = n;
        }
    }
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(self.0.fetch_add(1, Ordering::SeqCst).into())
    }
}

/// A key of the provider.
pub enum Key {
    Rsa {
        kid: &'static str,
        key: CoreRsaPrivateSigningKey,
    },
    Ec {
        kid: &'static str,
        key: EcdsaKeyPair,
    },
}

impl Key {
    pub fn rsa(kid: &'static str, pem: &str) -> Self {
        let id = Some(JsonWebKeyId::new(kid.to_owned()));
        Self::Rsa {
            kid,
            key: CoreRsaPrivateSigningKey::from_pem(pem, id).expect("a key of the test data"),
        }
    }
    pub fn a() -> Self {
        Self::rsa("a", include_str!("../../../testdata/rsa-a.pem"))
    }
    pub fn b() -> Self {
        Self::rsa("b", include_str!("../../../testdata/rsa-b.pem"))
    }
    pub fn ec() -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("key");
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .expect("key");
        Self::Ec { kid: "ec", key }
    }
    pub fn kid(&self) -> &'static str {
        match self {
            Self::Rsa { kid, .. } | Self::Ec { kid, .. } => kid,
        }
    }
    pub fn alg(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::Ec { .. } => "ES256",
        }
    }
    pub fn jwk(&self) -> Value {
        match self {
            Self::Rsa { key, .. } => serde_json::to_value(key.as_verification_key()).expect("json"),
            Self::Ec { kid, key } => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
                        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]) })
            }
        }
    }
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa { key, .. } => key
                .sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, text)
                .expect("signs"),
            Self::Ec { key, .. } => key
                .sign(&ring::rand::SystemRandom::new(), text)
                .expect("signs")
                .as_ref()
                .to_vec(),
        }
    }
    /// A token under this key.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(json!({ "alg": self.alg(), "kid": self.kid() }), claims)
    }
    pub fn token_with(&self, header: Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub fn part(v: &Value) -> String {
    URL_SAFE_NO_PAD.encode(v.to_string())
}

/// What the provider answers; tests change it.
#[derive(Default)]
pub struct Answers {
    pub discovery: Value,
    pub keys: Vec<Value>,
    pub key_fetches: u32,
    /// Code or refresh token → (PKCE challenge of a code, status, answer).
    pub tokens: HashMap<String, (Option<String>, u16, Value)>,
    pub userinfo: Value,
    /// What userinfo answers with, where it is not 200.
    pub userinfo_status: Option<u16>,
    /// A gateway in front says that the provider is away.
    pub away: bool,
}

pub struct World {
    pub issuer: String,
    pub answers: Arc<Mutex<Answers>>,
    pub clock: Arc<TestClock>,
    pub provider: Arc<Provider>,
    entropy: Counting,
}

impl World {
    pub async fn new(keys: &[&Key]) -> Self {
        Self::with(keys, |_| ()).await
    }

    /// With another configuration.
    pub async fn with(keys: &[&Key], configure: impl FnOnce(&mut config::Oidc)) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("address"));
        let answers = Arc::new(Mutex::new(Answers {
            discovery: json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/auth"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/me"),
                "jwks_uri": format!("{issuer}/jwks"),
                "end_session_endpoint": format!("{issuer}/end"),
                "authorization_response_iss_parameter_supported": true,
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            }),
            keys: keys.iter().map(|k| k.jwk()).collect(),
            ..Default::default()
        }));
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(a): Shared| {
                    let a = lock(&a);
                    let status = if a.away { 503 } else { 200 };
                    let status = StatusCode::from_u16(status).expect("status");
                    (status, Json(a.discovery.clone()))
                }),
            )
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route(
                "/me",
                get(async |State(a): Shared| {
                    let a = lock(&a);
                    let status = a.userinfo_status.unwrap_or(200);
                    let status = StatusCode::from_u16(status).expect("status");
                    (status, Json(a.userinfo.clone()))
                }),
            )
            .with_state(answers.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let clock = Arc::new(TestClock(AtomicI64::new(NOW * Micros::SECOND)));
        let mut config = config::Oidc {
            issuer: issuer.clone(),
            client_id: CLIENT.into(),
            client_secret: Some(config::Secret::new(SECRET)),
            client_secret_file: None,
            scopes: vec!["openid".into(), "groups".into()],
            groups_claim: "groups".into(),
            username_claim: "preferred_username".into(),
            person_claim: Some("employee_number".into()),
            clock_skew_seconds: 60,
            prompt: vec![],
            ca_file: None,
        };
        configure(&mut config);
        let http = http::client(None).expect("client");
        let provider = Arc::new(Provider::new(config, CONSOLE.into(), http, clock.clone()));
        Self {
            issuer,
            answers,
            clock,
            provider,
            entropy: Counting::default(),
        }
    }

    pub fn change(&self, f: impl FnOnce(&mut Answers)) {
        f(&mut lock(&self.answers));
    }

    pub async fn begin(&self) -> (url::Url, LoginState) {
        self.provider
            .begin("/deployments?x=1", &self.entropy)
            .await
            .expect("the provider is there")
    }

    /// Claims of a good ID token.
    pub fn claims(&self, nonce: &str) -> Value {
        let now = self.clock.now().0 / Micros::SECOND;
        json!({
            "iss": self.issuer, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
            "preferred_username": "ai", "name": "Ada", "email": "ada@example.org",
            "groups": ["gh-ai", "gh-ai", "gh-approvers-retail"], "employee_number": "7", "sid": "s-1",
        })
    }

    /// A whole sign-in with this ID token, made from the nonce that was sent.
    pub async fn sign_in(
        &self,
        id_token: impl FnOnce(&str) -> String,
    ) -> Result<SignedIn, SignInError> {
        let (url, keep) = self.begin().await;
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let answer = json!({ "access_token": "at", "token_type": "Bearer", "expires_in": 600, "refresh_token": "rt",
                             "id_token": id_token(&query["nonce"]) });
        self.change(|a| {
            a.tokens.insert(
                "code".into(),
                (Some(query["code_challenge"].clone()), 200, answer),
            );
        });
        self.provider
            .finish(&keep, &self.answer(&query["state"]))
            .await
    }

    /// As [`World::sign_in`], with changed claims under this key.
    pub async fn sign_in_with(
        &self,
        key: &Key,
        change: impl FnOnce(&mut Value),
    ) -> Result<SignedIn, SignInError> {
        self.sign_in(|nonce| {
            let mut claims = self.claims(nonce);
            change(&mut claims);
            key.token(&claims)
        })
        .await
    }

    pub fn answer(&self, state: &str) -> Answer {
        Answer {
            code: Some("code".into()),
            state: Some(state.to_owned()),
            iss: Some(self.issuer.clone()),
            error: None,
        }
    }
}

type Shared = State<Arc<Mutex<Answers>>>;

fn lock(answers: &Mutex<Answers>) -> std::sync::MutexGuard<'_, Answers> {
    answers.lock().expect("no test panics while it holds it")
}

async fn jwks(State(a): Shared) -> Json<Value> {
    let mut a = lock(&a);
    a.key_fetches += 1;
    Json(json!({ "keys": a.keys }))
}

/// The token endpoint: the client has to authenticate, and a code needs its verifier.
async fn token(
    State(a): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let error =
        |word: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": word }))).into_response();
    // Name and secret are form-encoded first (RFC 6749, 2.3.1).
    let encode = |t: &str| url::form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>();
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)))
    );
    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some(&basic) {
        return error("invalid_client");
    }
    let given = form
        .get("code")
        .or(form.get("refresh_token"))
        .cloned()
        .unwrap_or_default();
    let mut a = lock(&a);
    let Some((challenge, status, answer)) = a.tokens.remove(&given) else {
        return error("invalid_grant");
    };
    if let Some(challenge) = challenge {
        let verifier = form.get("code_verifier").cloned().unwrap_or_default();
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != challenge {
            return error("invalid_grant");
        }
    }
    (StatusCode::from_u16(status).expect("status"), Json(answer)).into_response()
}
