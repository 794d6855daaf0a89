use super::*;
use serde_json::json;

fn runtime(image: &str, args: &[&str], protocols: &[&str]) -> Runtime {
    Runtime {
        name: "r".into(),
        namespace: None,
        disabled: false,
        formats: vec![],
        protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
        multi_node: false,
        created_at: None,
        spec: json!({"containers": [{"name": "kserve-container", "image": image, "args": args}]}),
    }
}

/// `what path` of each, without the address.
fn said(model: Value, runtime: &Runtime, task: Option<&str>) -> Vec<String> {
    let object = json!({"metadata": {"name": "m"}, "spec": {"predictor": {"model": model}}, "status": {"url": "http://m.x"}});
    let all = endpoints(&View::new(&object), Some(runtime), task);
    assert_eq!(all[0], endpoint("Address", "http://m.x".into()));
    all[1..]
        .iter()
        .map(|e| format!("{} {}", e.what, e.url.trim_start_matches("http://m.x")))
        .collect()
}

#[test]
fn openai_operations_stand_where_each_server_has_them() {
    let hf = runtime(
        "kserve/huggingfaceserver:v0.20.0",
        &["--model_name={{.Name}}"],
        &["v2", "v1"],
    );
    let format = json!({"modelFormat": {"name": "huggingface"}, "protocolVersion": "v2"});
    let chat = "OpenAI-compatible chat /openai/v1/chat/completions";
    assert_eq!(said(format.clone(), &hf, Some("text-generation")), [chat]);
    assert_eq!(
        said(format.clone(), &hf, Some("feature-extraction")),
        ["OpenAI-compatible embeddings /openai/v1/embeddings"]
    );
    assert_eq!(
        said(format, &hf, None),
        ["OpenAI-compatible API /openai/v1"]
    );
    // The argument says more than the catalogue; other tasks are asked by KServe's protocols.
    let classify = json!({"modelFormat": {"name": "huggingface"}, "protocolVersion": "v1", "args": ["--task", "sequence_classification"]});
    assert_eq!(
        said(classify, &hf, Some("text-generation")),
        ["KServe v1 protocol /v1/models/m:predict"]
    );
    let vllm = runtime("docker.io/vllm/vllm-openai:v0.11.0", &[], &[]);
    let of = |args: &[&str]| json!({"modelFormat": {"name": "vLLM"}, "protocolVersion": "v2", "args": args});
    assert_eq!(
        said(of(&[]), &vllm, Some("text-generation")),
        ["OpenAI-compatible chat /v1/chat/completions"]
    );
    assert_eq!(
        said(of(&["--task=embed"]), &vllm, Some("text-generation")),
        ["OpenAI-compatible embeddings /v1/embeddings"]
    );
    assert_eq!(
        said(of(&["--task=score"]), &vllm, None),
        ["Ranking /v1/rerank"]
    );
    let nim = runtime("nvcr.io/nim/nvidia/nv-rerankqa-mistral-4b-v3:1", &[], &[]);
    assert_eq!(said(of(&[]), &nim, None), ["Ranking /v1/ranking"]);
}

#[test]
fn other_servers_speak_the_protocols_that_they_say() {
    let sklearn = runtime(
        "kserve/sklearnserver:1",
        &["--model_name={{.Name}}"],
        &["v1"],
    );
    let model = |more: Value| {
        let mut m = json!({"modelFormat": {"name": "sklearn"}});
        m.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        m
    };
    let v1 = "KServe v1 protocol /v1/models/m:predict";
    let v2 = "Open Inference Protocol (v2) /v2/models/m/infer";
    assert_eq!(said(model(json!({})), &sklearn, None), [v1]);
    let both = runtime("mlserver:1", &[], &["v2", "v1"]);
    assert_eq!(said(model(json!({})), &both, None), [v1, v2]);
    assert_eq!(
        said(model(json!({"protocolVersion": "v1"})), &both, None),
        [v1]
    );
    assert_eq!(
        said(model(json!({"protocolVersion": "v2"})), &both, None),
        [v2]
    );
    assert_eq!(
        said(
            model(json!({"protocolVersion": "v2", "args": ["--model_name=fraud"]})),
            &both,
            None
        ),
        ["Open Inference Protocol (v2) /v2/models/fraud/infer"]
    );
    let triton = runtime(
        "nvcr.io/nvidia/tritonserver:24.01-vllm-python-py3",
        &[],
        &["v2", "grpc-v2"],
    );
    assert_eq!(
        said(model(json!({})), &triton, None),
        ["Open Inference Protocol (v2) /v2/models/{name in the model repository}/infer"]
    );
    assert_eq!(
        said(model(json!({"protocolVersion": "grpc-v2"})), &triton, None),
        ["Open Inference Protocol over gRPC "]
    );
}

#[test]
fn the_predictors_own_addresses_are_used_where_nothing_stands_in_front() {
    let mlserver = runtime("mlserver:1", &[], &["v2", "grpc-v2"]);
    let mut object = json!({"metadata": {"name": "m"}, "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
        "status": {"url": "http://m.x", "components": {"predictor": {"restUrl": "http://rest.x", "grpcUrl": "grpc://m.x:9000"}}}});
    let urls = |o: &Value| -> Vec<String> {
        endpoints(&View::new(o), Some(&mlserver), None)
            .into_iter()
            .map(|e| e.url)
            .collect()
    };
    assert_eq!(
        urls(&object),
        [
            "http://rest.x",
            "grpc://m.x:9000",
            "http://rest.x/v2/models/m/infer"
        ]
    );
    object["spec"]["transformer"] = json!({});
    assert_eq!(
        urls(&object),
        ["http://m.x", "http://m.x/v2/models/m/infer"]
    );
    object["status"] = json!({});
    assert!(urls(&object).is_empty());
    // Nothing is known of what serves it.
    object["status"] = json!({"url": "http://m.x"});
    assert_eq!(endpoints(&View::new(&object), None, None).len(), 1);
}
