//! The catalogue: what registries hold, and how it can be served.

use crate::{Caller, Ctx, authz::Action, markdown, ports::*};
use domain::{Error, Result, artifact::Servability, ids::*, observed::Row, page::Page};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

impl VersionView {
    /// Why nobody can deploy it, whatever their rights; `None`: they can.
    pub fn cannot_deploy(&self) -> Option<String> {
        cannot_deploy(&self.version, &self.serving)
    }
}

fn cannot_deploy(version: &VersionRow, serving: &[(String, Servability)]) -> Option<String> {
    let why = if !version.kind.holds_model() {
        "It holds no model."
    } else if version.gone_at.is_some() {
        "It is no longer in the registry, so a pod could not fetch it."
    } else if serving.is_empty() {
        "No cluster is connected that could serve it."
    } else if serving.iter().all(|(_, s)| s.ways.is_empty()) {
        "No cluster can serve it as it is."
    } else {
        return None;
    };
    Some(why.into())
}

/// Everything the model page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    pub model: ModelRow,
    pub versions: Page<VersionRow>,
    pub card_html: Option<String>,
    pub may_deploy: bool,
    /// Why nobody can deploy these versions, of the shown ones and the newest; the others can be.
    #[serde(skip)]
    pub cannot: BTreeMap<VersionId, String>,
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
        let url = self.registry_url(&model).await?;
        let cannot = versions
            .rows
            .iter()
            .chain([&model.latest])
            .filter_map(|v| Some((v.id, cannot_deploy(v, &self.serving(&model, v, &url))?)))
            .collect();
        Ok(ModelView {
            cannot,
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
        let url = self.registry_url(&model).await?;
        let serving = self.serving(&model, &version, &url);
        Ok(VersionView {
            card_html: card.as_deref().map(markdown::render),
            may_deploy: self.0.policy.may_anywhere(caller, Action::RequestChange),
            model,
            version,
            serving,
            runs,
        })
    }

    async fn registry_url(&self, model: &ModelRow) -> Result<String> {
        let registry = self.0.store.registry(model.registry).await?;
        Ok(registry.map(|r| r.url).unwrap_or_default())
    }

    /// How each cluster could serve it.
    fn serving(
        &self,
        model: &ModelRow,
        version: &VersionRow,
        registry_url: &str,
    ) -> Vec<(String, Servability)> {
        let clusters = &self.0.clusters;
        clusters
            .names()
            .into_iter()
            .map(|cluster| {
                let facts = clusters.facts(&cluster);
                let way = crate::facts::serving(model, version, registry_url, facts.as_deref());
                (cluster, way)
            })
            .collect()
    }
}

fn no_model() -> Error {
    Error::not_found("the catalogue has no such model or version")
        .remedy("It may have been removed; search the catalogue.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::artifact::{ArtifactKind, ModelFacts, Scheme, SignatureFact, Way};

    #[test]
    fn what_no_cluster_can_serve_is_not_offered() {
        let version = VersionRow {
            id: VersionId(uuid::Uuid::from_u128(1)),
            model: ModelId(uuid::Uuid::from_u128(2)),
            digest: Digest::of(b"x"),
            tags: vec![],
            kind: ArtifactKind::KitOps,
            facts: ModelFacts::default(),
            created_at: None,
            first_seen: domain::Micros(1),
            observed_at: domain::Micros(1),
            gone_at: None,
            platforms: vec![],
            signature: SignatureFact::Unsigned,
            scan: None,
            pickle: None,
        };
        let blocked = Servability {
            ways: vec![],
            obstacles: vec![],
        };
        let works = Servability {
            ways: vec![Way {
                scheme: Scheme::OciNative,
                uri: "oci+native://r/x".into(),
                formats: vec![],
                how: String::new(),
                needs: vec![],
            }],
            obstacles: vec![],
        };
        let on = |name: &str, s: &Servability| (name.to_owned(), s.clone());
        let why = cannot_deploy(&version, &[on("a", &blocked), on("b", &blocked)]);
        assert!(why.expect("nowhere").contains("No cluster can serve it"));
        assert_eq!(
            cannot_deploy(&version, &[on("a", &blocked), on("b", &works)]),
            None
        );
        assert!(cannot_deploy(&version, &[]).is_some());
        let gone = VersionRow {
            gone_at: Some(domain::Micros(2)),
            ..version
        };
        assert!(cannot_deploy(&gone, &[on("b", &works)]).is_some());
    }
}
