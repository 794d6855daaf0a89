//! Between looking and writing somebody is faster: another worker, another replica, a stranger.

use crate::setup::{Setup, die_at, submission};
use domain::{Micros, change::*, ids::ChangeId};
use serde_json::{Value, json};
use services::{changes::Ask, ports::*};
use store::testing::Kind;

crate::setup::stories!(
    a_stop_between_look_and_write_stays,
    what_controllers_write_meanwhile_is_no_reason_to_fail,
    what_changes_all_the_time_is_tried_again_and_then_given_up,
    a_worker_that_wakes_up_late_writes_nothing_over_what_came_since,
    two_replicas_are_never_at_one_deployment,
    what_a_stranger_made_alike_is_not_the_changes_own,
    what_a_stranger_deleted_is_gone_and_nobody_claims_it,
    a_second_attempt_to_create_writes_over_nothing,
);

const KEY: &str = "one/llama";
const STOPPED: &str = "serving.kserve.io/stop";

/// Approved, and its hold over.
async fn due(setup: &Setup, ask: Ask) -> ChangeId {
    let key = domain::place::DeploymentKey::new("one", "retail-prod", "llama");
    let change = setup.ask(&key, ask).await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    change
}

async fn said(setup: &Setup, change: ChangeId) -> String {
    setup.change(change).await.end_reason.unwrap_or_default()
}

/// How the attempts at a change ended, oldest first.
pub async fn outcomes(setup: &Setup, change: ChangeId) -> Vec<RecordOutcome> {
    let filter = AuditFilter {
        change: Some(change),
        action: Some("item.apply".into()),
        scopes: vec![(vec!["*".into()], vec!["*".into()])],
        ..Default::default()
    };
    let records = setup.db.audit_list(&filter, None, 100).await;
    let open = setup
        .db
        .audit_open_intents(Some(change), setup.clock.now(), 10)
        .await;
    assert!(open.expect("reads").is_empty(), "an intent without an end");
    let rows = records.expect("reads").rows;
    rows.iter().rev().filter_map(|r| r.record.outcome).collect()
}

fn stop(o: &mut Value) {
    o["metadata"]["annotations"][STOPPED] = json!("true");
}

async fn a_stop_between_look_and_write_stays(kind: Kind) {
    let setup = Setup::new(kind).await;
    setup.running().await;
    for ask in [Ask::Scale { min: 2, max: 3 }, Ask::Start] {
        // A start is asked for of what is stopped, and somebody changes what it would start.
        let starting = ask == Ask::Start;
        let change = due(&setup, ask).await;
        setup.cluster.meanwhile(move |o| match starting {
            true => o["spec"]["predictor"]["timeout"] = json!(9),
            false => stop(o),
        });
        setup.work_until_quiet().await;
        assert_eq!(setup.state(change).await, ChangeState::Failed);
        let said = said(&setup, change).await;
        assert!(said.contains("What runs changed"), "{said}");
        assert!(said.contains("Nothing was applied"), "{said}");
        assert_eq!(outcomes(&setup, change).await, [RecordOutcome::Failure]);
        let live = setup.cluster.object(KEY);
        assert_eq!(live["metadata"]["annotations"][STOPPED], "true");
    }
}

async fn what_controllers_write_meanwhile_is_no_reason_to_fail(kind: Kind) {
    let setup = Setup::new(kind).await;
    setup.running().await;
    let scale = due(&setup, Ask::Scale { min: 2, max: 3 }).await;
    for n in 0..3 {
        setup
            .cluster
            .meanwhile(move |o| o["status"] = json!({"n": n}));
    }
    setup.work_until_quiet().await;
    assert_eq!(setup.state(scale).await, ChangeState::Applied);
    assert_eq!(outcomes(&setup, scale).await, [RecordOutcome::Success]);
    let delete = due(&setup, Ask::Delete).await;
    setup.cluster.meanwhile(|o| o["status"] = json!({}));
    setup.work_until_quiet().await;
    assert_eq!(setup.state(delete).await, ChangeState::Applied);
    assert!(setup.cluster.generations().is_empty());
}

async fn what_changes_all_the_time_is_tried_again_and_then_given_up(kind: Kind) {
    let setup = Setup::new(kind).await;
    setup.running().await;
    let scale = due(&setup, Ask::Scale { min: 2, max: 3 }).await;
    for _ in 0..5 {
        setup.cluster.meanwhile(|o| o["status"] = json!({}));
    }
    setup.work_until_quiet().await;
    assert_eq!(setup.state(scale).await, ChangeState::Applying);
    setup.clock.forward(Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(scale).await, ChangeState::Applied);

    let scale = due(&setup, Ask::Scale { min: 3, max: 3 }).await;
    for _ in 0..200 {
        setup.cluster.meanwhile(|o| o["status"] = json!({}));
    }
    for _ in 0..25 {
        setup.work_until_quiet().await;
        setup.clock.forward(2 * Micros::MINUTE);
    }
    assert_eq!(setup.state(scale).await, ChangeState::Failed);
    assert!(said(&setup, scale).await.contains("Given up"));
}

async fn a_worker_that_wakes_up_late_writes_nothing_over_what_came_since(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let scale = due(&setup, Ask::Scale { min: 2, max: 3 }).await;
    setup.services.changes.sweep().await.expect("queues");
    setup.cluster.hang_next_write();
    let slow = setup.services.apply.clone();
    let slow = tokio::spawn(async move { slow.run_once("slow").await });
    setup.cluster.hangs.notified().await;
    // Its lease runs out; another replica does it, and the next change too.
    setup.clock.forward(2 * Micros::MINUTE);
    let other = setup.restarted(|_| {}).apply;
    assert!(other.run_once("other").await.expect("works"));
    assert_eq!(setup.state(scale).await, ChangeState::Applied);
    let stop = setup.ask(&key, Ask::Stop).await;
    assert!(other.run_once("other").await.expect("works"));
    assert_eq!(setup.state(stop).await, ChangeState::Applied);
    setup.cluster.awake.notify_one();
    assert!(slow.await.expect("ends").expect("gives it up"));
    let live = setup.cluster.object(KEY);
    assert_eq!(live["metadata"]["annotations"][STOPPED], "true");
    assert_eq!(setup.state(scale).await, ChangeState::Applied);
    let ends = [RecordOutcome::Unknown, RecordOutcome::Success];
    assert_eq!(outcomes(&setup, scale).await, ends);
}

async fn two_replicas_are_never_at_one_deployment(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    due(&setup, Ask::Scale { min: 2, max: 3 }).await;
    setup.services.changes.sweep().await.expect("queues");
    setup.cluster.hang_next_write();
    let slow = setup.services.apply.clone();
    let slow = tokio::spawn(async move { slow.run_once("slow").await });
    setup.cluster.hangs.notified().await;
    let other = setup.restarted(|_| {}).apply;
    let stop = setup.ask(&key, Ask::Stop).await;
    assert!(
        !other.run_once("other").await.expect("looks"),
        "the deployment is another replica's"
    );
    assert_eq!(setup.state(stop).await, ChangeState::Queued);
    let elsewhere = setup.submit(submission("one", "second")).await;
    setup.approve(elsewhere).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.services.changes.sweep().await.expect("queues");
    assert!(other.run_once("other").await.expect("works"));
    assert_eq!(setup.state(elsewhere).await, ChangeState::Applied);
    setup.cluster.awake.notify_one();
    assert!(slow.await.expect("ends").expect("works"));
}

async fn what_a_stranger_made_alike_is_not_the_changes_own(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    die_at(Some("intent"));
    assert!(setup.work_until_dead().await);
    die_at(None);
    let same = setup.revision(change).await.content.object;
    setup.cluster.put(KEY, same, "uid-of-a-stranger");
    setup.clock.forward(2 * Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Failed);
    let said = said(&setup, change).await;
    assert!(
        said.contains("there is a deployment of this name"),
        "{said}"
    );
    // The attempt that died may have got through and been deleted since, for all that is known.
    assert!(!said.contains("Nothing was applied"), "{said}");
    assert_eq!(outcomes(&setup, change).await, [RecordOutcome::Unknown]);
}

async fn what_a_stranger_deleted_is_gone_and_nobody_claims_it(kind: Kind) {
    let setup = Setup::new(kind).await;
    setup.running().await;
    let delete = due(&setup, Ask::Delete).await;
    die_at(Some("intent"));
    assert!(setup.work_until_dead().await);
    die_at(None);
    setup.cluster.remove(KEY);
    setup.clock.forward(2 * Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(delete).await, ChangeState::Applied);
    assert_eq!(outcomes(&setup, delete).await, [RecordOutcome::Unknown]);
}

async fn a_second_attempt_to_create_writes_over_nothing(kind: Kind) {
    let setup = Setup::new(kind).await;
    let change = setup.submitted().await;
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.cluster.refuse(Refusal::Unavailable {
        message: "it is away".into(),
        maybe_done: true,
    });
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Applying);
    // The second attempt finds nothing, and somebody is faster.
    setup.cluster.made_meanwhile(json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "llama", "namespace": "retail-prod"}, "spec": {"predictor": {"timeout": 7}}}));
    setup.clock.forward(Micros::MINUTE);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(change).await, ChangeState::Failed);
    let live = setup.cluster.object(KEY);
    assert_eq!(live["metadata"]["uid"], "uid-of-a-stranger");
    assert_eq!(live["spec"], json!({"predictor": {"timeout": 7}}));
}
