//! Server-side apply of plain objects, without a list of kinds in the code.

use crate::error::{Error, Result};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// Applies objects to one cluster under one field manager.
#[derive(Debug)]
pub struct Applier {
    cluster: String,
    client: DebugClient,
    manager: String,
    known: Mutex<HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>>,
}

struct DebugClient(kube::Client);

impl std::fmt::Debug for DebugClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Applier {
    /// An applier for `cluster` (a name for errors).
    pub fn new(cluster: &str, client: kube::Client, manager: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            client: DebugClient(client),
            manager: manager.to_owned(),
            known: Mutex::new(HashMap::new()),
        }
    }

    /// Applies objects in order; each must carry `apiVersion`, `kind` and `metadata.name`. A
    /// `status` is applied too. Kinds that the API server does not know yet (a definition that
    /// was applied just before) are waited for.
    ///
    /// # Errors
    /// The first object that is refused, by name.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        for object in objects {
            self.apply_one(object).await?;
        }
        Ok(())
    }

    /// Applies objects that do not depend on each other, several at a time.
    ///
    /// # Errors
    /// One object that is refused, by name.
    pub async fn apply_unordered(&self, objects: &[Value]) -> Result<()> {
        use futures::{StreamExt, TryStreamExt};
        futures::stream::iter(objects)
            .map(|object| self.apply_one(object))
            .buffer_unordered(16)
            .try_collect::<()>()
            .await
    }

    async fn apply_one(&self, object: &Value) -> Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (Some(api_version), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            return Err(Error::other(format!(
                "an object without apiVersion, kind or name: {object}"
            )));
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = self.resource(&gvk).await?;
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.0.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(
                self.client.0.clone(),
                text("/metadata/namespace").unwrap_or("default"),
                &resource,
            ),
        };
        let params = PatchParams::apply(&self.manager).force();
        let what = format!("applying {kind} {name}");
        let mut main = object.clone();
        let status = main
            .as_object_mut()
            .and_then(|fields| fields.remove("status"));
        api.patch(name, &params, &Patch::Apply(&main))
            .await
            .map_err(Error::kube(&self.cluster, &what))?;
        if let Some(status) = status {
            let patch = serde_json::json!({
                "apiVersion": api_version,
                "kind": kind,
                "metadata": {"name": name},
                "status": status,
            });
            api.patch_status(name, &params, &Patch::Apply(&patch))
                .await
                .map_err(Error::kube(&self.cluster, format!("{what} (status)")))?;
        }
        Ok(())
    }

    async fn resource(&self, gvk: &GroupVersionKind) -> Result<(ApiResource, ApiCapabilities)> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(gvk) {
            return Ok(found.clone());
        }
        let mut tries = 0;
        loop {
            match kube::discovery::pinned_kind(&self.client.0, gvk).await {
                Ok(found) => {
                    known.insert(gvk.clone(), found.clone());
                    return Ok(found);
                }
                Err(error) => {
                    tries += 1;
                    if tries == 100 {
                        return Err(Error::kube(
                            &self.cluster,
                            format!("finding {}/{} {}", gvk.group, gvk.version, gvk.kind),
                        )(error));
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Reads a YAML text of several documents.
///
/// # Errors
/// When it is not YAML.
pub fn parse_yaml(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(Error::other)?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// Applies a YAML text of several documents, in order.
///
/// # Errors
/// When it is not YAML or the API server refuses an object.
pub async fn apply_yaml(applier: &Applier, text: &str) -> Result<()> {
    applier.apply(&parse_yaml(text)?).await
}
