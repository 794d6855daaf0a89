//! One control plane: etcd, the API server, the controllers, the scheduler and KWOK.

use super::kubeconfig::{self, Identity};
use crate::accounts;
use crate::error::{Error, Result, write_file};
use crate::layout::Layout;
use crate::pki::Pki;
use crate::process::{Guard, Program, Recipe, listens};
use crate::programs;
use serde_json::json;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a part may take until it answers; generous, for a machine that is busy.
const LIMIT: Duration = Duration::from_secs(90);

/// The user of the console in each cluster.
pub const CONSOLE_USER: &str = "gatehouse-console";
/// The user of KServe's controller, as its own installation names it.
pub const CONTROLLER_USER: &str = "system:serviceaccount:kserve:kserve-controller-manager";

/// The parts of a plane that have a port of their own.
const PORTS: [&str; 6] = [
    "etcd",
    "etcd-peer",
    "api-server",
    "controllers",
    "scheduler",
    "kwok",
];

/// The ports that a cluster needs, by name.
pub fn port_names(cluster: &str) -> Vec<String> {
    PORTS
        .iter()
        .map(|part| format!("{cluster}/{part}"))
        .collect()
}

/// Where things of a plane lie.
#[derive(Debug, Clone)]
pub struct Paths {
    dir: PathBuf,
}

impl Paths {
    fn new(layout: &Layout, cluster: &str) -> Self {
        Self {
            dir: layout.path("clusters").join(cluster),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// A running control plane.
#[derive(Debug)]
pub struct Plane {
    /// The cluster's name.
    pub name: String,
    /// `https://127.0.0.1:<port>` of the API server itself.
    pub server: String,
    paths: Paths,
    parts: Vec<Arc<Program>>,
}

impl Plane {
    /// Writes the plane's files (tokens, kubeconfigs, policies): what exists before it runs.
    /// `public_server` is the address that the console is given (a proxy, or the server itself).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_files(
        layout: &mut Layout,
        pki: &Pki,
        cluster: &str,
        public_server: &str,
    ) -> Result<()> {
        let paths = Paths::new(layout, cluster);
        let server = server_url(layout, cluster);
        let mut tokens = String::new();
        let mut admin_contexts = Vec::new();
        let mut add = |layout: &mut Layout, user: &str, groups: &str| -> String {
            let token = layout.cluster_token(&format!("{cluster}/{user}"));
            let _ = writeln!(tokens, "{token},{user},{user},\"{groups}\"");
            token
        };
        let admin = add(layout, "admin", "system:masters");
        let controllers = add(layout, "system:kube-controller-manager", "system:masters");
        let scheduler = add(layout, "system:kube-scheduler", "");
        let kwok = add(layout, "kwok-controller", "system:masters");
        let console = add(layout, CONSOLE_USER, "");
        let kserve = add(layout, CONTROLLER_USER, "system:serviceaccounts");
        admin_contexts.push(Identity {
            context: "admin".to_owned(),
            token: admin,
        });
        for account in accounts::all() {
            let groups: Vec<String> = account.groups.iter().map(|g| format!("oidc:{g}")).collect();
            let token = add(
                layout,
                &format!("oidc:{}", account.login),
                &groups.join(","),
            );
            admin_contexts.push(Identity {
                context: account.login,
                token,
            });
        }
        write_file(&paths.file("tokens.csv"), tokens, true)?;
        let one = |file: &str, context: &str, token: String, server: &str| {
            kubeconfig::write(
                &paths.file(file),
                cluster,
                server,
                &pki.ca(),
                &[Identity {
                    context: context.to_owned(),
                    token,
                }],
            )
        };
        kubeconfig::write(
            &paths.file("admin.kubeconfig"),
            cluster,
            &server,
            &pki.ca(),
            &admin_contexts,
        )?;
        one(
            "controllers.kubeconfig",
            "controllers",
            controllers,
            &server,
        )?;
        one("scheduler.kubeconfig", "scheduler", scheduler, &server)?;
        one("kwok.kubeconfig", "kwok", kwok, &server)?;
        one("console.kubeconfig", CONSOLE_USER, console, public_server)?;
        one("kserve.kubeconfig", "kserve-controller", kserve, &server)?;
        write_file(&paths.file("audit-policy.yaml"), AUDIT_POLICY, false)?;
        write_file(&paths.file("kwok.yaml"), KWOK_STAGES, false)?;
        let logs = paths.file("pod-logs");
        std::fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
        layout.save()
    }

    /// Starts the plane and waits until its API server is ready; controllers, scheduler and
    /// KWOK come up meanwhile.
    ///
    /// # Errors
    /// [`Error::Start`] of the part that did not come up.
    pub async fn start(
        layout: &Layout,
        pki: &Pki,
        guard: &Guard,
        cluster: &str,
        unsafe_no_fsync: bool,
    ) -> Result<Self> {
        let paths = Paths::new(layout, cluster);
        let port = |part: &str| layout.port(&format!("{cluster}/{part}"));
        let start = |part: &str, program: &str, args: Vec<OsString>| -> Result<Arc<Program>> {
            let name = format!("{cluster}/{part}");
            Program::start(
                guard,
                Recipe {
                    name: name.clone(),
                    program: programs::path_of(program)?,
                    args,
                    env: Vec::new(),
                    dir: layout.root().to_path_buf(),
                    log: layout.log(&name.replace('/', "-")),
                },
            )
        };
        let etcd = start(
            "etcd",
            "etcd",
            etcd_args(&paths, port("etcd"), port("etcd-peer"), unsafe_no_fsync),
        )?;
        etcd.wait_until(LIMIT, || listens(port("etcd"))).await?;
        let api_server = start(
            "api-server",
            "kube-apiserver",
            api_server_args(&paths, pki, port("etcd"), port("api-server")),
        )?;
        let server = server_url(layout, cluster);
        let client = http_client(&pki.ca())?;
        let ready = format!("{server}/readyz");
        let token = std::fs::read_to_string(paths.file("tokens.csv"))
            .map_err(Error::file(paths.file("tokens.csv")))?;
        let token = token.split(',').next().unwrap_or_default().to_owned();
        api_server
            .wait_until(LIMIT, || async {
                client
                    .get(&ready)
                    .bearer_auth(&token)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
            })
            .await?;
        let controllers = start(
            "controllers",
            "kube-controller-manager",
            controllers_args(&paths, pki, port("controllers")),
        )?;
        let scheduler = start(
            "scheduler",
            "kube-scheduler",
            args([
                format!(
                    "--kubeconfig={}",
                    paths.file("scheduler.kubeconfig").display()
                ),
                "--leader-elect=false".into(),
                "--bind-address=127.0.0.1".into(),
                format!("--secure-port={}", port("scheduler")),
            ]),
        )?;
        let kwok = start("kwok", "kwok", kwok_args(&paths, pki, port("kwok")))?;
        Ok(Self {
            name: cluster.to_owned(),
            server,
            paths,
            // In the order in which they end: who writes goes before where it is written.
            parts: vec![kwok, scheduler, controllers, api_server, etcd],
        })
    }

    /// The plane's programs, in the order in which they should end.
    pub fn parts(&self) -> &[Arc<Program>] {
        &self.parts
    }

    /// A file of the plane.
    pub fn file(&self, name: &str) -> PathBuf {
        self.paths.file(name)
    }

    /// A client with full rights.
    ///
    /// # Errors
    /// When the kubeconfig is damaged.
    pub async fn admin(&self) -> Result<kube::Client> {
        crate::addresses::client(&self.file("admin.kubeconfig"), Some("admin")).await
    }
}

/// `https://127.0.0.1:<port>` of a cluster's API server.
pub fn server_url(layout: &Layout, cluster: &str) -> String {
    format!(
        "https://127.0.0.1:{}",
        layout.port(&format!("{cluster}/api-server"))
    )
}

/// An HTTP client that trusts the world's authority and nothing else.
pub(crate) fn http_client(ca: &Path) -> Result<reqwest::Client> {
    let pem = std::fs::read(ca).map_err(Error::file(ca))?;
    let certificate = reqwest::Certificate::from_pem(&pem).map_err(Error::other)?;
    reqwest::Client::builder()
        .tls_certs_only([certificate])
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(Error::other)
}

fn args(list: impl IntoIterator<Item = String>) -> Vec<OsString> {
    list.into_iter().map(OsString::from).collect()
}

fn etcd_args(paths: &Paths, client: u16, peer: u16, unsafe_no_fsync: bool) -> Vec<OsString> {
    let mut list = vec![
        "--name=world".to_owned(),
        format!("--data-dir={}", paths.file("etcd").display()),
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster=world=http://127.0.0.1:{peer}"),
        "--auto-compaction-mode=periodic".to_owned(),
        "--auto-compaction-retention=1h".to_owned(),
        // One member elects itself: no reason to wait a whole second for it.
        "--heartbeat-interval=50".to_owned(),
        "--election-timeout=250".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    if unsafe_no_fsync {
        list.push("--unsafe-no-fsync".to_owned());
    }
    args(list)
}

fn api_server_args(paths: &Paths, pki: &Pki, etcd: u16, port: u16) -> Vec<OsString> {
    let pair = pki.api_server();
    args([
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--tls-cert-file={}", pair.cert.display()),
        format!("--tls-private-key-file={}", pair.key.display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!(
            "--service-account-key-file={}",
            pki.service_account_public_key().display()
        ),
        format!(
            "--service-account-signing-key-file={}",
            pki.service_account_key().display()
        ),
        format!("--token-auth-file={}", paths.file("tokens.csv").display()),
        "--authorization-mode=RBAC".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!(
            "--audit-policy-file={}",
            paths.file("audit-policy.yaml").display()
        ),
        format!("--audit-log-path={}", paths.file("audit.log").display()),
        "--audit-log-maxsize=50".into(),
        "--audit-log-maxbackup=2".into(),
        "--event-ttl=24h".into(),
        // Ends at once on SIGTERM instead of draining watches.
        "--shutdown-delay-duration=0s".into(),
        // A loopback address cannot be the endpoint of the `kubernetes` service.
        "--endpoint-reconciler-type=none".into(),
    ])
}

fn controllers_args(paths: &Paths, pki: &Pki, port: u16) -> Vec<OsString> {
    args([
        format!(
            "--kubeconfig={}",
            paths.file("controllers.kubeconfig").display()
        ),
        format!(
            "--service-account-private-key-file={}",
            pki.service_account_key().display()
        ),
        format!("--root-ca-file={}", pki.ca().display()),
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        // What nothing in this world uses, and what would need a cloud or real machines.
        "--controllers=*,-nodeipam,-node-route-controller,-service-lb-controller,-ttl-controller"
            .into(),
        // Quotas are shown as used within seconds of a change, not after five minutes.
        "--resource-quota-sync-period=30s".into(),
    ])
}

fn kwok_args(paths: &Paths, pki: &Pki, port: u16) -> Vec<OsString> {
    let pair = pki.kubelet();
    args([
        format!("--kubeconfig={}", paths.file("kwok.kubeconfig").display()),
        format!("--config={}", paths.file("kwok.yaml").display()),
        "--manage-all-nodes=true".into(),
        "--node-lease-duration-seconds=40".into(),
        "--node-ip=127.0.0.1".into(),
        format!("--node-port={port}"),
        format!("--server-address=127.0.0.1:{port}"),
        format!("--tls-cert-file={}", pair.cert.display()),
        format!("--tls-private-key-file={}", pair.key.display()),
        "--enable-crds=Logs,ClusterLogs".into(),
    ])
}

/// Who did what to serving objects in full, other writes by their head, reads not at all.
const AUDIT_POLICY: &str = include_str!("../../manifests/audit-policy.yaml");

/// How KWOK's kubelets behave.
const KWOK_STAGES: &str = include_str!("../../manifests/kwok/stages.yaml");

/// The object by which KWOK serves the logs of every pod that has no `Logs` of its own.
pub fn default_logs(pod_logs: &Path) -> serde_json::Value {
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "default"},
        "spec": {"logs": [{
            "logsFile": pod_logs.join("default.log"),
            "previousLogsFile": pod_logs.join("default.log"),
            "follow": true,
        }]},
    })
}
