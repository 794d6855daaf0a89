//! What stands behind the question mark. A parameter that nobody knows is an error: a filter with a
//! typing mistake would else answer everything.

use domain::{Error, Result, page};

/// A parameter of the query.
pub struct Parameter {
    pub name: &'static str,
    pub words: &'static str,
    /// It may be there several times: any of the values.
    pub repeated: bool,
}

const fn one(name: &'static str, words: &'static str) -> Parameter {
    Parameter {
        name,
        words,
        repeated: false,
    }
}

const fn many(name: &'static str, words: &'static str) -> Parameter {
    Parameter {
        name,
        words,
        repeated: true,
    }
}

const LIMIT: Parameter = one("limit", "Rows of a page, 1 to 200; 50 where it is left out");
const NEXT: Parameter = one("after", "`next` of the page before");

pub const NONE: &[Parameter] = &[];
pub const AFTER: &[Parameter] = &[NEXT];
pub const MODELS: &[Parameter] = &[
    one("q", "Words in name, repository, task or card"),
    many("registry", "Id of a registry"),
    many("task", "Task, such as text-generation"),
    many("format", "Format of the files"),
    many("licence", "Licence identifier"),
    many("kind", "Kind of artifact"),
    many("signature", "verified, unsigned, untrusted, unknown"),
    many("scan", "pass, fail, not-scannable, stale, unknown"),
    one("sort", "name, newest, size, parameters"),
    LIMIT,
    NEXT,
];
pub const DEPLOYMENTS: &[Parameter] = &[
    one("q", "Words in name, namespace or source"),
    many("cluster", "Cluster"),
    many("namespace", "Namespace"),
    many("unit", "Business unit"),
    many("environment", "Environment"),
    many("state", "State, such as healthy"),
    one("unhealthy", "Any value: only what is not as it should be"),
    LIMIT,
    NEXT,
];
pub const CHANGES: &[Parameter] = &[
    one("q", "Words in name, namespace or purpose"),
    many("state", "State, such as waiting"),
    many("kind", "Kind, such as create"),
    LIMIT,
    NEXT,
];
pub const AUDIT: &[Parameter] = &[
    one("person", "Id of a person"),
    one("action", "Action, or its beginning up to a dot"),
    one(
        "object",
        "Object, such as deployment:cluster/namespace/name",
    ),
    one("change", "Id of a change"),
    one("outcome", "success, failure, denied, unknown"),
    one("unit", "A business unit, with those below it"),
    one("from", "Date or instant"),
    one("until", "Date or instant"),
    LIMIT,
    NEXT,
];

/// The query of a request, checked against what its address knows.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn read(raw: Option<&str>, known: &[Parameter]) -> Result<Self> {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
                .into_owned()
                .filter(|(_, v)| !v.is_empty())
                .collect();
        for (i, (name, _)) in pairs.iter().enumerate() {
            let Some(p) = known.iter().find(|p| p.name == name) else {
                let names: Vec<&str> = known.iter().map(|p| p.name).collect();
                let shown: String = name.chars().take(60).collect();
                return Err(Error::field(
                    &shown,
                    format!(
                        "This address has no parameter “{shown}”; it has: {}.",
                        names.join(", ")
                    ),
                ));
            };
            if !p.repeated && pairs[..i].iter().any(|(n, _)| n == name) {
                return Err(Error::field(p.name, "This parameter may be there once."));
            }
        }
        Ok(Self(pairs))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// All values, each read by `read`. Errors: the field and the value that cannot be.
    pub fn each<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        self.all(name)
            .iter()
            .map(|v| {
                read(v).ok_or_else(|| {
                    let shown: String = v.chars().take(60).collect();
                    Error::field(name, format!("“{shown}” is no value of `{name}`."))
                })
            })
            .collect()
    }

    pub fn after(&self) -> Option<&str> {
        self.get("after")
    }

    pub fn limit(&self) -> Result<usize> {
        match self.get("limit").map(str::parse::<usize>) {
            None => Ok(page::DEFAULT_LIMIT),
            Some(Ok(n)) if (1..=page::MAX_LIMIT).contains(&n) => Ok(n),
            Some(_) => Err(Error::field(
                "limit",
                format!("A page has 1 to {} rows.", page::MAX_LIMIT),
            )),
        }
    }

    /// As the pages read theirs.
    pub fn for_pages(self) -> app::query::Query {
        app::query::Query::of(self.0)
    }
}

/// A value by its name in JSON.
pub fn named<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said() {
        let field = |raw: &str| {
            Query::read(Some(raw), CHANGES)
                .and_then(|q| q.limit())
                .map_err(|e| e.fields[0].field.clone())
        };
        assert_eq!(field("state=waiting&state=held&limit=200"), Ok(200));
        assert_eq!(field(""), Ok(50));
        assert_eq!(field("states=waiting"), Err("states".into()));
        assert_eq!(field("q=a&q=b"), Err("q".into()));
        for limit in ["0", "201", "-1", "many"] {
            assert_eq!(field(&format!("limit={limit}")), Err("limit".into()));
        }
    }
}
