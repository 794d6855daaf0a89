//! The real programs of the world: what they are, where they are built to, and building them.
//!
//! Each Go module under `programs/` pins one program (or a family) with its `go.sum`; the files
//! are embedded, so that a binary of ours can build the world without a checkout. Binaries go to
//! a cache that all checkouts share, in a folder named by the hash of what they are built from:
//! a second checkout finds them, a changed version gets a folder of its own.

mod build;
mod embedded;
mod tools;

pub use build::{ensure, ensure_provider};
pub use tools::{Tool, check_tools};

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program that is built from Go source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// The binary's name.
    pub name: &'static str,
    /// The folder under `programs/` with its module.
    pub module: &'static str,
    /// The package to build.
    pub package: &'static str,
    /// Build tags.
    pub tags: &'static str,
}

const fn program(name: &'static str, module: &'static str, package: &'static str) -> Program {
    Program {
        name,
        module,
        package,
        tags: "",
    }
}

/// What the world runs. The largest comes first: what depends on it then finds its packages built.
const WORLD: [Program; 8] = [
    program("etcd", "etcd", "."),
    program(
        "kube-apiserver",
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-apiserver",
    ),
    program(
        "kube-controller-manager",
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    program(
        "kube-scheduler",
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-scheduler",
    ),
    program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    program(
        "registry",
        "registry",
        "github.com/distribution/distribution/v3/cmd/registry",
    ),
    // Service discovery other than files and HTTP would pull in every cloud's client.
    Program {
        name: "prometheus",
        module: "prometheus",
        package: "github.com/prometheus/prometheus/cmd/prometheus",
        tags: "remove_all_sd",
    },
    Program {
        name: "promtool",
        module: "prometheus",
        package: "github.com/prometheus/prometheus/cmd/promtool",
        tags: "remove_all_sd",
    },
];

/// Clients that a person or a contract test uses; the world runs without them.
const CLIENTS: [Program; 3] = [
    program("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
    program(
        "cosign",
        "clients",
        "github.com/sigstore/cosign/v3/cmd/cosign",
    ),
    program("oras", "clients", "oras.land/oras/cmd/oras"),
];

/// Which programs to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// What the world runs.
    World,
    /// `kubectl`, `cosign`, `oras`.
    Clients,
    /// Both.
    All,
}

impl Set {
    /// The programs, in the order in which they are built.
    pub fn programs(self) -> Vec<Program> {
        match self {
            Self::World => WORLD.to_vec(),
            Self::Clients => CLIENTS.to_vec(),
            Self::All => WORLD.iter().chain(&CLIENTS).copied().collect(),
        }
    }
}

/// What happens right now, for whoever waits.
#[derive(Debug, Clone)]
pub struct Progress {
    /// `tools`, `build`, `install`, `start` or `seed`.
    pub phase: &'static str,
    /// What is built, installed, started or seeded.
    pub subject: String,
    /// How far along the phase is, when that is known: step and number of steps.
    pub step: Option<(usize, usize)>,
    /// How long this subject has taken so far.
    pub elapsed: Duration,
    /// It is done.
    pub done: bool,
}

/// Where progress goes.
pub type ProgressFn<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// The cache folder: `$GATEHOUSE_CACHE`, else `$XDG_CACHE_HOME/gatehouse`, else
/// `~/.cache/gatehouse`.
///
/// # Errors
/// When none of the three variables is set.
pub fn cache_dir() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("GATEHOUSE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("gatehouse")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/gatehouse")))
        .ok_or_else(|| {
            Error::other(
                "no place for the cache: set GATEHOUSE_CACHE to a folder that can be written",
            )
        })
}

/// Where a program's binary lies (or will lie) in the cache.
pub fn binary(cache: &Path, program: &Program) -> PathBuf {
    module_dir(cache, program.module).join(program.name)
}

/// Where the provider's `node_modules` lie.
pub(crate) fn provider_dir(cache: &Path) -> PathBuf {
    cache
        .join("node")
        .join(format!("oidc-{}", embedded::provider_hash()))
}

fn module_dir(cache: &Path, module: &str) -> PathBuf {
    cache
        .join("bin")
        .join(format!("{module}-{}", embedded::module_hash(module)))
}

/// Links every built program into `dir`, so that one folder on the path has them all.
///
/// # Errors
/// When the folder cannot be written.
pub fn link_into(dir: &Path) -> Result<()> {
    let cache = cache_dir()?;
    std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
    for program in Set::All.programs() {
        let target = binary(&cache, &program);
        let link = dir.join(program.name);
        let _ = std::fs::remove_file(&link);
        if target.exists() {
            std::os::unix::fs::symlink(&target, &link).map_err(Error::file(&link))?;
        }
    }
    Ok(())
}

/// The path of a built program.
///
/// # Errors
/// When it is not built.
pub fn path_of(name: &str) -> Result<PathBuf> {
    let cache = cache_dir()?;
    Set::All
        .programs()
        .iter()
        .find(|program| program.name == name)
        .map(|program| binary(&cache, program))
        .filter(|path| path.exists())
        .ok_or_else(|| {
            Error::other(format!(
                "{name} is not built: run `gatehouse-world build` (or `--clients` for kubectl, cosign, oras)"
            ))
        })
}
