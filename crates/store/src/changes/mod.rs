//! Changes, revisions, items and decisions.

mod list;
mod read;
mod write;

use crate::{
    Db,
    arg::args,
    sql::{page_limit, rows},
};
use async_trait::async_trait;
use domain::{Micros, Result, change::*, ids::*, page::Page, place::DeploymentKey};
use services::ports::{
    Approved, ChangeFilter, ChangeRow, ChangeStore, DraftUsed, Fence, NewJob, NewRecord, Reopening,
    Transition,
};
use std::collections::BTreeMap;

/// How long a page counts as open after its last sign of life.
const PRESENCE: i64 = Micros::MINUTE;

#[async_trait]
impl ChangeStore for Db {
    async fn change_create(
        &self,
        change: &Change,
        revision: &Revision,
        items: &[Item],
        jobs: &[NewJob],
        draft: Option<DraftUsed>,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::create(&mut tx, change, revision, items, jobs).await?;
        write::use_draft(&mut tx, draft).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn change_revise(
        &self,
        expected_version: i64,
        change: &Change,
        revision: &Revision,
        items: &[Item],
        jobs: &[NewJob],
        draft: Option<DraftUsed>,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::revise(&mut tx, expected_version, change, revision, items, jobs).await?;
        write::use_draft(&mut tx, draft).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn change_reopen(&self, again: &Reopening, audit: &[NewRecord]) -> Result<()> {
        let mut tx = self.begin().await?;
        write::reopen(&mut tx, again).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn change_get(&self, id: ChangeId) -> Result<Option<Change>> {
        read::change(&mut self.read().await?, id).await
    }

    async fn changes_get(&self, ids: &[ChangeId]) -> Result<Vec<Change>> {
        read::changes(&mut self.read().await?, ids).await
    }

    async fn revision_get(&self, id: RevisionId) -> Result<Option<Revision>> {
        let row = self
            .read()
            .await?
            .one(read::select_revisions("WHERE v.id = $1"), args![id])
            .await?;
        row.map(|r| read::revision(&r)).transpose()
    }

    async fn revisions(&self, change: ChangeId) -> Result<Vec<Revision>> {
        let found = self
            .read()
            .await?
            .all(
                read::select_revisions("WHERE v.change_id = $1 ORDER BY v.number"),
                args![change],
            )
            .await?;
        found.iter().map(read::revision).collect()
    }

    async fn decisions(&self, change: ChangeId) -> Result<Vec<Decision>> {
        let sql = format!(
            "{} WHERE change_id = $1 ORDER BY decided_at, id",
            read::DECISION
        );
        self.read()
            .await?
            .all(sql, args![change])
            .await?
            .iter()
            .map(read::decision)
            .collect()
    }

    async fn approvals(&self, revisions: &[RevisionId]) -> Result<Vec<Decision>> {
        read::approvals(&mut self.read().await?, revisions).await
    }

    async fn items(&self, change: ChangeId) -> Result<Vec<Item>> {
        let found = self
            .read()
            .await?
            .all(
                read::select_items("WHERE i.change_id = $1 ORDER BY i.id"),
                args![change],
            )
            .await?;
        found.iter().map(read::item).collect()
    }

    async fn item_get(&self, id: ItemId) -> Result<Option<Item>> {
        let row = self
            .read()
            .await?
            .one(read::select_items("WHERE i.id = $1"), args![id])
            .await?;
        row.map(|r| read::item(&r)).transpose()
    }

    async fn change_list(
        &self,
        filter: &ChangeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ChangeRow>> {
        list::page(&mut self.read().await?, filter, after, page_limit(limit)).await
    }

    async fn change_count(&self, filter: &ChangeFilter, cap: usize) -> Result<usize> {
        list::count(&mut self.read().await?, filter, cap).await
    }

    async fn decide(
        &self,
        decision: &Decision,
        transition: Option<&Transition>,
        expected_version: i64,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::decide(&mut tx, decision, transition, expected_version).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn undo_decision(
        &self,
        decision: DecisionId,
        now: Micros,
        expected_version: i64,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::undo(&mut tx, decision, now, expected_version).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn holds_over(&self, now: Micros, limit: usize) -> Result<Vec<ChangeId>> {
        let sql = "SELECT id FROM changes WHERE state = 'held' AND hold_until <= $1 ORDER BY hold_until, id LIMIT $2";
        self.read()
            .await?
            .all(sql, args![now, rows(limit)])
            .await?
            .iter()
            .map(|r| r.id("id"))
            .collect()
    }

    async fn waiting_over(&self, now: Micros, limit: usize) -> Result<Vec<ChangeId>> {
        let sql = "SELECT id FROM changes WHERE state = 'waiting' AND expires_at <= $1 ORDER BY expires_at, id LIMIT $2";
        self.read()
            .await?
            .all(sql, args![now, rows(limit)])
            .await?
            .iter()
            .map(|r| r.id("id"))
            .collect()
    }

    async fn transition(
        &self,
        transition: &Transition,
        jobs: &[NewJob],
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::transition(&mut tx, transition, None, jobs).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn item_update(
        &self,
        item: &Item,
        fence: &Fence,
        change_to: Option<&Transition>,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        write::item(&mut tx, item, fence, change_to).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn approved(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
    ) -> Result<Option<(Change, Revision, Item)>> {
        read::approved(&mut self.read().await?, key, namespace_uid).await
    }

    async fn approved_fingerprints(
        &self,
        deployments: &[(DeploymentKey, String)],
    ) -> Result<BTreeMap<DeploymentKey, Approved>> {
        read::approved_fingerprints(&mut self.read().await?, deployments).await
    }

    async fn last_applied(
        &self,
        key: &DeploymentKey,
        namespace_uid: Option<&str>,
    ) -> Result<Option<(Change, Revision, Item)>> {
        read::newest(&mut self.read().await?, key, namespace_uid, "").await
    }

    async fn applied_count(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        until: (Option<Micros>, ItemId),
    ) -> Result<usize> {
        read::applied_count(&mut self.read().await?, key, namespace_uid, until).await
    }

    async fn applied_revisions(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(Change, Revision, Item)>> {
        let limit = page_limit(limit);
        read::applied(&mut self.read().await?, key, namespace_uid, after, limit).await
    }

    async fn last_approved_by(
        &self,
        key: &DeploymentKey,
        namespace_uid: &str,
        person: PersonId,
    ) -> Result<Option<Revision>> {
        read::last_approved_by(&mut self.read().await?, key, namespace_uid, person).await
    }

    async fn presence_put(&self, change: ChangeId, person: PersonId, now: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.exec(
            "DELETE FROM presence WHERE seen_at < $1",
            args![now.plus(-PRESENCE)],
        )
        .await?;
        tx.exec(
            "INSERT INTO presence (change_id, person, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (change_id, person) DO UPDATE SET seen_at = excluded.seen_at",
            args![change, person, now],
        )
        .await?;
        tx.commit().await
    }

    async fn presence(&self, change: ChangeId, now: Micros) -> Result<Vec<(PersonId, Micros)>> {
        let sql = "SELECT person, seen_at FROM presence WHERE change_id = $1 AND seen_at >= $2 ORDER BY seen_at DESC, person LIMIT 50";
        let found = self
            .read()
            .await?
            .all(sql, args![change, now.plus(-PRESENCE)])
            .await?;
        found
            .iter()
            .map(|r| Ok((r.id("person")?, r.at("seen_at")?)))
            .collect()
    }
}
