//! From decided to applied, with a death at each boundary on the way: exactly one effect, one end.
//!
//! The store is the real one; the cluster is an API server's essentials in memory, so that a test
//! can count effects. A death is a panic at the boundary: all that was not in the database is gone.

#![allow(clippy::unwrap_used, reason = "a failing test is its own message")]

mod api;
mod cluster;
mod ends;
mod groups;
mod moved;
mod overtaken;
mod queue;
mod rules;
mod schema;
mod setup;
mod wizard;

use domain::{Micros, change::*};
use services::{changes::Ask, ports::*};
use setup::{BOUNDARIES, Setup, die_at, stories, submission};
use std::sync::atomic::Ordering;
use store::testing::Kind;

stories!(
    each_boundary_may_be_the_last_thing_that_happens,
    each_boundary_of_an_update_and_a_delete_too,
    without_audit_nothing_reaches_the_cluster,
    what_would_be_stored_differently_is_not_applied,
    who_lost_the_right_since_does_not_apply,
    a_decision_can_be_undone_while_its_hold_runs_and_not_after,
    neither_the_requester_nor_a_stale_page_decides,
);

/// A worker dies there, and another one ends what it began.
async fn die_once(setup: &Setup, boundary: &'static str) {
    die_at(Some(boundary));
    let died = setup.work_until_dead().await;
    assert!(died, "nothing passes {boundary}");
    die_at(None);
    // The lease of the dead worker has to run out first.
    setup.clock.forward(2 * Micros::MINUTE);
    setup.work_until_quiet().await;
}

async fn each_boundary_may_be_the_last_thing_that_happens(kind: Kind) {
    for boundary in BOUNDARIES {
        let setup = Setup::new(kind).await;
        let change = setup.submitted().await;
        setup.approve(change).await;
        setup.clock.forward(11 * Micros::SECOND);
        die_once(&setup, boundary).await;

        let state = setup
            .db
            .change_get(change)
            .await
            .expect("reads")
            .expect("there")
            .state;
        assert_eq!(state, ChangeState::Applied, "after a death at {boundary}");
        assert_eq!(
            setup.cluster.generations(),
            [1],
            "one effect after a death at {boundary}"
        );
        let open = setup
            .db
            .audit_open_intents(None, setup.clock.now(), 10)
            .await
            .expect("reads");
        assert!(
            open.is_empty(),
            "an intent without an end after a death at {boundary}"
        );
    }
}

async fn each_boundary_of_an_update_and_a_delete_too(kind: Kind) {
    for boundary in BOUNDARIES {
        let setup = Setup::new(kind).await;
        let key = setup.running().await;
        for ask in [Ask::Scale { min: 2, max: 3 }, Ask::Delete] {
            let deleting = ask == Ask::Delete;
            let change = setup.ask(&key, ask).await;
            setup.approve(change).await;
            setup.clock.forward(11 * Micros::SECOND);
            die_once(&setup, boundary).await;

            assert_eq!(
                setup.state(change).await,
                ChangeState::Applied,
                "after a death at {boundary}"
            );
            let effects = (
                setup.cluster.generations(),
                setup.cluster.deletions.load(Ordering::SeqCst),
            );
            let expected = if deleting { (vec![], 1) } else { (vec![2], 0) };
            assert_eq!(effects, expected, "one effect after a death at {boundary}");
            let last = match boundary {
                // Gone, but who deleted it nobody wrote down.
                "effect" if deleting => RecordOutcome::Unknown,
                _ => RecordOutcome::Success,
            };
            let mut ends = vec![last];
            if boundary == "intent" {
                ends.insert(0, RecordOutcome::Unknown);
            }
            assert_eq!(
                overtaken::outcomes(&setup, change).await,
                ends,
                "{boundary}"
            );
        }
    }
}

async fn without_audit_nothing_reaches_the_cluster(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.services.changes.sweep().await.expect("queues");
    setup.db.break_audit().await.expect("breaks");
    let _ = setup.services.apply.run_once("w").await;
    assert!(
        setup.cluster.generations().is_empty(),
        "an effect without an intent"
    );
    setup.db.mend_audit().await.expect("mends");
    setup.clock.forward(2 * Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.cluster.generations(), [1]);
}

async fn what_would_be_stored_differently_is_not_applied(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.cluster.webhook_changes_its_mind();
    setup.work_until_quiet().await;
    let items = setup.db.items(change).await.expect("reads");
    assert_eq!(items[0].state, ItemState::Failed);
    let said = items[0].message.clone().unwrap_or_default();
    assert!(said.contains("spec.predictor.timeout"), "{said}");
    assert!(setup.cluster.generations().is_empty());
}

async fn who_lost_the_right_since_does_not_apply(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.provider.set_groups(&["gh-somebody-else"]);
    setup.clock.forward(20 * Micros::MINUTE);
    setup.work_until_quiet().await;
    let items = setup.db.items(change).await.expect("reads");
    assert_eq!(items[0].state, ItemState::Failed);
    assert!(setup.cluster.generations().is_empty());
}

async fn a_decision_can_be_undone_while_its_hold_runs_and_not_after(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup
        .services
        .changes
        .undo(&setup.approver, change)
        .await
        .expect("in time");
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    assert!(setup.cluster.generations().is_empty());
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    let late = setup.services.changes.undo(&setup.approver, change).await;
    assert_eq!(late.expect_err("too late").kind, domain::Kind::Conflict);
}

async fn neither_the_requester_nor_a_stale_page_decides(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    let hash = setup.hash(change).await;
    let own = setup
        .services
        .changes
        .decide(
            &setup.requester_as_approver(),
            change,
            Outcome::Approve,
            "me",
            1,
            &hash,
        )
        .await;
    assert_eq!(own.expect_err("four eyes").kind, domain::Kind::Forbidden);
    let other = domain::ids::Digest::of(b"another page");
    let stale = setup
        .services
        .changes
        .decide(&setup.approver, change, Outcome::Approve, "ok", 1, &other)
        .await;
    assert_eq!(
        stale.expect_err("another hash").kind,
        domain::Kind::Conflict
    );
    // Edited to another purpose, with the same content: what the page showed is not what is asked for.
    let mut edited = submission("one", "llama");
    edited.usage.purpose = "something else".into();
    edited.revises = Some(change);
    setup.submit(edited).await;
    assert_eq!(setup.hash(change).await, hash);
    for (number, decided) in [(1, false), (2, true)] {
        let end = setup
            .services
            .changes
            .decide(
                &setup.approver,
                change,
                Outcome::Approve,
                "ok",
                number,
                &hash,
            )
            .await;
        assert_eq!(end.is_ok(), decided, "revision {number}");
    }
}
