//! Which repositories and tags a registry's rules name.

use crate::ports::{SyncRule, TagFilter};
use domain::{Error, Result};

/// Compiled rules.
pub(super) struct Rules(Vec<(regex::Regex, Option<TagRule>)>);

enum TagRule {
    Exact(String),
    Prefix(String),
    Regex(regex::Regex),
}

impl Rules {
    pub(super) fn compile(rules: &[SyncRule]) -> Result<Self> {
        let mut out = Vec::new();
        for (i, rule) in rules.iter().enumerate() {
            let repository = pattern(&rule.repository).ok_or_else(|| {
                Error::field(format!("rules.{i}.repository"), "A repository pattern has lower-case letters, digits, `.`, `_`, `-`, `/`, `*` (one segment) and `**` (any depth).")
            })?;
            let tag = match &rule.tag {
                None => None,
                Some(TagFilter::Exact(t)) => Some(TagRule::Exact(t.clone())),
                Some(TagFilter::Prefix(t)) => Some(TagRule::Prefix(t.clone())),
                Some(TagFilter::Regex(t)) => Some(TagRule::Regex(
                    regex::RegexBuilder::new(&format!("^(?:{t})$")).size_limit(1 << 20).build().map_err(|_| {
                        Error::field(format!("rules.{i}.tag"), format!("“{t}” is not a regular expression that can be used; an example is `release-.*`."))
                    })?,
                )),
            };
            if rule.enabled {
                out.push((repository, tag));
            }
        }
        Ok(Self(out))
    }
    pub(super) fn wants(&self, repository: &str) -> bool {
        self.0.iter().any(|(r, _)| r.is_match(repository))
    }
    pub(super) fn wants_tag(&self, repository: &str, tag: &str) -> bool {
        // A signature's or attestation's tag (`sha256-<hex>[.sig]`) is not a version.
        if tag.len() >= 71 && tag.starts_with("sha256-") {
            return false;
        }
        self.0
            .iter()
            .filter(|(r, _)| r.is_match(repository))
            .any(|(_, t)| match t {
                None => true,
                Some(TagRule::Exact(e)) => e == tag,
                Some(TagRule::Prefix(p)) => tag.starts_with(p.as_str()),
                Some(TagRule::Regex(r)) => r.is_match(tag),
            })
    }
}

fn pattern(text: &str) -> Option<regex::Regex> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(ok) {
        return None;
    }
    let source = regex::escape(text)
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*");
    regex::Regex::new(&format!("^{source}$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(repository: &str, tag: Option<TagFilter>) -> SyncRule {
        SyncRule {
            repository: repository.into(),
            tag,
            enabled: true,
        }
    }

    #[test]
    fn one_star_is_one_segment_and_two_are_any_depth() {
        let r = Rules::compile(&[rule("models/*", None)]).expect("compiles");
        assert!(
            r.wants("models/llama") && !r.wants("models/meta/llama") && !r.wants("other/models/x")
        );
        assert!(
            Rules::compile(&[rule("models/**", None)])
                .expect("compiles")
                .wants("models/meta/llama")
        );
    }

    #[test]
    fn tags_by_exact_prefix_and_anchored_regex() {
        let t = |f| Rules::compile(&[rule("a", Some(f))]).expect("compiles");
        assert!(t(TagFilter::Regex("release-.*".into())).wants_tag("a", "release-1"));
        assert!(!t(TagFilter::Regex("release-.*".into())).wants_tag("a", "pre-release-1"));
        assert!(
            t(TagFilter::Prefix("v".into())).wants_tag("a", "v1")
                && t(TagFilter::Exact("v1".into())).wants_tag("a", "v1")
        );
        let sig = format!("sha256-{}.sig", "0".repeat(64));
        assert!(
            !Rules::compile(&[rule("a", None)])
                .expect("compiles")
                .wants_tag("a", &sig)
        );
    }
}
