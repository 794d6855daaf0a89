//! What a deployment's page tells after a life of changes: the store is the real one, the cluster an API
//! server's essentials in memory.

#![allow(clippy::unwrap_used, reason = "a failing test is its own message")]

#[allow(dead_code, reason = "shared with the tests of applying")]
#[path = "../apply/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "shared with the tests of applying")]
#[path = "../apply/setup.rs"]
mod setup;

use domain::{Kind, Micros, change::*, place::DeploymentKey};
use services::{
    changes::Ask,
    deployments::{Approval, Back, DeploymentView, Found},
    ports::*,
};
use setup::{Setup, stories};
use store::testing::Kind as Database;

stories!(
    the_page_offers_what_was_approved_and_says_who_did_what,
    stopping_what_drifted_does_not_approve_it,
    what_waits_for_somebody_is_what_they_may_decide,
);

fn key() -> DeploymentKey {
    DeploymentKey::new("one", "retail-prod", "llama")
}

async fn live(setup: &Setup) -> DeploymentView {
    match setup
        .services
        .deployments
        .find(&setup.requester, &key(), &Back::default())
        .await
    {
        Ok(Found::There(view)) => *view,
        other => panic!("it is there: {other:?}"),
    }
}

/// Asks, has it approved where that is needed, and applies it.
async fn done(setup: &Setup, ask: &Ask) {
    let change = setup
        .services
        .changes
        .ask(&setup.requester, &key(), ask, "", None)
        .await
        .map_err(|e| e.for_log())
        .unwrap();
    if ask.kind().needs_approval() {
        setup.approve(change).await;
    }
    apply(setup).await;
    let state = setup.db.change_get(change).await.unwrap().unwrap().state;
    assert_eq!(state, ChangeState::Applied, "{ask:?}");
}

async fn apply(setup: &Setup) {
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    setup.clock.forward(Micros::SECOND);
}

async fn the_page_offers_what_was_approved_and_says_who_did_what(on: Database) {
    let setup = Setup::new(on).await;
    let create = setup.submitted().await;
    setup.approve(create).await;
    apply(&setup).await;
    let v = live(&setup).await;
    assert_eq!((v.approval, v.rollback), (Approval::Approved, None));
    assert_eq!(v.last.map(|l| l.change.id), Some(create));
    assert_eq!(v.revisions[0].approved_by, ["approver"]);

    done(&setup, &Ask::Scale { min: 2, max: 3 }).await;
    let v = live(&setup).await;
    let back = v.rollback.expect("something to go back to");
    assert_eq!(back.number, 1);
    let paths: Vec<_> = back.changes.iter().map(|c| c.path.as_str()).collect();
    assert!(paths.contains(&"spec.predictor.minReplicas"), "{paths:?}");
    let last = v.last.expect("a last change");
    assert_eq!(
        (last.change.kind, last.by.as_str()),
        (ChangeKind::Scale, "ai")
    );
    assert!(domain::diff::in_words(&last.what, 3).contains("minReplicas 1 → 2"));

    // What waits is not what was done.
    let waiting = setup
        .services
        .changes
        .ask(
            &setup.requester,
            &key(),
            &Ask::Scale { min: 1, max: 1 },
            "",
            None,
        )
        .await
        .unwrap();
    let v = live(&setup).await;
    assert_eq!(v.last.map(|l| l.change.id), Some(last.change.id));
    assert_eq!(v.open_changes[0].change.id, waiting);
    setup
        .services
        .changes
        .withdraw(&setup.requester, waiting, "")
        .await
        .unwrap();

    // Stopping changes nothing about what is approved; starting does not make the stop a way back.
    done(&setup, &Ask::Stop).await;
    let v = live(&setup).await;
    assert_eq!(v.approval, Approval::Approved);
    let stop = v.revisions[0].revision;
    assert!(v.revisions[0].approved_by.is_empty(), "a stop needs nobody");
    done(&setup, &Ask::Start).await;
    let v = live(&setup).await;
    assert_eq!(v.rollback.map(|r| r.number), Some(1));
    let refused = setup
        .services
        .changes
        .ask(
            &setup.requester,
            &key(),
            &Ask::Rollback { revision: stop },
            "",
            None,
        )
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Invalid);

    // Gone by a change: by whom, and what there was.
    done(&setup, &Ask::Delete).await;
    let found = setup
        .services
        .deployments
        .find(&setup.requester, &key(), &Back::default())
        .await;
    let Ok(Found::Gone(gone)) = found else {
        panic!("it is gone: {found:?}")
    };
    assert_eq!(gone.last.change.kind, ChangeKind::Delete);
    assert_eq!((gone.revisions.rows.len(), gone.away), (4, None));
    let stranger = services::Caller {
        grants: vec![],
        ..setup.approver.clone()
    };
    let unseen = setup
        .services
        .deployments
        .find(&stranger, &key(), &Back::default())
        .await;
    assert_eq!(unseen.unwrap_err().kind, Kind::NotFound);

    // Made again past the console: nobody approved that, whatever was approved before.
    let object = setup.db.revision_get(gone.revisions.rows[0].revision).await;
    let object = object.unwrap().unwrap().content.object;
    let identity = setup.cluster.identity("one", "root", &[]).unwrap();
    setup
        .cluster
        .apply("one", &identity, &object, None)
        .await
        .unwrap();
    let v = live(&setup).await;
    assert_eq!(v.approval, Approval::Unapproved);
    assert!(v.outside.is_some_and(|o| o.made));
    let marks = setup
        .db
        .approved_fingerprints(&[(key(), "ns-1".into())])
        .await
        .unwrap();
    assert!(marks.is_empty(), "the list says the same");
}

async fn stopping_what_drifted_does_not_approve_it(on: Database) {
    let setup = Setup::new(on).await;
    let create = setup.submitted().await;
    setup.approve(create).await;
    apply(&setup).await;
    let mut object = setup
        .cluster
        .live(&key(), setup.clock.now())
        .unwrap()
        .object;
    object["spec"]["predictor"]["timeout"] = 7.into();
    let identity = setup.cluster.identity("one", "root", &[]).unwrap();
    setup
        .cluster
        .apply(
            "one",
            &identity,
            &domain::content::clean(&object),
            ObjectVersion::of(&object).as_ref(),
        )
        .await
        .unwrap();
    done(&setup, &Ask::Stop).await;
    let v = live(&setup).await;
    assert_eq!(v.approval, Approval::Drifted);
    let marks = setup
        .db
        .approved_fingerprints(&[(key(), "ns-1".into())])
        .await
        .unwrap();
    let mark = &marks[&key()];
    assert!(mark.stopped && !v.row.is_as_approved(&mark.fingerprint, mark.stopped));
    // The way back is what was approved.
    assert_eq!(v.rollback.map(|r| r.number), Some(1));
}

async fn what_waits_for_somebody_is_what_they_may_decide(on: Database) {
    let setup = Setup::new(on).await;
    let change = setup.submitted().await;
    let changes = &setup.services.changes;
    assert_eq!(changes.queue_count(&setup.approver).await.unwrap(), 1);
    assert_eq!(changes.queue_count(&setup.requester).await.unwrap(), 0);
    let both = setup.requester_as_approver();
    assert_eq!(changes.queue_count(&both).await.unwrap(), 0);
    let mark = changes.queue_mark(&setup.approver).await.unwrap();
    let page = changes.mark(&setup.approver, change).await.unwrap();
    changes.seen_by(&setup.requester, change).await.unwrap();
    assert_ne!(changes.mark(&setup.approver, change).await.unwrap(), page);
    assert_ne!(changes.queue_mark(&setup.approver).await.unwrap(), mark);
    let page = changes.mark(&setup.approver, change).await.unwrap();
    changes.seen_by(&setup.approver, change).await.unwrap();
    let same = changes.mark(&setup.approver, change).await.unwrap();
    assert_eq!(same, page, "one's own presence is no news");
}
