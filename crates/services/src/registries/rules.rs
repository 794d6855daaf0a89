//! Which repositories and tags a registry's rules name.

use crate::ports::{SyncRule, TagFilter};
use domain::{Error, FieldError, Result};
use std::collections::BTreeSet;

/// Compiled rules.
pub(super) struct Rules {
    rules: Vec<(regex::Regex, Option<TagRule>)>,
    /// The repositories that are named whole.
    named: BTreeSet<String>,
    /// The places among the given rules of those that are patterns.
    patterns: Vec<usize>,
}

enum TagRule {
    Exact(String),
    Prefix(String),
    Regex(regex::Regex),
}

impl Rules {
    pub(super) fn compile(rules: &[SyncRule]) -> Result<Self> {
        let mut out = Self {
            rules: Vec::new(),
            named: BTreeSet::new(),
            patterns: Vec::new(),
        };
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
            if !rule.enabled {
                continue;
            }
            out.rules.push((repository, tag));
            if rule.repository.contains('*') {
                out.patterns.push(i);
            } else {
                out.named.insert(rule.repository.clone());
            }
        }
        Ok(out)
    }
    /// The repositories that are named whole: for them the registry need not list any.
    pub(super) fn named(&self) -> &BTreeSet<String> {
        &self.named
    }
    /// Whether there are patterns, for which the registry has to list its repositories.
    pub(super) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }
    /// Refuses patterns, each beside its field, where the registry does not list its repositories.
    pub(super) fn without_list(&self) -> Result<()> {
        if self.patterns.is_empty() {
            return Ok(());
        }
        let mut e = Error::invalid("this registry does not list its repositories");
        e.fields = self
            .patterns
            .iter()
            .map(|i| FieldError {
                field: format!("rules.{i}.repository"),
                message: "This registry does not list its repositories to this account (/v2/_catalog), so a pattern finds none: give a repository's whole name, without `*`, and one rule for each.".into(),
            })
            .collect();
        Err(e)
    }
    pub(super) fn wants(&self, repository: &str) -> bool {
        self.rules.iter().any(|(r, _)| r.is_match(repository))
    }
    pub(super) fn wants_tag(&self, repository: &str, tag: &str) -> bool {
        // A signature's or attestation's tag (`sha256-<hex>[.sig]`) is not a version.
        if tag.len() >= 71 && tag.starts_with("sha256-") {
            return false;
        }
        self.rules
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
    fn only_patterns_need_a_list() {
        let off = SyncRule {
            enabled: false,
            ..rule("c/*", None)
        };
        let r = Rules::compile(&[rule("a/b", None), off.clone()]).expect("compiles");
        assert!(r.named().contains("a/b") && !r.has_patterns() && r.without_list().is_ok());
        let r = Rules::compile(&[rule("a/b", None), off, rule("d/**", None)]).expect("compiles");
        assert!(r.has_patterns());
        let e = r.without_list().expect_err("a pattern");
        assert_eq!(e.fields.len(), 1);
        assert_eq!(e.fields[0].field, "rules.2.repository");
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
