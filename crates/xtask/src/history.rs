//! The past of a fresh world: changes that its people asked for and decided before anybody looks,
//! made at the running console, beside whoever looks at it already.

use crate::children::Running;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::{Result, scripts, shell, world};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The script that asks and decides; run by Node.
const SCRIPT: &str = include_str!("../npm/history.mjs");

/// Where it is noted that this world's past is not all there yet. The script removes it.
fn mark(paths: &Paths) -> PathBuf {
    paths.state.join("history-wanted")
}

/// Notes that a world that is about to be filled is to get a past.
///
/// # Errors
/// When it cannot be written.
pub fn want(paths: &Paths) -> Result<()> {
    shell::write(&mark(paths), "")
}

/// Begins, or goes on with, what is wanted for the console at `url`; nothing where there is nothing
/// to do.
pub fn begin(paths: &Paths, url: &str, progress: &Progress) -> Option<Running> {
    if !mark(paths).exists() {
        return None;
    }
    match start(paths, url) {
        Ok(running) => Some(running),
        Err(error) => {
            warn(progress, &error);
            None
        }
    }
}

fn start(paths: &Paths, url: &str) -> Result<Running> {
    let mut node = Command::new("node");
    node.arg(scripts::place(paths, "history.mjs", SCRIPT)?)
        .arg(mark(paths))
        .env(
            "GATEHOUSE_WORLD",
            world::addresses_file(&paths.state.join("world")),
        )
        .env("GATEHOUSE_URL", url);
    Running::start("the history", node, paths.state.join("logs/history.log"))
}

/// Says how it went once it is over; gives back what goes on.
pub fn look(mut running: Running, progress: &Progress) -> Option<Running> {
    match running.finished() {
        Ok(None) => return Some(running),
        Ok(Some(true)) => {
            let log = fs::read_to_string(&running.log).unwrap_or_default();
            progress.say("history", log.lines().next_back().unwrap_or("done"));
        }
        Ok(Some(false)) => warn(progress, &shell::end_of(&running.log)),
        Err(error) => warn(progress, &error),
    }
    None
}

/// Without a past the console is as good: nothing ends because of it.
fn warn(progress: &Progress, why: &str) {
    progress.say(
        "history",
        format_args!("warning: not all of it could be made; {why}"),
    );
}
