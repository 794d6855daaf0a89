//! The world's program: building it, starting it, waiting for it, and what it tells of itself.

use crate::args::Args;
use crate::children::Running;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::tools::{self, Missing};
use crate::{Result, build, console, shell};
use serde::Deserialize;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// How long a world may take to be there, when it must be seeded on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(300);

/// Name of the world's program.
pub const PROGRAM: &str = "gatehouse-world";

/// The part of `world.json` that we read.
#[derive(Debug, Deserialize)]
pub struct Addresses {
    /// The console's address and configuration.
    pub console: Console,
    /// The OpenID provider.
    pub provider: Provider,
}

/// The console as the world expects it.
#[derive(Debug, Deserialize)]
pub struct Console {
    /// Its configuration file.
    pub config: PathBuf,
}

/// The OpenID provider.
#[derive(Debug, Deserialize)]
pub struct Provider {
    /// Who can sign in.
    pub accounts: Vec<Account>,
}

/// An account.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// What one types.
    pub login: String,
    /// The password.
    #[serde(default)]
    pub password: String,
    /// The person.
    #[serde(default)]
    pub name: String,
}

/// How to start a world.
#[derive(Debug, Default)]
pub struct Options {
    /// Its state folder.
    pub state: PathBuf,
    /// Where the console answers.
    pub console_url: String,
    /// Begin anew.
    pub fresh: bool,
    /// Further arguments of the program.
    pub more: Vec<String>,
}

/// `cargo xtask world …`: builds the program and hands this terminal to it.
pub fn world(args: Args) -> Result<ExitCode> {
    let (paths, progress) = (Paths::find()?, Progress::start());
    let mut missing = Missing::default();
    tools::node(&mut missing);
    tools::go_and_cc(&mut missing);
    missing.check()?;
    let toolchain = Toolchain::choose(&paths, &progress)?;
    let program = build(&toolchain, &paths, &progress)?;
    let arguments = arguments(args.rest(), &paths.state.join("world"));
    // It takes our place, so that signals and the exit code are its own.
    let error = Command::new(&program).args(arguments).exec();
    Err(format!("{}: {error}", program.display()))
}

/// Starting is what is meant when nothing else is said, and the state lies with that of `run`.
fn arguments(mut given: Vec<String>, state: &Path) -> Vec<String> {
    let is_help = given.iter().any(|arg| arg == "--help" || arg == "-h");
    if !is_help && given.first().is_none_or(|first| first.starts_with('-')) {
        given.insert(0, "start".into());
    }
    let knows_state = given
        .first()
        .is_some_and(|command| command == "start" || command == "stop");
    let has_state = given
        .iter()
        .any(|arg| arg == "--state" || arg.starts_with("--state="));
    if knows_state && !is_help && !has_state {
        given.extend(["--state".into(), state.display().to_string()]);
    }
    given
}

/// What is built to run: the console's and the world's programs. Always both: other selections unify
/// other features and would compile much of the tree once more.
pub const TO_RUN: &[&str] = &["--package", "server", "--package", "world", "--bins"];
/// What is built to test: as `cargo test` selects it, for the same reason.
pub const TO_TEST: &[&str] = &[
    "--workspace",
    "--exclude",
    "frontend",
    "--bins",
    "--example",
    console::DIES_AT,
];

/// The cargo command that builds one of these selections.
pub fn build_command(toolchain: &Toolchain, selection: &[&str], paths: &Paths) -> Command {
    let mut cargo = toolchain.cargo();
    cargo.current_dir(&paths.root).arg("build").args(selection);
    cargo
}

fn build(toolchain: &Toolchain, paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let mut program = None;
    build::cargo(
        build_command(toolchain, TO_RUN, paths),
        "world",
        "compiling",
        &paths.log("cargo"),
        progress,
        |artifact| {
            if artifact.name == PROGRAM {
                program = artifact.executable.map(Path::to_path_buf);
            }
        },
    )?;
    program.ok_or_else(|| format!("the package `world` has no program {PROGRAM}"))
}

/// Builds the world's programs that are missing, showing what it says.
///
/// # Errors
/// The end of its log.
pub fn build_programs(program: &Path, paths: &Paths, progress: &Progress) -> Result<()> {
    let mut command = Command::new(program);
    command.arg("build");
    let mut running =
        Running::attached("the build of the world", command, paths.log("world-build"))?;
    let mut shown = Tail::new(&running.log);
    loop {
        shown.show("world", progress);
        match running.finished()? {
            Some(true) => return Ok(()),
            Some(false) => {
                return Err(format!(
                    "the world's programs: {}",
                    shell::end_of(&running.log)
                ));
            }
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// Starts a world; it may not be there yet.
///
/// # Errors
/// When it cannot be started.
pub fn start(program: &Path, options: &Options, log: PathBuf) -> Result<Running> {
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg("--state-dir")
        .arg(&options.state)
        .args(["--console-url", &options.console_url]);
    if options.fresh {
        command.arg("--fresh");
    }
    command.args(&options.more);
    Running::start("the world", command, log)
}

/// Arguments of a world for tests: faults can be made, and the disk is not waited for.
pub fn for_tests() -> Vec<String> {
    ["--proxies", "--unsafe-no-fsync"]
        .map(str::to_owned)
        .to_vec()
}

/// Where a world writes what it tells of itself.
pub fn addresses_file(state: &Path) -> PathBuf {
    state.join("world.json")
}

/// Waits until this world is there, showing what it says. `go_on` is called again and again
/// meanwhile; false ends the waiting.
///
/// # Errors
/// When it ends or takes too long, or `go_on` fails.
pub fn wait(
    running: &mut Running,
    state: &Path,
    progress: &Progress,
    mut go_on: impl FnMut() -> Result<bool>,
) -> Result<Addresses> {
    let file = addresses_file(state);
    let mut shown = Tail::new(&running.log);
    let start = Instant::now();
    while start.elapsed() < START_LIMIT {
        if shown.show("world", progress) {
            let text = shell::read(&file)?;
            return serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()));
        }
        running.check()?;
        if !go_on()? {
            return Err("interrupted".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!(
        "the world was not there after {} s; {}",
        START_LIMIT.as_secs(),
        shell::end_of(&running.log)
    ))
}

/// Shows the lines of progress that are added to a log.
struct Tail {
    log: PathBuf,
    at: usize,
}

impl Tail {
    fn new(log: &Path) -> Self {
        Self {
            log: log.to_path_buf(),
            at: 0,
        }
    }

    /// Shows what is new; true once the world said that it is ready.
    fn show(&mut self, phase: &str, progress: &Progress) -> bool {
        let Ok(text) = fs::read(&self.log) else {
            return false;
        };
        let new = &text[self.at.min(text.len())..];
        let Some(end) = new.iter().rposition(|byte| *byte == b'\n') else {
            return false;
        };
        let mut ready = false;
        for line in String::from_utf8_lossy(&new[..end]).lines() {
            ready |= line.starts_with("READY ");
            // Its other lines are its addresses, which `run` tells in its own way.
            if line.starts_with('[') {
                progress.say(phase, line);
            }
        }
        self.at += end + 1;
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_starts_unless_told_otherwise() {
        let given = |text: &str| {
            arguments(
                text.split_whitespace().map(str::to_owned).collect(),
                Path::new("s"),
            )
        };
        assert_eq!(given(""), ["start", "--state", "s"]);
        assert_eq!(given("--detach"), ["start", "--detach", "--state", "s"]);
        assert_eq!(given("stop"), ["stop", "--state", "s"]);
        assert_eq!(given("start --state=x"), ["start", "--state=x"]);
        assert_eq!(given("build --clients"), ["build", "--clients"]);
        assert_eq!(given("--help"), ["--help"]);
    }
}
