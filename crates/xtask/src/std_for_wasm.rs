//! Builds the standard library for WebAssembly from its source, into a folder of ours.
//!
//! For compilers that come without the target's libraries and cannot fetch them (Debian's). The
//! compiler is then told the folder as its sysroot for WebAssembly, so nothing under `/usr`
//! changes. Bitcode is embedded because link-time optimisation of the browser's half needs it.

use crate::Result;
use crate::fingerprint::Fingerprint;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::shell;
use crate::toolchain::WASM;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
    [profile.release]\npanic = \"abort\"\n\n[workspace]\n";

/// The sysroot with WebAssembly's standard library for this compiler, built once per version.
///
/// # Errors
/// When the build fails.
pub fn ensure(rustc: &Path, cargo: &Path, paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let version = shell::output(rustc, &["-vV"])
        .ok_or_else(|| format!("{} does not run", rustc.display()))?;
    let hash = Fingerprint::default()
        .text(&version)
        .text(MANIFEST)
        .finish();
    let sysroot = paths.cache.join("wasm-std").join(&hash);
    if sysroot.exists() {
        return Ok(sysroot);
    }
    let work = paths
        .cache
        .join("wasm-std")
        .join(format!("{hash}.build-{}", std::process::id()));
    shell::write(&work.join("Cargo.toml"), MANIFEST)?;
    shell::write(&work.join("src/lib.rs"), "")?;
    let mut build = Command::new(cargo);
    build
        .args([
            "build",
            "--release",
            "--target",
            WASM,
            "-Zbuild-std=std,panic_abort",
        ])
        .current_dir(&work)
        .env("RUSTC", rustc)
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        // `-Zbuild-std` is unstable in name only here: it builds the release's own source.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env_remove("CARGO_BUILD_TARGET");
    shell::logged(
        build,
        "rust",
        "building WebAssembly's standard library (once)",
        &paths.log("wasm-std"),
        progress,
    )?;

    let done = work.join("sysroot");
    let libraries = done.join("lib/rustlib").join(WASM).join("lib");
    shell::make_dir(&libraries)?;
    let built = work.join("target").join(WASM).join("release/deps");
    for entry in fs::read_dir(&built).map_err(|e| format!("{}: {e}", built.display()))? {
        let file = entry.map_err(|e| e.to_string())?.path();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libnothing-") {
            fs::copy(&file, libraries.join(&name))
                .map_err(|e| format!("{}: {e}", file.display()))?;
        }
    }
    // Complete or absent: the folder gets its name when everything is in it. Somebody else may
    // have been faster; theirs is as good.
    if let Err(error) = fs::rename(&done, &sysroot)
        && !sysroot.exists()
    {
        return Err(format!("{}: {error}", sysroot.display()));
    }
    fs::remove_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    Ok(sysroot)
}
