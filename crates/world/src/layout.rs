//! What a world is before anything runs: its options, its folder, its ports and its secrets.
//!
//! Ports and secrets are chosen once and remembered in the state folder, so that a world comes
//! back under the same addresses and a console that points at it keeps working.

use crate::error::{Error, Result, write_file};
use base64::Engine;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// The names of the world's clusters.
pub const CLUSTERS: [&str; 2] = ["onprem-1", "cloud-1"];

/// How a world is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds everything between runs.
    pub state_dir: PathBuf,
    /// Where the console answers; a free loopback port is chosen and remembered when absent.
    pub console_url: Option<String>,
    /// Throw the old state away.
    pub fresh: bool,
    /// Run the stand-in for KServe's controller and webhooks. Without it the definitions are
    /// not installed either: the place is left to a real controller.
    pub kserve_stand_in: bool,
    /// Other definitions of KServe's kinds than the project's own.
    pub kserve_crds: Option<PathBuf>,
    /// Seed a fresh world with models, runtimes and deployments.
    pub seed: bool,
    /// Do not wait for the disk in etcd: faster, and only for tests.
    pub unsafe_no_fsync: bool,
    /// Put a proxy in front of each part, through which tests make it slow, broken or absent.
    pub proxies: bool,
    /// Which clusters to run; a test may need one only.
    pub clusters: Vec<String>,
}

impl Options {
    /// The ordinary world in `state_dir`: both clusters, the stand-in, seeded.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            console_url: None,
            fresh: false,
            kserve_stand_in: true,
            kserve_crds: None,
            seed: true,
            unsafe_no_fsync: false,
            proxies: false,
            clusters: CLUSTERS.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The secrets of a world, made once from the system's randomness.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// The registry's password for user `gatehouse`.
    pub registry_password: String,
    /// The bearer token of the registry's notifications.
    pub notification_token: String,
    /// The console's secret at the OpenID provider.
    pub client_secret: String,
    /// The token of the provider's and the proxies' admin endpoints.
    pub admin_token: String,
    /// The console's key for what it stores encrypted: 32 bytes, base64.
    pub console_key: String,
    /// Bearer tokens at the API servers, by user name.
    pub cluster_tokens: BTreeMap<String, String>,
}

impl Secrets {
    fn make() -> Self {
        Self {
            registry_password: token(18),
            notification_token: token(24),
            client_secret: token(24),
            admin_token: token(24),
            console_key: base64::engine::general_purpose::STANDARD.encode(random::<32>()),
            cluster_tokens: BTreeMap::new(),
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    rand::random()
}

fn token(bytes: usize) -> String {
    let random: [u8; 32] = random();
    hex::encode(&random[..bytes.min(32)])
}

/// A world's folder with its remembered ports and secrets.
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
    ports: BTreeMap<String, u16>,
    /// The secrets.
    pub secrets: Secrets,
    /// Nothing was here before: the world must be filled.
    pub is_new: bool,
    // Held as long as the world lives: the lock goes when this process ends, however it ends.
    _lock: std::fs::File,
}

impl Layout {
    /// Opens (or makes) the state folder and takes its lock.
    ///
    /// # Errors
    /// [`Error::Busy`] when a world already runs from it; [`Error::File`] when the folder cannot
    /// be written.
    pub fn open(state_dir: &Path, fresh: bool) -> Result<Self> {
        std::fs::create_dir_all(state_dir).map_err(Error::file(state_dir))?;
        let root = state_dir.canonicalize().map_err(Error::file(state_dir))?;
        let lock = lock(&root)?.ok_or_else(|| Error::Busy(root.clone()))?;
        if fresh {
            clear(&root)?;
        }
        let is_new = !root.join("complete").exists();
        if is_new && !fresh {
            // A start that was cut off before the seed was complete leaves half a world:
            // beginning anew is the only state that is the same each time.
            clear(&root)?;
        }
        let ports = read_json(&root.join("ports.json"))?.unwrap_or_default();
        let secrets = match read_json(&root.join("secrets.json"))? {
            Some(secrets) => secrets,
            None => Secrets::make(),
        };
        let layout = Self {
            root,
            ports,
            secrets,
            is_new,
            _lock: lock,
        };
        layout.save()?;
        Ok(layout)
    }

    /// Remembers that the world is filled: the next start keeps what is there.
    ///
    /// # Errors
    /// When the marker cannot be written.
    pub fn mark_complete(&self) -> Result<()> {
        write_file(&self.path("complete"), b"", false)
    }

    /// The state folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the state folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The log file of a part.
    pub fn log(&self, part: &str) -> PathBuf {
        self.root.join("logs").join(format!("{part}.log"))
    }

    /// The remembered port of `name`.
    ///
    /// # Panics
    /// When [`Layout::choose_ports`] was not asked for it: a mistake in this crate.
    pub fn port(&self, name: &str) -> u16 {
        *self
            .ports
            .get(name)
            .unwrap_or_else(|| panic!("no port was chosen for {name}"))
    }

    /// Gives each name a loopback port: the remembered one if it is free, else a free one. The
    /// console's own is kept even if it is taken: a console that runs already has it.
    ///
    /// # Errors
    /// When no port can be had or remembered.
    pub fn choose_ports(&mut self, names: &[String]) -> Result<()> {
        // All are held until all are chosen, so that none is given twice.
        let mut held = Vec::new();
        let mut missing = Vec::new();
        let mut taken = BTreeSet::new();
        for name in names {
            let remembered = self.ports.get(name).copied();
            if let (Some(port), "console") = (remembered, name.as_str()) {
                taken.insert(port);
                continue;
            }
            match remembered.and_then(|port| TcpListener::bind(("127.0.0.1", port)).ok()) {
                Some(listener) => {
                    taken.extend(remembered);
                    held.push(listener);
                }
                None => missing.push(name.clone()),
            }
        }
        for name in missing {
            loop {
                let listener = TcpListener::bind(("127.0.0.1", 0))
                    .map_err(|e| Error::other(format!("no free loopback port: {e}")))?;
                let port = listener
                    .local_addr()
                    .map_err(|e| Error::other(format!("no free loopback port: {e}")))?
                    .port();
                held.push(listener);
                if taken.insert(port) {
                    self.ports.insert(name, port);
                    break;
                }
            }
        }
        self.save()
    }

    /// The token of a cluster user, made on first use.
    pub fn cluster_token(&mut self, user: &str) -> String {
        self.secrets
            .cluster_tokens
            .entry(user.to_owned())
            .or_insert_with(|| token(24))
            .clone()
    }

    /// Writes ports and secrets.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self) -> Result<()> {
        write_file(&self.path("ports.json"), to_json(&self.ports)?, false)?;
        write_file(&self.path("secrets.json"), to_json(&self.secrets)?, true)
    }
}

/// Takes the lock of a state folder; `None` when a living world holds it.
pub(crate) fn lock(root: &Path) -> Result<Option<std::fs::File>> {
    let path = root.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::file(&path)(error)),
    }
}

/// The names of what a world writes into its folder. Nothing else is ever removed from it: the
/// folder may be one that somebody named by mistake.
const OURS: [&str; 11] = [
    "complete",
    "ports.json",
    "secrets.json",
    "world.json",
    "console.toml",
    "clusters",
    "registry",
    "prometheus",
    "oidc",
    "pki",
    "gatehouse.db",
];

fn clear(root: &Path) -> Result<()> {
    let keep_ports = std::fs::read(root.join("ports.json")).ok();
    for name in OURS.iter().copied().chain([
        "gatehouse.db-wal",
        "gatehouse.db-shm",
        "seed",
        "logs",
        "trust",
    ]) {
        let path = root.join(name);
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(&path)(error));
            }
            _ => {}
        }
    }
    // Addresses outlive the state: bookmarks and kubeconfigs of before still lead somewhere.
    if let Some(ports) = keep_ports {
        write_file(&root.join("ports.json"), ports, false)?;
    }
    Ok(())
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(Error::other)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::other(format!(
                "{} is damaged ({e}): start with --fresh",
                path.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_secrets_survive_and_the_lock_excludes() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Layout::open(dir.path(), false).unwrap();
        first.choose_ports(&["a".into(), "b".into()]).unwrap();
        let (a, b) = (first.port("a"), first.port("b"));
        assert_ne!(a, b);
        first.mark_complete().unwrap();
        let token = first.cluster_token("someone");
        first.save().unwrap();
        assert!(matches!(
            Layout::open(dir.path(), false),
            Err(Error::Busy(_))
        ));
        let password = first.secrets.registry_password.clone();
        drop(first);

        let mut again = Layout::open(dir.path(), false).unwrap();
        assert!(!again.is_new);
        again.choose_ports(&["a".into(), "b".into()]).unwrap();
        assert_eq!((again.port("a"), again.port("b")), (a, b));
        assert_eq!(again.cluster_token("someone"), token);
        assert_eq!(again.secrets.registry_password, password);
        drop(again);

        let fresh = Layout::open(dir.path(), true).unwrap();
        assert!(fresh.is_new);
        assert_ne!(fresh.secrets.registry_password, password);
    }

    #[test]
    fn fresh_removes_nothing_that_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
        Layout::open(dir.path(), true).unwrap();
        assert!(dir.path().join("thesis.txt").exists());
    }
}
