//! Gives a fresh clone the modification times of the last build, so that cargo sees what did not
//! change.
//!
//! Cargo compares times, and a clone's are all new. The times of commits would not do: a change
//! can be committed before the last build and arrive after it. So the cache remembers, for each
//! file and folder, git's hash of its content and the time that it had: the same hash gets the
//! same time again, and anything else is new.

use crate::Result;
use crate::paths::Paths;
use crate::shell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Hash and time (seconds since 1970) by path.
type Times = BTreeMap<String, (String, u64)>;

/// Restores times in the checkout and remembers those of what is new. Files that differ from the
/// last commit keep their own.
///
/// # Errors
/// When git does not answer or a time cannot be set.
pub fn restore(paths: &Paths) -> Result<()> {
    let memory = paths.cache.join("source-times.json");
    let old: Times = fs::read(&memory)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let changed: BTreeSet<String> = git(
        &paths.root,
        &["status", "--porcelain", "-z", "--untracked-files=no"],
    )?
    .split('\0')
    .filter_map(|entry| entry.get(3..).map(str::to_owned))
    .collect();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let tree = git(&paths.root, &["ls-tree", "-r", "-t", "-z", "HEAD"])?;
    let mut times = remember(&tree, &old, now);
    times.retain(|path, _| !changed.contains(path));
    // Folders last, and the deepest first: setting a file's time does not touch its folder, but
    // the order then never matters.
    for (path, (_, seconds)) in times.iter().rev() {
        set(&paths.root.join(path), *seconds)?;
    }
    let text = serde_json::to_vec(&times).map_err(|e| e.to_string())?;
    shell::write(&memory, text)
}

/// The time for each entry of `git ls-tree -r -t -z`.
fn remember(tree: &str, old: &Times, now: u64) -> Times {
    tree.split('\0')
        .filter_map(|entry| {
            let (meta, path) = entry.split_once('\t')?;
            let hash = meta.split_whitespace().nth(2)?;
            let time = old
                .get(path)
                .filter(|(known, _)| known == hash)
                .map_or(now, |(_, time)| *time);
            Some((path.to_owned(), (hash.to_owned(), time)))
        })
        .collect()
}

fn set(path: &Path, seconds: u64) -> Result<()> {
    let fail = |e: std::io::Error| format!("{}: {e}", path.display());
    if path.is_symlink() || !path.exists() {
        return Ok(());
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path)
        .map_err(fail)?
        .set_times(FileTimes::new().set_modified(time))
        .map_err(fail)
}

fn git(root: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("git")
        .args(args)
        .current_dir(root)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!(
        "git {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_content_keeps_its_time_and_changed_content_is_new() {
        let tree =
            "100644 blob aaa\tsrc/a.rs\u{0}100644 blob bbb\tsrc/b.rs\u{0}040000 tree ccc\tsrc\u{0}";
        let old = Times::from([
            ("src/a.rs".into(), ("aaa".into(), 100)),
            ("src/b.rs".into(), ("other".into(), 100)),
            ("gone.rs".into(), ("ddd".into(), 100)),
        ]);
        let times = remember(tree, &old, 900);
        assert_eq!(times["src/a.rs"].1, 100);
        assert_eq!(times["src/b.rs"].1, 900);
        assert_eq!(times["src"].1, 900);
        assert!(!times.contains_key("gone.rs"));
    }
}
