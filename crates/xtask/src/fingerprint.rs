//! A hash of what something is made from: equal hash, nothing to do.

use crate::Result;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// Collects what goes into a hash, in a fixed order.
#[derive(Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// A piece of text that matters (a version, a flag).
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// A file, or a folder with all that lies in it except `node_modules`; absent counts as absent.
    ///
    /// # Errors
    /// When something there cannot be read.
    pub fn path(mut self, path: &Path) -> Result<Self> {
        let fail = |e: std::io::Error| format!("{}: {e}", path.display());
        if path.is_dir() {
            let mut entries = fs::read_dir(path)
                .map_err(fail)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<std::io::Result<Vec<_>>>()
                .map_err(fail)?;
            entries.sort();
            for entry in entries {
                let name = entry
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if name != "node_modules" {
                    self = self.text(&name).path(&entry)?;
                }
            }
            Ok(self)
        } else if path.exists() {
            let content = fs::read(path).map_err(fail)?;
            self.0.update((content.len() as u64).to_le_bytes());
            self.0.update(&content);
            Ok(self)
        } else {
            Ok(self.text("absent"))
        }
    }

    /// The hash, short enough for a file name.
    pub fn finish(self) -> String {
        hex::encode(&self.0.finalize()[..12])
    }
}

/// A file that remembers from which hash something was made.
pub fn is_current(stamp: &Path, hash: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|old| old.trim() == hash)
}
