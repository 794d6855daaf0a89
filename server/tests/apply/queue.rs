//! Several at work at once, and what is submitted twice.

use crate::setup::{Setup, submission};
use domain::{Kind as Why, Micros, change::*};
use services::{
    changes::{Ask, Submission},
    ports::*,
    wizard::Start,
};
use store::testing::Kind;

crate::setup::stories!(
    a_cluster_that_hangs_holds_up_its_own_jobs_only,
    a_stop_goes_before_what_was_queued_earlier,
    a_draft_is_submitted_once,
);

async fn a_cluster_that_hangs_holds_up_its_own_jobs_only(kind: Kind) {
    let setup = Setup::new(kind).await;
    let mut changes = Vec::new();
    for (cluster, name) in [("one", "first"), ("one", "second"), ("two", "third")] {
        let change = setup.submit(submission(cluster, name)).await;
        setup.approve(change).await;
        changes.push(change);
    }
    setup.clock.forward(11 * Micros::SECOND);
    setup.services.changes.sweep().await.expect("queues");
    setup.cluster.hang("one");
    let apply = &setup.services.apply;
    let first = apply.clone();
    let hanging = tokio::spawn(async move { first.run_once("w").await });
    setup.cluster.hangs.notified().await;
    assert!(apply.run_once("w").await.expect("works"));
    assert_eq!(setup.state(changes[2]).await, ChangeState::Applied);
    assert!(
        !apply.run_once("w").await.expect("works"),
        "the second job of a cluster that somebody is busy with"
    );
    setup.cluster.hang("nowhere");
    setup.cluster.awake.notify_one();
    assert!(hanging.await.expect("ends").expect("works"));
    setup.work_until_quiet().await;
    for change in changes {
        assert_eq!(setup.state(change).await, ChangeState::Applied);
    }
}

async fn a_stop_goes_before_what_was_queued_earlier(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let other = setup.submit(submission("one", "other")).await;
    setup.approve(other).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.services.changes.sweep().await.expect("queues");
    setup.clock.forward(Micros::SECOND);
    let stop = setup.ask(&key, Ask::Stop).await;
    assert!(setup.services.apply.run_once("w").await.expect("works"));
    assert_eq!(setup.state(stop).await, ChangeState::Applied);
    assert_eq!(setup.state(other).await, ChangeState::Queued);
}

async fn a_draft_is_submitted_once(kind: Kind) {
    let setup = Setup::new(kind).await;
    let wizard = &setup.services.wizard;
    let id = wizard
        .start(&setup.requester, &Start::Blank)
        .await
        .map_err(|e| e.for_log())
        .expect("starts");
    let version = wizard
        .draft(&setup.requester, id)
        .await
        .expect("reads")
        .version;
    let from_draft = |name: &str| Submission {
        draft: Some(DraftUsed { id, version }),
        ..submission("one", name)
    };
    setup.submit(from_draft("llama")).await;
    let again = setup
        .services
        .changes
        .submit(&setup.requester, from_draft("llama"))
        .await
        .expect_err("it is gone");
    assert_eq!(again.kind, Why::Conflict);
    let mine = setup
        .services
        .changes
        .mine(&setup.requester, None, 10)
        .await;
    assert_eq!(mine.expect("reads").rows.len(), 1);
}
