//! Packages from npm: installed by their lock file, and again only when that changes.

use crate::Result;
use crate::fingerprint::{Fingerprint, is_current};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::shell;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tools of the build that come from npm; embedded, so that they install into the cache.
const TOOLS: [(&str, &str); 2] = [
    ("package.json", include_str!("../npm/package.json")),
    (
        "package-lock.json",
        include_str!("../npm/package-lock.json"),
    ),
];

/// `npm ci` in `dir`, unless its `node_modules` are those of the lock file already.
///
/// # Errors
/// The end of what npm printed.
pub fn ci(dir: &Path, name: &str, paths: &Paths, progress: &Progress) -> Result<()> {
    let hash = Fingerprint::default()
        .path(&dir.join("package.json"))?
        .path(&dir.join("package-lock.json"))?
        .finish();
    let stamp = dir.join("node_modules/.installed-from");
    if is_current(&stamp, &hash) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(dir);
    shell::logged(
        npm,
        name,
        "npm ci",
        &paths.log(&format!("npm-{name}")),
        progress,
    )?;
    shell::write(&stamp, hash)
}

/// The folder whose `node_modules` hold the build's tools.
///
/// # Errors
/// As [`ci`].
pub fn tools(paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let hash = TOOLS
        .iter()
        .fold(Fingerprint::default(), |hash, (_, content)| {
            hash.text(content)
        })
        .finish();
    let dir = paths.cache.join("node").join(format!("tools-{hash}"));
    for (name, content) in TOOLS {
        if !dir.join(name).exists() {
            shell::write(&dir.join(name), content)?;
        }
    }
    ci(&dir, "tools", paths, progress)?;
    Ok(dir)
}
