//! The rows, by number.

use crate::at;
use domain::{
    Micros,
    access::{Role, Scope, Stage},
    artifact::{ArtifactKind, FileEntry, FileListing, ModelFacts, SignatureFact},
    change::*,
    content::{Action, Closure, Content},
    ids::*,
    place::{ObjectRef, Place},
};
use serde_json::json;
use services::ports::*;
use uuid::Uuid;

const UNITS: [&str; 3] = ["retail", "logistics", "research"];
const ENVIRONMENTS: [(&str, &str); 3] = [
    ("development", "dev"),
    ("staging", "staging"),
    ("production", "prod"),
];
const TASKS: [&str; 4] = [
    "text-generation",
    "embedding",
    "image-classification",
    "speech-recognition",
];
const LICENCES: [&str; 3] = ["apache-2.0", "mit", "llama3.1"];
/// So long a change waits: beyond any measurement.
const YEARS: i64 = 10 * 365 * 24 * 3600;

/// A UUID of version 7 by kind and number.
pub fn uuid(kind: u8, n: u64) -> Uuid {
    Uuid::from_u128((7 << 76) | (2 << 62) | (u128::from(kind) << 80) | u128::from(n))
}

pub fn person() -> PersonId {
    PersonId(uuid(1, 0))
}

pub fn account() -> AccountId {
    AccountId(uuid(2, 0))
}

pub fn model_id(n: u32) -> ModelId {
    ModelId(uuid(3, n.into()))
}

pub fn version_id(n: u32) -> VersionId {
    VersionId(uuid(4, n.into()))
}

fn registry_id() -> RegistryId {
    RegistryId(uuid(5, 0))
}

/// Who asked for all the changes.
pub fn sign_in() -> SignIn {
    SignIn {
        issuer: "http://localhost:9000".into(),
        subject: "bench".into(),
        username: "bench".into(),
        name: "Benchmark".into(),
        email: None,
        person_key: None,
        groups: vec![],
        at: at(0),
    }
}

/// A registry that is never synced: nothing answers there.
pub fn registry() -> RegistryRow {
    RegistryRow {
        id: registry_id(),
        name: "bench".into(),
        url: "http://127.0.0.1:9".into(),
        username: None,
        secret: None,
        source: Source::Console,
        rules: vec![],
        sync_minutes: i32::MAX / 60,
        ca_pem: None,
        notification_secret: None,
        version: 1,
        status: SyncStatus {
            last_success: Some(at(0)),
            ..SyncStatus::default()
        },
    }
}

pub fn version(n: u32) -> FoundVersion {
    let pick = |list: &[&str]| list[n as usize % list.len()].to_owned();
    let files = (0..20).map(|part| {
        FileEntry::new(
            format!("models/model-{part:05}-of-00020.safetensors"),
            4_000_000_000,
        )
    });
    FoundVersion {
        registry: registry_id(),
        repository: format!("models/family-{n:05}"),
        digest: Digest::of(&n.to_be_bytes()),
        tags: vec!["v1".into(), "latest".into()],
        kind: ArtifactKind::ModelImage,
        facts: ModelFacts {
            task: Some(pick(&TASKS)),
            licence: Some(pick(&LICENCES)),
            size_bytes: Some(u64::from(n) * 7919 % 100_000 * 1_000_000),
            files: FileListing {
                entries: files.collect(),
                complete: true,
            },
            ..ModelFacts::default()
        },
        card: Some(format!(
            "# Family {n}\n\n{}",
            "What it was trained on, and how well it does. ".repeat(60)
        )),
        created_at: Some(at(n)),
        platforms: vec!["linux/amd64".into()],
        signature: SignatureFact::Unsigned,
        scan: None,
        pickle: None,
        observed_at: at(n),
    }
}

fn scope(n: u32) -> (Scope, String) {
    let unit = UNITS[n as usize % UNITS.len()];
    let (environment, short) = ENVIRONMENTS[n as usize / UNITS.len() % ENVIRONMENTS.len()];
    (
        Scope {
            unit: unit.into(),
            environment: environment.into(),
        },
        format!("{unit}-{short}"),
    )
}

/// A change that waits for one approver.
pub fn change(
    n: u32,
    requester: PersonId,
    requester_account: AccountId,
) -> (Change, Revision, Item) {
    let (scope, namespace) = scope(n);
    let place = Place {
        cluster: ClusterId("bench".into()),
        cluster_name: "onprem-1".into(),
        namespace_uid: format!("uid-of-{namespace}"),
        namespace,
        scope,
    };
    let name = format!("waiting-{n:05}");
    let object = json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": place.namespace},
        "spec": {"predictor": {"minReplicas": 1, "model": {
            "modelFormat": {"name": "sklearn"},
            "storageUri": format!("oci://registry.example/models/family-{n:05}:v1"),
        }}},
    });
    let content = Content {
        action: Action::Apply,
        cluster: place.cluster.clone(),
        namespace: place.namespace.clone(),
        namespace_uid: place.namespace_uid.clone(),
        object,
        closure: Closure::default(),
    };
    let change = Change {
        id: ChangeId(uuid(6, n.into())),
        kind: ChangeKind::Create,
        state: ChangeState::Waiting,
        place,
        object: ObjectRef::inference_service(&name),
        usage: Use {
            purpose: "Measured, never served".into(),
            owner: "bench".into(),
            ..Use::default()
        },
        requester,
        requester_account,
        created_at: at(n),
        expires_at: Micros(at(n).0 + YEARS * Micros::SECOND),
        current_revision: RevisionId(uuid(7, n.into())),
        version: 1,
        end_reason: None,
        ended_at: None,
    };
    let revision = Revision {
        id: change.current_revision,
        change: change.id,
        number: 1,
        content_hash: content.hash(),
        content,
        manifest_yaml: String::new(),
        comment: "A row of a measurement".into(),
        author: requester,
        author_account: requester_account,
        created_at: at(n),
        seen: Seen::default(),
        stages: vec![Stage {
            role: Role::Approver,
            count: 1,
        }],
        policy_version: Digest::of(b"bench"),
    };
    let item = Item {
        id: ItemId(uuid(8, n.into())),
        change: change.id,
        revision: revision.id,
        cluster: change.place.cluster.clone(),
        object: change.object.clone(),
        state: ItemState::Queued,
        message: None,
        applied_uid: None,
        applied_generation: None,
        applied_at: None,
        attempts: 0,
    };
    (change, revision, item)
}

/// The record of the change's submission.
pub fn record(n: u32, change: &Change, person: PersonId, account: AccountId) -> NewRecord {
    NewRecord {
        id: RecordId(uuid(10, n.into())),
        at: at(n),
        phase: Phase::Event,
        intent: None,
        action: "change.submit".into(),
        actor: Some(Actor {
            person,
            account,
            name: "Benchmark".into(),
            username: "bench".into(),
            roles: vec!["ai-engineer".into()],
            session: None,
            address: Some("192.0.2.1".into()),
            acting_for: None,
        }),
        object: format!("change:{}", change.id.0),
        unit: change.place.scope.unit.to_string(),
        environment: change.place.scope.environment.to_string(),
        change: Some(change.id),
        reason: None,
        outcome: None,
        detail: json!({"name": change.object.name}),
        retention: Retention::Decision,
    }
}
