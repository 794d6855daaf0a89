//! The world's program: building it, starting it, waiting for it, and what it tells of itself.

use crate::args::Args;
use crate::children::Running;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::tools::{self, Missing};
use crate::{Result, build, shell};
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
    /// The process that wrote it.
    pub pid: u32,
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
    let mut rest = args.rest();
    if rest
        .first()
        .is_none_or(|first| first.starts_with('-') && first != "--help")
    {
        let state = paths.state.join("world").display().to_string();
        let has_state = rest.iter().any(|arg| arg.starts_with("--state-dir"));
        rest.insert(0, "run".into());
        if !has_state {
            rest.extend(["--state-dir".into(), state]);
        }
    }
    // It takes our place, so that signals and the exit code are its own.
    let error = Command::new(&program).args(rest).exec();
    Err(format!("{}: {error}", program.display()))
}

/// The cargo command that builds the console's and the world's programs. Always both: other
/// selections unify other features and would compile much of the tree once more.
pub fn build_command(toolchain: &Toolchain, paths: &Paths) -> Command {
    let mut cargo = toolchain.cargo();
    cargo.current_dir(&paths.root).args([
        "build",
        "--package",
        "server",
        "--package",
        "world",
        "--bins",
    ]);
    cargo
}

fn build(toolchain: &Toolchain, paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let mut program = None;
    build::cargo(
        build_command(toolchain, paths),
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
    let mut running = Running::start("the build of the world", command, paths.log("world-build"))?;
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

/// Waits until this world is there, showing what it says.
///
/// # Errors
/// When it ends or takes too long.
pub fn wait(
    running: &mut Running,
    state: &Path,
    progress: &Progress,
    mut also: impl FnMut() -> Result<bool>,
) -> Result<Addresses> {
    let file = addresses_file(state);
    let mut shown = Tail::new(&running.log);
    let start = Instant::now();
    while start.elapsed() < START_LIMIT {
        shown.show("world", progress);
        running.check()?;
        if !also()? {
            return Err("interrupted".into());
        }
        // The file of an earlier run names an earlier process.
        let read = fs::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<Addresses>(&text).ok());
        if let Some(addresses) = read.filter(|addresses| addresses.pid == running.pid()) {
            return Ok(addresses);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!(
        "the world was not there after {} s; {}",
        START_LIMIT.as_secs(),
        shell::end_of(&running.log)
    ))
}

/// Shows the lines that are added to a log.
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

    fn show(&mut self, phase: &str, progress: &Progress) {
        let Ok(text) = fs::read(&self.log) else {
            return;
        };
        let new = &text[self.at.min(text.len())..];
        let Some(end) = new.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        for line in String::from_utf8_lossy(&new[..end])
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            progress.say(phase, line);
        }
        self.at += end + 1;
    }
}
