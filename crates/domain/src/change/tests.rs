use super::*;
use crate::{
    access::Scope,
    content::{Action, Closure},
};
use uuid::Uuid;

fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn change() -> Change {
    Change {
        id: ChangeId(Uuid::from_u128(1)),
        kind: ChangeKind::Create,
        state: ChangeState::Waiting,
        place: Place {
            cluster: ClusterId("c".into()),
            cluster_name: "c".into(),
            namespace: "n".into(),
            namespace_uid: "u".into(),
            scope: Scope {
                unit: "retail".into(),
                environment: "production".into(),
            },
        },
        object: ObjectRef::inference_service("llama"),
        usage: Use::default(),
        requester: person(1),
        requester_account: AccountId(Uuid::from_u128(9)),
        created_at: Micros(0),
        expires_at: Micros(100),
        current_revision: RevisionId(Uuid::from_u128(2)),
        version: 1,
        end_reason: None,
        ended_at: None,
    }
}

fn revision(stages: Vec<Stage>) -> Revision {
    let content = Content {
        action: Action::Apply,
        cluster: ClusterId("c".into()),
        namespace: "n".into(),
        namespace_uid: "u".into(),
        object: serde_json::json!({"metadata": {}}),
        closure: Closure::default(),
    };
    Revision {
        id: RevisionId(Uuid::from_u128(2)),
        change: ChangeId(Uuid::from_u128(1)),
        number: 1,
        content_hash: content.hash(),
        content,
        manifest_yaml: String::new(),
        comment: String::new(),
        author: person(1),
        author_account: AccountId(Uuid::from_u128(9)),
        created_at: Micros(0),
        seen: Seen::default(),
        stages,
        policy_version: Digest::of(b""),
    }
}

fn approve(stage: i32, who: u128, role: Role) -> Decision {
    Decision {
        id: DecisionId(Uuid::from_u128(who)),
        change: ChangeId(Uuid::from_u128(1)),
        revision: RevisionId(Uuid::from_u128(2)),
        stage,
        role,
        outcome: Outcome::Approve,
        person: person(who),
        account: AccountId(Uuid::from_u128(who)),
        acting_for: None,
        reason: "ok".into(),
        content_hash: Digest::of(b""),
        policy_version: Digest::of(b""),
        decided_at: Micros(1),
        effective_at: Micros(2),
        undone_at: None,
        voided_at: None,
    }
}

#[test]
fn four_eyes_are_counted_over_people() {
    let (c, r) = (
        change(),
        revision(vec![Stage {
            role: Role::Approver,
            count: 1,
        }]),
    );
    assert_eq!(
        may_decide(&c, &r, &[], person(1), &[Role::Approver], Micros(5)),
        Err(CannotDecide::Requester)
    );
    assert_eq!(
        may_decide(&c, &r, &[], person(2), &[], Micros(5)),
        Err(CannotDecide::NoRole {
            needed: vec![Role::Approver]
        })
    );
    assert!(may_decide(&c, &r, &[], person(2), &[Role::Approver], Micros(5)).is_ok());
    assert_eq!(
        may_decide(&c, &r, &[], person(2), &[Role::Approver], Micros(100)),
        Err(CannotDecide::Expired)
    );
}

#[test]
fn every_stage_needs_its_own_people() {
    let stages = vec![
        Stage {
            role: Role::SecurityEngineer,
            count: 1,
        },
        Stage {
            role: Role::Approver,
            count: 2,
        },
    ];
    let r = revision(stages.clone());
    let one = vec![approve(0, 2, Role::SecurityEngineer)];
    assert_eq!(
        open_stage(&stages, &one).map(|s| (s.index, s.missing)),
        Some((1, 2))
    );
    assert_eq!(
        may_decide(&change(), &r, &one, person(2), &[Role::Approver], Micros(5)),
        Err(CannotDecide::AlreadyDecided)
    );
    let mut all = one;
    all.extend([approve(1, 3, Role::Approver), approve(1, 4, Role::Approver)]);
    assert_eq!(open_stage(&stages, &all), None);
    all[2].undone_at = Some(Micros(3));
    assert_eq!(open_stage(&stages, &all).map(|s| s.missing), Some(1));
}

#[test]
fn ends_lead_nowhere() {
    for from in ChangeState::ALL {
        for to in ChangeState::ALL {
            assert!(!(from.is_end() && from.may_become(to)), "{from:?} → {to:?}");
        }
    }
}
