//! Lines that say what happens: time so far, which side, what is being built.

use std::fmt;
use std::time::{Duration, Instant};

/// Prints lines with the time since the command began. Copies count from the same moment.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Time counts from now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// One line: the phase (a word) and what happens in it.
    pub fn say(&self, phase: &str, what: impl fmt::Display) {
        eprintln!("[{}] {phase:<8} {what}", clock(self.start.elapsed()));
    }

    /// The time so far.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:>2}:{:02}", seconds / 60, seconds % 60)
}

/// A short duration as a person reads it: `0.4 s`, `12 s`, `3 min 05 s`.
pub fn words(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(words(Duration::from_millis(420)), "0.4 s");
        assert_eq!(words(Duration::from_secs(75)), "75 s");
        assert_eq!(words(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(clock(Duration::from_secs(605)), "10:05");
    }
}
