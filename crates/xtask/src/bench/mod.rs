//! `cargo xtask bench`: measures a release build against a world of its own, prints a table,
//! writes `bench.json`. Baselines are measured in the same run.

mod idle;
mod load;
mod pages;
mod report;
mod starts;

use crate::args::Args;
use crate::children::Running;
use crate::console::{self, Console};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::run::{self, Programs};
use crate::toolchain::Toolchain;
use crate::tools::{self, Missing};
use crate::{Result, scripts, shell, world};
use pages::Pages;
use report::{Goal, Report};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The script that fills the world and signs in; run by Node, which speaks TLS.
const SCRIPT: &str = include_str!("../../npm/bench.mjs");

const FEW: usize = 100;
const MANY: usize = 10_000;
/// So many changes are approved and applied for a median.
const CHANGES: usize = 20;
/// So many give the changed deployment a past, to which it can be rolled back.
const PAST: usize = 2;
/// Who looks at the pages: an account that may see everything.
const LOGIN: &str = "platform";

/// `cargo xtask bench`.
pub fn bench(mut args: Args) -> Result<ExitCode> {
    let out = args.option("--out")?.map(PathBuf::from);
    let development = args.flag("--dev");
    args.finish()?;
    let (paths, progress) = (Paths::find()?, Progress::start());
    let mut missing = Missing::default();
    tools::node(&mut missing);
    tools::go_and_cc(&mut missing);
    missing.check()?;
    let toolchain = Toolchain::choose(&paths, &progress)?;
    let Built { programs, fill } = build(&toolchain, development, &paths, &progress)?;
    let stop = run::stop_signal()?;
    let go_on = || !stop.load(Ordering::Relaxed);
    let mut report = Report::new(if development {
        "development build"
    } else {
        "release build"
    });

    let state = paths.work().join("bench-world");
    let port = console::choose_port(None)?;
    let options = world::Options {
        state: state.clone(),
        console_url: format!("http://127.0.0.1:{port}"),
        fresh: false,
        more: vec!["--unsafe-no-fsync".into()],
    };
    starts::measure(&programs, &options, &paths, &progress, &stop, &mut report)?;

    progress.say("world", "starting it for the other measurements");
    let mut running = world::start(&programs.world, &options, paths.log("bench-world"))?;
    let addresses = world::wait(&mut running, &state, &progress, || Ok(go_on()))?;
    let config = paths.work().join("bench.toml");
    console::without_hold(&addresses.console.config, &config)?;
    let console = Console {
        program: programs.console,
        config: config.clone(),
        port: None,
    };
    let (listen, url) = console.addresses()?;
    let mut server = console.start(&paths, paths.log("bench-console"))?;
    console::wait(&mut server, &listen, go_on)?;

    let script = scripts::place(&paths, "bench.mjs", SCRIPT)?;
    let bench = Bench {
        script,
        fill,
        config,
        world: world::addresses_file(&state),
        url,
        listen,
        progress,
        stop,
    };
    sizes(&paths, &mut report)?;
    bench.all(&server, &mut report)?;
    server.stop();
    running.stop();

    let dir = out.unwrap_or_else(|| paths.work());
    let file = dir.join("bench.json");
    shell::write(&file, report.json()?)?;
    println!("\n{report}\n{}", file.display());
    Ok(if report.all_met() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is measured, and what fills it.
struct Built {
    programs: Programs,
    fill: PathBuf,
}

/// Builds what is measured: the browser's files as always, the programs with optimisation.
fn build(
    toolchain: &Toolchain,
    development: bool,
    paths: &Paths,
    progress: &Progress,
) -> Result<Built> {
    let mut programs = run::build_all(toolchain, true, world::TO_RUN, paths, progress)?;
    let mut cargo = world::build_command(toolchain, world::TO_RUN, paths);
    cargo.args(["--package", "bench"]);
    if !development {
        cargo.arg("--release");
    }
    let (mut console, mut fill) = (None, None);
    let log = paths.log("cargo-bench");
    crate::build::cargo(
        cargo,
        "console",
        "compiling what is measured",
        &log,
        progress,
        |artifact| match artifact.name {
            console::PROGRAM => console = artifact.executable.map(Path::to_path_buf),
            "gatehouse-fill" => fill = artifact.executable.map(Path::to_path_buf),
            _ => {}
        },
    )?;
    programs.console = console.ok_or("cargo built no program `gatehouse`")?;
    Ok(Built {
        programs,
        fill: fill.ok_or("cargo built no program `gatehouse-fill`")?,
    })
}

/// What the browser downloads once.
fn sizes(paths: &Paths, report: &mut Report) -> Result<()> {
    let pkg = paths.site().join("pkg");
    let size = |name: &str| {
        let path = pkg.join(name);
        fs::metadata(&path)
            .map(|meta| meta.len() as f64 / 1000.0)
            .map_err(|e| format!("{}: {e}", path.display()))
    };
    let (mut small, mut whole) = (0.0, 0.0);
    for name in ["gatehouse.js", "gatehouse_bg.wasm", "gatehouse.css"] {
        small += size(&format!("{name}.br"))?;
        whole += size(name)?;
    }
    report.add(
        "JS + WASM + CSS after brotli (baseline: before)",
        small,
        "kB",
        Some(whole),
        Goal::AtMost(200.0),
    );
    Ok(())
}

struct Bench {
    script: PathBuf,
    fill: PathBuf,
    config: PathBuf,
    world: PathBuf,
    url: String,
    listen: String,
    progress: Progress,
    stop: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct SignedIn {
    cookie: String,
}

#[derive(Deserialize)]
struct Draft {
    /// `/deploy/<id>`
    path: String,
}

#[derive(Deserialize)]
struct Applied {
    applied: Vec<f64>,
    direct: Vec<f64>,
}

impl Bench {
    fn all(&self, server: &Running, report: &mut Report) -> Result<()> {
        let signed: SignedIn = self.ask(&["sign-in", LOGIN])?;
        self.rows(0, FEW)?;
        self.deployments(0, FEW, server)?;
        self.progress.say("bench", "a deployment gets a past");
        let _: Applied = self.ask(&["applied", &PAST.to_string()])?;
        let draft: Draft = self.ask(&["draft", LOGIN])?;
        let pages = Pages {
            listen: &self.listen,
            cookie: &signed.cookie,
            draft: &draft.path,
            progress: &self.progress,
        };
        pages.measure(FEW, false, report)?;
        self.rows(FEW, MANY)?;
        let before = resident(server.pid());
        self.deployments(FEW, MANY, server)?;
        let after = resident(server.pid());
        pages.measure(MANY, true, report)?;
        if let (Some(before), Some(after)) = (before, after) {
            let per = (after - before).max(0.0) / (MANY - FEW) as f64 * MANY as f64;
            report.add(
                "watch cache, per 10,000 InferenceServices",
                per,
                "MB",
                None,
                Goal::AtMost(60.0),
            );
        }
        self.progress.say("bench", "approved to applied");
        let times: Applied = self.ask(&["applied", &CHANGES.to_string()])?;
        let (applied, direct) = (median(times.applied), median(times.direct));
        report.add(
            "approved to applied, without a hold, median (baseline: the same apply by itself)",
            applied,
            "ms",
            Some(direct),
            Goal::None,
        );
        Ok(())
    }

    /// Fills the lists that the database holds.
    fn rows(&self, from: usize, to: usize) -> Result<()> {
        self.progress.say(
            "bench",
            format_args!("filling the database with rows {from} to {to}"),
        );
        let mut command = Command::new(&self.fill);
        output(
            command
                .arg(&self.config)
                .args([from.to_string(), to.to_string()]),
        )
        .map(drop)
    }

    /// Makes deployments and waits until the console has seen them all.
    fn deployments(&self, from: usize, to: usize, server: &Running) -> Result<()> {
        self.progress
            .say("bench", format_args!("making deployments {from} to {to}"));
        self.run(&["deployments", &from.to_string(), &to.to_string()])?;
        // Its memory stops growing when the watch has caught up.
        let mut last = 0.0;
        for _ in 0..60 {
            std::thread::sleep(Duration::from_secs(2));
            let now = resident(server.pid()).unwrap_or(last);
            if (now - last).abs() < 0.5 {
                break;
            }
            last = now;
        }
        // The world goes on making pods for what was made; it is not what is measured.
        self.progress
            .say("bench", "waiting until the world has settled");
        idle::wait(|| !self.stop.load(Ordering::Relaxed));
        Ok(())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut node = Command::new("node");
        node.arg(&self.script)
            .args(args)
            .env("GATEHOUSE_WORLD", &self.world)
            .env("GATEHOUSE_URL", &self.url);
        node
    }

    fn run(&self, args: &[&str]) -> Result<Vec<u8>> {
        output(&mut self.command(args))
    }

    fn ask<T: for<'a> Deserialize<'a>>(&self, args: &[&str]) -> Result<T> {
        serde_json::from_slice(&self.run(args)?)
            .map_err(|e| format!("bench.mjs {}: {e}", args.join(" ")))
    }
}

/// What a program prints, or why it failed.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let out = command
        .output()
        .map_err(|e| format!("{}: {e}", shell::line(command)))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    Err(format!(
        "{}: {}",
        shell::line(command),
        String::from_utf8_lossy(&out.stderr).trim()
    ))
}

/// Memory of its own that a process holds, in MB; only where there is `/proc`. Pages of mapped files (the
/// program, SQLite's database once for each connection) are the system's to give and to take back.
fn resident(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
