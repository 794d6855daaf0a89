//! `cargo xtask test`: formatting, lints, Rust's tests on both databases, the browser's tests on
//! both databases. Nothing is skipped in silence: what is missing is installed or fails.

use crate::args::Args;
use crate::children::Running;
use crate::paths::{self, Paths};
use crate::postgres::Postgres;
use crate::progress::{Progress, words};
use crate::run::{self, Programs};
use crate::tally::Tally;
use crate::toolchain::{Toolchain, WASM};
use crate::tools::{self, Missing};
use crate::{Result, browser, console, shell, tally, world};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// `browser`: the specs, also those that take parts of the world away; `kills`: those that kill the console.
const PARTS: [&str; 5] = ["fmt", "clippy", "rust", "browser", "kills"];

/// What the tests share.
pub struct Session {
    /// Folders.
    pub paths: Paths,
    /// Lines.
    pub progress: Progress,
    /// The chosen Rust.
    pub toolchain: Toolchain,
    /// Arguments after `--`: for `cargo test` or Playwright.
    pub more: Vec<String>,
}

/// `cargo xtask test`.
pub fn test(mut args: Args) -> Result<ExitCode> {
    let only = args.option("--only")?;
    let parts: Vec<String> = only.as_deref().map_or_else(
        || PARTS.iter().map(ToString::to_string).collect(),
        |list| list.split(',').map(|part| part.trim().to_owned()).collect(),
    );
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!(
            "--only {unknown}: the parts are {}",
            PARTS.join(", ")
        ));
    }
    let more = args.after_dashes();
    args.finish()?;
    let wants = |part: &str| parts.iter().any(|wanted| wanted == part);

    let (paths, progress) = (Paths::find()?, Progress::start());
    let paths = if paths::in_ci() && paths.root.join(".git").exists() {
        paths.mirrored()?
    } else {
        paths
    };
    install(&parts, &paths, &progress)?;
    let toolchain = Toolchain::choose(&paths, &progress)?;
    lints(&toolchain, &parts, &paths, &progress)?;
    let session = Session {
        paths,
        progress,
        toolchain,
        more,
    };

    let mut tally = Tally::default();
    if wants("fmt") {
        session.check(&mut tally, "fmt", "cargo fmt --check", session.fmt());
    }
    let needs_programs = ["rust", "browser", "kills"].into_iter().any(wants);
    let programs = if needs_programs {
        let built = run::build_all(
            &session.toolchain,
            true,
            world::TO_TEST,
            &session.paths,
            &session.progress,
        );
        session.keep(&mut tally, "build", built)
    } else {
        None
    };
    if wants("clippy") {
        session.check(&mut tally, "clippy", "clippy, native", session.clippy());
        session.check(
            &mut tally,
            "clippy",
            "clippy, WebAssembly",
            session.clippy_wasm(),
        );
    }
    if wants("browser") || wants("kills") {
        session.check(
            &mut tally,
            "browser",
            "types of the suite",
            browser::check_types(&session),
        );
    }
    if let Some(programs) = programs {
        let run = session.with_services(&programs, &wants, &mut tally);
        session.keep(&mut tally, "test", run);
    }
    session.progress.say(
        "test",
        format_args!("{} in all", words(session.progress.elapsed())),
    );
    println!("{tally}");
    Ok(if tally.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Installs what the parts need, or names it.
fn install(parts: &[String], paths: &Paths, progress: &Progress) -> Result<()> {
    let wants = |part: &str| parts.iter().any(|wanted| wanted == part);
    let mut missing = Missing::default();
    tools::node(&mut missing);
    if ["rust", "browser", "kills"].into_iter().any(wants) {
        tools::go_and_cc(&mut missing);
    }
    if shell::which("git").is_none() {
        missing.add("git", "`apt-get install git`");
    }
    missing.check()?;
    if (wants("browser") || wants("kills")) && browser::chromium().is_none() {
        tools::apt(&["chromium"], &paths.log("apt"), progress)?;
    }
    Ok(())
}

/// Clippy and rustfmt of the chosen toolchain.
fn lints(
    toolchain: &Toolchain,
    parts: &[String],
    paths: &Paths,
    progress: &Progress,
) -> Result<()> {
    let wanted = parts.iter().any(|part| part == "fmt" || part == "clippy");
    if !wanted || toolchain.has_lints() {
        return Ok(());
    }
    if toolchain.is_debian() {
        return tools::apt(
            &["rust-web-clippy", "rustfmt-web"],
            &paths.log("apt"),
            progress,
        );
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "clippy", "rustfmt"]);
    shell::logged(
        rustup,
        "rust",
        "rustup component add clippy rustfmt",
        &paths.log("rustup"),
        progress,
    )
}

impl Session {
    /// Counts a step that passes or fails as a whole.
    fn check(&self, tally: &mut Tally, phase: &str, what: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.progress.say(phase, format_args!("{what}: passed"));
                tally.passed += 1;
            }
            Err(message) => {
                eprintln!("{message}");
                self.progress.say(phase, format_args!("{what}: FAILED"));
                tally.failed += 1;
            }
        }
    }

    /// Counts a step only if it fails, and gives what it made.
    fn keep<T>(&self, tally: &mut Tally, phase: &str, result: Result<T>) -> Option<T> {
        result
            .map_err(|message| {
                eprintln!("{message}");
                self.progress.say(phase, "FAILED");
                tally.failed += 1;
            })
            .ok()
    }

    fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = self.toolchain.cargo();
        cargo.current_dir(&self.paths.root).args(args);
        cargo
    }

    fn fmt(&self) -> Result<()> {
        let good = shell::shown(&mut self.cargo(&["fmt", "--all", "--check"]))?;
        if good {
            Ok(())
        } else {
            Err("not formatted: run `cargo fmt --all`".into())
        }
    }

    fn clippy(&self) -> Result<()> {
        // The browser's half is linted for its own target: here it would turn on both sides'
        // features at once.
        let args = [
            "clippy",
            "--quiet",
            "--workspace",
            "--exclude",
            "frontend",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        self.progress.say("clippy", "native");
        if shell::shown(&mut self.cargo(&args))? {
            Ok(())
        } else {
            Err("clippy has findings".into())
        }
    }

    fn clippy_wasm(&self) -> Result<()> {
        let mut cargo = self.toolchain.cargo_wasm();
        cargo.current_dir(&self.paths.root).args([
            "clippy",
            "--quiet",
            "--package",
            "frontend",
            "--package",
            "app",
        ]);
        // The profile of the build, so that procedural macros are compiled once.
        cargo.args([
            "--features",
            "app/hydrate",
            "--target",
            WASM,
            "--profile",
            "wasm-release",
            "--",
            "-D",
            "warnings",
        ]);
        self.progress.say("clippy", "WebAssembly");
        if shell::shown(&mut cargo)? {
            Ok(())
        } else {
            Err("clippy has findings".into())
        }
    }

    /// Starts PostgreSQL and the world, and runs what needs them.
    fn with_services(
        &self,
        programs: &Programs,
        wants: &dyn Fn(&str) -> bool,
        tally: &mut Tally,
    ) -> Result<()> {
        let stop = run::stop_signal()?;
        let go_on = || Ok(!stop.load(Ordering::Relaxed));
        let postgres = Postgres::start(&self.paths, &self.progress)?;
        let state = self.paths.work().join("test-world");
        let port = console::choose_port(None)?;
        let options = world::Options {
            state: state.clone(),
            console_url: format!("http://127.0.0.1:{port}"),
            fresh: true,
            more: world::for_tests(),
        };
        self.progress
            .say("world", "starting a fresh one for the tests");
        let mut running = world::start(&programs.world, &options, self.paths.log("test-world"))?;
        let addresses = world::wait(&mut running, &state, &self.progress, go_on)?;
        let file = world::addresses_file(&state);
        if wants("rust") {
            let tests = self.rust_tests(&postgres, file.clone())?;
            tally.add(tests);
        }
        if wants("browser") || wants("kills") {
            let world = browser::World {
                file,
                config: addresses.console.config,
            };
            if stop.load(Ordering::Relaxed) {
                return Err("interrupted".into());
            }
            let wanted = browser::Wanted {
                specs: wants("browser"),
                kills: wants("kills"),
            };
            let databases = self.databases(&postgres)?;
            tally.add(browser::suites(self, programs, &world, &databases, wanted)?);
        }
        Running::stop(running);
        Ok(())
    }

    fn databases(&self, postgres: &Postgres) -> Result<[browser::Database; 2]> {
        let file = self.paths.work().join("test-browser.db");
        for suffix in ["", "-wal", "-shm"] {
            // Absent is what it should be.
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        postgres.create_database("browser")?;
        Ok([
            browser::Database {
                name: "sqlite",
                url: format!("sqlite:{}", file.display()),
                port: None,
            },
            browser::Database {
                name: "postgres",
                url: postgres.url("browser"),
                port: Some(console::another_port()?),
            },
        ])
    }

    fn rust_tests(&self, postgres: &Postgres, world: PathBuf) -> Result<Tally> {
        let start = Instant::now();
        self.progress
            .say("rust", "cargo test, on SQLite and on PostgreSQL");
        let mut cargo = self.cargo(&[
            "test",
            "--workspace",
            "--exclude",
            "frontend",
            "--no-fail-fast",
        ]);
        cargo
            .env("GATEHOUSE_TEST_POSTGRES", postgres.url("postgres"))
            .env("GATEHOUSE_WORLD", world)
            .env("LEPTOS_SITE_ROOT", self.paths.site());
        if !self.more.is_empty() {
            cargo.arg("--").args(&self.more);
        }
        let tally = tally::of_cargo(cargo)?;
        self.progress
            .say("rust", format_args!("{tally} ({})", words(start.elapsed())));
        Ok(tally)
    }
}
