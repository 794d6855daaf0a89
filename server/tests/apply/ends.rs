//! How changes end when they do not come about: visibly, and with what to do.

use crate::setup::Setup;
use domain::{
    Micros,
    change::*,
    finding::{Finding, Severity},
};
use services::ports::*;
use std::sync::atomic::Ordering;
use store::testing::Kind;

crate::setup::stories!(
    a_field_that_another_manager_owns_ends_it_and_names_both,
    a_refusal_of_the_cluster_ends_it_with_its_words,
    what_nobody_decided_expires,
    without_fresh_watches_nothing_is_applied,
    a_cluster_that_is_known_to_be_away_is_not_asked,
);

/// Approved, and its hold over.
async fn due(setup: &Setup) -> domain::ids::ChangeId {
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    change
}

/// The change ended as failed, saying all of this on itself and on its item.
async fn failed(setup: &Setup, change: domain::ids::ChangeId, words: &[&str]) {
    let ended = setup.change(change).await;
    assert_eq!(ended.state, ChangeState::Failed);
    assert!(ended.ended_at.is_some());
    let said = ended.end_reason.unwrap_or_default();
    for word in words {
        assert!(said.contains(word), "“{word}” is not in “{said}”");
    }
    let items = setup.db.items(change).await.expect("reads");
    assert_eq!(items[0].state, ItemState::Failed);
    assert_eq!(items[0].message.as_deref(), Some(said.as_str()));
    assert!(setup.cluster.generations().is_empty());
}

async fn a_field_that_another_manager_owns_ends_it_and_names_both(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = due(&setup).await;
    setup.cluster.refuse(Refusal::Conflict {
        managers: vec![("kubectl-edit".into(), "spec.predictor.minReplicas".into())],
        message: "“kubectl-edit” owns spec.predictor.minReplicas.".into(),
    });
    setup.work_until_quiet().await;
    let words = [
        "kubectl-edit",
        "spec.predictor.minReplicas",
        "take its value over",
    ];
    failed(&setup, change, &words).await;
}

async fn a_refusal_of_the_cluster_ends_it_with_its_words(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = due(&setup).await;
    setup.cluster.refuse(Refusal::Rejected {
        findings: vec![Finding {
            rule: "admission".into(),
            severity: Severity::Error,
            field: "spec.predictor".into(),
            message: "no".into(),
            remedy: "Set fewer replicas.".into(),
        }],
        message: "A webhook says no.".into(),
    });
    setup.work_until_quiet().await;
    failed(
        &setup,
        change,
        &["A webhook says no.", "Set fewer replicas."],
    )
    .await;
    let change = due(&setup).await;
    setup.cluster.refuse(Refusal::Forbidden {
        message: "“oidc:ai” may not patch here.".into(),
    });
    setup.work_until_quiet().await;
    failed(&setup, change, &["may not patch", "RBAC"]).await;
}

async fn what_nobody_decided_expires(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.clock.forward(71 * Micros::HOUR);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Waiting);
    setup.clock.forward(Micros::HOUR);
    let hash = setup.hash(change).await;
    let late = setup
        .services
        .changes
        .decide(&setup.approver, change, Outcome::Approve, "ok", 1, &hash)
        .await;
    assert_eq!(late.expect_err("too late").kind, domain::Kind::Conflict);
    setup.work_until_quiet().await;
    let ended = setup.change(change).await;
    assert_eq!(ended.state, ChangeState::Expired);
    assert_eq!(
        ended.end_reason.as_deref(),
        Some("Nobody decided it in time.")
    );
    let items = setup.db.items(change).await.expect("reads");
    assert_eq!(items[0].state, ItemState::Expired);
    assert!(setup.cluster.generations().is_empty());
}

async fn without_fresh_watches_nothing_is_applied(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = due(&setup).await;
    for stale in [Followed::Namespaces, Followed::Runtimes] {
        setup.cluster.unfollow(&[stale]);
        setup.services.changes.sweep().await.expect("sweeps");
        assert!(setup.services.apply.run_once("w").await.expect("works"));
        let items = setup.db.items(change).await.expect("reads");
        assert_eq!(items[0].state, ItemState::Queued);
        let said = items[0].message.clone().unwrap_or_default();
        assert!(
            said.contains("cannot be listed") && said.contains("tried again"),
            "{said}"
        );
        assert!(setup.cluster.generations().is_empty());
        setup.clock.forward(Micros::MINUTE);
    }
    setup.cluster.unfollow(&[]);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Applied);
}

async fn a_cluster_that_is_known_to_be_away_is_not_asked(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = due(&setup).await;
    setup.services.changes.sweep().await.expect("sweeps");
    setup.cluster.away(true);
    let before = setup.cluster.calls.load(Ordering::SeqCst);
    assert!(setup.services.apply.run_once("w").await.expect("works"));
    assert_eq!(setup.cluster.calls.load(Ordering::SeqCst), before);
    assert_eq!(setup.state(change).await, ChangeState::Queued);
    setup.cluster.away(false);
    setup.clock.forward(Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Applied);
}
