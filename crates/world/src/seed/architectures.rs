//! The tensors of known architectures, as transformers (and llama.cpp) name them.

use super::weights::Tensor;

/// Experts of a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// One feed-forward block: gate, up and down.
    Dense,
    /// Gate and up in one matrix (Phi-3).
    Fused,
    /// Mixtral's experts.
    Mixtral { experts: u64 },
    /// DeepSeek-V2's: routed and shared experts of this width; the first layer is dense.
    DeepSeek {
        experts: u64,
        shared: u64,
        width: u64,
    },
}

/// How attention is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    /// Separate query, key and value.
    Split,
    /// The same, with norms of queries and keys (Qwen3).
    Normed,
    /// One matrix for the three (Phi-3).
    Fused,
    /// Multi-head latent attention (DeepSeek-V2): rank, and widths of the three parts of a head.
    Latent {
        rank: u64,
        nope: u64,
        rope: u64,
        value: u64,
    },
}

/// A decoder-only language model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder {
    pub(super) layers: u64,
    pub(super) hidden: u64,
    pub(super) inner: u64,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    pub(super) head: u64,
    pub(super) vocabulary: u64,
    /// Input and output share one embedding.
    pub(super) tied: bool,
    pub(super) attention: Attention,
    pub(super) feed: Feed,
    /// Gemma 2's two further norms.
    pub(super) four_norms: bool,
}

/// How the matrices are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// BF16, everything.
    Bf16,
    /// FP8 with one scale per matrix; embeddings and norms stay BF16.
    Fp8,
    /// AWQ: 4 bits in 32-bit integers, groups of 128.
    Awq,
}

impl Decoder {
    /// Its tensors.
    pub(super) fn tensors(&self, precision: Precision) -> Vec<Tensor> {
        let mut out = Vec::new();
        let whole = if precision == Precision::Awq {
            "F16"
        } else {
            "BF16"
        };
        out.push(Tensor::new(
            "model.embed_tokens.weight",
            whole,
            &[self.vocabulary, self.hidden],
        ));
        for layer in 0..self.layers {
            self.layer(&mut out, layer, precision, whole);
        }
        out.push(Tensor::new("model.norm.weight", whole, &[self.hidden]));
        if !self.tied {
            out.push(Tensor::new(
                "lm_head.weight",
                whole,
                &[self.vocabulary, self.hidden],
            ));
        }
        out
    }

    fn layer(&self, out: &mut Vec<Tensor>, layer: u64, precision: Precision, whole: &'static str) {
        let at = format!("model.layers.{layer}");
        let Self {
            hidden,
            inner,
            heads,
            kv_heads,
            head,
            ..
        } = *self;
        let mut matrix = |name: &str, rows: u64, columns: u64| {
            linear(out, &format!("{at}.{name}"), rows, columns, precision);
        };
        match self.attention {
            Attention::Split | Attention::Normed => {
                matrix("self_attn.q_proj", heads * head, hidden);
                matrix("self_attn.k_proj", kv_heads * head, hidden);
                matrix("self_attn.v_proj", kv_heads * head, hidden);
                matrix("self_attn.o_proj", hidden, heads * head);
            }
            Attention::Fused => {
                matrix("self_attn.qkv_proj", (heads + 2 * kv_heads) * head, hidden);
                matrix("self_attn.o_proj", hidden, heads * head);
            }
            Attention::Latent {
                rank,
                nope,
                rope,
                value,
            } => {
                matrix("self_attn.q_proj", heads * (nope + rope), hidden);
                matrix("self_attn.kv_a_proj_with_mqa", rank + rope, hidden);
                matrix("self_attn.kv_b_proj", heads * (nope + value), rank);
                matrix("self_attn.o_proj", hidden, heads * value);
            }
        }
        let mut block = |name: &str, width: u64| {
            matrix(&format!("{name}.gate_proj"), width, hidden);
            matrix(&format!("{name}.up_proj"), width, hidden);
            matrix(&format!("{name}.down_proj"), hidden, width);
        };
        match self.feed {
            Feed::Dense => block("mlp", inner),
            Feed::Fused => {
                matrix("mlp.gate_up_proj", 2 * inner, hidden);
                matrix("mlp.down_proj", hidden, inner);
            }
            Feed::Mixtral { experts } => {
                matrix("block_sparse_moe.gate", experts, hidden);
                for expert in 0..experts {
                    let at = format!("block_sparse_moe.experts.{expert}");
                    matrix(&format!("{at}.w1"), inner, hidden);
                    matrix(&format!("{at}.w2"), hidden, inner);
                    matrix(&format!("{at}.w3"), inner, hidden);
                }
            }
            Feed::DeepSeek { .. } if layer == 0 => block("mlp", inner),
            Feed::DeepSeek {
                experts,
                shared,
                width,
            } => {
                for expert in 0..experts {
                    block(&format!("mlp.experts.{expert}"), width);
                }
                block("mlp.shared_experts", shared * width);
                matrix("mlp.gate", experts, hidden);
            }
        }
        let mut norm = |name: &str, width: u64| {
            out.push(Tensor::new(format!("{at}.{name}.weight"), whole, &[width]));
        };
        norm("input_layernorm", hidden);
        norm("post_attention_layernorm", hidden);
        if self.four_norms {
            norm("pre_feedforward_layernorm", hidden);
            norm("post_feedforward_layernorm", hidden);
        }
        match self.attention {
            Attention::Normed => {
                norm("self_attn.q_norm", head);
                norm("self_attn.k_norm", head);
            }
            Attention::Latent { rank, .. } => norm("self_attn.kv_a_layernorm", rank),
            Attention::Split | Attention::Fused => {}
        }
    }

    /// The same model as llama.cpp stores it, mixed as its `Q4_K_M`.
    pub(super) fn gguf_tensors(&self) -> Vec<Tensor> {
        let Self {
            layers,
            hidden,
            inner,
            heads,
            kv_heads,
            head,
            ..
        } = *self;
        let mut out = vec![Tensor::new(
            "token_embd.weight",
            "Q6_K",
            &[self.vocabulary, hidden],
        )];
        for layer in 0..layers {
            // llama.cpp gives the first and last eighth and every third layer between more bits.
            let more =
                layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
            let better = if more { "Q6_K" } else { "Q4_K" };
            let mut push = |name: &str, dtype, shape: &[u64]| {
                out.push(Tensor::new(
                    format!("blk.{layer}.{name}.weight"),
                    dtype,
                    shape,
                ));
            };
            push("attn_norm", "F32", &[hidden]);
            push("attn_q", "Q4_K", &[heads * head, hidden]);
            push("attn_k", "Q4_K", &[kv_heads * head, hidden]);
            push("attn_v", better, &[kv_heads * head, hidden]);
            push("attn_output", "Q4_K", &[hidden, heads * head]);
            push("ffn_norm", "F32", &[hidden]);
            push("ffn_gate", "Q4_K", &[inner, hidden]);
            push("ffn_up", "Q4_K", &[inner, hidden]);
            push("ffn_down", better, &[hidden, inner]);
        }
        out.push(Tensor::new("output_norm.weight", "F32", &[hidden]));
        out
    }
}

fn linear(out: &mut Vec<Tensor>, name: &str, rows: u64, columns: u64, precision: Precision) {
    match precision {
        Precision::Bf16 => {
            out.push(Tensor::new(
                format!("{name}.weight"),
                "BF16",
                &[rows, columns],
            ));
        }
        Precision::Fp8 => {
            out.push(Tensor::new(
                format!("{name}.weight"),
                "F8_E4M3",
                &[rows, columns],
            ));
            out.push(Tensor::new(format!("{name}.weight_scale"), "BF16", &[1]));
            out.push(Tensor::new(format!("{name}.input_scale"), "BF16", &[1]));
        }
        Precision::Awq => {
            let groups = columns / 128;
            out.push(Tensor::new(
                format!("{name}.qweight"),
                "I32",
                &[columns, rows / 8],
            ));
            out.push(Tensor::new(
                format!("{name}.qzeros"),
                "I32",
                &[groups, rows / 8],
            ));
            out.push(Tensor::new(
                format!("{name}.scales"),
                "F16",
                &[groups, rows],
            ));
        }
    }
}

fn with_bias(out: &mut Vec<Tensor>, dtype: &'static str, name: &str, rows: u64, columns: u64) {
    out.push(Tensor::new(
        format!("{name}.weight"),
        dtype,
        &[rows, columns],
    ));
    out.push(Tensor::new(format!("{name}.bias"), dtype, &[rows]));
}

fn layer_norm(out: &mut Vec<Tensor>, dtype: &'static str, name: &str, width: u64) {
    out.push(Tensor::new(format!("{name}.weight"), dtype, &[width]));
    out.push(Tensor::new(format!("{name}.bias"), dtype, &[width]));
}

/// BERT with a pooler, in F32 (`BertModel`): hidden size, layers, vocabulary; 512 positions.
pub(super) fn bert(hidden: u64, layers: u64, vocabulary: u64) -> Vec<Tensor> {
    let dtype = "F32";
    let mut out = vec![
        Tensor::new(
            "embeddings.word_embeddings.weight",
            dtype,
            &[vocabulary, hidden],
        ),
        Tensor::new(
            "embeddings.position_embeddings.weight",
            dtype,
            &[512, hidden],
        ),
        Tensor::new(
            "embeddings.token_type_embeddings.weight",
            dtype,
            &[2, hidden],
        ),
    ];
    layer_norm(&mut out, dtype, "embeddings.LayerNorm", hidden);
    for layer in 0..layers {
        let at = format!("encoder.layer.{layer}");
        for part in ["query", "key", "value"] {
            with_bias(
                &mut out,
                dtype,
                &format!("{at}.attention.self.{part}"),
                hidden,
                hidden,
            );
        }
        with_bias(
            &mut out,
            dtype,
            &format!("{at}.attention.output.dense"),
            hidden,
            hidden,
        );
        layer_norm(
            &mut out,
            dtype,
            &format!("{at}.attention.output.LayerNorm"),
            hidden,
        );
        with_bias(
            &mut out,
            dtype,
            &format!("{at}.intermediate.dense"),
            4 * hidden,
            hidden,
        );
        with_bias(
            &mut out,
            dtype,
            &format!("{at}.output.dense"),
            hidden,
            4 * hidden,
        );
        layer_norm(&mut out, dtype, &format!("{at}.output.LayerNorm"), hidden);
    }
    with_bias(&mut out, dtype, "pooler.dense", hidden, hidden);
    out
}

/// Whisper large v3, in F16 (`WhisperForConditionalGeneration`).
pub(super) fn whisper_large() -> Vec<Tensor> {
    let (dtype, width) = ("F16", 1280);
    let mut out = Vec::new();
    for (part, positions) in [("encoder", 1500), ("decoder", 448)] {
        if part == "encoder" {
            for (conv, channels) in [("conv1", 128), ("conv2", width)] {
                let name = format!("model.encoder.{conv}");
                out.push(Tensor::new(
                    format!("{name}.weight"),
                    dtype,
                    &[width, channels, 3],
                ));
                out.push(Tensor::new(format!("{name}.bias"), dtype, &[width]));
            }
        } else {
            out.push(Tensor::new(
                "model.decoder.embed_tokens.weight",
                dtype,
                &[51_866, width],
            ));
        }
        out.push(Tensor::new(
            format!("model.{part}.embed_positions.weight"),
            dtype,
            &[positions, width],
        ));
        for layer in 0..32 {
            let at = format!("model.{part}.layers.{layer}");
            let blocks: &[&str] = match part {
                "encoder" => &["self_attn"],
                _ => &["self_attn", "encoder_attn"],
            };
            for block in blocks {
                let at = format!("{at}.{block}");
                out.push(Tensor::new(
                    format!("{at}.k_proj.weight"),
                    dtype,
                    &[width, width],
                ));
                for matrix in ["v_proj", "q_proj", "out_proj"] {
                    with_bias(&mut out, dtype, &format!("{at}.{matrix}"), width, width);
                }
                layer_norm(&mut out, dtype, &format!("{at}_layer_norm"), width);
            }
            with_bias(&mut out, dtype, &format!("{at}.fc1"), 4 * width, width);
            with_bias(&mut out, dtype, &format!("{at}.fc2"), width, 4 * width);
            layer_norm(&mut out, dtype, &format!("{at}.final_layer_norm"), width);
        }
        layer_norm(&mut out, dtype, &format!("model.{part}.layer_norm"), width);
    }
    out
}
