use super::Hash;
use domain::{Error, Result};
use tlog_tiles::{EMPTY_HASH, node_hash};

/// A tree by what it takes to append to it and to know its root: the roots of its largest full
/// subtrees, from left to right. There are as many as `size` has bits that are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The empty tree's.
    pub fn empty() -> Self {
        Self {
            size: 0,
            subtrees: Vec::new(),
        }
    }

    /// Errors: `Invalid` when a tree of this size has not so many subtrees.
    pub fn new(size: u64, subtrees: Vec<Hash>) -> Result<Self> {
        if subtrees.len() != size.count_ones() as usize {
            return Err(Error::invalid(format!(
                "a tree of {size} records has {} full subtrees, not {}",
                size.count_ones(),
                subtrees.len()
            )));
        }
        Ok(Self { size, subtrees })
    }

    /// How many records the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, from left to right.
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// One record more. The full subtrees that this completes become one.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().expect("one for each bit of the size");
            hash = node_hash(left, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The tree's root (RFC 6962, 2.1).
    pub fn root(&self) -> Hash {
        let mut from_right = self.subtrees.iter().rev().copied();
        let Some(last) = from_right.next() else {
            return EMPTY_HASH;
        };
        from_right.fold(last, |right, left| node_hash(left, right))
    }
}
