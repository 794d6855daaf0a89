//! Headers of weight files: safetensors (README "Format") and GGUF (ggml's `docs/gguf.md`,
//! version 3), with the tensors that the real models have.

use serde_json::{Value, json};
use std::fmt::Write;

/// A tensor's name, type and shape (outermost dimension first, as safetensors writes it).
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dtype: &'static str,
    pub(super) shape: Vec<u64>,
}

impl Tensor {
    pub(super) fn new(name: impl Into<String>, dtype: &'static str, shape: &[u64]) -> Self {
        Self {
            name: name.into(),
            dtype,
            shape: shape.to_vec(),
        }
    }

    pub(super) fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    fn bytes(&self) -> u64 {
        let width = match self.dtype {
            "F32" | "I32" => 4,
            "BF16" | "F16" => 2,
            _ => 1,
        };
        self.elements() * width
    }
}

/// The beginning of a weight file, and how large the whole is.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) head: Vec<u8>,
}

/// Largest shard, as Hugging Face's libraries cut them by default: 5 GB.
const MAX_SHARD: u64 = 5_000_000_000;

/// Weight files for tensors, and the index that names them where there are several.
pub(super) fn safetensors(tensors: &[Tensor]) -> (Vec<Shard>, Option<Vec<u8>>) {
    let mut groups: Vec<Vec<&Tensor>> = vec![Vec::new()];
    let mut filled = 0;
    for tensor in tensors {
        let last = groups.last_mut().expect("it begins with one group");
        if filled + tensor.bytes() > MAX_SHARD && !last.is_empty() {
            groups.push(vec![tensor]);
            filled = tensor.bytes();
        } else {
            last.push(tensor);
            filled += tensor.bytes();
        }
    }
    let many = groups.len();
    let name = |number: usize| match many {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{many:05}.safetensors", number + 1),
    };
    let shards = groups
        .iter()
        .enumerate()
        .map(|(number, group)| shard(name(number), group))
        .collect();
    let index = (many > 1).then(|| {
        let map: serde_json::Map<String, Value> = groups
            .iter()
            .enumerate()
            .flat_map(|(number, group)| {
                let file = name(number);
                group
                    .iter()
                    .map(move |tensor| (tensor.name.clone(), json!(file)))
            })
            .collect();
        let total: u64 = tensors.iter().map(Tensor::bytes).sum();
        json!({"metadata": {"total_size": total}, "weight_map": map})
            .to_string()
            .into_bytes()
    });
    (shards, index)
}

fn shard(name: String, tensors: &[&Tensor]) -> Shard {
    let mut text = String::from(r#"{"__metadata__":{"format":"pt"}"#);
    let mut at = 0;
    for tensor in tensors {
        let end = at + tensor.bytes();
        let entry = json!({
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [at, end],
        });
        write!(text, ",{}:{entry}", json!(tensor.name)).expect("a String takes everything");
        at = end;
    }
    text.push('}');
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.extend(text.as_bytes());
    Shard {
        name,
        size: head.len() as u64 + at,
        head,
    }
}

/// A value of a GGUF header.
pub(super) enum Meta {
    Text(&'static str),
    Number(u32),
    Float(f32),
}

/// Elements and bytes of a block, and the number of a type (ggml's `ggml_type`).
fn ggml(dtype: &str) -> (u32, u64, u64) {
    match dtype {
        "Q4_K" => (12, 256, 144),
        "Q6_K" => (14, 256, 210),
        "Q8_0" => (8, 32, 34),
        "F16" => (1, 1, 2),
        _ => (0, 1, 4),
    }
}

/// The header of a GGUF file of version 3, and the size of the whole file in bytes.
pub(super) fn gguf(meta: &[(&str, Meta)], tensors: &[Tensor]) -> (Vec<u8>, u64) {
    const ALIGNMENT: u64 = 32;
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((meta.len() as u64).to_le_bytes());
    for (key, value) in meta {
        text(&mut out, key);
        match value {
            Meta::Number(number) => {
                out.extend(4u32.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            Meta::Float(number) => {
                out.extend(6u32.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            Meta::Text(value) => {
                out.extend(8u32.to_le_bytes());
                text(&mut out, value);
            }
        }
    }
    let mut at = 0;
    for tensor in tensors {
        let (kind, block, bytes) = ggml(tensor.dtype);
        text(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        // ggml counts dimensions from the innermost.
        for side in tensor.shape.iter().rev() {
            out.extend(side.to_le_bytes());
        }
        out.extend(kind.to_le_bytes());
        out.extend(u64::to_le_bytes(at));
        at += (tensor.elements() / block * bytes).next_multiple_of(ALIGNMENT);
    }
    let begin = out.len().next_multiple_of(ALIGNMENT as usize);
    out.resize(begin, 0);
    let size = out.len() as u64 + at;
    (out, size)
}
