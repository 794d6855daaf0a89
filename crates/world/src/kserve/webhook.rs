//! The webhook server: HTTPS on loopback with a certificate authority of its
//! own, answering `AdmissionReview` for any number of clusters.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::defaulter::{self, Refusal, json_patch};
use super::settings::{Settings, config_map};
use super::{Error, validator};

const MUTATE: &str = "/mutate-inferenceservices";
const VALIDATE: &str = "/validate-inferenceservices";
const MUTATE_PODS: &str = "/mutate-pods";
/// A review holds two objects of at most 1.5 MB each (etcd's limit).
const LARGEST_REVIEW: usize = 8 * 1024 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A running webhook server. One serves every cluster of the world; it ends
/// when it is dropped.
#[derive(Debug)]
pub struct WebhookEndpoint {
    address: SocketAddr,
    authority: String,
    settings: Arc<RwLock<Settings>>,
    stop: CancellationToken,
}

impl WebhookEndpoint {
    /// Starts on loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken or a certificate cannot be made.
    pub async fn start(port: u16) -> Result<Self, Error> {
        let (tls, authority) = certificate()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| Error::new(format!("the webhooks cannot listen: {error}")))?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::new(format!("the webhooks have no address: {error}")))?;
        let settings = Arc::new(RwLock::new(Settings::from_config_map(&config_map())));
        let stop = CancellationToken::new();
        let router = Router::new()
            .route(MUTATE, post(mutate))
            .route(VALIDATE, post(validate))
            .route(MUTATE_PODS, post(mutate_pods))
            .layer(DefaultBodyLimit::max(LARGEST_REVIEW))
            .with_state(settings.clone());
        let listener = TlsListener::start(listener, address, tls, stop.clone());
        let stopped = stop.clone();
        tokio::spawn(async move {
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(async move { stopped.cancelled().await });
            if let Err(error) = served.await {
                tracing::warn!(%error, "the webhook server ended");
            }
        });
        Ok(Self {
            address,
            authority,
            settings,
            stop,
        })
    }

    /// `https://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate (PEM) that signs the server's.
    pub fn authority_pem(&self) -> &str {
        &self.authority
    }

    /// Takes over what the cluster's ConfigMap says about defaults.
    pub fn configure(&self, settings: &Settings) {
        if let Ok(mut current) = self.settings.write() {
            current.clone_from(settings);
        }
    }

    /// The two configurations that make an API server ask this server.
    pub fn configurations(&self) -> Vec<Value> {
        let bundle = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            self.authority.as_bytes(),
        );
        let hook = |name: &str, path: &str, rule: Value, selector: Value| {
            json!({
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 5,
                "clientConfig": {"url": format!("{}{path}", self.url()), "caBundle": bundle},
                "rules": [rule],
                "objectSelector": selector,
            })
        };
        let services = |operations: Value| {
            json!({
                "apiGroups": ["serving.kserve.io"],
                "apiVersions": ["v1beta1"],
                "operations": operations,
                "resources": ["inferenceservices"],
            })
        };
        let pods = json!({
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
        });
        let served = json!({"matchExpressions": [
            {"key": super::isvc::OWNER_LABEL, "operator": "Exists"},
        ]});
        let of = |kind: &str, hooks: Value| {
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": "inferenceservice.serving.kserve.io"},
                "webhooks": hooks,
            })
        };
        vec![
            of(
                "MutatingWebhookConfiguration",
                json!([
                    hook(
                        "inferenceservice.kserve-webhook-server.defaulter",
                        MUTATE,
                        services(json!(["CREATE", "UPDATE"])),
                        json!({}),
                    ),
                    hook(
                        "inferenceservice.kserve-webhook-server.pod-mutator",
                        MUTATE_PODS,
                        pods,
                        served,
                    ),
                ]),
            ),
            of(
                "ValidatingWebhookConfiguration",
                json!([hook(
                    "inferenceservice.kserve-webhook-server.validator",
                    VALIDATE,
                    services(json!(["CREATE", "UPDATE"])),
                    json!({}),
                )]),
            ),
        ]
    }
}

impl Drop for WebhookEndpoint {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

type Shared = State<Arc<RwLock<Settings>>>;

fn current(settings: &RwLock<Settings>) -> Settings {
    settings
        .read()
        .map(|settings| settings.clone())
        .unwrap_or_default()
}

async fn mutate(State(settings): Shared, Json(review): Json<Value>) -> Json<Value> {
    let isvc = &review["request"]["object"];
    let outcome = defaulter::inference_service(isvc, &current(&settings));
    Json(patched(&review, isvc, outcome))
}

async fn mutate_pods(Json(review): Json<Value>) -> Json<Value> {
    let pod = &review["request"]["object"];
    Json(patched(&review, pod, defaulter::pod(pod)))
}

async fn validate(Json(review): Json<Value>) -> Json<Value> {
    let request = &review["request"];
    let verdict = match request["operation"].as_str() {
        Some("UPDATE") => validator::update(&request["oldObject"], &request["object"]),
        _ => validator::create(&request["object"]),
    };
    Json(match verdict {
        Ok(()) => answer(&review, json!({"allowed": true})),
        Err(message) => refused(&review, &Refusal { code: 403, message }),
    })
}

fn patched(review: &Value, before: &Value, outcome: Result<Value, Refusal>) -> Value {
    match outcome {
        Ok(after) => {
            let patch = json_patch(before, &after);
            if patch.is_empty() {
                return answer(review, json!({"allowed": true}));
            }
            let encoded = base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                Value::Array(patch).to_string(),
            );
            answer(
                review,
                json!({"allowed": true, "patchType": "JSONPatch", "patch": encoded}),
            )
        }
        Err(refusal) => refused(review, &refusal),
    }
}

fn refused(review: &Value, refusal: &Refusal) -> Value {
    let mut status = json!({"code": refusal.code, "message": refusal.message});
    if refusal.code == 403 {
        status["reason"] = json!("Forbidden");
    }
    answer(review, json!({"allowed": false, "status": status}))
}

fn answer(review: &Value, mut response: Value) -> Value {
    response["uid"] = review["request"]["uid"].clone();
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    })
}

/// A certificate for 127.0.0.1 and localhost, and the authority's PEM.
fn certificate() -> Result<(Arc<ServerConfig>, String), Error> {
    let failed = |error: rcgen::Error| Error::new(format!("no webhook certificate: {error}"));
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "world kserve webhook authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?)
        .map_err(failed)?;
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let key = KeyPair::generate().map_err(failed)?;
    let leaf = CertificateParams::new(names)
        .and_then(|params| params.signed_by(&key, &issuer))
        .map_err(failed)?;
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|error| Error::new(format!("no webhook certificate: {error}")))?;
    Ok((Arc::new(config), issuer.pem()))
}

/// Hands out connections whose handshake is done; a slow client holds up only
/// itself.
struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    fn start(
        listener: TcpListener,
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, ready) = mpsc::channel(64);
        let acceptor = TlsAcceptor::from(tls);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a webhook connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream));
                    if let Ok(Ok(stream)) = handshake.await {
                        // The receiver is gone only when the server stops.
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { ready, address }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task has ended: the server is about to as well.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
