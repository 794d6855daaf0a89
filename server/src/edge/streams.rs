//! Open streams of server-sent events, counted: of the process, and of each account, so that nobody
//! can take them from everybody else.

use domain::{Error, Kind, Result, ids::AccountId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Open streams of one process.
const MAX_STREAMS: usize = 2000;
/// Open streams of one account. Each page that looks for news by itself has one.
const MAX_OF_ACCOUNT: usize = 20;

/// How many streams are open; cheap to clone.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<AccountId, usize>>>);

impl Streams {
    /// Counts one until the answer is dropped.
    /// Errors: `TooMany` when the account has as many as it may, `Unavailable` when the process has.
    pub fn open(&self, account: AccountId) -> Result<Open> {
        let mut open = self.lock();
        let own = open.get(&account).copied().unwrap_or(0);
        if own >= MAX_OF_ACCOUNT {
            return Err(Error::new(
                Kind::TooMany,
                "you have too many pages open that look for news",
            )
            .remedy("Close some of them, or reload this page to see what changed."));
        }
        if open.values().sum::<usize>() >= MAX_STREAMS {
            return Err(Error::unavailable("too many pages are open at once")
                .remedy("Reload this page to see what changed."));
        }
        open.insert(account, own + 1);
        Ok(Open {
            streams: self.clone(),
            account,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is open.
pub struct Open {
    streams: Streams,
    account: AccountId,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        let left = open.get(&self.account).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            open.remove(&self.account);
        } else {
            open.insert(self.account, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u128) -> AccountId {
        AccountId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn each_account_has_its_share_and_gets_it_back() {
        let streams = Streams::default();
        let mut mine: Vec<Open> = (0..MAX_OF_ACCOUNT)
            .map(|_| streams.open(account(1)).expect("free"))
            .collect();
        let refused = streams.open(account(1)).err().expect("one too many");
        assert_eq!(refused.kind, Kind::TooMany);
        let other = streams.open(account(2)).expect("others have theirs");
        assert_eq!(streams.count(), MAX_OF_ACCOUNT + 1);
        mine.pop();
        mine.push(streams.open(account(1)).expect("free again"));
        drop((mine, other));
        assert_eq!(streams.count(), 0);
        assert!(streams.lock().is_empty(), "nobody is remembered");
    }

    #[test]
    fn the_process_has_an_end_too() {
        let streams = Streams::default();
        let all: Vec<Open> = (0..MAX_STREAMS)
            .map(|n| streams.open(account(n as u128)).expect("free"))
            .collect();
        let refused = streams.open(account(u128::MAX)).err().expect("full");
        assert_eq!(refused.kind, Kind::Unavailable);
        drop(all);
    }
}
