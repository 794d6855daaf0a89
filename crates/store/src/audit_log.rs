//! The audit log: appending, in order and in somebody else's transaction, and reading.

use crate::{
    Db,
    arg::args,
    conn::Conn,
    row::{Row, word},
    sql::{Sql, page_limit, rows},
};
use async_trait::async_trait;
use audit::{NewRecord, PersonKey, Phase, Record, Seal};
use domain::{
    Error, Micros, Result,
    ids::{ChangeId, Digest, PersonId},
    page::{self, Page},
};
use services::ports::{AuditFilter, AuditStore};
use std::collections::BTreeMap;

const COLUMNS: &str = "r.bytes AS bytes, r.hash AS hash, r.person AS person, k.wrapped AS wrapped";

impl Db {
    /// Appends records in this transaction, as its last step: from here to the commit the log's head
    /// is locked, which makes the order of positions the order of commits.
    pub(crate) async fn append(&self, tx: &mut Conn, records: &[NewRecord]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            keys.push(match &record.actor {
                Some(actor) => Some(self.person_key(tx, actor.person).await?),
                None => None,
            });
        }
        let count = rows(records.len());
        let head = tx
            .one(
                "UPDATE audit_head SET seq = seq + $1 WHERE id = 1 RETURNING seq",
                args![count],
            )
            .await?;
        let mut seq = head
            .ok_or_else(|| Error::internal("the audit log has no head"))?
            .int("seq")?
            - count;
        for (record, key) in records.iter().zip(&keys) {
            seq += 1;
            self.append_one(tx, seq, record, key.as_ref()).await?;
        }
        Ok(())
    }

    async fn append_one(
        &self,
        tx: &mut Conn,
        seq: i64,
        record: &NewRecord,
        key: Option<&PersonKey>,
    ) -> Result<()> {
        let mut nonce = [0u8; 24];
        self.entropy.fill(&mut nonce);
        let seal = key.map(|key| Seal {
            keyring: &self.keyring,
            key,
            nonce,
        });
        let bytes = audit::encode(seq, record, seal.as_ref())?;
        tx.exec(
            "INSERT INTO audit_records (seq, id, hash, bytes, at, phase, intent, action, person, object, unit, environment, change_id, outcome, retention)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            args![
                seq,
                record.id,
                Digest::of(&bytes),
                bytes,
                record.at,
                record.phase.name(),
                record.intent,
                &record.action,
                record.actor.as_ref().map(|a| self.keyring.pseudonym(a.person)),
                &record.object,
                &record.unit,
                &record.environment,
                record.change,
                record.outcome.map(|o| o.name()),
                record.retention.name()
            ],
        )
        .await?;
        match (record.phase, record.intent) {
            (Phase::Intent, _) => {
                let sql = "INSERT INTO audit_open (intent, seq, at) VALUES ($1, $2, $3)";
                tx.exec(sql, args![record.id, seq, record.at]).await?;
            }
            (Phase::Outcome, Some(intent)) => {
                tx.exec("DELETE FROM audit_open WHERE intent = $1", args![intent])
                    .await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The key of a person's records, made when it is first needed.
    async fn person_key(&self, tx: &mut Conn, person: PersonId) -> Result<PersonKey> {
        const FIND: &str = "SELECT wrapped FROM person_keys WHERE pseudonym = $1";
        let pseudonym = self.keyring.pseudonym(person);
        let mut row = tx.one(FIND, args![&pseudonym]).await?;
        if row.is_none() {
            let (mut key, mut nonce) = ([0u8; 32], [0u8; 24]);
            self.entropy.fill(&mut key);
            self.entropy.fill(&mut nonce);
            let wrapped = self
                .keyring
                .wrap(&pseudonym, &PersonKey::new(key), &nonce)?;
            let sql = "INSERT INTO person_keys (pseudonym, wrapped) VALUES ($1, $2) ON CONFLICT (pseudonym) DO NOTHING";
            tx.exec(sql, args![&pseudonym, wrapped]).await?;
            // Somebody else's key, if they were faster.
            row = tx.one(FIND, args![&pseudonym]).await?;
        }
        match row.map(|r| r.opt_bytes("wrapped")).transpose()?.flatten() {
            Some(wrapped) => self.keyring.unwrap(&pseudonym, &wrapped),
            None => Err(Error::forbidden(
                "this person's data was erased; nothing more can be done in their name",
            )),
        }
    }

    /// Records as they stand, each checked against its hash.
    fn records(&self, found: &[Row]) -> Result<Vec<Record>> {
        let mut keys: BTreeMap<String, PersonKey> = BTreeMap::new();
        let mut records = Vec::with_capacity(found.len());
        for row in found {
            let bytes = row.bytes("bytes")?;
            let person = row.opt_text("person")?;
            if let (Some(pseudonym), Some(wrapped)) = (&person, row.opt_bytes("wrapped")?)
                && !keys.contains_key(pseudonym)
            {
                keys.insert(pseudonym.clone(), self.keyring.unwrap(pseudonym, &wrapped)?);
            }
            let record = audit::decode(&bytes, person.and_then(|p| keys.get(&p)))?;
            if record.hash != row.id::<Digest>("hash")? {
                return Err(Error::internal(format!(
                    "audit record {} was changed after it was written",
                    record.seq
                )));
            }
            records.push(record);
        }
        Ok(records)
    }

    async fn audit_query(&self, filter: &AuditFilter) -> Result<Sql> {
        let who = match &filter.who {
            Some(words) => Some(named(&mut self.read().await?, words).await?),
            None => None,
        };
        let mut q = Sql::new("SELECT ");
        q.push(COLUMNS).push(
            " FROM audit_records r LEFT JOIN person_keys k ON k.pseudonym = r.person WHERE 1 = 1",
        );
        if let Some(person) = filter.person {
            q.push(" AND r.person = ")
                .arg(self.keyring.pseudonym(person));
        }
        if let Some(who) = who {
            q.push(" AND r.person IN ")
                .list(who.iter().map(|p| self.keyring.pseudonym(*p)));
        }
        if let Some(action) = &filter.action {
            match action.strip_suffix('.') {
                // `/` is the character after `.`: a range that an index serves.
                Some(prefix) => q
                    .push(" AND r.action >= ")
                    .arg(action)
                    .push(" AND r.action < ")
                    .arg(format!("{prefix}/")),
                None => q.push(" AND r.action = ").arg(action),
            };
        }
        if let Some(object) = &filter.object {
            q.push(" AND (r.object = ").arg(object);
            about(&mut q, object);
            q.push(")");
        }
        if let Some(change) = filter.change {
            q.push(" AND r.change_id = ").arg(change);
        }
        if let Some(outcome) = filter.outcome {
            q.push(" AND r.outcome = ").arg(word(&outcome)?);
        }
        if let Some(unit) = &filter.unit {
            q.push(" AND ")
                .unit_in("r.unit", std::slice::from_ref(unit));
        }
        if let Some(from) = filter.from {
            q.push(" AND r.at >= ").arg(from);
        }
        if let Some(until) = filter.until {
            q.push(" AND r.at < ").arg(until);
        }
        let all = |list: &[String]| list.iter().any(|x| x == "*");
        if !filter.scopes.iter().any(|(u, e)| all(u) && all(e)) {
            q.push(" AND (1 = 0");
            for (units, environments) in &filter.scopes {
                q.push(" OR (")
                    .unit_in("r.unit", units)
                    .push(" AND ")
                    .word_in("r.environment", environments)
                    .push(")");
            }
            if let Some(own) = filter.own {
                q.push(" OR r.person = ").arg(self.keyring.pseudonym(own));
            }
            q.push(")");
        }
        Ok(q)
    }
}

/// What belongs to an object's story though the record names another object: decisions name the
/// change, its beginning and its effect the deployment.
fn about(q: &mut Sql, object: &str) {
    match object.split_once(':') {
        Some(("change", id)) => {
            q.push(" OR r.change_id = ").arg(id);
        }
        Some(("deployment", key)) => {
            if let [cluster, namespace, name] = key.split('/').collect::<Vec<_>>()[..] {
                q.push(" OR r.change_id IN (SELECT c.id FROM changes c WHERE c.object_kind = 'InferenceService' AND c.cluster_name = ")
                    .arg(cluster)
                    .push(" AND c.namespace = ")
                    .arg(namespace)
                    .push(" AND c.object_name = ")
                    .arg(name)
                    .push(")");
            }
        }
        _ => {}
    }
}

/// Whose name or user name has these words, at most so many as a query may take.
async fn named(c: &mut Conn, words: &str) -> Result<Vec<PersonId>> {
    let mut q = Sql::new("SELECT id FROM persons WHERE 1 = 1");
    q.words("search", words).push(" ORDER BY id LIMIT 500");
    let found = c.all(q.text, q.args).await?;
    found.iter().map(|r| r.id("id")).collect()
}

#[async_trait]
impl AuditStore for Db {
    async fn audit_append(&self, records: &[NewRecord]) -> Result<()> {
        let mut tx = self.begin().await?;
        self.append(&mut tx, records).await?;
        tx.commit().await
    }

    async fn audit_list(
        &self,
        filter: &AuditFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>> {
        let limit = page_limit(limit);
        let mut q = self.audit_query(filter).await?;
        if let Some(after) = after {
            q.push(" AND r.seq < ").arg(page::decode::<i64>(after)?);
        }
        q.push(" ORDER BY r.seq DESC").limit(limit);
        let found = self.read().await?.all(q.text, q.args).await?;
        Ok(Page::cut(self.records(&found)?, limit, |r| r.seq))
    }

    async fn audit_forward(
        &self,
        filter: &AuditFilter,
        after: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<(Record, Vec<u8>)>> {
        let mut q = self.audit_query(filter).await?;
        q.push(" AND r.seq > ")
            .arg(after)
            .push(" AND r.seq <= ")
            .arg(until)
            .push(" ORDER BY r.seq LIMIT ")
            .arg(rows(limit));
        let found = self.read().await?.all(q.text, q.args).await?;
        let bytes: Vec<Vec<u8>> = found
            .iter()
            .map(|r| r.bytes("bytes"))
            .collect::<Result<_>>()?;
        Ok(self.records(&found)?.into_iter().zip(bytes).collect())
    }

    async fn audit_between(
        &self,
        from: Option<Micros>,
        until: Option<Micros>,
    ) -> Result<Option<(i64, i64)>> {
        let mut q =
            Sql::new("SELECT min(seq) AS first, max(seq) AS last FROM audit_records WHERE 1 = 1");
        if let Some(from) = from {
            q.push(" AND at >= ").arg(from);
        }
        if let Some(until) = until {
            q.push(" AND at < ").arg(until);
        }
        let row = self.read().await?.one(q.text, q.args).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(row.opt_int("first")?.zip(row.opt_int("last")?))
    }

    async fn audit_get(&self, seq: i64) -> Result<Option<Record>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_records r LEFT JOIN person_keys k ON k.pseudonym = r.person WHERE r.seq = $1"
        );
        let found = self.read().await?.all(sql, args![seq]).await?;
        Ok(self.records(&found)?.pop())
    }

    async fn audit_bytes(&self, seq: i64) -> Result<Option<Vec<u8>>> {
        let row = self
            .read()
            .await?
            .one("SELECT bytes FROM audit_records WHERE seq = $1", args![seq])
            .await?;
        row.map(|row| row.bytes("bytes")).transpose()
    }

    async fn audit_open_intents(
        &self,
        of: Option<ChangeId>,
        before: Micros,
        limit: usize,
    ) -> Result<Vec<Record>> {
        let mut q = Sql::new(&format!(
            "SELECT {COLUMNS} FROM audit_open o JOIN audit_records r ON r.seq = o.seq LEFT JOIN person_keys k ON k.pseudonym = r.person
             WHERE o.at < "
        ));
        q.arg(before);
        if let Some(change) = of {
            q.push(" AND r.change_id = ").arg(change);
        }
        q.push(" ORDER BY o.at, o.seq LIMIT ").arg(rows(limit));
        let found = self.read().await?.all(q.text, q.args).await?;
        self.records(&found)
    }

    async fn audit_end(&self, outcome: &NewRecord) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM audit_open WHERE intent = $1";
        if tx.exec(sql, args![outcome.intent]).await? == 0 {
            return Ok(false);
        }
        self.append(&mut tx, std::slice::from_ref(outcome)).await?;
        tx.commit().await?;
        Ok(true)
    }
}
