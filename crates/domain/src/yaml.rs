//! Manifests as people write them. YAML 1.2: `on`, `yes` and `0755` are text, as the API server
//! would have it; what is written is quoted so that YAML 1.1 readers (kubectl) agree.

use crate::{Error, Result};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// The longest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;

/// Reads one YAML (or JSON) document that is a mapping. Errors say line and column and what to do;
/// the field of each is `manifest`.
pub fn parse_manifest(text: &str) -> Result<Value> {
    if text.len() > MAX_BYTES {
        return Err(wrong(
            format!("The manifest is {} KiB long; at most {} KiB are read.", text.len().div_ceil(1024), MAX_BYTES / 1024),
            "Take out what does not belong into an InferenceService, such as embedded files.",
        ));
    }
    if text.trim().is_empty() {
        return Err(wrong("The manifest is empty.".into(), "Write an InferenceService, beginning with `apiVersion: serving.kserve.io/v1beta1`."));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: 50_000,
            max_nodes: 25_000,
            max_aliases: 100,
            max_anchors: 100,
            max_merge_keys: 100,
            max_total_scalar_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 100,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|e| explain(&e))?;
    if !value.is_object() {
        return Err(wrong(
            format!("The manifest is {}, not a mapping of fields.", crate::isvc::kind_of(&value)),
            "Begin with `apiVersion: serving.kserve.io/v1beta1` and `kind: InferenceService`.",
        ));
    }
    Ok(value)
}

fn wrong(message: String, remedy: &str) -> Error {
    Error::field("manifest", message).remedy(remedy)
}

/// The library's error in words of ours, with the place.
fn explain(e: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as E;
    let (what, remedy) = match e.without_snippet() {
        E::MultipleDocuments { .. } => ("A second document begins".to_owned(), "Keep one InferenceService; remove the other documents and their `---`."),
        E::DuplicateMappingKey { key, .. } => (
            match key {
                Some(k) => format!("The key `{}` stands twice in the same mapping", short(k)),
                None => "A key stands twice in the same mapping".to_owned(),
            },
            "Remove one of the two; only one could have had an effect.",
        ),
        E::Budget { .. } => ("The document is nested too deeply or has too many parts".to_owned(), "Write it flatter, and without anchors and aliases."),
        E::AliasReplayLimitExceeded { .. } | E::AliasExpansionLimitExceeded { .. } | E::AliasReplayStackDepthExceeded { .. } | E::AliasReplayCounterOverflow { .. } => {
            ("Its aliases (`*name`) unfold into too much".to_owned(), "Write the repeated parts out.")
        }
        E::UnknownAnchor { .. } => ("An alias (`*name`) has no anchor (`&name`) before it".to_owned(), "Define the anchor first, or put the text in quotes if `*` belongs to it."),
        E::NonFiniteFloat { .. } => ("A number is not finite".to_owned(), "Write a finite number, or put the text in quotes."),
        E::Eof { .. } => ("The document ends too early".to_owned(), "Complete it: a bracket or a quote may still be open."),
        _ => ("This is not valid YAML".to_owned(), "Look at indentation, colons and quotes at this place; lists begin with `- `, and tabs may not indent."),
    };
    let place = e.location().map(|l| format!("line {}, column {}: ", l.line(), l.column())).unwrap_or_default();
    wrong(format!("{place}{what}."), remedy)
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(57).chain("…".chars()).collect() }
}

/// YAML with the keys in the order in which Kubernetes' people read them: apiVersion, kind, metadata,
/// spec; the name first in each mapping; the rest by alphabet. [`parse_manifest`] gives the value back.
pub fn to_yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        // Image references are long and without blanks: never fold them.
        folded_wrap_chars: 1_000_000,
    };
    serde_saphyr::to_string_with_options(&Ordered(value), options).expect("JSON values have a YAML form")
}

/// A value whose mappings are written in [`rank`]'s order.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort_by_key(|k| (rank(k), k.as_str()));
                let mut out = s.serialize_map(Some(map.len()))?;
                for key in keys {
                    out.serialize_entry(key, &Ordered(&map[key]))?;
                }
                out.end()
            }
            Value::Array(items) => s.collect_seq(items.iter().map(Ordered)),
            other => other.serialize(s),
        }
    }
}

fn rank(key: &str) -> u8 {
    match key {
        "apiVersion" => 0,
        "kind" => 1,
        "metadata" => 2,
        "name" => 3,
        "namespace" => 4,
        "spec" => 5,
        "status" => 7,
        _ => 6,
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
