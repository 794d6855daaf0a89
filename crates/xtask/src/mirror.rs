//! A second checkout at one fixed place, which CI builds in.
//!
//! Each run of CI gets a fresh clone in a folder of its own. Cargo looks at modification times,
//! which are all new in it, and what was compiled names the folder that it was compiled in
//! (`CARGO_MANIFEST_DIR`), which is gone at the next run. So the commit is checked out in the
//! cache: git writes only the files that changed there, and the folder stays.

use crate::Result;
use std::path::Path;
use std::process::Command;

/// Brings `mirror` to the commit that is checked out in `clone`.
///
/// # Errors
/// When there are changes that no commit holds (they would not be tested), or git fails.
pub fn update(clone: &Path, mirror: &Path) -> Result<()> {
    let changed = git(clone, &["status", "--porcelain", "--untracked-files=no"])?;
    if !changed.is_empty() {
        return Err(format!(
            "with CI set, the commit is tested, and these changes are in none:\n{changed}"
        ));
    }
    if !mirror.join(".git").exists() {
        crate::shell::make_dir(mirror)?;
        git(mirror, &["init", "--quiet"])?;
    }
    let source = clone.to_string_lossy();
    git(
        mirror,
        &["fetch", "--quiet", "--no-tags", "--force", &source, "HEAD"],
    )?;
    git(
        mirror,
        &["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"],
    )?;
    // Nothing of an earlier commit may take part in the tests; packages follow their lock files.
    git(mirror, &["clean", "-ffdxq", "--exclude=node_modules"])?;
    Ok(())
}

fn git(dir: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!(
        "git {} in {}: {}",
        args.join(" "),
        dir.display(),
        String::from_utf8_lossy(&out.stderr).trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn commit(repo: &Path, message: &str) {
        git(repo, &["add", "--all"]).unwrap();
        let who = [
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "commit.gpgsign=false",
        ];
        git(
            repo,
            &[&who[..], &["commit", "--quiet", "--message", message]].concat(),
        )
        .unwrap();
    }

    #[test]
    fn unchanged_files_keep_their_times_and_removed_ones_go() {
        let dir = std::env::temp_dir().join(format!("xtask-mirror-{}", std::process::id()));
        let (first, second, mirror) = (dir.join("first"), dir.join("second"), dir.join("mirror"));
        fs::create_dir_all(&first).unwrap();
        git(&first, &["init", "--quiet"]).unwrap();
        for name in ["same", "changes", "goes"] {
            fs::write(first.join(name), "1").unwrap();
        }
        commit(&first, "one");
        update(&first, &mirror).unwrap();
        let time = |name: &str| fs::metadata(mirror.join(name)).unwrap().modified().unwrap();
        let before = time("same");
        fs::write(mirror.join("left-over"), "").unwrap();

        git(
            &dir,
            &[
                "clone",
                "--quiet",
                &first.to_string_lossy(),
                &second.to_string_lossy(),
            ],
        )
        .unwrap();
        fs::write(second.join("changes"), "2").unwrap();
        fs::remove_file(second.join("goes")).unwrap();
        assert!(update(&second, &mirror).unwrap_err().contains("changes"));
        commit(&second, "two");
        update(&second, &mirror).unwrap();
        assert_eq!(time("same"), before);
        assert_eq!(fs::read_to_string(mirror.join("changes")).unwrap(), "2");
        assert!(!mirror.join("goes").exists() && !mirror.join("left-over").exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
