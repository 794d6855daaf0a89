//! The browser's tests: a console on one database, and Playwright against it.

use crate::Result;
use crate::console::{self, Console};
use crate::npm;
use crate::progress::words;
use crate::run::Programs;
use crate::shell::{self, which};
use crate::tally::{self, Tally};
use crate::test::Session;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// The world that the tests run against.
pub struct World {
    /// Its `world.json`.
    pub file: PathBuf,
    /// The console's configuration for it.
    pub config: PathBuf,
}

/// A database for the console.
pub struct Database {
    /// What it is called in messages.
    pub name: &'static str,
    /// Its URL.
    pub url: String,
}

/// Debian's Chromium, or another by `GATEHOUSE_CHROMIUM`.
pub fn chromium() -> Option<PathBuf> {
    std::env::var_os("GATEHOUSE_CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| {
            ["chromium", "chromium-browser", "google-chrome"]
                .iter()
                .find_map(|name| which(name))
        })
}

/// Type-checks the suite: Playwright itself only strips types.
///
/// # Errors
/// What the compiler found.
pub fn check_types(session: &Session) -> Result<()> {
    let suite = session.paths.root.join("end2end");
    npm::ci(&suite, "end2end", &session.paths, &session.progress)?;
    let mut tsc = Command::new("node");
    tsc.arg("node_modules/typescript/bin/tsc")
        .args(["--project", "."])
        .current_dir(&suite);
    shell::logged(
        tsc,
        "browser",
        "types of the suite",
        &session.paths.log("tsc"),
        &session.progress,
    )
}

/// Runs the specs on one database, against one console.
///
/// # Errors
/// When the console does not start or Playwright leaves no report.
pub fn specs(
    session: &Session,
    programs: &Programs,
    world: &World,
    database: &Database,
) -> Result<Tally> {
    let paths = &session.paths;
    let console = console_of(session, programs, world, database)?;
    let (listen, _) = console.addresses()?;
    let mut running =
        console.start(paths, paths.log(&format!("test-console-{}", database.name)))?;
    console::wait(&mut running, &listen, || true)?;
    let suite = Suite {
        folder: "specs",
        console: &console,
        database: database.name,
    };
    let mut tally = suite.run(session, world, &session.more, |_| ())?;
    if let Err(message) = running.check() {
        eprintln!("{message}");
        tally.failed += 1;
    }
    running.stop();
    Ok(tally)
}

/// Runs what kills the console again and again, on one database.
///
/// # Errors
/// When Playwright leaves no report.
pub fn kills(
    session: &Session,
    programs: &Programs,
    world: &World,
    database: &Database,
) -> Result<Tally> {
    let dies_at = programs
        .dies_at
        .as_ref()
        .ok_or("cargo built no console that dies")?;
    let suite = Suite {
        folder: "kills",
        console: &console_of(session, programs, world, database)?,
        database: database.name,
    };
    // With JavaScript only: the pages are those of the specs.
    let once = ["--project", "javascript"].map(str::to_owned);
    suite.run(session, world, &once, |playwright| {
        playwright
            .env("GATEHOUSE_DIES_AT_BIN", dies_at)
            .env("LEPTOS_SITE_ROOT", session.paths.site());
    })
}

/// The console for this database; it is not started.
fn console_of(
    session: &Session,
    programs: &Programs,
    world: &World,
    database: &Database,
) -> Result<Console> {
    let work = session.paths.work();
    let config = work.join(format!("test-{}.toml", database.name));
    console::for_tests(&world.config, &database.url, &config)?;
    Ok(Console {
        program: programs.console.clone(),
        config,
        port: None,
    })
}

/// A folder of specs and what it runs against.
struct Suite<'a> {
    folder: &'a str,
    console: &'a Console,
    database: &'a str,
}

impl Suite<'_> {
    fn run(
        &self,
        session: &Session,
        world: &World,
        args: &[String],
        more: impl FnOnce(&mut Command),
    ) -> Result<Tally> {
        let (paths, start) = (&session.paths, Instant::now());
        let (_, url) = self.console.addresses()?;
        let what = format!("{} on {}", self.folder, self.database);
        session
            .progress
            .say("browser", format_args!("{what}, at {url}"));
        let name = format!("playwright-{}-{}", self.folder, self.database);
        let report = paths.work().join(format!("{name}.json"));
        // A report of an earlier run must not be taken for this one's.
        let _ = std::fs::remove_file(&report);
        let mut playwright = Command::new("node");
        playwright
            .arg("node_modules/@playwright/test/cli.js")
            .args(["test", "--reporter=list,json"])
            .args(args)
            .current_dir(paths.root.join("end2end"))
            .env("GATEHOUSE_SUITE", self.folder)
            .env("GATEHOUSE_URL", &url)
            .env("GATEHOUSE_WORLD", &world.file)
            .env("GATEHOUSE_DATABASE", self.database)
            .env(
                "GATEHOUSE_CHROMIUM",
                chromium().ok_or("no Chromium: `apt-get install chromium`")?,
            )
            .env("GATEHOUSE_OUTPUT", paths.work().join(&name))
            .env("GATEHOUSE_BIN", &self.console.program)
            .env("GATEHOUSE_CONFIG", &self.console.config)
            .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report);
        more(&mut playwright);
        let good = shell::shown(&mut playwright)?;
        let mut tally = tally::of_playwright(&report)?;
        if !good && tally.failed == 0 {
            tally.failed = 1;
        }
        session.progress.say(
            "browser",
            format_args!("{what}: {tally} ({})", words(start.elapsed())),
        );
        Ok(tally)
    }
}
