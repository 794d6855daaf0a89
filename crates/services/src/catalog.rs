//! The catalogue: what registries hold, and how it can be served.

use crate::{Caller, Ctx, authz::Action, markdown, ports::*};
use domain::{Error, Result, artifact::Servability, ids::*, observed::Row, page::Page};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Catalog(pub(crate) Ctx);

/// Everything the version page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionView {
    pub model: ModelRow,
    pub version: VersionRow,
    /// Safe HTML.
    pub card_html: Option<String>,
    /// How each cluster could serve it, or why not.
    pub serving: Vec<(String, Servability)>,
    /// Where it runs, of what the caller may see.
    pub runs: Vec<Row>,
    pub may_deploy: bool,
}

/// Everything the model page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    pub model: ModelRow,
    pub versions: Page<VersionRow>,
    pub card_html: Option<String>,
    pub may_deploy: bool,
}

impl Catalog {
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &CatalogFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ModelRow>> {
        self.0
            .require_anywhere(caller, Action::ViewCatalog, "catalog")
            .await?;
        self.0
            .store
            .model_list(filter, after, limit.min(domain::page::MAX_LIMIT))
            .await
    }

    pub async fn facets(&self, caller: &Caller, filter: &CatalogFilter) -> Result<Facets> {
        self.0
            .require_anywhere(caller, Action::ViewCatalog, "catalog")
            .await?;
        self.0.store.model_facets(filter).await
    }

    pub async fn model(
        &self,
        caller: &Caller,
        id: ModelId,
        after: Option<&str>,
    ) -> Result<ModelView> {
        self.0
            .require_anywhere(caller, Action::ViewCatalog, "catalog")
            .await?;
        let model = self.0.store.model(id).await?.ok_or_else(no_model)?;
        let versions = self
            .0
            .store
            .versions(id, after, domain::page::DEFAULT_LIMIT)
            .await?;
        let card = self.0.store.version_card(model.latest.id).await?;
        Ok(ModelView {
            card_html: card.as_deref().map(markdown::render),
            may_deploy: self.0.policy.may_anywhere(caller, Action::RequestChange),
            model,
            versions,
        })
    }

    pub async fn version(&self, caller: &Caller, id: VersionId) -> Result<VersionView> {
        self.0
            .require_anywhere(caller, Action::ViewCatalog, "catalog")
            .await?;
        let (model, version) = self.0.store.version(id).await?.ok_or_else(no_model)?;
        let card = self.0.store.version_card(id).await?;
        let runs = self.0.clusters.rows(
            &RowFilter {
                digest: Some(version.digest.to_string()),
                scopes: self.0.policy.scopes(caller, Action::ViewDeployment),
                ..Default::default()
            },
            None,
            50,
            self.0.clock.now(),
        );
        let registry_url = self
            .0
            .store
            .registry(model.registry)
            .await?
            .map(|r| r.url)
            .unwrap_or_default();
        let serving = self
            .0
            .clusters
            .names()
            .into_iter()
            .map(|cluster| {
                let facts = self.0.clusters.facts(&cluster);
                let way = crate::facts::serving(&model, &version, &registry_url, facts.as_deref());
                (cluster, way)
            })
            .collect();
        Ok(VersionView {
            card_html: card.as_deref().map(markdown::render),
            may_deploy: self.0.policy.may_anywhere(caller, Action::RequestChange),
            model,
            version,
            serving,
            runs,
        })
    }
}

fn no_model() -> Error {
    Error::not_found("the catalogue has no such model or version")
        .remedy("It may have been removed; search the catalogue.")
}
