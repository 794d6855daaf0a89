//! Wizard drafts: each save says which version it was made from.

use crate::{
    Db,
    arg::args,
    row::{Row, json, word},
    sql::{Sql, page_limit},
};
use async_trait::async_trait;
use domain::{
    Error, Micros, Result,
    ids::*,
    page::{self, Page},
};
use services::ports::{Draft, DraftStore, Said};

const DRAFT: &str = "SELECT id, owner, kind, title, version_id, change_id, cluster, namespace, usage_json, comment, manifest_yaml,
    broken_yaml, said_json, step, version, created_at, updated_at FROM drafts";

fn draft(row: &Row) -> Result<Draft> {
    Ok(Draft {
        id: row.id("id")?,
        owner: row.id("owner")?,
        kind: row.word("kind")?,
        title: row.text("title")?,
        version_id: row.opt_id("version_id")?,
        change: row.opt_id("change_id")?,
        cluster: row.opt_text("cluster")?,
        namespace: row.opt_text("namespace")?,
        usage: row.json("usage_json")?,
        comment: row.text("comment")?,
        manifest_yaml: row.text("manifest_yaml")?,
        broken_yaml: row.opt_text("broken_yaml")?,
        said: row.json("said_json")?,
        step: row.text("step")?,
        version: row.int("version")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

#[async_trait]
impl DraftStore for Db {
    async fn draft_create(&self, d: &Draft) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.exec(
            "INSERT INTO drafts (id, owner, kind, title, version_id, change_id, cluster, namespace, usage_json, comment, manifest_yaml,
                 broken_yaml, step, version, created_at, updated_at, said_json)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            args![
                d.id,
                d.owner,
                word(&d.kind)?,
                &d.title,
                d.version_id,
                d.change,
                d.cluster.as_deref(),
                d.namespace.as_deref(),
                json(&d.usage)?,
                &d.comment,
                &d.manifest_yaml,
                d.broken_yaml.as_deref(),
                &d.step,
                d.version,
                d.created_at,
                d.updated_at,
                json(&d.said)?
            ],
        )
        .await?;
        tx.commit().await
    }

    async fn draft_save(&self, d: &Draft) -> Result<i64> {
        let mut tx = self.begin().await?;
        let saved = tx
            .one(
                "UPDATE drafts SET kind = $4, title = $5, version_id = $6, change_id = $7, cluster = $8, namespace = $9, usage_json = $10,
                     comment = $11, manifest_yaml = $12, broken_yaml = $13, step = $14, updated_at = $15, version = version + 1
                 WHERE id = $1 AND owner = $2 AND version = $3 RETURNING version",
                args![
                    d.id,
                    d.owner,
                    d.version,
                    word(&d.kind)?,
                    &d.title,
                    d.version_id,
                    d.change,
                    d.cluster.as_deref(),
                    d.namespace.as_deref(),
                    json(&d.usage)?,
                    &d.comment,
                    &d.manifest_yaml,
                    d.broken_yaml.as_deref(),
                    &d.step,
                    d.updated_at
                ],
            )
            .await?;
        if let Some(row) = saved {
            let version = row.int("version")?;
            tx.commit().await?;
            return Ok(version);
        }
        let there = tx
            .one(
                "SELECT 1 AS n FROM drafts WHERE id = $1 AND owner = $2",
                args![d.id, d.owner],
            )
            .await?;
        Err(match there {
            Some(_) => Error::conflict(
                "this draft was saved somewhere else in the meantime, perhaps in another tab",
            )
            .remedy("Open the draft again to see what was saved there; copy over what is missing."),
            None => Error::not_found("this draft no longer exists"),
        })
    }

    async fn draft_said(&self, id: DraftId, version: i64, said: &[Said]) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.exec(
            "UPDATE drafts SET said_json = $3 WHERE id = $1 AND version = $2",
            args![id, version, json(&said)?],
        )
        .await?;
        tx.commit().await
    }

    async fn draft_get(&self, id: DraftId) -> Result<Option<Draft>> {
        let row = self
            .read()
            .await?
            .one(format!("{DRAFT} WHERE id = $1"), args![id])
            .await?;
        row.map(|r| draft(&r)).transpose()
    }

    async fn draft_list(
        &self,
        owner: PersonId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Draft>> {
        let limit = page_limit(limit);
        let mut q = Sql::new(DRAFT);
        q.push(" WHERE owner = ").arg(owner);
        if let Some(after) = after {
            let (at, id) = page::decode::<(Micros, DraftId)>(after)?;
            q.push(" AND (updated_at, id) < (")
                .arg(at)
                .push(", ")
                .arg(id)
                .push(")");
        }
        q.push(" ORDER BY updated_at DESC, id DESC").limit(limit);
        let found = self.read().await?.all(q.text, q.args).await?;
        let drafts = found.iter().map(draft).collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(drafts, limit, |d| (d.updated_at, d.id)))
    }

    async fn draft_delete(&self, id: DraftId) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.exec("DELETE FROM drafts WHERE id = $1", args![id])
            .await?;
        tx.commit().await
    }
}
