//! The essentials of an API server: one object store with generations, a webhook that adds a field,
//! and the cache's answers.

use async_trait::async_trait;
use domain::{
    Error, Micros, Result, access::Scope, ids::ClusterId, isvc::View, observed::*,
    person::ClusterIdentity, place::DeploymentKey, state::Code,
};
use serde_json::{Value, json};
use services::ports::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::broadcast;

pub struct Memory {
    objects: Mutex<BTreeMap<String, Value>>,
    changed_its_mind: AtomicBool,
    /// What the dry run refuses with; `None`: nothing.
    refusal: Mutex<Option<Refusal>>,
    /// Names of Secrets and their keys; `None`: the person may not list them.
    secrets: Mutex<Option<Vec<(String, Vec<String>)>>>,
    news: broadcast::Sender<LiveEvent>,
}

impl Memory {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            objects: Mutex::default(),
            changed_its_mind: AtomicBool::new(false),
            refusal: Mutex::default(),
            secrets: Mutex::new(Some(vec![])),
            news: broadcast::channel(1).0,
        })
    }

    /// Generations of all objects that there are.
    pub fn generations(&self) -> Vec<i64> {
        self.objects
            .lock()
            .unwrap()
            .values()
            .map(|o| o["metadata"]["generation"].as_i64().unwrap())
            .collect()
    }

    /// From now on the webhook adds something that nobody approved.
    pub fn webhook_changes_its_mind(&self) {
        self.changed_its_mind.store(true, Ordering::SeqCst);
    }

    /// From now on (or no longer) a dry run is refused.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    pub fn set_secrets(&self, secrets: Option<&[(&str, &[&str])]>) {
        *self.secrets.lock().unwrap() = secrets.map(|all| {
            all.iter()
                .map(|(n, keys)| ((*n).into(), keys.iter().map(|k| (*k).into()).collect()))
                .collect()
        });
    }

    fn stored(&self, object: &Value) -> Value {
        let mut o = object.clone();
        o["spec"]["predictor"]["model"]["name"] = json!("");
        if self.changed_its_mind.load(Ordering::SeqCst) {
            o["spec"]["predictor"]["timeout"] = json!(1);
        }
        let before = self
            .objects
            .lock()
            .unwrap()
            .get(View::new(object).name())
            .cloned();
        let generation = match &before {
            Some(b) if b["spec"] == o["spec"] => b["metadata"]["generation"].as_i64().unwrap(),
            Some(b) => b["metadata"]["generation"].as_i64().unwrap() + 1,
            None => 1,
        };
        o["metadata"]["generation"] = json!(generation);
        o["metadata"]["uid"] = json!("uid-1");
        o["metadata"]["resourceVersion"] = json!(generation.to_string());
        o
    }
}

fn scope() -> Scope {
    Scope {
        unit: "retail".into(),
        environment: "production".into(),
    }
}

#[async_trait]
impl Clusters for Memory {
    fn names(&self) -> Vec<String> {
        vec!["one".into()]
    }
    fn health(&self, now: Micros) -> Vec<ClusterHealth> {
        vec![ClusterHealth {
            id: Some(ClusterId("id-1".into())),
            name: "one".into(),
            reachable: true,
            problem: None,
            as_of: Some(now),
            server: String::new(),
            deployments: 0,
        }]
    }
    fn facts(&self, _: &str) -> Option<Arc<ClusterFacts>> {
        Some(Arc::new(ClusterFacts {
            kubernetes_version: "v1.34.4".into(),
            default_mode: Some("Standard".into()),
            modelcar: Some(true),
            ..Default::default()
        }))
    }
    fn namespaces(&self, _: &str) -> Vec<Namespace> {
        vec![
            Namespace {
                name: "retail-prod".into(),
                uid: "ns-1".into(),
                scope: scope(),
            },
            Namespace {
                name: "research-prod".into(),
                uid: "ns-2".into(),
                scope: Scope {
                    unit: "research".into(),
                    environment: "production".into(),
                },
            },
        ]
    }
    fn nodes(&self, _: &str) -> Vec<Node> {
        vec![]
    }
    fn runtimes(&self, _: &str, _: &str) -> Vec<Runtime> {
        vec![Runtime {
            name: "kserve-vllmserver".into(),
            namespace: None,
            disabled: false,
            formats: vec![RuntimeFormat {
                name: "vLLM".into(),
                version: Some("1".into()),
                auto_select: true,
                priority: 1,
            }],
            protocols: vec!["v2".into()],
            multi_node: false,
            spec: json!({"containers": [{"name": "kserve-container", "image": format!("vllm@sha256:{}", "a".repeat(64))}]}),
        }]
    }
    fn quotas(&self, _: &str, _: &str) -> Vec<Quota> {
        vec![]
    }
    fn rows(&self, _: &RowFilter, _: Option<&DeploymentKey>, _: usize, _: Micros) -> Vec<Row> {
        vec![]
    }
    fn counts(&self, _: &RowFilter, _: Micros) -> BTreeMap<Code, usize> {
        BTreeMap::new()
    }
    fn live(&self, key: &DeploymentKey, now: Micros) -> Option<Live> {
        let object = self.objects.lock().unwrap().get(&key.name)?.clone();
        Some(Live {
            key: key.clone(),
            cluster: ClusterId("id-1".into()),
            namespace_uid: "ns-1".into(),
            scope: scope(),
            object,
            workloads: vec![],
            pods: vec![],
            events: vec![],
            routes: vec![],
            as_of: now,
            stale: false,
        })
    }
    fn subscribe(&self) -> broadcast::Receiver<LiveEvent> {
        self.news.subscribe()
    }
    fn cursor(&self) -> u64 {
        0
    }
    fn identity(&self, _: &str, username: &str, groups: &[String]) -> Result<ClusterIdentity> {
        ClusterIdentity::map(username, groups, "oidc:", "oidc:")
    }
    async fn dry_run(
        &self,
        _: &str,
        _: &ClusterIdentity,
        object: &Value,
    ) -> Result<Stored, Refusal> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        Ok(Stored {
            object: self.stored(object),
            warnings: vec![],
        })
    }
    async fn apply(
        &self,
        _: &str,
        _: &ClusterIdentity,
        object: &Value,
        expect_uid: Option<&str>,
    ) -> Result<Stored, Refusal> {
        let stored = self.stored(object);
        let mut objects = self.objects.lock().unwrap();
        let name = View::new(object).name().to_owned();
        let there = objects
            .get(&name)
            .and_then(|o| o["metadata"]["uid"].as_str().map(str::to_owned))
            .unwrap_or_default();
        if expect_uid.is_some_and(|e| e != there) {
            return Err(Refusal::Precondition {
                message: "It is another object now.".into(),
            });
        }
        objects.insert(name, stored.clone());
        Ok(Stored {
            object: stored,
            warnings: vec![],
        })
    }
    async fn delete(
        &self,
        _: &str,
        _: &ClusterIdentity,
        object: &Value,
        _: &str,
    ) -> Result<(), Refusal> {
        self.objects
            .lock()
            .unwrap()
            .remove(View::new(object).name());
        Ok(())
    }
    async fn read(&self, _: &str, key: &DeploymentKey) -> Result<Option<Value>, Refusal> {
        Ok(self.objects.lock().unwrap().get(&key.name).cloned())
    }
    async fn can(&self, _: &str, _: &ClusterIdentity, _: &str, _: &str) -> Result<bool, Refusal> {
        Ok(true)
    }
    async fn secrets(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &str,
    ) -> Result<Vec<(String, Vec<String>)>, Refusal> {
        self.secrets
            .lock()
            .unwrap()
            .clone()
            .ok_or_else(|| Refusal::Forbidden {
                message: "you may not list secrets here".into(),
            })
    }
    async fn permissions(&self, _: &str) -> Vec<Permission> {
        vec![]
    }
}

/// No registry is asked here.
pub struct NoRegistries;

#[async_trait]
impl Registries for NoRegistries {
    async fn validate(&self, _: &RegistryRow, _: Option<&str>) -> Result<RegistryInfo> {
        Err(Error::unavailable("no registry"))
    }
    async fn repositories(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        _: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)> {
        Err(Error::unavailable("no registry"))
    }
    async fn tags(&self, _: &RegistryRow, _: Option<&str>, _: &str) -> Result<Vec<String>> {
        Err(Error::unavailable("no registry"))
    }
    async fn resolve(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        _: &str,
        _: &str,
    ) -> Result<domain::ids::Digest> {
        Err(Error::unavailable("no registry"))
    }
    async fn inspect(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        _: &str,
        _: &domain::ids::Digest,
        _: Micros,
    ) -> Result<FoundVersion> {
        Err(Error::unavailable("no registry"))
    }
}
