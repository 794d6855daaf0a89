//! Waiting until this machine has nothing else to do; only where there is `/proc`.

use std::fs;
use std::time::{Duration, Instant};

/// The machine counts as idle when at most this share of its processors' time is used.
const BUSY: f64 = 0.1;
const LOOK: Duration = Duration::from_secs(3);
/// It is measured all the same after so long; the table says what came of it.
const LIMIT: Duration = Duration::from_secs(900);

/// Waits until the machine is idle, or `go_on` says no.
pub fn wait(go_on: impl Fn() -> bool) {
    let start = Instant::now();
    while go_on() && start.elapsed() < LIMIT {
        let Some(before) = times() else { return };
        std::thread::sleep(LOOK);
        let Some(after) = times() else { return };
        if busy(before, after) <= BUSY {
            return;
        }
    }
}

/// Ticks of all processors together.
#[derive(Clone, Copy)]
struct Times {
    all: u64,
    idle: u64,
}

fn times() -> Option<Times> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line of `/proc/stat` (proc_stat(5)): user, nice, system, idle, iowait, …
fn parse(text: &str) -> Option<Times> {
    let ticks: Vec<u64> = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    Some(Times {
        all: ticks.iter().take(8).sum(),
        idle: ticks.get(3)? + ticks.get(4)?,
    })
}

fn busy(before: Times, after: Times) -> f64 {
    let all = after.all.saturating_sub(before.all).max(1) as f64;
    1.0 - after.idle.saturating_sub(before.idle) as f64 / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_used_is_read_from_two_looks() {
        let before = parse("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4").unwrap();
        let after = parse("cpu  130 0 60 850 60 0 0 0 0 0\n").unwrap();
        assert!((busy(before, after) - 0.4).abs() < 1e-9);
        assert!(parse("intr 1").is_none());
    }
}
