//! What is in the registry beside model images: three other packagings, and serving images.

use super::architectures::{Decoder, Precision};
use super::artifact::{Artifact, Scan, Signed, layer};
use super::language_models::{LLAMA_8B, config};
use super::other_models::booster;
use super::small_files::ubjson;
use super::tar::Tar;
use super::weights::{Meta, gguf, safetensors};
use serde_json::{Value, json};

/// All of them; what an index names comes before the index.
pub(super) fn all() -> Vec<Artifact> {
    let mut all = vec![model_pack(), kit(), docker_model()];
    all.extend(nim());
    all.extend(vllm());
    all
}

/// CNCF ModelPack (model specification 0.0.7).
fn model_pack() -> Artifact {
    let tiny = Decoder {
        layers: 22,
        hidden: 2048,
        inner: 5632,
        kv_heads: 4,
        head: 64,
        vocabulary: 32_000,
        ..LLAMA_8B
    };
    let card: &[u8] = b"---\nlicense: apache-2.0\nlanguage: en\npipeline_tag: text-generation\n\
        library_name: transformers\n---\n\n# TinyLlama 1.1B Chat\n\nA small chat model, packed as a \
        CNCF ModelPack.\n";
    let settings = config("LlamaForCausalLM", "llama", &tiny, 2048);
    let settings = format!("{settings:#}\n");
    let (shards, _) = safetensors(&tiny.tensors(Precision::Bf16));
    let mut layers: Vec<(&str, Vec<u8>, Value)> = shards
        .iter()
        .map(|shard| {
            (
                "application/vnd.cncf.model.weight.v1.tar",
                Tar::default().cut_off(&shard.name, shard.size, &shard.head),
                json!({"org.cncf.model.filepath": shard.name}),
            )
        })
        .collect();
    layers.push((
        "application/vnd.cncf.model.weight.config.v1.tar",
        layer(&[("config.json", settings.as_bytes())]),
        json!({"org.cncf.model.filepath": "config.json"}),
    ));
    layers.push((
        "application/vnd.cncf.model.doc.v1.tar",
        layer(&[("README.md", card)]),
        json!({"org.cncf.model.filepath": "README.md"}),
    ));
    let about = json!({
        "descriptor": {
            "name": "TinyLlama 1.1B Chat", "family": "llama", "version": "1.0",
            "licenses": ["Apache-2.0"], "createdAt": "2026-05-20T08:00:00Z",
            "sourceURL": "https://huggingface.co/TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        },
        "config": {
            "architecture": "transformer", "format": "safetensors", "paramSize": "1.1b",
            "precision": "bf16",
        },
        "modelfs": {"type": "layers", "diffIds": layers
            .iter().map(|(_, bytes, _)| super::artifact::digest(bytes)).collect::<Vec<_>>()},
    });
    Artifact::packaged(
        "packs/tinyllama-1.1b-chat",
        Some("application/vnd.cncf.model.manifest.v1+json"),
        ("application/vnd.cncf.model.config.v1+json", about),
        layers,
    )
    .tagged(&["v1.0", "latest"])
    .signed(Signed::Bundle)
}

/// A KitOps ModelKit.
fn kit() -> Artifact {
    let card: &[u8] = b"# Fraud detector\n\nScores card payments; packed with KitOps.\n";
    let kitfile = json!({
        "manifestVersion": "1.0.0",
        "package": {
            "name": "fraud-detector", "version": "2.3.0", "authors": ["Payments team"],
            "description": "Scores card payments", "license": "Apache-2.0",
        },
        "model": {
            "name": "fraud-detector", "path": "model.ubj", "framework": "xgboost",
            "version": "2.3.0", "license": "Apache-2.0",
        },
        "docs": [{"path": "README.md", "description": "The model's card"}],
    });
    Artifact::packaged(
        "packs/fraud-detector",
        None,
        ("application/vnd.kitops.modelkit.config.v1+json", kitfile),
        vec![
            (
                "application/vnd.kitops.modelkit.model.v1.tar",
                layer(&[("model.ubj", &ubjson(&booster(420)))]),
                Value::Null,
            ),
            (
                "application/vnd.kitops.modelkit.docs.v1.tar",
                layer(&[("README.md", card)]),
                Value::Null,
            ),
        ],
    )
    .tagged(&["2.3.0", "latest"])
    .scanned(Scan::Clean)
}

/// A model in Docker's packaging. Its one layer is the file itself, so only its header is kept.
fn docker_model() -> Artifact {
    let small = Decoder {
        layers: 32,
        hidden: 960,
        inner: 2560,
        heads: 15,
        kv_heads: 5,
        head: 64,
        vocabulary: 49_152,
        tied: true,
        ..LLAMA_8B
    };
    let (head, size) = gguf(
        &[
            ("general.architecture", Meta::Text("llama")),
            ("general.name", Meta::Text("SmolLM2 360M Instruct")),
            ("general.license", Meta::Text("apache-2.0")),
            ("general.size_label", Meta::Text("360M")),
            ("general.file_type", Meta::Number(15)),
            ("llama.block_count", Meta::Number(32)),
            ("llama.context_length", Meta::Number(8192)),
            ("llama.embedding_length", Meta::Number(960)),
            ("llama.attention.head_count", Meta::Number(15)),
            ("llama.attention.head_count_kv", Meta::Number(5)),
        ],
        &small.gguf_tensors(),
    );
    let digest = super::artifact::digest(&head);
    let about = json!({
        "config": {
            "format": "gguf", "quantization": "Q4_K_M", "parameters": "361.82 M",
            "architecture": "llama", "size": format!("{} MB", size / 1_000_000),
            "gguf": {
                "general.name": "SmolLM2 360M Instruct", "general.architecture": "llama",
                "general.license": "apache-2.0",
            },
        },
        "descriptor": {"created": "2026-04-02T12:00:00Z"},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    });
    let licence: &[u8] = b"Licensed under the Apache License, Version 2.0.\n\
        http://www.apache.org/licenses/LICENSE-2.0\n";
    Artifact::packaged(
        "packs/smollm2",
        None,
        ("application/vnd.docker.ai.model.config.v0.1+json", about),
        vec![
            ("application/vnd.docker.ai.gguf.v3", head, Value::Null),
            (
                "application/vnd.docker.ai.license",
                licence.to_vec(),
                Value::Null,
            ),
        ],
    )
    .tagged(&["360M-Q4_K_M", "latest"])
}

/// A serving image in the manner of NVIDIA NIM: the server, which fetches its weights at start.
fn nim() -> Vec<Artifact> {
    [
        (
            "1.8.4",
            "2026-02-10T00:00:00Z",
            Scan::Critical,
            &["1.8.4"][..],
        ),
        (
            "1.13.1",
            "2026-09-03T00:00:00Z",
            Scan::Minor,
            &["1.13.1", "latest"],
        ),
    ]
    .into_iter()
    .map(|(version, created, scan, tags)| {
        let script = format!("#!/bin/bash\n# NIM {version}\nexec /opt/nim/llm/start\n");
        let inner = json!({
            "Entrypoint": ["/opt/nvidia/nvidia_entrypoint.sh"],
            "Cmd": ["/opt/nim/start_server.sh"],
            "Env": [
                "PATH=/opt/nim/llm/bin:/usr/local/bin:/usr/bin:/bin",
                "NIM_MODEL_NAME=meta/llama-3.1-8b-instruct",
                "NIM_CACHE_PATH=/opt/nim/.cache",
                "NIM_HTTP_API_PORT=8000",
            ],
            "ExposedPorts": {"8000/tcp": {}},
            "User": "1000",
            "Labels": {
                "com.nvidia.nim.model": "llama-3.1-8b-instruct",
                "com.nvidia.nim.version": version,
                "org.opencontainers.image.title": "NIM for Llama 3.1 8B Instruct",
                "org.opencontainers.image.version": version,
            },
        });
        let files = layer(&[("opt/nim/start_server.sh", script.as_bytes())]);
        let repository = "serving/nim-llama-3.1-8b-instruct";
        Artifact::image(repository, "amd64", created, &inner, vec![files])
            .tagged(tags)
            .scanned(scan)
            .signed(Signed::Tag)
    })
    .collect()
}

/// vLLM for two platforms.
fn vllm() -> Vec<Artifact> {
    let build = |architecture: &str| {
        let inner = json!({
            "Entrypoint": ["vllm", "serve"],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "VLLM_USAGE_SOURCE=production-docker-image"],
            "ExposedPorts": {"8000/tcp": {}},
            "Labels": {
                "org.opencontainers.image.title": "vLLM, OpenAI-compatible server",
                "org.opencontainers.image.version": "0.11.0",
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        });
        let text = format!("vllm 0.11.0 {architecture}\n");
        let files = layer(&[("opt/vllm/VERSION", text.as_bytes())]);
        Artifact::image(
            "serving/vllm-openai",
            architecture,
            "2026-10-02T00:00:00Z",
            &inner,
            vec![files],
        )
    };
    let (amd64, arm64) = (build("amd64"), build("arm64"));
    let index = Artifact::index(
        "serving/vllm-openai",
        &[("amd64", &amd64), ("arm64", &arm64)],
    )
    .tagged(&["v0.11.0", "latest"])
    .signed(Signed::Bundle)
    .scanned(Scan::Minor);
    vec![amd64, arm64, index]
}
