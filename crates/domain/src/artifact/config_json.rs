//! `config.json` as Hugging Face's transformers library writes it: what sizing needs of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::malformed::{Malformed, clean};

/// Largest `config.json` that is read.
pub(crate) const MAX_CONFIG_BYTES: usize = 2 * 1024 * 1024;

/// How the weights are quantised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantization {
    /// `quant_method`: `gptq`, `awq`, `fp8`, `compressed-tensors`, `bitsandbytes`.
    pub method: String,
    /// Bits of one weight, where it says so.
    pub bits: Option<u32>,
}

impl Quantization {
    /// For people: `GPTQ 4-bit`, `FP8`.
    pub fn label(&self) -> String {
        let method = self.method.to_uppercase();
        match self.bits {
            Some(bits) if !method.ends_with(&bits.to_string()) => format!("{method} {bits}-bit"),
            _ => method,
        }
    }
}

/// What a `config.json` says of a transformer. Each field is `None` when the file does not say it;
/// fallbacks (a missing `head_dim` and the like) are the sizing's business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigJson {
    /// Class names: `LlamaForCausalLM`.
    pub architectures: Vec<String>,
    /// `model_type`: `llama`.
    pub model_type: Option<String>,
    /// Number of layers.
    pub num_hidden_layers: Option<u64>,
    /// Width of the model.
    pub hidden_size: Option<u64>,
    /// Width of the feed-forward part.
    pub intermediate_size: Option<u64>,
    /// Attention heads.
    pub num_attention_heads: Option<u64>,
    /// Key-value heads.
    pub num_key_value_heads: Option<u64>,
    /// Width of one head.
    pub head_dim: Option<u64>,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: Option<u64>,
    /// Window of local attention, in tokens. `None` also when the file turns it off.
    pub sliding_window: Option<u64>,
    /// Attention of each layer: `full_attention`, `sliding_attention`, `linear_attention`.
    pub layer_types: Vec<String>,
    /// Rank of the compressed key-value vectors (multi-head latent attention).
    pub kv_lora_rank: Option<u64>,
    /// Width of the part of a head that carries positions (multi-head latent attention).
    pub qk_rope_head_dim: Option<u64>,
    /// Experts of each layer, where there are several.
    pub num_experts: Option<u64>,
    /// Entries of the vocabulary.
    pub vocab_size: Option<u64>,
    /// `torch_dtype` or `dtype`: `bfloat16`.
    pub dtype: Option<String>,
    /// Quantisation, where there is one.
    pub quantization: Option<Quantization>,
    /// Number of labels of a classifier.
    pub num_labels: Option<u64>,
}

impl ConfigJson {
    /// Reads a `config.json`. A model of several parts keeps its language model's numbers under
    /// `text_config` (or `llm_config`); those count where the top level does not say them.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let wrong = |problem: String| Malformed::new("config.json", problem);
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(wrong("is larger than 2 MiB".into()));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|e| {
            wrong(format!(
                "is not JSON (line {}, column {})",
                e.line(),
                e.column()
            ))
        })?;
        let Value::Object(top) = &value else {
            return Err(wrong("is not a JSON object".into()));
        };
        let inner = ["text_config", "llm_config", "language_config"]
            .iter()
            .find_map(|key| top.get(*key).and_then(Value::as_object));
        let get = |key: &str| {
            top.get(key)
                .filter(|v| !v.is_null())
                .or_else(|| inner.and_then(|i| i.get(key)).filter(|v| !v.is_null()))
        };
        let number = |key: &str| get(key).and_then(Value::as_u64);
        let first = |keys: &[&str]| keys.iter().find_map(|key| number(key));
        let text = |key: &str| get(key).and_then(Value::as_str).and_then(|s| clean(s, 100));
        let texts = |key: &str, limit: usize| -> Vec<String> {
            get(key)
                .and_then(Value::as_array)
                .map(|list| {
                    list.iter()
                        .take(limit)
                        .filter_map(Value::as_str)
                        .filter_map(|s| clean(s, 100))
                        .collect()
                })
                .unwrap_or_default()
        };
        let windowed = get("use_sliding_window").and_then(Value::as_bool) != Some(false);
        Ok(Self {
            architectures: texts("architectures", 10),
            model_type: text("model_type"),
            num_hidden_layers: first(&["num_hidden_layers", "n_layer", "num_layers", "n_layers"]),
            hidden_size: first(&["hidden_size", "n_embd", "d_model", "dim"]),
            intermediate_size: first(&["intermediate_size", "ffn_dim", "d_ff"]),
            num_attention_heads: first(&["num_attention_heads", "n_head", "num_heads", "n_heads"]),
            num_key_value_heads: first(&[
                "num_key_value_heads",
                "num_kv_heads",
                "n_head_kv",
                "multi_query_group_num",
            ]),
            head_dim: first(&["head_dim", "d_kv"]),
            max_position_embeddings: first(&[
                "max_position_embeddings",
                "n_positions",
                "max_seq_len",
                "seq_length",
                "n_ctx",
            ]),
            sliding_window: number("sliding_window").filter(|_| windowed),
            layer_types: texts("layer_types", 1_000),
            kv_lora_rank: number("kv_lora_rank"),
            qk_rope_head_dim: number("qk_rope_head_dim"),
            num_experts: first(&["num_local_experts", "num_experts", "n_routed_experts"]),
            vocab_size: number("vocab_size"),
            dtype: text("torch_dtype")
                .or_else(|| text("dtype"))
                .map(|d| d.trim_start_matches("torch.").to_owned()),
            quantization: get("quantization_config").and_then(quantization),
            num_labels: get("id2label")
                .and_then(Value::as_object)
                .map(|labels| labels.len() as u64),
        })
    }

    /// What the first architecture is for, as Hugging Face names tasks; `None` where the class
    /// name does not say it.
    pub fn task(&self) -> Option<&'static str> {
        let architecture = self.architectures.first()?;
        let ends = |suffix: &str| architecture.ends_with(suffix);
        Some(match () {
            () if ends("ForCausalLM") || ends("LMHeadModel") => "text-generation",
            () if ends("ForConditionalGeneration") => match self.model_type.as_deref() {
                Some("whisper") => "automatic-speech-recognition",
                Some("t5" | "bart" | "mbart" | "pegasus" | "marian") => "text2text-generation",
                _ => "image-text-to-text",
            },
            () if ends("ForSequenceClassification") => "text-classification",
            () if ends("ForTokenClassification") => "token-classification",
            () if ends("ForQuestionAnswering") => "question-answering",
            () if ends("ForMaskedLM") => "fill-mask",
            () if ends("ForImageClassification") => "image-classification",
            () if ends("ForObjectDetection") => "object-detection",
            () if ends("ForSpeechSeq2Seq") => "automatic-speech-recognition",
            () => return None,
        })
    }

    /// Whether the model writes text token by token, so that an engine such as vLLM can run it;
    /// `None` when the file does not say what the model is.
    pub fn generates(&self) -> Option<bool> {
        if self.architectures.is_empty() {
            return None;
        }
        Some(self.architectures.iter().any(|a| {
            a.ends_with("ForCausalLM")
                || a.ends_with("LMHeadModel")
                || a.ends_with("ForConditionalGeneration")
        }))
    }
}

fn quantization(value: &Value) -> Option<Quantization> {
    let get = |key: &str| value.get(key);
    let flag = |key: &str| get(key).and_then(Value::as_bool) == Some(true);
    let bits = get("bits")
        .or_else(|| get("w_bit"))
        .or_else(|| value.pointer("/config_groups/group_0/weights/num_bits"))
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .or_else(|| flag("load_in_4bit").then_some(4))
        .or_else(|| flag("load_in_8bit").then_some(8));
    let method = get("quant_method")
        .or_else(|| get("quant_algo"))
        .and_then(Value::as_str)
        .and_then(|s| clean(s, 50))?;
    Some(Quantization { method, bits })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_language_model_is_read() {
        let config = ConfigJson::parse(
            br#"{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","num_hidden_layers":36,"hidden_size":2560,
                "num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"max_position_embeddings":40960,
                "sliding_window":null,"use_sliding_window":false,"torch_dtype":"bfloat16","vocab_size":151936}"#,
        )
        .unwrap();
        assert_eq!(config.head_dim, Some(128));
        assert_eq!(config.sliding_window, None);
        assert_eq!(config.dtype.as_deref(), Some("bfloat16"));
        assert_eq!(
            (config.task(), config.generates()),
            (Some("text-generation"), Some(true))
        );
    }

    #[test]
    fn the_language_part_of_a_model_of_several_is_read() {
        let config = ConfigJson::parse(
            br#"{"architectures":["Gemma3ForConditionalGeneration"],"text_config":{"num_hidden_layers":34,"sliding_window":1024,
                "layer_types":["sliding_attention","full_attention"]},"vision_config":{"num_hidden_layers":27}}"#,
        )
        .unwrap();
        assert_eq!(config.num_hidden_layers, Some(34));
        assert_eq!(config.sliding_window, Some(1024));
        assert_eq!(config.layer_types.len(), 2);
    }

    #[test]
    fn quantisation_is_named() {
        for (json, label) in [
            (
                r#"{"quantization_config":{"quant_method":"gptq","bits":4}}"#,
                "GPTQ 4-bit",
            ),
            (r#"{"quantization_config":{"quant_method":"fp8"}}"#, "FP8"),
            (
                r#"{"quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true}}"#,
                "BITSANDBYTES 4-bit",
            ),
            (
                r#"{"quantization_config":{"quant_method":"compressed-tensors","config_groups":{"group_0":{"weights":{"num_bits":8}}}}}"#,
                "COMPRESSED-TENSORS 8-bit",
            ),
        ] {
            assert_eq!(
                ConfigJson::parse(json.as_bytes())
                    .unwrap()
                    .quantization
                    .unwrap()
                    .label(),
                label
            );
        }
        assert_eq!(
            ConfigJson::parse(br#"{"quantization_config":{}}"#)
                .unwrap()
                .quantization,
            None
        );
    }

    #[test]
    fn wrong_types_are_unknown_and_broken_json_is_an_error() {
        let config =
            ConfigJson::parse(br#"{"num_hidden_layers":"many","architectures":"x","head_dim":-1}"#)
                .unwrap();
        assert_eq!(config, ConfigJson::default());
        assert!(ConfigJson::parse(b"{").is_err());
        assert!(ConfigJson::parse(b"[]").is_err());
        assert!(ConfigJson::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,300}") {
            let _ = ConfigJson::parse(text.as_bytes());
        }
    }
}
