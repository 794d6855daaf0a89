//! The one error of the artifact parsers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes that are not what they claim to be.
///
/// Both parts are our own words about the input and may be shown to a person; neither ever holds
/// a library's error text or a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{what} {problem}")]
pub struct Malformed {
    /// What was read, as a noun phrase: "The manifest", "The safetensors header".
    pub what: String,
    /// What is wrong with it and where, as a predicate: "is larger than 4 MiB".
    pub problem: String,
}

impl Malformed {
    /// A malformed `what`, because it `problem`.
    pub fn new(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            problem: problem.into(),
        }
    }
}

/// Text from outside, shortened and with control and bidirectional characters replaced, so that it
/// can stand in a message or a log line without breaking either.
pub(crate) fn shown(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == max_chars {
            out.push('…');
            break;
        }
        out.push(if is_unsafe(c) { '\u{fffd}' } else { c });
    }
    out
}

/// Whether a character may break a line or reorder the text around it.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// Text from outside for a fact: trimmed, control characters removed (line ends kept as spaces),
/// at most `max_chars`; `None` when nothing is left.
pub(crate) fn clean(text: &str, max_chars: usize) -> Option<String> {
    let shortened: String = text
        .trim()
        .chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .filter(|c| !is_unsafe(*c))
        .take(max_chars)
        .collect();
    let trimmed = shortened.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_break_a_line_or_reorder_it() {
        assert_eq!(shown("a\nb\u{202e}c", 10), "a\u{fffd}b\u{fffd}c");
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(clean("  a\nb\u{2066}\u{7}  ", 10).as_deref(), Some("a b"));
        assert_eq!(clean(" \u{7} ", 10), None);
    }
}
