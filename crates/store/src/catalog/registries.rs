//! Registries and how their syncs go.

use crate::{
    arg::args,
    conn::Conn,
    row::{Row, json, word},
};
use domain::{Error, Micros, Result, ids::RegistryId};
use services::ports::{RegistryRow, Source, SyncStatus, Wanted};
use std::collections::BTreeSet;

const REGISTRY: &str = "SELECT id, name, url, username, secret, source, rules_json, sync_minutes, ca_pem, notification_secret, version, running_since, done, total,
    last_success, last_error, last_error_at, wanted_since FROM registries";

fn registry(r: &Row) -> Result<RegistryRow> {
    Ok(RegistryRow {
        id: r.id("id")?,
        name: r.text("name")?,
        url: r.text("url")?,
        username: r.opt_text("username")?,
        secret: r.opt_bytes("secret")?,
        source: r.word("source")?,
        rules: r.json("rules_json")?,
        sync_minutes: r.small("sync_minutes")?,
        ca_pem: r.opt_text("ca_pem")?,
        notification_secret: r.opt_bytes("notification_secret")?,
        version: r.int("version")?,
        status: SyncStatus {
            running_since: r.opt_at("running_since")?,
            done: r.small("done")?,
            total: r
                .opt_int("total")?
                .map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
            last_success: r.opt_at("last_success")?,
            last_error: r.opt_text("last_error")?,
            last_error_at: r.opt_at("last_error_at")?,
            wanted_since: r.opt_at("wanted_since")?,
        },
    })
}

pub(super) async fn all(c: &mut Conn) -> Result<Vec<RegistryRow>> {
    c.all(format!("{REGISTRY} ORDER BY name LIMIT 1000"), args![])
        .await?
        .iter()
        .map(registry)
        .collect()
}

pub(super) async fn get(c: &mut Conn, id: RegistryId) -> Result<Option<RegistryRow>> {
    let row = c
        .one(format!("{REGISTRY} WHERE id = $1"), args![id])
        .await?;
    row.map(|r| registry(&r)).transpose()
}

/// A registry that is known by name keeps its id, status and catalogue. Of the given status only
/// that a sync is wanted counts, and only where something is new.
pub(super) async fn put(
    tx: &mut Conn,
    row: &RegistryRow,
    expected_version: Option<i64>,
) -> Result<()> {
    // Written first, so that on PostgreSQL whoever else changes it is seen before its version is
    // compared; SQLite's transaction is the only writer anyway.
    tx.exec(
        "UPDATE registries SET version = version WHERE id = $1",
        args![row.id],
    )
    .await?;
    let values = args![
        row.id,
        &row.name,
        &row.url,
        row.username.as_deref(),
        row.secret.as_deref(),
        word(&row.source)?,
        json(&row.rules)?,
        row.sync_minutes,
        row.status.wanted_since,
        row.ca_pem.as_deref()
    ];
    let mut stored = tx
        .one(format!("{REGISTRY} WHERE name = $1"), args![&row.name])
        .await?
        .map(|r| registry(&r))
        .transpose()?;
    if stored.is_none() && expected_version.is_some() {
        // It gets another name.
        stored = get(tx, row.id).await?;
    }
    let taken = || {
        Error::conflict(format!("there is a registry named {} already", row.name))
            .remedy("Choose another name.")
    };
    let Some(stored) = stored else {
        if expected_version.is_some() {
            return Err(Error::conflict("this registry was removed in the meantime"));
        }
        let sql = "INSERT INTO registries (id, name, url, username, secret, source, rules_json, sync_minutes, wanted_since, ca_pem, version, done, lease_until)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 0, 0) ON CONFLICT DO NOTHING";
        return if tx.exec(sql, values).await? == 0 {
            Err(taken())
        } else {
            Ok(())
        };
    };
    match (stored.source, row.source, expected_version) {
        // The file is the truth for what it names, whoever named it before.
        (_, Source::File, _) => {}
        (Source::File, Source::Console, _) => {
            return Err(Error::conflict(format!(
                "the registry {} comes from the configuration file",
                row.name
            ))
            .remedy("Change it there."));
        }
        (Source::Console, Source::Console, None) => return Err(taken()),
        (Source::Console, Source::Console, Some(_)) if stored.id != row.id => return Err(taken()),
        (Source::Console, Source::Console, Some(expected)) if expected != stored.version => {
            return Err(
                Error::conflict("somebody else changed this registry in the meantime")
                    .remedy("Open it again and repeat your change."),
            );
        }
        (Source::Console, Source::Console, Some(_)) => {}
    }
    // At each start the file says the same again: that is no new version.
    if stored.name == row.name
        && stored.url == row.url
        && stored.username == row.username
        && stored.secret == row.secret
        && stored.source == row.source
        && stored.rules == row.rules
        && stored.sync_minutes == row.sync_minutes
        && stored.ca_pem == row.ca_pem
    {
        return Ok(());
    }
    let mut values = values;
    values[0] = stored.id.into();
    let sql = "UPDATE registries SET name = $2, url = $3, username = $4, secret = $5, source = $6, rules_json = $7, sync_minutes = $8,
                   wanted_since = COALESCE(wanted_since, $9), ca_pem = $10, version = version + 1 WHERE id = $1";
    tx.exec(sql, values).await?;
    Ok(())
}

/// Its models, versions and tags go with it.
pub(super) async fn delete(tx: &mut Conn, id: RegistryId) -> Result<()> {
    if tx
        .exec("DELETE FROM registries WHERE id = $1", args![id])
        .await?
        == 0
    {
        return Err(Error::not_found("there is no such registry"));
    }
    Ok(())
}

pub(super) async fn token(tx: &mut Conn, id: RegistryId, sealed: &[u8]) -> Result<bool> {
    let sql = "UPDATE registries SET notification_secret = $2 WHERE id = $1";
    Ok(tx.exec(sql, args![id, Some(sealed)]).await? > 0)
}

/// A single name that stands for all of them: no repository's.
const EVERYTHING: &str = "";
/// So many repositories are kept by name; whoever names more means all of them.
const MOST_WANTED: usize = 1000;

pub(super) async fn want(
    tx: &mut Conn,
    id: RegistryId,
    repositories: &[String],
    at: Micros,
) -> Result<()> {
    // Written first, so that on PostgreSQL writers of one registry follow each other.
    let sql = "UPDATE registries SET wanted_since = COALESCE(wanted_since, $2) WHERE id = $1";
    if tx.exec(sql, args![id, at]).await? == 0 {
        return Ok(());
    }
    let all = [EVERYTHING.to_owned()];
    let row = tx
        .one(
            "SELECT count(*) AS n FROM registry_wanted WHERE registry_id = $1",
            args![id],
        )
        .await?;
    let kept = row.map_or(Ok(0), |r| r.int("n"))?;
    let many = usize::try_from(kept).unwrap_or(usize::MAX) + repositories.len() > MOST_WANTED;
    let names = if many || repositories.is_empty() {
        tx.exec(
            "DELETE FROM registry_wanted WHERE registry_id = $1",
            args![id],
        )
        .await?;
        &all[..]
    } else {
        repositories
    };
    for name in names {
        tx.exec(
            "INSERT INTO registry_wanted (registry_id, repository, since) VALUES ($1, $2, $3)
             ON CONFLICT (registry_id, repository) DO UPDATE SET since = excluded.since",
            args![id, name, at],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn start(
    tx: &mut Conn,
    id: RegistryId,
    owner: &str,
    at: Micros,
) -> Result<Option<Wanted>> {
    let sql = "UPDATE registries SET running_since = $3, done = 0, total = NULL, wanted_since = NULL WHERE id = $1 AND lease_owner = $2";
    if tx.exec(sql, args![id, owner, at]).await? == 0 {
        return Ok(None);
    }
    let names = tx
        .all(
            "SELECT repository FROM registry_wanted WHERE registry_id = $1",
            args![id],
        )
        .await?
        .iter()
        .map(|r| r.text("repository"))
        .collect::<Result<BTreeSet<String>>>()?;
    Ok(Some(if names.contains(EVERYTHING) {
        Wanted::All
    } else {
        Wanted::Only(names)
    }))
}

pub(super) async fn wanted_done(tx: &mut Conn, id: RegistryId, before: Micros) -> Result<()> {
    let sql = "DELETE FROM registry_wanted WHERE registry_id = $1 AND since < $2";
    tx.exec(sql, args![id, before]).await?;
    Ok(())
}

/// Owners are `worker/sync`.
pub(super) async fn release(tx: &mut Conn, worker: &str) -> Result<()> {
    let sql = "UPDATE registries SET wanted_since = COALESCE(wanted_since, running_since), running_since = NULL, lease_owner = NULL, lease_until = 0
               WHERE substr(lease_owner, 1, length($1)) = $1";
    tx.exec(sql, args![format!("{worker}/")]).await?;
    Ok(())
}

/// A status that no longer runs gives the lease back.
pub(super) async fn status(
    tx: &mut Conn,
    id: RegistryId,
    owner: &str,
    s: &SyncStatus,
) -> Result<bool> {
    let error: Option<String> = s
        .last_error
        .as_ref()
        .map(|e| e.chars().take(2000).collect());
    let written = tx
        .exec(
            "UPDATE registries SET running_since = $3, done = $4, total = $5, last_success = $6, last_error = $7, last_error_at = $8,
                 lease_until = CASE WHEN $3 IS NULL THEN 0 ELSE lease_until END,
                 lease_owner = CASE WHEN $3 IS NULL THEN NULL ELSE lease_owner END
             WHERE id = $1 AND lease_owner = $2",
            args![id, owner, s.running_since, s.done, s.total, s.last_success, error, s.last_error_at],
        )
        .await?;
    Ok(written > 0)
}

/// Whoever has it may prolong it.
pub(super) async fn lease(
    tx: &mut Conn,
    id: RegistryId,
    owner: &str,
    now: Micros,
    until: Micros,
) -> Result<bool> {
    let sql = "UPDATE registries SET lease_owner = $2, lease_until = $4 WHERE id = $1 AND (lease_until <= $3 OR lease_owner = $2)";
    Ok(tx.exec(sql, args![id, owner, now, until]).await? > 0)
}
