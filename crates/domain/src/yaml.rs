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
            format!(
                "The manifest is {} KiB long; at most {} KiB are read.",
                text.len().div_ceil(1024),
                MAX_BYTES / 1024
            ),
            "Take out what does not belong into an InferenceService, such as embedded files.",
        ));
    }
    if text.trim().is_empty() {
        return Err(wrong(
            "The manifest is empty.".into(),
            "Write an InferenceService, beginning with `apiVersion: serving.kserve.io/v1beta1`.",
        ));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            // Two, so that a second one is told apart from a document that is too large.
            max_documents: 2,
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
    let value: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|e| explain(&e))?;
    if !value.is_object() {
        return Err(wrong(
            format!(
                "The manifest is {}, not a mapping of fields.",
                crate::isvc::kind_of(&value)
            ),
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
        E::MultipleDocuments { .. } => (
            "A second document begins".to_owned(),
            "Keep one InferenceService; remove the other documents and their `---`.",
        ),
        E::DuplicateMappingKey { key, .. } => (
            match key {
                Some(k) => format!("The key `{}` stands twice in the same mapping", short(k)),
                None => "A key stands twice in the same mapping".to_owned(),
            },
            "Remove one of the two; only one could have had an effect.",
        ),
        E::Budget { .. } => (
            "The document is nested too deeply or has too many parts".to_owned(),
            "Write it flatter, and without anchors and aliases.",
        ),
        E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => (
            "Its aliases (`*name`) unfold into too much".to_owned(),
            "Write the repeated parts out.",
        ),
        E::UnknownAnchor { .. } => (
            "An alias (`*name`) has no anchor (`&name`) before it".to_owned(),
            "Define the anchor first, or put the text in quotes if `*` belongs to it.",
        ),
        E::NonFiniteFloat { .. } => (
            "A number is not finite".to_owned(),
            "Write a finite number, or put the text in quotes.",
        ),
        E::Eof { .. } => (
            "The document ends too early".to_owned(),
            "Complete it: a bracket or a quote may still be open.",
        ),
        E::ExternalMessage { source, .. } => match source.as_ref() {
            serde_saphyr::localizer::ExternalMessageSource::Parser(scan) => syntax(scan.kind()),
            _ => syntax(&serde_saphyr::granit_parser::ErrorKind::UnexpectedEof),
        },
        _ => (NOT_YAML.to_owned(), LOOK),
    };
    let place = e
        .location()
        .map(|l| format!("line {}, column {}: ", l.line(), l.column()))
        .unwrap_or_default();
    wrong(format!("{place}{what}."), remedy)
}

/// Line and column, from 1, that a message of [`parse_manifest`] begins with.
pub fn location(message: &str) -> Option<(usize, usize)> {
    let (line, rest) = message.strip_prefix("line ")?.split_once(", column ")?;
    let (column, _) = rest.split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

const NOT_YAML: &str = "This is not valid YAML";
const LOOK: &str = "Look at indentation, colons and quotes at this place; lists begin with `- `, and tabs may not indent.";

/// A mistake of syntax, by the parser's kind of error.
fn syntax(kind: &serde_saphyr::granit_parser::ErrorKind) -> (String, &'static str) {
    use serde_saphyr::granit_parser::ErrorKind as K;
    let (what, remedy) = match kind {
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabAtBlockScalarStart
        | K::TabInPlainScalar => (
            "A tab stands where only blanks may",
            "Indent with blanks; put text that holds a tab in double quotes.",
        ),
        K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar => (
            "A quote is opened here and not closed",
            "Close it; a quote inside of single quotes is written twice.",
        ),
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => (
            "Something follows the closing quote",
            "Put the whole text in one pair of quotes.",
        ),
        K::UnclosedFlowCollection { .. }
        | K::MismatchedFlowCollectionEnd { .. }
        | K::MisplacedFlowCollectionEnd
        | K::UnexpectedEofFlowSequence
        | K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping => (
            "The brackets do not match",
            "Close each `[` with `]` and each `{` with `}`.",
        ),
        K::ExpectedFlowMappingSeparator | K::ExpectedFlowSequenceSeparator => (
            "A comma or a closing bracket is missing",
            "Separate the parts with commas and close the bracket.",
        ),
        K::MappingValueNotAllowed
        | K::InvalidColonPlacement
        | K::InvalidMappingValueWhitespace
        | K::FlowMappingValueAdjacentCollection => (
            "A colon stands where none may",
            "Put text that holds `: ` in quotes, and begin each field on a line of its own.",
        ),
        K::SimpleKeyExpected
        | K::InvalidSimpleKey
        | K::ExpectedBlockMappingKey
        | K::MappingKeyNotAllowed => (
            "A field `name: value` was expected",
            "Write a colon and a blank after the name, and indent it like its neighbours.",
        ),
        K::BlockSequenceEntryNotAllowed
        | K::BlockEntryInFlowCollection
        | K::InvalidBlockEntryWhitespace
        | K::ExpectedBlockSequenceEntry => (
            "A list's `-` stands where none may",
            "Indent the items of a list alike, with a blank after each `-`.",
        ),
        K::InvalidIndentation
        | K::InvalidBlockScalarIndent
        | K::InvalidQuotedScalarIndent
        | K::InvalidFlowScalarIndent => (
            "The indentation does not fit",
            "Indent it like its neighbours, two blanks deeper than what it belongs to.",
        ),
        K::UnexpectedCharacter { .. } | K::BomInsideDocument => (
            "A character that YAML does not take stands here",
            "Remove it, or put the text in double quotes.",
        ),
        K::MultipleDocumentsUnsupported | K::ExpectedDocumentStart | K::InvalidDocumentEnd => (
            "A second document begins",
            "Keep one InferenceService; remove the other documents and their `---`.",
        ),
        K::RecursionLimitExceeded | K::AnchorCountOverflow => (
            "The document is nested too deeply or has too many parts",
            "Write it flatter, and without anchors and aliases.",
        ),
        K::UnknownAnchor => (
            "An alias (`*name`) has no anchor (`&name`) before it",
            "Define the anchor first, or put the text in quotes if `*` belongs to it.",
        ),
        _ => (NOT_YAML, LOOK),
    };
    (what.to_owned(), remedy)
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 {
        text.to_owned()
    } else {
        text.chars().take(57).chain("…".chars()).collect()
    }
}

/// YAML with the keys in the order in which Kubernetes' people read them: apiVersion, kind, metadata,
/// spec; the name first in each mapping; the rest by alphabet. [`parse_manifest`] gives the value back.
pub fn to_yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        // Image references are long and without blanks: never fold them.
        folded_wrap_chars: 1_000_000,
    };
    serde_saphyr::to_string_with_options(&Ordered(value), options)
        .expect("JSON values have a YAML form")
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
