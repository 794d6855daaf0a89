//! What can go wrong while the world is built, started or stopped.

use std::path::{Path, PathBuf};

/// An error of the world. Its text says what failed, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tool that a build needs is not on the path.
    #[error("{tool} is missing ({needed_for}). Install it: {install}")]
    MissingTool {
        /// The command that was looked for.
        tool: &'static str,
        /// What needs it.
        needed_for: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// A tool is there but too old.
    #[error("{tool} {found} is too old: {wanted} or newer is needed. Install it: {install}")]
    OldTool {
        /// The command.
        tool: &'static str,
        /// The version found.
        found: String,
        /// The oldest version that works.
        wanted: &'static str,
        /// The command that installs a newer one.
        install: &'static str,
    },
    /// A program could not be built.
    #[error("building {program} failed; its whole output is in {log}. Last lines:\n{tail}")]
    Build {
        /// The program.
        program: String,
        /// The file with the build's output.
        log: PathBuf,
        /// The end of that output.
        tail: String,
    },
    /// A part did not start, or ended while it was waited for.
    #[error("{part} does not run: {reason}. Its log is {log}. Last lines:\n{tail}")]
    Start {
        /// The part.
        part: String,
        /// Why it counts as not started.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// Another world uses this state folder.
    #[error(
        "a world already runs from {}: stop it first (`gatehouse-world stop`), or give another folder with --state",
        .0.display()
    )]
    Busy(PathBuf),
    /// No world runs from this state folder.
    #[error("no world runs from {}", .0.display())]
    NotRunning(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A cluster refused or did not answer.
    #[error("cluster {cluster}: {what}: {source}")]
    Kube {
        /// The cluster's name.
        cluster: String,
        /// What was tried.
        what: String,
        /// The client's reason.
        source: Box<kube::Error>,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// The world's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Turns an I/O error into one that names the file.
    pub fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::File { path, source }
    }

    /// Turns a client's error into one that names the cluster and the attempt.
    pub fn kube(cluster: &str, what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let cluster = cluster.to_owned();
        let what = what.into();
        move |source| Self::Kube {
            cluster,
            what,
            source: Box::new(source),
        }
    }

    /// An error in words.
    pub fn other(text: impl std::fmt::Display) -> Self {
        Self::Other(text.to_string())
    }
}

/// The last `lines` lines of a log file, for an error's text; empty when it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Writes a file in one step (a new file renamed over the old), readable by this user only
/// when `secret`.
pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>, secret: bool) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    std::fs::write(&temporary, content).map_err(Error::file(&temporary))?;
    let mode = if secret { 0o600 } else { 0o644 };
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(mode))
        .map_err(Error::file(&temporary))?;
    std::fs::rename(&temporary, path).map_err(Error::file(path))
}
