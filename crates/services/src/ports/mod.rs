//! The ports: what the use cases need from the outside, as traits. One layer; the store, the
//! clusters, the registries and the provider implement them, tests may too.

mod audit;
mod catalog;
mod changes;
mod clusters;
mod drafts;
mod identity;
mod jobs;
mod people;
mod registries;
mod sessions;
mod tree;

pub use audit::*;
pub use catalog::*;
pub use changes::*;
pub use clusters::*;
pub use drafts::*;
pub use identity::*;
pub use jobs::*;
pub use people::*;
pub use registries::*;
pub use sessions::*;
pub use tree::*;

use domain::Micros;

/// The time. Nothing below `server` asks the system for it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Micros;
}

/// Randomness, and ids made from it and the clock.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with random bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
    /// A new UUIDv7.
    fn uuid(&self) -> uuid::Uuid;
}

/// Everything that the store keeps. One trait object serves all areas.
pub trait Store:
    PeopleStore
    + SessionStore
    + CatalogStore
    + DraftStore
    + ChangeStore
    + JobStore
    + AuditStore
    + TreeStore
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: PeopleStore
        + SessionStore
        + CatalogStore
        + DraftStore
        + ChangeStore
        + JobStore
        + AuditStore
        + TreeStore
        + Send
        + Sync
{
}
