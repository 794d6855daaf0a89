use super::*;
use serde_json::json;

fn recorded(scenario: &str) -> Value {
    let path = format!(
        "{}/testdata/observed/inferenceservice-{scenario}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    crate::yaml::parse_manifest(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_recorded_object_reads_whole() {
    let object = recorded("canary-standard");
    let v = View::new(&object);
    assert_eq!(
        (
            v.name(),
            v.namespace(),
            v.generation(),
            v.observed_generation()
        ),
        ("llama", "team-a", Some(4), Some(3))
    );
    assert_eq!(v.mode(None), Some(Mode::Standard));
    assert_eq!(
        v.format(),
        Some(Format {
            name: "vLLM".into(),
            version: None
        })
    );
    assert_eq!(v.runtime(), Some("kserve-vllmserver"));
    assert_eq!(v.runtime_in_use(), Some("kserve-vllmserver"));
    assert_eq!(
        (v.min_replicas(), v.max_replicas(), v.gpu_count()),
        (Some(1), Some(3), 1)
    );
    assert_eq!(v.requests()["memory"], "32Gi");
    assert_eq!(
        v.storage_uris()
            .iter()
            .map(|(p, _)| p.as_str())
            .collect::<Vec<_>>(),
        [
            "spec.predictor.model.storageUri",
            "spec.canary[0].predictor.model.storageUri"
        ]
    );
    assert_eq!(v.canaries()[0].name, "v2");
    assert_eq!(v.canaries()[0].traffic_percent, Some(20));
    assert!(v.canary_statuses()[0].ready);
    assert!(
        v.placement_with(None).tolerations[0].tolerates(&crate::observed::Taint {
            key: "nvidia.com/gpu".into(),
            value: "present".into(),
            effect: "NoSchedule".into()
        })
    );
    assert_eq!(v.model_status().unwrap().transition, "UpToDate");
    assert_eq!(v.condition("Stopped").unwrap().severity, "Info");
    assert_eq!(v.url(), Some("http://llama-team-a.example.com"));
    let object = recorded("crash");
    let failure = View::new(&object).model_status().unwrap().failure.unwrap();
    assert_eq!(
        (failure.exit_code, failure.message.as_str()),
        (Some(1), "CUDA out of memory")
    );
}

#[test]
fn whose_a_field_is() {
    let object = recorded("canary-standard");
    let v = View::new(&object);
    let names = |path: &str| {
        v.owners(path)
            .into_iter()
            .map(|m| m.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("spec.predictor.minReplicas"), ["gatehouse"]);
    assert_eq!(names("spec.predictor.model"), ["gatehouse"]);
    assert_eq!(
        names("spec.predictor.model.resources.limits.nvidia.com/gpu"),
        ["gatehouse"]
    );
    assert_eq!(
        names("metadata.annotations.serving.kserve.io/deploymentMode"),
        ["gatehouse"]
    );
    // Atomic lists are owned as a whole.
    assert_eq!(names("spec.predictor.tolerations[0].key"), ["gatehouse"]);
    assert_eq!(names("spec.canary[0].trafficPercent"), ["gatehouse"]);
    assert_eq!(names("status.url"), ["kserve-manager"]);
    assert_eq!(names("spec.predictor.timeout"), [] as [&str; 0]);
    assert_eq!(names(""), [] as [&str; 0]);
    assert_eq!(v.managers().len(), 3);
}

#[test]
fn items_of_lists_are_found_by_key_value_and_index() {
    let object = json!({"metadata": {"finalizers": ["a", "b"], "managedFields": [
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-24T06:00:00Z", "fieldsV1": {"f:spec": {"f:predictor": {"f:model": {"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}},
        {"manager": "gatehouse", "operation": "Apply", "time": "2026-11-24T05:00:00Z", "fieldsV1": {"f:metadata": {"f:finalizers": {"v:\"b\"": {}}}, "f:spec": {"f:predictor": {"f:model": {"f:env": {"k:{\"name\":\"A\"}": {"f:value": {}}, "k:{\"name\":\"B\"}": {".": {}}}}}}}}]},
        "spec": {"predictor": {"model": {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}}}});
    let v = View::new(&object);
    let names = |path: &str| {
        v.owners(path)
            .into_iter()
            .map(|m| m.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names("spec.predictor.model.env[A].value"),
        ["kubectl-edit", "gatehouse"]
    );
    assert_eq!(
        names("spec.predictor.model.env[1].value"),
        ["kubectl-edit", "gatehouse"]
    );
    assert_eq!(names("spec.predictor.model.env[B]"), ["gatehouse"]);
    assert_eq!(names("metadata.finalizers[1]"), ["gatehouse"]);
    assert_eq!(names("metadata.finalizers[0]"), [] as [&str; 0]);
    assert_eq!(names("spec.predictor.model.env[C]"), [] as [&str; 0]);
}

#[test]
fn a_manifest_that_is_not_right_reads_as_absent() {
    for object in [
        json!(null),
        json!([]),
        json!({"spec": 1}),
        json!({"spec": {"predictor": [], "canary": {}}, "metadata": "x", "status": {"conditions": 3}}),
    ] {
        let v = View::new(&object);
        assert_eq!(
            (v.name(), v.format(), v.gpu_count(), v.mode(None)),
            ("", None, 0, None)
        );
        assert!(
            v.conditions().is_empty()
                && v.canaries().is_empty()
                && v.env().is_empty()
                && v.owners("spec").is_empty()
        );
        assert!(v.requests().is_empty() && v.image().is_none() && v.secrets().is_empty());
    }
}

#[test]
fn a_serving_image_brings_its_own_container_and_a_sidecar_is_none() {
    let own = json!({"spec": {"predictor": {"containers": [{"name": "x", "image": "nim:1", "resources": {"limits": {"nvidia.com/gpu": 2}}}]}}});
    let v = View::new(&own);
    assert_eq!(
        (v.image(), v.source(), v.gpu_count()),
        (Some("nim:1"), "nim:1", 2)
    );
    assert_eq!(v.container().unwrap().0, "spec.predictor.containers[0]");
    let sidecar = json!({"spec": {"predictor": {"model": {"storageUri": "s3://b/m"}, "containers": [{"name": "agent", "image": "agent:1", "resources": {"requests": {"cpu": "500m"}}}]}}});
    let v = View::new(&sidecar);
    assert_eq!((v.image(), v.source()), (None, "s3://b/m"));
    assert_eq!(
        v.images(),
        [("spec.predictor.containers[0].image".to_owned(), "agent:1")]
    );
}

#[test]
fn the_runtimes_amounts_are_merged_one_by_one() {
    let object = json!({"spec": {"predictor": {"model": {"resources": {"requests": {"cpu": "4"}, "limits": {"nvidia.com/gpu": "1"}}}}}});
    let runtime = Runtime {
        name: "r".into(),
        namespace: None,
        disabled: false,
        formats: vec![],
        protocols: vec![],
        multi_node: false,
        created_at: None,
        spec: json!({"containers": [{"name": "kserve-container", "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}}}, {"name": "agent", "resources": {"requests": {"cpu": "500m"}}}]}),
    };
    let requests = View::new(&object).requests_with(Some(&runtime), &[]);
    assert_eq!(requests["cpu"], "4500m");
    assert_eq!(requests["memory"], "2Gi");
    assert_eq!(requests["nvidia.com/gpu"], "1");
    assert_eq!(
        View::new(&object).limits_with(Some(&runtime), &[])["memory"],
        "4Gi"
    );
}

#[test]
fn accelerators_are_known_by_name() {
    for name in [
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "nvidia.com/mig-1g.10gb",
        "amd.com/gpu",
        "gpu.intel.com/xe",
        "habana.ai/gaudi",
    ] {
        assert!(gpu_resource(name), "{name}");
    }
    for name in [
        "cpu",
        "memory",
        "ephemeral-storage",
        "hugepages-2Mi",
        "example.com/fpga",
    ] {
        assert!(!gpu_resource(name), "{name}");
    }
}
