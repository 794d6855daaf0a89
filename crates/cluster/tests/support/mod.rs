//! What the contract tests share: a world that runs (`GATEHOUSE_WORLD` names its `world.json`) and
//! a fleet that watches it. Without a world the tests say so and pass.
#![allow(dead_code, reason = "each test binary uses a part")]

use cluster::{ClusterConfig, Fleet, Labels, Timing};
use domain::{Micros, observed::Row, person::ClusterIdentity, place::DeploymentKey};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, DynamicObject},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use services::ports::{Clock, Clusters as _, RowFilter};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub const NAMESPACE: &str = "retail-dev";
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that goes on by a millisecond whenever it is looked at.
pub struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> Micros {
        Micros(self.0.fetch_add(1000, Ordering::SeqCst))
    }
}

pub struct World {
    pub json: Value,
    pub fleet: Arc<Fleet>,
    pub clock: Arc<Steps>,
    pub cluster: String,
    pub admin: Client,
    _stop: DropGuard,
}

impl World {
    /// The world and a fleet that has seen its first cluster; panics where no world is named.
    pub async fn join() -> Option<Self> {
        let Some(path) = std::env::var_os("GATEHOUSE_WORLD").map(PathBuf::from) else {
            panic!(
                "set GATEHOUSE_WORLD to the world.json of a running world (`cargo xtask world`): nothing is skipped in silence"
            );
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let text =
            std::fs::read_to_string(&path).expect("GATEHOUSE_WORLD names a readable world.json");
        let json: Value = serde_json::from_str(&text).expect("world.json is JSON");
        let first = json["clusters"][0].clone();
        let cluster = first["name"].as_str().unwrap().to_owned();
        let config = ClusterConfig {
            name: cluster.clone(),
            kubeconfig: first["console_kubeconfig"].as_str().map(PathBuf::from),
            context: None,
            user_prefix: "oidc:".into(),
            group_prefix: "oidc:".into(),
            kserve_namespace: "kserve".into(),
            known_group: None,
        };
        let clock = Arc::new(Steps(AtomicI64::new(1_795_500_000_000_000)));
        let timing = Timing {
            probe_every: Duration::from_millis(300),
            probe: Duration::from_secs(2),
            probe_again: Duration::from_millis(200),
            call: Duration::from_secs(5),
            watch_backoff: Duration::from_secs(1),
            ..Timing::default()
        };
        let fleet = Arc::new(
            Fleet::with_timing(vec![config], Labels::default(), clock.clone(), timing).ok()?,
        );
        let stop = CancellationToken::new();
        let (running, token) = (fleet.clone(), stop.clone());
        tokio::spawn(async move { running.run(token).await });
        let admin = client(first["admin_kubeconfig"].as_str().unwrap(), Some("admin")).await;
        let world = Self {
            json,
            fleet,
            clock,
            cluster,
            admin,
            _stop: stop.drop_guard(),
        };
        world
            .until("the cluster is seen", || {
                let h = world.health();
                h.0 && h.1.is_none()
                    && !world.fleet.namespaces(&world.cluster).is_empty()
                    && world.fleet.facts(&world.cluster).is_some()
            })
            .await;
        Some(world)
    }

    /// Waits for it, not for ever.
    pub async fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is() {
                tick.tick().await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "waited in vain until {what}; health: {:?}",
            self.fleet.health(self.now())
        );
    }

    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    pub fn health(&self) -> (bool, Option<String>) {
        let h = self.fleet.health(self.now()).remove(0);
        (h.reachable, h.problem)
    }

    pub fn key(&self, name: &str) -> DeploymentKey {
        DeploymentKey::new(&self.cluster, NAMESPACE, name)
    }

    /// As an account of the world's provider.
    pub fn who(&self, login: &str, groups: &[&str]) -> ClusterIdentity {
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        self.fleet
            .identity(&self.cluster, login, &groups)
            .expect("an ordinary name")
    }

    pub fn ai(&self) -> ClusterIdentity {
        self.who("ai", &["gh-ai"])
    }

    pub fn row(&self, name: &str) -> Option<Row> {
        let everywhere = RowFilter {
            scopes: vec![(vec!["*".into()], vec!["*".into()])],
            ..RowFilter::default()
        };
        self.fleet
            .rows(&everywhere, None, 10_000, self.now())
            .into_iter()
            .find(|r| r.key == self.key(name))
    }

    pub fn services(&self) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "serving.kserve.io",
            "v1beta1",
            "InferenceService",
        ));
        Api::namespaced_with(self.admin.clone(), NAMESPACE, &kind)
    }

    /// Takes the object away, whoever left it, and waits until it is gone.
    pub async fn clear(&self, name: &str) {
        let api = self.services();
        let _ = api.delete(name, &DeleteParams::default()).await;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        let gone = tokio::time::timeout(PATIENCE, async {
            while api.get_opt(name).await.ok().flatten().is_some() {
                tick.tick().await;
            }
        });
        assert!(gone.await.is_ok(), "{name} does not go away");
    }

    /// Sets a fault of the proxy in front of the cluster; `None` ends it. `false`: no proxies here.
    pub async fn fault(&self, fault: Option<Value>) -> bool {
        let (Some(url), Some(token)) = (
            self.json.pointer("/faults/url").and_then(Value::as_str),
            self.json.pointer("/faults/token").and_then(Value::as_str),
        ) else {
            eprintln!("this world runs without proxies: nothing to disturb");
            return false;
        };
        let url = format!("{url}/{}", self.cluster);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = match &fault {
            Some(f) => http.put(&url).json(f),
            None => http.delete(&url),
        };
        let answer = request
            .bearer_auth(token)
            .send()
            .await
            .expect("the proxies' admin endpoint answers");
        assert!(
            answer.status().is_success(),
            "{} {:?}",
            answer.status(),
            answer.text().await
        );
        true
    }

    /// Ends every watch once.
    pub async fn drop_watches(&self) {
        let url = format!(
            "{}/{}/drop-watches",
            self.json["faults"]["url"].as_str().unwrap(),
            self.cluster
        );
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.post(url)
            .bearer_auth(self.json["faults"]["token"].as_str().unwrap())
            .send()
            .await
            .unwrap();
    }
}

pub async fn client(kubeconfig: &str, context: Option<&str>) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    Client::try_from(
        Config::from_custom_kubeconfig(file, &options)
            .await
            .unwrap(),
    )
    .unwrap()
}

/// A manifest that KServe takes.
pub fn manifest(name: &str) -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 3, "model": {
            "modelFormat": {"name": "vLLM"},
            "storageUri": format!("oci://registry.example/models/llama@sha256:{}", "a".repeat(64)),
            "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}}}}
    })
}
