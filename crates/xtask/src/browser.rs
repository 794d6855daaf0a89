//! The browser's tests: a console on one database, and Playwright against it.

use crate::Result;
use crate::console::{self, Console};
use crate::npm;
use crate::progress::words;
use crate::run::Programs;
use crate::shell::{self, which};
use crate::tally::{self, Tally};
use crate::test::Session;
use std::path::{Path, PathBuf};
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
    let config = paths.work().join(format!("test-{}.toml", database.name));
    console::for_tests(&world.config, &database.url, &config)?;
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
    let suite = Suite {
        folder: "specs",
        url: &url,
        config: &config,
        database: database.name,
        console: &programs.console,
    };
    let mut tally = suite.run(session, world, |_| ())?;
    if let Err(message) = running.check() {
        eprintln!("{message}");
        tally.failed += 1;
    }
    running.stop();
    if session.more.is_empty() {
        // The same database and address, now that they are free.
        let dies_at = programs
            .dies_at
            .as_ref()
            .ok_or("cargo built no console that dies")?;
        let suite = Suite {
            folder: "kills",
            ..suite
        };
        tally.add(suite.run(session, world, |playwright| {
            playwright
                .args(["--project", "javascript"])
                .env("GATEHOUSE_DIES_AT_BIN", dies_at)
                .env("LEPTOS_SITE_ROOT", paths.site());
        })?);
    }
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

/// A folder of specs and what it runs against.
struct Suite<'a> {
    folder: &'a str,
    url: &'a str,
    config: &'a Path,
    database: &'a str,
    console: &'a Path,
}

impl Suite<'_> {
    fn run(
        &self,
        session: &Session,
        world: &World,
        more: impl FnOnce(&mut Command),
    ) -> Result<Tally> {
        let paths = &session.paths;
        let name = format!("playwright-{}-{}", self.folder, self.database);
        let report = paths.work().join(format!("{name}.json"));
        // A report of an earlier run must not be taken for this one's.
        let _ = std::fs::remove_file(&report);
        let mut playwright = Command::new("node");
        playwright
            .arg("node_modules/@playwright/test/cli.js")
            .args(["test", "--reporter=list,json"])
            .args(&session.more)
            .current_dir(paths.root.join("end2end"))
            .env("GATEHOUSE_SUITE", self.folder)
            .env("GATEHOUSE_URL", self.url)
            .env("GATEHOUSE_WORLD", &world.file)
            .env("GATEHOUSE_DATABASE", self.database)
            .env(
                "GATEHOUSE_CHROMIUM",
                chromium().ok_or("no Chromium: `apt-get install chromium`")?,
            )
            .env("GATEHOUSE_OUTPUT", paths.work().join(&name))
            .env("GATEHOUSE_BIN", self.console)
            .env("GATEHOUSE_CONFIG", self.config)
            .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report);
        more(&mut playwright);
        let good = shell::shown(&mut playwright)?;
        let mut tally = tally::of_playwright(&report)?;
        if !good && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok(tally)
    }
}
