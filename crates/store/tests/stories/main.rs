//! The same stories on SQLite and on PostgreSQL.
//!
//! PostgreSQL is where `GATEHOUSE_TEST_POSTGRES=postgres://…` says. Without that the runs on it fail,
//! unless `GATEHOUSE_TEST_DATABASES=sqlite` leaves it out.
#![allow(clippy::unwrap_used)]

mod given;

mod audit;
mod catalog;
mod changes;
mod concurrent;
mod drafts;
mod jobs;
mod lists;
mod opening;
mod people;
mod search;
mod sessions;
mod sync;
mod tree;

/// Makes a test of each story on each database.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(&store::testing::TestDatabase::new(store::testing::Kind::Sqlite).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if store::testing::Kind::Postgres.left_out() {
                    eprintln!("left out, as {} says", store::testing::DATABASES);
                    return;
                }
                super::$story(&store::testing::TestDatabase::new(store::testing::Kind::Postgres).await).await;
            })+
        }
    };
}
pub(crate) use stories;
