//! Knative's revisions, and models that are spread over several nodes.

use super::super::*;
use super::scenarios::*;
use serde_json::{Value, json};

/// A service in Knative mode whose newest revision is 2, with what its status says of it.
fn revisions(ready: &str, serving: u32, traffic: &Value, wish: Option<i64>) -> Live {
    let revision = |n: u32| format!("llama-predictor-{n:05}");
    let object = json!({"metadata": {"name": "llama", "namespace": "n", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}},
        "spec": {"predictor": {"canaryTrafficPercent": wish, "model": {"modelFormat": {"name": "vLLM"}}}},
        "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "RevisionFailed", "message": "Revision failed"}],
            "components": {"predictor": {"latestCreatedRevision": revision(2), "latestReadyRevision": revision(serving), "traffic": traffic}}}});
    let mut l = live(object);
    l.workloads = vec![done("llama-predictor-00001-deployment"), done(NEW)];
    l
}

const NEW: &str = "llama-predictor-00002-deployment";

fn said(l: &Live) -> (Code, String) {
    let e = explain(l, now());
    (
        e.code,
        format!("{} | {}", e.headline, e.cause.unwrap_or_default()),
    )
}

#[test]
fn a_revision_that_does_not_come_up_is_explained_by_its_pods() {
    let mut l = revisions("False", 2, &json!([]), None);
    l.workloads[1] = deployment(NEW, 1, 1, 0, "ReplicaSetUpdated");
    l.pods = vec![unschedulable(NEW, "16")];
    let (code, words) = said(&l);
    assert_eq!(code, Code::Unschedulable, "{words}");
    assert!(words.contains("no node can take its pods"), "{words}");
    // An older one serves.
    l.object["status"]["components"]["predictor"]["latestReadyRevision"] =
        json!("llama-predictor-00001");
    l.pods = vec![crashing(NEW, 1, "Error", "CUDA out of memory")];
    let (code, words) = said(&l);
    assert_eq!(code, Code::Degraded);
    assert!(
        words.starts_with("The new revision does not come up: it crashes"),
        "{words}"
    );
    assert!(words.contains("llama-predictor-00001 serves"), "{words}");
    // Quota is told by the Deployment's condition.
    l.pods = vec![];
    l.workloads[1].conditions.push(condition(
        "ReplicaFailure",
        "True",
        "FailedCreate",
        "pods \"x\" is forbidden: exceeded quota: gpu, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=1",
    ));
    l.object["status"]["components"]["predictor"]["latestReadyRevision"] = Value::Null;
    assert_eq!(said(&l).0, Code::OutOfQuota);
    // Nothing stands in the way, and a new one comes up beside it.
    let mut l = revisions("Unknown", 1, &json!([]), None);
    l.workloads[1] = deployment(NEW, 1, 1, 0, "ReplicaSetUpdated");
    assert_eq!(said(&l).0, Code::Rolling);
}

#[test]
fn the_split_is_told_as_it_is() {
    let split = |old: i64, new: i64| {
        json!([{"revisionName": "llama-predictor-00001", "percent": old, "tag": "prev"},
        {"revisionName": "llama-predictor-00002", "percent": new, "latestRevision": true}])
    };
    let (code, words) = said(&revisions("True", 2, &split(80, 20), Some(20)));
    assert_eq!(code, Code::Canary);
    assert!(
        words.starts_with(
            "llama-predictor-00002 gets 20 % of the traffic, as wished: llama-predictor-00001 80 %"
        ),
        "{words}"
    );
    let (code, words) = said(&revisions("True", 2, &split(100, 0), Some(20)));
    assert_eq!(code, Code::Degraded);
    assert!(
        words.contains("gets 0 % of the traffic instead of 20 %"),
        "{words}"
    );
    let (code, words) = said(&revisions("True", 2, &Value::Null, Some(20)));
    assert_eq!(code, Code::Canary);
    assert!(words.contains("does not say yet"), "{words}");
    assert_eq!(
        said(&revisions("True", 2, &split(0, 100), None)).0,
        Code::Healthy
    );
    let r = row(&revisions("True", 2, &split(80, 20), Some(20)), now());
    assert_eq!((r.replicas_ready, r.replicas_desired), (2, 2));
}

/// `llama` over two nodes.
fn spread() -> Live {
    let mut object = recorded("ready");
    object["spec"]["predictor"]["workerSpec"] = json!({"tensorParallelSize": 4, "containers": []});
    let mut l = with(
        object,
        vec![done("llama-predictor"), done(WORKER)],
        vec![pod("llama-predictor", true), pod(WORKER, true)],
    );
    l.pods[1].name = format!("{WORKER}-66455b6668-abcde");
    l
}

const WORKER: &str = "llama-predictor-worker";

#[test]
fn a_model_over_several_nodes_serves_only_with_all_of_them() {
    let mut l = spread();
    assert_eq!(said(&l).0, Code::Healthy);
    let r = row(&l, now());
    assert_eq!((r.replicas_ready, r.replicas_desired, r.gpus), (1, 1, 2));
    l.pods.clear();
    let head = crate::isvc::View::new(&l.object).gpu_count();
    assert_eq!(
        row(&l, now()).gpus,
        head + 4,
        "what the workers wish counts too"
    );

    let mut l = spread();
    l.workloads[1] = deployment(WORKER, 1, 1, 0, "ReplicaSetUpdated");
    l.pods[1] = unschedulable(WORKER, "4");
    let (code, words) = said(&l);
    assert_eq!(code, Code::Unschedulable);
    assert!(words.contains("Only 0 of 1 workers are ready"), "{words}");
    // Dead for long, with no cause to be seen.
    l.pods.truncate(1);
    assert_eq!(said(&l).0, Code::Degraded);
    // The first node's own trouble comes first.
    l.workloads[0] = deployment("llama-predictor", 1, 1, 0, "ReplicaSetUpdated");
    l.pods = vec![crashing("llama-predictor", 1, "Error", "x")];
    assert_eq!(said(&l).0, Code::Crashing);
}
