//! Worlds that outlive the command that started them: one background process holds the world as
//! a foreground one would, and `stop` asks it to end.

use crate::error::{Error, Result, tail};
use crate::layout::lock;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a detached start may take; a fresh world is seeded meanwhile.
const START: Duration = Duration::from_secs(600);
/// How long a world may take to end.
const STOP: Duration = Duration::from_secs(60);

/// Runs `binary` (`gatehouse-world`) with `arguments` in the background, waits until its world
/// is ready, and returns the path of its `world.json`.
///
/// # Errors
/// When a world already runs there, or the background process ends before it is ready.
pub async fn start(binary: &Path, state: &Path, arguments: &[OsString]) -> Result<PathBuf> {
    std::fs::create_dir_all(state).map_err(Error::file(state))?;
    let state = state.canonicalize().map_err(Error::file(state))?;
    drop(lock(&state)?.ok_or_else(|| Error::Busy(state.clone()))?);
    let pid_file = state.join("world.pid");
    let _ = std::fs::remove_file(&pid_file);
    let log = state.join("world.log");
    let output = std::fs::File::create(&log).map_err(Error::file(&log))?;
    let errors = output.try_clone().map_err(Error::file(&log))?;
    // A process group of its own: Ctrl-C in the terminal is not for it.
    let mut child = tokio::process::Command::new(binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(Error::file(binary))?;
    let begun = Instant::now();
    while !pid_file.exists() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Error::Start {
                part: "world".to_owned(),
                reason: format!("it ended with {status}"),
                tail: tail(&log, 20),
                log,
            });
        }
        if begun.elapsed() > START {
            let _ = child.kill().await;
            return Err(Error::other("the world was not ready within ten minutes"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(state.join("world.json"))
}

/// Ends the world that runs from `state` and waits until it has.
///
/// # Errors
/// [`Error::NotRunning`] when there is none.
pub async fn stop(state: &Path) -> Result<()> {
    let not_running = || Error::NotRunning(state.to_path_buf());
    let root = state.canonicalize().map_err(|_| not_running())?;
    let pid_file = root.join("world.pid");
    // A free lock means that the process of the pid file is gone and its number may be another's.
    if lock(&root)?.is_some() {
        let _ = std::fs::remove_file(&pid_file);
        return Err(not_running());
    }
    let pid = std::fs::read_to_string(&pid_file)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| {
            Error::other(format!(
                "the world of {} is still starting: try again when it is ready, or end it where it was started",
                root.display()
            ))
        })?;
    kill_process(pid, Signal::TERM).map_err(Error::other)?;
    let begun = Instant::now();
    while test_kill_process(pid).is_ok() && lock(&root)?.is_none() {
        if begun.elapsed() > STOP {
            return Err(Error::other(format!(
                "the world (process {}) has not ended within {} s",
                pid.as_raw_nonzero(),
                STOP.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
