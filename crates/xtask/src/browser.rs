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

/// Runs the suite on one database.
///
/// # Errors
/// When the console does not start or Playwright leaves no report.
pub fn tests(
    session: &Session,
    programs: &Programs,
    world: &World,
    database: &Database,
) -> Result<Tally> {
    let Session {
        paths, progress, ..
    } = session;
    let start = Instant::now();
    let suite = paths.root.join("end2end");
    let config = paths.work().join(format!("test-{}.toml", database.name));
    console::with_database(&world.config, &database.url, &config)?;
    let console = Console {
        program: programs.console.clone(),
        config: config.clone(),
        port: None,
    };
    let (listen, url) = console.addresses()?;
    let mut running =
        console.start(paths, paths.log(&format!("test-console-{}", database.name)))?;
    console::wait(&mut running, &listen, || true)?;

    progress.say(
        "browser",
        format_args!("Playwright on {} at {url}", database.name),
    );
    let report = paths
        .work()
        .join(format!("playwright-{}.json", database.name));
    // A report of an earlier run must not be taken for this one's.
    let _ = std::fs::remove_file(&report);
    let mut playwright = Command::new("node");
    playwright
        .arg("node_modules/@playwright/test/cli.js")
        .args(["test", "--reporter=list,json"])
        .args(&session.more)
        .current_dir(&suite)
        .env("GATEHOUSE_URL", &url)
        .env("GATEHOUSE_WORLD", &world.file)
        .env("GATEHOUSE_DATABASE", database.name)
        .env(
            "GATEHOUSE_CHROMIUM",
            chromium().ok_or("no Chromium: `apt-get install chromium`")?,
        )
        .env(
            "GATEHOUSE_OUTPUT",
            paths.work().join(format!("playwright-{}", database.name)),
        )
        .env("GATEHOUSE_BIN", &programs.console)
        .env("GATEHOUSE_CONFIG", &config)
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report);
    let good = shell::shown(&mut playwright)?;
    let mut tally = tally::of_playwright(&report)?;
    if !good && tally.failed == 0 {
        tally.failed = 1;
    }
    if let Err(message) = running.check() {
        eprintln!("{message}");
        tally.failed += 1;
    }
    running.stop();
    progress.say(
        "browser",
        format_args!(
            "{} on {}: {tally} ({})",
            "Playwright",
            database.name,
            words(start.elapsed())
        ),
    );
    Ok(tally)
}
