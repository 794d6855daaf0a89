use super::*;
use serde_json::json;

mod properties;

fn recorded(scenario: &str) -> Value {
    let path = format!(
        "{}/testdata/observed/inferenceservice-{scenario}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    crate::yaml::parse_manifest(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn llama() -> Form {
    Form {
        name: "llama-3-8b".into(),
        namespace: "retail-dev".into(),
        format: "vLLM".into(),
        runtime: "kserve-vllmserver".into(),
        source: Source::Storage {
            uri: format!(
                "oci+native://registry.example/models/llama@sha256:{}",
                "0".repeat(64)
            ),
        },
        args: vec!["--max-model-len=8192".into()],
        env: vec![
            Env {
                name: "LOG_LEVEL".into(),
                source: EnvFrom::Value { value: "on".into() },
            },
            Env {
                name: "HF_TOKEN".into(),
                source: EnvFrom::Secret {
                    secret: "hugging-face".into(),
                    key: "token".into(),
                },
            },
        ],
        pull_secrets: vec!["registry".into()],
        ..Form::starting()
    }
}

#[test]
fn a_new_manifest_is_what_people_would_write() {
    insta::assert_snapshot!(crate::yaml::to_yaml(&llama().new_manifest()));
    assert_eq!(llama().errors(), []);
    let (back, unknown) = Form::from_manifest(&llama().new_manifest());
    assert_eq!((back, unknown), (llama(), vec![]));
    let nim = Form {
        source: Source::Image {
            image: "nvcr.io/nim/llama@sha256:0".into(),
            port: Some(8000),
        },
        format: String::new(),
        runtime: String::new(),
        ..llama()
    };
    insta::assert_snapshot!(crate::yaml::to_yaml(&nim.new_manifest()));
    assert_eq!(Form::from_manifest(&nim.new_manifest()), (nim, vec![]));
}

#[test]
fn a_key_that_no_object_has_at_its_top_is_not_called_kept() {
    let mut manifest = recorded("ready");
    manifest["metdata"] = json!({"a": 1});
    assert_eq!(Form::from_manifest(&manifest).1, [] as [&str; 0]);
}

#[test]
fn what_a_recorded_object_has_beyond_the_form_is_named() {
    assert_eq!(Form::from_manifest(&recorded("ready")).1, [] as [&str; 0]);
    let (form, unknown) = Form::from_manifest(&recorded("canary-standard"));
    assert_eq!(unknown, ["spec.canary"]);
    assert_eq!(
        (form.gpus, form.tolerate_gpu_taint, form.max_replicas),
        (1, true, Some(3))
    );
    assert_eq!(
        Form::from_manifest(&recorded("keda-absent")).1,
        ["metadata.annotations.serving.kserve.io/autoscalerClass"]
    );
    assert_eq!(
        Form::from_manifest(&rich()).1,
        [
            "metadata.annotations.team",
            "metadata.labels",
            "spec.predictor.affinity",
            "spec.predictor.containers",
            "spec.predictor.model.env[POD]",
            "spec.predictor.model.env[TOKEN].valueFrom.secretKeyRef.optional",
            "spec.predictor.model.resources.limits.ephemeral-storage",
            "spec.predictor.model.volumeMounts",
            "spec.predictor.nodeSelector",
            "spec.predictor.tolerations[0]",
            "spec.transformer",
        ]
    );
}

/// A manifest full of what the form does not know.
fn rich() -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "rich", "namespace": "retail-dev", "uid": "u", "labels": {"team": "a"}, "annotations": {"team": "a", "serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {
            "predictor": {
                "affinity": {"nodeAffinity": {}}, "minReplicas": 1,
                "nodeSelector": {"zone": "a"},
                "tolerations": [{"key": "dedicated", "value": "ai", "operator": "Exists", "effect": "NoSchedule"}, {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "containers": [{"name": "agent", "image": "agent:1"}],
                "model": {
                    "modelFormat": {"name": "vLLM"}, "storageUri": "s3://b/m", "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
                    "env": [{"name": "A", "value": "1"}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}}],
                    "resources": {"requests": {"cpu": 4, "memory": "8Gi"}, "limits": {"ephemeral-storage": "1Gi", "nvidia.com/gpu": 1}}
                }
            },
            "transformer": {"containers": [{"image": "t:1"}]}
        }
    })
}

#[test]
fn an_untouched_form_changes_only_what_it_must() {
    for scenario in [
        "ready",
        "canary-standard",
        "keda-absent",
        "min-zero-standard",
        "stop",
        "no-runtime",
    ] {
        let before = recorded(scenario);
        let mut after = before.clone();
        Form::from_manifest(&before).0.apply_to(&mut after);
        assert_eq!(crate::diff::diff(&before, &after), [], "{scenario}");
    }
    let mut after = rich();
    Form::from_manifest(&rich()).0.apply_to(&mut after);
    // A device is requested as it is limited: that is all.
    let paths: Vec<_> = crate::diff::diff(&rich(), &after)
        .into_iter()
        .map(|c| c.path)
        .collect();
    assert_eq!(
        paths,
        ["spec.predictor.model.resources.requests.nvidia.com/gpu"]
    );
}

/// A manifest whose lists hold what the form cannot show as it is.
fn foreign() -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "foreign", "namespace": "retail-dev", "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}},
        "spec": {"predictor": {
            "imagePullSecrets": [{"name": "registry"}, {}],
            "containers": [{
                "name": "kserve-container", "image": "server:1",
                "args": ["-c", "set -e\nserve  --port 8080 \n", "", 8080],
                "env": [
                    {"name": "CA", "value": "-----BEGIN CERTIFICATE-----\r\nMII=\n"},
                    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}},
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "SETTINGS", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
                    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k", "optional": true}}},
                    {"name": "PADDED", "value": "  two blanks  "},
                    {"name": "EMPTY"}
                ]
            }]
        }}
    })
}

#[test]
fn lists_of_a_foreign_manifest_survive_a_form_that_says_the_same() {
    let mut m = foreign();
    let (form, _) = Form::from_manifest(&m);
    assert!(!form.args_are_lines());
    assert_eq!(
        form.errors().iter().map(|e| &e.field).collect::<Vec<_>>(),
        ["env[2].name"]
    );
    form.apply_to(&mut m);
    assert_eq!(m, foreign());
    // A row that goes takes only its own entry along, and each of the others keeps what it had.
    let (mut form, _) = Form::from_manifest(&m);
    form.env.remove(1);
    form.apply_to(&mut m);
    let env = |m: &Value| {
        m["spec"]["predictor"]["containers"][0]["env"]
            .as_array()
            .unwrap()
            .clone()
    };
    let mut left = env(&foreign());
    left.remove(1);
    assert!(left.iter().all(|e| env(&m).contains(e)), "{m}");
    assert_eq!(env(&m).len(), left.len());
}

#[test]
fn what_is_served_may_be_said_where_the_form_does_not_look() {
    let with = |predictor: Value| json!({"metadata": {"name": "x", "namespace": "retail-dev"}, "spec": {"predictor": predictor}});
    for predictor in [
        json!({"model": {"modelFormat": {"name": "huggingface"}, "args": ["--model_id=org/model"]}}),
        json!({"model": {"modelFormat": {"name": "sklearn"}, "storage": {"key": "k", "path": "p"}}}),
        json!({"model": {"modelFormat": {"name": "vLLM"}}, "storageUris": [{"uri": "s3://b/m"}]}),
        json!({"sklearn": {"storageUri": "s3://b/m", "resources": {"limits": {"cpu": "1"}}}}),
    ] {
        let mut m = with(predictor.clone());
        let (form, _) = Form::from_manifest(&m);
        assert!(form.source_elsewhere, "{predictor}");
        assert_eq!(form.errors(), [], "{predictor}");
        form.apply_to(&mut m);
        assert_eq!(m["spec"]["predictor"], predictor);
    }
    let nowhere = with(json!({"model": {"modelFormat": {"name": "vLLM"}}}));
    assert_eq!(Form::from_manifest(&nowhere).0.errors()[0].field, "source");
}

#[test]
fn both_spellings_of_a_mode_are_taken() {
    for mode in ["Standard", "Knative", "RawDeployment", "Serverless", ""] {
        let form = Form {
            deployment_mode: mode.into(),
            ..llama()
        };
        assert_eq!(form.errors(), [], "{mode}");
    }
}

#[test]
fn changing_one_field_leaves_the_others() {
    let mut m = rich();
    let (mut form, _) = Form::from_manifest(&m);
    form.env.remove(0);
    form.env.push(Env {
        name: "B".into(),
        source: EnvFrom::Value { value: "2".into() },
    });
    form.gpus = 2;
    form.tolerate_gpu_taint = false;
    form.stop = true;
    form.apply_to(&mut m);
    assert_eq!(
        m["spec"]["predictor"]["model"]["env"],
        json!([
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "B", "value": "2"}])
    );
    assert_eq!(
        m["spec"]["predictor"]["tolerations"],
        json!([{"key": "dedicated", "value": "ai", "operator": "Exists", "effect": "NoSchedule"}])
    );
    assert_eq!(
        m["spec"]["predictor"]["model"]["resources"]["limits"],
        json!({"ephemeral-storage": "1Gi", "nvidia.com/gpu": "2"})
    );
    assert_eq!(
        m["metadata"]["annotations"]["serving.kserve.io/stop"],
        "true"
    );
    assert_eq!(m["spec"]["transformer"], rich()["spec"]["transformer"]);
    form.stop = false;
    form.apply_to(&mut m);
    assert!(
        m["metadata"]["annotations"]
            .get("serving.kserve.io/stop")
            .is_none()
    );
}

#[test]
fn the_source_can_change_its_kind_and_settings_move_along() {
    let mut m = rich();
    let (mut form, _) = Form::from_manifest(&m);
    form.source = Source::Image {
        image: "nim:1".into(),
        port: None,
    };
    form.format = String::new();
    form.apply_to(&mut m);
    let p = &m["spec"]["predictor"];
    assert!(p.get("model").is_none());
    assert_eq!(p["containers"][0]["name"], "kserve-container");
    assert_eq!(
        p["containers"][0]["volumeMounts"],
        rich()["spec"]["predictor"]["model"]["volumeMounts"]
    );
    assert_eq!(p["containers"][1]["name"], "agent");
    assert_eq!(Form::from_manifest(&m).0, form);
    form.source = Source::Storage {
        uri: "s3://b/m".into(),
    };
    form.format = "vLLM".into();
    form.apply_to(&mut m);
    assert_eq!(
        m["spec"]["predictor"]["containers"],
        rich()["spec"]["predictor"]["containers"]
    );
    assert_eq!(Form::from_manifest(&m).0, form);
}

#[test]
fn each_mistake_stands_beside_its_field() {
    let wrong = Form {
        name: "Llama_3".into(),
        deployment_mode: "Fast".into(),
        source: Source::Storage {
            uri: "no scheme".into(),
        },
        format: String::new(),
        args: vec!["x".repeat(10_000)],
        env: vec![
            Env {
                name: "1A".into(),
                source: EnvFrom::Value {
                    value: "\u{7}".into(),
                },
            },
            Env {
                name: "B".into(),
                source: EnvFrom::Secret {
                    secret: "No Name".into(),
                    key: String::new(),
                },
            },
            Env {
                name: "B".into(),
                source: EnvFrom::Value {
                    value: String::new(),
                },
            },
        ],
        pull_secrets: vec!["!".into()],
        min_replicas: Some(3),
        max_replicas: Some(2),
        gpus: 100,
        gpu_resource: "cpu".into(),
        cpu: "four".into(),
        memory: "32Gi".into(),
        memory_limit: "1Gi".into(),
        gpu_product: "a b".into(),
        protocol: "v3".into(),
        timeout: Some(0),
        ..Form::default()
    };
    let said: Vec<_> = wrong
        .errors()
        .into_iter()
        .map(|e| format!("{}: {}", e.field, e.message))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
    let long = Form {
        name: "a".repeat(49),
        ..llama()
    };
    assert_eq!(long.errors().len(), 1);
    assert_eq!(
        Form {
            name: "a".repeat(48),
            ..llama()
        }
        .errors(),
        []
    );
    let many = Form {
        args: vec![String::new(); 101],
        env: vec![
            Env {
                name: "A".into(),
                source: EnvFrom::Value {
                    value: String::new()
                }
            };
            101
        ],
        ..llama()
    };
    assert!(
        many.errors().iter().any(|e| e.field == "args")
            && many.errors().iter().any(|e| e.field == "env")
    );
}

#[test]
fn a_complaint_finds_its_field() {
    let model = json!({"metadata": {"name": "x"}, "spec": {"predictor": {
        "model": {"env": [
            {"name": "A", "value": "1"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]},
        "containers": [{"name": "sidecar", "image": "other"}],
    }}});
    for (path, field) in [
        ("metadata.name", Some("name")),
        (".spec.predictor.minReplicas", Some("min_replicas")),
        ("spec.predictor.model.modelFormat.name", Some("format")),
        (
            "spec.predictor.model.modelFormat.version",
            Some("format_version"),
        ),
        ("spec.predictor.model.env[0].value", Some("env[0].value")),
        // The form has no row for the second one, so the third stands in its second row.
        ("spec.predictor.model.env[1].valueFrom", Some("env")),
        (
            "spec.predictor.model.env[2].valueFrom.secretKeyRef.name",
            Some("env[1].secret"),
        ),
        (
            "spec.predictor.model.env[2].valueFrom.secretKeyRef.key",
            Some("env[1].key"),
        ),
        ("spec.predictor.model.env[9].name", Some("env")),
        (
            "spec.predictor.model.resources.requests.nvidia.com/gpu",
            Some("gpus"),
        ),
        (
            "spec.predictor.model.resources.limits.memory",
            Some("memory_limit"),
        ),
        (
            "spec.predictor.model.resources.limits.ephemeral-storage",
            None,
        ),
        (
            "spec.predictor.nodeSelector.nvidia.com/gpu.product",
            Some("gpu_product"),
        ),
        ("spec.predictor.tolerations[0]", Some("tolerate_gpu_taint")),
        ("spec.predictor.timeoutSeconds", None),
        // A sidecar is not what the form shows.
        ("spec.predictor.containers[0].image", None),
        ("spec.canary[0].predictor.name", None),
        ("", None),
    ] {
        assert_eq!(field_for(&model, path).as_deref(), field, "{path}");
    }
    let image = json!({"spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "nim"}]}}});
    for (path, field) in [
        ("spec.predictor.containers[0].image", Some("source")),
        (
            "spec.predictor.containers[0].ports[0].containerPort",
            Some("source.port"),
        ),
        ("spec.predictor.containers[0].args[1]", Some("args")),
        ("image", None),
    ] {
        assert_eq!(field_for(&image, path).as_deref(), field, "{path}");
    }
    let mut stray = image;
    stray["image"] = json!("nim");
    assert_eq!(field_for(&stray, "image").as_deref(), Some("yaml"));
}

#[test]
fn a_path_with_dots_in_its_keys_finds_its_value() {
    let m = json!({"metadata": {"annotations": {"serving.kserve.io/stop": "true"}},
        "spec": {"predictor": {"list": [{"key": 1}, {"key": 2}]}}});
    for (path, value) in [
        (
            "metadata.annotations.serving.kserve.io/stop",
            Some(json!("true")),
        ),
        ("spec.predictor.list[1].key", Some(json!(2))),
        ("spec.predictor.list[2].key", None),
        ("spec.pred", None),
    ] {
        assert_eq!(value_at(&m, path), value.as_ref(), "{path}");
    }
}
