//! The essentials of two API servers: an object store with generations, a webhook that adds a field,
//! the cache's answers, and what tests make go wrong.

use async_trait::async_trait;
use domain::{
    Error, Micros, Result, access::Scope, ids::ClusterId, isvc::View, observed::*,
    person::ClusterIdentity, place::DeploymentKey, references::Referred, state::Code,
};
use serde_json::{Value, json};
use services::ports::*;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Notify, broadcast};

/// Names of Secrets and their keys.
type SecretNames = Vec<(String, Vec<String>)>;
/// What somebody else does to an object.
type Edit = Box<dyn FnOnce(&mut Value) + Send>;

pub struct Memory {
    /// By `cluster/name`.
    objects: Mutex<BTreeMap<String, Value>>,
    changed_its_mind: AtomicBool,
    /// What the dry run refuses with; `None`: nothing.
    dry_run_refusal: Mutex<Option<Refusal>>,
    /// Names of Secrets and their keys; `None`: the person may not list them.
    secrets: Mutex<Option<SecretNames>>,
    /// Names of volume claims; `None`: the person may not look.
    claims: Mutex<Option<Vec<String>>>,
    refusal: Mutex<Option<Refusal>>,
    away: AtomicBool,
    unfollowed: Mutex<Vec<Followed>>,
    hanging: Mutex<Option<String>>,
    hanging_write: AtomicBool,
    /// What happens to the object just before each of the next writes gets there.
    meanwhile: Mutex<VecDeque<Edit>>,
    /// What somebody makes just before the next write gets there.
    made_meanwhile: Mutex<Option<Value>>,
    /// Rises with each write.
    version: AtomicUsize,
    /// Somebody waits for the answer of a cluster that hangs.
    pub hangs: Notify,
    pub awake: Notify,
    /// Calls that went out.
    pub calls: AtomicUsize,
    pub deletions: AtomicUsize,
    news: broadcast::Sender<LiveEvent>,
}

impl Memory {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            objects: Mutex::default(),
            changed_its_mind: AtomicBool::new(false),
            refusal: Mutex::default(),
            dry_run_refusal: Mutex::default(),
            secrets: Mutex::new(Some(vec![])),
            claims: Mutex::new(Some(vec![])),
            away: AtomicBool::new(false),
            unfollowed: Mutex::default(),
            hanging: Mutex::default(),
            hanging_write: AtomicBool::new(false),
            meanwhile: Mutex::default(),
            made_meanwhile: Mutex::default(),
            version: AtomicUsize::new(0),
            hangs: Notify::new(),
            awake: Notify::new(),
            calls: AtomicUsize::new(0),
            deletions: AtomicUsize::new(0),
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
    pub fn refuse_dry_runs(&self, refusal: Option<Refusal>) {
        *self.dry_run_refusal.lock().unwrap() = refusal;
    }

    pub fn set_secrets(&self, secrets: Option<&[(&str, &[&str])]>) {
        *self.secrets.lock().unwrap() = secrets.map(|all| {
            all.iter()
                .map(|(n, keys)| ((*n).into(), keys.iter().map(|k| (*k).into()).collect()))
                .collect()
        });
    }

    pub fn set_claims(&self, claims: Option<&[&str]>) {
        *self.claims.lock().unwrap() =
            claims.map(|all| all.iter().map(|n| (*n).to_owned()).collect());
    }

    /// The next apply is answered with this.
    pub fn refuse(&self, with: Refusal) {
        *self.refusal.lock().unwrap() = Some(with);
    }

    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The watches of these are broken.
    pub fn unfollow(&self, what: &[Followed]) {
        *self.unfollowed.lock().unwrap() = what.to_vec();
    }

    /// This cluster takes every call and answers none, until `awake` is notified.
    pub fn hang(&self, cluster: &str) {
        *self.hanging.lock().unwrap() = Some(cluster.into());
    }

    /// The next write gets as far as the cluster and stays there, until `awake` is notified.
    pub fn hang_next_write(&self) {
        self.hanging_write.store(true, Ordering::SeqCst);
    }

    /// Somebody else is faster than the next write, or than the next after those that are named already.
    pub fn meanwhile(&self, edit: impl FnOnce(&mut Value) + Send + 'static) {
        self.meanwhile.lock().unwrap().push_back(Box::new(edit));
    }

    /// Somebody else makes this of the same name faster than the next write.
    pub fn made_meanwhile(&self, object: Value) {
        *self.made_meanwhile.lock().unwrap() = Some(object);
    }

    /// Somebody else writes to what runs.
    pub fn edit(&self, key: &str, with: impl FnOnce(&mut Value)) {
        let mut objects = self.objects.lock().unwrap();
        let object = objects.get_mut(key).expect("it is there");
        with(object);
        object["metadata"]["resourceVersion"] = self.next_version();
    }

    /// Somebody else makes this, or makes it anew.
    pub fn put(&self, key: &str, mut object: Value, uid: &str) {
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["resourceVersion"] = self.next_version();
        object["metadata"]["managedFields"] =
            json!([{"manager": "kubectl", "operation": "Update"}]);
        self.objects.lock().unwrap().insert(key.into(), object);
    }

    /// Somebody else deletes it.
    pub fn remove(&self, key: &str) {
        self.objects.lock().unwrap().remove(key);
    }

    fn next_version(&self) -> Value {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        json!(version.to_string())
    }

    /// A write arrives.
    async fn written(&self, key: &str) {
        if self.hanging_write.swap(false, Ordering::SeqCst) {
            self.hangs.notify_one();
            self.awake.notified().await;
        }
        let made = self.made_meanwhile.lock().unwrap().take();
        if let Some(made) = made {
            self.put(key, made, "uid-of-a-stranger");
        }
        let edit = self.meanwhile.lock().unwrap().pop_front();
        if let Some(edit) = edit {
            self.edit(key, edit);
        }
    }

    pub fn object(&self, key: &str) -> Value {
        self.objects.lock().unwrap()[key].clone()
    }

    async fn called(&self, cluster: &str) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let hangs = self.hanging.lock().unwrap().as_deref() == Some(cluster);
        if hangs {
            self.hangs.notify_one();
            self.awake.notified().await;
        }
    }

    fn stored(&self, cluster: &str, object: &Value) -> Value {
        let mut o = object.clone();
        o["spec"]["predictor"]["model"]["name"] = json!("");
        if self.changed_its_mind.load(Ordering::SeqCst) {
            o["spec"]["predictor"]["timeout"] = json!(1);
        }
        let before = self
            .objects
            .lock()
            .unwrap()
            .get(&at(cluster, object))
            .cloned();
        let generation = match &before {
            Some(b) if b["spec"] == o["spec"] => b["metadata"]["generation"].as_i64().unwrap(),
            Some(b) => b["metadata"]["generation"].as_i64().unwrap() + 1,
            None => 1,
        };
        o["metadata"]["generation"] = json!(generation);
        o["metadata"]["uid"] = json!("uid-1");
        o["metadata"]["resourceVersion"] = self.next_version();
        o["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply"}]);
        o
    }
}

fn of(key: &DeploymentKey) -> String {
    format!("{}/{}", key.cluster, key.name)
}

fn at(cluster: &str, object: &Value) -> String {
    format!("{cluster}/{}", View::new(object).name())
}

/// What an API server compares before it writes.
fn meets(expected: Option<&ObjectVersion>, there: Option<&Value>) -> Result<(), Refusal> {
    let there = there.map(|o| ObjectVersion::of(o).expect("what is stored has a version"));
    match (expected, there) {
        (None, None) => Ok(()),
        (Some(e), Some(t)) if *e == t => Ok(()),
        (Some(e), Some(t)) if e.uid == t.uid => Err(Refusal::Changed {
            message: "It is another version now.".into(),
        }),
        _ => Err(Refusal::Precondition {
            message: "It is another object now.".into(),
        }),
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
        vec!["one".into(), "two".into()]
    }
    fn health(&self, now: Micros) -> Vec<ClusterHealth> {
        let away = self.away.load(Ordering::SeqCst);
        let health = |name: &str| ClusterHealth {
            id: Some(ClusterId(format!("id-{name}"))),
            name: name.into(),
            reachable: !away,
            problem: away.then(|| "nothing listens there".into()),
            as_of: Some(now),
            server: String::new(),
            deployments: 0,
        };
        ["one", "two"].map(health).to_vec()
    }
    fn followed(&self, _: &str, what: Followed) -> Result<(), String> {
        match self.unfollowed.lock().unwrap().contains(&what) {
            true => Err(format!("{what:?} cannot be listed")),
            false => Ok(()),
        }
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
            created_at: None,
            spec: json!({"containers": [{"name": "kserve-container", "image": format!("vllm@sha256:{}", "a".repeat(64))}]}),
        }]
    }
    fn quotas(&self, _: &str, _: &str) -> Vec<Quota> {
        vec![]
    }
    fn limit_ranges(&self, _: &str, _: &str) -> Vec<LimitRange> {
        vec![]
    }
    fn rows(&self, _: &RowFilter, _: Option<&DeploymentKey>, _: usize, _: Micros) -> Vec<Row> {
        vec![]
    }
    fn counts(&self, _: &RowFilter, _: Micros) -> BTreeMap<Code, usize> {
        BTreeMap::new()
    }
    fn live(&self, key: &DeploymentKey, now: Micros) -> Option<Live> {
        let object = self.objects.lock().unwrap().get(&of(key))?.clone();
        Some(Live {
            key: key.clone(),
            cluster: ClusterId(format!("id-{}", key.cluster)),
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
        cluster: &str,
        _: &ClusterIdentity,
        object: &Value,
    ) -> Result<Stored, Refusal> {
        self.called(cluster).await;
        if let Some(refusal) = self.dry_run_refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        Ok(Stored {
            object: self.stored(cluster, object),
            warnings: vec![],
        })
    }
    async fn apply(
        &self,
        cluster: &str,
        _: &ClusterIdentity,
        object: &Value,
        over: Option<&ObjectVersion>,
    ) -> Result<Stored, Refusal> {
        self.called(cluster).await;
        self.written(&at(cluster, object)).await;
        if let Some(refusal) = self.refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        let stored = self.stored(cluster, object);
        let mut objects = self.objects.lock().unwrap();
        let name = at(cluster, object);
        meets(over, objects.get(&name))?;
        objects.insert(name, stored.clone());
        Ok(Stored {
            object: stored,
            warnings: vec![],
        })
    }
    async fn delete(
        &self,
        cluster: &str,
        _: &ClusterIdentity,
        object: &Value,
        what: &ObjectVersion,
    ) -> Result<(), Refusal> {
        self.called(cluster).await;
        let name = at(cluster, object);
        self.written(&name).await;
        let mut objects = self.objects.lock().unwrap();
        if let Some(there) = objects.get(&name) {
            meets(Some(what), Some(there))?;
            objects.remove(&name);
            self.deletions.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
    async fn read(&self, cluster: &str, key: &DeploymentKey) -> Result<Option<Value>, Refusal> {
        self.called(cluster).await;
        Ok(self.objects.lock().unwrap().get(&of(key)).cloned())
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
    async fn exists(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &str,
        kind: Referred,
        name: &str,
    ) -> Result<bool, Refusal> {
        match &*self.claims.lock().unwrap() {
            Some(there) => Ok(kind != Referred::VolumeClaim || there.iter().any(|n| n == name)),
            None => Err(Refusal::Forbidden {
                message: "you may not look at that here".into(),
            }),
        }
    }
    async fn permissions(&self, _: &str) -> Permissions {
        Permissions::default()
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
