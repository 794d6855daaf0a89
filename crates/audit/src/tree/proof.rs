//! Proofs from stored tiles. Which tiles a proof needs is known only from the tree's size: a plan
//! names those that are missing, so that whoever calls reads them and asks again.

use super::{Frontier, Hash, TILE_HEIGHT, TileId};
use domain::{Error, Result};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use tlog_tiles::{
    Error as TreeError, HashReader, Tile, check_record, check_tree, prove_record, prove_tree,
    stored_hash_index, sub_tree_index,
};

/// Tiles that were read, with exactly as many bytes as their widths say.
pub type Tiles = BTreeMap<TileId, Vec<u8>>;

/// What comes of asking for a proof.
#[derive(Debug, PartialEq)]
pub enum Plan<T> {
    Done(T),
    /// Read these too, then ask again.
    Read(Vec<TileId>),
}

struct Supply<'a> {
    size: u64,
    have: &'a Tiles,
    missing: RefCell<BTreeSet<TileId>>,
}

impl HashReader for Supply<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> std::result::Result<Vec<Hash>, TreeError> {
        let mut found = Vec::with_capacity(indexes.len());
        for &index in indexes {
            let tile = Tile::from_index(TILE_HEIGHT, index)
                .parent(0, self.size)
                .ok_or(TreeError::IndexesNotInTree)?;
            let id = TileId::of(&tile);
            match self.have.get(&id) {
                Some(bytes) => found.push(tile.hash_at_index(bytes, index)?),
                None => drop(self.missing.borrow_mut().insert(id)),
            }
        }
        if found.len() == indexes.len() {
            Ok(found)
        } else {
            Err(TreeError::InvalidTile)
        }
    }
}

/// What `answer` gives from the tiles, which are not trusted: what it gives has to be checked against
/// the root by itself.
fn plan<T>(
    size: u64,
    have: &Tiles,
    answer: impl FnOnce(&Supply<'_>) -> std::result::Result<T, TreeError>,
) -> Result<Plan<T>> {
    let supply = Supply {
        size,
        have,
        missing: RefCell::default(),
    };
    let found = answer(&supply);
    let missing = supply.missing.into_inner();
    match found {
        Ok(found) => Ok(Plan::Done(found)),
        Err(_) if !missing.is_empty() => Ok(Plan::Read(missing.into_iter().collect())),
        Err(_) => Err(another(size)),
    }
}

fn another(size: u64) -> Error {
    Error::internal(format!(
        "the audit log's stored tree does not have the root of its checkpoint of {size} records"
    ))
}

/// That the record at `index` (from 0) is in the tree of this size and root (RFC 6962, 2.1.1).
///
/// Errors: `NotFound` when the tree is shorter; `Internal` when the tiles are no such tree.
pub fn inclusion(size: u64, root: Hash, index: u64, have: &Tiles) -> Result<Plan<Vec<Hash>>> {
    if index >= size {
        return Err(Error::not_found("the record is in no checkpoint yet"));
    }
    plan(size, have, |tiles| {
        // Both are asked for before either is wanting: so all that is missing is named at once.
        let leaf = tiles.read_hashes(&[stored_hash_index(0, index)]);
        let proof = prove_record(size, index, tiles)?;
        check_record(&proof, size, root, index, leaf?[0])?;
        Ok(proof)
    })
}

/// That the tree of this size and root begins with the tree of `earlier` records (RFC 6962, 2.1.2).
///
/// Errors: `Invalid` when `earlier` is 0 or beyond the size; `Internal` as above.
pub fn consistency(size: u64, root: Hash, earlier: u64, have: &Tiles) -> Result<Plan<Vec<Hash>>> {
    if earlier == 0 {
        return Err(Error::invalid("of no records nothing is to be proven"));
    }
    Ok(match beginning(size, root, earlier, have)? {
        Plan::Done((proof, _)) => Plan::Done(proof),
        Plan::Read(tiles) => Plan::Read(tiles),
    })
}

/// The full subtrees of the first `earlier` records of the tree of this size and root.
///
/// Errors: `Invalid` when `earlier` is beyond the size; `Internal` as above.
pub fn frontier_of(size: u64, root: Hash, earlier: u64, have: &Tiles) -> Result<Plan<Frontier>> {
    if earlier == 0 {
        return Ok(Plan::Done(Frontier::empty()));
    }
    Ok(match beginning(size, root, earlier, have)? {
        Plan::Done((_, frontier)) => Plan::Done(frontier),
        Plan::Read(tiles) => Plan::Read(tiles),
    })
}

fn beginning(
    size: u64,
    root: Hash,
    earlier: u64,
    have: &Tiles,
) -> Result<Plan<(Vec<Hash>, Frontier)>> {
    if earlier > size {
        return Err(Error::invalid(format!("the tree has {size} records")));
    }
    plan(size, have, |tiles| {
        let subtrees = tiles.read_hashes(&sub_tree_index(0, earlier, Vec::new()));
        let proof = prove_tree(size, earlier, tiles)?;
        let frontier = Frontier::new(earlier, subtrees?).map_err(|_| TreeError::BadMath)?;
        check_tree(&proof, size, root, earlier, frontier.root())?;
        Ok((proof, frontier))
    })
}

/// Does this prove that the tree of this size and root has the leaf at `index`?
pub fn is_included(proof: &[Hash], size: u64, root: Hash, index: u64, leaf: Hash) -> bool {
    short(proof) && check_record(&proof.to_vec(), size, root, index, leaf).is_ok()
}

/// Does this prove that the tree of this size and root begins with the tree of `earlier` records and
/// root `earlier_root`?
pub fn is_consistent(
    proof: &[Hash],
    size: u64,
    root: Hash,
    earlier: u64,
    earlier_root: Hash,
) -> bool {
    // Of the empty tree nothing is to be shown.
    earlier == 0
        || (short(proof) && check_tree(&proof.to_vec(), size, root, earlier, earlier_root).is_ok())
}

/// No proof is longer than a tree of 2⁶⁴ records is high, and one hash; what is longer is not looked at.
fn short(proof: &[Hash]) -> bool {
    proof.len() <= 65
}
