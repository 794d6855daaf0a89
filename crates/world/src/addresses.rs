//! Every address and credential of a running world: what `world.json` holds.

use crate::error::{Error, Result, write_file};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A running world, as written to `world.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorldAddresses {
    /// The state folder.
    pub state_dir: PathBuf,
    /// The folder with the programs' binaries (`kubectl` and others when built).
    pub bin_dir: PathBuf,
    /// The process that holds the world.
    pub pid: u32,
    /// The console that the world expects.
    pub console: ConsoleAddress,
    /// The clusters.
    pub clusters: Vec<ClusterAddresses>,
    /// The registry.
    pub registry: RegistryAddresses,
    /// Prometheus.
    pub prometheus: PrometheusAddresses,
    /// The OpenID provider.
    pub provider: ProviderAddresses,
    /// The admin endpoint of the proxies, when the world was started with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<FaultsAddresses>,
    /// Keys to sign with: one that the console is told to trust, one that it is not.
    pub cosign_keys: Vec<CosignKey>,
}

/// The console's own address and configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConsoleAddress {
    /// Where the console must answer: redirects, logout and notifications lead there.
    pub url: String,
    /// The configuration file that points a console at this world.
    pub config: PathBuf,
}

/// One cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterAddresses {
    /// Its name.
    pub name: String,
    /// The UID of its `kube-system` namespace: its identity.
    pub uid: String,
    /// The API server.
    pub server: String,
    /// The API server without the proxy in front; the same when there is none.
    pub direct_server: String,
    /// The authority that signed its certificate.
    pub ca: PathBuf,
    /// Full rights, and one context for each account (`kubectl --context ai`); never proxied.
    pub admin_kubeconfig: PathBuf,
    /// The console's identity; through the proxy when there is one.
    pub console_kubeconfig: PathBuf,
    /// The identity of KServe's controller; never proxied.
    pub controller_kubeconfig: PathBuf,
    /// The API server's audit log, JSON lines.
    pub audit_log: PathBuf,
    /// The folder for container logs in CRI format: KWOK's `Logs` objects name files here.
    pub pod_logs: PathBuf,
}

/// The registry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegistryAddresses {
    /// Base URL; through the proxy when there is one.
    pub url: String,
    /// Base URL without the proxy.
    pub direct_url: String,
    /// `host:port` for image references.
    pub host: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// The bearer token that it sends with its notifications.
    pub notification_token: String,
}

/// Prometheus.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrometheusAddresses {
    /// Base URL; through the proxy when there is one.
    pub url: String,
    /// Base URL without the proxy.
    pub direct_url: String,
    /// JSON files here (`file_sd`) name what is scraped; changes are seen at once.
    pub targets_dir: PathBuf,
    /// The port kept for what exports the metrics of the world's model servers and GPUs.
    pub exporter_port: u16,
    /// Its data: blocks that `promtool tsdb create-blocks-from` writes here are read at its
    /// next start (`World::restart("prometheus")`).
    pub data_dir: PathBuf,
}

/// The OpenID provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProviderAddresses {
    /// The issuer.
    pub issuer: String,
    /// The console's client id.
    pub client_id: String,
    /// The console's client secret.
    pub client_secret: String,
    /// Its admin endpoint for tests (see `provider/provider.mjs`).
    pub admin_url: String,
    /// The bearer token of the admin endpoint.
    pub admin_token: String,
    /// Who can sign in.
    pub accounts: Vec<Account>,
}

/// The proxies' admin endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaultsAddresses {
    /// `PUT <url>/<part>` sets a part's fault, `DELETE` ends it, `GET <url>` lists.
    pub url: String,
    /// The bearer token it wants.
    pub token: String,
    /// The parts that can be disturbed.
    pub parts: Vec<String>,
}

/// A cosign key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CosignKey {
    /// What the console calls it.
    pub name: String,
    /// The public key, PEM.
    pub public_key: PathBuf,
    /// The private key, plain PKCS#8 (`cosign import-key-pair --key` makes cosign's own of it).
    pub private_key: PathBuf,
    /// The console's configuration trusts it.
    pub trusted: bool,
}

/// An account at the provider.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Account {
    /// What one types to sign in; also `preferred_username`.
    pub login: String,
    /// The opaque, stable subject.
    pub sub: String,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// What the person does.
    pub role: String,
    /// The groups claim.
    pub groups: Vec<String>,
    /// The person behind the account: two accounts can share it.
    pub employee_number: String,
    /// The password, the same for all.
    pub password: String,
}

impl WorldAddresses {
    /// Reads a `world.json`.
    ///
    /// # Errors
    /// When the file is absent or not one of ours.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        serde_json::from_slice(&bytes).map_err(|e| Error::other(format!("{}: {e}", path.display())))
    }

    /// The file this is written to.
    pub fn file(&self) -> PathBuf {
        self.state_dir.join("world.json")
    }

    /// Writes `world.json`, readable by this user only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(Error::other)?;
        write_file(&self.file(), json, true)
    }

    /// A cluster by name.
    ///
    /// # Errors
    /// When this world does not run it.
    pub fn cluster(&self, name: &str) -> Result<&ClusterAddresses> {
        self.clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .ok_or_else(|| Error::other(format!("this world has no cluster {name}")))
    }

    /// An account by login name.
    ///
    /// # Errors
    /// When the provider does not know it.
    pub fn account(&self, login: &str) -> Result<&Account> {
        self.provider
            .accounts
            .iter()
            .find(|account| account.login == login)
            .ok_or_else(|| Error::other(format!("this world has no account {login}")))
    }
}

impl ClusterAddresses {
    /// A client with full rights, past any proxy.
    ///
    /// # Errors
    /// When the kubeconfig is damaged.
    pub async fn admin(&self) -> Result<kube::Client> {
        client(&self.admin_kubeconfig, Some("admin")).await
    }

    /// A client that acts as an account of the provider, as `kubectl --context <login>` does.
    ///
    /// # Errors
    /// When the kubeconfig is damaged or has no such context.
    pub async fn as_account(&self, login: &str) -> Result<kube::Client> {
        client(&self.admin_kubeconfig, Some(login)).await
    }

    /// A client with the console's identity.
    ///
    /// # Errors
    /// When the kubeconfig is damaged.
    pub async fn console(&self) -> Result<kube::Client> {
        client(&self.console_kubeconfig, None).await
    }

    /// A client with the identity of KServe's controller.
    ///
    /// # Errors
    /// When the kubeconfig is damaged.
    pub async fn controller(&self) -> Result<kube::Client> {
        client(&self.controller_kubeconfig, None).await
    }
}

pub(crate) async fn client(kubeconfig: &Path, context: Option<&str>) -> Result<kube::Client> {
    let config = Kubeconfig::read_from(kubeconfig)
        .map_err(|e| Error::other(format!("{}: {e}", kubeconfig.display())))?;
    let options = KubeConfigOptions {
        context: context.map(ToOwned::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = kube::Config::from_custom_kubeconfig(config, &options)
        .await
        .map_err(|e| Error::other(format!("{}: {e}", kubeconfig.display())))?;
    kube::Client::try_from(config)
        .map_err(|e| Error::other(format!("{}: {e}", kubeconfig.display())))
}
