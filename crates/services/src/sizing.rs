//! From what the catalogue knows of a model and what the form asks for to a range of GPU memory.

use domain::{
    artifact::ModelFacts,
    capacity::GpuProduct,
    form::Form,
    sizing::{Estimate, Gpu, Mla, SizingInput, estimate},
};

/// The range for these facts under this form's arguments, on the GPUs that the target has.
/// `None`: the weights are unknown, so there is nothing to reckon with.
pub fn for_form(facts: &ModelFacts, form: &Form, gpus: &[GpuProduct]) -> Option<Estimate> {
    let c = facts.config.as_ref();
    let small = |v: Option<u64>| v.and_then(|v| u32::try_from(v).ok());
    let sliding = c.filter(|c| c.sliding_window.is_some() && !c.layer_types.is_empty());
    let mla = c.and_then(|c| {
        Some(Mla {
            kv_lora_rank: small(c.kv_lora_rank)?,
            qk_rope_head_dim: small(c.qk_rope_head_dim)?,
        })
    });
    let input = SizingInput {
        // The headers of some files say nothing of the others: one shard is not the model.
        tensor_bytes: facts
            .tensors
            .as_ref()
            .filter(|t| t.complete)
            .map(|t| t.bytes())
            .filter(|b| *b > 0),
        index_bytes: facts.index_bytes,
        parameters: facts.parameters,
        dtype: facts
            .dtype
            .clone()
            .or_else(|| c.and_then(|c| c.dtype.clone())),
        layers: c.and_then(|c| small(c.num_hidden_layers)),
        heads: c.and_then(|c| small(c.num_attention_heads)),
        kv_heads: c.and_then(|c| small(c.num_key_value_heads)),
        head_dim: c.and_then(|c| small(c.head_dim)),
        hidden: c.and_then(|c| small(c.hidden_size)),
        sliding_window: c.and_then(|c| small(c.sliding_window)),
        sliding_layers: sliding.map(|c| {
            c.layer_types
                .iter()
                .filter(|t| *t == "sliding_attention")
                .count() as u32
        }),
        mla,
        kv_bytes: argument(form, "--kv-cache-dtype")
            .filter(|v| v.starts_with("fp8"))
            .map(|_| 1.0),
        context_len: argument(form, "--max-model-len")
            .and_then(tokens)
            .or(facts.context_length),
        concurrency: argument(form, "--max-num-seqs").and_then(|v| Some((1, v.parse().ok()?))),
        tensor_parallel: argument(form, "--tensor-parallel-size").and_then(|v| v.parse().ok()),
        pipeline_parallel: argument(form, "--pipeline-parallel-size").and_then(|v| v.parse().ok()),
        utilization: argument(form, "--gpu-memory-utilization")
            .and_then(|v| v.parse().ok())
            .filter(|u: &f64| *u > 0.0 && *u <= 1.0),
    };
    let gpus: Vec<Gpu> = gpus
        .iter()
        .filter_map(|g| {
            Some(Gpu {
                product: g.product.clone(),
                memory_mib: g.memory_mib?,
            })
        })
        .collect();
    estimate(&input, &gpus)
}

/// The value of `--name=value` or `--name value`.
fn argument<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.args
        .iter()
        .enumerate()
        .find_map(|(i, a)| match a.strip_prefix(name)? {
            "" => form.args.get(i + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        })
}

/// A number of tokens as vLLM reads it: `32768`, `32k` (thousands), `32K` (1024s).
fn tokens(text: &str) -> Option<u64> {
    let (digits, by) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1000),
        'K' => (&text[..text.len() - 1], 1024),
        'm' => (&text[..text.len() - 1], 1_000_000),
        'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::artifact::{DtypeTotal, TensorSummary};

    #[test]
    fn one_shard_is_not_the_model() {
        let shard = DtypeTotal {
            tensors: 1,
            elements: 1 << 30,
            bytes: 2 << 30,
        };
        let of = |complete, index_bytes| {
            let facts = ModelFacts {
                tensors: Some(TensorSummary {
                    by_dtype: [("BF16".to_owned(), shard)].into(),
                    complete,
                }),
                index_bytes,
                ..ModelFacts::default()
            };
            for_form(&facts, &Form::default(), &[]).map(|e| e.weight_bytes)
        };
        assert_eq!(of(true, None), Some(2 << 30));
        assert_eq!(of(false, None), None);
        assert_eq!(of(false, Some(140 << 30)), Some(140 << 30));
    }

    #[test]
    fn the_arguments_say_how_long_and_how_many() {
        let facts = ModelFacts {
            index_bytes: Some(1 << 30),
            context_length: Some(131_072),
            ..ModelFacts::default()
        };
        let said = |args: &[&str]| {
            let form = Form {
                args: args.iter().map(|a| (*a).to_owned()).collect(),
                ..Form::default()
            };
            let e = for_form(&facts, &form, &[]).expect("weights are known");
            e.assumptions.join(" ")
        };
        let unsaid = said(&[]);
        assert!(unsaid.contains("131072 tokens") && unsaid.contains("assumed;"));
        let written = said(&["--max-model-len", "4K", "--max-num-seqs=2"]);
        assert!(
            written.contains("all of 4096 tokens") && written.contains("1 to 2 requests at once."),
            "{written}"
        );
        assert_eq!(
            ["32768", "32k", "32K", "auto", ""].map(tokens),
            [Some(32_768), Some(32_000), Some(32_768), None, None]
        );
    }
}
