//! A store, people, a clock that only tests move, and a worker that can die.

use crate::cluster::{Memory, NoRegistries};
use async_trait::async_trait;
use domain::{
    Micros, Result,
    access::Role,
    change::*,
    form::{Form, Source},
    ids::*,
    person::*,
    place::DeploymentKey,
};
use futures::FutureExt as _;
use services::{
    Caller, Ctx, GroupGrant, Services, Settings,
    authz::Policy,
    changes::{Ask, Submission},
    people::RequestInfo,
    ports::*,
    vault::Vault,
};
use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use store::testing::{Kind, TestDatabase};

/// In the order in which a change passes them.
pub const BOUNDARIES: [&str; 7] = [
    "hold-over",
    "queued",
    "claimed",
    "checked",
    "intent",
    "effect",
    "recorded",
];

thread_local! {
    static DIE_AT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// From now on the worker dies there. (A test runs on one thread.)
pub fn die_at(boundary: Option<&'static str>) {
    DIE_AT.set(boundary);
}

fn boundary(name: &'static str) {
    assert!(
        DIE_AT.get() != Some(name),
        "died at {name}, as the test wants"
    );
}

pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn forward(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        bytes
            .iter_mut()
            .zip(n.iter().cycle())
            .for_each(|(b, n)| *b = *n);
    }
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + (7 << 76))
    }
}

pub struct TestProvider {
    /// `None`: it cannot be asked without the person.
    groups: Mutex<Option<Vec<String>>>,
    clock: Arc<TestClock>,
}

impl TestProvider {
    pub fn set_groups(&self, groups: &[&str]) {
        *self.groups.lock().unwrap() = Some(groups.iter().map(|g| (*g).to_owned()).collect());
    }
    pub fn cannot_be_asked(&self) {
        *self.groups.lock().unwrap() = None;
    }
}

#[async_trait]
impl IdentityProvider for TestProvider {
    async fn refresh_groups(&self, _: AccountId) -> Result<Option<GroupSnapshot>> {
        let groups = self.groups.lock().unwrap().clone();
        Ok(groups.map(|groups| GroupSnapshot {
            groups,
            source: GroupSource::Refresh,
            taken_at: self.clock.now(),
        }))
    }
}

pub struct Setup {
    pub clock: Arc<TestClock>,
    pub cluster: Arc<Memory>,
    pub provider: Arc<TestProvider>,
    pub db: Arc<store::Db>,
    pub services: Services,
    pub requester: Caller,
    pub approver: Caller,
    _database: TestDatabase,
}

impl Setup {
    pub async fn new(kind: Kind) -> Self {
        die_at(None);
        let database = TestDatabase::new(kind).await;
        let db = database.open().await;
        let clock = Arc::new(TestClock(AtomicI64::new(1_790_000_000_000_000)));
        let cluster = Memory::new();
        let provider = Arc::new(TestProvider {
            groups: Mutex::new(Some(vec!["gh-ai".into()])),
            clock: clock.clone(),
        });
        let grant = |group: &str, role| GroupGrant {
            group: group.into(),
            role,
            units: vec!["*".into()],
            environments: vec!["*".into()],
        };
        let ctx = Ctx {
            store: db.clone(),
            clusters: cluster.clone(),
            registries: Arc::new(NoRegistries),
            identity: provider.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
            policy: Arc::new(Policy::built_in().expect("parses")),
            settings: Arc::new(Settings {
                grants: vec![
                    grant("gh-ai", Role::AiEngineer),
                    grant("gh-approve", Role::Approver),
                    grant("gh-security", Role::SecurityEngineer),
                ],
                ..Default::default()
            }),
            vault: Arc::new(Vault::new(&[7; 32])),
            log_keys: Arc::new(
                services::checkpoints::LogKeys::derived("gatehouse.example/audit", &[7; 32])
                    .expect("a name"),
            ),
            boundary,
        };
        let services = Services::new(ctx);
        let requester = signed_in(&services, "ai", "gh-ai").await;
        let approver = signed_in(&services, "approver", "gh-approve").await;
        Self {
            clock,
            cluster,
            provider,
            db,
            services,
            requester,
            approver,
            _database: database,
        }
    }

    /// The requester with an approver's grants too: still the same person.
    pub fn requester_as_approver(&self) -> Caller {
        Caller {
            grants: self.approver.grants.clone(),
            ..self.requester.clone()
        }
    }

    /// A form that every check accepts.
    pub fn form() -> Form {
        Form {
            name: "llama".into(),
            namespace: "retail-prod".into(),
            format: "vLLM".into(),
            runtime: "kserve-vllmserver".into(),
            source: Source::Storage {
                uri: format!(
                    "oci+native://registry.example/models/llama@sha256:{}",
                    "b".repeat(64)
                ),
            },
            ..Form::starting()
        }
    }

    pub async fn submitted(&self) -> ChangeId {
        self.submit(submission("one", "llama")).await
    }

    pub async fn submit(&self, submission: Submission) -> ChangeId {
        self.services
            .changes
            .submit(&self.requester, submission)
            .await
            .map_err(|e| format!("{} {:?}", e.for_log(), e.fields))
            .expect("submits")
    }

    pub async fn try_submit(&self) -> Result<ChangeId> {
        self.services
            .changes
            .submit(&self.requester, submission("one", "llama"))
            .await
    }

    /// `llama` runs on `one`, as it was decided.
    pub async fn running(&self) -> DeploymentKey {
        let change = self.submitted().await;
        self.approve(change).await;
        self.clock.forward(11 * Micros::SECOND);
        self.work_until_quiet().await;
        assert_eq!(self.state(change).await, ChangeState::Applied);
        DeploymentKey::new("one", "retail-prod", "llama")
    }

    pub async fn ask(&self, key: &DeploymentKey, ask: Ask) -> ChangeId {
        self.services
            .changes
            .ask(&self.requester, key, &ask, "", None)
            .await
            .map_err(|e| format!("{} {:?}", e.for_log(), e.fields))
            .expect("asks")
    }

    pub async fn change(&self, id: ChangeId) -> Change {
        self.db.change_get(id).await.expect("reads").expect("there")
    }

    pub async fn state(&self, id: ChangeId) -> ChangeState {
        self.change(id).await.state
    }

    /// The same console started again with other settings.
    pub fn restarted(&self, with: impl FnOnce(&mut Settings)) -> Services {
        let ctx = &self.services.ctx;
        let mut settings = Settings::clone(&ctx.settings);
        with(&mut settings);
        Services::new(Ctx {
            settings: Arc::new(settings),
            ..ctx.clone()
        })
    }

    /// What is asked for now.
    pub async fn revision(&self, change: ChangeId) -> Revision {
        let current = self.change(change).await.current_revision;
        let revision = self.db.revision_get(current).await;
        revision.expect("reads").expect("there")
    }

    pub async fn hash(&self, change: ChangeId) -> Digest {
        self.revision(change).await.content_hash
    }

    pub async fn approve(&self, change: ChangeId) {
        let shown = self.revision(change).await;
        self.services
            .changes
            .decide(
                &self.approver,
                change,
                Outcome::Approve,
                "looks right",
                shown.number,
                &shown.content_hash,
            )
            .await
            .map_err(|e| e.for_log())
            .expect("decides");
    }

    /// Sweeps and works as the background tasks do, until the process would have died. `false`: it did not.
    pub async fn work_until_dead(&self) -> bool {
        AssertUnwindSafe(self.work_until_quiet())
            .catch_unwind()
            .await
            .is_err()
    }

    /// Until nothing is left to do; what waits for another try gets it.
    pub async fn work_until_quiet(&self) {
        for _ in 0..20 {
            let moved = self
                .services
                .changes
                .sweep()
                .await
                .map_err(|e| e.for_log())
                .expect("sweeps");
            let worked = self
                .services
                .apply
                .run_once("worker")
                .await
                .map_err(|e| e.for_log())
                .expect("works");
            if moved == 0 && !worked {
                return;
            }
        }
    }
}

pub async fn signed_in(services: &Services, name: &str, group: &str) -> Caller {
    let sign_in = SignIn {
        issuer: "https://id.example".into(),
        subject: name.into(),
        username: name.into(),
        name: name.into(),
        email: None,
        person_key: None,
        groups: vec![group.into()],
        at: services.ctx.clock.now(),
    };
    services
        .people
        .sign_in(&sign_in, &RequestInfo::default())
        .await
        .map_err(|e| e.for_log())
        .expect("signs in")
}

/// A new deployment of this name.
pub fn submission(cluster: &str, name: &str) -> Submission {
    let form = Form {
        name: name.into(),
        ..Setup::form()
    };
    let manifest = form.new_manifest();
    Submission {
        kind: ChangeKind::Create,
        cluster: cluster.into(),
        namespace: "retail-prod".into(),
        manifest_yaml: domain::yaml::to_yaml(&manifest),
        manifest,
        usage: Use {
            purpose: "chat".into(),
            owner: "team".into(),
            ..Default::default()
        },
        comment: String::new(),
        expected: None,
        revises: None,
        draft: None,
    }
}

/// Makes a test of each story on each database.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(store::testing::Kind::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                if store::testing::Kind::Postgres.left_out() {
                    eprintln!("left out, as {} says", store::testing::DATABASES);
                    return;
                }
                super::$story(store::testing::Kind::Postgres).await;
            })+
        }
    };
}
pub(crate) use stories;
