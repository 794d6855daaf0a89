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
}
