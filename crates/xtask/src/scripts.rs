//! Scripts that Node runs: written to our own folder, each beside the module that they share.

use crate::paths::Paths;
use crate::{Result, shell};
use std::path::PathBuf;

/// Who signs in, and how.
const PEOPLE: &str = include_str!("../npm/people.mjs");

/// Writes a script, to be run from where it then lies.
///
/// # Errors
/// When it cannot be written.
pub fn place(paths: &Paths, name: &str, text: &str) -> Result<PathBuf> {
    let dir = paths.work();
    shell::write(&dir.join("people.mjs"), PEOPLE)?;
    let script = dir.join(name);
    shell::write(&script, text)?;
    Ok(script)
}
