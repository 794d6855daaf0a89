//! `cargo xtask run` and `stop`: builds what is missing, starts the world and the console.

use crate::args::Args;
use crate::children::Running;
use crate::console::{self, Console};
use crate::paths::Paths;
use crate::progress::{Progress, words};
use crate::state::State;
use crate::toolchain::Toolchain;
use crate::tools::{self, Missing};
use crate::world::{self, Addresses};
use crate::{Result, build, history, site, start};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// What `run` was asked for.
struct Request {
    detach: bool,
    fresh: bool,
    port: Option<u16>,
    config: Option<PathBuf>,
}

/// The programs that were built.
pub struct Programs {
    /// The console.
    pub console: PathBuf,
    /// The world.
    pub world: PathBuf,
    /// The console that kills itself, where it was asked for.
    pub dies_at: Option<PathBuf>,
}

/// `cargo xtask run`.
pub fn run(mut args: Args) -> Result<ExitCode> {
    let request = Request {
        detach: args.flag("--detach"),
        fresh: args.flag("--fresh"),
        port: match args.option("--port")? {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| format!("--port {text}: not a port"))?,
            ),
            None => None,
        },
        config: args.option("--config")?.map(PathBuf::from),
    };
    args.finish()?;
    let (paths, progress) = (Paths::find()?, Progress::start());
    let running = State::load(&paths);
    if !running.processes.is_empty() {
        return Err(format!(
            "already running at {}: `cargo xtask stop` ends it",
            running.address
        ));
    }
    let config = request.config.as_ref().map(|file| {
        file.canonicalize()
            .map_err(|e| format!("{}: {e}", file.display()))
    });
    let config = config.transpose()?;
    let mut missing = Missing::default();
    tools::node(&mut missing);
    if config.is_some() {
        tools::cc(&mut missing);
    } else {
        tools::go_and_cc(&mut missing);
    }
    missing.check()?;
    if request.fresh && paths.state.exists() {
        fs::remove_dir_all(&paths.state).map_err(|e| format!("{}: {e}", paths.state.display()))?;
    }

    let toolchain = Toolchain::choose(&paths, &progress)?;
    let programs = build_all(
        &toolchain,
        config.is_none(),
        world::TO_RUN,
        &paths,
        &progress,
    )?;
    // From here on something runs that must be ended in order.
    let stop = stop_signal()?;
    let built = progress.elapsed();
    let mut started = match config {
        Some(config) => with_config(programs.console, config, request.port, &paths, &stop)?,
        None => with_world(&programs, &request, &paths, &progress, &stop)?,
    };
    progress.say(
        "ready",
        format_args!(
            "everything is there {} after the build",
            words(progress.elapsed() - built)
        ),
    );
    started.say();
    started.begin_history(&paths, &progress);
    if request.detach {
        return started.let_go(&paths);
    }
    println!(
        "Ctrl-C ends everything. Logs: {}",
        paths.state.join("logs").display()
    );
    started.state().save(&paths)?;
    let ended = started.watch(&stop, &progress);
    progress.say("stop", "ending what was started");
    started.stop();
    State::load(&paths).end(&paths);
    ended.map(|()| ExitCode::SUCCESS)
}

/// `cargo xtask stop`.
pub fn stop(args: Args) -> Result<ExitCode> {
    args.finish()?;
    let paths = Paths::find()?;
    let ended = State::load(&paths).end(&paths);
    if ended.is_empty() {
        println!("nothing was running");
    } else {
        println!("ended {}", ended.join(" and "));
    }
    Ok(ExitCode::SUCCESS)
}

/// A flag that Ctrl-C, SIGTERM and SIGHUP set.
///
/// # Errors
/// When the system refuses a handler.
pub fn stop_signal() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // A second Ctrl-C while things are being ended ends us at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .map_err(|e| e.to_string())?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|e| e.to_string())?;
    }
    Ok(stop)
}

/// Builds the console, the browser's files and (if wanted) the world's programs side by side.
///
/// # Errors
/// The first build that fails.
pub fn build_all(
    toolchain: &Toolchain,
    with_world: bool,
    selection: &'static [&'static str],
    paths: &Paths,
    progress: &Progress,
) -> Result<Programs> {
    let (announce, announced) = channel::<PathBuf>();
    std::thread::scope(|scope| {
        let browser = scope.spawn(|| site::ensure(toolchain, paths, progress));
        let world = scope.spawn(move || match announced.recv() {
            Ok(program) if with_world => world::build_programs(&program, paths, progress),
            // Not wanted, or cargo failed before it was there.
            _ => Ok(()),
        });
        let (mut console, mut world_program, mut dies_at) = (None, None, None);
        let command = world::build_command(toolchain, selection, paths);
        let native = build::cargo(
            command,
            "console",
            "compiling",
            &paths.log("cargo"),
            progress,
            |artifact| {
                let Some(program) = artifact.executable else {
                    return;
                };
                match artifact.name {
                    console::PROGRAM => console = Some(program.to_path_buf()),
                    console::DIES_AT => dies_at = Some(program.to_path_buf()),
                    world::PROGRAM => {
                        world_program = Some(program.to_path_buf());
                        // The receiver takes the first and may be gone then.
                        let _ = announce.send(program.to_path_buf());
                    }
                    _ => {}
                }
            },
        );
        drop(announce);
        let joined = |result: std::thread::Result<Result<()>>| {
            result.unwrap_or_else(|_| Err("a build panicked".into()))
        };
        let (browser, world) = (joined(browser.join()), joined(world.join()));
        native.and(browser).and(world)?;
        Ok(Programs {
            console: console.ok_or("cargo built no program `gatehouse`")?,
            world: world_program.ok_or("cargo built no program `gatehouse-world`")?,
            dies_at,
        })
    })
}

/// What was started.
struct Started {
    url: String,
    console: Running,
    world: Option<(Running, Addresses)>,
    history: Option<Running>,
}

fn with_config(
    program: PathBuf,
    config: PathBuf,
    port: Option<u16>,
    paths: &Paths,
    stop: &AtomicBool,
) -> Result<Started> {
    let console = Console {
        program,
        config,
        port,
    };
    let (listen, url) = console.addresses()?;
    let mut running = console.start(paths, paths.state.join("logs/console.log"))?;
    console::wait(&mut running, &listen, || !stop.load(Ordering::Relaxed))?;
    Ok(Started {
        url,
        console: running,
        world: None,
        history: None,
    })
}

fn with_world(
    programs: &Programs,
    request: &Request,
    paths: &Paths,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Started> {
    let port = console::choose_port(request.port)?;
    let logs = paths.state.join("logs");
    let options = world::Options {
        state: paths.state.join("world"),
        console_url: format!("http://127.0.0.1:{port}"),
        ..world::Options::default()
    };
    let console = Console {
        program: programs.console.clone(),
        config: start::config(&options),
        port: None,
    };
    let fresh = !options.state.join("complete").exists();
    if fresh {
        history::want(paths)?;
    }
    progress.say(
        "world",
        if fresh {
            "starting and filling a fresh one"
        } else {
            "starting"
        },
    );
    let what = start::Start {
        program: &programs.world,
        options: &options,
        world_log: logs.join("world.log"),
        console: &console,
        console_log: logs.join("console.log"),
    };
    let both = start::both(what, paths, progress, stop)?;
    Ok(Started {
        url: both.url,
        console: both.console,
        world: Some((both.world, both.addresses)),
        history: None,
    })
}

impl Started {
    fn say(&self) {
        println!("\n  Gatehouse  {}\n", self.url);
        if let Some((_, addresses)) = &self.world {
            println!("  Who can sign in (all with the password that is shown):");
            for account in &addresses.provider.accounts {
                println!(
                    "    {:<20} {:<12} {}",
                    account.login, account.password, account.name
                );
            }
            println!();
        }
    }

    /// A world of ours gets its past while people can look around already.
    fn begin_history(&mut self, paths: &Paths, progress: &Progress) {
        if self.world.is_some() {
            self.history = history::begin(paths, &self.url, progress);
        }
    }

    fn state(&self) -> State {
        let mut state = State {
            address: self.url.clone(),
            processes: Vec::new(),
        };
        if let Some(history) = &self.history {
            state.add("the history", history.pid());
        }
        state.add("the console", self.console.pid());
        if let Some((world, _)) = &self.world {
            state.add("the world", world.pid());
        }
        state
    }

    /// Waits for the end: somebody's wish, or a program that ended by itself.
    fn watch(&mut self, stop: &AtomicBool, progress: &Progress) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.console.check()?;
            if let Some((world, _)) = &mut self.world {
                world.check()?;
            }
            self.history = self
                .history
                .take()
                .and_then(|history| history::look(history, progress));
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn stop(self) {
        if let Some(history) = self.history {
            history.stop();
        }
        self.console.stop();
        if let Some((world, _)) = self.world {
            world.stop();
        }
    }

    fn let_go(self, paths: &Paths) -> Result<ExitCode> {
        self.state().save(paths)?;
        if let Some(history) = self.history {
            println!(
                "Its history is being made, for half a minute: {}",
                history.log.display()
            );
            history.let_go();
        }
        self.console.let_go();
        if let Some((world, _)) = self.world {
            world.let_go();
        }
        println!(
            "It stays; `cargo xtask stop` ends it. Logs: {}",
            paths.state.join("logs").display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
