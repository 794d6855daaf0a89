//! The Merkle tree over the log: the leaf of a record is its exact stored bytes, at its position
//! (RFC 6962, section 2.1), kept as tiles (C2SP tlog-tiles). Hashing and proofs are `tlog_tiles`'.

mod edge;
mod frontier;
mod proof;

pub use edge::Edge;
pub use frontier::Frontier;
pub use proof::{Plan, Tiles, consistency, frontier_of, inclusion, is_consistent, is_included};
pub use tlog_tiles::Hash;

use domain::{Error, Result};

/// Levels of the tree that one level of tiles holds (C2SP tlog-tiles).
pub const TILE_HEIGHT: u8 = 8;

/// Hashes of a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// Bytes of a hash.
pub const HASH_BYTES: usize = tlog_tiles::HASH_SIZE;

/// The hash of a record's leaf: SHA-256 of a zero byte and the exact stored bytes (RFC 6962, 2.1).
pub fn leaf(bytes: &[u8]) -> Hash {
    tlog_tiles::record_hash(bytes)
}

/// The leaf of a record by its position in the log, which counts from 1.
///
/// Errors: `Internal` for a position that no record has.
pub fn index_of(seq: i64) -> Result<u64> {
    u64::try_from(seq)
        .ok()
        .and_then(|s| s.checked_sub(1))
        .ok_or_else(|| Error::internal("a record's position counts from 1"))
}

/// A tile: `width` hashes of the level `8 × level`, the first of them number `256 × index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    pub level: u8,
    pub index: u64,
    /// From 1 to 256; less than 256 only at the tree's right edge.
    pub width: u16,
}

impl TileId {
    /// The tiles at the right edge of a tree of this size that are not full, by level from 0; of a
    /// level whose last tile is full, or which has none, `None`.
    pub fn edge(size: u64) -> Vec<Option<Self>> {
        let mut edge = Vec::new();
        let mut level = 0u8;
        let mut hashes = size;
        while hashes > 0 {
            let (index, width) = (hashes >> TILE_HEIGHT, hashes & 0xff);
            edge.push((width > 0).then(|| Self {
                level,
                index,
                width: u16::try_from(width).expect("at most 255"),
            }));
            (level, hashes) = (level + 1, index);
        }
        edge
    }

    fn of(tile: &tlog_tiles::Tile) -> Self {
        Self {
            level: tile.level(),
            index: tile.level_index(),
            width: u16::try_from(tile.width()).expect("a tile of height 8 has at most 256 hashes"),
        }
    }

    /// How many bytes it has.
    pub fn bytes(self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }
}

#[cfg(test)]
mod tests;
