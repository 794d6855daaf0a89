use super::*;

fn llama_8b() -> SizingInput {
    SizingInput {
        parameters: Some(8_030_261_248),
        dtype: Some("bfloat16".into()),
        layers: Some(32),
        heads: Some(32),
        kv_heads: Some(8),
        hidden: Some(4096),
        context_len: Some(8192),
        concurrency: Some((1, 8)),
        ..SizingInput::default()
    }
}

fn h100() -> Gpu {
    Gpu {
        product: "NVIDIA-H100-80GB-HBM3".into(),
        memory_mib: 81_559,
    }
}

#[test]
fn llama_3_8b() {
    let e = estimate(
        &llama_8b(),
        &[
            h100(),
            Gpu {
                product: "NVIDIA-L4".into(),
                memory_mib: 24 * 1024,
            },
            Gpu {
                product: "Tesla-T4".into(),
                memory_mib: 16 * 1024,
            },
        ],
    )
    .unwrap();
    // 2 · 8 heads · 128 · 2 bytes · 32 layers = 128 KiB a token.
    assert_eq!(e.kv_bytes_per_token, Some(131_072));
    assert_eq!(e.weight_bytes, 16_060_522_496);
    // Weights, one whole context, half a GiB; weights, eight whole contexts, two GiB.
    assert_eq!(e.low_bytes, 16_060_522_496 + 8192 * 131_072 + (1 << 29));
    assert_eq!(
        e.high_bytes,
        16_060_522_496 + 8 * 8192 * 131_072 + (1 << 31)
    );
    assert_eq!(
        e.fits
            .iter()
            .map(|f| (f.verdict, f.gpus_needed))
            .collect::<Vec<_>>(),
        [
            (Verdict::Fits, Some(1)),
            (Verdict::Tight, Some(2)),
            (Verdict::DoesNotFit, Some(2))
        ]
    );
    insta::assert_snapshot!(e.assumptions.join("\n"));
}

#[test]
fn the_upper_end_is_a_case_that_somebody_can_have() {
    let long = |context_len, concurrency| SizingInput {
        context_len: Some(context_len),
        concurrency,
        ..llama_8b()
    };
    let cache = |input: &SizingInput| {
        let e = estimate(input, &[]).unwrap();
        e.high_bytes - e.weight_bytes - (1 << 31)
    };
    // All of 131,072 tokens for one, 8,192 for each of 31 others: 47 GiB instead of 512.
    assert_eq!(cache(&long(131_072, None)), (131_072 + 31 * 8192) * 131_072);
    // A shorter context caps every request, and a stated number of them counts.
    assert_eq!(cache(&long(4096, Some((1, 4)))), 4 * 4096 * 131_072);
    assert_eq!(cache(&long(131_072, Some((1, 1)))), 131_072 * 131_072);
    let said = estimate(&long(131_072, None), &[]).unwrap().assumptions;
    for part in [
        "1 to 32 requests at once (assumed; --max-num-seqs says another most).",
        "One request fills all of 131072 tokens",
        "the others hold 8192 tokens each",
    ] {
        assert!(said.iter().any(|a| a.contains(part)), "{part}: {said:?}");
    }
}

#[test]
fn qwen_3_states_its_head_and_the_fallback_would_be_wrong() {
    let qwen = SizingInput {
        layers: Some(64),
        heads: Some(64),
        kv_heads: Some(8),
        head_dim: Some(128),
        hidden: Some(5120),
        ..SizingInput::default()
    };
    assert_eq!(kv_bytes_per_token(&qwen), Some(256 * 1024));
    assert_eq!(
        kv_bytes_per_token(&SizingInput {
            head_dim: None,
            ..qwen
        }),
        Some(160 * 1024)
    );
}

#[test]
fn mixtral_keeps_all_its_experts_in_memory() {
    let mixtral = SizingInput {
        parameters: Some(46_702_792_704),
        dtype: Some("bf16".into()),
        layers: Some(32),
        heads: Some(32),
        kv_heads: Some(8),
        hidden: Some(4096),
        context_len: Some(32_768),
        tensor_parallel: Some(2),
        ..SizingInput::default()
    };
    let e = estimate(&mixtral, &[h100()]).unwrap();
    assert_eq!(e.weight_bytes, 93_405_585_408);
    // Four heads on each of two GPUs: 64 KiB a token. One whole context, and 31 long requests.
    assert_eq!(
        e.per_gpu_high_bytes,
        93_405_585_408 / 2 + (32_768 + 31 * 8192) * 65_536 + (1 << 31)
    );
    assert_eq!((e.gpus, e.fits[0].verdict), (2, Verdict::Fits));
}

#[test]
fn latent_attention_has_no_factor_two_and_is_not_split() {
    let deepseek = SizingInput {
        tensor_bytes: Some(688_000_000_000),
        layers: Some(61),
        heads: Some(128),
        kv_heads: Some(128),
        hidden: Some(7168),
        mla: Some(Mla {
            kv_lora_rank: 512,
            qk_rope_head_dim: 64,
        }),
        context_len: Some(4096),
        concurrency: Some((1, 1)),
        tensor_parallel: Some(8),
        ..SizingInput::default()
    };
    // (512 + 64) · 2 bytes · 61 layers
    assert_eq!(kv_bytes_per_token(&deepseek), Some(70_272));
    let e = estimate(
        &deepseek,
        &[Gpu {
            product: "NVIDIA-H200".into(),
            memory_mib: 143_771,
        }],
    )
    .unwrap();
    assert_eq!(
        e.per_gpu_high_bytes,
        86_000_000_000 + 4096 * 70_272 + (1 << 31)
    );
    assert_eq!(e.fits[0].verdict, Verdict::Fits);
}

#[test]
fn a_window_caps_the_layers_that_have_one() {
    let gemma = SizingInput {
        tensor_bytes: Some(18_000_000_000),
        layers: Some(42),
        heads: Some(16),
        kv_heads: Some(8),
        head_dim: Some(256),
        sliding_window: Some(4096),
        sliding_layers: Some(21),
        context_len: Some(8192),
        concurrency: Some((1, 1)),
        ..SizingInput::default()
    };
    let e = estimate(&gemma, &[]).unwrap();
    // (21 · 8192 + 21 · 4096) tokens · 2 · 8 · 256 · 2 bytes
    assert_eq!(e.high_bytes, 18_000_000_000 + 258_048 * 8192 + (1 << 31));
    let all = SizingInput {
        sliding_layers: None,
        ..gemma
    };
    assert_eq!(
        estimate(&all, &[]).unwrap().high_bytes,
        18_000_000_000 + 42 * 4096 * 8192 + (1 << 31)
    );
}

#[test]
fn heads_are_split_down_to_one_per_rank() {
    let llama_70b = |tp| SizingInput {
        tensor_bytes: Some(0),
        layers: Some(80),
        heads: Some(64),
        kv_heads: Some(8),
        hidden: Some(8192),
        context_len: Some(1000),
        concurrency: Some((1, 1)),
        tensor_parallel: Some(tp),
        ..SizingInput::default()
    };
    let cache = |tp| estimate(&llama_70b(tp), &[]).unwrap().per_gpu_high_bytes - (1 << 31);
    assert_eq!(cache(1), 1000 * 327_680);
    assert_eq!(cache(8), 1000 * 40_960);
    assert_eq!(cache(16), 1000 * 40_960);
    assert!(
        estimate(&llama_70b(16), &[])
            .unwrap()
            .assumptions
            .iter()
            .any(|a| a.contains("cannot be split over 16"))
    );
}

#[test]
fn what_is_unknown_is_said() {
    assert_eq!(estimate(&SizingInput::default(), &[]), None);
    let e = estimate(
        &SizingInput {
            tensor_bytes: Some(10 << 30),
            ..SizingInput::default()
        },
        &[],
    )
    .unwrap();
    assert_eq!(e.kv_bytes_per_token, None);
    assert!(e.low_bytes > 12 << 30 && e.high_bytes == 22 << 30);
    assert!(e.assumptions.iter().any(|a| a.contains("shape")));
    // Nonsense neither panics nor overflows.
    let wild = SizingInput {
        tensor_bytes: Some(u64::MAX),
        layers: Some(u32::MAX),
        heads: Some(0),
        kv_heads: Some(u32::MAX),
        head_dim: Some(u32::MAX),
        context_len: Some(u64::MAX),
        concurrency: Some((u32::MAX, 0)),
        tensor_parallel: Some(u32::MAX),
        pipeline_parallel: Some(u32::MAX),
        utilization: Some(f64::NAN),
        ..SizingInput::default()
    };
    assert!(estimate(&wild, &[h100()]).is_some());
}

#[test]
fn products_are_known_by_their_labels() {
    for (label, name, gib) in [
        ("NVIDIA-H100-80GB-HBM3", "H100", 80),
        ("NVIDIA-L40S", "L40S", 48),
        ("NVIDIA-L4", "L4", 24),
        ("Tesla-T4", "T4", 16),
        ("NVIDIA-A100-SXM4-40GB", "A100-SXM4-40GB", 40),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "A100", 80),
        ("NVIDIA-A10", "A10", 24),
        ("AMD_Instinct_MI300X_OAM", "MI300X", 192),
    ] {
        let gpu = known_gpu(label).unwrap();
        assert_eq!((gpu.name, gpu.memory_mib), (name, gib * 1024), "{label}");
    }
    assert_eq!(known_gpu("Quadro"), None);
    assert_eq!(bytes_of("torch.bfloat16"), Some(2.0));
    assert_eq!(bytes_of("odd"), None);
}

#[test]
fn the_index_stands_in_for_headers_and_says_so() {
    let input = SizingInput {
        index_bytes: Some(140 << 30),
        parameters: Some(1),
        ..SizingInput::default()
    };
    let e = estimate(&input, &[]).unwrap();
    assert_eq!(e.weight_bytes, 140 << 30);
    assert!(e.assumptions[0].contains("model.safetensors.index.json"));
}
