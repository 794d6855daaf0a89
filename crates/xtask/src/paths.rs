//! Where things lie: the checkout, the cache, the build's output, the state between runs.

use crate::{Result, mirror};
use std::path::{Path, PathBuf};

/// The folders that the commands use.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    /// What all checkouts share: the world's programs, WebAssembly's standard library, npm tools.
    pub cache: PathBuf,
    /// Cargo's target folder. In CI it lies in the cache, so that a fresh clone starts warm.
    pub target: PathBuf,
    /// What stays between runs of this checkout.
    pub state: PathBuf,
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Whether a continuous integration runs us.
pub fn in_ci() -> bool {
    variable("CI").is_some_and(|value| value != Path::new("false") && value != Path::new("0"))
}

impl Paths {
    /// Finds the folders.
    ///
    /// # Errors
    /// When there is no home for the cache or the checkout cannot be found.
    pub fn find() -> Result<Self> {
        let root = match variable("CARGO_MANIFEST_DIR") {
            // Cargo sets it for `cargo run`: the folder of this crate.
            Some(dir) => dir
                .join("../..")
                .canonicalize()
                .map_err(|e| e.to_string())?,
            None => std::env::current_dir()
                .map_err(|e| e.to_string())?
                .ancestors()
                .find(|dir| dir.join("crates/xtask").is_dir())
                .ok_or("call this from inside the checkout")?
                .to_path_buf(),
        };
        // The same rule as the world's, which finds its programs there.
        let cache = variable("GATEHOUSE_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("gatehouse")))
            .or_else(|| variable("HOME").map(|dir| dir.join(".cache/gatehouse")))
            .ok_or("no place for the cache: set GATEHOUSE_CACHE to a folder that can be written")?;
        let target = match variable("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None if in_ci() => cache.join("target"),
            None => root.join("target"),
        };
        Ok(Self {
            state: root.join(".run"),
            root,
            cache,
            target,
        })
    }

    /// The same with the checkout in the cache that CI builds in, brought to this commit.
    ///
    /// # Errors
    /// When git cannot do it.
    pub fn mirrored(self) -> Result<Self> {
        let root = self.cache.join("checkout");
        mirror::update(&self.root, &root)?;
        Ok(Self {
            state: root.join(".run"),
            root,
            ..self
        })
    }

    /// Our own folder in the target folder: logs of builds and marks of what they were made from.
    pub fn work(&self) -> PathBuf {
        self.target.join("gatehouse")
    }

    /// The folder that the console serves its static files from.
    pub fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// A log of a build.
    pub fn log(&self, name: &str) -> PathBuf {
        self.work().join("logs").join(format!("{name}.log"))
    }
}
