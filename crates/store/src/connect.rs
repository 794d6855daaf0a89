//! Opening a database: which one, how, and whether it is one of ours.

use crate::{Db, arg::args, conn::Pools};
use audit::Keyring;
use domain::{Error, Result};
use services::ports::Entropy;
use sqlx::{
    ConnectOptions as _, PgPool, SqlitePool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{str::FromStr as _, sync::Arc, time::Duration};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How to open a database.
pub struct Options {
    /// Made from the configured secret: seals the personal parts of the log.
    pub keyring: Keyring,
    /// Makes the keys of persons and the nonces of records.
    pub entropy: Arc<dyn Entropy>,
    /// The most connections: of PostgreSQL in all, of SQLite for reading (it has one for writing).
    pub max_connections: u32,
    /// How long a call waits for a connection or a lock before it is `Unavailable`.
    pub wait: Duration,
}

impl Options {
    /// With 16 connections and 5 seconds.
    pub fn new(keyring: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            keyring,
            entropy,
            max_connections: 16,
            wait: Duration::from_secs(5),
        }
    }
}

/// Opens the database at `sqlite:PATH` or `postgres://…`, and brings its schema up to date.
///
/// Errors: `Invalid` when the address, the schema or the key is not ours to use, with what to do;
/// `Unavailable` when the database does not answer. No message ever repeats the address, which may
/// hold a password.
pub async fn connect(url: &str, options: Options) -> Result<Arc<Db>> {
    let pools = match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => sqlite(url, &options).await?,
        Some("postgres" | "postgresql") => postgres(url, &options).await?,
        _ => {
            return Err(Error::invalid("database.url must begin with `sqlite:` or `postgres://`")
                .remedy("Write `sqlite:/var/lib/gatehouse/gatehouse.db` or `postgres://user:password@host/database`."));
        }
    };
    let db = Db {
        pools,
        keyring: options.keyring,
        entropy: options.entropy,
    };
    db.same_key_as_before().await?;
    db.fill_search().await?;
    Ok(Arc::new(db))
}

/// So much of a SQLite file readers map into memory.
const MAPPED_BYTES: &str = "268435456";

/// What each reader of SQLite may keep, as the pragma writes KiB.
const CACHE_KIB: &str = "-8192";

async fn sqlite(url: &str, options: &Options) -> Result<Pools> {
    let bad = |e: sqlx::Error| {
        Error::invalid("database.url is not a valid SQLite address")
            .remedy("Write `sqlite:/path/to/gatehouse.db`.")
            .caused_by(e)
    };
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(
            Error::invalid("an in-memory database would lose the audit log")
                .remedy("Give database.url the path of a file."),
        );
    }
    let opts = SqliteConnectOptions::from_str(url)
        .map_err(bad)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.wait)
        .disable_statement_logging();
    let path = opts.get_filename().display().to_string();
    let pool = |n: u32| {
        SqlitePoolOptions::new()
            .max_connections(n)
            .acquire_timeout(options.wait)
            .test_before_acquire(false)
    };
    let cannot = |e: sqlx::Error| {
        Error::new(
            domain::Kind::Unavailable,
            format!("the database file {path} cannot be opened"),
        )
        .remedy("Check that its folder exists and that the console may write to it.")
        .caused_by(e)
    };
    // No idle or age limit for the writer: closing the last connection would checkpoint in mid-work.
    let write: SqlitePool = pool(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(opts.clone())
        .await
        .map_err(cannot)?;
    SQLITE.run(&write).await.map_err(not_ours)?;
    let readers = opts
        .read_only(true)
        .create_if_missing(false)
        // A commit empties every reader's cache: what is mapped need not be copied in again.
        .pragma("mmap_size", MAPPED_BYTES)
        .pragma("cache_size", CACHE_KIB);
    let read = pool(options.max_connections.max(1))
        .connect_with(readers)
        .await
        .map_err(cannot)?;
    Ok(Pools::Sqlite { write, read })
}

async fn postgres(url: &str, options: &Options) -> Result<Pools> {
    let opts = PgConnectOptions::from_str(url)
        .map_err(|e| {
            Error::invalid("database.url is not a valid PostgreSQL address")
                .remedy("Write `postgres://user:password@host/database`.")
                .caused_by(e)
        })?
        .disable_statement_logging();
    // An address may name its program itself, as tests do to find their connections again.
    let opts = match opts.get_application_name() {
        Some(_) => opts,
        None => opts.application_name("gatehouse"),
    };
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(2))
        .acquire_timeout(options.wait)
        .connect_with(opts)
        .await
        .map_err(|e| {
            Error::new(
                domain::Kind::Unavailable,
                "the PostgreSQL server cannot be reached with database.url",
            )
            .remedy(
                "Check that it runs and that the address, user, password and database are right.",
            )
            .caused_by(e)
        })?;
    POSTGRES.run(&pool).await.map_err(not_ours)?;
    Ok(Pools::Postgres(pool))
}

/// Why the schema cannot be used, and what to do.
fn not_ours(error: MigrateError) -> Error {
    let (message, remedy) = match &error {
        MigrateError::VersionMissing(n) => (
            format!(
                "this database was made by a newer Gatehouse: it has the schema step {n}, which this version does not know"
            ),
            "Start the newer version, or restore the backup that was made before the update.",
        ),
        MigrateError::VersionMismatch(n) => (
            format!("schema step {n} of this database is not the one of this version"),
            "Start the version that made it. If you built this one yourself, its migrations were changed after they had run.",
        ),
        MigrateError::Dirty(n) => (
            format!("schema step {n} of this database was begun and not finished"),
            "Restore the backup that was made before the update, then start again.",
        ),
        MigrateError::Execute(_) | MigrateError::ExecuteMigration(..) => {
            return Error::new(domain::Kind::Unavailable, "the database's schema could not be brought up to date")
                .remedy("Check that the database's user may create tables, and that the disk is not full; the log has the cause.")
                .caused_by(error);
        }
        _ => return Error::internal(error),
    };
    Error::invalid(message).remedy(remedy).caused_by(error)
}

impl Db {
    /// The log's personal parts can be opened with one key only: notice another one at the start,
    /// not when somebody reads the log.
    async fn same_key_as_before(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        let ours = self.keyring.fingerprint();
        tx.exec(
            "INSERT INTO meta (name, value) VALUES ('keyring', $1) ON CONFLICT (name) DO NOTHING",
            args![&ours],
        )
        .await?;
        let row = tx
            .one("SELECT value FROM meta WHERE name = 'keyring'", args![])
            .await?;
        if row.map(|r| r.text("value")).transpose()?.as_deref() != Some(&ours) {
            return Err(Error::invalid("server.secret_key is not the key that this database was made with")
                .remedy("Configure the key that was used before. Without it, who acted can no longer be read in the audit log."));
        }
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations() {
        let names = |m: &Migrator| {
            m.iter()
                .map(|m| (m.version, m.description.to_string()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&SQLITE), names(&POSTGRES));
        assert!(SQLITE.iter().count() > 0);
    }
}
