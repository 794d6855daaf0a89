//! The configuration file: TOML, with `GATEHOUSE_…` environment variables over it
//! (`GATEHOUSE_SERVER__LISTEN` is `server.listen`). Unknown keys are errors.

mod check;
mod problem;
mod secret;
#[cfg(test)]
mod tests;

pub use problem::{ConfigError, Problem};
pub use secret::Secret;

use ::audit::checkpoint::SigningKey;
use domain::access::ApprovalRule;
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::Deserialize;
use services::{GroupGrant, checkpoints::LogKeys, ports::SyncRule};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use url::Url;

/// Everything that the console is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub oidc: Oidc,
    #[serde(default)]
    pub session: Session,
    #[serde(default)]
    pub decisions: Decisions,
    #[serde(default)]
    pub labels: Labels,
    /// Group → role, where. Without any, nobody who signs in may do anything.
    #[serde(default)]
    pub grants: Vec<GroupGrant>,
    /// Who has to agree, first match wins; where none matches, one approver.
    #[serde(default)]
    pub approvals: Vec<ApprovalRule>,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    #[serde(default)]
    pub registries: Vec<Registry>,
    #[serde(default)]
    pub registries_policy: RegistriesPolicy,
    #[serde(default)]
    pub trust: Trust,
    pub prometheus: Option<Prometheus>,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub audit: Audit,
}

/// Where the console listens and how it is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on. Default `127.0.0.1:8080`.
    #[serde(default = "defaults::listen")]
    pub listen: SocketAddr,
    /// The address that people use, without a path. Cookies, redirects and HSTS follow it.
    pub public_url: Url,
    /// 32 bytes in base64: encrypts stored secrets, tokens and personal parts of the audit log.
    pub secret_key: Option<Secret>,
    pub secret_key_file: Option<PathBuf>,
    /// Folder with the built static files. Default: `LEPTOS_SITE_ROOT`, else `target/site`.
    pub site: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed. Default none.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
    /// Seconds after which a request is given up. Default 30.
    #[serde(default = "defaults::request_seconds")]
    pub request_seconds: u64,
    /// Largest body of a form, in bytes; forms with a manifest may have 4 MiB in any case. Default 1 MiB.
    #[serde(default = "defaults::body_bytes")]
    pub body_bytes: usize,
    /// Log lines as `text` or `json`. Default `text`. The filter is the environment's `GATEHOUSE_LOG`.
    #[serde(default)]
    pub log: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// `sqlite:/path/gatehouse.db` (one replica) or `postgres://…` (many).
/// How the audit log is signed, and where its checkpoints go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The log's name in its checkpoints and keys. Default: the host of `server.public_url` and `/audit`.
    pub origin: Option<String>,
    /// 32 bytes in base64 each; every one of them signs. Default: one made from `server.secret_key`.
    #[serde(default)]
    pub signing_keys: Vec<Secret>,
    /// Public keys that signed in the past and do no more.
    #[serde(default)]
    pub retired_keys: Vec<String>,
    /// A file that each checkpoint is written to as well, in a place where the database's
    /// administrators cannot write.
    pub checkpoint_file: Option<PathBuf>,
    /// An address that each checkpoint is sent to as well.
    pub checkpoint_webhook: Option<Url>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Database")
            .field("scheme", &self.url.split(':').next())
            .finish()
    }
}

/// The OpenID provider and what its claims are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Exactly as the provider's discovery document says it, to the last slash.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub client_secret_file: Option<PathBuf>,
    /// Default `openid profile email`; add `offline_access` so that groups can be checked at apply.
    #[serde(default = "defaults::scopes")]
    pub scopes: Vec<String>,
    /// Claim with the list of group names, or the path to it (`realm_access.roles`). Default `groups`.
    #[serde(default = "defaults::groups_claim")]
    pub groups_claim: String,
    /// Claim that names the account for people and clusters. Default `preferred_username`.
    #[serde(default = "defaults::username_claim")]
    pub username_claim: String,
    /// Claim by which several accounts are known as one person (four eyes); an account without it cannot
    /// sign in. Default none.
    pub person_claim: Option<String>,
    /// How far the provider's clock may be off. Default 60.
    #[serde(default = "defaults::clock_skew_seconds")]
    pub clock_skew_seconds: i64,
    /// `prompt` values to send with each sign-in (OpenID Connect Core 3.1.2.1). Default none; some
    /// providers give refresh tokens only with `consent`.
    #[serde(default)]
    pub prompt: Vec<String>,
    /// PEM file with certificates to trust for the provider besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// How long a session lasts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Ends when nothing was asked for so long. Default 30.
    pub idle_minutes: i64,
    /// Ends in any case. Default 12.
    pub absolute_hours: i64,
    /// How old groups may be when somebody asks for a change, decides one, or when one is applied: older
    /// ones are refreshed at the provider first, or refused. Default 15.
    pub groups_max_age_minutes: i64,
}

/// Decisions and their time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    /// How long a decision can be undone before it takes effect. Default 10.
    pub hold_seconds: i64,
    /// After this nobody can decide any more. Default 72.
    pub expire_hours: i64,
    /// After this another worker takes over what one that died was applying. Default 60.
    pub apply_lease_seconds: i64,
}

/// Names of the namespace labels that say whose a namespace is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    pub business_unit: String,
    pub environment: String,
}

/// A cluster that the console watches and applies to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub name: String,
    /// Kubeconfig with the console's own identity. Default: the console's service account, inside
    /// the cluster that it runs in.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig other than its current one.
    pub context: Option<String>,
    /// Put before a user name to make the cluster's. Default empty.
    #[serde(default)]
    pub user_prefix: String,
    /// Put before a group name. Default empty.
    #[serde(default)]
    pub group_prefix: String,
    /// The namespace in which KServe runs. Default `kserve`.
    #[serde(default = "defaults::kserve_namespace")]
    pub kserve_namespace: String,
}

/// A registry of the catalogue; read-only in the console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    pub name: String,
    pub url: Url,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    /// Minutes between two syncs. Default 10.
    #[serde(default = "defaults::sync_minutes")]
    pub sync_minutes: i32,
    /// Bearer token that the registry sends with its notifications; without it they are refused.
    pub notification_token: Option<Secret>,
    pub notification_token_file: Option<PathBuf>,
    /// PEM file with certificates to trust for this registry besides the system's.
    pub ca_file: Option<PathBuf>,
    /// What stands in `ca_file`; read when the configuration is checked.
    #[serde(skip)]
    pub ca_pem: String,
    /// What to take. Default nothing.
    #[serde(default)]
    pub rules: Vec<SyncRule>,
}

/// Which kinds of addresses registries may have, whoever adds them. Where a registry sends the
/// console (blobs elsewhere, a token service), they count only if the registry is there itself.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistriesPolicy {
    /// The console's own machine. Default true.
    pub loopback: bool,
    /// Private networks (RFC 1918, RFC 4193). Default true.
    pub private: bool,
    /// Link-local addresses and the metadata services of clouds. Default false.
    pub link_local: bool,
}

impl Default for RegistriesPolicy {
    fn default() -> Self {
        Self {
            loopback: true,
            private: true,
            link_local: false,
        }
    }
}

/// Whose signatures count.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    pub cosign_keys: Vec<CosignKey>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosignKey {
    pub name: String,
    /// Public key, PEM.
    pub pem: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    pub url: Url,
}

/// Who may read `/metrics`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Bearer token; without one only programs of this machine may read.
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle_minutes: 30,
            absolute_hours: 12,
            groups_max_age_minutes: 15,
        }
    }
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            hold_seconds: 10,
            expire_hours: 72,
            apply_lease_seconds: 60,
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            business_unit: "gatehouse.dev/business-unit".into(),
            environment: "gatehouse.dev/environment".into(),
        }
    }
}

mod defaults {
    pub fn listen() -> std::net::SocketAddr {
        ([127, 0, 0, 1], 8080).into()
    }
    pub fn request_seconds() -> u64 {
        30
    }
    pub fn body_bytes() -> usize {
        1024 * 1024
    }
    pub fn scopes() -> Vec<String> {
        ["openid", "profile", "email"].map(String::from).to_vec()
    }
    pub fn groups_claim() -> String {
        "groups".into()
    }
    pub fn username_claim() -> String {
        "preferred_username".into()
    }
    pub fn clock_skew_seconds() -> i64 {
        60
    }
    pub fn kserve_namespace() -> String {
        "kserve".into()
    }
    pub fn sync_minutes() -> i32 {
        10
    }
}

impl Config {
    /// Reads the file and the environment, settles secrets and paths, and checks every section.
    /// Errors: all problems found, each with its key, what is wrong and what to do.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        if let Err(e) = std::fs::metadata(file) {
            return Err(ConfigError::one(Problem::new(
                "",
                format!("the file {} cannot be read: {e}", file.display()),
                "Give the path of a configuration file with --config.",
            )));
        }
        let base = std::path::absolute(file)
            .ok()
            .and_then(|p| p.parent().map(Path::to_path_buf))
            .unwrap_or_default();
        // Every setting stands in a section: what has no `__` (GATEHOUSE_CONFIG, GATEHOUSE_LOG) is none.
        let env = Env::prefixed("GATEHOUSE_")
            .filter(|name| name.as_str().contains("__"))
            .split("__");
        Self::read(Figment::from(Toml::file_exact(file)).merge(env), &base)
    }

    fn read(figment: Figment, base: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = figment.extract().map_err(ConfigError::from_figment)?;
        let problems = check::check(&mut config, base);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(problems))
        }
    }

    /// The key of `server.secret_key`, decoded.
    pub fn secret_key(&self) -> [u8; 32] {
        let text = self
            .server
            .secret_key
            .as_ref()
            .map(Secret::expose)
            .unwrap_or_default();
        check::key_bytes(text).expect("checked when the configuration was read")
    }

    /// What the audit log's checkpoints are signed with.
    pub fn log_keys(&self) -> domain::Result<LogKeys> {
        let origin = self.audit.origin.clone().unwrap_or_else(|| {
            let url = &self.server.public_url;
            let host = url.host_str().unwrap_or("gatehouse");
            match url.port() {
                Some(port) => format!("{host}:{port}/audit"),
                None => format!("{host}/audit"),
            }
        });
        let mut keys = LogKeys::derived(&origin, &self.secret_key())?;
        if !self.audit.signing_keys.is_empty() {
            keys.signing = self
                .audit
                .signing_keys
                .iter()
                .filter_map(|k| check::key_bytes(k.expose()))
                .map(|seed| SigningKey::new(&origin, &seed))
                .collect::<domain::Result<_>>()?;
        }
        keys.retired.clone_from(&self.audit.retired_keys);
        Ok(keys)
    }

    /// Are people using https? Then HSTS is sent.
    pub fn https(&self) -> bool {
        self.server.public_url.scheme() == "https"
    }

    /// The public address without a trailing slash, to put paths behind.
    pub fn public_origin(&self) -> String {
        self.server.public_url.origin().ascii_serialization()
    }

    /// What the use cases need of it.
    pub fn settings(&self) -> services::Settings {
        use domain::Micros as M;
        services::Settings {
            grants: self.grants.clone(),
            approvals: self.approvals.clone(),
            hold: self.decisions.hold_seconds * M::SECOND,
            expire: self.decisions.expire_hours * M::HOUR,
            groups_max_age: self.session.groups_max_age_minutes * M::MINUTE,
            lease: self.decisions.apply_lease_seconds * M::SECOND,
        }
    }
}
