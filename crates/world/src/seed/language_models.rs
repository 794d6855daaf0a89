//! Language models: numbers from the `config.json` that each model's authors published.

use super::architectures::{Attention, Decoder, Feed, Precision};
use super::artifact::{Artifact, Scan, Signed};
use super::families::{Content, Family, Version};
use super::weights::{Meta, Shard, gguf};
use serde_json::{Value, json};

pub(super) const LLAMA_8B: Decoder = Decoder {
    layers: 32,
    hidden: 4096,
    inner: 14_336,
    heads: 32,
    kv_heads: 8,
    head: 128,
    vocabulary: 128_256,
    tied: false,
    attention: Attention::Split,
    feed: Feed::Dense,
    four_norms: false,
};
pub(super) const QWEN3_32B: Decoder = Decoder {
    layers: 64,
    hidden: 5120,
    inner: 25_600,
    heads: 64,
    vocabulary: 151_936,
    attention: Attention::Normed,
    ..LLAMA_8B
};
pub(super) const MISTRAL_7B: Decoder = Decoder {
    vocabulary: 32_768,
    ..LLAMA_8B
};
pub(super) const MIXTRAL_8X7B: Decoder = Decoder {
    vocabulary: 32_000,
    feed: Feed::Mixtral { experts: 8 },
    ..LLAMA_8B
};
pub(super) const GEMMA2_9B: Decoder = Decoder {
    layers: 42,
    hidden: 3584,
    heads: 16,
    head: 256,
    vocabulary: 256_000,
    tied: true,
    four_norms: true,
    ..LLAMA_8B
};
pub(super) const PHI35_MINI: Decoder = Decoder {
    hidden: 3072,
    inner: 8192,
    kv_heads: 32,
    head: 96,
    vocabulary: 32_064,
    attention: Attention::Fused,
    feed: Feed::Fused,
    ..LLAMA_8B
};
pub(super) const DEEPSEEK_V2_LITE: Decoder = Decoder {
    layers: 27,
    hidden: 2048,
    inner: 10_944,
    heads: 16,
    kv_heads: 16,
    vocabulary: 102_400,
    attention: Attention::Latent {
        rank: 512,
        nope: 128,
        rope: 64,
        value: 128,
    },
    feed: Feed::DeepSeek {
        experts: 64,
        shared: 2,
        width: 1408,
    },
    ..LLAMA_8B
};
const LLAMA_3B: Decoder = Decoder {
    layers: 28,
    hidden: 3072,
    inner: 8192,
    heads: 24,
    tied: true,
    ..LLAMA_8B
};

/// The part of `config.json` that all decoders have.
pub(super) fn config(architecture: &str, kind: &str, d: &Decoder, context: u64) -> Value {
    json!({
        "architectures": [architecture],
        "model_type": kind,
        "num_hidden_layers": d.layers,
        "hidden_size": d.hidden,
        "intermediate_size": d.inner,
        "num_attention_heads": d.heads,
        "num_key_value_heads": d.kv_heads,
        "head_dim": d.head,
        "vocab_size": d.vocabulary,
        "max_position_embeddings": context,
        "tie_word_embeddings": d.tied,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
    })
}

/// The same with more, or other, values.
fn with(mut config: Value, more: Value) -> Value {
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more);
    }
    config
}

fn whole(config: Value, decoder: &Decoder) -> Content {
    Content::Tensors {
        config,
        tensors: decoder.tensors(Precision::Bf16),
    }
}

/// Every language model.
pub(super) fn all() -> Vec<Artifact> {
    let mut all = llama();
    all.extend(qwen());
    all.extend(mistral());
    all.extend(others());
    all
}

fn llama() -> Vec<Artifact> {
    let family = Family {
        name: "llama-3.1-8b-instruct",
        title: "Llama 3.1 8B Instruct",
        licence: "llama3.1",
        task: "text-generation",
        library: "transformers",
        languages: &["en", "de", "fr", "it", "pt", "hi", "es", "th"],
        base_model: "meta-llama/Llama-3.1-8B",
        about: "A multilingual chat model with tool use and a context of 128 thousand tokens.",
        use_for: "Assistants, summaries and retrieval-augmented answers in the supported \
                  languages. Not for decisions about people without review.",
    };
    let published = with(
        config("LlamaForCausalLM", "llama", &LLAMA_8B, 131_072),
        json!({
            "rope_theta": 500_000.0,
            "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
            },
            "rms_norm_eps": 1e-05,
        }),
    );
    let fp8 = with(
        published.clone(),
        json!({"quantization_config": {
            "quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"],
        }}),
    );
    vec![
        family.image(
            &Version {
                version: "1.0.0",
                // `latest` moves on with the next version.
                tags: &["v1.0.0", "latest"],
                created: "2026-03-02T08:30:00Z",
                notes: "First import.",
                signed: Signed::Tag,
                scan: Scan::Stale,
            },
            &whole(published.clone(), &LLAMA_8B),
        ),
        family.image(
            &Version {
                version: "1.1.0",
                tags: &["v1.1.0", "v1.1", "latest"],
                created: "2026-08-18T09:12:00Z",
                notes: "The chat template answers tool calls as the model's authors mended it.",
                signed: Signed::Bundle,
                scan: Scan::Clean,
            },
            &whole(published, &LLAMA_8B),
        ),
        family.image(
            &Version {
                version: "1.1.0-fp8",
                tags: &["v1.1.0-fp8"],
                created: "2026-08-20T14:05:00Z",
                notes: "Weights in FP8: half the memory, about one point less on our questions.",
                signed: Signed::Bundle,
                scan: Scan::Minor,
            },
            &Content::Tensors {
                config: fp8,
                tensors: LLAMA_8B.tensors(Precision::Fp8),
            },
        ),
    ]
}

fn qwen() -> Vec<Artifact> {
    let family = Family {
        name: "qwen3-32b",
        title: "Qwen3 32B",
        licence: "apache-2.0",
        task: "text-generation",
        library: "transformers",
        languages: &["en", "zh", "de", "fr", "ja"],
        base_model: "Qwen/Qwen3-32B",
        about: "A model that can think before it answers, and can be told not to.",
        use_for: "Analysis, code and planning where quality matters more than speed.",
    };
    let published = with(
        config("Qwen3ForCausalLM", "qwen3", &QWEN3_32B, 40_960),
        json!({"rope_theta": 1_000_000, "sliding_window": null, "use_sliding_window": false}),
    );
    let awq = with(
        published.clone(),
        json!({
            "torch_dtype": "float16",
            "quantization_config": {
                "quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true,
                "version": "gemm",
            },
        }),
    );
    vec![
        family.image(
            &Version {
                version: "1.0.0",
                tags: &["v1.0.0", "latest"],
                created: "2026-05-11T07:45:00Z",
                notes: "First import.",
                signed: Signed::Bundle,
                scan: Scan::Clean,
            },
            &whole(published, &QWEN3_32B),
        ),
        family.image(
            &Version {
                version: "1.0.0-awq",
                tags: &["v1.0.0-awq"],
                created: "2026-05-12T10:20:00Z",
                notes: "Four bits per weight (AWQ): fits one GPU of 48 GB.",
                signed: Signed::No,
                scan: Scan::No,
            },
            &Content::Tensors {
                config: awq,
                tensors: QWEN3_32B.tensors(Precision::Awq),
            },
        ),
    ]
}

fn mistral() -> Vec<Artifact> {
    let seven = Family {
        name: "mistral-7b-instruct",
        title: "Mistral 7B Instruct",
        licence: "apache-2.0",
        task: "text-generation",
        library: "transformers",
        languages: &["en", "fr"],
        base_model: "mistralai/Mistral-7B-v0.3",
        about: "A small and quick chat model with function calling.",
        use_for: "Routing, extraction and short answers.",
    };
    let published = with(
        config("MistralForCausalLM", "mistral", &MISTRAL_7B, 32_768),
        json!({"rope_theta": 1_000_000.0, "sliding_window": null}),
    );
    let older = Decoder {
        vocabulary: 32_000,
        ..MISTRAL_7B
    };
    let older_config = config("MistralForCausalLM", "mistral", &older, 32_768);
    let mixtral = Family {
        name: "mixtral-8x7b-instruct",
        title: "Mixtral 8x7B Instruct",
        base_model: "mistralai/Mixtral-8x7B-v0.1",
        languages: &["en", "fr", "it", "de", "es"],
        about: "A mixture of eight experts of which two answer each token.",
        use_for: "Batch work over long documents.",
        ..seven
    };
    let mixtral_config = with(
        config("MixtralForCausalLM", "mixtral", &MIXTRAL_8X7B, 32_768),
        json!({"num_local_experts": 8, "num_experts_per_tok": 2, "rope_theta": 1_000_000.0}),
    );
    vec![
        seven.image(
            &Version {
                version: "0.2.0",
                tags: &["v0.2.0"],
                created: "2026-01-20T11:00:00Z",
                notes: "First import.",
                signed: Signed::No,
                scan: Scan::Stale,
            },
            &whole(older_config, &older),
        ),
        seven.image(
            &Version {
                version: "0.3.0",
                tags: &["v0.3.0", "latest"],
                created: "2026-04-07T16:40:00Z",
                notes: "The larger vocabulary and function calling.",
                signed: Signed::Tag,
                scan: Scan::Minor,
            },
            &whole(published, &MISTRAL_7B),
        ),
        mixtral.image(
            &Version {
                version: "0.1.0",
                tags: &["v0.1.0", "latest"],
                created: "2026-02-13T13:30:00Z",
                notes: "First import.",
                signed: Signed::Stranger,
                scan: Scan::No,
            },
            &whole(mixtral_config, &MIXTRAL_8X7B),
        ),
    ]
}

fn others() -> Vec<Artifact> {
    let gemma = Family {
        name: "gemma-2-9b-it",
        title: "Gemma 2 9B Instruct",
        licence: "gemma",
        task: "text-generation",
        library: "transformers",
        languages: &["en"],
        base_model: "google/gemma-2-9b",
        about: "Half of its layers see a window of 4,096 tokens, the others everything.",
        use_for: "Rewriting and summaries in English.",
    };
    let gemma_config = with(
        config("Gemma2ForCausalLM", "gemma2", &GEMMA2_9B, 8192),
        json!({
            "sliding_window": 4096,
            "layer_types": (0..42)
                .map(|n| if n % 2 == 0 { "sliding_attention" } else { "full_attention" })
                .collect::<Vec<_>>(),
            "hidden_act": "gelu_pytorch_tanh",
        }),
    );
    let phi = Family {
        name: "phi-3.5-mini-instruct",
        title: "Phi 3.5 Mini Instruct",
        licence: "mit",
        languages: &["en", "de", "fr", "es"],
        base_model: "microsoft/Phi-3.5-mini-instruct",
        about: "A small model with a context of 128 thousand tokens.",
        use_for: "Answers over documents on a slice of a GPU.",
        ..gemma
    };
    let phi_config = with(
        config("Phi3ForCausalLM", "phi3", &PHI35_MINI, 131_072),
        json!({"sliding_window": 262_144, "original_max_position_embeddings": 4096}),
    );
    let deepseek = Family {
        name: "deepseek-v2-lite-chat",
        title: "DeepSeek V2 Lite Chat",
        licence: "other:deepseek",
        languages: &["en", "zh"],
        base_model: "deepseek-ai/DeepSeek-V2-Lite",
        about: "Sixteen billion parameters of which 2.4 are active, with latent attention: its \
                cache is a tenth of others'.",
        use_for: "Long conversations for many people at once.",
        ..gemma
    };
    let deepseek_config = with(
        config(
            "DeepseekV2ForCausalLM",
            "deepseek_v2",
            &DEEPSEEK_V2_LITE,
            163_840,
        ),
        json!({
            "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
            "v_head_dim": 128, "q_lora_rank": null, "n_routed_experts": 64,
            "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_intermediate_size": 1408,
            "first_k_dense_replace": 1, "head_dim": null,
        }),
    );
    let small = Family {
        name: "llama-3.2-3b-gguf",
        title: "Llama 3.2 3B Instruct, GGUF",
        licence: "llama3.2",
        library: "llama.cpp",
        base_model: "meta-llama/Llama-3.2-3B-Instruct",
        about: "Four to six bits per weight (Q4_K_M), for llama.cpp on plain processors.",
        use_for: "Devices in shops and lorries, without a GPU.",
        ..gemma
    };
    let first = |version, tags, created, signed, scan| Version {
        version,
        tags,
        created,
        notes: "First import.",
        signed,
        scan,
    };
    vec![
        gemma.image(
            &first(
                "1.0.0",
                &["v1.0.0", "release-2026.07", "latest"],
                "2026-07-01T06:15:00Z",
                Signed::Tag,
                Scan::Critical,
            ),
            &whole(gemma_config, &GEMMA2_9B),
        ),
        phi.image(
            &first(
                "1.0.0",
                &["v1.0.0", "latest"],
                "2026-06-09T12:00:00Z",
                Signed::Bundle,
                Scan::Clean,
            ),
            &whole(phi_config, &PHI35_MINI),
        ),
        deepseek.image(
            &first(
                "2.0.0",
                &["v2.0.0", "latest"],
                "2026-04-22T15:10:00Z",
                Signed::No,
                Scan::Minor,
            ),
            &whole(deepseek_config, &DEEPSEEK_V2_LITE),
        ),
        small.image(
            &first(
                "1.0.0",
                &["v1.0.0-q4_k_m", "latest"],
                "2026-06-30T09:00:00Z",
                Signed::No,
                Scan::No,
            ),
            &Content::Weights(llama_3b_gguf()),
        ),
    ]
}

/// What readers want to see of a GGUF file whose vocabulary may be long: its first 24 MiB.
const GGUF_HEAD: usize = 24 * 1024 * 1024;

fn llama_3b_gguf() -> Shard {
    let d = &LLAMA_3B;
    let number = |n: u64| Meta::Number(u32::try_from(n).expect("the model's numbers are small"));
    let meta = [
        ("general.architecture", Meta::Text("llama")),
        ("general.name", Meta::Text("Llama 3.2 3B Instruct")),
        ("general.size_label", Meta::Text("3B")),
        ("general.license", Meta::Text("llama3.2")),
        ("general.file_type", Meta::Number(15)),
        ("general.quantization_version", Meta::Number(2)),
        ("llama.block_count", number(d.layers)),
        ("llama.context_length", Meta::Number(131_072)),
        ("llama.embedding_length", number(d.hidden)),
        ("llama.feed_forward_length", number(d.inner)),
        ("llama.attention.head_count", number(d.heads)),
        ("llama.attention.head_count_kv", number(d.kv_heads)),
        ("llama.rope.freq_base", Meta::Float(500_000.0)),
        ("llama.vocab_size", number(d.vocabulary)),
    ];
    let (mut head, size) = gguf(&meta, &d.gguf_tensors());
    head.resize(GGUF_HEAD.max(head.len()), 0);
    Shard {
        name: "llama-3.2-3b-instruct-q4_k_m.gguf".to_owned(),
        size,
        head,
    }
}
