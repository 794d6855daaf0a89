//! Differences of documents, field by field and as text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One field that differs. Paths read as people write them: `predictor.model.args[2]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The fields in which two documents differ, in the order of their paths. Lists are compared by
/// position, except lists of objects that carry a unique `name` (containers, env, canary): by name.
pub fn diff(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut out = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut out);
    out
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<FieldChange>) {
    match (before, after) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for k in keys {
                walk(join(&path, k), a.get(k), b.get(k), out);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => match (by_name(a), by_name(b)) {
            (Some(an), Some(bn)) => {
                let mut names: Vec<&str> = an.iter().map(|(n, _)| *n).collect();
                names.extend(
                    bn.iter()
                        .map(|(n, _)| *n)
                        .filter(|n| !an.iter().any(|(m, _)| m == n)),
                );
                let find = |l: &[(&str, &'_ Value)], n: &str| l.iter().position(|(m, _)| *m == n);
                for n in names {
                    let x = find(&an, n).map(|i| an[i].1);
                    let y = find(&bn, n).map(|i| bn[i].1);
                    walk(format!("{path}[{n}]"), x, y, out);
                }
            }
            _ => {
                for i in 0..a.len().max(b.len()) {
                    walk(format!("{path}[{i}]"), a.get(i), b.get(i), out);
                }
            }
        },
        (a, b) => out.push(FieldChange {
            path,
            before: a.cloned(),
            after: b.cloned(),
        }),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn by_name(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let named: Vec<(&str, &Value)> = list
        .iter()
        .filter_map(|v| v.get("name")?.as_str().map(|n| (n, v)))
        .collect();
    let unique: std::collections::BTreeSet<_> = named.iter().map(|(n, _)| *n).collect();
    (!list.is_empty() && named.len() == list.len() && unique.len() == list.len()).then_some(named)
}

/// Differences in a few words, at most so many of them: `minReplicas 1 → 2, timeout 60 → 30 and 2 more`.
pub fn in_words(changes: &[FieldChange], most: usize) -> String {
    let value = |v: &Option<Value>| match v {
        None | Some(Value::Null) => Some("not set".to_owned()),
        Some(Value::Object(_) | Value::Array(_)) => None,
        Some(Value::String(s)) => Some(s.clone()),
        Some(v) => Some(v.to_string()),
    };
    let words = |c: &FieldChange| {
        let name = [
            "spec.predictor.",
            "spec.",
            "metadata.annotations.",
            "metadata.labels.",
            "metadata.",
        ]
        .iter()
        .find_map(|p| c.path.strip_prefix(p))
        .unwrap_or(&c.path);
        match (value(&c.before), value(&c.after)) {
            _ if name.is_empty() => "all of it".to_owned(),
            (Some(a), Some(b)) => format!("{name} {} → {}", cut(&a), cut(&b)),
            _ => format!("{name} changed"),
        }
    };
    let mut text: String = changes
        .iter()
        .take(most)
        .map(words)
        .collect::<Vec<_>>()
        .join(", ");
    if changes.len() > most {
        text.push_str(&format!(" and {} more", changes.len() - most));
    }
    text
}

/// The end of a value that is too long for a sentence: what is at the end of an address tells it apart.
fn cut(text: &str) -> String {
    const MOST: usize = 40;
    let n = text.chars().count();
    if n <= MOST {
        return text.to_owned();
    }
    let end: String = text.chars().skip(n - MOST).collect();
    format!("…{end}")
}

/// One line of a text difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    Same,
    Removed,
    Added,
}

/// A line, with the numbers it has on each side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub kind: LineKind,
    pub before: Option<usize>,
    pub after: Option<usize>,
    pub text: String,
}

/// The two texts as one list of lines.
pub fn lines(before: &str, after: &str) -> Vec<Line> {
    use similar::{ChangeTag, TextDiff};
    TextDiff::from_lines(before, after)
        .iter_all_changes()
        .map(|c| Line {
            kind: match c.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            },
            before: c.old_index().map(|i| i + 1),
            after: c.new_index().map(|i| i + 1),
            text: c.value().trim_end_matches('\n').to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_named_as_people_write_them() {
        let a = json!({"p": {"min": 1, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}, "args": ["x"]});
        let b = json!({"p": {"min": 2, "env": [{"name": "B", "value": "3"}]}, "args": ["x", "y"]});
        let paths: Vec<_> = diff(&a, &b).into_iter().map(|c| c.path).collect();
        assert_eq!(paths, ["args[1]", "p.env[A]", "p.env[B].value", "p.min"]);
        assert!(diff(&a, &a).is_empty());
    }

    #[test]
    fn text_keeps_line_numbers_of_both_sides() {
        let l = lines("a\nb\n", "a\nc\n");
        assert_eq!(l.len(), 3);
        assert_eq!(
            (l[1].kind, l[1].before, l[2].after),
            (LineKind::Removed, Some(2), Some(2))
        );
    }

    #[test]
    fn a_difference_in_a_few_words() {
        let a = json!({"spec": {"predictor": {"minReplicas": 1, "timeout": 60, "model": {"args": ["a"]}}}, "x": 1});
        let b = json!({"spec": {"predictor": {"minReplicas": 2, "model": {"args": ["a", {"b": 1}]}}}, "x": 2});
        let all = diff(&a, &b);
        assert_eq!(
            in_words(&all, 3),
            "minReplicas 1 → 2, model.args[1] changed, timeout 60 → not set and 1 more"
        );
        assert_eq!(in_words(&diff(&Value::Null, &a), 3), "all of it");
        assert_eq!(in_words(&[], 3), "");
        let long = format!("registry.example/models/{}", "a".repeat(64));
        assert!(
            in_words(&diff(&json!({"u": long}), &json!({"u": 1})), 3)
                .chars()
                .count()
                < 60
        );
    }
}
