use super::{Encoded, End, Entry, FORMAT, Heading, Line, Tile};
use crate::tree::{Frontier, Hash};
use domain::{Error, Result};
use serde_json::Value;

fn line(line: &Line) -> Result<String> {
    let mut text = serde_json_canonicalizer::to_string(line).map_err(Error::internal)?;
    text.push('\n');
    Ok(text)
}

/// The first line. `first` and `last`: the positions between which records were looked for.
pub fn heading(checkpoint: &str, first: u64, last: u64, filter: Value) -> Result<String> {
    line(&Line::Evidence(Heading {
        format: FORMAT.into(),
        checkpoint: checkpoint.into(),
        first,
        last,
        filter,
    }))
}

/// The hashes of the records from `256 × index` on. `proof` leads from the tile's first leaf to the root
/// (of it, a full tile needs what is above the tile); `before` are the records before the tile.
pub fn tile_line(index: u64, leaves: &[Hash], proof: &[Hash], before: &Frontier) -> Result<String> {
    let coded = |hashes: &[Hash]| hashes.iter().copied().map(Encoded).collect::<Vec<_>>();
    let full = leaves.len() == crate::tree::TILE_WIDTH;
    let above = proof.get(usize::from(crate::tree::TILE_HEIGHT)..);
    line(&Line::Tile(Tile {
        index,
        leaves: coded(leaves),
        up: full.then(|| coded(above.unwrap_or_default())),
        left: (!full).then(|| coded(before.subtrees())),
    }))
}

/// A record by its exact stored bytes, and who acted where that can be read.
pub fn record_line(bytes: &[u8], who: Option<Value>) -> Result<String> {
    let stored = serde_json::from_slice(bytes).map_err(Error::internal)?;
    line(&Line::Record(Box::new(Entry { stored, who })))
}

/// The last line.
pub fn closing(records: u64) -> Result<String> {
    line(&Line::End(End { records }))
}
