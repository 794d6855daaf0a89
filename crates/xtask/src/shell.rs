//! Running other programs: quietly into a log, or for what they print.

use crate::Result;
use crate::progress::{Progress, words};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a long step says that it is still at work.
const TICK: Duration = Duration::from_secs(10);

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs to the end with its output in `log`, saying now and then that it is at work.
///
/// # Errors
/// The command, and the end of what it printed.
pub fn logged(
    mut command: Command,
    phase: &str,
    what: &str,
    log: &Path,
    progress: &Progress,
) -> Result<()> {
    let out = create(log)?;
    let errors = out
        .try_clone()
        .map_err(|e| format!("{}: {e}", log.display()))?;
    let start = Instant::now();
    progress.say(phase, what);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .spawn()
        .map_err(|e| format!("{}: {e}", line(&command)))?;
    let mut said = start;
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if said.elapsed() >= TICK => {
                said = Instant::now();
                progress.say(phase, format_args!("{what} ({})", words(start.elapsed())));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "`{}` failed ({status}); {}",
        line(&command),
        end_of(log)
    ))
}

/// Runs with this terminal as its own, and tells whether it succeeded.
///
/// # Errors
/// When it cannot be started at all.
pub fn shown(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status();
    Ok(status
        .map_err(|e| format!("{}: {e}", line(command)))?
        .success())
}

/// Runs with what it prints shown line by line, each after the name of who says it: several can run at
/// once. Tells whether it succeeded.
///
/// # Errors
/// When it cannot be started at all, or its output cannot be read.
pub fn shown_as(command: &mut Command, name: &str) -> Result<bool> {
    let error = |e: std::io::Error| format!("{}: {e}", line(command));
    let (reader, writer) = std::io::pipe().map_err(error)?;
    let errors = writer.try_clone().map_err(error)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn()
        .map_err(|e| format!("{}: {e}", line(command)))?;
    // The command holds the writing end, and while it does the reading below does not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for said in BufReader::new(reader).lines() {
        println!("{name:<8} {}", said.map_err(|e| e.to_string())?);
    }
    Ok(child.wait().map_err(|e| e.to_string())?.success())
}

/// What a command prints, trimmed; `None` when it fails or is not there.
pub fn output(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Finds a program on the `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Opens a new file, making its folder.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path) -> Result<File> {
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    File::create(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read; the message names the file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes a file, making its folder.
///
/// # Errors
/// When it cannot be written; the message names the file.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()))
}

/// The last lines of a log, with its place.
pub fn end_of(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(30)..].join("\n");
    format!("the end of {}:\n{tail}", log.display())
}

/// Copies a folder's files into another, which is made.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    make_dir(to)?;
    for entry in fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_dir(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(|e| format!("{}: {e}", target.display()))?;
        }
    }
    Ok(())
}
