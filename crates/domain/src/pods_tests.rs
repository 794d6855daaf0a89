use super::*;
use serde_json::json;

fn runtime(spec: Value) -> Runtime {
    Runtime {
        name: "r".into(),
        namespace: None,
        disabled: false,
        multi_node: !spec["workerSpec"].is_null(),
        formats: vec![crate::observed::RuntimeFormat {
            name: "vLLM".into(),
            version: None,
            auto_select: true,
            priority: 1,
        }],
        protocols: vec![],
        created_at: None,
        spec,
    }
}

fn model(resources: &Value) -> Value {
    json!({"modelFormat": {"name": "vLLM"}, "storageUri": "pvc://m/x", "resources": resources})
}

fn line(pods: &[Pods]) -> Vec<String> {
    pods.iter()
        .map(|p| {
            let requests = p.requests();
            let all: Vec<String> = requests.iter().map(|(k, v)| format!("{k} {v}")).collect();
            format!("{} {} × {}", p.part, p.replicas, all.join(", "))
        })
        .collect()
}

#[test]
fn every_part_of_a_service_has_its_pods() {
    let gpu = json!({"limits": {"cpu": "4", "nvidia.com/gpu": "1"}});
    let service = json!({"metadata": {"namespace": "n"}, "spec": {
        "predictor": {"minReplicas": 2, "model": model(&gpu)},
        "canary": [{"predictor": {"name": "v2", "model": model(&gpu)}}],
        "transformer": {"minReplicas": 3, "containers": [{"resources": {"requests": {"cpu": "1"}}}]},
        "explainer": {"containers": [{}]}}});
    let beside = json!({"containers": [{"name": "kserve-container"}, {"name": "agent", "resources": {"requests": {"cpu": "500m"}}}]});
    let runtimes = [runtime(beside)];
    let pods = of(&service, &runtimes, &[], None);
    assert_eq!(
        line(&pods),
        [
            "predictor 2 × cpu 4500m, nvidia.com/gpu 1",
            "canary v2 1 × cpu 4500m, nvidia.com/gpu 1",
            "transformer 3 × cpu 1",
            "explainer 1 × "
        ]
    );
    // A limit range fills in what nobody says.
    let range = LimitRange {
        default_request: [("cpu".to_owned(), "100m".to_owned())].into(),
        ..LimitRange::default()
    };
    let filled = of(&service, &runtimes, &[range], None);
    assert_eq!(line(&filled)[3], "explainer 1 × cpu 100m");
    let mut stopped = service;
    stopped["metadata"]["annotations"] = json!({"serving.kserve.io/stop": "true"});
    assert_eq!(of(&stopped, &runtimes, &[], None), []);
}

#[test]
fn of_what_runs_the_pods_are_counted() {
    let model = model(&json!({"limits": {"cpu": "1"}}));
    let service = |mode: &str| {
        json!({"metadata": {"name": "llama", "namespace": "n", "annotations": {"serving.kserve.io/deploymentMode": mode}}, "spec": {
            "predictor": {"minReplicas": 4, "model": model},
            "canary": [{"predictor": {"name": "v2", "minReplicas": 2, "model": model}}],
            "transformer": {"containers": [{}]}}})
    };
    let pod = |workload: &str, component: &str, phase: &str| crate::observed::Pod {
        workload: workload.into(),
        component: component.into(),
        phase: phase.into(),
        ..Default::default()
    };
    let mut live = Live {
        key: crate::place::DeploymentKey::new("c", "n", "llama"),
        cluster: crate::ids::ClusterId("k".into()),
        namespace_uid: "u".into(),
        scope: crate::access::Scope {
            unit: "retail".into(),
            environment: "dev".into(),
        },
        object: service("Standard"),
        workloads: vec![],
        pods: vec![
            pod("llama-predictor", "predictor", "Running"),
            pod("llama-predictor", "predictor", "Failed"),
            pod("llama-v2-predictor", "predictor", "Pending"),
            pod("llama-transformer", "transformer", "Running"),
            pod("llama-transformer", "transformer", "Running"),
        ],
        events: vec![],
        routes: vec![],
        as_of: crate::Micros(0),
        stale: false,
    };
    let counts = |live: &Live| -> Vec<i64> {
        running(live, &[], &[], None)
            .iter()
            .map(|p| p.replicas)
            .collect()
    };
    assert_eq!(counts(&live), [1, 1, 1]);
    for _ in 0..5 {
        let more = pod("llama-predictor", "predictor", "Running");
        live.pods.push(more);
    }
    assert_eq!(counts(&live), [6, 1, 1], "an autoscaler's count too");
    let revision = "llama-predictor-00002-deployment";
    live.object = service("Knative");
    live.object["spec"]
        .as_object_mut()
        .expect("a spec")
        .remove("canary");
    live.pods = vec![pod(revision, "predictor", "Running")];
    assert_eq!(counts(&live), [1, 0]);
    live.pods.clear();
    assert_eq!(counts(&live), [0, 0]);
    live.workloads = vec![crate::observed::Workload {
        available: 4,
        ..Default::default()
    }];
    assert_eq!(counts(&live), [4, 1], "pods that cannot be seen");
}

#[test]
fn a_model_over_several_nodes_has_workers_as_kserve_reckons_them() {
    let service = |head: Value, worker: Value| {
        let manifest = json!({"metadata": {"namespace": "n"}, "spec": {"predictor": {
            "model": model(&head), "workerSpec": worker}}});
        let spec = json!({"containers": [{"name": "kserve-container"}],
            "workerSpec": {"pipelineParallelSize": 2, "tensorParallelSize": 1, "containers": [{"name": "worker-container"}]}});
        line(&of(&manifest, &[runtime(spec)], &[], None))
    };
    let gpus = |n: &str| json!({"limits": {"nvidia.com/gpu": n}});
    assert_eq!(
        service(json!({}), json!({})),
        [
            "predictor 1 × nvidia.com/gpu 1",
            "worker 1 × nvidia.com/gpu 1"
        ]
    );
    assert_eq!(
        service(
            gpus("2"),
            json!({"pipelineParallelSize": 3, "tensorParallelSize": 2, "containers": [{"resources": gpus("2")}]})
        ),
        [
            "predictor 1 × nvidia.com/gpu 2",
            "worker 2 × nvidia.com/gpu 2"
        ]
    );
    assert_eq!(
        service(gpus("4"), json!({"pipelineParallelSize": 4})),
        [
            "predictor 1 × nvidia.com/gpu 4",
            "worker 0 × nvidia.com/gpu 1"
        ]
    );
}

#[test]
fn what_changes_counts_beside_what_it_replaces_and_what_goes_is_given_back() {
    let pods = |part: &str, replicas: i64, cpu: &str| Pods {
        part: part.into(),
        replicas,
        containers: vec![Amounts {
            requests: [("cpu".to_owned(), cpu.to_owned())].into(),
            ..Amounts::default()
        }],
    };
    let before = [pods("predictor", 2, "1"), pods("canary v2", 1, "1")];
    let after = [pods("predictor", 3, "1"), pods("canary v3", 1, "1")];
    assert_eq!(
        line(&on_top(&before, &after)),
        [
            "predictor 1 × cpu 1",
            "canary v3 1 × cpu 1",
            "canary v2 -1 × cpu 1"
        ]
    );
    let larger = [pods("predictor", 2, "2")];
    assert_eq!(
        line(&on_top(&before[..1], &larger)),
        ["predictor 2 × cpu 2"]
    );
    assert_eq!(line(&on_top(&before[..1], &[])), ["predictor -2 × cpu 1"]);
}

#[test]
fn what_an_autoscaler_made_stays_up_to_the_most_that_it_may_make() {
    let predictor = |replicas| Pods {
        part: "predictor".into(),
        replicas,
        containers: vec![],
    };
    for (mode, class, most, stays) in [
        ("Standard", "hpa", Some(4), 4),
        ("Standard", "hpa", Some(3), 3),
        ("Standard", "hpa", None, 1),
        ("Standard", "none", Some(4), 1),
        ("Knative", "kpa", Some(0), 4),
        ("Knative", "kpa", None, 4),
        ("Knative", "kpa", Some(2), 2),
    ] {
        let mut manifest = json!({"metadata": {"annotations": {
            "serving.kserve.io/deploymentMode": mode, "serving.kserve.io/autoscalerClass": class}},
            "spec": {"predictor": {}}});
        if let Some(most) = most {
            manifest["spec"]["predictor"]["maxReplicas"] = json!(most);
        }
        let after = |running: &[Pods]| {
            let mut after = [predictor(1)];
            keep(&mut after, &View::new(&manifest), None, running);
            after[0].replicas
        };
        assert_eq!(after(&[predictor(4)]), stays, "{mode} {class} {most:?}");
        assert_eq!(after(&[]), 1);
    }
}
