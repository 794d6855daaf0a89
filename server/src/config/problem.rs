//! What can be wrong with a configuration, in words for whoever wrote it.

use figment::error::Kind;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `server.listen`, `registries[0].url`; empty for the file as a whole.
    pub key: String,
    pub wrong: String,
    pub remedy: String,
}

impl Problem {
    pub fn new(key: &str, wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            wrong: wrong.into(),
            remedy: remedy.into(),
        }
    }
}

/// Everything that is wrong with a configuration, so that one run shows all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl ConfigError {
    pub(super) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    pub(super) fn from_figment(error: figment::Error) -> Self {
        Self(error.into_iter().map(from_figment).collect())
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, p) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            if p.key.is_empty() {
                write!(f, "{}. {}", p.wrong, p.remedy)?;
            } else {
                write!(f, "{}: {}. {}", p.key, p.wrong, p.remedy)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

fn from_figment(e: figment::Error) -> Problem {
    let mut key = e.path.join(".");
    let source = e
        .metadata
        .as_ref()
        .map(|m| m.name.to_string())
        .unwrap_or_default();
    let place = if source.contains("environment") {
        "the environment"
    } else {
        "the file"
    };
    let (wrong, remedy) = match &e.kind {
        Kind::UnknownField(name, known) => {
            key = with(&e.path, name);
            (
                format!("there is no such key (from {place})"),
                format!("Known here: {}.", known.join(", ")),
            )
        }
        Kind::MissingField(name) => {
            key = with(&e.path, name);
            ("it is missing".into(), "Add it.".to_owned())
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            // `found` would show a secret that was written with the wrong type.
            let found = if looks_secret(&key) {
                "something else".to_owned()
            } else {
                found.to_string()
            };
            (
                format!("expected {expected}, found {found}"),
                format!("Change it in {place}."),
            )
        }
        Kind::UnknownVariant(found, known) => (
            format!("`{found}` is none of its values"),
            format!("Use one of: {}.", known.join(", ")),
        ),
        Kind::Message(text) if looks_secret(&key) || text.is_empty() => (
            "it cannot be read".into(),
            format!("Check how it is written in {place}."),
        ),
        Kind::Message(text) => (
            text.trim_end().trim_end_matches('.').to_owned(),
            format!("Change it in {place}."),
        ),
        other => (other.to_string(), format!("Change it in {place}.")),
    };
    Problem { key, wrong, remedy }
}

fn looks_secret(key: &str) -> bool {
    ["secret", "password", "token", "url"]
        .iter()
        .any(|w| key.contains(w))
}

/// The path of a key; figment's path has the name already in some errors and not in others.
fn with(path: &[String], name: &str) -> String {
    let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
    if parts.last() != Some(&name) {
        parts.push(name);
    }
    parts.join(".")
}
