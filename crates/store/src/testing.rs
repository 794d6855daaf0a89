//! Databases for tests: a fresh one each time, of both kinds, and ways to break them.

use crate::{Db, Options, arg::args, conn::Conn, connect};
use audit::Keyring;
use domain::Result;
use services::ports::Entropy;
use sqlx::{Connection as _, PgConnection};
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Where a PostgreSQL server for tests is; its user must be allowed to create schemas.
pub const POSTGRES: &str = "GATEHOUSE_TEST_POSTGRES";
/// `sqlite`: leave PostgreSQL out, knowingly.
pub const DATABASES: &str = "GATEHOUSE_TEST_DATABASES";

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Whether whoever runs the tests asked for SQLite alone.
    pub fn left_out(self) -> bool {
        self == Self::Postgres && std::env::var(DATABASES).is_ok_and(|v| v == "sqlite")
    }
}

/// A database of one test. It goes when this is dropped.
pub struct TestDatabase {
    pub kind: Kind,
    /// As in the configuration.
    pub url: String,
    folder: Option<tempfile::TempDir>,
    schema: Option<(String, String)>,
}

impl TestDatabase {
    /// A new, empty database.
    ///
    /// # Panics
    /// When PostgreSQL is wanted and nobody said where it is: a test is never skipped in silence.
    pub async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = format!("sqlite:{}", folder.path().join("gatehouse.db").display());
                Self {
                    kind,
                    url,
                    folder: Some(folder),
                    schema: None,
                }
            }
            Kind::Postgres => {
                let admin = std::env::var(POSTGRES).unwrap_or_else(|_| {
                    panic!("set {POSTGRES}=postgres://… to the server for tests, or {DATABASES}=sqlite to leave PostgreSQL out")
                });
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let schema = format!(
                    "gatehouse_test_{}_{}",
                    std::process::id(),
                    NEXT.fetch_add(1, Ordering::Relaxed)
                );
                run(
                    &admin,
                    &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"),
                )
                .await
                .expect(POSTGRES);
                let mark = if admin.contains('?') { '&' } else { '?' };
                let url =
                    format!("{admin}{mark}options[search_path]={schema}&application_name={schema}");
                Self {
                    kind,
                    url,
                    folder: None,
                    schema: Some((admin, schema)),
                }
            }
        }
    }

    /// Opens it, with [`SECRET`] and predictable randomness.
    pub async fn open(&self) -> Arc<Db> {
        connect(&self.url, options())
            .await
            .unwrap_or_else(|e| panic!("{}", e.for_log()))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        drop(self.folder.take());
        if let Some((admin, schema)) = self.schema.take() {
            // A runtime of its own: this may run inside one that is ending.
            let cleaned = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                // A connection whose rollback the ending runtime no longer sends holds its locks.
                let end = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{schema}'; \
                     DROP SCHEMA {schema} CASCADE"
                );
                runtime
                    .block_on(run(&admin, &end))
                    .map_err(std::io::Error::other)
            })
            .join();
            if !matches!(cleaned, Ok(Ok(()))) {
                eprintln!("a schema of a test stays behind");
            }
        }
    }
}

async fn run(url: &str, sql: &str) -> std::result::Result<(), sqlx::Error> {
    let mut c = PgConnection::connect(url).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut c)
        .await?;
    c.close().await
}

/// The secret key of test databases.
pub const SECRET: [u8; 32] = [42; 32];

/// What [`TestDatabase::open`] opens with.
pub fn options() -> Options {
    Options::new(Keyring::new(&SECRET), Arc::new(Counting::default()))
}

/// Bytes and ids that are the same in every run, and different from each other.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(64) {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            let hex = domain::ids::Digest::of(&n.to_be_bytes());
            chunk.copy_from_slice(&hex.as_str().as_bytes()[7..7 + chunk.len()]);
        }
    }
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(
            (7 << 76) | (2 << 62) | u128::from(self.0.fetch_add(1, Ordering::Relaxed)),
        )
    }
}

impl Db {
    /// From now on the database refuses audit records, as a full or broken disk would.
    pub async fn break_audit(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        match &tx {
            Conn::PostgresTx(_) | Conn::PostgresRead(_) => {
                let sql = "CREATE FUNCTION audit_broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken by a test'; END $$";
                tx.exec(sql, args![]).await?;
                let sql = "CREATE TRIGGER audit_broken BEFORE INSERT ON audit_records FOR EACH ROW EXECUTE FUNCTION audit_broken()";
                tx.exec(sql, args![]).await?;
            }
            Conn::SqliteTx(_) | Conn::SqliteRead(_) => {
                let sql = "CREATE TRIGGER audit_broken BEFORE INSERT ON audit_records BEGIN SELECT RAISE(ABORT, 'broken by a test'); END";
                tx.exec(sql, args![]).await?;
            }
        }
        tx.commit().await
    }

    /// Takes [`Db::break_audit`] back.
    pub async fn mend_audit(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        match &tx {
            Conn::PostgresTx(_) | Conn::PostgresRead(_) => {
                tx.exec("DROP TRIGGER audit_broken ON audit_records", args![])
                    .await?;
                tx.exec("DROP FUNCTION audit_broken", args![]).await?;
            }
            Conn::SqliteTx(_) | Conn::SqliteRead(_) => {
                tx.exec("DROP TRIGGER audit_broken", args![]).await?;
            }
        }
        tx.commit().await
    }

    /// Runs one statement as it is.
    pub async fn execute_for_test(&self, sql: &'static str) -> Result<u64> {
        let mut tx = self.begin().await?;
        let n = tx.exec(sql, args![]).await?;
        tx.commit().await?;
        Ok(n)
    }

    /// The first column, named `n`, of the only row.
    pub async fn count_for_test(&self, sql: &'static str) -> Result<i64> {
        self.read()
            .await?
            .one(sql, args![])
            .await?
            .map_or(Ok(0), |r| r.int("n"))
    }
}
