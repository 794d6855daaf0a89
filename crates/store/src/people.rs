//! People, their accounts, and what their groups were when.

use crate::{
    Db,
    arg::args,
    conn::Conn,
    row::{Row, json, word},
    sql::Sql,
};
use async_trait::async_trait;
use domain::{Error, Micros, Result, ids::*, person::*};
use services::ports::{Actor, NewRecord, PeopleStore, Phase, RecordOutcome, Retention, SignIn};
use std::collections::BTreeMap;

const ACCOUNT: &str = "SELECT id, person_id, issuer, subject, username, name, email FROM accounts";

fn account(row: &Row) -> Result<Account> {
    Ok(Account {
        id: row.id("id")?,
        person: row.id("person_id")?,
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        username: row.text("username")?,
        name: row.text("name")?,
        email: row.opt_text("email")?,
    })
}

fn snapshot(row: &Row) -> Result<GroupSnapshot> {
    Ok(GroupSnapshot {
        groups: row.json("groups_json")?,
        source: row.word("source")?,
        taken_at: row.at("taken_at")?,
    })
}

async fn newest_groups(
    c: &mut Conn,
    account: AccountId,
) -> Result<Option<(Micros, GroupSnapshot)>> {
    let sql = "SELECT first_taken_at, taken_at, source, groups_json FROM group_snapshots WHERE account_id = $1
               ORDER BY taken_at DESC, first_taken_at DESC LIMIT 1";
    let row = c.one(sql, args![account]).await?;
    row.map(|r| Ok((r.at("first_taken_at")?, snapshot(&r)?)))
        .transpose()
}

/// The same groups from the same source only become younger; anything else is a snapshot of its own.
async fn put_groups(tx: &mut Conn, account: AccountId, new: &GroupSnapshot) -> Result<()> {
    let mut sorted = new.groups.clone();
    sorted.sort();
    sorted.dedup();
    if let Some((first, last)) = newest_groups(tx, account).await? {
        if new.taken_at < last.taken_at {
            return Ok(());
        }
        if last.groups == sorted && last.source == new.source {
            let sql = "UPDATE group_snapshots SET taken_at = $3 WHERE account_id = $1 AND first_taken_at = $2";
            tx.exec(sql, args![account, first, new.taken_at]).await?;
            return Ok(());
        }
    }
    tx.exec(
        "INSERT INTO group_snapshots (account_id, first_taken_at, taken_at, source, groups_json) VALUES ($1, $2, $2, $3, $4)
         ON CONFLICT (account_id, first_taken_at) DO UPDATE SET taken_at = excluded.taken_at, source = excluded.source, groups_json = excluded.groups_json",
        args![account, new.taken_at, word(&new.source)?, json(&sorted)?],
    )
    .await?;
    Ok(())
}

/// The person whose claim has this value.
async fn person_by_key(tx: &mut Conn, issuer: &str, key: &str) -> Result<Option<PersonId>> {
    let sql = "SELECT id FROM persons WHERE key_issuer = $1 AND key_value = $2";
    tx.one(sql, args![issuer, key])
        .await?
        .map(|r| r.id("id"))
        .transpose()
}

/// Two persons are one: everything of `from` becomes `into`'s, so that four eyes see one person
/// where there is one. The log keeps what it said.
async fn merge(tx: &mut Conn, from: PersonId, into: PersonId, at: Micros) -> Result<()> {
    // First: who decides under one of these accounts right now ends before, or finds it joined.
    let sql = "UPDATE accounts SET person_id = $2 WHERE person_id = $1";
    tx.exec(sql, args![from, into]).await?;
    // A say on the same revision by both was one person's all along: one of them is void.
    tx.exec(
        "UPDATE decisions SET voided_at = $3 WHERE person = $1 AND undone_at IS NULL AND voided_at IS NULL
         AND revision_id IN (SELECT revision_id FROM decisions WHERE person = $2 AND undone_at IS NULL AND voided_at IS NULL)",
        args![from, into, at],
    )
    .await?;
    tx.exec("DELETE FROM presence WHERE person = $1", args![from])
        .await?;
    for sql in [
        "UPDATE changes SET requester = $2 WHERE requester = $1",
        "UPDATE revisions SET author = $2 WHERE author = $1",
        "UPDATE decisions SET person = $2 WHERE person = $1",
        "UPDATE decisions SET acting_for = $2 WHERE acting_for = $1",
        "UPDATE drafts SET owner = $2 WHERE owner = $1",
        "UPDATE persons SET merged_into = $2, key_issuer = NULL, key_value = NULL WHERE id = $1",
    ] {
        tx.exec(sql, args![from, into]).await?;
    }
    // Whoever read one of their open changes before may take two for different people that are one:
    // with another version nobody goes on with what they read.
    tx.exec(
        "UPDATE changes SET version = version + 1 WHERE state IN ('waiting', 'held', 'queued') AND (requester = $1
             OR current_revision IN (SELECT id FROM revisions WHERE author = $1)
             OR current_revision IN (SELECT revision_id FROM decisions WHERE person = $1))",
        args![into],
    )
    .await?;
    // What they decided on their own requests was never somebody else's decision.
    const OWN: &str = "undone_at IS NULL AND voided_at IS NULL AND person = $1 AND change_id IN (
        SELECT c.id FROM changes c JOIN revisions v ON v.id = c.current_revision
        WHERE c.state IN ('waiting', 'held', 'queued') AND (c.requester = $1 OR v.author = $1))";
    tx.exec(
        format!("UPDATE decisions SET voided_at = $2 WHERE {OWN}"),
        args![into, at],
    )
    .await?;
    Ok(())
}

/// The person of an account that is known, after what the provider says now. A claim that names
/// another known person makes the two one; it never splits anybody in two, because a person with
/// two identities could approve their own changes.
async fn known_person(tx: &mut Conn, account: &Account, s: &SignIn) -> Result<PersonId> {
    let Some(key) = &s.person_key else {
        return Ok(account.person);
    };
    match person_by_key(tx, &s.issuer, key).await? {
        Some(other) if other != account.person => {
            merge(tx, account.person, other, s.at).await?;
            Ok(other)
        }
        Some(same) => Ok(same),
        None => {
            // A new claim for somebody without one is theirs. For somebody who has another one it is a
            // correction when this is their only account; otherwise which account is right is not ours to say.
            tx.exec(
                "UPDATE persons SET key_issuer = $2, key_value = $3 WHERE id = $1
                 AND (key_value IS NULL OR (SELECT count(*) FROM accounts WHERE person_id = $1) = 1)",
                args![account.person, &s.issuer, key],
            )
            .await?;
            Ok(account.person)
        }
    }
}

/// That two persons are one from now on. Who may decide what follows from it.
fn joined(id: RecordId, from: PersonId, account: &Account, s: &SignIn) -> NewRecord {
    NewRecord {
        id,
        at: s.at,
        phase: Phase::Event,
        intent: None,
        action: "person.merge".into(),
        actor: Some(Actor {
            person: account.person,
            account: account.id,
            name: s.name.clone(),
            username: s.username.clone(),
            roles: vec![],
            session: None,
            address: None,
            acting_for: None,
        }),
        object: format!("person:{}", account.person),
        unit: String::new(),
        environment: String::new(),
        change: None,
        reason: Some("The provider says that both accounts are one person's.".into()),
        outcome: Some(RecordOutcome::Success),
        detail: serde_json::json!({ "from": from, "into": account.person }),
        retention: Retention::Decision,
    }
}

async fn new_person(tx: &mut Conn, s: &SignIn, id: PersonId) -> Result<PersonId> {
    tx.exec(
        "INSERT INTO persons (id, name, key_issuer, key_value, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (key_issuer, key_value) DO NOTHING",
        args![id, &s.name, s.person_key.as_ref().map(|_| s.issuer.as_str()), s.person_key.as_deref(), s.at],
    )
    .await?;
    match &s.person_key {
        Some(key) => person_by_key(tx, &s.issuer, key)
            .await?
            .ok_or_else(|| Error::internal("a person vanished while signing in")),
        None => Ok(id),
    }
}

/// Writes what a person is searched by, in lower case as Rust knows it.
async fn put_search(tx: &mut Conn, person: PersonId) -> Result<()> {
    let sql = "SELECT p.name AS name, a.username AS username FROM persons p LEFT JOIN accounts a ON a.person_id = p.id
               WHERE p.id = $1 ORDER BY a.id";
    let mut words: Vec<String> = Vec::new();
    for row in tx.all(sql, args![person]).await? {
        if words.is_empty() {
            words.push(row.text("name")?);
        }
        words.extend(row.opt_text("username")?);
    }
    let search = words.join(" ").to_lowercase();
    let sql = "UPDATE persons SET search = $2 WHERE id = $1";
    tx.exec(sql, args![person, search]).await?;
    Ok(())
}

impl Db {
    /// Makes the persons searchable that a version before migration 17 wrote.
    pub(crate) async fn fill_search(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "SELECT id FROM persons WHERE search = ''";
        for row in tx.all(sql, args![]).await? {
            put_search(&mut tx, row.id("id")?).await?;
        }
        tx.commit().await
    }
}

#[async_trait]
impl PeopleStore for Db {
    async fn sign_in(
        &self,
        s: &SignIn,
        new_person_id: PersonId,
        new_account: AccountId,
    ) -> Result<(Person, Account)> {
        let mut tx = self.begin().await?;
        let find = format!("{ACCOUNT} WHERE issuer = $1 AND subject = $2");
        let known = tx.one(find.clone(), args![&s.issuer, &s.subject]).await?;
        let (person, before) = match known {
            Some(row) => {
                let known = account(&row)?;
                let person = known_person(&mut tx, &known, s).await?;
                (person, Some(known.person))
            }
            None => (new_person(&mut tx, s, new_person_id).await?, None),
        };
        tx.exec(
            "INSERT INTO accounts (id, person_id, issuer, subject, username, name, email, created_at, signed_in_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (issuer, subject) DO UPDATE SET username = excluded.username, name = excluded.name, email = excluded.email,
                 signed_in_at = excluded.signed_in_at",
            args![new_account, person, &s.issuer, &s.subject, &s.username, &s.name, s.email.as_deref(), s.at],
        )
        .await?;
        let row = tx.one(find, args![&s.issuer, &s.subject]).await?;
        let account =
            account(&row.ok_or_else(|| Error::internal("an account vanished while signing in"))?)?;
        tx.exec(
            "UPDATE persons SET name = $2 WHERE id = $1",
            args![account.person, &s.name],
        )
        .await?;
        put_search(&mut tx, account.person).await?;
        let groups = GroupSnapshot {
            groups: s.groups.clone(),
            source: GroupSource::SignIn,
            taken_at: s.at,
        };
        put_groups(&mut tx, account.id, &groups).await?;
        // Only this transaction knows whether persons were joined, so it writes the record of it.
        if let Some(from) = before.filter(|p| *p != person) {
            let id = RecordId(self.entropy.uuid());
            self.append(&mut tx, &[joined(id, from, &account, s)])
                .await?;
        }
        tx.commit().await?;
        Ok((
            Person {
                id: account.person,
                name: s.name.clone(),
            },
            account,
        ))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let row = self
            .read()
            .await?
            .one(format!("{ACCOUNT} WHERE id = $1"), args![id])
            .await?;
        row.map(|r| account(&r)).transpose()
    }

    async fn account_by_subject(&self, issuer: &str, subject: &str) -> Result<Option<Account>> {
        let sql = format!("{ACCOUNT} WHERE issuer = $1 AND subject = $2");
        let row = self.read().await?.one(sql, args![issuer, subject]).await?;
        row.map(|r| account(&r)).transpose()
    }

    async fn person(&self, id: PersonId) -> Result<Option<Person>> {
        let row = self
            .read()
            .await?
            .one("SELECT name FROM persons WHERE id = $1", args![id])
            .await?;
        row.map(|r| {
            Ok(Person {
                id,
                name: r.text("name")?,
            })
        })
        .transpose()
    }

    async fn person_names(&self, ids: &[PersonId]) -> Result<BTreeMap<PersonId, String>> {
        let mut names = BTreeMap::new();
        let mut c = self.read().await?;
        // SQLite takes 32766 values in a query; this stays far below.
        for some in ids.chunks(500) {
            let mut q = Sql::new("SELECT id, name FROM persons WHERE id IN ");
            q.list(some.iter().copied());
            for row in c.all(q.text, q.args).await? {
                names.insert(row.id("id")?, row.text("name")?);
            }
        }
        Ok(names)
    }

    async fn groups(&self, account: AccountId) -> Result<Option<GroupSnapshot>> {
        Ok(newest_groups(&mut self.read().await?, account)
            .await?
            .map(|(_, snapshot)| snapshot))
    }

    async fn record_groups(
        &self,
        account: AccountId,
        snapshot: &GroupSnapshot,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        put_groups(&mut tx, account, snapshot).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }
}
