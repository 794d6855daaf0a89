//! Every write of a change raises its version, checks the one that was read, and takes only steps
//! that there are.

use super::read;
use crate::{
    arg::args,
    conn::Conn,
    jobs::{enqueue, hold_fence},
    row::{json, word},
};
use domain::{
    Error, Micros, Result,
    access::Stage,
    change::*,
    content::{Content, canonical},
    ids::*,
};
use services::ports::{DraftUsed, Fence, NewJob, Reopening, Transition};

/// Somebody else wrote first.
fn overtaken() -> Error {
    Error::conflict("this change moved on while you were looking at it: somebody else was faster")
        .remedy("Open it again to see where it stands.")
}

fn gone() -> Error {
    Error::not_found("there is no such change")
}

/// What people search a change by.
fn search_text(change: &Change) -> String {
    format!(
        "{} {} {}",
        change.object.name, change.place.namespace, change.usage.purpose
    )
    .to_lowercase()
}

/// A transaction's view of a change, which nobody else can write until it ends.
async fn lock(tx: &mut Conn, id: ChangeId, expected_version: i64) -> Result<Change> {
    // Writing the row locks it on PostgreSQL; SQLite's transaction is the only writer anyway.
    tx.exec(
        "UPDATE changes SET version = version WHERE id = $1",
        args![id],
    )
    .await?;
    let change = read::change(tx, id).await?.ok_or_else(gone)?;
    if change.version != expected_version {
        return Err(overtaken());
    }
    Ok(change)
}

pub(super) async fn create(
    tx: &mut Conn,
    change: &Change,
    revision: &Revision,
    items: &[Item],
    jobs: &[NewJob],
) -> Result<()> {
    check(change, revision, items, jobs)?;
    tx.exec(
        "INSERT INTO changes (id, kind, state, cluster_id, cluster_name, namespace, namespace_uid, unit, environment, api_version, object_kind,
             object_name, usage_json, requester, requester_account, created_at, expires_at, current_revision, version, search)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        args![
            change.id,
            word(&change.kind)?,
            change.state.name(),
            &change.place.cluster,
            &change.place.cluster_name,
            &change.place.namespace,
            &change.place.namespace_uid,
            &change.place.scope.unit,
            &change.place.scope.environment,
            &change.object.api_version,
            &change.object.kind,
            &change.object.name,
            json(&change.usage)?,
            change.requester,
            change.requester_account,
            change.created_at,
            change.expires_at,
            change.current_revision,
            change.version,
            search_text(change)
        ],
    )
    .await?;
    add_revision(tx, change, revision, items).await?;
    enqueue(tx, jobs).await
}

/// The draft goes with the change that it became: whoever submits it a second time finds it gone.
pub(super) async fn use_draft(tx: &mut Conn, draft: Option<DraftUsed>) -> Result<()> {
    let Some(d) = draft else { return Ok(()) };
    let sql = "DELETE FROM drafts WHERE id = $1 AND version = $2";
    if tx.exec(sql, args![d.id, d.version]).await? == 0 {
        return Err(Error::conflict(
            "this draft was submitted or changed in the meantime; nothing was submitted now",
        )
        .remedy("Look under “My requests”; a draft that is still there can be opened again."));
    }
    Ok(())
}

/// What is written belongs together, and the content is what its hash says.
fn check(change: &Change, revision: &Revision, items: &[Item], jobs: &[NewJob]) -> Result<()> {
    if !matches!(change.state, ChangeState::Waiting | ChangeState::Queued) {
        return Err(Error::internal("a change begins waiting or queued"));
    }
    if (change.state == ChangeState::Queued) == jobs.is_empty() {
        return Err(Error::internal(
            "a queued change needs jobs, and only that one may have them",
        ));
    }
    let together = revision.change == change.id
        && change.current_revision == revision.id
        && items
            .iter()
            .all(|i| i.change == change.id && i.revision == revision.id);
    if !together {
        return Err(Error::internal(
            "revision and items belong to another change",
        ));
    }
    if revision.content.hash() != revision.content_hash {
        return Err(Error::internal(
            "a revision's hash is not that of its content",
        ));
    }
    Ok(())
}

/// How many have to agree in all.
fn needed(stages: &[Stage]) -> i64 {
    stages.iter().map(|s| i64::from(s.count)).sum()
}

async fn add_revision(
    tx: &mut Conn,
    change: &Change,
    revision: &Revision,
    items: &[Item],
) -> Result<()> {
    let Content { action, .. } = &revision.content;
    tx.exec(
        "INSERT INTO revisions (id, change_id, number, content, content_hash, manifest_yaml, comment, author, author_account, created_at,
             seen_json, stages_json, needed, policy_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        args![
            revision.id,
            revision.change,
            revision.number,
            canonical(&revision.content),
            &revision.content_hash,
            &revision.manifest_yaml,
            &revision.comment,
            revision.author,
            revision.author_account,
            revision.created_at,
            json(&revision.seen)?,
            json(&revision.stages)?,
            needed(&revision.stages),
            &revision.policy_version
        ],
    )
    .await?;
    add_stages(tx, revision.id, &revision.stages).await?;
    for item in items {
        tx.exec(
            "INSERT INTO items (id, change_id, revision_id, cluster_id, cluster_name, namespace, namespace_uid, unit, environment, api_version,
                 object_kind, object_name, action, fingerprint, state, message, applied_uid, applied_generation, applied_at, attempts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
            args![
                item.id,
                item.change,
                item.revision,
                &item.cluster,
                &change.place.cluster_name,
                &change.place.namespace,
                &change.place.namespace_uid,
                &change.place.scope.unit,
                &change.place.scope.environment,
                &item.object.api_version,
                &item.object.kind,
                &item.object.name,
                word(action)?,
                domain::content::fingerprint(&revision.content.object),
                item.state.name(),
                item.message.as_deref(),
                item.applied_uid.as_deref(),
                item.applied_generation,
                item.applied_at,
                item.attempts
            ],
        )
        .await?;
    }
    Ok(())
}

async fn add_stages(tx: &mut Conn, revision: RevisionId, stages: &[Stage]) -> Result<()> {
    for (n, stage) in (0_i64..).zip(stages) {
        tx.exec(
            "INSERT INTO stages (revision_id, stage, role, needed) VALUES ($1, $2, $3, $4)",
            args![revision, n, stage.role.name(), stage.count],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn revise(
    tx: &mut Conn,
    expected_version: i64,
    change: &Change,
    revision: &Revision,
    items: &[Item],
    jobs: &[NewJob],
) -> Result<()> {
    check(change, revision, items, jobs)?;
    let stored = lock(tx, change.id, expected_version).await?;
    if !matches!(stored.state, ChangeState::Waiting | ChangeState::Held) {
        return Err(Error::conflict(format!(
            "this change can no longer be edited: it is {}",
            stored.state.name()
        ))
        .remedy("Ask for a new change; it can start from this one."));
    }
    let at = revision.created_at;
    let void = "UPDATE decisions SET voided_at = $2 WHERE change_id = $1 AND voided_at IS NULL AND undone_at IS NULL";
    tx.exec(void, args![change.id, at]).await?;
    tx.exec(
        "UPDATE items SET state = 'superseded' WHERE change_id = $1 AND state = 'queued'",
        args![change.id],
    )
    .await?;
    tx.exec(
        "UPDATE changes SET version = version + 1, state = $16, hold_until = NULL, end_reason = NULL, kind = $2, cluster_id = $3, cluster_name = $4,
             namespace = $5, namespace_uid = $6, unit = $7, environment = $8, api_version = $9, object_kind = $10, object_name = $11,
             usage_json = $12, expires_at = $13, current_revision = $14, search = $15
         WHERE id = $1",
        args![
            change.id,
            word(&change.kind)?,
            &change.place.cluster,
            &change.place.cluster_name,
            &change.place.namespace,
            &change.place.namespace_uid,
            &change.place.scope.unit,
            &change.place.scope.environment,
            &change.object.api_version,
            &change.object.kind,
            &change.object.name,
            json(&change.usage)?,
            change.expires_at,
            revision.id,
            search_text(change),
            change.state.name()
        ],
    )
    .await?;
    add_revision(tx, change, revision, items).await?;
    enqueue(tx, jobs).await
}

pub(super) async fn reopen(tx: &mut Conn, again: &Reopening) -> Result<()> {
    let to_waiting = Transition {
        change: again.change,
        expected_version: again.expected_version,
        to: ChangeState::Waiting,
        end_reason: Some(again.note.clone()),
        at: again.at,
    };
    transition(tx, &to_waiting, None, &[]).await?;
    for decision in &again.void {
        tx.exec(
            "UPDATE decisions SET voided_at = $3 WHERE id = $1 AND change_id = $2 AND voided_at IS NULL AND undone_at IS NULL",
            args![*decision, again.change, again.at],
        )
        .await?;
    }
    if let Some((stages, policy_version)) = &again.stages {
        let change = read::change(tx, again.change).await?.ok_or_else(gone)?;
        let revision = change.current_revision;
        tx.exec(
            "UPDATE revisions SET stages_json = $2, needed = $3, policy_version = $4 WHERE id = $1",
            args![revision, json(stages)?, needed(stages), policy_version],
        )
        .await?;
        // Queues go by the rows.
        tx.exec("DELETE FROM stages WHERE revision_id = $1", args![revision])
            .await?;
        add_stages(tx, revision, stages).await?;
    }
    Ok(())
}

/// Moves a change. `hold_until`: when what holds it takes effect, for a step to `Held`.
pub(super) async fn transition(
    tx: &mut Conn,
    t: &Transition,
    hold_until: Option<Micros>,
    jobs: &[NewJob],
) -> Result<()> {
    let stored = lock(tx, t.change, t.expected_version).await?;
    if !stored.state.may_become(t.to) {
        return Err(Error::conflict(format!(
            "this change is {} and cannot become {}",
            stored.state.name(),
            t.to.name()
        ))
        .remedy("Open it again to see where it stands."));
    }
    if (t.to == ChangeState::Queued) == jobs.is_empty() {
        return Err(Error::internal(
            "a change that is queued needs jobs, and only that one may have them",
        ));
    }
    let hold_until = (t.to == ChangeState::Held).then(|| hold_until.unwrap_or(t.at));
    let ended_at = t.to.is_end().then_some(t.at);
    tx.exec(
        "UPDATE changes SET version = version + 1, state = $2, hold_until = $3, end_reason = $4, ended_at = $5 WHERE id = $1",
        args![t.change, t.to.name(), hold_until, t.end_reason.as_deref(), ended_at],
    )
    .await?;
    // What will never be applied no longer waits to be.
    let items = match t.to {
        ChangeState::Expired => Some("expired"),
        ChangeState::Rejected | ChangeState::Withdrawn => Some("superseded"),
        _ => None,
    };
    if let Some(state) = items {
        tx.exec(
            "UPDATE items SET state = $2 WHERE change_id = $1 AND state = 'queued'",
            args![t.change, state],
        )
        .await?;
    }
    enqueue(tx, jobs).await
}

pub(super) async fn decide(
    tx: &mut Conn,
    d: &Decision,
    t: Option<&Transition>,
    expected_version: i64,
) -> Result<()> {
    // Written, so that the account is not joined to another person, the requester perhaps, before this
    // ends. Before the change, as whoever joins persons does.
    let theirs = "UPDATE accounts SET person_id = person_id WHERE id = $1 AND person_id = $2";
    if tx.exec(theirs, args![d.account, d.person]).await? == 0 {
        return Err(Error::conflict(
            "your account was joined to another person of yours just now; nothing was decided",
        )
        .remedy("Open the change again to see whether you can decide it."));
    }
    let stored = lock(tx, d.change, expected_version).await?;
    if stored.state != ChangeState::Waiting {
        return Err(Error::conflict(format!(
            "this change no longer waits for a decision: it is {}",
            stored.state.name()
        ))
        .remedy("Open it again to see what was decided."));
    }
    if stored.current_revision != d.revision {
        return Err(Error::conflict(
            "this change was edited: what you decided on is no longer what is asked for",
        )
        .remedy("Open it again and decide on the new revision."));
    }
    let made = tx
        .exec(
            "INSERT INTO decisions (id, change_id, revision_id, stage, role, outcome, person, account, acting_for, reason, content_hash,
                 policy_version, decided_at, effective_at)
             SELECT $1, $2, v.id, $4, $5, $6, $7, $8, $9, $10, v.content_hash, $12, $13, $14 FROM revisions v
             WHERE v.id = $3 AND v.change_id = $2 AND v.content_hash = $11 ON CONFLICT DO NOTHING",
            args![
                d.id,
                d.change,
                d.revision,
                d.stage,
                word(&d.role)?,
                word(&d.outcome)?,
                d.person,
                d.account,
                d.acting_for,
                &d.reason,
                &d.content_hash,
                &d.policy_version,
                d.decided_at,
                d.effective_at
            ],
        )
        .await?;
    if made == 0 {
        let sql = "SELECT 1 AS n FROM revisions WHERE id = $1 AND content_hash = $2";
        return Err(
            match tx.one(sql, args![d.revision, &d.content_hash]).await? {
                Some(_) => Error::conflict(
                    "you have decided on this revision already; another person is needed",
                ),
                None => Error::conflict("what you decided on is not the content of this revision")
                    .remedy("Open the change again."),
            },
        );
    }
    match t {
        None => {
            tx.exec(
                "UPDATE changes SET version = version + 1 WHERE id = $1",
                args![d.change],
            )
            .await?;
            Ok(())
        }
        Some(t) if t.change == d.change && t.expected_version == expected_version => {
            transition(tx, t, Some(d.effective_at), &[]).await
        }
        Some(_) => Err(Error::internal("a decision moves its own change only")),
    }
}

pub(super) async fn undo(
    tx: &mut Conn,
    id: DecisionId,
    now: Micros,
    expected_version: i64,
) -> Result<()> {
    let row = tx
        .one(format!("{} WHERE id = $1", read::DECISION), args![id])
        .await?;
    let d = row
        .map(|r| read::decision(&r))
        .transpose()?
        .ok_or_else(|| Error::not_found("there is no such decision"))?;
    let stored = lock(tx, d.change, expected_version).await?;
    let too_late = || {
        Error::conflict("it is too late to take this decision back: it has taken effect")
            .remedy("If the change must not stay, ask for another one that undoes it, or stop the deployment.")
    };
    if now >= d.effective_at || !matches!(stored.state, ChangeState::Waiting | ChangeState::Held) {
        return Err(too_late());
    }
    let sql = "UPDATE decisions SET undone_at = $2 WHERE id = $1 AND undone_at IS NULL AND voided_at IS NULL";
    if tx.exec(sql, args![id, now]).await? == 0 {
        return Err(Error::conflict("this decision does not count any more"));
    }
    // One rejection is enough: somebody else's holds the change as before.
    let rejected = tx
        .one(
            "SELECT MAX(effective_at) AS until FROM decisions
             WHERE revision_id = $1 AND outcome = 'reject' AND undone_at IS NULL AND voided_at IS NULL",
            args![stored.current_revision],
        )
        .await?
        .map(|r| r.opt_at("until"))
        .transpose()?
        .flatten();
    let state = match rejected {
        Some(_) => ChangeState::Held,
        None => ChangeState::Waiting,
    };
    let sql = "UPDATE changes SET version = version + 1, state = $2, hold_until = $3 WHERE id = $1";
    tx.exec(sql, args![d.change, state.name(), rejected])
        .await?;
    Ok(())
}

pub(super) async fn item(
    tx: &mut Conn,
    item: &Item,
    fence: &Fence,
    change_to: Option<&Transition>,
) -> Result<()> {
    if item.state == ItemState::Applied && item.applied_at.is_none() {
        return Err(Error::internal("an applied item must say when"));
    }
    hold_fence(tx, fence).await?;
    let written = tx
        .exec(
            "UPDATE items SET state = $3, message = $4, applied_uid = $5, applied_generation = $6, applied_at = $7, attempts = $8
             WHERE id = $1 AND change_id = $2 AND state IN ('queued', 'applying')",
            args![
                item.id,
                item.change,
                item.state.name(),
                item.message.as_deref(),
                item.applied_uid.as_deref(),
                item.applied_generation,
                item.applied_at,
                item.attempts
            ],
        )
        .await?;
    if written == 0 {
        return Err(
            match tx
                .one(
                    "SELECT state FROM items WHERE id = $1 AND change_id = $2",
                    args![item.id, item.change],
                )
                .await?
            {
                Some(row) => Error::conflict(format!(
                    "this item has ended already: it is {}",
                    row.text("state")?
                )),
                None => Error::not_found("there is no such item"),
            },
        );
    }
    match change_to {
        None => Ok(()),
        Some(t) if t.change == item.change => transition(tx, t, None, &[]).await,
        Some(_) => Err(Error::internal("an item moves its own change only")),
    }
}
