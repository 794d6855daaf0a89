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
    /// Where its console answers, if not where the world's configuration says.
    pub port: Option<u16>,
}

/// What runs in the browser.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The specs, and those that take parts of the world away.
    pub specs: bool,
    /// Those that kill the console.
    pub kills: bool,
}

/// Runs the suites on all databases: a console for each, side by side in one world, as most of their time
/// is waiting for what takes effect later. What takes parts of the world away comes after the rest, alone.
///
/// # Errors
/// When a console does not start or Playwright leaves no report.
pub fn suites(
    session: &Session,
    programs: &Programs,
    world: &World,
    databases: &[Database],
    wanted: Wanted,
) -> Result<Tally> {
    let side_by_side = |database: &Database| -> Result<Tally> {
        let mut tally = Tally::default();
        if wanted.specs {
            tally.add(specs(session, programs, world, database, "specs")?);
        }
        if wanted.kills {
            tally.add(kills(session, programs, world, database)?);
        }
        Ok(tally)
    };
    let side_by_side = &side_by_side;
    let ran: Vec<Result<Tally>> = std::thread::scope(|scope| {
        let threads: Vec<_> = databases
            .iter()
            .map(|database| scope.spawn(move || side_by_side(database)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err("a suite panicked".into()))
            })
            .collect()
    });
    let mut tally = Tally::default();
    for one in ran {
        tally.add(one?);
    }
    if wanted.specs {
        for database in databases {
            tally.add(specs(session, programs, world, database, "faults")?);
        }
    }
    Ok(tally)
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

/// Runs a folder of specs on one database, against one console.
fn specs(
    session: &Session,
    programs: &Programs,
    world: &World,
    database: &Database,
    folder: &str,
) -> Result<Tally> {
    let paths = &session.paths;
    let console = console_of(session, programs, world, database)?;
    let (listen, _) = console.addresses()?;
    let mut running =
        console.start(paths, paths.log(&format!("test-console-{}", database.name)))?;
    console::wait(&mut running, &listen, || true)?;
    let suite = Suite {
        folder,
        console: &console,
        database: database.name,
    };
    let mut args = session.more.clone();
    if !args.is_empty() {
        // What is asked for by name may be in another folder.
        args.push("--pass-with-no-tests".into());
    }
    let mut tally = suite.run(session, world, &args, |_| ())?;
    if let Err(message) = running.check() {
        eprintln!("{message}");
        tally.failed += 1;
    }
    running.stop();
    Ok(tally)
}

/// Runs what kills the console again and again, on one database.
fn kills(
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
    console::for_tests(&world.config, &database.url, database.port, &config)?;
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
        let good = shell::shown_as(&mut playwright, self.database)?;
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
