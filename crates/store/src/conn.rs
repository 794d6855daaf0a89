//! A connection to either database, and everything that they do differently.

use crate::{
    arg::{Arg, args},
    row::Row,
};
use domain::{Error, Kind, Result};
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction, pool::PoolConnection,
    postgres::PgRow, sqlite::SqliteRow,
};
use std::borrow::Cow;

/// The pools of an open database. SQLite has one writer, so that two never wait for each other's locks.
pub(crate) enum Pools {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// A connection for reading, or a transaction.
pub(crate) enum Conn {
    SqliteRead(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    PostgresRead(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

impl Pools {
    pub async fn read(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { read, .. } => Conn::SqliteRead(read.acquire().await.map_err(failed)?),
            Self::Postgres(pool) => Conn::PostgresRead(pool.acquire().await.map_err(failed)?),
        })
    }

    pub async fn begin(&self) -> Result<Conn> {
        Ok(match self {
            // IMMEDIATE: what is read in it cannot be overtaken by another process's write.
            Self::Sqlite { write, .. } => {
                Conn::SqliteTx(write.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
            }
            Self::Postgres(pool) => Conn::PostgresTx(pool.begin().await.map_err(failed)?),
        })
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A query with its values bound, for whichever database the connection is of.
macro_rules! query {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql.into()));
        for arg in $args {
            query = match arg {
                Arg::Int(v) => query.bind(v),
                Arg::Text(v) => query.bind(v),
                Arg::Bytes(v) => query.bind(v),
            };
        }
        query
    }};
}

/// The texts of queries are literals of this crate, or put together by [`crate::sql::Sql`] from such.
impl Conn {
    pub async fn all(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>> {
        let sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(Row::Sqlite).collect();
        let postgres = |rows: Vec<PgRow>| rows.into_iter().map(Row::Postgres).collect();
        match self {
            Self::SqliteRead(c) => query!(sql, args).fetch_all(&mut **c).await.map(sqlite),
            Self::SqliteTx(c) => query!(sql, args).fetch_all(&mut **c).await.map(sqlite),
            Self::PostgresRead(c) => query!(sql, args).fetch_all(&mut **c).await.map(postgres),
            Self::PostgresTx(c) => query!(sql, args).fetch_all(&mut **c).await.map(postgres),
        }
        .map_err(failed)
    }

    pub async fn one(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Arg>,
    ) -> Result<Option<Row>> {
        match self {
            Self::SqliteRead(c) => query!(sql, args)
                .fetch_optional(&mut **c)
                .await
                .map(|r| r.map(Row::Sqlite)),
            Self::SqliteTx(c) => query!(sql, args)
                .fetch_optional(&mut **c)
                .await
                .map(|r| r.map(Row::Sqlite)),
            Self::PostgresRead(c) => query!(sql, args)
                .fetch_optional(&mut **c)
                .await
                .map(|r| r.map(Row::Postgres)),
            Self::PostgresTx(c) => query!(sql, args)
                .fetch_optional(&mut **c)
                .await
                .map(|r| r.map(Row::Postgres)),
        }
        .map_err(failed)
    }

    /// Answers how many rows were written.
    pub async fn exec(&mut self, sql: impl Into<Cow<'static, str>>, args: Vec<Arg>) -> Result<u64> {
        match self {
            Self::SqliteRead(c) => query!(sql, args)
                .execute(&mut **c)
                .await
                .map(|d| d.rows_affected()),
            Self::SqliteTx(c) => query!(sql, args)
                .execute(&mut **c)
                .await
                .map(|d| d.rows_affected()),
            Self::PostgresRead(c) => query!(sql, args)
                .execute(&mut **c)
                .await
                .map(|d| d.rows_affected()),
            Self::PostgresTx(c) => query!(sql, args)
                .execute(&mut **c)
                .await
                .map(|d| d.rows_affected()),
        }
        .map_err(failed)
    }

    /// What to put behind a `SELECT` in a write so that several workers each get another row.
    /// SQLite has one writer and needs nothing.
    pub fn skip_locked(&self) -> &'static str {
        match self {
            Self::SqliteRead(_) | Self::SqliteTx(_) => "",
            Self::PostgresRead(_) | Self::PostgresTx(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Waits until no other transaction on this database has this turn, and keeps it until this one
    /// ends: what is read from here on, others before it have committed. SQLite has one writer and
    /// needs nothing.
    pub async fn take_turn(&mut self, turn: i64) -> Result<()> {
        match self {
            Self::SqliteRead(_) | Self::SqliteTx(_) => Ok(()),
            Self::PostgresRead(_) | Self::PostgresTx(_) => self
                .exec("SELECT pg_advisory_xact_lock($1)", args![turn])
                .await
                .map(|_| ()),
        }
    }

    /// Makes what the transaction wrote durable.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::SqliteTx(tx) => tx.commit().await.map_err(failed),
            Self::PostgresTx(tx) => tx.commit().await.map_err(failed),
            Self::SqliteRead(_) | Self::PostgresRead(_) => Err(Error::internal(
                "a connection for reading has nothing to commit",
            )),
        }
    }
}

/// What a database's error means to a person.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    let busy =
        || Error::new(Kind::Unavailable, "the database is busy").remedy("Try again in a moment.");
    let away = || {
        Error::new(Kind::Unavailable, "the database does not answer")
            .remedy("Try again in a moment.")
    };
    let kind = match &error {
        sqlx::Error::PoolTimedOut => busy(),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => away(),
        sqlx::Error::Database(e) => match e.code().as_deref() {
            // SQLite: busy, locked. PostgreSQL: serialization failure, deadlock, too many connections.
            Some("5" | "6" | "261" | "262" | "517" | "40001" | "40P01" | "53300") => busy(),
            // PostgreSQL: shutting down, starting up.
            Some("57P01" | "57P02" | "57P03") => away(),
            // PostgreSQL: a text with a NUL character, in a column of text or of JSON.
            Some("22021" | "22P05") => {
                Error::invalid("a text holds a character that cannot be kept, such as NUL (U+0000)")
                    .remedy("Take it out and try again.")
            }
            _ => return Error::internal(error),
        },
        _ => return Error::internal(error),
    };
    kind.caused_by(error)
}
