//! The address as the page's state: filters, sorting and paging live in the query.

use domain::{Error, Result};
use leptos_router::hooks::use_query_map;

/// So many characters of a value stand in what is said of it.
const SAID: usize = 60;

/// The query of this page, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// From pairs that were read elsewhere.
    pub fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The current request's.
    pub fn current() -> Self {
        use leptos::prelude::GetUntracked;
        let map = use_query_map().get_untracked();
        Self(
            map.latest_values()
                .map(|(k, v)| (k.to_string(), v.to_owned()))
                .collect::<Vec<_>>(),
        )
        .with_repeats()
    }

    fn with_repeats(self) -> Self {
        use leptos::prelude::GetUntracked;
        let map = use_query_map().get_untracked();
        let mut all = Vec::new();
        for (k, _) in &self.0 {
            for v in map.get_all(k).unwrap_or_default() {
                all.push((k.clone(), v));
            }
        }
        Self(all)
    }

    /// The last value of a parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(k, v)| k == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// All values of a repeated parameter.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(k, v)| k == name && !v.is_empty())
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// All values of a parameter, each read by `read`; `what` it is that they name.
    /// Errors: `Invalid` with a value that names none: left out, it would show everything as if nobody
    /// had asked.
    pub fn each<T>(
        &self,
        name: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>> {
        self.all(name)
            .iter()
            .map(|v| {
                read(v).ok_or_else(|| {
                    let said: String = v.chars().take(SAID).collect();
                    Error::field(name, format!("“{said}” is no {what}; choose another one."))
                })
            })
            .collect()
    }

    /// This query with a parameter set (or, with an empty value, removed), as `?…`; paging starts anew
    /// unless it is the paging that changes.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut pairs: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(k, v)| k != name && !v.is_empty() && (k != "after" || name == "after"))
            .cloned()
            .collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        encode(&pairs)
    }

    /// This query with one more value of a repeated parameter.
    pub fn also(&self, name: &str, value: &str) -> String {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(k, v)| k != "after" && !v.is_empty())
            .cloned()
            .collect();
        pairs.push((name.to_owned(), value.to_owned()));
        encode(&pairs)
    }

    /// This query without one value of a repeated parameter.
    pub fn without(&self, name: &str, value: &str) -> String {
        let pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(k, v)| !(k == name && v == value) && k != "after" && !v.is_empty())
            .cloned()
            .collect();
        encode(&pairs)
    }

    /// The pairs, for hidden fields of a filter form.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// `?a=b&c=d`, percent-encoded; `?` alone where there is nothing, so that a link is never empty.
pub fn encode(pairs: &[(String, String)]) -> String {
    let text: Vec<String> = pairs
        .iter()
        .map(|(k, v)| format!("{}={}", percent(k), percent(v)))
        .collect();
    format!("?{}", text.join("&"))
}

/// Percent-encodes one part of an address.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_names_nothing_is_said_with_its_field() {
        let query = |value: &str| Query::of(vec![("state".into(), value.into())]);
        let read = |q: Query| q.each("state", "state", domain::state::Code::from_name);
        assert_eq!(
            read(query("crashing")).expect("a state"),
            [domain::state::Code::Crashing]
        );
        assert_eq!(read(query("")).expect("none"), []);
        let e = read(query("zzz")).expect_err("no state");
        assert_eq!(e.fields[0].field, "state");
        assert!(e.message.contains("“zzz” is no state"), "{}", e.message);
        let long = read(query(&"é".repeat(900))).expect_err("no state");
        assert!(long.message.chars().count() < 120);
    }
}
