//! `cargo build` with progress: what is being compiled, and each program the moment it is done.

use crate::Result;
use crate::progress::{Progress, words};
use crate::shell;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often a long build says where it is.
const TICK: Duration = Duration::from_secs(10);

/// What cargo prints with `--message-format=json`: the part that we read.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

enum Event {
    Artifact {
        name: String,
        files: Vec<PathBuf>,
        executable: Option<PathBuf>,
        fresh: bool,
    },
    Compiling(String),
}

/// A finished piece: its target's name, its files, and the program if it is one.
#[derive(Debug)]
pub struct Artifact<'a> {
    /// The target's name.
    pub name: &'a str,
    /// All files.
    pub files: &'a [PathBuf],
    /// The program.
    pub executable: Option<&'a Path>,
}

/// Runs `cargo build …` (the whole command but the message format) and calls `each` for what it
/// finishes, in order.
///
/// # Errors
/// The end of the log, which holds the compiler's messages.
pub fn cargo(
    mut command: Command,
    phase: &str,
    what: &str,
    log: &Path,
    progress: &Progress,
    mut each: impl FnMut(&Artifact<'_>),
) -> Result<()> {
    let text = shell::create(log)?;
    let start = Instant::now();
    let mut child = command
        .arg("--message-format=json-render-diagnostics")
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", shell::line(&command)))?;
    let (sender, events) = channel();
    let out = child.stdout.take().expect("stdout is piped");
    let errors = child.stderr.take().expect("stderr is piped");
    let for_messages = sender.clone();
    let messages = std::thread::spawn(move || read_messages(out, &for_messages));
    let lines = std::thread::spawn(move || read_lines(errors, text, &sender));

    let (mut compiled, mut now, mut said) = (0usize, String::new(), None::<Instant>);
    loop {
        match events.recv_timeout(TICK) {
            Ok(Event::Artifact {
                name,
                files,
                executable,
                fresh,
            }) => {
                compiled += usize::from(!fresh);
                each(&Artifact {
                    name: &name,
                    files: &files,
                    executable: executable.as_deref(),
                });
            }
            Ok(Event::Compiling(crate_name)) => now = crate_name,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // Nothing is said about a build that has nothing to do.
        if !now.is_empty() && said.is_none_or(|at| at.elapsed() >= TICK) {
            said = Some(Instant::now());
            progress.say(
                phase,
                format_args!(
                    "{what}: {compiled} crates, now {now} ({})",
                    words(start.elapsed())
                ),
            );
        }
    }
    // Both ends are closed, so both threads are through.
    let _ = (messages.join(), lines.join());
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!(
            "`{}` failed; {}",
            shell::line(&command),
            shell::end_of(log)
        ));
    }
    if said.is_some() {
        progress.say(
            phase,
            format_args!(
                "{what}: done ({compiled} crates, {})",
                words(start.elapsed())
            ),
        );
    }
    Ok(())
}

fn read_messages(out: impl std::io::Read, events: &Sender<Event>) {
    for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        if message.reason != "compiler-artifact" {
            continue;
        }
        let Some(target) = message.target else {
            continue;
        };
        let event = Event::Artifact {
            name: target.name,
            files: message.filenames,
            executable: message.executable,
            fresh: message.fresh,
        };
        // The receiver lives until both senders are gone.
        let _ = events.send(event);
    }
}

fn read_lines(errors: impl std::io::Read, mut log: std::fs::File, events: &Sender<Event>) {
    for line in BufReader::new(errors)
        .lines()
        .map_while(std::io::Result::ok)
    {
        // A full disk shows at the next write of cargo itself.
        let _ = writeln!(log, "{line}");
        if let Some(rest) = line.trim_start().strip_prefix("Compiling ")
            && let Some(name) = rest.split_whitespace().next()
        {
            let _ = events.send(Event::Compiling(name.to_owned()));
        }
    }
}
