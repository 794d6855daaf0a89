//! The browser's files: `site/pkg/gatehouse.{js,css}`, `gatehouse_bg.wasm`, static files, and a
//! brotli copy of each text beside it.

use crate::args::Args;
use crate::fingerprint::{Fingerprint, is_current};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::toolchain::{Toolchain, WASM};
use crate::tools::Missing;
use crate::{Result, build, npm, shell, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wasm_bindgen_cli_support::Bindgen;

/// The files' name; the same as `output-name` in `[[workspace.metadata.leptos]]`.
const NAME: &str = "gatehouse";

/// What the WebAssembly is made from, beside the toolchain.
const WASM_INPUTS: [&str; 5] = [
    "app",
    "crates/domain",
    "crates/frontend",
    "Cargo.toml",
    "Cargo.lock",
];

/// Where class names stand that the style sheet keeps.
const CSS_SOURCES: [&str; 2] = ["app/src", "server/src/edge"];

/// Compresses what is sent as text; run by Node, which has brotli built in.
const COMPRESS: &str = include_str!("../npm/compress.mjs");

/// `cargo xtask site`.
pub fn command(args: Args) -> Result<ExitCode> {
    args.finish()?;
    let (paths, progress) = (Paths::find()?, Progress::start());
    let mut missing = Missing::default();
    tools::node(&mut missing);
    tools::cc(&mut missing);
    missing.check()?;
    let toolchain = Toolchain::choose(&paths, &progress)?;
    ensure(&toolchain, &paths, &progress)?;
    println!("{}", paths.site().display());
    Ok(ExitCode::SUCCESS)
}

/// Brings the site folder up to date; parts whose inputs did not change are left as they are.
///
/// # Errors
/// When a part cannot be built.
pub fn ensure(toolchain: &Toolchain, paths: &Paths, progress: &Progress) -> Result<()> {
    let pkg = paths.site().join("pkg");
    shell::make_dir(&pkg)?;
    let wasm = wasm(toolchain, &pkg, paths, progress)?;
    let css = css(&pkg, paths, progress)?;
    let files = static_files(paths)?;
    if wasm || css || files {
        compress(paths, progress)?;
    }
    Ok(())
}

/// Builds the WebAssembly and its JavaScript; tells whether anything changed.
fn wasm(toolchain: &Toolchain, pkg: &Path, paths: &Paths, progress: &Progress) -> Result<bool> {
    let mut inputs = Fingerprint::default().text(&toolchain.version);
    for path in WASM_INPUTS {
        inputs = inputs.path(&paths.root.join(path))?;
    }
    let inputs = inputs.finish();
    let stamp = paths.work().join("wasm.inputs");
    let (js, wasm) = (
        pkg.join(format!("{NAME}.js")),
        pkg.join(format!("{NAME}_bg.wasm")),
    );
    if is_current(&stamp, &inputs) && js.exists() && wasm.exists() {
        return Ok(false);
    }

    let mut cargo = toolchain.cargo_wasm();
    cargo.current_dir(&paths.root).args([
        "build",
        "--package",
        "frontend",
        "--lib",
        "--target",
        WASM,
        "--profile",
        "wasm-release",
    ]);
    let mut built: Option<PathBuf> = None;
    build::cargo(
        cargo,
        "browser",
        "compiling to WebAssembly",
        &paths.log("wasm"),
        progress,
        |artifact| {
            if artifact.name == "frontend" {
                built = artifact
                    .files
                    .iter()
                    .find(|file| file.extension() == Some("wasm".as_ref()))
                    .cloned();
            }
        },
    )?;
    let built = built.ok_or("cargo named no .wasm file for the package `frontend`")?;

    progress.say("browser", "wasm-bindgen and wasm-opt");
    let work = paths.work().join("bindgen");
    let bound = bind(&built, &work).map_err(|e| format!("wasm-bindgen: {e}"))?;
    let optimised = work.join("optimised.wasm");
    optimise(&bound, &optimised, paths, progress)?;
    copy(&work.join(format!("{NAME}.js")), &js)?;
    copy(&optimised, &wasm)?;
    let snippets = work.join("snippets");
    if snippets.is_dir() {
        shell::copy_dir(&snippets, &pkg.join("snippets"))?;
    }
    shell::write(&stamp, inputs)?;
    Ok(true)
}

/// wasm-bindgen, as a library: its version is the lock file's, as it must be.
fn bind(wasm: &Path, out: &Path) -> std::result::Result<PathBuf, Box<dyn std::error::Error>> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    Bindgen::new()
        .input_path(wasm)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .generate(out)?;
    Ok(out.join(format!("{NAME}_bg.wasm")))
}

fn optimise(from: &Path, to: &Path, paths: &Paths, progress: &Progress) -> Result<()> {
    let tools = npm::tools(paths, progress)?;
    let mut command = Command::new("node");
    command
        .arg(tools.join("node_modules/binaryen/bin/wasm-opt"))
        .arg(from)
        .args(["-Oz", "--strip-debug", "--strip-producers"])
        // What rustc emits for this target; without them wasm-opt refuses the module.
        .args([
            "--enable-bulk-memory",
            "--enable-bulk-memory-opt",
            "--enable-nontrapping-float-to-int",
        ])
        .args([
            "--enable-sign-ext",
            "--enable-mutable-globals",
            "--enable-reference-types",
            "--enable-multivalue",
        ])
        .arg("-o")
        .arg(to);
    shell::logged(
        command,
        "browser",
        "wasm-opt",
        &paths.log("wasm-opt"),
        progress,
    )
}

/// Builds the style sheet; tells whether it changed.
fn css(pkg: &Path, paths: &Paths, progress: &Progress) -> Result<bool> {
    let style = paths.root.join("style");
    // What the sources do not use is purged, so they are inputs.
    let mut inputs = Fingerprint::default().path(&style)?;
    for sources in CSS_SOURCES {
        inputs = inputs.path(&paths.root.join(sources))?;
    }
    let inputs = inputs.finish();
    let stamp = paths.work().join("css.inputs");
    let out = pkg.join(format!("{NAME}.css"));
    if is_current(&stamp, &inputs) && out.exists() {
        return Ok(false);
    }
    npm::ci(&style, "style", paths, progress)?;
    let mut node = Command::new("node");
    node.arg("build.mjs")
        .arg("--out")
        .arg(&out)
        .current_dir(&style);
    shell::logged(node, "browser", "style sheet", &paths.log("css"), progress)?;
    shell::write(&stamp, inputs)?;
    Ok(true)
}

/// Copies `public/`; tells whether it changed.
fn static_files(paths: &Paths) -> Result<bool> {
    let public = paths.root.join("public");
    let inputs = Fingerprint::default().path(&public)?.finish();
    let stamp = paths.work().join("public.inputs");
    if is_current(&stamp, &inputs) {
        return Ok(false);
    }
    if public.is_dir() {
        shell::copy_dir(&public, &paths.site())?;
    }
    shell::write(&stamp, inputs)?;
    Ok(true)
}

fn compress(paths: &Paths, progress: &Progress) -> Result<()> {
    let script = paths.work().join("compress.mjs");
    shell::write(&script, COMPRESS)?;
    let mut node = Command::new("node");
    node.arg(&script).arg(paths.site());
    shell::logged(
        node,
        "browser",
        "compressing",
        &paths.log("compress"),
        progress,
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}
