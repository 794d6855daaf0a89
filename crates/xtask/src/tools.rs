//! Programs that must be there: found, installed where we may, or named with the command that
//! installs them.

use crate::Result;
use crate::progress::Progress;
use crate::shell::{self, which};
use std::path::Path;
use std::process::Command;

/// The oldest Node.js that the browser's tools work with.
const NODE: u32 = 20;
/// The oldest Go that the world's programs build with.
const GO: (u32, u32) = (1, 26);

/// What is missing, one line each with the command that installs it.
#[derive(Default)]
pub struct Missing(Vec<String>);

impl Missing {
    /// Notes a missing thing.
    pub fn add(&mut self, what: &str, install: &str) {
        self.0.push(format!("  {what}\n      {install}"));
    }

    /// Fails if anything is missing.
    ///
    /// # Errors
    /// All that is missing at once, so that nobody has to come back for the next.
    pub fn check(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(format!("missing on this machine:\n{}", self.0.join("\n")))
    }
}

/// Node.js and npm.
pub fn node(missing: &mut Missing) {
    let install = "install Node.js 20 or newer: `apt-get install nodejs npm`, `brew install node` or nodejs.org";
    match shell::output("node", &["--version"]) {
        None => missing.add("node (Node.js ≥ 20)", install),
        Some(version) => {
            let major = version
                .trim_start_matches('v')
                .split('.')
                .next()
                .and_then(|n| n.parse().ok());
            if major.unwrap_or(0u32) < NODE {
                missing.add(&format!("Node.js ≥ {NODE} (found {version})"), install);
            }
        }
    }
    if which("npm").is_none() {
        missing.add(
            "npm",
            "`apt-get install npm`, or reinstall Node.js with npm",
        );
    }
}

/// Go and a C compiler, which the world's programs need.
pub fn go_and_cc(missing: &mut Missing) {
    let install = "install Go 1.26 or newer from go.dev/dl, then put its bin folder on the PATH";
    match shell::output("go", &["env", "GOVERSION"]) {
        None => missing.add("go (Go ≥ 1.26)", install),
        Some(version) => {
            let mut parts = version.trim_start_matches("go").split(['.', 'r', 'b', ' ']);
            let mut next = || parts.next().and_then(|n| n.parse().ok()).unwrap_or(0u32);
            if (next(), next()) < GO {
                missing.add(&format!("Go ≥ 1.26 (found {version})"), install);
            }
        }
    }
    cc(missing);
}

/// A C compiler.
pub fn cc(missing: &mut Missing) {
    if ["cc", "gcc", "clang"]
        .iter()
        .all(|name| which(name).is_none())
    {
        missing.add(
            "a C compiler",
            "`apt-get install build-essential`, or `xcode-select --install`",
        );
    }
}

/// Whether Debian packages can be installed without asking anybody.
pub fn can_apt() -> bool {
    which("apt-get").is_some() && rustix::process::geteuid().is_root()
}

/// Installs Debian packages.
///
/// # Errors
/// The command to type when we may not do it, or the end of what apt printed.
pub fn apt(packages: &[&str], log: &Path, progress: &Progress) -> Result<()> {
    let names = packages.join(" ");
    if !can_apt() {
        return Err(format!(
            "missing on this machine: {names}\n  install with: sudo apt-get install {names}"
        ));
    }
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .iter()
        .chain(packages)
        .copied()
        .collect();
    // Lists may be missing or old: only then are they worth the time.
    if shell::logged(
        apt(&install),
        "debian",
        &format!("installing {names}"),
        log,
        progress,
    )
    .is_ok()
    {
        return Ok(());
    }
    shell::logged(
        apt(&["update"]),
        "debian",
        "updating package lists",
        log,
        progress,
    )?;
    shell::logged(
        apt(&install),
        "debian",
        &format!("installing {names}"),
        log,
        progress,
    )
}
