//! Programs as child processes that never outlive the world.
//!
//! All programs of a world share one process group whose leader is a small shell, the *guard*.
//! The guard holds the reading end of a pipe from us: when this process ends, however it ends,
//! the pipe closes and the guard ends the whole group, first politely, then by force. A process
//! group cannot be mistaken for another one as long as its leader lives, so no process that is
//! not ours is ever hit.

use crate::error::{Error, Result, tail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long a program may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(4);

/// The guard waits until our end of the pipe closes; it ignores the signals that a terminal or
/// its own `kill` sends to the group, and kills what is left after three seconds.
const GUARD: &str = "trap '' TERM INT HUP QUIT; read _; kill -TERM 0; \
     i=0; while [ $i -lt 30 ]; do sleep 0.1; i=$((i+1)); done; kill -KILL 0";

/// The leader of the process group of one world.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    group: Pid,
}

impl Guard {
    /// Starts the guard.
    ///
    /// # Errors
    /// When `/bin/sh` cannot be started.
    pub fn start() -> Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", GUARD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::file("/bin/sh"))?;
        let group = pid_of(&child).ok_or_else(|| Error::other("the guard ended at once"))?;
        Ok(Self { child, group })
    }

    /// Ends whatever is left of the group, the guard included.
    pub async fn end(mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait().await;
    }

    fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
}

/// How a program is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The part's name, as logs and errors call it.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables beside the inherited ones.
    pub env: Vec<(String, String)>,
    /// The folder it runs in.
    pub dir: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A running program of the world.
#[derive(Debug)]
pub struct Program {
    recipe: Recipe,
    group: i32,
    child: Mutex<Option<Child>>,
}

impl Program {
    /// Starts a program in the guard's group; its output is appended to its log.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(guard: &Guard, recipe: Recipe) -> Result<Arc<Self>> {
        let program = Self {
            recipe,
            group: guard.group(),
            child: Mutex::new(None),
        };
        program.spawn()?;
        Ok(Arc::new(program))
    }

    fn spawn(&self) -> Result<()> {
        let recipe = &self.recipe;
        if let Some(parent) = recipe.log.parent() {
            std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&recipe.log)
            .map_err(Error::file(&recipe.log))?;
        let errors = log.try_clone().map_err(Error::file(&recipe.log))?;
        let child = Command::new(&recipe.program)
            .args(&recipe.args)
            .envs(recipe.env.iter().map(|(k, v)| (k, v)))
            .current_dir(&recipe.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(self.group)
            .spawn()
            .map_err(Error::file(&recipe.program))?;
        *self.slot() = Some(child);
        Ok(())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The part's name.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.recipe.log
    }

    /// An error that says this part did not start, with the end of its log.
    pub fn failure(&self, reason: impl Into<String>) -> Error {
        Error::Start {
            part: self.recipe.name.clone(),
            reason: reason.into(),
            log: self.recipe.log.clone(),
            tail: tail(&self.recipe.log, 12),
        }
    }

    /// The exit status if the program has ended, in words.
    pub fn ended(&self) -> Option<String> {
        match self.slot().as_mut() {
            None => Some("it is stopped".to_owned()),
            Some(child) => match child.try_wait() {
                Ok(Some(status)) => Some(format!("it ended with {status}")),
                Ok(None) => None,
                Err(error) => Some(format!("its state is unknown: {error}")),
            },
        }
    }

    /// Sends a signal if the program still runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.slot().as_ref().and_then(pid_of) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Asks the program to end, waits, and kills it when it takes too long.
    pub async fn stop(&self) {
        let Some(mut child) = self.slot().take() else {
            return;
        };
        if let Some(pid) = pid_of(&child) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    /// Kills the program at once, as a crash would.
    pub async fn kill(&self) {
        let child = self.slot().take();
        if let Some(mut child) = child {
            let _ = child.kill().await;
        }
    }

    /// Starts a stopped or killed program again, the same way.
    ///
    /// # Errors
    /// When it still runs or cannot be started.
    pub fn start_again(&self) -> Result<()> {
        if self.ended().is_none() {
            return Err(Error::other(format!("{} still runs", self.recipe.name)));
        }
        self.spawn()
    }

    /// Waits until `probe` says yes, the program ends, or `limit` has passed.
    ///
    /// # Errors
    /// [`Error::Start`] with the end of the log in the last two cases.
    pub async fn wait_until<F, Fut>(&self, limit: Duration, mut probe: F) -> Result<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = bool>,
    {
        let start = Instant::now();
        loop {
            if probe().await {
                return Ok(());
            }
            if let Some(reason) = self.ended() {
                return Err(self.failure(reason));
            }
            if start.elapsed() > limit {
                return Err(self.failure(format!("no answer within {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// Says whether something accepts connections on a loopback port.
pub async fn listens(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_ok()
}
