use super::*;
use serde_json::json;

fn object(n: u32) -> Packed<Value> {
    Packed::new(&json!({"kind": "InferenceService", "metadata": {"generation": n}}))
}

fn pod(owner: Option<&str>, node: Option<&str>, gpus: i64) -> PodPut {
    PodPut {
        owner: owner.map(|o| {
            (
                o.to_owned(),
                Packed::new(&Pod {
                    name: format!("{o}-pod"),
                    ..Default::default()
                }),
            )
        }),
        node: node.map(str::to_owned),
        requests: [("nvidia.com/gpu".to_owned(), Quantity::from_units(gpus))].into(),
    }
}

fn event(kind: &str, object: &str, reason: &str) -> EventPut {
    EventPut {
        kind: kind.into(),
        object: object.into(),
        value: Packed::new(&Event {
            object_kind: kind.into(),
            object_name: object.into(),
            kind: "Warning".into(),
            reason: reason.into(),
            message: String::new(),
            count: 1,
            first: None,
            last: None,
        }),
    }
}

fn workload(data: &mut Data, ns: &str, name: &str, owner: &str) {
    let n = data.name(ns, name);
    data.workloads(Change::Put(
        n,
        Child {
            owner: owner.into(),
            value: Packed::new(&Workload {
                name: name.into(),
                ..Default::default()
            }),
        },
    ));
}

#[test]
fn children_wait_for_their_parent_and_outlive_it() {
    let mut data = Data::default();
    workload(&mut data, "retail-dev", "llama-predictor", "llama");
    assert_eq!(data.count(), 0);
    let n = data.name("retail-dev", "llama");
    data.objects(Change::Put(n.clone(), object(1)));
    assert_eq!(data.count(), 1);
    assert_eq!(
        data.entry("retail-dev", "llama").unwrap().workloads.len(),
        1
    );
    data.objects(Change::Gone(n));
    assert_eq!(data.count(), 0);
    assert!(data.entry("retail-dev", "llama").is_some());
    let w = data.name("retail-dev", "llama-predictor");
    data.workloads(Change::Gone(w));
    assert!(data.deployments.is_empty());
}

#[test]
fn a_complete_list_takes_away_what_is_not_in_it_and_disturbs_nothing_else() {
    let mut data = Data::default();
    let (a, b) = (data.name("x", "a"), data.name("x", "b"));
    data.objects(Change::All(vec![
        (a.clone(), object(1)),
        (b.clone(), object(1)),
    ]));
    data.dirty.clear();
    data.objects(Change::All(vec![(a.clone(), object(1))]));
    assert_eq!(data.dirty.iter().collect::<Vec<_>>(), [&b]);
    assert_eq!(data.count(), 1);
}

#[test]
fn the_same_again_is_no_news() {
    let mut data = Data::default();
    let (a, p, e) = (
        data.name("x", "a"),
        data.name("x", "a-pod"),
        data.name("x", "a.1"),
    );
    data.objects(Change::Put(a.clone(), object(1)));
    workload(&mut data, "x", "a-predictor", "a");
    data.pods(Change::Put(p.clone(), pod(Some("a"), Some("n"), 1)));
    data.events(Change::Put(e.clone(), event("InferenceService", "a", "R")));
    data.dirty.clear();
    data.objects(Change::Put(a, object(1)));
    workload(&mut data, "x", "a-predictor", "a");
    data.pods(Change::Put(p, pod(Some("a"), Some("n"), 1)));
    data.events(Change::Put(e, event("InferenceService", "a", "R")));
    assert!(data.dirty.is_empty(), "{:?}", data.dirty);
}

#[test]
fn pods_of_others_count_on_nodes_and_nowhere_else() {
    let mut data = Data::default();
    let (a, b) = (data.name("kube-system", "a"), data.name("x", "b"));
    data.pods(Change::Put(a.clone(), pod(None, Some("gpu-0"), 2)));
    data.pods(Change::Put(b.clone(), pod(Some("llama"), None, 4)));
    assert_eq!(data.usage.of("gpu-0")["nvidia.com/gpu"], "2");
    data.pods(Change::Put(b.clone(), pod(Some("llama"), Some("gpu-0"), 4)));
    assert_eq!(data.usage.of("gpu-0")["nvidia.com/gpu"], "6");
    data.pods(Change::All(vec![(b, pod(Some("llama"), Some("gpu-1"), 4))]));
    assert!(data.usage.of("gpu-0").is_empty());
    assert_eq!(data.usage.of("gpu-1")["nvidia.com/gpu"], "4");
    assert_eq!(data.deployments.len(), 1);
}

#[test]
fn an_event_finds_its_deployment() {
    let mut data = Data::default();
    for name in ["llama", "llama-v2"] {
        let n = data.name("x", name);
        data.objects(Change::Put(n, object(1)));
    }
    workload(&mut data, "x", "llama-predictor", "llama");
    workload(&mut data, "x", "llama-v2-predictor", "llama");
    let p = data.name("x", "llama-odd");
    data.pods(Change::Put(p, pod(Some("llama"), None, 0)));
    let ns: Arc<str> = "x".into();
    let of = |d: &Data, kind: &str, object: &str| {
        d.deployment_of(&ns, kind, object).map(|o| o.to_string())
    };
    assert_eq!(
        of(&data, "InferenceService", "llama-v2").as_deref(),
        Some("llama-v2")
    );
    assert_eq!(of(&data, "Pod", "llama-odd").as_deref(), Some("llama"));
    // the canary's pod, already gone: its Deployment is known
    assert_eq!(
        of(&data, "Pod", "llama-v2-predictor-6b4d4db4-655xd").as_deref(),
        Some("llama")
    );
    assert_eq!(
        of(&data, "ReplicaSet", "llama-predictor-66455b6668").as_deref(),
        Some("llama")
    );
    assert_eq!(
        of(&data, "HorizontalPodAutoscaler", "llama-predictor").as_deref(),
        Some("llama")
    );
    assert_eq!(of(&data, "Pod", "other-1-2"), None);
    assert_eq!(of(&data, "Secret", "llama"), None);
}

#[test]
fn events_are_bounded_and_follow_the_cluster() {
    let mut data = Data::default();
    let n = data.name("x", "llama");
    data.objects(Change::Put(n, object(1)));
    for i in 0..EVENTS_KEPT + 10 {
        let n = data.name("x", &format!("llama.{i}"));
        data.events(Change::Put(
            n,
            event("InferenceService", "llama", &format!("r{i}")),
        ));
    }
    let entry = data.entry("x", "llama").unwrap();
    assert_eq!(entry.events.len(), EVENTS_KEPT);
    assert_eq!(
        entry.events.values().next().unwrap().get().unwrap().reason,
        "r10"
    );
    assert_eq!(data.event_owner.len(), EVENTS_KEPT);
    data.events(Change::All(Vec::new()));
    assert!(data.entry("x", "llama").unwrap().events.is_empty() && data.event_owner.is_empty());
}

#[test]
fn a_namespace_that_changes_hands_makes_its_deployments_anew() {
    let mut data = Data::default();
    let n = data.name("x", "llama");
    data.objects(Change::Put(n.clone(), object(1)));
    data.dirty.clear();
    let space = |unit: &str| Space {
        uid: "u".into(),
        scope: Scope {
            unit: unit.into(),
            environment: "production".into(),
        },
    };
    let ns = data.name("", "x");
    data.namespaces(Change::Put(ns.clone(), space("retail")));
    assert!(data.dirty.contains(&n));
    data.dirty.clear();
    data.namespaces(Change::Put(ns.clone(), space("retail")));
    assert!(data.dirty.is_empty());
    data.namespaces(Change::All(vec![(ns, space("research"))]));
    assert!(data.dirty.contains(&n));
    assert_eq!(data.scope("x").unit, "research");
    assert_eq!(data.scope("unknown").unit, "");
}

#[test]
fn an_event_waits_for_its_object() {
    let mut data = Data::default();
    let e = data.name("x", "llama.1");
    data.events(Change::Put(
        e,
        event("InferenceService", "llama", "InternalError"),
    ));
    let other = data.name("x", "other.1");
    data.events(Change::Put(other, event("Secret", "llama", "R")));
    assert_eq!(data.waiting_events.len(), 1);
    let n = data.name("x", "llama");
    data.objects(Change::Put(n, object(1)));
    let events = &data.entry("x", "llama").unwrap().events;
    assert_eq!(
        events.values().next().unwrap().get().unwrap().reason,
        "InternalError"
    );
    assert!(data.waiting_events.is_empty());
    for i in 0..EVENTS_WAITING + 5 {
        let n = data.name("y", &format!("e{i}"));
        data.events(Change::Put(n, event("Pod", "stranger", "R")));
    }
    assert_eq!(data.waiting_events.len(), EVENTS_WAITING);
}
