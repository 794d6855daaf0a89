//! Rows back into nouns, and what is approved to run where.

use crate::{arg::args, conn::Conn, row::Row, sql::Sql};
use domain::{
    Micros, Result,
    access::Scope,
    change::*,
    content::Content,
    ids::*,
    page::{self, Page},
    place::{DeploymentKey, ObjectRef, Place},
};
use services::ports::Approved;
use std::collections::BTreeMap;

/// Columns of a change, each under a name that no other table's columns have.
pub(super) const CHANGE: &str = "c.id AS c_id, c.kind AS c_kind, c.state AS c_state, c.cluster_id AS c_cluster_id,
    c.cluster_name AS c_cluster_name, c.namespace AS c_namespace, c.namespace_uid AS c_namespace_uid, c.unit AS c_unit,
    c.environment AS c_environment, c.api_version AS c_api_version, c.object_kind AS c_object_kind, c.object_name AS c_object_name,
    c.usage_json AS c_usage_json, c.requester AS c_requester, c.requester_account AS c_requester_account, c.created_at AS c_created_at,
    c.expires_at AS c_expires_at, c.current_revision AS c_current_revision, c.version AS c_version, c.end_reason AS c_end_reason,
    c.ended_at AS c_ended_at";

const REVISION: &str = "v.id AS v_id, v.change_id AS v_change_id, v.number AS v_number, v.content AS v_content, v.content_hash AS v_content_hash,
    v.manifest_yaml AS v_manifest_yaml, v.comment AS v_comment, v.author AS v_author, v.author_account AS v_author_account,
    v.created_at AS v_created_at, v.seen_json AS v_seen_json, v.stages_json AS v_stages_json, v.policy_version AS v_policy_version";

const ITEM: &str = "i.id AS i_id, i.change_id AS i_change_id, i.revision_id AS i_revision_id, i.cluster_id AS i_cluster_id,
    i.api_version AS i_api_version, i.object_kind AS i_object_kind, i.object_name AS i_object_name, i.state AS i_state, i.message AS i_message,
    i.applied_uid AS i_applied_uid, i.applied_generation AS i_applied_generation, i.applied_at AS i_applied_at, i.attempts AS i_attempts";

pub(super) const DECISION: &str = "SELECT id, change_id, revision_id, stage, role, outcome, person, account, acting_for, reason, content_hash,
    policy_version, decided_at, effective_at, undone_at, voided_at FROM decisions";

/// An item of a deployment: an InferenceService by cluster name, namespace and name ($1 to $3). Names
/// alone do not tell: a namespace that was made anew is another one (`IN_NAMESPACE`).
const OF_DEPLOYMENT: &str = "i.cluster_name = $1 AND i.namespace = $2 AND i.object_name = $3 AND i.object_kind = 'InferenceService'";

/// The namespace by its UID ($4).
const IN_NAMESPACE: &str = "i.namespace_uid = $4";

pub(super) fn select_revisions(rest: &str) -> String {
    format!("SELECT {REVISION} FROM revisions v {rest}")
}

pub(super) fn select_items(rest: &str) -> String {
    format!("SELECT {ITEM} FROM items i {rest}")
}

pub(super) fn change_of(r: &Row) -> Result<Change> {
    Ok(Change {
        id: r.id("c_id")?,
        kind: r.word("c_kind")?,
        state: r.word("c_state")?,
        place: Place {
            cluster: ClusterId(r.text("c_cluster_id")?),
            cluster_name: r.text("c_cluster_name")?,
            namespace: r.text("c_namespace")?,
            namespace_uid: r.text("c_namespace_uid")?,
            scope: Scope {
                unit: r.text("c_unit")?,
                environment: r.text("c_environment")?,
            },
        },
        object: ObjectRef {
            api_version: r.text("c_api_version")?,
            kind: r.text("c_object_kind")?,
            name: r.text("c_object_name")?,
        },
        usage: r.json("c_usage_json")?,
        requester: r.id("c_requester")?,
        requester_account: r.id("c_requester_account")?,
        created_at: r.at("c_created_at")?,
        expires_at: r.at("c_expires_at")?,
        current_revision: r.id("c_current_revision")?,
        version: r.int("c_version")?,
        end_reason: r.opt_text("c_end_reason")?,
        ended_at: r.opt_at("c_ended_at")?,
    })
}

pub(super) fn revision(r: &Row) -> Result<Revision> {
    let content: Content =
        serde_json::from_slice(&r.bytes("v_content")?).map_err(domain::Error::internal)?;
    Ok(Revision {
        id: r.id("v_id")?,
        change: r.id("v_change_id")?,
        number: r.small("v_number")?,
        content,
        content_hash: r.id("v_content_hash")?,
        manifest_yaml: r.text("v_manifest_yaml")?,
        comment: r.text("v_comment")?,
        author: r.id("v_author")?,
        author_account: r.id("v_author_account")?,
        created_at: r.at("v_created_at")?,
        seen: r.json("v_seen_json")?,
        stages: r.json("v_stages_json")?,
        policy_version: r.id("v_policy_version")?,
    })
}

pub(super) fn item(r: &Row) -> Result<Item> {
    Ok(Item {
        id: r.id("i_id")?,
        change: r.id("i_change_id")?,
        revision: r.id("i_revision_id")?,
        cluster: ClusterId(r.text("i_cluster_id")?),
        object: ObjectRef {
            api_version: r.text("i_api_version")?,
            kind: r.text("i_object_kind")?,
            name: r.text("i_object_name")?,
        },
        state: r.word("i_state")?,
        message: r.opt_text("i_message")?,
        applied_uid: r.opt_text("i_applied_uid")?,
        applied_generation: r.opt_int("i_applied_generation")?,
        applied_at: r.opt_at("i_applied_at")?,
        attempts: r.small("i_attempts")?,
    })
}

pub(super) fn decision(r: &Row) -> Result<Decision> {
    Ok(Decision {
        id: r.id("id")?,
        change: r.id("change_id")?,
        revision: r.id("revision_id")?,
        stage: r.small("stage")?,
        role: r.word("role")?,
        outcome: r.word("outcome")?,
        person: r.id("person")?,
        account: r.id("account")?,
        acting_for: r.opt_id("acting_for")?,
        reason: r.text("reason")?,
        content_hash: r.id("content_hash")?,
        policy_version: r.id("policy_version")?,
        decided_at: r.at("decided_at")?,
        effective_at: r.at("effective_at")?,
        undone_at: r.opt_at("undone_at")?,
        voided_at: r.opt_at("voided_at")?,
    })
}

pub(super) async fn approvals(c: &mut Conn, revisions: &[RevisionId]) -> Result<Vec<Decision>> {
    if revisions.is_empty() {
        return Ok(Vec::new());
    }
    let mut q = Sql::new(DECISION);
    q.push(" WHERE undone_at IS NULL AND voided_at IS NULL AND outcome = 'approve'")
        .among("revision_id", revisions.iter().copied())
        .push(" ORDER BY decided_at, id");
    let found = c.all(q.text, q.args).await?;
    found.iter().map(decision).collect()
}

pub(super) async fn change(c: &mut Conn, id: ChangeId) -> Result<Option<Change>> {
    let row = c
        .one(
            format!("SELECT {CHANGE} FROM changes c WHERE c.id = $1"),
            args![id],
        )
        .await?;
    row.map(|r| change_of(&r)).transpose()
}

pub(super) async fn changes(c: &mut Conn, ids: &[ChangeId]) -> Result<Vec<Change>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut q = Sql::new(&format!("SELECT {CHANGE} FROM changes c WHERE 1 = 1"));
    q.among("c.id", ids.iter().copied());
    let found = c.all(q.text, q.args).await?;
    found.iter().map(change_of).collect()
}

fn all_three(r: &Row) -> Result<(Change, Revision, Item)> {
    Ok((change_of(r)?, revision(r)?, item(r)?))
}

fn select_all_three(condition: &str) -> Sql {
    Sql::new(&format!(
        "SELECT {CHANGE}, {REVISION}, {ITEM} FROM items i JOIN revisions v ON v.id = i.revision_id JOIN changes c ON c.id = i.change_id
         WHERE {OF_DEPLOYMENT} AND i.state = 'applied' {condition}"
    ))
}

pub(super) async fn approved(
    c: &mut Conn,
    key: &DeploymentKey,
    namespace_uid: &str,
) -> Result<Option<(Change, Revision, Item)>> {
    let found = newest(c, key, Some(namespace_uid), "AND c.kind <> 'stop'").await?;
    Ok(found.filter(|(_, revision, _)| revision.content.action != domain::content::Action::Delete))
}

/// The newest applied item under a further condition; without a UID in whichever namespace of that name.
pub(super) async fn newest(
    c: &mut Conn,
    key: &DeploymentKey,
    namespace_uid: Option<&str>,
    condition: &str,
) -> Result<Option<(Change, Revision, Item)>> {
    let mut q = select_all_three(condition);
    q.args = args![&key.cluster, &key.namespace, &key.name];
    if let Some(uid) = namespace_uid {
        q.push(" AND i.namespace_uid = ").arg(uid);
    }
    q.push(" ORDER BY i.applied_at DESC, i.id DESC LIMIT 1");
    let row = c.one(q.text, q.args).await?;
    row.map(|r| all_three(&r)).transpose()
}

pub(super) async fn applied_count(
    c: &mut Conn,
    key: &DeploymentKey,
    namespace_uid: &str,
    (at, id): (Option<Micros>, ItemId),
) -> Result<usize> {
    let sql = format!(
        "SELECT count(*) AS n FROM items i WHERE {OF_DEPLOYMENT} AND {IN_NAMESPACE} AND i.state = 'applied' AND i.action <> 'delete'
         AND (i.applied_at, i.id) <= ($5, $6)"
    );
    let values = args![
        &key.cluster,
        &key.namespace,
        &key.name,
        namespace_uid,
        at,
        id
    ];
    let row = c.one(sql, values).await?;
    let n = row.map(|r| r.int("n")).transpose()?.unwrap_or(0);
    Ok(usize::try_from(n).unwrap_or(0))
}

pub(super) async fn approved_fingerprints(
    c: &mut Conn,
    deployments: &[(DeploymentKey, String)],
) -> Result<BTreeMap<DeploymentKey, Approved>> {
    const LATER: &str = "n.cluster_name = i.cluster_name AND n.namespace = i.namespace AND n.object_name = i.object_name
        AND n.namespace_uid = i.namespace_uid AND n.object_kind = i.object_kind AND n.state = 'applied' AND (n.applied_at, n.id) > (i.applied_at, i.id)";
    let mut approved = BTreeMap::new();
    for some in deployments.chunks(200) {
        // Later than what is approved there can only be stops.
        let mut q = Sql::new(&format!(
            "SELECT i.cluster_name AS cluster_name, i.namespace AS namespace, i.object_name AS object_name, i.fingerprint AS fingerprint,
                 (SELECT count(*) FROM items n WHERE {LATER}) AS stops
             FROM items i JOIN changes c ON c.id = i.change_id
             WHERE i.state = 'applied' AND i.object_kind = 'InferenceService' AND i.action <> 'delete' AND c.kind <> 'stop'
               AND NOT EXISTS (SELECT 1 FROM items n JOIN changes k ON k.id = n.change_id WHERE {LATER} AND k.kind <> 'stop')
               AND (i.cluster_name, i.namespace, i.object_name, i.namespace_uid) IN (VALUES "
        ));
        for (n, (key, uid)) in some.iter().enumerate() {
            q.push(if n == 0 { "(" } else { ", (" });
            q.arg(&key.cluster)
                .push(", ")
                .arg(&key.namespace)
                .push(", ")
                .arg(&key.name)
                .push(", ")
                .arg(uid)
                .push(")");
        }
        q.push(")");
        for row in c.all(q.text, q.args).await? {
            let key = DeploymentKey::new(
                row.text("cluster_name")?,
                row.text("namespace")?,
                row.text("object_name")?,
            );
            let found = Approved {
                fingerprint: row.id("fingerprint")?,
                stopped: row.int("stops")? > 0,
            };
            approved.insert(key, found);
        }
    }
    Ok(approved)
}

pub(super) async fn applied(
    c: &mut Conn,
    key: &DeploymentKey,
    namespace_uid: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<(Change, Revision, Item)>> {
    let mut q = select_all_three(&format!("AND {IN_NAMESPACE} AND i.action <> 'delete'"));
    q.args = args![&key.cluster, &key.namespace, &key.name, namespace_uid];
    if let Some(after) = after {
        let (at, id) = page::decode::<(Micros, ItemId)>(after)?;
        q.push(" AND (i.applied_at, i.id) < (")
            .arg(at)
            .push(", ")
            .arg(id)
            .push(")");
    }
    q.push(" ORDER BY i.applied_at DESC, i.id DESC")
        .limit(limit);
    let found = c
        .all(q.text, q.args)
        .await?
        .iter()
        .map(all_three)
        .collect::<Result<Vec<_>>>()?;
    Ok(Page::cut(found, limit, |(_, _, i)| (i.applied_at, i.id)))
}

pub(super) async fn last_approved_by(
    c: &mut Conn,
    key: &DeploymentKey,
    namespace_uid: &str,
    person: PersonId,
) -> Result<Option<Revision>> {
    let sql = select_revisions(
        "JOIN changes c ON c.id = v.change_id JOIN decisions d ON d.revision_id = v.id
         WHERE c.cluster_name = $1 AND c.namespace = $2 AND c.object_name = $3 AND c.object_kind = 'InferenceService'
           AND c.namespace_uid = $4 AND d.person = $5 AND d.outcome = 'approve' AND d.undone_at IS NULL AND d.voided_at IS NULL
         ORDER BY d.decided_at DESC, d.id DESC LIMIT 1",
    );
    let row = c
        .one(
            sql,
            args![
                &key.cluster,
                &key.namespace,
                &key.name,
                namespace_uid,
                person
            ],
        )
        .await?;
    row.map(|r| revision(&r)).transpose()
}
