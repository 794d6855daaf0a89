//! The log's tree as it grows, its signed heads, and the proofs that go with them.

use crate::{Ctx, ports::*};
use ::audit::{
    checkpoint::{self, Head, SigningKey},
    tree::{self, Frontier, Hash, Plan, TileId, Tiles},
};
use domain::{Error, Result};

/// So many records are taken into the tree in one transaction.
const GROWN_AT_ONCE: usize = 1000;

/// The name under which the log signs, and with what.
pub struct LogKeys {
    /// Such as `gatehouse.example.com/audit`.
    pub origin: String,
    /// At least one; while keys rotate, the new one and the old.
    pub signing: Vec<SigningKey>,
    /// Verifier keys that signed in the past and do no more.
    pub retired: Vec<String>,
}

impl LogKeys {
    /// One key, made from the configuration's secret key.
    ///
    /// Errors: `Invalid` for a name that cannot be one.
    pub fn derived(origin: &str, secret: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            origin: origin.to_owned(),
            signing: vec![SigningKey::derived(origin, secret)?],
            retired: Vec::new(),
        })
    }

    /// Every key whose checkpoints are this log's, the current ones first.
    pub fn verifiers(&self) -> Vec<String> {
        let current = self.signing.iter().map(|k| k.verifier_key().to_owned());
        current.chain(self.retired.iter().cloned()).collect()
    }
}

#[derive(Clone)]
pub struct Checkpoints(pub(crate) Ctx);

impl Checkpoints {
    /// Takes what is new in the log into the tree and signs its head. `Some` when there is a new
    /// checkpoint; the caller asks again until there is none.
    ///
    /// Errors: `Internal` when the log is no longer what earlier checkpoints say; nothing is signed then.
    pub async fn advance(&self) -> Result<Option<StoredCheckpoint>> {
        let ctx = &self.0;
        let grown = ctx.store.tree_grow(GROWN_AT_ONCE).await?;
        let last = ctx.store.checkpoint_last().await?;
        if grown.size() == last.as_ref().map_or(0, |c| c.size) {
            return Ok(None);
        }
        if let Some(last) = &last {
            self.begins_with(&grown, &last.note).await?;
        }
        let head = Head {
            origin: ctx.log_keys.origin.clone(),
            size: grown.size(),
            root: grown.root(),
        };
        let new = StoredCheckpoint {
            size: head.size,
            at: ctx.clock.now(),
            note: checkpoint::sign(&head, &ctx.log_keys.signing)?,
        };
        ctx.store.checkpoint_put(&new).await?;
        Ok(Some(new))
    }

    /// Is this the log of a checkpoint that was kept outside? Gives how many records that covers.
    ///
    /// Errors: `Internal` when it is not, such as after an older backup was restored.
    pub async fn confirm(&self, note: &str) -> Result<u64> {
        let mut grown = self.0.store.tree_grow(GROWN_AT_ONCE).await?;
        loop {
            let more = self.0.store.tree_grow(GROWN_AT_ONCE).await?;
            if more.size() == grown.size() {
                return self.begins_with(&grown, note).await;
            }
            grown = more;
        }
    }

    /// The tree as it is now must begin with the one that was signed; gives that one's size.
    async fn begins_with(&self, grown: &Frontier, note: &str) -> Result<u64> {
        let head = checkpoint::open(note, &self.0.log_keys.verifiers())?;
        let cut = || {
            Error::internal(format!(
                "the audit log no longer begins with the {} records of its checkpoint; nothing more is signed",
                head.size
            ))
        };
        if grown.size() < head.size {
            return Err(cut());
        }
        let (size, root) = (grown.size(), grown.root());
        let before = self
            .planned(|have| tree::frontier_of(size, root, head.size, have))
            .await?;
        if before.root() == head.root {
            Ok(head.size)
        } else {
            Err(cut())
        }
    }

    /// The last checkpoint; `None` while the log is empty.
    pub async fn last(&self) -> Result<Option<StoredCheckpoint>> {
        self.0.store.checkpoint_last().await
    }

    /// The first checkpoint that covers the record at this position; `None` before there is one.
    pub async fn covering(&self, seq: i64) -> Result<Option<StoredCheckpoint>> {
        let size = tree::index_of(seq)? + 1;
        self.0.store.checkpoint_covering(size).await
    }

    /// The log's public keys, the current ones first.
    pub fn keys(&self) -> Vec<String> {
        self.0.log_keys.verifiers()
    }

    /// A tile's hashes, as the last checkpoint covers them. Hashes tell nothing of what they are of,
    /// so anybody may have them.
    ///
    /// Errors: `NotFound` beyond that checkpoint.
    pub async fn tile(&self, id: TileId) -> Result<Vec<u8>> {
        let gone = || Error::not_found("the log has no such tile");
        let signed = self.last().await?.map_or(0, |c| c.size);
        let hashes = signed
            .checked_shr(u32::from(id.level) * u32::from(tree::TILE_HEIGHT))
            .unwrap_or(0);
        let end = id
            .index
            .checked_mul(tree::TILE_WIDTH as u64)
            .and_then(|first| first.checked_add(u64::from(id.width)));
        if end.is_none_or(|end| end > hashes) {
            return Err(gone());
        }
        self.0.store.tree_tile(id).await?.ok_or_else(gone)
    }

    /// From a leaf to the root of a checkpoint that covers it.
    pub async fn inclusion(&self, of: &StoredCheckpoint, index: u64) -> Result<Vec<Hash>> {
        let head = self.head(of)?;
        self.planned(|have| tree::inclusion(head.size, head.root, index, have))
            .await
    }

    /// That the tree of a checkpoint begins with the tree of `earlier` records.
    pub async fn consistency(&self, of: &StoredCheckpoint, earlier: u64) -> Result<Vec<Hash>> {
        let head = self.head(of)?;
        self.planned(|have| tree::consistency(head.size, head.root, earlier, have))
            .await
    }

    /// The full subtrees of the first `earlier` records of a checkpoint's tree.
    pub async fn frontier(&self, of: &StoredCheckpoint, earlier: u64) -> Result<Frontier> {
        let head = self.head(of)?;
        self.planned(|have| tree::frontier_of(head.size, head.root, earlier, have))
            .await
    }

    fn head(&self, of: &StoredCheckpoint) -> Result<Head> {
        checkpoint::open(&of.note, &self.0.log_keys.verifiers())
    }

    /// Reads the tiles that a plan names until it is done.
    async fn planned<T>(&self, ask: impl Fn(&Tiles) -> Result<Plan<T>>) -> Result<T> {
        let mut have = Tiles::new();
        loop {
            match ask(&have)? {
                Plan::Done(answer) => return Ok(answer),
                Plan::Read(tiles) => {
                    for id in tiles {
                        let hashes = self.0.store.tree_tile(id).await?.ok_or_else(|| {
                            Error::internal(format!(
                                "tile {} of level {} of the audit log's tree is missing",
                                id.index, id.level
                            ))
                        })?;
                        have.insert(id, hashes);
                    }
                }
            }
        }
    }
}
