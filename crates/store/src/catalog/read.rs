//! Rows back into models and versions.

use crate::{arg::args, conn::Conn, row::Row, sql::Sql};
use domain::{
    Micros, Result,
    ids::*,
    page::{self, Page},
};
use services::ports::{KnownVersion, ModelRow, TagRow, VersionRow};
use std::collections::BTreeMap;

/// Columns of a model with its registry's name.
pub(super) const MODEL: &str = "m.id AS m_id, m.registry_id AS m_registry_id, g.name AS m_registry_name, m.repository AS m_repository,
    m.name AS m_name, m.versions AS m_versions, m.latest AS m_latest";

pub(super) const VERSION: &str = "v.id AS v_id, v.model_id AS v_model_id, v.digest AS v_digest, v.kind AS v_kind, v.created_at AS v_created_at,
    v.first_seen AS v_first_seen, v.observed_at AS v_observed_at, v.gone_at AS v_gone_at, v.live AS v_live, v.sort_at AS v_sort_at,
    v.platforms_json AS v_platforms_json, v.signature_json AS v_signature_json, v.scan_json AS v_scan_json, v.pickle_json AS v_pickle_json,
    v.facts_json AS v_facts_json";

/// The tags that a version shows at most.
const MAX_TAGS: usize = 100;

/// Without tags.
fn version_of(r: &Row) -> Result<VersionRow> {
    Ok(VersionRow {
        id: r.id("v_id")?,
        model: r.id("v_model_id")?,
        digest: r.id("v_digest")?,
        tags: Vec::new(),
        kind: r.word("v_kind")?,
        facts: r.json("v_facts_json")?,
        created_at: r.opt_at("v_created_at")?,
        first_seen: r.at("v_first_seen")?,
        observed_at: r.at("v_observed_at")?,
        gone_at: r.opt_at("v_gone_at")?,
        platforms: r.json("v_platforms_json")?,
        signature: r.json("v_signature_json")?,
        scan: r.opt_json("v_scan_json")?,
        pickle: r.opt_json("v_pickle_json")?,
    })
}

fn model_of(r: &Row, latest: VersionRow) -> Result<ModelRow> {
    Ok(ModelRow {
        id: r.id("m_id")?,
        registry: r.id("m_registry_id")?,
        registry_name: r.text("m_registry_name")?,
        repository: r.text("m_repository")?,
        name: r.text("m_name")?,
        versions: r.small("m_versions")?,
        latest,
    })
}

/// The tags of these versions: those that point there now first, then those that did, newest first.
async fn tags(
    c: &mut Conn,
    versions: impl ExactSizeIterator<Item = VersionId>,
) -> Result<BTreeMap<VersionId, Vec<TagRow>>> {
    let mut tags: BTreeMap<VersionId, Vec<TagRow>> = BTreeMap::new();
    if versions.len() == 0 {
        return Ok(tags);
    }
    let mut q = Sql::new(
        "SELECT version_id, name, since, moved_at, moved_to, moved_from FROM tags WHERE 1 = 1",
    );
    q.among("version_id", versions)
        .push(" ORDER BY (moved_at IS NOT NULL), since DESC, name LIMIT 5000");
    for r in c.all(q.text, q.args).await? {
        let of_version = tags.entry(r.id("version_id")?).or_default();
        if of_version.len() < MAX_TAGS {
            of_version.push(TagRow {
                name: r.text("name")?,
                since: r.at("since")?,
                moved_at: r.opt_at("moved_at")?,
                moved_to: r.opt_id("moved_to")?,
                moved_from: r.opt_id("moved_from")?,
            });
        }
    }
    Ok(tags)
}

/// Rows that have a model's and its latest version's columns.
pub(super) async fn models(c: &mut Conn, found: &[Row]) -> Result<Vec<ModelRow>> {
    let versions = found.iter().map(version_of).collect::<Result<Vec<_>>>()?;
    let mut tags = tags(c, versions.iter().map(|v| v.id)).await?;
    found
        .iter()
        .zip(versions)
        .map(|(r, v)| {
            model_of(
                r,
                VersionRow {
                    tags: tags.remove(&v.id).unwrap_or_default(),
                    ..v
                },
            )
        })
        .collect()
}

pub(super) fn select_models() -> String {
    format!(
        "SELECT {MODEL}, {VERSION} FROM models m JOIN registries g ON g.id = m.registry_id JOIN versions v ON v.id = m.latest"
    )
}

pub(super) async fn model(c: &mut Conn, id: ModelId) -> Result<Option<ModelRow>> {
    let found = c
        .all(format!("{} WHERE m.id = $1", select_models()), args![id])
        .await?;
    Ok(models(c, &found).await?.pop())
}

pub(super) async fn versions(
    c: &mut Conn,
    model: ModelId,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<VersionRow>> {
    let mut q = Sql::new(&format!(
        "SELECT {VERSION} FROM versions v WHERE v.model_id = "
    ));
    q.arg(model);
    if let Some(after) = after {
        let (live, sort_at, id) = page::decode::<(i64, Micros, VersionId)>(after)?;
        q.push(" AND (v.live, v.sort_at, v.id) < (")
            .arg(live)
            .push(", ")
            .arg(sort_at)
            .push(", ")
            .arg(id)
            .push(")");
    }
    q.push(" ORDER BY v.live DESC, v.sort_at DESC, v.id DESC")
        .limit(limit);
    let found = c.all(q.text, q.args).await?;
    let mut rows = Vec::with_capacity(found.len());
    for r in &found {
        rows.push((version_of(r)?, r.int("v_live")?, r.at("v_sort_at")?));
    }
    let mut tags = tags(c, rows.iter().map(|(v, ..)| v.id)).await?;
    Ok(
        Page::cut(rows, limit, |(v, live, sort_at)| (*live, *sort_at, v.id)).map(|(v, ..)| {
            VersionRow {
                tags: tags.remove(&v.id).unwrap_or_default(),
                ..v
            }
        }),
    )
}

/// Versions that a condition names, with their files, and the models that they are of. At most 100.
pub(super) async fn whole(
    c: &mut Conn,
    condition: &'static str,
    value: String,
) -> Result<Vec<(ModelRow, VersionRow)>> {
    let sql = format!(
        "SELECT {VERSION}, f.files_json AS files_json FROM versions v JOIN version_files f ON f.version_id = v.id
         WHERE {condition} ORDER BY v.live DESC, v.id LIMIT 100"
    );
    let found = c.all(sql, args![value]).await?;
    let mut versions = Vec::with_capacity(found.len());
    for r in &found {
        let mut version = version_of(r)?;
        version.facts.files = r.json("files_json")?;
        versions.push(version);
    }
    let mut tags = tags(c, versions.iter().map(|v| v.id)).await?;
    let mut out = Vec::with_capacity(versions.len());
    for version in versions {
        let version = VersionRow {
            tags: tags.remove(&version.id).unwrap_or_default(),
            ..version
        };
        if let Some(model) = model(c, version.model).await? {
            out.push((model, version));
        }
    }
    Ok(out)
}

pub(super) async fn card(c: &mut Conn, id: VersionId) -> Result<Option<String>> {
    let row = c
        .one(
            "SELECT card FROM version_files WHERE version_id = $1",
            args![id],
        )
        .await?;
    Ok(row.map(|r| r.opt_text("card")).transpose()?.flatten())
}

/// Only what is in the registry: what had gone and is back is looked at anew.
pub(super) async fn known(
    c: &mut Conn,
    registry: RegistryId,
    repository: &str,
    fresh_after: Micros,
) -> Result<Vec<KnownVersion>> {
    let sql = "SELECT v.digest AS digest, t.name AS tag FROM versions v JOIN models m ON m.id = v.model_id
                   LEFT JOIN tags t ON t.version_id = v.id AND t.moved_at IS NULL
               WHERE m.registry_id = $1 AND m.repository = $2 AND v.observed_at >= $3 AND v.live = 1 ORDER BY v.digest, t.name";
    let mut known: Vec<KnownVersion> = Vec::new();
    for r in c.all(sql, args![registry, repository, fresh_after]).await? {
        let digest: Digest = r.id("digest")?;
        if known.last().is_none_or(|k| k.digest != digest) {
            known.push(KnownVersion {
                digest,
                tags: Vec::new(),
            });
        }
        if let (Some(tag), Some(version)) = (r.opt_text("tag")?, known.last_mut()) {
            version.tags.push(tag);
        }
    }
    Ok(known)
}

/// Repositories of which something is in the registry.
pub(super) async fn repositories(c: &mut Conn, registry: RegistryId) -> Result<Vec<String>> {
    let sql =
        "SELECT repository FROM models WHERE registry_id = $1 AND versions > 0 ORDER BY repository";
    c.all(sql, args![registry])
        .await?
        .iter()
        .map(|r| r.text("repository"))
        .collect()
}
