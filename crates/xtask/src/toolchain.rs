//! Which Rust builds the product. One toolchain builds native and WebAssembly: the ids of islands
//! hash token text, and two compilers may print it differently.
//!
//! In this order: the Rust that called us if it has (or rustup can give it) the target
//! `wasm32-unknown-unknown`; the same Rust if it comes with the source of its standard library,
//! which is then built; Debian's packages `rustc-web` and companions, likewise.

use crate::Result;
use crate::paths::{self, Paths};
use crate::progress::Progress;
use crate::shell::{self, which};
use crate::{std_for_wasm, tools};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The target of the browser's half.
pub const WASM: &str = "wasm32-unknown-unknown";
/// The oldest Rust that the workspace builds with (`rust-version` in Cargo.toml).
const OLDEST: (u32, u32) = (1, 94);
/// How long rustup may take to add a target before we go on without.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);
/// Debian's packages: compiler, cargo, the source of std, a linker for WebAssembly.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// A chosen toolchain.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// What `rustc --version` says.
    pub version: String,
    cargo: PathBuf,
    rustc: PathBuf,
    target: PathBuf,
    wasm_linker: Option<PathBuf>,
    wasm_sysroot: Option<PathBuf>,
}

impl Toolchain {
    /// Chooses, and says what was chosen.
    ///
    /// # Errors
    /// What to install when no Rust here can build WebAssembly.
    pub fn choose(paths: &Paths, progress: &Progress) -> Result<Self> {
        let (rustc, cargo) = ambient()?;
        let mut why = String::from("has the WebAssembly target");
        let (rustc, cargo, sysroot) = if has_wasm(&rustc) {
            (rustc, cargo, None)
        } else if rustup_adds(&rustc, progress) {
            why = "rustup added the WebAssembly target".into();
            (rustc, cargo, None)
        } else {
            let (rustc, cargo) = if has_source(&rustc) {
                (rustc, cargo)
            } else {
                debian(paths, progress)?
            };
            let sysroot = std_for_wasm::ensure(&rustc, &cargo, paths, progress)?;
            why = "WebAssembly's standard library built from its source".into();
            (rustc, cargo, Some(sysroot))
        };
        let version = shell::output(&rustc, &["--version"])
            .ok_or_else(|| format!("{} does not run", rustc.display()))?;
        if minor(&version) < Some(OLDEST) {
            return Err(format!(
                "Rust {}.{} or newer is needed, here is {version}: run `rustup update`",
                OLDEST.0, OLDEST.1
            ));
        }
        let wasm_linker = linker(&rustc, paths, progress)?;
        progress.say("rust", format_args!("{version}: {why}"));
        Ok(Self {
            version,
            cargo,
            rustc,
            target: paths.target.clone(),
            wasm_linker,
            wasm_sysroot: sysroot,
        })
    }

    /// Cargo with this toolchain for this machine.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        self.environment(&mut command);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Cargo with this toolchain for WebAssembly, with a target folder of its own: the two builds
    /// then run side by side.
    pub fn cargo_wasm(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        self.environment(&mut command);
        command.env("CARGO_TARGET_DIR", self.wasm_target());
        if let Some(linker) = &self.wasm_linker {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        if let Some(sysroot) = &self.wasm_sysroot {
            let flags = format!("--sysroot={}", sysroot.display());
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        }
        command
    }

    /// The target folder of WebAssembly builds.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    fn environment(&self, command: &mut Command) {
        let beside = self.cargo.parent().unwrap_or(Path::new("/"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(beside.to_path_buf()).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(all) {
            command.env("PATH", path);
        }
        command
            .env("RUSTC", &self.rustc)
            .env("RUSTDOC", self.rustc.with_file_name("rustdoc"));
        if paths::in_ci() {
            // A fresh clone gains nothing from it, and the cache doubles.
            command.env("CARGO_INCREMENTAL", "0");
        }
        // What cargo set for us would only disturb the builds that we start.
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_NAME",
            "CARGO_PKG_VERSION",
            "CARGO",
        ] {
            command.env_remove(name);
        }
    }

    /// Whether clippy and rustfmt are there.
    pub fn has_lints(&self) -> bool {
        let beside = |name: &str| self.cargo.with_file_name(name).is_file();
        beside("cargo-clippy") && beside("cargo-fmt")
    }

    /// Whether this is Debian's.
    pub fn is_debian(&self) -> bool {
        self.cargo.starts_with("/usr/bin")
    }
}

/// The Rust that called us: rustc beside the cargo that runs this, both without rustup's proxies.
fn ambient() -> Result<(PathBuf, PathBuf)> {
    let cargo = std::env::var_os("CARGO")
        .map(PathBuf::from)
        .or_else(|| which("cargo"))
        .ok_or("no cargo on the PATH")?;
    let asked = std::env::var_os("RUSTC")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from);
    let rustc = asked
        .or_else(|| Some(cargo.with_file_name("rustc")).filter(|file| file.is_file()))
        .or_else(|| which("rustc"))
        .ok_or("no rustc on the PATH")?;
    let sysroot = sysroot(&rustc).ok_or_else(|| format!("{} does not run", rustc.display()))?;
    let real = sysroot.join("bin/rustc");
    let rustc = if real.is_file() { real } else { rustc };
    let beside = rustc.with_file_name("cargo");
    Ok((rustc, if beside.is_file() { beside } else { cargo }))
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    shell::output(rustc, &["--print", "sysroot"]).map(PathBuf::from)
}

/// Whether its standard library for WebAssembly is there.
fn has_wasm(rustc: &Path) -> bool {
    let Some(sysroot) = sysroot(rustc) else {
        return false;
    };
    let libraries = sysroot.join("lib/rustlib").join(WASM).join("lib");
    std::fs::read_dir(libraries).is_ok_and(|mut dir| {
        dir.any(|f| f.is_ok_and(|f| f.file_name().to_string_lossy().starts_with("libstd-")))
    })
}

/// Whether the source of its standard library is there.
fn has_source(rustc: &Path) -> bool {
    sysroot(rustc).is_some_and(|dir| dir.join("lib/rustlib/src/rust/library/std").is_dir())
}

/// Asks rustup for the target, if this rustc is one of rustup's.
fn rustup_adds(rustc: &Path, progress: &Progress) -> bool {
    let Some(sysroot) = sysroot(rustc) else {
        return false;
    };
    let ours = sysroot
        .parent()
        .is_some_and(|dir| dir.file_name() == Some("toolchains".as_ref()));
    let Some(name) = sysroot.file_name().filter(|_| ours) else {
        return false;
    };
    let Some(rustup) = which("rustup") else {
        return false;
    };
    progress.say("rust", format_args!("rustup target add {WASM}"));
    let child = Command::new(rustup)
        .args(["target", "add", WASM, "--toolchain"])
        .arg(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let start = Instant::now();
    while start.elapsed() < RUSTUP_LIMIT {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Ok(Some(status)) => return status.success() && has_wasm(rustc),
            Err(_) => return false,
        }
    }
    // It hangs: an offline machine, or a slow line. The other ways may still work. Nothing is
    // lost if it cannot be ended.
    let _ = child.kill();
    let _ = child.wait();
    progress.say("rust", "rustup got no answer; looking for another way");
    false
}

/// Debian's toolchain, installed if need be.
fn debian(paths: &Paths, progress: &Progress) -> Result<(PathBuf, PathBuf)> {
    let (rustc, cargo) = (
        PathBuf::from("/usr/bin/rustc"),
        PathBuf::from("/usr/bin/cargo"),
    );
    let usable = || {
        let version = shell::output(&rustc, &["--version"]);
        cargo.is_file() && version.as_deref().and_then(minor) >= Some(OLDEST) && has_source(&rustc)
    };
    if !usable() {
        tools::apt(&DEBIAN, &paths.log("apt"), progress).map_err(|e| {
            format!("no Rust here can build WebAssembly.\n  With rustup: rustup target add {WASM}\n  On Debian: {e}")
        })?;
    }
    if usable() {
        return Ok((rustc, cargo));
    }
    Err(format!(
        "Debian's rustc-web is older than {}.{} here: run `rustup target add {WASM}`",
        OLDEST.0, OLDEST.1
    ))
}

/// The linker to name: none when this rustc brings its own.
fn linker(rustc: &Path, paths: &Paths, progress: &Progress) -> Result<Option<PathBuf>> {
    let own = sysroot(rustc).is_some_and(|dir| {
        let hosts = std::fs::read_dir(dir.join("lib/rustlib"));
        hosts.is_ok_and(|mut hosts| {
            hosts.any(|host| host.is_ok_and(|host| host.path().join("bin/rust-lld").is_file()))
        })
    });
    if own {
        return Ok(None);
    }
    let find = || {
        let mut names = vec!["wasm-ld".to_owned(), "rust-lld".to_owned()];
        names.splice(0..0, (14..=24).rev().map(|n| format!("wasm-ld-{n}")));
        names.iter().find_map(|name| which(name))
    };
    if let Some(found) = find() {
        return Ok(Some(found));
    }
    tools::apt(&["lld-19"], &paths.log("apt"), progress)?;
    find()
        .map(Some)
        .ok_or_else(|| "no linker for WebAssembly: `apt-get install lld-19`".into())
}

/// Major and minor of `rustc 1.96.0 (…)`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split_whitespace().nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(
            minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert!(minor("rustc 1.100.0 (x)") > Some(OLDEST));
        assert!(minor("rustc 1.63.0") < Some(OLDEST));
        assert_eq!(minor("nonsense"), None);
    }
}
