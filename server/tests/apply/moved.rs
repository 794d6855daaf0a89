//! What runs became another one since it was asked for or approved.

use crate::setup::Setup;
use domain::{Kind as Why, Micros, change::*};
use serde_json::json;
use services::{changes::Ask, ports::ChangeStore as _};
use store::testing::Kind;

crate::setup::stories!(
    what_was_stopped_since_is_not_started_by_an_older_update,
    two_updates_from_one_base_do_not_undo_each_other,
    what_runs_is_compared_with_what_was_seen_and_not_with_what_controllers_write,
    nobody_approves_a_step_from_another_state_and_anybody_rejects_it,
);

const KEY: &str = "one/llama";

async fn what_was_stopped_since_is_not_started_by_an_older_update(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let scale = setup.ask(&key, Ask::Scale { min: 2, max: 3 }).await;
    setup.approve(scale).await;
    // While its hold runs, somebody stops the service, which waits for nobody.
    let stop = setup.ask(&key, Ask::Stop).await;
    setup.work_until_quiet().await;
    assert_eq!(setup.state(stop).await, ChangeState::Applied);
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    let ended = setup.change(scale).await;
    assert_eq!(ended.state, ChangeState::Failed);
    let said = ended.end_reason.unwrap_or_default();
    assert!(
        said.contains("What runs changed since it was approved"),
        "{said}"
    );
    assert!(said.contains("serving.kserve.io/stop"), "{said}");
    assert!(said.contains("ask again"), "{said}");
    let live = setup.cluster.object(KEY);
    assert_eq!(
        live["metadata"]["annotations"]["serving.kserve.io/stop"],
        "true"
    );
}

async fn two_updates_from_one_base_do_not_undo_each_other(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let first = setup.ask(&key, Ask::Scale { min: 2, max: 3 }).await;
    let second = setup.ask(&key, Ask::Scale { min: 4, max: 5 }).await;
    setup.approve(first).await;
    setup.approve(second).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    let ends = [setup.state(first).await, setup.state(second).await];
    assert!(
        ends.contains(&ChangeState::Applied) && ends.contains(&ChangeState::Failed),
        "{ends:?}"
    );
    let applied = if ends[0] == ChangeState::Applied {
        2
    } else {
        4
    };
    assert_eq!(
        setup.cluster.object(KEY)["spec"]["predictor"]["minReplicas"],
        applied
    );
}

async fn what_runs_is_compared_with_what_was_seen_and_not_with_what_controllers_write(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let scale = setup.ask(&key, Ask::Scale { min: 2, max: 3 }).await;
    setup.cluster.edit(KEY, |o| {
        o["status"] = json!({"url": "http://llama"});
        o["metadata"]["resourceVersion"] = json!("77");
        o["metadata"]["finalizers"] = json!(["inferenceservice.finalizers"]);
        o["metadata"]["labels"]["team"] = json!("x");
    });
    setup.approve(scale).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    assert_eq!(setup.state(scale).await, ChangeState::Applied);
}

async fn nobody_approves_a_step_from_another_state_and_anybody_rejects_it(kind: Kind) {
    let setup = Setup::new(kind).await;
    let key = setup.running().await;
    let scale = setup.ask(&key, Ask::Scale { min: 2, max: 3 }).await;
    setup
        .cluster
        .edit(KEY, |o| o["spec"]["predictor"]["timeout"] = json!(9));
    let hash = setup.hash(scale).await;
    let changes = &setup.services.changes;
    let view = changes.get(&setup.approver, scale).await.expect("shows");
    assert_eq!(view.live_moved, ["spec.predictor.timeout"]);
    let refused = changes
        .decide(&setup.approver, scale, Outcome::Approve, "ok", 1, &hash)
        .await
        .expect_err("it moved");
    assert_eq!(refused.kind, Why::Conflict);
    assert!(
        refused.message.contains("spec.predictor.timeout"),
        "{}",
        refused.message
    );
    assert!(refused.remedy.expect("a way out").contains("revise"));
    assert!(setup.db.decisions(scale).await.expect("reads").is_empty());
    changes
        .decide(&setup.approver, scale, Outcome::Reject, "moved", 1, &hash)
        .await
        .map_err(|e| e.for_log())
        .expect("rejects");
}
