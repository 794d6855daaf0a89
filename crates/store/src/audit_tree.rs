//! The Merkle tree over the log: its tiles and its checkpoints.

use crate::{Db, arg::args, conn::Conn, row::Row, sql::rows};
use async_trait::async_trait;
use audit::tree::{Edge, Frontier, TileId, leaf};
use domain::{Error, Result, ids::Digest};
use services::ports::{StoredCheckpoint, TreeStore};

/// So many bytes of records are read at once.
const AT_ONCE: usize = 256;

const CHECKPOINT: &str = "SELECT size, at, note FROM audit_checkpoints";

/// Sizes are whole numbers of the databases, which have a sign.
fn signed(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(Error::internal)
}

fn unsigned(size: i64) -> Result<u64> {
    u64::try_from(size).map_err(Error::internal)
}

async fn tile(c: &mut Conn, level: u8, number: u64) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT hashes FROM audit_tiles WHERE level = $1 AND number = $2";
    let row = c.one(sql, args![i64::from(level), signed(number)?]).await?;
    row.map(|r| r.bytes("hashes")).transpose()
}

async fn edge_of(c: &mut Conn, size: u64) -> Result<Edge> {
    let mut stored = Vec::new();
    for id in TileId::edge(size).into_iter().flatten() {
        stored.push((id, tile(c, id.level, id.index).await?));
    }
    Edge::new(size, |id| {
        stored
            .iter_mut()
            .find(|(other, _)| *other == id)
            .and_then(|(_, bytes)| bytes.take())
    })
}

/// Adds the records of these rows, which must follow what the tree has.
fn add(edge: &mut Edge, found: &[Row]) -> Result<()> {
    for row in found {
        let (seq, bytes) = (row.int("seq")?, row.bytes("bytes")?);
        if audit::tree::index_of(seq)? != edge.size() {
            return Err(Error::internal(format!(
                "audit record {} is missing",
                edge.size() + 1
            )));
        }
        if Digest::of(&bytes) != row.id::<Digest>("hash")? {
            return Err(Error::internal(format!(
                "audit record {seq} was changed after it was written"
            )));
        }
        edge.append(leaf(&bytes));
    }
    Ok(())
}

fn checkpoint(row: &Row) -> Result<StoredCheckpoint> {
    Ok(StoredCheckpoint {
        size: unsigned(row.int("size")?)?,
        at: row.at("at")?,
        note: row.text("note")?,
    })
}

impl Db {
    /// The tree, where the log has nothing that it has not. Only read: it is asked for every other
    /// second, and who takes the one turn to write makes everybody else wait. What another process adds
    /// meanwhile makes tiles longer, which is no harm: of each, as much is read as this size has.
    async fn tree_grown(&self) -> Result<Option<Frontier>> {
        let mut c = self.read().await?;
        let row = c
            .one(
                "SELECT size, (SELECT COALESCE(MAX(seq), 0) FROM audit_records) AS newest FROM audit_tree WHERE id = 1",
                args![],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (size, newest) = (row.int("size")?, row.int("newest")?);
        if newest > size {
            return Ok(None);
        }
        Ok(Some(edge_of(&mut c, unsigned(size)?).await?.frontier()))
    }
}

#[async_trait]
impl TreeStore for Db {
    async fn tree_grow(&self, limit: usize) -> Result<Frontier> {
        if let Some(grown) = self.tree_grown().await? {
            return Ok(grown);
        }
        let mut tx = self.begin().await?;
        // Whoever comes second waits here, and goes on from where the first one ended.
        let row = tx
            .one(
                "UPDATE audit_tree SET size = size WHERE id = 1 RETURNING size",
                args![],
            )
            .await?
            .ok_or_else(|| Error::internal("the audit log has no tree"))?;
        let before = unsigned(row.int("size")?)?;
        let mut edge = edge_of(&mut tx, before).await?;
        let mut left = limit;
        while left > 0 {
            let n = left.min(AT_ONCE);
            let found = tx
                .all(
                    "SELECT seq, hash, bytes FROM audit_records WHERE seq > $1 ORDER BY seq LIMIT $2",
                    args![signed(edge.size())?, rows(n)],
                )
                .await?;
            add(&mut edge, &found)?;
            if found.len() < n {
                break;
            }
            left -= n;
        }
        if edge.size() == before {
            return Ok(edge.frontier());
        }
        for (level, number, hashes) in edge.changed() {
            tx.exec(
                "INSERT INTO audit_tiles (level, number, hashes) VALUES ($1, $2, $3)
                 ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
                args![i64::from(level), signed(number)?, hashes],
            )
            .await?;
        }
        tx.exec(
            "UPDATE audit_tree SET size = $1 WHERE id = 1",
            args![signed(edge.size())?],
        )
        .await?;
        tx.commit().await?;
        Ok(edge.frontier())
    }

    async fn tree_tile(&self, id: TileId) -> Result<Option<Vec<u8>>> {
        let found = tile(&mut self.read().await?, id.level, id.index).await?;
        Ok(found
            .filter(|hashes| hashes.len() >= id.bytes())
            .map(|mut hashes| {
                hashes.truncate(id.bytes());
                hashes
            }))
    }

    async fn checkpoint_put(&self, c: &StoredCheckpoint) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.exec(
            "INSERT INTO audit_checkpoints (size, at, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING",
            args![signed(c.size)?, c.at, &c.note],
        )
        .await?;
        tx.commit().await
    }

    async fn checkpoint_last(&self) -> Result<Option<StoredCheckpoint>> {
        let sql = format!("{CHECKPOINT} ORDER BY size DESC LIMIT 1");
        let row = self.read().await?.one(sql, args![]).await?;
        row.as_ref().map(checkpoint).transpose()
    }

    async fn checkpoint_covering(&self, size: u64) -> Result<Option<StoredCheckpoint>> {
        let sql = format!("{CHECKPOINT} WHERE size >= $1 ORDER BY size LIMIT 1");
        let row = self.read().await?.one(sql, args![signed(size)?]).await?;
        row.as_ref().map(checkpoint).transpose()
    }
}
