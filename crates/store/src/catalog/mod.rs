//! The catalogue: registries, models, versions, tags and facts.

mod list;
mod read;
mod registries;
mod write;

use crate::{Db, sql::page_limit};
use async_trait::async_trait;
use domain::{Micros, Result, ids::*, page::Page};
use services::ports::*;

#[async_trait]
impl CatalogStore for Db {
    async fn registries(&self) -> Result<Vec<RegistryRow>> {
        registries::all(&mut self.read().await?).await
    }

    async fn registry(&self, id: RegistryId) -> Result<Option<RegistryRow>> {
        registries::get(&mut self.read().await?, id).await
    }

    async fn registry_put(
        &self,
        row: &RegistryRow,
        expected_version: Option<i64>,
        audit: &[NewRecord],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::put(&mut tx, row, expected_version).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn registry_delete(&self, id: RegistryId, audit: &[NewRecord]) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::delete(&mut tx, id).await?;
        self.append(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn registry_token(
        &self,
        id: RegistryId,
        sealed: &[u8],
        audit: &[NewRecord],
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        if !registries::token(&mut tx, id, sealed).await? {
            return Ok(false);
        }
        self.append(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn registry_want(
        &self,
        id: RegistryId,
        repositories: &[String],
        at: Micros,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::want(&mut tx, id, repositories, at).await?;
        tx.commit().await
    }

    async fn registry_sync_start(
        &self,
        id: RegistryId,
        owner: &str,
        at: Micros,
    ) -> Result<Option<Wanted>> {
        let mut tx = self.begin().await?;
        let wanted = registries::start(&mut tx, id, owner, at).await?;
        tx.commit().await?;
        Ok(wanted)
    }

    async fn registry_wanted_done(&self, id: RegistryId, before: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::wanted_done(&mut tx, id, before).await?;
        tx.commit().await
    }

    async fn registry_release(&self, worker: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::release(&mut tx, worker).await?;
        tx.commit().await
    }

    async fn registry_status(
        &self,
        id: RegistryId,
        owner: &str,
        status: &SyncStatus,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let written = registries::status(&mut tx, id, owner, status).await?;
        tx.commit().await?;
        Ok(written)
    }

    async fn registry_sync_lease(
        &self,
        id: RegistryId,
        owner: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let taken = registries::lease(&mut tx, id, owner, now, until).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn version_put(
        &self,
        found: &FoundVersion,
        new_model: ModelId,
        new_version: VersionId,
    ) -> Result<VersionId> {
        let mut tx = self.begin().await?;
        let id = write::put(&mut tx, found, new_model, new_version).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn version_known(
        &self,
        registry: RegistryId,
        repository: &str,
        fresh_after: Micros,
    ) -> Result<Vec<KnownVersion>> {
        read::known(&mut self.read().await?, registry, repository, fresh_after).await
    }

    async fn version_repositories(&self, registry: RegistryId) -> Result<Vec<String>> {
        read::repositories(&mut self.read().await?, registry).await
    }

    async fn version_mark_gone(
        &self,
        registry: RegistryId,
        repository: &str,
        present: &[(String, Digest)],
        at: Micros,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let marked = write::mark_gone(&mut tx, registry, repository, present, at).await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// Models that have a version in the registry now. Rows carry no list of files: that comes with
    /// [`CatalogStore::version`].
    async fn model_list(
        &self,
        filter: &CatalogFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ModelRow>> {
        list::page(&mut self.read().await?, filter, after, page_limit(limit)).await
    }

    async fn model_facets(&self, filter: &CatalogFilter) -> Result<Facets> {
        list::facets(&mut self.read().await?, filter).await
    }

    async fn model(&self, id: ModelId) -> Result<Option<ModelRow>> {
        read::model(&mut self.read().await?, id).await
    }

    async fn versions(
        &self,
        model: ModelId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<VersionRow>> {
        read::versions(&mut self.read().await?, model, after, page_limit(limit)).await
    }

    async fn version(&self, id: VersionId) -> Result<Option<(ModelRow, VersionRow)>> {
        Ok(
            read::whole(&mut self.read().await?, "v.id = $1", id.to_string())
                .await?
                .pop(),
        )
    }

    async fn version_card(&self, id: VersionId) -> Result<Option<String>> {
        read::card(&mut self.read().await?, id).await
    }

    async fn versions_by_digest(&self, digest: &Digest) -> Result<Vec<(ModelRow, VersionRow)>> {
        read::whole(&mut self.read().await?, "v.digest = $1", digest.to_string()).await
    }
}
