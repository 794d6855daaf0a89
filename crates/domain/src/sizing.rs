//! How much GPU memory a language model needs: a range with its assumptions, never a point.
//!
//! Weights are the sum of the tensors' bytes (or parameters × bytes). The cache of keys and values
//! holds, per token and layer, `2 · kv_heads · head_dim · bytes`; with multi-head latent attention
//! `(kv_lora_rank + qk_rope_head_dim) · bytes`, one vector for both. Tensor parallelism splits the
//! cache down to one head per rank; latent attention is not split.

use serde::{Deserialize, Serialize};

/// What is known of a model and how it is to run. Absent means unknown; the estimate says what it
/// assumed instead.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SizingInput {
    /// Sum of the tensors' bytes (safetensors or GGUF headers): preferred over parameters × type.
    pub tensor_bytes: Option<u64>,
    /// The same sum as `model.safetensors.index.json` states it, where not every header was read.
    pub index_bytes: Option<u64>,
    pub parameters: Option<u64>,
    /// `bfloat16`, `F16`, `fp8`, `int4`…: of the weights.
    pub dtype: Option<String>,
    /// `num_hidden_layers`
    pub layers: Option<u32>,
    /// `num_attention_heads`
    pub heads: Option<u32>,
    /// `num_key_value_heads`; absent: as many as `heads`
    pub kv_heads: Option<u32>,
    /// `head_dim`; absent: `hidden` / `heads` (which is wrong for some models, Qwen3 among them)
    pub head_dim: Option<u32>,
    /// `hidden_size`
    pub hidden: Option<u32>,
    /// `sliding_window` in tokens
    pub sliding_window: Option<u32>,
    /// Layers that see the window only (`layer_types`); absent: all, where there is a window.
    pub sliding_layers: Option<u32>,
    pub mla: Option<Mla>,
    /// Bytes per element of the cache; absent: 2 (1 with an FP8 cache).
    pub kv_bytes: Option<f64>,
    /// Tokens that one request may span (`--max-model-len`).
    pub context_len: Option<u64>,
    /// Requests at once, from … to … (`--max-num-seqs`); absent: 1 to 32
    pub concurrency: Option<(u32, u32)>,
    pub tensor_parallel: Option<u32>,
    pub pipeline_parallel: Option<u32>,
    /// `gpu_memory_utilization`; absent: 0.9
    pub utilization: Option<f64>,
}

/// Multi-head latent attention (DeepSeek): what is cached per token and layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mla {
    pub kv_lora_rank: u32,
    pub qk_rope_head_dim: u32,
}

/// A kind of GPU to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    pub product: String,
    pub memory_mib: i64,
}

/// How well the model fits one kind of GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Also the upper end fits.
    Fits,
    /// The lower end fits, the upper does not.
    Tight,
    DoesNotFit,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFit {
    pub product: String,
    pub memory_mib: i64,
    /// Of one GPU, what the server may use: memory × utilisation.
    pub budget_bytes: u64,
    pub verdict: Verdict,
    /// The smallest power of two of GPUs with which the upper end fits, up to 16.
    pub gpus_needed: Option<u32>,
}

/// The answer: bytes in all and per GPU, from … to …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub low_bytes: u64,
    pub high_bytes: u64,
    pub per_gpu_low_bytes: u64,
    pub per_gpu_high_bytes: u64,
    pub weight_bytes: u64,
    /// Of the cache for one token over all layers; `None` where the model's shape is unknown.
    pub kv_bytes_per_token: Option<u64>,
    /// GPUs that the estimate divides by: tensor × pipeline parallelism.
    pub gpus: u32,
    pub assumptions: Vec<String>,
    pub fits: Vec<ProductFit>,
}

/// What one GPU is, from a static table: a fallback where nodes carry no labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownGpu {
    pub name: &'static str,
    pub memory_mib: i64,
    pub bandwidth_gb_s: i64,
}

/// Nominal memory in GiB and bandwidth in GB/s by the vendors' data sheets.
const KNOWN: [(&str, i64, i64); 11] = [
    ("H200", 141, 4800),
    ("H100", 80, 3350),
    ("B200", 180, 8000),
    ("A100-SXM4-40GB", 40, 1555),
    ("A100-PCIE-40GB", 40, 1555),
    ("A100", 80, 2039),
    ("L40S", 48, 864),
    ("MI300X", 192, 5300),
    ("A10", 24, 600),
    ("L4", 24, 300),
    ("T4", 16, 320),
];

/// The GPU that a product label (`NVIDIA-H100-80GB-HBM3`, `Tesla-T4`) means.
pub fn known_gpu(product: &str) -> Option<KnownGpu> {
    let upper = product.to_ascii_uppercase();
    let parts: Vec<&str> = upper.split(['-', ' ', '_']).collect();
    let is = |name: &str| {
        if name.contains('-') {
            upper.contains(name)
        } else {
            parts.contains(&name)
        }
    };
    KNOWN
        .iter()
        .find(|(name, ..)| is(name))
        .map(|&(name, gib, bandwidth_gb_s)| KnownGpu {
            name,
            memory_mib: gib * 1024,
            bandwidth_gb_s,
        })
}

/// Bytes per parameter of a type name, quantisation scales included where they weigh.
pub fn bytes_of(dtype: &str) -> Option<f64> {
    let name = dtype.trim_start_matches("torch.").to_ascii_lowercase();
    Some(match name.as_str() {
        "float64" | "f64" | "double" => 8.0,
        "float32" | "f32" | "fp32" | "float" => 4.0,
        "bfloat16" | "bf16" | "float16" | "f16" | "fp16" | "half" => 2.0,
        "fp8" | "f8_e4m3" | "f8_e5m2" | "float8_e4m3fn" | "float8_e5m2" | "int8" | "i8" | "u8"
        | "w8a8" | "q8_0" => 1.0,
        "int4" | "i4" | "u4" | "awq" | "gptq" | "w4a16" | "nf4" | "fp4" | "nvfp4" | "mxfp4" => {
            0.5625
        }
        _ => return None,
    })
}

/// The bytes of keys and values that one token takes, over all layers and heads: what is cached
/// without regard to windows. `None` where the shape is unknown.
pub fn kv_bytes_per_token(input: &SizingInput) -> Option<u64> {
    let per_layer = per_layer_elements(input, None)?;
    Some((per_layer * f64::from(input.layers?) * input.kv_bytes.unwrap_or(2.0)).ceil() as u64)
}

/// Elements per token and layer; with `tp`, on one rank.
fn per_layer_elements(input: &SizingInput, tp: Option<u32>) -> Option<f64> {
    if let Some(mla) = input.mla {
        return Some(f64::from(mla.kv_lora_rank) + f64::from(mla.qk_rope_head_dim));
    }
    let kv_heads = input.kv_heads.or(input.heads)?.max(1);
    let head_dim = input
        .head_dim
        .or_else(|| Some(input.hidden? / input.heads.filter(|h| *h > 0)?))?;
    let mine = tp.map_or(kv_heads, |tp| kv_heads.div_ceil(tp.max(1)));
    Some(2.0 * f64::from(mine) * f64::from(head_dim))
}

/// Bytes of cache on one GPU for one request of `tokens`: layers divided by pipeline stages, heads by
/// ranks, windowed layers capped.
fn kv_per_gpu(input: &SizingInput, tokens: u64, tp: u32, pp: u32) -> Option<f64> {
    let layers = u64::from(input.layers?);
    let elements = per_layer_elements(input, Some(tp))?;
    let windowed = input
        .sliding_window
        .map_or(0, |_| input.sliding_layers.map_or(layers, u64::from))
        .min(layers);
    let capped = tokens.min(input.sliding_window.map_or(u64::MAX, u64::from));
    let token_layers = (layers - windowed) as f64 * tokens as f64 + windowed as f64 * capped as f64;
    Some(elements * token_layers * input.kv_bytes.unwrap_or(2.0) / f64::from(pp.max(1)))
}

/// Tokens that a long request holds. That all of them fill a context of 128 thousand at once is no case
/// to buy GPUs for: a server lets some of them wait then.
const LONG: u64 = 8192;
/// Requests at once where nobody says.
const CONCURRENCY: (u32, u32) = (1, 32);

/// Bytes of cache on one GPU for several requests: one fills its whole context, which has to have room
/// for the server to start; each other one is long, and no longer than the context.
fn cache_per_gpu(
    input: &SizingInput,
    requests: u32,
    context: u64,
    tp: u32,
    pp: u32,
) -> Option<f64> {
    let whole = kv_per_gpu(input, context, tp, pp)?;
    let long = kv_per_gpu(input, context.min(LONG), tp, pp)?;
    Some(whole + long * f64::from(requests.saturating_sub(1)))
}

const GIB: f64 = (1u64 << 30) as f64;

/// The estimate, and how it fits each kind of GPU. `None` where not even the weights are known.
pub fn estimate(input: &SizingInput, gpus: &[Gpu]) -> Option<Estimate> {
    let mut assumptions = Vec::new();
    let weight_bytes = weights(input, &mut assumptions)?;
    let tp = input.tensor_parallel.unwrap_or(1).max(1);
    let pp = input.pipeline_parallel.unwrap_or(1).max(1);
    let (fewest, most) = concurrency(input, &mut assumptions);
    let context = context(input, most, &mut assumptions);
    shape(input, tp, &mut assumptions);
    let utilization = input
        .utilization
        .filter(|u| u.is_finite())
        .unwrap_or(0.9)
        .clamp(0.1, 1.0);
    assumptions.push(format!(
        "The server may use {:.0} % of a GPU's memory (gpu_memory_utilization).",
        utilization * 100.0
    ));
    assumptions.push("Beside weights and cache: 0.5 to 2 GiB per GPU for activations, CUDA graphs and the runtime.".into());

    let per_gpu = |tp: u32, pp: u32| -> (f64, f64) {
        let weights = weight_bytes as f64 / (f64::from(tp) * f64::from(pp));
        match (
            cache_per_gpu(input, fewest, context.0, tp, pp),
            cache_per_gpu(input, most, context.1, tp, pp),
        ) {
            (Some(low), Some(high)) => (weights + low + 0.5 * GIB, weights + high + 2.0 * GIB),
            // Shape unknown: a fifth to the whole of the weights again, no less than a GiB.
            _ => (weights * 1.2 + 0.5 * GIB, weights * 2.0 + 2.0 * GIB),
        }
    };
    let (low, high) = per_gpu(tp, pp);
    let n = f64::from(tp) * f64::from(pp);
    let fits = gpus
        .iter()
        .map(|g| {
            let budget = g.memory_mib.max(0) as f64 * 1_048_576.0 * utilization;
            let verdict = if high <= budget {
                Verdict::Fits
            } else if low <= budget {
                Verdict::Tight
            } else {
                Verdict::DoesNotFit
            };
            let gpus_needed = [1u32, 2, 4, 8, 16]
                .into_iter()
                .find(|&k| per_gpu(k, 1).1 <= budget);
            ProductFit {
                product: g.product.clone(),
                memory_mib: g.memory_mib,
                budget_bytes: budget as u64,
                verdict,
                gpus_needed,
            }
        })
        .collect();
    Some(Estimate {
        low_bytes: (low * n) as u64,
        high_bytes: (high * n) as u64,
        per_gpu_low_bytes: low as u64,
        per_gpu_high_bytes: high as u64,
        weight_bytes,
        kv_bytes_per_token: kv_bytes_per_token(input),
        gpus: tp.saturating_mul(pp),
        assumptions,
        fits,
    })
}

fn weights(input: &SizingInput, assumptions: &mut Vec<String>) -> Option<u64> {
    if let Some(bytes) = input.tensor_bytes {
        assumptions.push(format!(
            "Weights: {} by the headers of the tensor files.",
            gib(bytes as f64)
        ));
        return Some(bytes);
    }
    if let Some(bytes) = input.index_bytes {
        assumptions.push(format!(
            "Weights: {} as model.safetensors.index.json says; the headers of the tensor files could not all be read.",
            gib(bytes as f64)
        ));
        return Some(bytes);
    }
    let parameters = input.parameters?;
    let (bytes, from) = match input.dtype.as_deref().and_then(|d| Some((bytes_of(d)?, d))) {
        Some((b, d)) => (b, format!("{b} bytes each ({d})")),
        None => (
            2.0,
            "2 bytes each (the type is unknown; 16 bits assumed)".to_owned(),
        ),
    };
    let total = parameters as f64 * bytes;
    assumptions.push(format!(
        "Weights: {} = {:.1} billion parameters × {from}.",
        gib(total),
        parameters as f64 / 1e9
    ));
    Some(total as u64)
}

fn concurrency(input: &SizingInput, assumptions: &mut Vec<String>) -> (u32, u32) {
    let (a, b) = input.concurrency.unwrap_or(CONCURRENCY);
    let (fewest, most) = (a.min(b).max(1), a.max(b).max(1));
    let whose = if input.concurrency.is_some() {
        ""
    } else {
        " (assumed; --max-num-seqs says another most)"
    };
    assumptions.push(format!("{fewest} to {most} requests at once{whose}."));
    (fewest, most)
}

/// The context at the lower and the upper end, in tokens.
fn context(input: &SizingInput, most: u32, assumptions: &mut Vec<String>) -> (u64, u64) {
    match input.context_len {
        Some(n) => {
            assumptions.push(if n > LONG && most > 1 {
                format!(
                    "One request fills all of {n} tokens, and vLLM does not start where not even one does; the others hold {LONG} tokens each, as long requests do. A lower --max-model-len asks for less."
                )
            } else {
                format!(
                    "Each request may fill all of {n} tokens; vLLM does not start where not even one does."
                )
            });
            (n, n)
        }
        None => {
            assumptions.push(
                "The context length is unknown: 2,048 to 8,192 tokens per request assumed.".into(),
            );
            (2048, 8192)
        }
    }
}

fn shape(input: &SizingInput, tp: u32, assumptions: &mut Vec<String>) {
    let Some(per_token) = kv_bytes_per_token(input) else {
        assumptions.push("The model's shape (layers, heads) is unknown: cache and activations are taken as 20 to 100 % of the weights.".into());
        return;
    };
    let bytes = input.kv_bytes.unwrap_or(2.0);
    assumptions.push(format!(
        "Cache: {} KiB per token over all layers, at {bytes} bytes per element.",
        per_token.div_ceil(1024)
    ));
    if input.mla.is_some() {
        assumptions.push("Latent attention: one compressed vector per token and layer, held whole by every tensor-parallel rank.".into());
    } else {
        if input.kv_heads.is_none() {
            assumptions.push(
                "The number of key/value heads is not stated: as many as attention heads assumed."
                    .into(),
            );
        }
        if input.head_dim.is_none() {
            assumptions.push("The size of a head is not stated: hidden size / heads assumed, which some models do not follow.".into());
        }
        if let Some(heads) = input.kv_heads.or(input.heads).filter(|h| tp > *h) {
            assumptions.push(format!(
                "{heads} key/value heads cannot be split over {tp} GPUs: each holds one whole head."
            ));
        }
    }
    if let Some(window) = input.sliding_window {
        let how_many = input
            .sliding_layers
            .map_or("all".to_owned(), |n| n.to_string());
        assumptions.push(format!(
            "{how_many} layers see a window of {window} tokens only."
        ));
    }
}

/// Bytes for people: `14.9 GiB`.
pub fn gib(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / GIB)
}

#[cfg(test)]
#[path = "sizing_tests.rs"]
mod tests;
