//! The tools that building the world needs, and how to get them.

use crate::error::{Error, Result};
use std::process::Command;

/// A tool of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The Go toolchain, 1.26 or newer.
    Go,
    /// Node.js, 20 or newer.
    Node,
    /// npm, which comes with Node.js on most systems.
    Npm,
    /// A C compiler.
    Cc,
}

struct Need {
    command: &'static str,
    version_args: &'static [&'static str],
    oldest: Option<(u32, u32)>,
    wanted: &'static str,
    needed_for: &'static str,
    install: &'static str,
}

impl Tool {
    fn need(self) -> Need {
        match self {
            Self::Go => Need {
                command: "go",
                version_args: &["env", "GOVERSION"],
                oldest: Some((1, 26)),
                wanted: "1.26",
                needed_for: "building Kubernetes, etcd, the registry and Prometheus",
                install: "see https://go.dev/doc/install, or `apt-get install golang` where that is 1.26 or newer",
            },
            Self::Node => Need {
                command: "node",
                version_args: &["--version"],
                oldest: Some((20, 0)),
                wanted: "20",
                needed_for: "running the OpenID provider",
                install: "`apt-get install nodejs npm` where that is 20 or newer, else see https://nodejs.org/en/download",
            },
            Self::Npm => Need {
                command: "npm",
                version_args: &["--version"],
                oldest: None,
                wanted: "",
                needed_for: "installing the OpenID provider",
                install: "`apt-get install npm`",
            },
            Self::Cc => Need {
                command: "cc",
                version_args: &["--version"],
                oldest: None,
                wanted: "",
                needed_for: "building programs that contain C",
                install: "`apt-get install build-essential`",
            },
        }
    }

    /// Checks that the tool is there and new enough.
    ///
    /// # Errors
    /// [`Error::MissingTool`] or [`Error::OldTool`], each with the command that mends it.
    pub fn check(self) -> Result<()> {
        let need = self.need();
        let output = Command::new(need.command)
            .args(need.version_args)
            .output()
            .map_err(|_| Error::MissingTool {
                tool: need.command,
                needed_for: need.needed_for,
                install: need.install,
            })?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match (need.oldest, version(&text)) {
            (Some(oldest), Some(found)) if found < oldest => Err(Error::OldTool {
                tool: need.command,
                found: text,
                wanted: need.wanted,
                install: need.install,
            }),
            _ => Ok(()),
        }
    }
}

/// Checks several tools and stops at the first that is missing.
///
/// # Errors
/// As [`Tool::check`].
pub fn check_tools(tools: &[Tool]) -> Result<()> {
    tools.iter().try_for_each(|tool| tool.check())
}

/// The first two numbers of a version's text (`go1.26.8`, `v20.20.2`).
fn version(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("go1.26.8"), Some((1, 26)));
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("go1.27rc1"), Some((1, 27)));
        assert_eq!(version("none"), None);
    }
}
