//! What runs from this checkout, remembered in `.run/processes.json`.

use crate::Result;
use crate::children::{birth, end_left};
use crate::paths::Paths;
use crate::shell;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;

/// The programs of a run, in the order in which they are ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Where the console answers.
    pub address: String,
    /// What runs.
    pub processes: Vec<Process>,
}

/// A program that runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Process {
    /// What it is called in messages.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// When it began: ids are used again.
    pub born: String,
}

fn file(paths: &Paths) -> PathBuf {
    paths.state.join("processes.json")
}

impl State {
    /// Notes a program.
    pub fn add(&mut self, name: &str, pid: u32) {
        let born = birth(pid).unwrap_or_default();
        self.processes.push(Process {
            name: name.to_owned(),
            pid,
            born,
        });
    }

    /// Reads what an earlier command wrote; empty if nothing runs.
    pub fn load(paths: &Paths) -> Self {
        let text = fs::read(file(paths)).unwrap_or_default();
        let mut state: Self = serde_json::from_slice(&text).unwrap_or_default();
        state
            .processes
            .retain(|p| birth(p.pid).as_deref() == Some(p.born.as_str()));
        state
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, paths: &Paths) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| e.to_string())?;
        shell::write(&file(paths), text)
    }

    /// Ends everything; the names of what was running.
    pub fn end(self, paths: &Paths) -> Vec<String> {
        let ended = self
            .processes
            .into_iter()
            .filter(|p| end_left(p.pid, &p.born))
            .map(|p| p.name)
            .collect();
        // Absent is what it should be.
        let _ = fs::remove_file(file(paths));
        ended
    }
}
