//! Rules and rights that change while something is on its way.

use crate::setup::{Setup, signed_in, submission};
use domain::{
    Kind as Why, Micros,
    access::{ApprovalRule, Role, Stage},
    change::*,
    person::{GroupSnapshot, GroupSource},
};
use services::{changes::Submission, ports::*, wizard::Start};
use store::testing::Kind;

crate::setup::stories!(
    stricter_rules_ask_again_when_the_hold_ends,
    who_lost_the_right_during_the_hold_has_not_approved,
    one_bad_row_does_not_hold_up_the_others,
    a_revision_that_needs_no_approval_is_applied,
    nobody_else_edits_what_is_applied_with_the_requesters_rights,
);

fn rule(stages: &[(Role, u32)]) -> ApprovalRule {
    ApprovalRule {
        units: vec!["*".into()],
        environments: vec!["*".into()],
        stages: stages
            .iter()
            .map(|(role, count)| Stage {
                role: *role,
                count: *count,
            })
            .collect(),
    }
}

async fn stricter_rules_ask_again_when_the_hold_ends(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    let strict = setup.restarted(|s| {
        s.approvals = vec![rule(&[(Role::SecurityEngineer, 1), (Role::Approver, 1)])];
    });
    setup.clock.forward(11 * Micros::SECOND);
    assert_eq!(strict.changes.sweep().await.expect("sweeps"), 1);
    let again = setup.change(change).await;
    assert_eq!(again.state, ChangeState::Waiting);
    assert!(again.end_reason.unwrap_or_default().contains("stricter"));
    let security = signed_in(&setup.services, "security", "gh-security").await;
    // It waits for whoever has to decide first now.
    for (who, waiting) in [(&security, 1), (&setup.approver, 0)] {
        let count = strict.changes.queue_count(who).await;
        assert_eq!(count.expect("counts"), waiting, "{}", who.name);
    }
    let hash = setup.hash(change).await;
    for who in [&security, &setup.approver] {
        strict
            .changes
            .decide(who, change, Outcome::Approve, "looks right", 1, &hash)
            .await
            .map_err(|e| e.for_log())
            .expect("decides again");
    }
    assert_eq!(setup.change(change).await.end_reason, None);
    setup.clock.forward(11 * Micros::SECOND);
    assert_eq!(strict.changes.sweep().await.expect("sweeps"), 1);
    assert!(strict.apply.run_once("w").await.expect("works"));
    assert_eq!(setup.state(change).await, ChangeState::Applied);
}

async fn who_lost_the_right_during_the_hold_has_not_approved(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    let none = GroupSnapshot {
        groups: vec!["gh-somebody-else".into()],
        source: GroupSource::Refresh,
        taken_at: setup.services.ctx.clock.now(),
    };
    setup
        .db
        .record_groups(setup.approver.account, &none, &[])
        .await
        .expect("records");
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    let again = setup.change(change).await;
    assert_eq!(again.state, ChangeState::Waiting);
    assert!(again.end_reason.unwrap_or_default().contains("right"));
    assert!(setup.cluster.generations().is_empty());
    let other = signed_in(&setup.services, "other", "gh-approve").await;
    let hash = setup.hash(change).await;
    setup
        .services
        .changes
        .decide(&other, change, Outcome::Approve, "fine", 1, &hash)
        .await
        .map_err(|e| e.for_log())
        .expect("decides");
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Applied);
}

async fn one_bad_row_does_not_hold_up_the_others(kind: Kind) {
    let setup = Setup::new(kind).await;
    let bad = setup.submit(submission("one", "bad")).await;
    let good = setup.submit(submission("one", "good")).await;
    setup.approve(bad).await;
    setup.approve(good).await;
    let broken = setup
        .db
        .execute_for_test(
            "UPDATE revisions SET seen_json = 'broken' WHERE change_id = (SELECT id FROM changes WHERE object_name = 'bad')",
        )
        .await;
    assert_eq!(broken.expect("breaks"), 1);
    setup.clock.forward(11 * Micros::SECOND);
    assert!(setup.services.changes.sweep().await.is_err(), "it is said");
    assert_eq!(setup.state(good).await, ChangeState::Queued);
    assert_eq!(setup.state(bad).await, ChangeState::Held);
}

async fn nobody_else_edits_what_is_applied_with_the_requesters_rights(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    let other = signed_in(&setup.services, "other", "gh-ai").await;
    let revised = Submission {
        revises: Some(change),
        ..submission("one", "llama")
    };
    let changes = &setup.services.changes;
    let refused = changes.submit(&other, revised.clone()).await;
    assert_eq!(refused.expect_err("not theirs").kind, Why::Forbidden);
    let start = Start::Change(change);
    let edit = setup.services.wizard.start(&other, &start).await;
    assert_eq!(edit.expect_err("not theirs").kind, Why::Forbidden);
    assert_eq!(setup.revision(change).await.number, 1);
    for (who, may) in [(&other, false), (&setup.requester, true)] {
        let view = changes.get(who, change).await.map_err(|e| e.for_log());
        assert_eq!(view.expect("shows").may_edit, may);
    }
    setup.submit(revised).await;
    assert_eq!(setup.revision(change).await.number, 2);
}

async fn a_revision_that_needs_no_approval_is_applied(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    let lax = setup.restarted(|s| s.approvals = vec![rule(&[])]);
    let revised = Submission {
        revises: Some(change),
        comment: "again".into(),
        ..submission("one", "llama")
    };
    lax.changes
        .submit(&setup.requester, revised)
        .await
        .map_err(|e| e.for_log())
        .expect("revises");
    assert_eq!(setup.state(change).await, ChangeState::Queued);
    assert!(lax.apply.run_once("w").await.expect("works"));
    assert_eq!(setup.state(change).await, ChangeState::Applied);
}
