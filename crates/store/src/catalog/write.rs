//! What a sync found: versions and their facts, tags and where they moved.

use crate::{
    arg::args,
    conn::Conn,
    row::{json, word},
};
use domain::{
    Error, Micros, Result,
    artifact::{FileListing, ModelFacts, SignatureFact},
    ids::*,
};
use services::ports::FoundVersion;
use std::collections::{BTreeMap, BTreeSet};

/// How many characters of a card's words are searched: enough for what it is about, little enough
/// to scan ten thousand of them.
const SEARCHED_CARD: usize = 1500;

/// The words of a card in lower case, each once, in the order in which they come.
fn words_of(card: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut words = String::new();
    // A card may be long; what it is about stands in its beginning.
    let beginning: String = card.chars().take(16_000).collect::<String>().to_lowercase();
    for word in beginning
        .split_whitespace()
        .filter(|w| w.chars().any(char::is_alphanumeric))
    {
        if seen.insert(word) {
            if words.len() + word.len() > SEARCHED_CARD {
                break;
            }
            words.push(' ');
            words.push_str(word);
        }
    }
    words
}

/// The facet value of what is not known.
pub(super) const UNKNOWN: &str = "unknown";

pub(super) async fn put(
    tx: &mut Conn,
    found: &FoundVersion,
    new_model: ModelId,
    new_version: VersionId,
) -> Result<VersionId> {
    let at = found.observed_at;
    let model = model_of(tx, found, new_model, new_version).await?;
    let version = put_version(tx, found, model, new_version).await?;
    put_facts(tx, found, version).await?;
    for tag in &found.tags {
        point_tag(tx, model, version, &found.digest, tag, at).await?;
    }
    refresh_model(tx, model).await?;
    Ok(version)
}

/// The repository's model, made with its first version.
async fn model_of(
    tx: &mut Conn,
    found: &FoundVersion,
    new_model: ModelId,
    first: VersionId,
) -> Result<ModelId> {
    tx.exec(
        "INSERT INTO models (id, registry_id, repository, name, versions, latest, name_key, newest_at, kind, task, format, licence, signature, scan,
             size_bytes, parameters, search)
         VALUES ($1, $2, $3, $3, 0, $4, $3, 0, $5, $5, $5, $5, $5, $5, -1, -1, '') ON CONFLICT (registry_id, repository) DO NOTHING",
        args![new_model, found.registry, &found.repository, first, UNKNOWN],
    )
    .await?;
    // Written, so that on PostgreSQL two writers of one model follow each other.
    let sql =
        "UPDATE models SET latest = latest WHERE registry_id = $1 AND repository = $2 RETURNING id";
    let row = tx
        .one(sql, args![found.registry, &found.repository])
        .await?;
    row.ok_or_else(|| Error::internal("a model vanished while its version was written"))?
        .id("id")
}

async fn put_version(
    tx: &mut Conn,
    found: &FoundVersion,
    model: ModelId,
    new: VersionId,
) -> Result<VersionId> {
    let facts = ModelFacts {
        files: FileListing::default(),
        ..found.facts.clone()
    };
    // Reproducible builds say 1970: then what counts is when it was first seen.
    let created = found.created_at.filter(|at| at.0 > 0);
    let row = tx
        .one(
            "INSERT INTO versions (id, model_id, digest, kind, created_at, first_seen, observed_at, live, sort_at, platforms_json, signature_json,
                 scan_json, pickle_json, facts_json)
             VALUES ($1, $2, $3, $4, $5, $6, $6, 1, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (model_id, digest) DO UPDATE SET kind = excluded.kind, created_at = excluded.created_at,
                 observed_at = excluded.observed_at, gone_at = NULL, live = 1, platforms_json = excluded.platforms_json,
                 signature_json = excluded.signature_json, scan_json = excluded.scan_json, pickle_json = excluded.pickle_json,
                 facts_json = excluded.facts_json
             RETURNING id",
            args![
                new,
                model,
                &found.digest,
                word(&found.kind)?,
                created,
                found.observed_at,
                created.unwrap_or(found.observed_at),
                json(&found.platforms)?,
                json(&found.signature)?,
                found.scan.as_ref().map(json).transpose()?,
                found.pickle.as_ref().map(json).transpose()?,
                json(&facts)?
            ],
        )
        .await?;
    let id = row
        .ok_or_else(|| Error::internal("a version vanished while it was written"))?
        .id("id")?;
    tx.exec(
        "INSERT INTO version_files (version_id, files_json, card) VALUES ($1, $2, $3)
         ON CONFLICT (version_id) DO UPDATE SET files_json = excluded.files_json, card = excluded.card",
        args![id, json(&found.facts.files)?, found.card.as_deref()],
    )
    .await?;
    Ok(id)
}

/// Each kind of fact as a row: whether it is signed, scanned, and what its files hold.
async fn put_facts(tx: &mut Conn, found: &FoundVersion, version: VersionId) -> Result<()> {
    let mut facts = vec![(
        "signature",
        "registry".to_owned(),
        found.signature.name().to_owned(),
        json(&found.signature)?,
    )];
    if let Some(scan) = &found.scan {
        facts.push((
            "scan",
            scan.report.scanner.clone(),
            scan.state.name().to_owned(),
            json(scan)?,
        ));
    }
    if let Some(pickle) = &found.pickle {
        facts.push((
            "model-files",
            "gatehouse".into(),
            pickle.state.name().to_owned(),
            json(pickle)?,
        ));
    }
    tx.exec("DELETE FROM facts WHERE version_id = $1", args![version])
        .await?;
    for (kind, source, state, report) in facts {
        tx.exec(
            "INSERT INTO facts (version_id, kind, source, digest, state, observed_at, report_json) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![version, kind, source, &found.digest, state, found.observed_at, report],
        )
        .await?;
    }
    Ok(())
}

/// A tag points to one version at a time; where it pointed before stays on record.
async fn point_tag(
    tx: &mut Conn,
    model: ModelId,
    version: VersionId,
    digest: &Digest,
    tag: &str,
    at: Micros,
) -> Result<()> {
    let sql = "SELECT t.version_id AS version_id, v.digest AS digest FROM tags t JOIN versions v ON v.id = t.version_id
               WHERE t.model_id = $1 AND t.name = $2 AND t.moved_at IS NULL";
    let mut from: Option<Digest> = None;
    if let Some(row) = tx.one(sql, args![model, tag]).await? {
        if row.id::<VersionId>("version_id")? == version {
            return Ok(());
        }
        from = Some(row.id("digest")?);
        let sql = "UPDATE tags SET moved_at = $3, moved_to = $4 WHERE model_id = $1 AND name = $2 AND moved_at IS NULL";
        tx.exec(sql, args![model, tag, at, digest]).await?;
    }
    tx.exec(
        "INSERT INTO tags (model_id, version_id, name, since, moved_from) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (version_id, name, since) DO UPDATE SET moved_at = NULL, moved_to = NULL",
        args![model, version, tag, at, from],
    )
    .await?;
    Ok(())
}

pub(super) async fn mark_gone(
    tx: &mut Conn,
    registry: RegistryId,
    repository: &str,
    present: &[(String, Digest)],
    at: Micros,
) -> Result<u64> {
    let sql =
        "UPDATE models SET latest = latest WHERE registry_id = $1 AND repository = $2 RETURNING id";
    let Some(row) = tx.one(sql, args![registry, repository]).await? else {
        return Ok(0);
    };
    let model: ModelId = row.id("id")?;
    let by_tag: BTreeMap<&str, &Digest> = present
        .iter()
        .map(|(tag, digest)| (tag.as_str(), digest))
        .collect();
    let digests: BTreeSet<&Digest> = present.iter().map(|(_, digest)| digest).collect();
    let mut marked = 0;
    let sql = "SELECT t.name AS name, v.digest AS digest FROM tags t JOIN versions v ON v.id = t.version_id
               WHERE t.model_id = $1 AND t.moved_at IS NULL";
    for row in tx.all(sql, args![model]).await? {
        let (name, digest) = (row.text("name")?, row.id::<Digest>("digest")?);
        let now = by_tag.get(name.as_str()).copied();
        if now != Some(&digest) {
            let sql = "UPDATE tags SET moved_at = $3, moved_to = $4 WHERE model_id = $1 AND name = $2 AND moved_at IS NULL";
            marked += tx.exec(sql, args![model, name, at, now]).await?;
        }
    }
    for row in tx
        .all(
            "SELECT id, digest, live FROM versions WHERE model_id = $1",
            args![model],
        )
        .await?
    {
        let (id, live) = (row.id::<VersionId>("id")?, row.int("live")? == 1);
        let here = digests.contains(&row.id::<Digest>("digest")?);
        if live && !here {
            marked += tx
                .exec(
                    "UPDATE versions SET live = 0, gone_at = $2 WHERE id = $1",
                    args![id, at],
                )
                .await?;
        } else if here && !live {
            tx.exec(
                "UPDATE versions SET live = 1, gone_at = NULL WHERE id = $1",
                args![id],
            )
            .await?;
        }
    }
    refresh_model(tx, model).await?;
    Ok(marked)
}

/// Repeats in the model's row what is known of its newest version, for lists and facets.
async fn refresh_model(tx: &mut Conn, model: ModelId) -> Result<()> {
    let sql = "SELECT v.id AS id, v.kind AS kind, v.sort_at AS sort_at, v.facts_json AS facts_json, v.signature_json AS signature_json, f.card AS card,
                   m.repository AS repository,
                   (SELECT s.state FROM facts s WHERE s.version_id = v.id AND s.kind = 'scan' ORDER BY s.observed_at DESC LIMIT 1) AS scan,
                   (SELECT count(*) FROM versions n WHERE n.model_id = v.model_id AND n.live = 1) AS versions
               FROM versions v JOIN models m ON m.id = v.model_id JOIN version_files f ON f.version_id = v.id
               WHERE v.model_id = $1 ORDER BY v.live DESC, v.sort_at DESC, v.id DESC LIMIT 1";
    let Some(r) = tx.one(sql, args![model]).await? else {
        return Ok(());
    };
    let facts: ModelFacts = r.json("facts_json")?;
    let signature: SignatureFact = r.json("signature_json")?;
    let repository = r.text("repository")?;
    let name = facts.name.clone().unwrap_or_else(|| {
        repository
            .rsplit('/')
            .next()
            .unwrap_or(&repository)
            .to_owned()
    });
    let or_unknown = |v: &Option<String>| v.clone().unwrap_or_else(|| UNKNOWN.into());
    let number = |v: Option<u64>| v.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let head = format!(
        "{name} {repository} {}",
        facts.task.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    let search = head + &words_of(&r.opt_text("card")?.unwrap_or_default());
    tx.exec(
        "UPDATE models SET name = $2, versions = $3, latest = $4, name_key = $5, newest_at = $6, kind = $7, task = $8, format = $9, licence = $10,
             signature = $11, scan = $12, size_bytes = $13, parameters = $14, search = $15
         WHERE id = $1",
        args![
            model,
            &name,
            r.int("versions")?,
            r.text("id")?,
            name.to_lowercase(),
            r.at("sort_at")?,
            r.text("kind")?,
            or_unknown(&facts.task),
            facts.format.as_ref().map_or(UNKNOWN, |f| f.label()),
            or_unknown(&facts.licence),
            signature.name(),
            r.opt_text("scan")?.unwrap_or_else(|| UNKNOWN.into()),
            number(facts.size_bytes),
            number(facts.parameters),
            search
        ],
    )
    .await?;
    Ok(())
}
