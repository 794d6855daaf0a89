//! Configurations of the three packagings that are made for models: CNCF ModelPack (model
//! specification v0.0.7, `docs/config.md`), KitOps (the Kitfile as JSON) and Docker's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    kind::ArtifactKind,
    malformed::{Malformed, clean},
};
use crate::time::Micros;

/// Largest configuration that is read.
const MAX_CONFIG_BYTES: usize = 4 * 1024 * 1024;

/// What a packaging's configuration says; what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackagingFacts {
    /// The model's name.
    pub name: Option<String>,
    /// Its version, as its author numbers it.
    pub version: Option<String>,
    /// The family that it belongs to.
    pub family: Option<String>,
    /// Licences.
    pub licences: Vec<String>,
    /// The files' format: `safetensors`, `gguf`, `onnx`.
    pub format: Option<String>,
    /// Number of parameters.
    pub parameters: Option<u64>,
    /// Type of the weights: `bf16`.
    pub precision: Option<String>,
    /// Quantisation: `awq`, `Q4_K_M`.
    pub quantisation: Option<String>,
    /// Architecture: `transformer`, `llama`.
    pub architecture: Option<String>,
    /// Longest sequence, in tokens.
    pub context_length: Option<u64>,
    /// When it was made.
    pub created: Option<Micros>,
    /// Where its files come from.
    pub source: Option<String>,
}

/// Reads the configuration of a [`ArtifactKind::ModelPack`], [`ArtifactKind::KitOps`] or
/// [`ArtifactKind::DockerModel`]; for other kinds there is nothing to read.
pub fn parse_packaging(kind: ArtifactKind, bytes: &[u8]) -> Result<PackagingFacts, Malformed> {
    let what = match kind {
        ArtifactKind::ModelPack => "The ModelPack configuration",
        ArtifactKind::KitOps => "The KitOps configuration",
        ArtifactKind::DockerModel => "The Docker model configuration",
        _ => return Ok(PackagingFacts::default()),
    };
    if bytes.len() > MAX_CONFIG_BYTES {
        return Err(Malformed::new(what, "is larger than 4 MiB"));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|e| {
        Malformed::new(
            what,
            format!("is not JSON (line {}, column {})", e.line(), e.column()),
        )
    })?;
    if !value.is_object() {
        return Err(Malformed::new(what, "is not a JSON object"));
    }
    Ok(match kind {
        ArtifactKind::ModelPack => model_pack(&value),
        ArtifactKind::KitOps => kit_ops(&value),
        _ => docker(&value),
    })
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => clean(text, 300),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(|list| {
            list.iter()
                .take(50)
                .filter_map(Value::as_str)
                .filter_map(|s| clean(s, 100))
                .collect()
        })
        .unwrap_or_default()
}

fn model_pack(value: &Value) -> PackagingFacts {
    PackagingFacts {
        name: text(value, "/descriptor/name"),
        version: text(value, "/descriptor/version"),
        family: text(value, "/descriptor/family"),
        licences: texts(value, "/descriptor/licenses"),
        format: text(value, "/config/format"),
        parameters: text(value, "/config/paramSize").as_deref().and_then(count),
        precision: text(value, "/config/precision"),
        quantisation: text(value, "/config/quantization"),
        architecture: text(value, "/config/architecture"),
        context_length: None,
        created: text(value, "/descriptor/createdAt")
            .as_deref()
            .and_then(Micros::parse),
        source: text(value, "/descriptor/sourceURL"),
    }
}

fn kit_ops(value: &Value) -> PackagingFacts {
    let path = text(value, "/model/path");
    let framework = text(value, "/model/framework");
    PackagingFacts {
        name: text(value, "/model/name").or_else(|| text(value, "/package/name")),
        version: text(value, "/model/version").or_else(|| text(value, "/package/version")),
        licences: text(value, "/model/license")
            .or_else(|| text(value, "/package/license"))
            .into_iter()
            .collect(),
        format: framework.or_else(|| {
            path.as_deref()
                .and_then(|p| p.rsplit_once('.'))
                .map(|(_, end)| end.to_lowercase())
        }),
        ..PackagingFacts::default()
    }
}

fn docker(value: &Value) -> PackagingFacts {
    PackagingFacts {
        name: text(value, "/config/gguf/general.name"),
        licences: text(value, "/config/gguf/general.license")
            .into_iter()
            .collect(),
        format: text(value, "/config/format"),
        parameters: text(value, "/config/parameters").as_deref().and_then(count),
        quantisation: text(value, "/config/quantization"),
        architecture: text(value, "/config/architecture")
            .or_else(|| text(value, "/config/gguf/general.architecture")),
        context_length: text(value, "/config/context_size").and_then(|n| n.parse().ok()),
        created: text(value, "/descriptor/created")
            .as_deref()
            .and_then(Micros::parse),
        ..PackagingFacts::default()
    }
}

/// A number of parameters as people write it: `7B`, `361.82 M`, `1.5b`, `7000000000`.
/// `8x7B` and the like are not a number of parameters (experts share layers): `None`.
pub(crate) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "b" | "g" => 1e9,
        "t" => 1e12,
        _ => return None,
    };
    let product = number * factor;
    (product.is_finite() && (1.0..1e15).contains(&product)).then_some(product.round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_packaging_is_read() {
        let pack = parse_packaging(
            ArtifactKind::ModelPack,
            br#"{"descriptor":{"name":"qwen","version":"2.5","family":"qwen2","licenses":["Apache-2.0"],"createdAt":"2026-01-01T00:00:00Z"},
                "config":{"architecture":"transformer","format":"safetensors","paramSize":"7.6b","precision":"bf16","quantization":"awq"}}"#,
        )
        .unwrap();
        assert_eq!(
            (pack.parameters, pack.quantisation.as_deref()),
            (Some(7_600_000_000), Some("awq"))
        );
        assert!(pack.created.is_some());

        let kit = parse_packaging(
            ArtifactKind::KitOps,
            br#"{"manifestVersion":"1.0","package":{"name":"fraud","version":"1.2.0"},"model":{"path":"model.ONNX","license":"MIT"}}"#,
        )
        .unwrap();
        assert_eq!(
            (kit.name.as_deref(), kit.format.as_deref()),
            (Some("fraud"), Some("onnx"))
        );

        let docker = parse_packaging(
            ArtifactKind::DockerModel,
            br#"{"config":{"format":"gguf","quantization":"IQ2_XXS/Q4_K_M","parameters":"361.82 M","architecture":"llama"},
                "descriptor":{"created":"2026-01-01T00:00:00Z"}}"#,
        )
        .unwrap();
        assert_eq!(
            (docker.parameters, docker.architecture.as_deref()),
            (Some(361_820_000), Some("llama"))
        );
    }

    #[test]
    fn counts_are_read_as_people_write_them() {
        assert_eq!(count("7B"), Some(7_000_000_000));
        assert_eq!(count("123"), Some(123));
        for text in [
            "8x7B", "", "B", "many", "1e400", "-1B", "0", "1..2B", "999999T",
        ] {
            assert_eq!(count(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let _ = count(&text);
            for kind in ArtifactKind::ALL {
                let _ = parse_packaging(kind, text.as_bytes());
            }
        }
    }
}
