//! Counting tests: what `cargo test` and Playwright report.

use crate::Result;
use crate::shell;
use serde::Deserialize;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed, or passed only when tried again.
    pub failed: usize,
    /// Not run.
    pub skipped: usize,
}

impl Tally {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Something ran, nothing failed, nothing was left out.
    pub fn is_good(self) -> bool {
        self.passed > 0 && self.failed == 0 && self.skipped == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Runs `cargo test …`, shows what it prints, and counts.
///
/// # Errors
/// When it cannot be started.
pub fn of_cargo(mut command: Command) -> Result<Tally> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", shell::line(&command)))?;
    let out = child.stdout.take().expect("stdout is piped");
    let mut tally = Tally::default();
    let mut terminal = std::io::stdout();
    for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
        if let Some(result) = result_line(&line) {
            tally.add(result);
        }
        // Each passing test on a line of its own would bury what failed.
        if !(line.starts_with("test ") && line.ends_with(" ... ok")) {
            let _ = writeln!(terminal, "{line}");
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() && tally.failed == 0 {
        // It did not compile, or a test program died before it could count.
        tally.failed = 1;
    }
    Ok(tally)
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`
fn result_line(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?;
    let count = |what: &str| {
        counts
            .split([';', '.'])
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
        skipped: count("ignored")?,
    })
}

/// The part of Playwright's JSON report that counts.
#[derive(Deserialize)]
struct Report {
    stats: Stats,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Stats {
    expected: usize,
    unexpected: usize,
    flaky: usize,
    skipped: usize,
}

/// Reads Playwright's JSON report.
///
/// # Errors
/// When it is absent or no report.
pub fn of_playwright(report: &Path) -> Result<Tally> {
    let text = shell::read(report)?;
    let report: Report =
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", report.display()))?;
    Ok(Tally {
        passed: report.stats.expected,
        failed: report.stats.unexpected + report.stats.flaky + report.errors.len(),
        skipped: report.stats.skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cargos_counts() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s";
        assert_eq!(
            result_line(line),
            Some(Tally {
                passed: 12,
                failed: 3,
                skipped: 1
            })
        );
        assert_eq!(result_line("test a::b ... ok"), None);
    }

    #[test]
    fn nothing_run_or_something_skipped_is_not_good() {
        assert!(!Tally::default().is_good());
        assert!(
            Tally {
                passed: 1,
                ..Tally::default()
            }
            .is_good()
        );
        let skipped = Tally {
            passed: 1,
            skipped: 1,
            failed: 0,
        };
        assert!(!skipped.is_good());
        assert_eq!(skipped.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
