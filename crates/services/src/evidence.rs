//! Records of the log as a file that can be checked without the console.

use crate::{Caller, Ctx, audit::AuditLog, checkpoints::Checkpoints, ports::*};
use ::audit::{
    evidence,
    tree::{self, HASH_BYTES, Hash, TILE_WIDTH, TileId},
};
use domain::{Error, Result};
use serde_json::{Value, json};

/// Records that are read at once.
const AT_ONCE: usize = 200;

/// Evidence on its way: asked again and again for its next lines.
pub struct Evidence {
    ctx: Ctx,
    filter: AuditFilter,
    checkpoint: StoredCheckpoint,
    /// Records are looked for after this position, up to `last`.
    after: i64,
    last: i64,
    /// The tile whose hashes were written last.
    tile: Option<u64>,
    records: u64,
    next: Next,
}

enum Next {
    Heading,
    Records,
    Nothing,
}

impl Evidence {
    /// Of the records that the filter and the caller's places pick, up to now.
    ///
    /// Errors: `NotFound` while the log is empty; as [`Checkpoints::advance`].
    pub async fn begin(ctx: &Ctx, caller: &Caller, filter: &AuditFilter) -> Result<Self> {
        let (first, last) = ctx
            .store
            .audit_between(filter.from, filter.until)
            .await?
            .unwrap_or((1, 0));
        // A period is a stretch of the log: whatever stands between its first and its last record is in it.
        let filter = AuditFilter {
            from: None,
            until: None,
            ..AuditLog(ctx.clone()).narrowed(caller, filter)
        };
        Self::between(ctx, filter, first, last).await
    }

    /// Of one record.
    ///
    /// Errors: `NotFound` when there is none, or none that the caller may see.
    pub async fn of_record(ctx: &Ctx, caller: &Caller, seq: i64) -> Result<Self> {
        AuditLog(ctx.clone()).get(caller, seq).await?;
        let everywhere = (vec!["*".to_owned()], vec!["*".to_owned()]);
        let this_one = AuditFilter {
            scopes: vec![everywhere],
            ..AuditFilter::default()
        };
        Self::between(ctx, this_one, seq, seq).await
    }

    /// Everything until now is under a checkpoint, which is signed for this if it has to be.
    async fn between(ctx: &Ctx, filter: AuditFilter, first: i64, last: i64) -> Result<Self> {
        let checkpoints = Checkpoints(ctx.clone());
        while checkpoints.advance().await?.is_some() {}
        let checkpoint = checkpoints
            .last()
            .await?
            .ok_or_else(|| Error::not_found("the audit log is empty"))?;
        let size = i64::try_from(checkpoint.size).map_err(Error::internal)?;
        Ok(Self {
            ctx: ctx.clone(),
            filter,
            checkpoint,
            after: first - 1,
            last: last.min(size),
            tile: None,
            records: 0,
            next: Next::Heading,
        })
    }

    /// The next lines and how many records are among them; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<(String, usize)>> {
        match self.next {
            Next::Heading => {
                self.next = Next::Records;
                let position = |seq: i64| u64::try_from(seq).map_err(Error::internal);
                let text = evidence::heading(
                    &self.checkpoint.note,
                    position(self.after + 1)?,
                    position(self.last)?,
                    said(&self.filter),
                )?;
                Ok(Some((text, 0)))
            }
            Next::Records => self.records().await.map(Some),
            Next::Nothing => Ok(None),
        }
    }

    async fn records(&mut self) -> Result<(String, usize)> {
        let found = if self.after < self.last {
            let store = &self.ctx.store;
            store
                .audit_forward(&self.filter, self.after, self.last, AT_ONCE)
                .await?
        } else {
            Vec::new()
        };
        let mut text = String::new();
        for (record, bytes) in &found {
            let tile = tree::index_of(record.seq)? / TILE_WIDTH as u64;
            if self.tile != Some(tile) {
                text.push_str(&self.tile_line(tile).await?);
                self.tile = Some(tile);
            }
            text.push_str(&evidence::record_line(bytes, who(record))?);
            self.after = record.seq;
        }
        self.records += found.len() as u64;
        if found.len() < AT_ONCE {
            text.push_str(&evidence::closing(self.records)?);
            self.next = Next::Nothing;
        }
        Ok((text, found.len()))
    }

    async fn tile_line(&self, index: u64) -> Result<String> {
        let first = index * TILE_WIDTH as u64;
        let width = (self.checkpoint.size - first).min(TILE_WIDTH as u64);
        let id = TileId {
            level: 0,
            index,
            width: u16::try_from(width).map_err(Error::internal)?,
        };
        let bytes = self.ctx.store.tree_tile(id).await?.ok_or_else(|| {
            Error::internal(format!("tile {index} of the audit log's tree is missing"))
        })?;
        let leaves: Vec<Hash> = bytes
            .chunks_exact(HASH_BYTES)
            .map(|hash| Hash(hash.try_into().expect("as many bytes as a hash has")))
            .collect();
        let checkpoints = Checkpoints(self.ctx.clone());
        let proof = checkpoints.inclusion(&self.checkpoint, first).await?;
        let before = checkpoints.frontier(&self.checkpoint, first).await?;
        evidence::tile_line(index, &leaves, &proof, &before)
    }
}

/// Who acted, for people: what stands in the log is sealed.
fn who(record: &Record) -> Option<Value> {
    let actor = record.record.actor.as_ref().filter(|a| !a.is_erased())?;
    Some(json!({
        "name": actor.name,
        "username": actor.username,
        "address": actor.address,
        "session": actor.session,
    }))
}

/// What a file says of the filter; nothing where all records are in it.
fn said(filter: &AuditFilter) -> Value {
    let all = |list: &[String]| list.iter().any(|x| x == "*");
    let everywhere = filter.scopes.iter().any(|(u, e)| all(u) && all(e));
    let plain = AuditFilter {
        scopes: filter.scopes.clone(),
        own: filter.own,
        ..AuditFilter::default()
    };
    if everywhere && *filter == plain {
        return Value::Null;
    }
    json!({
        "person": filter.person,
        "who": filter.who,
        "action": filter.action,
        "object": filter.object,
        "change": filter.change,
        "outcome": filter.outcome,
        "unit": filter.unit,
        "places": if everywhere { json!("all") } else { json!(filter.scopes) },
    })
}
