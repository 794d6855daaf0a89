//! Makes the InferenceServices as a platform engineer does with kubectl: with that account's
//! rights, under kubectl's field managers, and with the annotation that `kubectl apply` leaves.

use super::Shelf;
use super::services::{self, Service, Then};
use crate::addresses::{ClusterAddresses, WorldAddresses};
use crate::error::{Error, Result};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::time::Duration;

/// Who made them.
const ACCOUNT: &str = "platform";
/// What `kubectl apply` without `--server-side` calls itself.
const APPLY: &str = "kubectl-client-side-apply";
/// What `kubectl edit` calls itself.
const EDIT: &str = "kubectl-edit";
/// Where `kubectl apply` remembers what it was given.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How often, and how far apart, it is asked whether something is ready: two minutes in all.
const READY_TRIES: u32 = 600;
const READY_PAUSE: Duration = Duration::from_millis(200);

/// Creates every service of the clusters that this world runs, and edits those that are to be.
///
/// # Errors
/// What an API server refused. A world without KServe's definitions gets no services.
pub(super) async fn create(world: &WorldAddresses, shelf: &Shelf<'_>) -> Result<()> {
    let all = services::all(shelf);
    futures::future::try_join_all(world.clusters.iter().map(|cluster| {
        let here: Vec<&Service> = all.iter().filter(|s| s.cluster == cluster.name).collect();
        fill(cluster, here)
    }))
    .await?;
    Ok(())
}

async fn fill(cluster: &ClusterAddresses, services: Vec<&Service>) -> Result<()> {
    let client = cluster.as_account(ACCOUNT).await?;
    let kind = GroupVersionKind::gvk("serving.kserve.io", "v1beta1", "InferenceService");
    let Ok((resource, _)) = kube::discovery::pinned_kind(&client, &kind).await else {
        return Ok(());
    };
    quotas_hold(cluster, &cluster.admin().await?).await?;
    // An edited one first: it needs a whole node for itself until it is ready.
    let (edited, others): (Vec<_>, Vec<_>) =
        services.into_iter().partition(|s| s.then == Then::Edited);
    for group in [edited, others] {
        futures::stream::iter(group)
            .map(|service| one(cluster, &client, &resource, service))
            .buffer_unordered(8)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

/// Waits until the quotas count. A pod that is made before a quota's status says what it allows is let in
/// beyond it, and the world would not be the same each time.
async fn quotas_hold(cluster: &ClusterAddresses, client: &kube::Client) -> Result<()> {
    let quotas: Api<ResourceQuota> = Api::all(client.clone());
    for _ in 0..READY_TRIES {
        let all = quotas
            .list(&ListParams::default())
            .await
            .map_err(Error::kube(&cluster.name, "reading the quotas"))?;
        let counts = |q: &ResourceQuota| q.status.as_ref().is_some_and(|s| s.hard.is_some());
        if all.items.iter().all(counts) {
            return Ok(());
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    tracing::warn!(cluster = cluster.name, "some quota does not count yet");
    Ok(())
}

async fn one(
    cluster: &ClusterAddresses,
    client: &kube::Client,
    resource: &ApiResource,
    service: &Service,
) -> Result<()> {
    let text = |pointer: &str| {
        let value = service.object.pointer(pointer).and_then(Value::as_str);
        value.expect("every service has a name and a namespace")
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    let what = format!("making InferenceService {namespace}/{name}");
    let mut object = service.object.clone();
    // kubectl ends the line that it remembers.
    let remembered = format!("{object}\n");
    object["metadata"]["annotations"][LAST_APPLIED] = json!(remembered);
    let object: DynamicObject = serde_json::from_value(object).map_err(Error::other)?;
    let params = PostParams {
        field_manager: Some(APPLY.to_owned()),
        ..PostParams::default()
    };
    api.create(&params, &object)
        .await
        .map_err(Error::kube(&cluster.name, &what))?;
    if service.then == Then::Edited {
        edit(cluster, &api, name).await?;
    }
    Ok(())
}

/// Waits until a service is ready and lets it take longer prompts. An edit before that would
/// replace a pod that never served, so a machine too slow to get there keeps the first version.
async fn edit(cluster: &ClusterAddresses, api: &Api<DynamicObject>, name: &str) -> Result<()> {
    let what = format!("editing InferenceService {name}");
    let mut ready = false;
    for _ in 0..READY_TRIES {
        let now = api
            .get(name)
            .await
            .map_err(Error::kube(&cluster.name, &what))?;
        ready = is_ready(&now.data);
        if ready {
            break;
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    if !ready {
        tracing::warn!(
            cluster = cluster.name,
            name,
            "not ready in time, so not edited"
        );
        return Ok(());
    }
    let patch = json!({"spec": {"predictor": {"model": {"args": [
        "--tensor-parallel-size=4", "--max-model-len=32768", "--enable-prefix-caching",
    ]}}}});
    let params = PatchParams {
        field_manager: Some(EDIT.to_owned()),
        ..PatchParams::default()
    };
    api.patch(name, &params, &Patch::Merge(&patch))
        .await
        .map_err(Error::kube(&cluster.name, &what))?;
    Ok(())
}

fn is_ready(data: &Value) -> bool {
    let conditions = data["status"]["conditions"].as_array();
    conditions.is_some_and(|list| {
        list.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}
