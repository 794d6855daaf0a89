use async_trait::async_trait;
use audit::tree::{Frontier, TileId};
use domain::{Micros, Result};

/// A signed head of the log's tree.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCheckpoint {
    /// So many records does it cover.
    pub size: u64,
    pub at: Micros,
    /// The note as it was signed (C2SP tlog-checkpoint).
    pub note: String,
}

/// The Merkle tree over the log.
#[async_trait]
pub trait TreeStore {
    /// Takes up to `limit` records that the tree does not have into it, in the log's order, and gives
    /// the tree as it is then. Only one does so at a time.
    ///
    /// Errors: `Internal` when a record's bytes are not those that were written.
    async fn tree_grow(&self, limit: usize) -> Result<Frontier>;
    /// A tile's hashes: as many as its width says, or `None` when the tree has not so many.
    async fn tree_tile(&self, tile: TileId) -> Result<Option<Vec<u8>>>;
    /// Keeps a checkpoint; one of the same size that is there already stays.
    async fn checkpoint_put(&self, checkpoint: &StoredCheckpoint) -> Result<()>;
    /// The last one.
    async fn checkpoint_last(&self) -> Result<Option<StoredCheckpoint>>;
    /// The first that covers at least so many records.
    async fn checkpoint_covering(&self, size: u64) -> Result<Option<StoredCheckpoint>>;
}
