use super::*;
use serde_json::json;

fn format(name: &str, version: Option<&str>) -> Format {
    Format {
        name: name.into(),
        version: version.map(str::to_owned),
    }
}

fn runtime(name: &str, formats: &[(&str, Option<&str>, bool, i32)], protocols: &[&str]) -> Runtime {
    Runtime {
        name: name.into(),
        namespace: None,
        disabled: false,
        formats: formats
            .iter()
            .map(|(n, v, auto, priority)| RuntimeFormat {
                name: (*n).into(),
                version: v.map(str::to_owned),
                auto_select: *auto,
                priority: *priority,
            })
            .collect(),
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
        multi_node: false,
        created_at: None,
        spec: json!({}),
    }
}

/// Some of KServe's own.
fn release() -> Vec<Runtime> {
    let mut multinode = runtime(
        "kserve-huggingfaceserver-multinode",
        &[("huggingface", Some("1"), true, 2)],
        &["v2", "v1"],
    );
    multinode.multi_node = true;
    vec![
        runtime("kserve-vllmserver", &[("vLLM", Some("1"), true, 1)], &[]),
        runtime(
            "kserve-huggingfaceserver",
            &[("huggingface", Some("1"), true, 1)],
            &["v2", "v1"],
        ),
        multinode,
        runtime(
            "kserve-tritonserver",
            &[
                ("tensorflow", Some("1"), true, 1),
                ("tensorflow", Some("2"), true, 1),
                ("onnx", Some("1"), true, 1),
                ("pytorch", Some("1"), false, 0),
            ],
            &["v2", "grpc-v2"],
        ),
        runtime(
            "kserve-mlserver",
            &[
                ("sklearn", Some("0"), true, 2),
                ("sklearn", Some("1"), true, 2),
            ],
            &["v2"],
        ),
        runtime(
            "kserve-sklearnserver",
            &[("sklearn", Some("1"), true, 1)],
            &["v1", "v2"],
        ),
        runtime(
            "kserve-tensorflow-serving",
            &[
                ("tensorflow", Some("1"), true, 2),
                ("tensorflow", Some("2"), true, 2),
            ],
            &["v1", "grpc-v1"],
        ),
    ]
}

#[test]
fn names_are_compared_with_case_and_versions_as_text() {
    let all = release();
    let vllm = &all[0];
    assert_eq!(supports(vllm, &format("vLLM", None), None), Support::Yes);
    assert_eq!(
        supports(vllm, &format("vLLM", Some("1")), Some("v2")),
        Support::Yes
    );
    assert_eq!(
        supports(vllm, &format("vllm", None), None),
        Support::OtherCase {
            name: "vLLM".into()
        }
    );
    assert_eq!(
        supports(vllm, &format("vLLM", Some("2")), None),
        Support::OtherVersion {
            versions: vec!["1".into()]
        }
    );
    assert_eq!(supports(vllm, &format("onnx", None), None), Support::No);
    assert_eq!(
        supports(&all[4], &format("sklearn", None), Some("v1")),
        Support::OtherProtocol {
            protocols: vec!["v2".into()]
        }
    );
    assert_eq!(did_you_mean(&all, "x", "VLLM").as_deref(), Some("vLLM"));
    assert_eq!(did_you_mean(&all, "x", "vLLM"), None);
}

#[test]
fn the_highest_priority_is_chosen_and_the_namespaces_own_before_all() {
    let mut all = release();
    let name = |all: &[Runtime], f: &Format, p: Option<&str>| {
        auto_select(all, "retail-dev", f, p, false).map(|r| r.name.clone())
    };
    assert_eq!(
        name(&all, &format("sklearn", None), None).as_deref(),
        Some("kserve-sklearnserver")
    );
    assert_eq!(
        name(&all, &format("sklearn", None), Some("v2")).as_deref(),
        Some("kserve-mlserver")
    );
    assert_eq!(
        name(&all, &format("tensorflow", Some("2")), None).as_deref(),
        Some("kserve-tensorflow-serving")
    );
    assert_eq!(
        name(&all, &format("tensorflow", None), Some("grpc-v2")).as_deref(),
        Some("kserve-tritonserver")
    );
    // Not by itself, but by name.
    assert_eq!(name(&all, &format("pytorch", None), None), None);
    assert_eq!(
        supporting(&all, "retail-dev", &format("pytorch", None), None)[0].name,
        "kserve-tritonserver"
    );
    // A multi-node runtime needs a worker in the manifest.
    assert_eq!(
        name(&all, &format("huggingface", None), None).as_deref(),
        Some("kserve-huggingfaceserver")
    );
    let mut own = runtime("own", &[("sklearn", Some("1"), true, 1)], &[]);
    own.namespace = Some("retail-dev".into());
    all.push(own);
    assert_eq!(
        name(&all, &format("sklearn", None), None).as_deref(),
        Some("own")
    );
    let v2 = |all: &[Runtime]| {
        auto_select(all, "other", &format("sklearn", None), Some("v2"), false)
            .map(|r| r.name.clone())
    };
    assert_eq!(v2(&all).as_deref(), Some("kserve-mlserver"));
    all[4].disabled = true;
    assert_eq!(v2(&all).as_deref(), Some("kserve-sklearnserver"));
}

#[test]
fn between_equals_the_newest_is_chosen_then_the_first_by_name() {
    let made = |name: &str, at: i64| Runtime {
        created_at: Some(crate::Micros(at)),
        ..runtime(name, &[("sklearn", Some("1"), true, 1)], &[])
    };
    let all = [made("a", 1), made("c", 2), made("b", 2)];
    let chosen = auto_select(&all, "x", &format("sklearn", None), None, false);
    assert_eq!(chosen.map(|r| r.name.as_str()), Some("b"));
    let chosen = auto_select(&all[..2], "x", &format("sklearn", None), None, false);
    assert_eq!(chosen.map(|r| r.name.as_str()), Some("c"));
}

#[test]
fn a_worker_in_the_manifest_wants_a_runtime_with_one_and_never_one_for_model_mesh() {
    let mut all = release();
    let chosen = |all: &[Runtime], predictor: &Value| {
        let manifest = json!({"metadata": {"namespace": "x"}, "spec": {"predictor": predictor}});
        resolve(&manifest, all).runtime().map(|r| r.name.clone())
    };
    let model = json!({"modelFormat": {"name": "huggingface"}});
    let worker = json!({"model": model, "workerSpec": {}});
    assert_eq!(
        chosen(&all, &worker).as_deref(),
        Some("kserve-huggingfaceserver-multinode")
    );
    assert_eq!(
        chosen(&all, &json!({"model": model})).as_deref(),
        Some("kserve-huggingfaceserver")
    );
    all[1].spec = json!({"multiModel": true});
    assert_eq!(chosen(&all, &json!({"model": model})), None);
}

#[test]
fn canaries_have_runtimes_of_their_own() {
    let all = release();
    let model = |format: &str| json!({"model": {"modelFormat": {"name": format}}});
    let names =
        |m: &Value| -> Vec<String> { all_of(m, &all).iter().map(|r| r.name.clone()).collect() };
    let manifest = json!({"metadata": {"namespace": "retail-dev"}, "spec": {
        "predictor": model("vLLM"),
        "canary": [{"predictor": model("vLLM")}, {"predictor": model("sklearn")}]}});
    assert_eq!(
        names(&manifest),
        ["kserve-vllmserver", "kserve-sklearnserver"]
    );
    assert_eq!(names(&json!({"spec": {}})), Vec::<String>::new());
}

#[test]
fn a_manifest_resolves_as_kserve_would() {
    let all = release();
    let manifest = |format: &str, runtime: Option<&str>| json!({"metadata": {"namespace": "retail-dev"}, "spec": {"predictor": {"model": {"modelFormat": {"name": format}, "runtime": runtime}}}});
    let resolved = |m: &Value| match resolve(m, &all) {
        Resolved::Named(r) => format!("named {}", r.name),
        Resolved::Auto(r) => format!("auto {}", r.name),
        Resolved::NotNeeded => "not needed".into(),
        Resolved::Missing { name } => format!("missing {name}"),
        Resolved::Disabled(r) => format!("disabled {}", r.name),
        Resolved::Unsupported { support, .. } => format!("unsupported {support:?}"),
        Resolved::None { instead } => format!("none {instead:?}"),
        Resolved::NoFormat => "no format".into(),
    };
    assert_eq!(resolved(&manifest("vLLM", None)), "auto kserve-vllmserver");
    assert_eq!(
        resolved(&manifest("vLLM", Some("kserve-vllmserver"))),
        "named kserve-vllmserver"
    );
    assert_eq!(resolved(&manifest("vllm", None)), "none Some(\"vLLM\")");
    assert_eq!(resolved(&manifest("gguf", None)), "none None");
    assert_eq!(resolved(&manifest("vLLM", Some("x"))), "missing x");
    assert_eq!(
        resolved(&manifest("onnx", Some("kserve-vllmserver"))),
        "unsupported No"
    );
    assert_eq!(
        resolved(&json!({"spec": {"predictor": {"containers": [{"image": "nim:1"}]}}})),
        "not needed"
    );
    assert_eq!(resolved(&json!({})), "no format");
}
