//! A console over a real database, and browsers to use it with.

use crate::edge::{AppState, Inner, limit::RateLimit, metrics::Metrics, recent::Recent, router};
use crate::{
    config::{Config, ConfigError},
    oidc::{ProviderIdentity, tests::op::*},
    session::Backend,
    tasks::Wake,
};
use axum::{Router, body::Body, extract::Request};
use domain::Micros;
use http::{HeaderMap, Method, StatusCode, header};
use leptos::prelude::LeptosOptions;
use serde_json::{Value, json};
use services::{
    Ctx, Services,
    authz::Policy,
    ports::{AuditFilter, Store},
    vault::Vault,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub const TOKEN: &str = "0123456789abcdef0123";

pub struct House {
    pub world: World,
    pub key: Key,
    pub router: Router,
    pub store: Arc<dyn Store>,
    pub db: Arc<store::Db>,
    pub backend: Backend,
    pub state: AppState,
    _folder: tempfile::TempDir,
}

fn config(issuer: &str, folder: &std::path::Path) -> Result<Config, ConfigError> {
    let file = folder.join("gatehouse.toml");
    let text = format!(
        r#"
[server]
public_url = "{CONSOLE}"
secret_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
site = "site"
body_bytes = 20000
[database]
url = "sqlite:unused.db"
[oidc]
issuer = "{issuer}"
client_id = "{CLIENT}"
[[grants]]
group = "gh-ai"
role = "ai-engineer"
units = ["*"]
environments = ["*"]
[[registries]]
name = "main"
url = "http://127.0.0.1:1"
notification_token = "{TOKEN}"
"#
    );
    std::fs::write(&file, text).expect("written");
    Config::load(&file)
}

impl House {
    pub async fn new() -> Self {
        let key = Key::a();
        let world = World::new(&[&key]).await;
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir_all(folder.path().join("site/pkg")).expect("folder");
        std::fs::write(folder.path().join("site/pkg/a.css"), "a{}").expect("written");
        let config = config(&world.issuer, folder.path()).expect("good");
        let url = format!("sqlite:{}", folder.path().join("gatehouse.db").display());
        let entropy = Arc::new(Counting::default());
        let secret = config.secret_key();
        let options = store::Options::new(audit::Keyring::new(&secret), entropy.clone());
        let db = store::connect(&url, options).await.expect("a new database");
        let store: Arc<dyn Store> = db.clone();
        let kept = db.clone();
        let vault = Arc::new(Vault::new(&secret));
        let clock = world.clock.clone();
        let identity = Arc::new(ProviderIdentity {
            provider: world.provider.clone(),
            store: store.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let fleet = cluster::Fleet::new(vec![], cluster::Labels::default(), clock.clone())
            .expect("no clusters");
        let registries = registry::OciRegistries::new(
            registry::AddressPolicy::default(),
            vec![],
            registry::Limits::default(),
        )
        .expect("client");
        let services = Services::new(Ctx {
            store: store.clone(),
            clusters: Arc::new(fleet),
            registries: Arc::new(registries),
            identity: identity.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            policy: Arc::new(Policy::built_in().expect("policy")),
            settings: Arc::new(config.settings()),
            vault: vault.clone(),
            log_keys: Arc::new(
                services::checkpoints::LogKeys::derived("gatehouse.example/audit", &[7; 32])
                    .expect("a name"),
            ),
            boundary: |_| {},
        });
        let site = config
            .server
            .site
            .clone()
            .expect("configured")
            .display()
            .to_string();
        let state = AppState::new(Inner {
            services,
            options: LeptosOptions::builder()
                .output_name("gatehouse")
                .site_root(site)
                .build(),
            config,
            provider: world.provider.clone(),
            identity,
            ping: Box::new(move || {
                let db = db.clone();
                Box::pin(async move { db.ping().await })
            }),
            metrics: Metrics::default(),
            sign_in_limit: RateLimit::new(40, Micros::SECOND),
            hook_limit: RateLimit::new(40, Micros::SECOND),
            recent: Recent::new(0),
            wake: Arc::new(Wake::default()),
            stop: CancellationToken::new(),
        });
        let backend = Backend {
            store: store.clone(),
            vault,
            clock,
            entropy,
            limits: state.limits(),
        };
        let router = router(state.clone(), backend.clone());
        Self {
            world,
            key,
            router,
            store,
            db: kept,
            backend,
            state,
            _folder: folder,
        }
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser {
            house: self,
            cookies: BTreeMap::new(),
            offline: false,
        }
    }

    pub async fn records(&self, action: &str) -> Vec<Value> {
        let filter = AuditFilter {
            action: Some(action.into()),
            scopes: vec![(vec!["*".into()], vec!["*".into()])],
            ..Default::default()
        };
        let page = self
            .store
            .audit_list(&filter, None, 50)
            .await
            .expect("listed");
        page.rows
            .into_iter()
            .map(|r| serde_json::to_value(r).expect("json"))
            .collect()
    }
}

pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answered {
    pub fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }
}

pub struct Browser<'a> {
    pub house: &'a House,
    pub cookies: BTreeMap<String, String>,
    /// Does the provider give refresh tokens?
    pub offline: bool,
}

impl Browser<'_> {
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:1")
            .header("accept", "text/html");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header("content-length", body.len());
        }
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let request = request.body(Body::from(body.to_owned())).expect("request");
        let response = self
            .house
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("answered");
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (name, value) = cookie
                .split(';')
                .next()
                .and_then(|c| c.split_once('='))
                .expect("pair");
            if cookie.contains("Max-Age=0") || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), value.into());
            }
        }
        let body = axum::body::to_bytes(response.into_body(), 1_000_000)
            .await
            .expect("body");
        Answered {
            status,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Answered {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Answered {
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send(
            Method::POST,
            path,
            &[form, ("sec-fetch-site", "same-origin")],
            body,
        )
        .await
    }

    /// Goes to the provider and comes back with a code; answers the address of the callback.
    pub async fn through_the_provider(&mut self, start: &str) -> String {
        let w = &self.house.world;
        let started = self.get(start).await;
        let url = url::Url::parse(started.location()).expect("to the provider");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let token = self.house.key.token(&w.claims(&query["nonce"]));
        let mut answer = json!({ "access_token": "at", "token_type": "Bearer", "id_token": token });
        if self.offline {
            answer["refresh_token"] = json!("rt");
        }
        let code = format!("code-{}", query["state"]);
        w.change(|a| {
            drop(a.tokens.insert(
                code.clone(),
                (Some(query["code_challenge"].clone()), 200, answer),
            ))
        });
        let pairs = [
            ("code", code.as_str()),
            ("state", &query["state"]),
            ("iss", &w.issuer),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        format!("/oidc/callback?{query}")
    }

    pub async fn sign_in(&mut self) -> Answered {
        let callback = self.through_the_provider("/signin/start").await;
        self.get(&callback).await
    }
}
