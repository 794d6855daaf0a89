//! What a registry asks for with a 401: `WWW-Authenticate`, and the token that it leads to
//! (distribution's "Token Authentication Specification").

use std::collections::BTreeMap;

use serde::Deserialize;

/// Longest challenge that is read.
const MAX_CHALLENGE: usize = 4096;
/// Longest token that is kept.
const MAX_TOKEN: usize = 32 * 1024;

/// What the registry wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from a token service.
    Bearer {
        /// The token service's address.
        realm: String,
        /// The registry's name there.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads one header value; `None` when it asks for something that we cannot give.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        if header.len() > MAX_CHALLENGE {
            return None;
        }
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        Some(Self::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service").filter(|s| !s.is_empty()),
            scope: parameters.remove("scope").filter(|s| !s.is_empty()),
        })
    }
}

/// `name="value",name=value`: the parameters of a challenge (RFC 9110, section 11.2).
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name
            .trim()
            .trim_start_matches(',')
            .trim()
            .to_ascii_lowercase();
        let (value, remaining) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        out.insert(name, value);
        rest = remaining;
    }
    out
}

/// A quoted value up to its closing quote, and what follows.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &text[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// The answer of a token service.
#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

/// The token in a token service's answer, when there is one that can stand in a header.
pub(crate) fn read_token(body: &[u8]) -> Option<String> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let given = |token: &String| {
        !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic())
    };
    answer
        .token
        .filter(given)
        .or_else(|| answer.access_token.filter(given))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(
            Challenge::parse("Basic realm=\"x\""),
            Some(Challenge::Basic)
        );
        assert_eq!(
            Challenge::parse(
                r#"Bearer realm="https://auth/token",service="reg",scope="repository:a/b:pull,push""#
            ),
            Some(Challenge::Bearer {
                realm: "https://auth/token".into(),
                service: Some("reg".into()),
                scope: Some("repository:a/b:pull,push".into()),
            })
        );
        assert_eq!(
            Challenge::parse(r#"bearer service=reg, realm="a\"b""#),
            Some(Challenge::Bearer {
                realm: "a\"b".into(),
                service: Some("reg".into()),
                scope: None,
            })
        );
        for header in ["", "Negotiate", "Bearer", "Bearer service=\"x\""] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    #[test]
    fn tokens_that_could_break_a_header_are_not_taken() {
        assert_eq!(read_token(br#"{"token":"abc"}"#).as_deref(), Some("abc"));
        assert_eq!(
            read_token(br#"{"token":"","access_token":"d"}"#).as_deref(),
            Some("d")
        );
        assert_eq!(read_token(br#"{"token":"a\r\nX: y"}"#), None);
        assert_eq!(read_token(b"{}"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header in ".{0,200}") {
            let _ = Challenge::parse(&header);
        }

        #[test]
        fn any_bearer_is_answered(rest in "[a-z=\", \\\\]{0,60}") {
            let _ = Challenge::parse(&format!("Bearer {rest}"));
        }
    }
}
