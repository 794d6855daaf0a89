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

    async fn registry_status(&self, id: RegistryId, status: &SyncStatus) -> Result<()> {
        let mut tx = self.begin().await?;
        registries::status(&mut tx, id, status).await?;
        tx.commit().await
    }

    async fn registry_sync_lease(
        &self,
        id: RegistryId,
        worker: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let taken = registries::lease(&mut tx, id, worker, now, until).await?;
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
    ) -> Result<Vec<Digest>> {
        read::known(&mut self.read().await?, registry, repository, fresh_after).await
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
