use super::*;
use serde_json::json;

fn pod_of(v: Value) -> core::Pod {
    serde_json::from_value(v).unwrap()
}

#[test]
fn a_pod_keeps_what_explains_it() {
    let p = pod(&pod_of(json!({
        "metadata": {"name": "llama-predictor-66455b6668-7bd6w", "namespace": "retail-dev",
            "labels": {"component": "predictor", "pod-template-hash": "66455b6668", ISVC_LABEL: "llama"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "llama-predictor-66455b6668", "uid": "u"}]},
        "spec": {"nodeName": "gpu-0", "containers": [
            {"name": "kserve-container", "resources": {"requests": {"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "2"}}},
            {"name": "agent", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]},
        "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": "2026-11-24T05:49:45Z"}],
            "containerStatuses": [{"name": "kserve-container", "image": "vllm:1", "imageID": "vllm@sha256:0", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "CUDA out of memory"}}}]}
    })));
    assert_eq!(
        (p.workload.as_str(), p.component.as_str(), p.node.as_deref()),
        ("llama-predictor", "predictor", Some("gpu-0"))
    );
    assert_eq!(
        p.requests,
        [
            ("cpu".into(), "4500m".into()),
            ("memory".into(), "33Gi".into()),
            ("nvidia.com/gpu".into(), "2".into())
        ]
    );
    let c = &p.containers[0];
    assert_eq!(
        (c.state.as_str(), c.reason.as_str(), c.restarts),
        ("waiting", "CrashLoopBackOff", 3)
    );
    assert_eq!(
        c.last_exit.as_ref().map(|e| (e.code, e.message.as_str())),
        Some((1, "CUDA out of memory"))
    );
    assert_eq!(p.conditions[0].since, Micros::parse("2026-11-24T05:49:45Z"));
}

#[test]
fn init_containers_count_by_their_largest_and_sidecars_with_the_rest() {
    let p = pod_of(json!({"spec": {
        "initContainers": [
            {"name": "big", "resources": {"requests": {"memory": "8Gi"}}},
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}],
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}],
        "overhead": {"cpu": "100m"}}}));
    let r = requests(&p);
    assert_eq!(r["memory"], Quantity::parse("8Gi").unwrap());
    assert_eq!(r["cpu"], Quantity::parse("3100m").unwrap());
}

#[test]
fn a_limit_alone_is_a_request_too() {
    let p = pod_of(
        json!({"spec": {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}),
    );
    assert_eq!(requests(&p)["nvidia.com/gpu"], Quantity::from_units(1));
}

#[test]
fn a_route_shows_the_weights_that_it_has() {
    let r = route(
        "llama",
        &json!({
        "spec": {"rules": [{"backendRefs": [{"name": "llama-predictor", "weight": 80}, {"name": "llama-v2-predictor", "weight": 20}]}]},
        "status": {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}}),
    );
    assert_eq!(
        r.backends,
        [
            ("llama-predictor".into(), 80),
            ("llama-v2-predictor".into(), 20)
        ]
    );
    assert_eq!(r.accepted, Some(true));
    assert_eq!(route("x", &json!({"spec": {}})).accepted, None);
}

#[test]
fn a_limit_range_is_read_by_what_it_bounds() {
    let range = limit_range(&serde_json::from_value(json!({
        "metadata": {"name": "defaults"},
        "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "4"}, "defaultRequest": {"cpu": "1"}, "max": {"memory": "64Gi"}},
            {"type": "Pod", "max": {"cpu": "32"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Ti"}},
        ]}})).unwrap());
    assert_eq!(range.name, "defaults");
    assert_eq!(
        (&range.default["cpu"], &range.default_request["cpu"]),
        (&"4".to_owned(), &"1".to_owned())
    );
    assert_eq!(range.max.len() + range.max_pod.len(), 2);
    assert_eq!(
        (&range.max["memory"], &range.max_pod["cpu"]),
        (&"64Gi".to_owned(), &"32".to_owned())
    );
}

#[test]
fn a_runtime_is_read_with_its_formats() {
    let meta = serde_json::from_value(
        json!({"name": "vllm", "creationTimestamp": "2026-11-24T05:43:07Z"}),
    );
    let r = runtime(
        &meta.unwrap(),
        &json!({"spec": {"supportedModelFormats": [{"name": "vLLM", "version": "1", "autoSelect": true, "priority": 1}],
        "protocolVersions": ["v2"], "workerSpec": {}, "containers": []}}),
    )
    .unwrap();
    assert_eq!(r.created_at, Micros::parse("2026-11-24T05:43:07Z"));
    assert_eq!(
        (
            r.formats[0].name.as_str(),
            r.formats[0].auto_select,
            r.multi_node,
            r.disabled
        ),
        ("vLLM", true, true, false)
    );
    assert_eq!(
        storage(
            &json!({"spec": {"supportedUriFormats": [{"prefix": "oras://"}, {"regex": "^x"}]}})
        ),
        (vec!["oras://".into()], vec!["^x".into()])
    );
}

#[test]
fn an_event_counts_by_its_series_where_it_has_one() {
    let e = event(&serde_json::from_value(json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning", "reason": "FailedScheduling",
        "message": "x".repeat(5000), "eventTime": "2026-11-24T05:43:07.000001Z", "series": {"count": 7, "lastObservedTime": "2026-11-24T06:00:00.000000Z"}
    })).unwrap());
    assert_eq!(
        (e.count, e.last),
        (7, Micros::parse("2026-11-24T06:00:00Z"))
    );
    assert!(e.message.chars().count() <= MAX_MESSAGE + 1);
}
