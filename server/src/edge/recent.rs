//! What changed a short while ago, so that a page that connects after it was rendered learns of what
//! happened in between, and only of that.

use domain::place::DeploymentKey;
use services::ports::LiveEvent;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Events that are remembered.
const KEPT: usize = 4096;

/// A ring of the newest events.
pub struct Recent {
    kept: Mutex<Kept>,
}

struct Kept {
    /// Everything after this cursor is in `events`.
    from: u64,
    events: VecDeque<LiveEvent>,
}

/// What happened since a cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Since {
    Nothing,
    /// The cursor of the newest event that concerns the page.
    Changed(u64),
    /// The cursor is older than what is remembered.
    TooOld,
}

impl Recent {
    /// Remembers from this cursor on.
    pub fn new(from: u64) -> Self {
        Self {
            kept: Mutex::new(Kept {
                from,
                events: VecDeque::new(),
            }),
        }
    }

    pub fn push(&self, event: LiveEvent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.events.len() == KEPT
            && let Some(oldest) = kept.events.pop_front()
        {
            kept.from = oldest.cursor;
        }
        kept.events.push_back(event);
    }

    /// Something was missed: nothing before this cursor is known.
    pub fn forget(&self, from: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.clear();
        kept.from = from;
    }

    pub fn since(&self, cursor: u64, concerns: impl Fn(&DeploymentKey) -> bool) -> Since {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if cursor < kept.from {
            return Since::TooOld;
        }
        kept.events
            .iter()
            .rev()
            .take_while(|e| e.cursor > cursor)
            .find(|e| concerns(&e.key))
            .map_or(Since::Nothing, |e| Since::Changed(e.cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(cursor: u64, name: &str) -> LiveEvent {
        LiveEvent {
            cursor,
            key: DeploymentKey::new("c", "n", name),
        }
    }

    #[test]
    fn tells_what_was_missed_and_no_more() {
        let recent = Recent::new(10);
        recent.push(event(11, "a"));
        recent.push(event(12, "b"));
        let a = |k: &DeploymentKey| k.name == "a";
        assert_eq!(recent.since(10, a), Since::Changed(11));
        assert_eq!(recent.since(11, a), Since::Nothing);
        assert_eq!(recent.since(9, a), Since::TooOld);
    }

    #[test]
    fn forgets_the_oldest_first() {
        let recent = Recent::new(0);
        for i in 1..=(KEPT as u64 + 1) {
            recent.push(event(i, "a"));
        }
        assert_eq!(recent.since(0, |_| true), Since::TooOld);
        assert_eq!(recent.since(1, |_| true), Since::Changed(KEPT as u64 + 1));
    }
}
