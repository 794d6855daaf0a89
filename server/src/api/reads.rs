//! What can be read: one call of a service each, its view as it is.

use super::{Asker, Problem, query::*};
use crate::edge::AppState;
use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use domain::{artifact::ArtifactKind, page::Page, place::DeploymentKey};
use services::{
    catalog::{ModelView, VersionView},
    changes::ChangeView,
    clusters::ClusterRow,
    deployments::{DeploymentList, DeploymentView},
    ports::*,
};

type Answer<T> = Result<Json<T>, Problem>;

/// An id of the path; what is none is "not found", as an unknown one is.
pub(super) fn id<T: std::str::FromStr<Err = domain::Error>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(Problem::from)
}

pub async fn models(
    State(state): State<AppState>,
    Asker(caller): Asker,
    RawQuery(raw): RawQuery,
) -> Answer<Page<ModelRow>> {
    let q = Query::read(raw.as_deref(), MODELS)?;
    let filter = CatalogFilter {
        text: q.text("q"),
        registries: q.each("registry", |r| r.parse().ok())?,
        tasks: q.all("task"),
        formats: q.all("format"),
        licences: q.all("licence"),
        kinds: q.each("kind", ArtifactKind::from_name)?,
        signatures: q.all("signature"),
        scans: q.all("scan"),
        sort: q.each("sort", named)?.pop().unwrap_or_default(),
    };
    let catalog = &state.services.catalog;
    Ok(Json(
        catalog
            .list(&caller, &filter, q.after(), q.limit()?)
            .await?,
    ))
}

pub async fn model(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path(model): Path<String>,
    RawQuery(raw): RawQuery,
) -> Answer<ModelView> {
    let q = Query::read(raw.as_deref(), AFTER)?;
    let catalog = &state.services.catalog;
    Ok(Json(catalog.model(&caller, id(&model)?, q.after()).await?))
}

pub async fn version(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path(version): Path<String>,
) -> Answer<VersionView> {
    let catalog = &state.services.catalog;
    Ok(Json(catalog.version(&caller, id(&version)?).await?))
}

pub async fn deployments(
    State(state): State<AppState>,
    Asker(caller): Asker,
    RawQuery(raw): RawQuery,
) -> Answer<DeploymentList> {
    let q = Query::read(raw.as_deref(), DEPLOYMENTS)?;
    let filter = RowFilter {
        clusters: q.all("cluster"),
        namespaces: q.all("namespace"),
        units: q.all("unit"),
        environments: q.all("environment"),
        states: q.each("state", named)?,
        text: q.text("q"),
        unhealthy: q.get("unhealthy").is_some(),
        ..Default::default()
    };
    let service = &state.services.deployments;
    let mut list = service
        .list(&caller, &filter, q.after(), q.limit()?)
        .await?;
    // Where the API servers are is for those who may see the clusters; the list needs their age only.
    for cluster in &mut list.clusters {
        cluster.server.clear();
    }
    Ok(Json(list))
}

pub async fn deployment(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path((cluster, namespace, name)): Path<(String, String, String)>,
) -> Answer<DeploymentView> {
    let key = DeploymentKey::new(cluster, namespace, name);
    Ok(Json(state.services.deployments.get(&caller, &key).await?))
}

pub async fn changes(
    State(state): State<AppState>,
    Asker(caller): Asker,
    RawQuery(raw): RawQuery,
) -> Answer<Page<ChangeRow>> {
    let q = Query::read(raw.as_deref(), CHANGES)?;
    let filter = ChangeFilter {
        states: q.each("state", named)?,
        kinds: q.each("kind", named)?,
        text: q.text("q"),
        ..Default::default()
    };
    let service = &state.services.changes;
    Ok(Json(
        service
            .list(&caller, &filter, q.after(), q.limit()?)
            .await?,
    ))
}

pub async fn change(
    State(state): State<AppState>,
    Asker(caller): Asker,
    Path(change): Path<String>,
) -> Answer<ChangeView> {
    Ok(Json(
        state.services.changes.get(&caller, id(&change)?).await?,
    ))
}

pub async fn clusters(
    State(state): State<AppState>,
    Asker(caller): Asker,
) -> Answer<Page<ClusterRow>> {
    let rows = state.services.clusters.list(&caller).await?;
    Ok(Json(Page { rows, next: None }))
}

pub async fn registries(
    State(state): State<AppState>,
    Asker(caller): Asker,
) -> Answer<Page<RegistryRow>> {
    let rows = state.services.registries.list(&caller).await?;
    Ok(Json(Page { rows, next: None }))
}

pub async fn audit(
    State(state): State<AppState>,
    Asker(caller): Asker,
    RawQuery(raw): RawQuery,
) -> Answer<Page<Record>> {
    let q = Query::read(raw.as_deref(), AUDIT)?;
    let (limit, after) = (q.limit()?, q.text("after"));
    let filter = app::pages::audit::filter_of(&q.for_pages())?;
    let log = &state.services.audit;
    Ok(Json(
        log.list(&caller, &filter, after.as_deref(), limit).await?,
    ))
}
