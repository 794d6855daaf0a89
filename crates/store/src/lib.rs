//! What the console keeps, on SQLite or PostgreSQL: every store port of `services::ports`.
//!
//! The URL's scheme chooses the database. Each query is written once, for both: integers are 64 bits,
//! ids, names and JSON are text, exact bytes are bytes, placeholders are `$1`. What the databases do
//! differently stands in [`conn`](self) and nowhere else.
//!
//! Every call that has audit records writes them in the same transaction as its effect, last: if
//! they cannot be written, nothing is.

mod arg;
mod audit_log;
mod audit_tree;
mod conn;
mod connect;
mod row;
mod sql;

mod catalog;
mod changes;
mod drafts;
mod jobs;
mod people;
mod sessions;

#[cfg(feature = "testing")]
pub mod testing;

pub use connect::{Options, connect};

use audit::Keyring;
use conn::{Conn, Pools};
use services::ports::Entropy;
use std::sync::Arc;

/// An open database. Implements every store port, and so `services::ports::Store`.
pub struct Db {
    pools: Pools,
    keyring: Keyring,
    entropy: Arc<dyn Entropy>,
}

impl Db {
    /// Answers when the database can be read and written to. For readiness.
    ///
    /// Errors: `Unavailable` when it does not answer.
    pub async fn ping(&self) -> domain::Result<()> {
        self.read()
            .await?
            .one("SELECT seq FROM audit_head", vec![])
            .await
            .map(drop)
    }

    /// Closes every connection, after what runs has ended.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// A connection for reading.
    async fn read(&self) -> domain::Result<Conn> {
        self.pools.read().await
    }

    /// A transaction that may write. On SQLite it is the only one; dropping it undoes it.
    async fn begin(&self) -> domain::Result<Conn> {
        self.pools.begin().await
    }
}
