//! Lists of changes: filters, order and what each row shows, in SQL.

use super::read::{CHANGE, change_of};
use crate::{
    arg::args,
    conn::Conn,
    row::word,
    sql::{Sql, rows},
};
use domain::{
    Micros, Result,
    ids::*,
    page::{self, Page},
};
use services::ports::{ChangeFilter, ChangeRow, Decider};
use std::collections::{BTreeMap, btree_map::Entry};

/// How many decisions on the current revision agree and stand; each person has one.
const AGREED: &str = "(SELECT count(*) FROM decisions d WHERE d.revision_id = c.current_revision AND d.outcome = 'approve'
    AND d.undone_at IS NULL AND d.voided_at IS NULL)";

fn conditions(q: &mut Sql, f: &ChangeFilter) -> Result<()> {
    q.push(" WHERE (1 = 0");
    for (units, environments) in &f.scopes {
        q.push(" OR (")
            .unit_in("c.unit", units)
            .push(" AND ")
            .word_in("c.environment", environments)
            .push(")");
    }
    q.push(")");
    q.among("c.state", f.states.iter().map(|s| s.name()));
    q.among(
        "c.kind",
        f.kinds
            .iter()
            .map(word)
            .collect::<Result<Vec<_>>>()?
            .into_iter(),
    );
    if let Some(requester) = f.requester {
        q.push(" AND c.requester = ").arg(requester);
    }
    if let Some(decider) = &f.decider {
        decidable(q, decider);
    }
    if let Some(key) = &f.deployment {
        q.push(" AND c.cluster_name = ").arg(&key.cluster);
        q.push(" AND c.namespace = ").arg(&key.namespace);
        q.push(" AND c.object_name = ").arg(&key.name);
        q.push(" AND c.object_kind = 'InferenceService'");
    }
    if let Some(uid) = &f.namespace_uid {
        q.push(" AND c.namespace_uid = ").arg(uid);
    }
    if let Some(text) = &f.text {
        q.words("c.search", text);
    }
    Ok(())
}

/// How many people have agreed to a stage of `table`'s revision.
fn agreed_to(table: &str) -> String {
    format!(
        "(SELECT count(*) FROM decisions d WHERE d.revision_id = {table}.revision_id AND d.stage = {table}.stage
            AND d.outcome = 'approve' AND d.undone_at IS NULL AND d.voided_at IS NULL)"
    )
}

/// `domain::change::may_decide` in SQL: it waits and has not expired, neither asked for nor written by
/// this person, not decided by them yet, and the stage that is open is one of their roles in its place.
fn decidable(q: &mut Sql, who: &Decider) {
    q.push(" AND c.state = 'waiting' AND c.expires_at > ")
        .arg(who.now);
    q.push(" AND c.requester <> ").arg(who.person);
    // First by place alone, which costs least.
    q.push(" AND (1 = 0");
    for grant in &who.grants {
        q.push(" OR (")
            .unit_in("c.unit", &grant.units)
            .push(" AND ")
            .word_in("c.environment", &grant.environments)
            .push(")");
    }
    q.push(")");
    q.push(" AND NOT EXISTS (SELECT 1 FROM revisions w WHERE w.id = c.current_revision AND w.author = ")
        .arg(who.person)
        .push(")");
    q.push(
        " AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.revision_id = c.current_revision AND d.undone_at IS NULL
            AND d.voided_at IS NULL AND d.person = ",
    )
    .arg(who.person)
    .push(")");
    let (open, earlier) = (agreed_to("s"), agreed_to("e"));
    q.push(&format!(
        " AND EXISTS (SELECT 1 FROM stages s WHERE s.revision_id = c.current_revision AND s.needed > {open}
            AND NOT EXISTS (SELECT 1 FROM stages e WHERE e.revision_id = s.revision_id AND e.stage < s.stage AND e.needed > {earlier})
            AND (1 = 0"
    ));
    for grant in &who.grants {
        q.push(" OR (s.role = ")
            .arg(grant.role.name())
            .push(" AND ")
            .unit_in("c.unit", &grant.units)
            .push(" AND ")
            .word_in("c.environment", &grant.environments)
            .push(")");
    }
    q.push("))");
}

/// The filter, for somebody who decides with only those of their grants that some stage asks for: most
/// people decide nothing, and have no row looked at. `None` when that leaves nothing.
async fn narrowed(c: &mut Conn, f: &ChangeFilter) -> Result<Option<ChangeFilter>> {
    let Some(who) = &f.decider else {
        return Ok(Some(f.clone()));
    };
    let mut asked = BTreeMap::new();
    let mut grants = who.grants.clone();
    for role in who.grants.iter().map(|g| g.role) {
        if let Entry::Vacant(new) = asked.entry(role) {
            let sql = "SELECT 1 AS one FROM stages WHERE role = $1 LIMIT 1";
            new.insert(c.one(sql, args![role.name()]).await?.is_some());
        }
    }
    grants.retain(|g| asked[&g.role]);
    if grants.is_empty() {
        return Ok(None);
    }
    let mut f = f.clone();
    f.decider = Some(Decider {
        grants,
        ..who.clone()
    });
    Ok(Some(f))
}

pub(super) async fn page(
    c: &mut Conn,
    f: &ChangeFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<ChangeRow>> {
    let Some(f) = &narrowed(c, f).await? else {
        return Ok(Page::empty());
    };
    let mut q = Sql::new(&format!(
        "SELECT {CHANGE}, v.number AS number, v.content_hash AS content_hash, v.comment AS comment, v.needed AS needed, p.name AS requester_name,
             {AGREED} AS agreed
         FROM changes c JOIN revisions v ON v.id = c.current_revision JOIN persons p ON p.id = c.requester"
    ));
    conditions(&mut q, f)?;
    if let Some(after) = after {
        let (at, id) = page::decode::<(Micros, ChangeId)>(after)?;
        let compare = if f.oldest_first { " > (" } else { " < (" };
        q.push(" AND (c.created_at, c.id)")
            .push(compare)
            .arg(at)
            .push(", ")
            .arg(id)
            .push(")");
    }
    q.push(if f.oldest_first {
        " ORDER BY c.created_at, c.id"
    } else {
        " ORDER BY c.created_at DESC, c.id DESC"
    })
    .limit(limit);
    let found = c.all(q.text, q.args).await?;
    let mut changes = Vec::with_capacity(found.len());
    for r in &found {
        changes.push(ChangeRow {
            change: change_of(r)?,
            revision_number: r.small("number")?,
            content_hash: r.id("content_hash")?,
            comment: r.text("comment")?,
            requester_name: r.text("requester_name")?,
            open_by: Vec::new(),
            agreed: count_of(r.int("agreed")?),
            needed: count_of(r.int("needed")?),
        });
    }
    let mut page = Page::cut(changes, limit, |r| (r.change.created_at, r.change.id));
    if let Some(since) = f.open_since {
        let mut names = open_by(c, page.rows.iter().map(|r| r.change.id), since).await?;
        for row in &mut page.rows {
            row.open_by = names.remove(&row.change.id).unwrap_or_default();
        }
    }
    Ok(page)
}

fn count_of(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Names of who has these changes open, whoever gave a sign of life last first.
async fn open_by(
    c: &mut Conn,
    changes: impl ExactSizeIterator<Item = ChangeId>,
    since: Micros,
) -> Result<BTreeMap<ChangeId, Vec<String>>> {
    let mut names: BTreeMap<ChangeId, Vec<String>> = BTreeMap::new();
    if changes.len() > 0 {
        let mut q = Sql::new(
            "SELECT o.change_id AS change_id, p.name AS name FROM presence o JOIN persons p ON p.id = o.person WHERE o.seen_at >= ",
        );
        q.arg(since)
            .among("o.change_id", changes)
            .push(" ORDER BY o.seen_at DESC, p.id LIMIT 1000");
        for row in c.all(q.text, q.args).await? {
            names
                .entry(row.id("change_id")?)
                .or_default()
                .push(row.text("name")?);
        }
    }
    Ok(names)
}

pub(super) async fn count(c: &mut Conn, f: &ChangeFilter, cap: usize) -> Result<usize> {
    let Some(f) = &narrowed(c, f).await? else {
        return Ok(0);
    };
    let mut q = Sql::new("SELECT count(*) AS n FROM (SELECT 1 AS one FROM changes c");
    conditions(&mut q, f)?;
    q.push(" LIMIT ").arg(rows(cap)).push(") AS found");
    let n = c
        .one(q.text, q.args)
        .await?
        .map(|r| r.int("n"))
        .transpose()?
        .unwrap_or(0);
    Ok(usize::try_from(n).unwrap_or(0))
}
