//! What stories begin with.

use audit::{Actor, NewRecord, Phase, Retention};
use domain::{
    Micros,
    access::{Role, Scope, Stage},
    change::*,
    content::{Action, Closure, Content},
    ids::*,
    place::{DeploymentKey, ObjectRef, Place},
};
use serde_json::json;
use services::ports::*;
use store::Db;
use uuid::Uuid;

/// An id by number, in the form of version 7.
pub fn uuid(n: u128) -> Uuid {
    Uuid::from_u128((7 << 76) | (2 << 62) | n)
}

pub fn at(seconds: i64) -> Micros {
    Micros(1_790_000_000_000_000 + seconds * Micros::SECOND)
}

pub fn sign_in_of(n: u128, key: Option<&str>) -> SignIn {
    SignIn {
        issuer: "http://localhost:9000".into(),
        subject: format!("sub-{n}"),
        username: format!("user{n}"),
        name: format!("Person {n}"),
        email: Some(format!("p{n}@example.com")),
        person_key: key.map(str::to_owned),
        groups: vec!["gh-ai".into()],
        at: at(0),
    }
}

/// Person `n` with account `100 + n`.
pub async fn person(db: &Db, n: u128) -> (PersonId, AccountId) {
    let (p, a) = db
        .sign_in(
            &sign_in_of(n, None),
            PersonId(uuid(n)),
            AccountId(uuid(100 + n)),
        )
        .await
        .unwrap();
    (p.id, a.id)
}

pub fn record(n: u128, action: &str, object: &str) -> NewRecord {
    NewRecord {
        id: RecordId(uuid(n)),
        at: at(n as i64),
        phase: Phase::Event,
        intent: None,
        action: action.into(),
        actor: Some(Actor {
            person: PersonId(uuid(1)),
            account: AccountId(uuid(101)),
            name: "Person 1".into(),
            username: "user1".into(),
            roles: vec!["ai-engineer".into()],
            session: Some("s".into()),
            address: Some("192.0.2.1".into()),
            acting_for: None,
        }),
        object: object.into(),
        unit: "retail".into(),
        environment: "production".into(),
        change: None,
        reason: None,
        outcome: None,
        detail: json!({}),
        retention: Retention::Decision,
    }
}

pub fn key(name: &str) -> DeploymentKey {
    DeploymentKey::new("onprem-1", "retail-prod", name)
}

/// A change numbered `n` for the deployment `name`, asked for by `who`, waiting for one approver.
pub fn change(n: u128, name: &str, who: (PersonId, AccountId)) -> (Change, Revision, Item) {
    let change = Change {
        id: ChangeId(uuid(1000 + n)),
        kind: ChangeKind::Create,
        state: ChangeState::Waiting,
        place: Place {
            cluster: ClusterId("uid-of-kube-system".into()),
            cluster_name: "onprem-1".into(),
            namespace: "retail-prod".into(),
            namespace_uid: "uid-of-namespace".into(),
            scope: Scope {
                unit: "retail/fraud".into(),
                environment: "production".into(),
            },
        },
        object: ObjectRef::inference_service(name),
        usage: Use {
            purpose: "Answers questions of customers".into(),
            owner: "team-a".into(),
            ..Use::default()
        },
        requester: who.0,
        requester_account: who.1,
        created_at: at(n as i64),
        expires_at: at(3600),
        current_revision: RevisionId(uuid(2000 + n)),
        version: 1,
        end_reason: None,
        ended_at: None,
    };
    let (revision, item) = revision(&change, n, 1, Action::Apply);
    (change, revision, item)
}

/// Revision `number` of a change, with id `2000 + n`, and its item `3000 + n`.
pub fn revision(change: &Change, n: u128, number: i32, action: Action) -> (Revision, Item) {
    let content = Content {
        action,
        cluster: change.place.cluster.clone(),
        namespace: change.place.namespace.clone(),
        namespace_uid: change.place.namespace_uid.clone(),
        object: json!({"metadata": {"name": change.object.name}, "spec": {"replicas": n as u64, "ratio": 0.1}}),
        closure: Closure::default(),
    };
    let revision = Revision {
        id: RevisionId(uuid(2000 + n)),
        change: change.id,
        number,
        content_hash: content.hash(),
        content,
        manifest_yaml: "spec: {}\n# as typed\n".into(),
        comment: "please".into(),
        author: change.requester,
        author_account: change.requester_account,
        created_at: at(n as i64),
        seen: Seen::default(),
        stages: vec![Stage {
            role: Role::Approver,
            count: 1,
        }],
        policy_version: Digest::of(b"policy"),
    };
    let item = Item {
        id: ItemId(uuid(3000 + n)),
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
    (revision, item)
}

pub fn approval(n: u128, revision: &Revision, who: (PersonId, AccountId)) -> Decision {
    Decision {
        id: DecisionId(uuid(4000 + n)),
        change: revision.change,
        revision: revision.id,
        stage: 0,
        role: Role::Approver,
        outcome: Outcome::Approve,
        person: who.0,
        account: who.1,
        acting_for: None,
        reason: "fine".into(),
        content_hash: revision.content_hash.clone(),
        policy_version: revision.policy_version.clone(),
        decided_at: at(100),
        effective_at: at(110),
        undone_at: None,
        voided_at: None,
    }
}

pub fn to(change: ChangeId, version: i64, to: ChangeState) -> Transition {
    Transition {
        change,
        expected_version: version,
        to,
        end_reason: None,
        at: at(200),
    }
}

pub fn job(n: u128, item: &Item) -> NewJob {
    NewJob {
        id: JobId(uuid(5000 + n)),
        kind: JobKind::Apply,
        key: format!("{}/{}", item.revision, item.id),
        run_at: at(200),
        cluster: "onprem-1".into(),
        object: format!("retail-prod/{}", item.object.name),
        urgent: false,
    }
}

/// Everything the filter of a platform engineer sees.
pub fn everywhere() -> ChangeFilter {
    ChangeFilter {
        scopes: vec![(vec!["*".into()], vec!["*".into()])],
        ..ChangeFilter::default()
    }
}

/// A change that was approved and applied at `applied_at`, through every step.
pub async fn applied(
    db: &Db,
    n: u128,
    name: &str,
    requester: (PersonId, AccountId),
    approver: (PersonId, AccountId),
    action: Action,
    applied_at: Micros,
) {
    let (change, _, _) = change(n, name, requester);
    applied_change(db, n, change, approver, action, applied_at).await;
}

/// A stop that was applied. (It passes the same steps here; nobody looks at them.)
pub async fn stopped(
    db: &Db,
    n: u128,
    name: &str,
    requester: (PersonId, AccountId),
    approver: (PersonId, AccountId),
    applied_at: Micros,
) {
    let (change, _, _) = change(n, name, requester);
    let change = Change {
        kind: ChangeKind::Stop,
        ..change
    };
    applied_change(db, n, change, approver, Action::Apply, applied_at).await;
}

pub async fn applied_change(
    db: &Db,
    n: u128,
    change: Change,
    approver: (PersonId, AccountId),
    action: Action,
    applied_at: Micros,
) {
    let (revision, mut item) = revision(&change, n, 1, action);
    db.change_create(
        &change,
        &revision,
        std::slice::from_ref(&item),
        &[],
        None,
        &[],
    )
    .await
    .unwrap();
    db.decide(
        &approval(n, &revision, approver),
        Some(&to(change.id, 1, ChangeState::Held)),
        1,
        &[],
    )
    .await
    .unwrap();
    db.transition(
        &to(change.id, 2, ChangeState::Queued),
        &[job(n, &item)],
        &[],
    )
    .await
    .unwrap();
    let claimed = db
        .job_claim(&[JobKind::Apply], "w", at(300), at(400), &[])
        .await
        .unwrap()
        .unwrap();
    item.state = ItemState::Applying;
    db.item_update(
        &item,
        &claimed.fence,
        Some(&to(change.id, 3, ChangeState::Applying)),
        &[],
    )
    .await
    .unwrap();
    item.state = ItemState::Applied;
    item.applied_at = Some(applied_at);
    db.item_update(
        &item,
        &claimed.fence,
        Some(&to(change.id, 4, ChangeState::Applied)),
        &[],
    )
    .await
    .unwrap();
    assert!(db.job_done(&claimed.fence, at(301), &[]).await.unwrap());
}

/// The kind of the error that was expected.
pub fn kind<T>(result: domain::Result<T>) -> domain::Kind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(e) => e.kind,
    }
}
