//! A value that must never be shown: no `Display`, and a `Debug` that says nothing.

use super::Problem;
use serde::{Deserialize, Deserializer};
use std::path::Path;

/// A secret of the configuration. Compare or use it; it cannot be printed by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The secret itself; keep it out of logs, errors and pages.
    pub fn expose(&self) -> &str {
        &self.0
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self)
    }
}

/// The longest secret file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// Settles `value` and its `…_file` twin into one: at most one may be given, and a file's trailing
/// line break does not count. Relative paths start at the configuration file's folder.
pub(super) fn settle(
    key: &str,
    value: &mut Option<Secret>,
    file: Option<&Path>,
    base: &Path,
    problems: &mut Vec<Problem>,
) {
    let Some(file) = file else { return };
    let file_key = format!("{key}_file");
    if value.is_some() {
        problems.push(Problem::new(
            &file_key,
            format!("`{key}` is given too"),
            "Keep one of the two.",
        ));
        return;
    }
    let path = base.join(file);
    let read = std::fs::metadata(&path).and_then(|m| {
        if m.len() > MAX_FILE {
            return Err(std::io::Error::other("it is larger than 64 KiB"));
        }
        std::fs::read_to_string(&path)
    });
    match read {
        Ok(text) => *value = Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(e) => problems.push(Problem::new(
            &file_key,
            format!("the file {} cannot be read: {e}", path.display()),
            "Check the path and that the console's user may read it.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
