//! Syncs of registries: what is taken, what is looked at again, what is gone, and registries that
//! break off or go in circles.

use crate::{catalog, given::*};
use async_trait::async_trait;
use domain::{
    Error, Micros, Result, ids::*, observed::*, person::*, place::DeploymentKey, state::Code,
};
use serde_json::Value;
use services::{
    Caller, Ctx, GroupGrant, Services, Settings, authz::Policy, people::RequestInfo, ports::*,
    registries::RegistryInput, vault::Vault,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};
use store::{Db, testing::TestDatabase};

crate::stories!(
    a_push_during_a_sync_is_synced_next,
    what_is_asked_for_is_looked_at_again,
    what_the_list_or_the_rules_lack_is_gone,
    a_list_that_goes_in_a_circle_is_no_list,
    what_cannot_be_read_hides_nothing_else,
    a_rule_that_names_a_repository_needs_no_list,
    a_registry_that_dies_is_not_asked_for_everything,
    one_registry_is_synced_once_at_a_time,
    a_worker_that_ends_gives_its_syncs_back,
    the_file_is_recorded_when_it_says_something_new,
    a_token_of_the_console_is_known_and_kept_sealed
);

struct At(AtomicI64);
impl Clock for At {
    fn now(&self) -> Micros {
        at(self.0.load(Ordering::SeqCst))
    }
}

struct Counting(AtomicU64);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        for (b, n) in bytes.iter_mut().zip(n.iter().cycle()) {
            *b = *n;
        }
    }
    fn uuid(&self) -> uuid::Uuid {
        uuid(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 5000)
    }
}

/// A registry that does what a test says: repositories with the contents that their tags point to.
#[derive(Default)]
struct Outside {
    holds: Mutex<BTreeMap<String, Vec<(String, String)>>>,
    inspected: Mutex<Vec<String>>,
    /// Its list leads back to its first page.
    circle: Mutex<bool>,
    /// It lists its repositories to nobody.
    no_list: Mutex<bool>,
    asked: AtomicUsize,
    /// After so many repositories nothing answers any more.
    dies_after: Mutex<Option<usize>>,
    /// Somebody pushes while the sync looks.
    pushes: Mutex<Option<(Arc<Db>, RegistryId)>>,
}

impl Outside {
    fn holds(&self, repository: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(t, c)| ((*t).into(), (*c).into()));
        self.holds
            .lock()
            .unwrap()
            .insert(repository.into(), tags.collect());
    }
    fn inspected(&self) -> Vec<String> {
        std::mem::take(&mut *self.inspected.lock().unwrap())
    }
}

#[async_trait]
impl Registries for Outside {
    async fn validate(&self, _: &RegistryRow, _: Option<&str>) -> Result<RegistryInfo> {
        if *self.no_list.lock().unwrap() {
            return Ok(RegistryInfo {
                product: "distribution".into(),
                catalog: false,
                repositories_seen: 0,
            });
        }
        Err(Error::unavailable("Nothing answers there."))
    }
    async fn repositories(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)> {
        if *self.no_list.lock().unwrap() {
            return Err(Error::forbidden("This account may not read that."));
        }
        let names = self.holds.lock().unwrap().keys().cloned().collect();
        let next = match after {
            Some("a") => "b",
            _ => "a",
        };
        Ok((names, self.circle.lock().unwrap().then(|| next.into())))
    }
    async fn tags(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        repository: &str,
    ) -> Result<Vec<String>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        if self.dies_after.lock().unwrap().is_some_and(|n| asked >= n) {
            return Err(Error::unavailable("The registry did not answer in time."));
        }
        let push = self.pushes.lock().unwrap().take();
        if let Some((db, id)) = push {
            db.registry_want(id, &[repository.into()], at(1)).await?;
        }
        let holds = self.holds.lock().unwrap();
        let Some(tags) = holds.get(repository) else {
            return Err(Error::not_found(
                "The registry does not have the repository.",
            ));
        };
        Ok(tags.iter().map(|(t, _)| t.clone()).collect())
    }
    async fn resolve(
        &self,
        _: &RegistryRow,
        _: Option<&str>,
        repository: &str,
        tag: &str,
    ) -> Result<Digest> {
        let holds = self.holds.lock().unwrap();
        let (_, content) = holds[repository].iter().find(|(t, _)| t == tag).unwrap();
        if content == "deleted" {
            return Err(Error::not_found("The registry does not have the tag."));
        }
        Ok(Digest::of(content.as_bytes()))
    }
    async fn inspect(
        &self,
        row: &RegistryRow,
        _: Option<&str>,
        repository: &str,
        digest: &Digest,
        now: Micros,
    ) -> Result<FoundVersion> {
        self.inspected.lock().unwrap().push(repository.into());
        if *digest == Digest::of(b"schema 1") {
            return Err(Error::invalid("The manifest is of Docker's schema 1."));
        }
        Ok(FoundVersion {
            registry: row.id,
            digest: digest.clone(),
            observed_at: now,
            ..catalog::found(repository, "", &[], 0)
        })
    }
}

struct House {
    db: Arc<Db>,
    outside: Arc<Outside>,
    clock: Arc<At>,
    services: Services,
    id: RegistryId,
}

impl House {
    async fn new(t: &TestDatabase) -> Self {
        let db = catalog::given(t).await;
        let outside = Arc::new(Outside::default());
        let clock = Arc::new(At(AtomicI64::new(0)));
        let services = Services::new(Ctx {
            store: db.clone(),
            clusters: Arc::new(Nobody),
            registries: outside.clone(),
            identity: Arc::new(Nobody),
            clock: clock.clone(),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
            policy: Arc::new(Policy::built_in().unwrap()),
            settings: Arc::new(Settings {
                grants: vec![GroupGrant {
                    group: "gh-ai".into(),
                    role: domain::access::Role::PlatformEngineer,
                    units: vec!["*".into()],
                    environments: vec!["*".into()],
                }],
                ..Default::default()
            }),
            vault: Arc::new(Vault::new(&[7; 32])),
            log_keys: Arc::new(
                services::checkpoints::LogKeys::derived("gatehouse.example/audit", &[7; 32])
                    .expect("a name"),
            ),
            boundary: |_| {},
        });
        let house = Self {
            db,
            outside,
            clock,
            services,
            id: RegistryId(uuid(1)),
        };
        house.rules("models/**", None).await;
        house
    }

    async fn rules(&self, repository: &str, password: Option<&str>) {
        let input = RegistryInput {
            name: "registry-1".into(),
            url: "http://127.0.0.1:5000".into(),
            sync_minutes: 10,
            rules: vec![SyncRule {
                repository: repository.into(),
                tag: None,
                enabled: true,
            }],
            ..Default::default()
        };
        let rows = [(input, password.map(str::to_owned))];
        self.services.registries.from_file(&rows).await.unwrap();
    }

    /// Syncs what is due, some seconds later; answers how many registries were.
    async fn sync(&self, later: i64) -> usize {
        self.clock.0.fetch_add(later, Ordering::SeqCst);
        let claims = self.services.registries.claim_due("w").await.unwrap();
        let due = claims.len();
        for claim in claims {
            self.services.registries.sync(claim).await.unwrap();
        }
        due
    }

    async fn status(&self) -> SyncStatus {
        self.db.registry(self.id).await.unwrap().unwrap().status
    }

    async fn caller(&self) -> Caller {
        let sign_in = sign_in_of(1, None);
        self.services
            .people
            .sign_in(&sign_in, &RequestInfo::default())
            .await
            .unwrap()
    }
}

async fn a_push_during_a_sync_is_synced_next(t: &TestDatabase) {
    let h = House::new(t).await;
    h.outside.holds("models/a", &[("v1", "1")]);
    *h.outside.pushes.lock().unwrap() = Some((h.db.clone(), h.id));
    assert_eq!(h.sync(0).await, 1);
    let status = h.status().await;
    assert!(status.wanted_since.is_some() && status.last_success.is_some());
    assert_eq!(status.running_since, None);
    // It is due at once, and looks at what was pushed to again.
    assert_eq!(h.outside.inspected(), ["models/a"]);
    assert_eq!(h.sync(2).await, 1);
    assert_eq!(h.outside.inspected(), ["models/a"]);
    assert_eq!(h.status().await.wanted_since, None);
    assert_eq!(h.sync(2).await, 0);
}

async fn what_is_asked_for_is_looked_at_again(t: &TestDatabase) {
    let h = House::new(t).await;
    h.outside.holds("models/a", &[("v1", "1")]);
    h.outside.holds("models/b", &[("v1", "1"), ("v2", "2")]);
    h.sync(0).await;
    assert_eq!(h.outside.inspected().len(), 3);
    // The periodic sync spares what was inspected within the hour, unless a tag moved.
    assert_eq!(h.sync(601).await, 1);
    assert!(h.outside.inspected().is_empty());
    h.outside.holds("models/b", &[("v1", "1"), ("v2", "1")]);
    assert_eq!(h.sync(601).await, 1);
    assert_eq!(h.outside.inspected(), ["models/b"]);
    // A notification names where to look again.
    let names = ["models/a".to_owned()];
    let registries = &h.services.registries;
    registries.notified("registry-1", &names).await.unwrap();
    assert_eq!(h.sync(1).await, 1);
    assert_eq!(h.outside.inspected(), ["models/a"]);
    // "Sync now" means everything.
    let caller = h.caller().await;
    registries.sync_now(&caller, h.id).await.unwrap();
    assert_eq!(h.sync(1).await, 1);
    assert_eq!(h.outside.inspected(), ["models/a", "models/b"]);
}

async fn what_the_list_or_the_rules_lack_is_gone(t: &TestDatabase) {
    let h = House::new(t).await;
    h.outside.holds("models/a", &[("v1", "1")]);
    h.outside.holds("models/b", &[("v1", "2")]);
    h.sync(0).await;
    let live = async || h.db.version_repositories(h.id).await.unwrap();
    assert_eq!(live().await, ["models/a", "models/b"]);
    h.outside.holds.lock().unwrap().remove("models/b");
    h.sync(601).await;
    assert_eq!(live().await, ["models/a"]);
    // A list that could not be read to its end says nothing about what is gone.
    *h.outside.circle.lock().unwrap() = true;
    h.rules("other/**", None).await;
    h.sync(1).await;
    assert_eq!(live().await, ["models/a"]);
    *h.outside.circle.lock().unwrap() = false;
    h.sync(601).await;
    assert!(live().await.is_empty());
}

async fn a_list_that_goes_in_a_circle_is_no_list(t: &TestDatabase) {
    let h = House::new(t).await;
    *h.outside.circle.lock().unwrap() = true;
    assert_eq!(h.sync(0).await, 1);
    let status = h.status().await;
    assert!(status.last_error.unwrap().contains("circle"));
    assert_eq!(status.last_success, None);
}

async fn what_cannot_be_read_hides_nothing_else(t: &TestDatabase) {
    let h = House::new(t).await;
    h.outside.holds("models/a", &[("v1", "1"), ("v2", "2")]);
    h.sync(0).await;
    // One is deleted while the sync looks, one is none that can be read, one is gone.
    h.outside.holds(
        "models/a",
        &[("v1", "deleted"), ("old", "schema 1"), ("z", "3")],
    );
    h.sync(601).await;
    assert_eq!(h.status().await.last_error, None);
    let known = h.db.version_known(h.id, "models/a", at(0)).await.unwrap();
    let tagged = |digest: &str| {
        let digest = Digest::of(digest.as_bytes());
        let version = known.iter().find(|k| k.digest == digest);
        version.map(|k| k.tags.clone()).unwrap_or_default()
    };
    assert_eq!(tagged("3"), ["z"]);
    assert_eq!(tagged("schema 1"), ["old"]);
    assert!(tagged("1").is_empty() && tagged("2").is_empty());
    let versions = h.db.versions_by_digest(&Digest::of(b"schema 1")).await;
    let (_, version) = versions.unwrap().remove(0);
    assert_eq!(version.kind, domain::artifact::ArtifactKind::Unknown);
    assert_eq!(
        version.facts.notes,
        ["The manifest is of Docker's schema 1."]
    );
}

async fn a_rule_that_names_a_repository_needs_no_list(t: &TestDatabase) {
    let h = House::new(t).await;
    *h.outside.no_list.lock().unwrap() = true;
    h.outside.holds("models/a", &[("v1", "1")]);
    h.sync(0).await;
    let error = h.status().await.last_error.unwrap();
    assert!(error.contains("without `*`"), "{error}");
    h.rules("models/a", None).await;
    h.sync(1).await;
    assert_eq!(h.status().await.last_error, None);
    let live = async || h.db.version_repositories(h.id).await.unwrap();
    assert_eq!(live().await, ["models/a"]);
    h.outside.holds.lock().unwrap().clear();
    h.sync(601).await;
    assert!(live().await.is_empty());
    // Whoever adds one is told beside the rule.
    let input = |repository: &str| RegistryInput {
        name: "hub".into(),
        url: "http://127.0.0.1:5001".into(),
        sync_minutes: 10,
        rules: vec![SyncRule {
            repository: repository.into(),
            tag: None,
            enabled: true,
        }],
        ..Default::default()
    };
    let caller = h.caller().await;
    let registries = &h.services.registries;
    let e = registries.add(&caller, &input("models/*")).await;
    assert_eq!(e.unwrap_err().fields[0].field, "rules.0.repository");
    registries.add(&caller, &input("models/a")).await.unwrap();
}

async fn a_registry_that_dies_is_not_asked_for_everything(t: &TestDatabase) {
    let h = House::new(t).await;
    for n in 0..9 {
        h.outside.holds(&format!("models/{n}"), &[("v1", "1")]);
    }
    *h.outside.dies_after.lock().unwrap() = Some(2);
    h.sync(0).await;
    assert_eq!(h.outside.asked.load(Ordering::SeqCst), 5);
    let error = h.status().await.last_error.unwrap();
    assert!(error.contains("after 2 of 9 repositories"), "{error}");
    // What could not be asked for is not gone.
    let live = h.db.version_repositories(h.id).await.unwrap();
    assert_eq!(live, ["models/0", "models/1"]);
}

async fn one_registry_is_synced_once_at_a_time(t: &TestDatabase) {
    let h = House::new(t).await;
    let registries = &h.services.registries;
    let mut first = registries.claim_due("w").await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(registries.claim_due("w").await.unwrap().is_empty());
    // The first worker was away for too long: what it does now changes nothing.
    h.clock.0.store(10_000, Ordering::SeqCst);
    let second = registries.claim_due("w").await.unwrap();
    assert_eq!(second.len(), 1);
    registries.sync(first.remove(0)).await.unwrap();
    assert_eq!(h.status().await.last_success, None);
    for claim in second {
        registries.sync(claim).await.unwrap();
    }
    assert!(h.status().await.last_success.is_some());
}

async fn a_worker_that_ends_gives_its_syncs_back(t: &TestDatabase) {
    let h = House::new(t).await;
    let registries = &h.services.registries;
    let claims = registries.claim_due("w").await.unwrap();
    assert_eq!(claims.len(), 1);
    registries.release("other").await.unwrap();
    assert!(registries.claim_due("w2").await.unwrap().is_empty());
    registries.release("w").await.unwrap();
    assert_eq!(registries.claim_due("w2").await.unwrap().len(), 1);
}

async fn the_file_is_recorded_when_it_says_something_new(t: &TestDatabase) {
    let h = House::new(t).await;
    let records = async || {
        let filter = AuditFilter {
            action: Some("registry.change".into()),
            scopes: vec![(vec!["*".into()], vec!["*".into()])],
            ..Default::default()
        };
        let page = h.db.audit_list(&filter, None, 100).await;
        page.unwrap().rows.len()
    };
    let before = records().await;
    h.rules("models/**", Some("secret")).await;
    assert_eq!(records().await, before + 1);
    let version = h.db.registry(h.id).await.unwrap().unwrap().version;
    // At the next start it says the same.
    h.rules("models/**", Some("secret")).await;
    assert_eq!(records().await, before + 1);
    let row = h.db.registry(h.id).await.unwrap().unwrap();
    assert_eq!(row.version, version);
    h.rules("models/**", Some("other")).await;
    assert_eq!(records().await, before + 2);
}

async fn a_token_of_the_console_is_known_and_kept_sealed(t: &TestDatabase) {
    let h = House::new(t).await;
    let registries = &h.services.registries;
    let caller = h.caller().await;
    // The file's registries have theirs in the file.
    assert!(registries.renew_token(&caller, h.id).await.is_err());
    let row = RegistryRow {
        id: RegistryId(uuid(2)),
        name: "added".into(),
        source: Source::Console,
        secret: None,
        ..h.db.registry(h.id).await.unwrap().unwrap()
    };
    h.db.registry_put(&row, None, &[]).await.unwrap();
    assert_eq!(registries.of_token("").await.unwrap(), None);
    let token = registries.renew_token(&caller, row.id).await.unwrap();
    let sealed = h.db.registry(row.id).await.unwrap().unwrap();
    let sealed = sealed.notification_secret.unwrap();
    assert!(!sealed.windows(8).any(|w| token.as_bytes().starts_with(w)));
    let known = registries.of_token(&token).await.unwrap();
    assert_eq!(known.as_deref(), Some("added"));
    let newer = registries.renew_token(&caller, row.id).await.unwrap();
    assert_eq!(registries.of_token(&token).await.unwrap(), None);
    assert!(registries.of_token(&newer).await.unwrap().is_some());
}

/// No cluster and no provider is asked here.
struct Nobody;

#[async_trait]
impl IdentityProvider for Nobody {
    async fn refresh_groups(&self, _: AccountId) -> Result<Option<GroupSnapshot>> {
        Ok(None)
    }
}

fn no_cluster() -> Refusal {
    Refusal::Unavailable {
        message: "no cluster".into(),
        maybe_done: false,
    }
}

#[async_trait]
impl Clusters for Nobody {
    fn names(&self) -> Vec<String> {
        vec![]
    }
    fn health(&self, _: Micros) -> Vec<ClusterHealth> {
        vec![]
    }
    fn followed(&self, _: &str, _: Followed) -> std::result::Result<(), String> {
        Err("no cluster".into())
    }
    fn facts(&self, _: &str) -> Option<Arc<ClusterFacts>> {
        None
    }
    fn namespaces(&self, _: &str) -> Vec<Namespace> {
        vec![]
    }
    fn nodes(&self, _: &str) -> Vec<Node> {
        vec![]
    }
    fn runtimes(&self, _: &str, _: &str) -> Vec<Runtime> {
        vec![]
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
    fn live(&self, _: &DeploymentKey, _: Micros) -> Option<Live> {
        None
    }
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<LiveEvent> {
        tokio::sync::broadcast::channel(1).1
    }
    fn cursor(&self) -> u64 {
        0
    }
    fn identity(&self, _: &str, _: &str, _: &[String]) -> Result<ClusterIdentity> {
        Err(Error::unavailable("no cluster"))
    }
    async fn dry_run(&self, _: &str, _: &ClusterIdentity, _: &Value) -> Result<Stored, Refusal> {
        Err(no_cluster())
    }
    async fn apply(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &Value,
        _: Option<&ObjectVersion>,
    ) -> Result<Stored, Refusal> {
        Err(no_cluster())
    }
    async fn delete(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &Value,
        _: &ObjectVersion,
    ) -> Result<(), Refusal> {
        Err(no_cluster())
    }
    async fn read(&self, _: &str, _: &DeploymentKey) -> Result<Option<Value>, Refusal> {
        Err(no_cluster())
    }
    async fn can(&self, _: &str, _: &ClusterIdentity, _: &str, _: &str) -> Result<bool, Refusal> {
        Err(no_cluster())
    }
    async fn secrets(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &str,
    ) -> Result<Vec<(String, Vec<String>)>, Refusal> {
        Err(no_cluster())
    }
    async fn exists(
        &self,
        _: &str,
        _: &ClusterIdentity,
        _: &str,
        _: domain::references::Referred,
        _: &str,
    ) -> Result<bool, Refusal> {
        Err(no_cluster())
    }
    async fn permissions(&self, _: &str) -> Permissions {
        Permissions::default()
    }
}
