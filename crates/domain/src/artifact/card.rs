//! A model card: a README whose beginning may be YAML between two lines of `---`, as Hugging Face
//! reads it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::malformed::clean;

/// Most bytes of a card that are kept; what follows is cut off and the card says so.
pub const MAX_CARD_BYTES: usize = 512 * 1024;
/// Most bytes of front matter that are read.
const MAX_FRONT_MATTER_BYTES: usize = 128 * 1024;
/// Most entries of a list of a card.
const MAX_LIST: usize = 100;

/// What a card's front matter says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CardMeta {
    /// SPDX-like identifiers, lower case as Hugging Face writes them: `apache-2.0`.
    pub licence: Option<String>,
    /// The licence's own name where the identifier is `other`.
    pub licence_name: Option<String>,
    /// Where the licence's text is.
    pub licence_link: Option<String>,
    /// The task: `text-generation`.
    pub pipeline_tag: Option<String>,
    /// The library: `transformers`.
    pub library_name: Option<String>,
    /// Languages, as ISO codes.
    pub languages: Vec<String>,
    /// Models that this one was made from.
    pub base_models: Vec<String>,
    /// Data sets that it was trained on.
    pub datasets: Vec<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Name, where the card gives one.
    pub model_name: Option<String>,
}

/// A card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The front matter.
    pub meta: CardMeta,
    /// The markdown behind it, as it came: untrusted, to be rendered with care.
    pub markdown: String,
    /// The card was longer than [`MAX_CARD_BYTES`].
    pub truncated: bool,
    /// What is wrong with the front matter, for the page to say.
    pub problem: Option<String>,
}

impl Card {
    /// Reads a card. Nothing is refused: a broken front matter leaves the text and a `problem`.
    pub fn parse(bytes: &[u8]) -> Self {
        let truncated = bytes.len() > MAX_CARD_BYTES;
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_CARD_BYTES)]);
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let (meta, markdown, problem) = match split(&text) {
            Some((yaml, rest)) => match front_matter(yaml) {
                Ok(meta) => (meta, rest.to_owned(), None),
                Err(problem) => (CardMeta::default(), rest.to_owned(), Some(problem)),
            },
            None => (CardMeta::default(), text, None),
        };
        Self {
            meta,
            markdown: markdown.trim_start_matches('\n').replace('\0', "\u{fffd}"),
            truncated,
            problem,
        }
    }
}

/// Front matter and the rest, when the text begins with a line `---` and has a second one.
fn split(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix("---\n")?;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&body[..at], &body[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

fn front_matter(yaml: &str) -> Result<CardMeta, String> {
    if yaml.len() > MAX_FRONT_MATTER_BYTES {
        return Err("The card's front matter is larger than 128 kB and was not read.".into());
    }
    if yaml.trim().is_empty() {
        return Ok(CardMeta::default());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_nodes: 20_000,
            max_events: 60_000,
            max_aliases: 50,
            max_anchors: 50,
            max_documents: 1,
            max_total_scalar_bytes: MAX_FRONT_MATTER_BYTES,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::FirstWins,
    };
    let value: Value = serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|_| "The card's front matter is not YAML that can be read, so what it says is shown as unknown.".to_owned())?;
    let Value::Object(map) = value else {
        return Err("The card's front matter is not a list of names and values.".into());
    };
    let text = |key: &str| map.get(key).and_then(as_text);
    let texts = |key: &str| map.get(key).map(as_texts).unwrap_or_default();
    Ok(CardMeta {
        licence: texts("license")
            .into_iter()
            .next()
            .map(|l| l.to_lowercase()),
        licence_name: text("license_name"),
        licence_link: text("license_link"),
        pipeline_tag: text("pipeline_tag"),
        library_name: text("library_name"),
        languages: texts("language"),
        base_models: texts("base_model"),
        datasets: texts("datasets"),
        tags: texts("tags"),
        model_name: text("model_name").or_else(|| {
            map.get("model-index")?
                .get(0)?
                .get("name")
                .and_then(as_text)
        }),
    })
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => clean(text, 500),
        Value::Number(number) => Some(number.to_string()),
        // YAML 1.1 readers turn Norwegian's `no` into a boolean.
        Value::Bool(false) => Some("no".into()),
        _ => None,
    }
}

fn as_texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().take(MAX_LIST).filter_map(as_text).collect(),
        other => as_text(other).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn front_matter_and_text_are_told_apart() {
        let card = Card::parse(
            b"---\r\nlicense: Apache-2.0\r\npipeline_tag: text-generation\r\nlanguage: [en, no]\r\nbase_model: Qwen/Qwen3-8B\r\n---\r\n\r\n# Title\n",
        );
        assert_eq!(card.meta.licence.as_deref(), Some("apache-2.0"));
        assert_eq!(card.meta.languages, ["en", "no"]);
        assert_eq!(card.meta.base_models, ["Qwen/Qwen3-8B"]);
        assert_eq!(card.markdown, "# Title\n");
        assert_eq!(card.problem, None);
    }

    #[test]
    fn a_card_without_front_matter_is_its_text() {
        for text in ["# Title", "--- not\n", "---\nlicense: mit\n", ""] {
            let card = Card::parse(text.as_bytes());
            assert_eq!(card.markdown, text);
            assert_eq!(card.meta, CardMeta::default());
        }
    }

    #[test]
    fn broken_front_matter_leaves_the_text() {
        for yaml in ["a: [", "- 1\n- 2", "a: b: c", "just words"] {
            let card = Card::parse(format!("---\n{yaml}\n---\nText").as_bytes());
            assert_eq!(card.markdown, "Text", "{yaml}");
            assert!(card.problem.is_some(), "{yaml}");
        }
    }

    #[test]
    fn an_alias_bomb_does_not_go_off() {
        let mut yaml = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..20 {
            let inner = vec![format!("*a{}", i - 1); 9].join(",");
            yaml.push_str(&format!("a{i}: &a{i} [{inner}]\n"));
        }
        let card = Card::parse(format!("---\n{yaml}---\nText").as_bytes());
        assert!(card.problem.is_some());
    }

    #[test]
    fn a_long_card_is_cut() {
        let card = Card::parse("é".repeat(MAX_CARD_BYTES).as_bytes());
        assert!(card.truncated);
        assert!(card.markdown.len() <= MAX_CARD_BYTES + 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Card::parse(&bytes);
        }

        #[test]
        fn any_front_matter_is_answered(yaml in "[-a-z0-9:&*!|>\\[\\]{} \n\"']{0,200}") {
            let _ = Card::parse(format!("---\n{yaml}\n---\nText").as_bytes());
        }
    }
}
