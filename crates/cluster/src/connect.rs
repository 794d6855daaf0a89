//! From a cluster's entry in the configuration to clients.

use crate::config::ClusterConfig;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::time::Duration;

/// The API server ends each watch after so many seconds; that it is taken up again proves that the
/// cluster still answers it.
pub(crate) const WATCH_SECONDS: u32 = 60;
/// A watch that is silent for longer, without even ending, lost its connection without anybody
/// having said so.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);

/// Clients of one cluster.
#[derive(Clone)]
pub(crate) struct Connection {
    /// For lists and watches: retries what failed for a moment.
    pub watch: Client,
    /// For single calls: one call is one request, so that it is known what was sent.
    pub call: Client,
    /// The API server's address, for people.
    pub server: String,
}

/// Reads the configuration anew (a rotated token or certificate is found this way) and makes the
/// clients. Nothing is sent yet. The error is in words for the page "Clusters".
pub(crate) async fn connect(config: &ClusterConfig) -> Result<Connection, String> {
    let mut kube = match &config.kubeconfig {
        Some(path) => {
            let owned = path.clone();
            let file = tokio::task::spawn_blocking(move || Kubeconfig::read_from(owned))
                .await
                .map_err(|_| "the kubeconfig could not be read".to_owned())?
                .map_err(|e| words(&e))?;
            let options = KubeConfigOptions { context: config.context.clone(), ..Default::default() };
            Config::from_custom_kubeconfig(file, &options).await.map_err(|e| words(&e))?
        }
        None => Config::incluster().map_err(|e| {
            tracing::warn!(cluster = config.name, error = &e as &dyn std::error::Error, "no service account");
            "no kubeconfig is given and the console does not run inside this cluster with a service account".to_owned()
        })?,
    };
    let auth = &kube.auth_info;
    if auth.impersonate.is_some()
        || auth.impersonate_groups.is_some()
        || auth.impersonate_uid.is_some()
    {
        // Its headers would stand beside those of the person; whose would win is not for chance.
        return Err(
            "the kubeconfig impersonates somebody (`as`); the console needs an identity of its own"
                .into(),
        );
    }
    kube.connect_timeout = Some(Duration::from_secs(5));
    let server = kube.cluster_url.to_string();
    let make = |config: Config| {
        Client::try_from(config).map_err(|e| {
            tracing::warn!(error = &e as &dyn std::error::Error, "no client");
            "the credentials or certificates in the kubeconfig cannot be used".to_owned()
        })
    };
    let read_timeout = kube.read_timeout;
    kube.read_timeout = Some(SILENCE);
    let watch = make(kube.clone())?;
    kube.read_timeout = read_timeout;
    kube.default_retry = false;
    Ok(Connection {
        watch,
        call: make(kube)?,
        server: server.trim_end_matches('/').to_owned(),
    })
}

/// What is wrong with a kubeconfig, without its contents.
fn words(error: &KubeconfigError) -> String {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "a kubeconfig cannot be used"
    );
    match error {
        KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath => "the kubeconfig file cannot be read: is the path right, and may the console read it?",
        KubeconfigError::Parse(_) => "the kubeconfig file is not valid YAML of that kind",
        KubeconfigError::CurrentContextNotSet | KubeconfigError::LoadContext(_) => "the kubeconfig has no such context: set `current-context`, or `context` in the console's configuration",
        KubeconfigError::LoadClusterOfContext(_) | KubeconfigError::MissingClusterUrl | KubeconfigError::ParseClusterUrl(_) => {
            "the kubeconfig's context leads to no usable cluster address"
        }
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => "the kubeconfig's certificate authority cannot be read",
        KubeconfigError::LoadClientCertificate(_) | KubeconfigError::LoadClientKey(_) => "the kubeconfig's client certificate or key cannot be read",
        _ => "the kubeconfig cannot be used",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, ClusterConfig) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        std::fs::write(&path, text).unwrap();
        let config = ClusterConfig {
            name: "c".into(),
            kubeconfig: Some(path),
            context: None,
            user_prefix: String::new(),
            group_prefix: String::new(),
            kserve_namespace: "kserve".into(),
            known_group: None,
        };
        (dir, config)
    }

    fn kubeconfig(user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:1'}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    #[tokio::test]
    async fn a_kubeconfig_that_impersonates_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (_dir, good) = config(&kubeconfig("token: t"));
        assert_eq!(
            connect(&good).await.map(|c| c.server).unwrap(),
            "http://127.0.0.1:1"
        );
        let (_dir, bad) = config(&kubeconfig("token: t, as: admin"));
        assert!(connect(&bad).await.err().unwrap().contains("impersonates"));
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_without_contents() {
        let (_dir, bad) = config("users: [{name: u, user: {token: s3cret");
        let problem = connect(&bad).await.err().unwrap();
        assert!(!problem.contains("s3cret"), "{problem}");
        let (_dir, mut gone) = config("");
        gone.kubeconfig = Some("/nowhere/kubeconfig".into());
        assert!(
            connect(&gone)
                .await
                .err()
                .unwrap()
                .contains("cannot be read")
        );
    }
}
