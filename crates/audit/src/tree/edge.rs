use super::{Frontier, HASH_BYTES, Hash, TILE_WIDTH, TileId};
use domain::{Error, Result};
use std::collections::BTreeMap;
use tlog_tiles::Tile;

/// The tiles at the right edge of a tree: what it takes to append to the tiles that are stored.
pub struct Edge {
    size: u64,
    /// By level from 0: the bytes of the last tile, empty when the one before is full.
    last: Vec<Vec<u8>>,
    /// What is to be stored: whole tiles as they are now.
    changed: BTreeMap<(u8, u64), Vec<u8>>,
}

impl Edge {
    /// `stored` gives the bytes of each tile of [`TileId::edge`], in its order; more bytes than a
    /// tile's width are of a later tree and left out.
    ///
    /// Errors: `Internal` when a tile is missing or too short: what is stored is no tree of this size.
    pub fn new(size: u64, mut stored: impl FnMut(TileId) -> Option<Vec<u8>>) -> Result<Self> {
        let mut last = Vec::new();
        for tile in TileId::edge(size) {
            let Some(tile) = tile else {
                last.push(Vec::new());
                continue;
            };
            let mut bytes = stored(tile).unwrap_or_default();
            if bytes.len() < tile.bytes() {
                return Err(Error::internal(format!(
                    "tile {} of level {} of the audit log's tree has {} bytes instead of {}",
                    tile.index,
                    tile.level,
                    bytes.len(),
                    tile.bytes()
                )));
            }
            bytes.truncate(tile.bytes());
            last.push(bytes);
        }
        Ok(Self {
            size,
            last,
            changed: BTreeMap::new(),
        })
    }

    /// How many records the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One record more.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        self.size += 1;
        let mut hashes = self.size;
        for level in 0u8.. {
            let at = usize::from(level);
            if self.last.len() == at {
                self.last.push(Vec::with_capacity(TILE_WIDTH * HASH_BYTES));
            }
            let tile = &mut self.last[at];
            tile.extend_from_slice(&hash.0);
            self.changed
                .insert((level, (hashes - 1) / TILE_WIDTH as u64), tile.clone());
            if tile.len() < TILE_WIDTH * HASH_BYTES {
                return;
            }
            hash = Tile::subtree_hash(tile);
            tile.clear();
            hashes /= TILE_WIDTH as u64;
        }
    }

    /// The tree's full subtrees.
    pub fn frontier(&self) -> Frontier {
        let mut subtrees = Vec::new();
        for tile in self.last.iter().rev() {
            let mut rest = &tile[..];
            for bit in (0..8).rev() {
                let bytes = HASH_BYTES << bit;
                if (rest.len() / HASH_BYTES) >> bit & 1 == 1 {
                    let (subtree, right) = rest.split_at(bytes);
                    subtrees.push(Tile::subtree_hash(subtree));
                    rest = right;
                }
            }
        }
        Frontier::new(self.size, subtrees).expect("a tile has a subtree for each bit of its width")
    }

    /// What is to be stored since the last call: level, index and all bytes of each tile that grew.
    pub fn changed(&mut self) -> Vec<(u8, u64, Vec<u8>)> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|((level, index), bytes)| (level, index, bytes))
            .collect()
    }
}
