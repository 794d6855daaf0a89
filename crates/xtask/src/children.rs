//! Programs that we start and end: each in a process group of its own, with a log.

use crate::Result;
use crate::shell;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end when asked; then it is killed.
const END_LIMIT: Duration = Duration::from_secs(20);

/// A running program of ours. Dropped, it is ended, unless it was let go.
#[derive(Debug)]
pub struct Running {
    /// What it is called in messages.
    pub name: String,
    /// Where it writes.
    pub log: PathBuf,
    child: Option<Child>,
}

impl Running {
    /// Starts it. A group of its own means that Ctrl-C reaches only us, and we end things in order.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        command.process_group(0);
        Self::attached(name, command, log)
    }

    /// Starts it in our own group: Ctrl-C in the terminal ends it together with us.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn attached(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let out = shell::create(&log)?;
        let errors = out.try_clone().map_err(|e| e.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("{}: {e}", shell::line(&command)))?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child: Some(child),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// An error if it ended by itself.
    ///
    /// # Errors
    /// How it ended, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.child = None;
                Err(format!(
                    "{} ended ({status}); {}",
                    self.name,
                    shell::end_of(&self.log)
                ))
            }
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// Whether it ended, and then whether well.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn finished(&mut self) -> Result<Option<bool>> {
        let Some(child) = &mut self.child else {
            return Ok(Some(true));
        };
        let status = child
            .try_wait()
            .map_err(|e| format!("{}: {e}", self.name))?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status.map(|status| status.success()))
    }

    /// Ends it and waits.
    pub fn stop(mut self) {
        self.end();
    }

    /// Lets it go: it stays when we end.
    pub fn let_go(mut self) {
        self.child = None;
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        ask(child.id());
        let start = Instant::now();
        while start.elapsed() < END_LIMIT {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It had its chance. That it is gone already is no error.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// Asks a program to end.
fn ask(id: u32) {
    if let Some(pid) = pid(id) {
        // Gone already is as good.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// When a process began, in words of this system: with its id, it says which process is meant,
/// because ids are used again.
pub fn birth(id: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/stat"));
    if let Ok(text) = text {
        // The second field is a name in parentheses that may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The third field of the line is the state: a zombie is no living process.
        return (fields.first() != Some(&"Z"))
            .then(|| fields.get(19).copied().unwrap_or("").to_owned());
    }
    if Path::new("/proc/self/stat").exists() {
        return None;
    }
    shell::output("ps", &["-o", "lstart=", "-p", &id.to_string()])
}

/// Ends a process that an earlier command left running; true if it was there.
pub fn end_left(id: u32, born: &str) -> bool {
    let is_it = || birth(id).as_deref() == Some(born);
    if !is_it() {
        return false;
    }
    ask(id);
    let start = Instant::now();
    while is_it() {
        if start.elapsed() > END_LIMIT {
            if let Some(pid) = pid(id).filter(|pid| test_kill_process(*pid).is_ok()) {
                let _ = kill_process(pid, Signal::KILL);
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_started_found_and_ended() {
        let log = std::env::temp_dir().join(format!("xtask-children-{}.log", std::process::id()));
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut running = Running::start("sleep", command, log.clone()).unwrap();
        let id = running.pid();
        let born = birth(id).unwrap();
        running.check().unwrap();
        assert_eq!(birth(id), Some(born.clone()));
        assert!(!end_left(id, "another process"));
        running.stop();
        assert!(!end_left(id, &born));
        fs::remove_file(log).unwrap();
    }
}
