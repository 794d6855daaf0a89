//! What a cluster is and how its KServe is set up.

use crate::{
    cache::{Change, KserveSettings, UriFormats},
    connect::Connection,
    link::Cluster,
    rest::{Ask, Failure, ask},
};
use domain::{isvc::Mode, observed::ClusterFacts};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio_util::sync::CancellationToken;

/// KServe's schemas embed whole pod specifications.
const MAX_SCHEMA: usize = 64 * 1024 * 1024;

/// Reads the facts at the start, when something that they depend on changes, and from time to time.
pub(crate) async fn run(cluster: Arc<Cluster>, connection: Connection, stop: CancellationToken) {
    loop {
        if let Some(facts) = read(&cluster, &connection).await {
            cluster.set_facts(facts);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = cluster.facts_due.notified() => {}
            () = tokio::time::sleep(cluster.timing.facts_every) => {}
        }
        // Several watches start at once: one reading for all of them.
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(cluster.timing.coalesce) => {}
        }
    }
}

/// `None`: the cluster does not even tell its version; what was known stays.
async fn read(cluster: &Cluster, connection: &Connection) -> Option<ClusterFacts> {
    let get = |path: &str, limit: usize| {
        let path = path.to_owned();
        let within = cluster.timing.call
            * if limit > crate::rest::MAX_ANSWER {
                3
            } else {
                1
            };
        async move {
            ask(
                &connection.call,
                Ask {
                    limit,
                    ..Ask::get(&path, within)
                },
            )
            .await
        }
    };
    let version = get("/version", 64 * 1024)
        .await
        .ok()?
        .json::<Value>()
        .ok()?;
    let known = cluster.facts().unwrap_or_default();
    let groups = match get("/apis", 4 * 1024 * 1024)
        .await
        .and_then(|a| a.json::<Groups>())
    {
        Ok(g) => g.groups.into_iter().map(|g| g.name).collect(),
        Err(_) => known.groups.clone(),
    };
    let canary_field = match get("/openapi/v3/apis/serving.kserve.io/v1beta1", MAX_SCHEMA).await {
        Ok(answer) => declares_canary(&answer.body),
        Err(Failure::Refused(s)) if s.code == 404 => false,
        Err(_) => known.canary_field,
    };
    let kserve_version = match get(
        &controller_path(&cluster.config.kserve_namespace),
        4 * 1024 * 1024,
    )
    .await
    {
        Ok(answer) => answer
            .json::<Value>()
            .ok()
            .as_ref()
            .and_then(controller_version),
        Err(Failure::Refused(_)) => None,
        Err(_) => known.kserve_version.clone(),
    };
    let version_known = kserve_version.as_deref().and_then(older_mode_names);
    let data = cluster.data();
    let settings = data.settings.clone().unwrap_or_default();
    // Where neither the controller nor its ConfigMap can be seen (a distribution puts them elsewhere),
    // what runs tells.
    let older_mode_names = version_known.unwrap_or_else(|| match &settings.default_mode {
        Some(_) => settings.older_mode_names,
        None => {
            let objects = data.deployments.values().flat_map(BTreeMap::values);
            older_by_status(objects.filter_map(|e| e.object.as_ref()?.get()).take(20))
        }
    });
    let all = |part: fn(&UriFormats) -> &Vec<String>| -> Vec<String> {
        let mut list: Vec<String> = data.storage.values().flat_map(part).cloned().collect();
        list.sort();
        list.dedup();
        list
    };
    Some(ClusterFacts {
        kubernetes_version: version
            .get("gitVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        kserve_version,
        default_mode: settings.default_mode,
        older_mode_names,
        gateway_api: settings.gateway_api,
        modelcar: settings.modelcar,
        oci_fetch: settings.oci_fetch,
        oci_mode: settings.oci_mode,
        canary_field,
        groups,
        storage_prefixes: all(|(p, _)| p),
        storage_regexes: all(|(_, r)| r),
    })
}

/// Does this version call the modes `RawDeployment` and `Serverless`? `Standard` and `Knative` came with
/// 0.16, which rewrites the older names. `None` where the tag is no version of KServe's, such as a
/// distribution's own.
fn older_mode_names(version: &str) -> Option<bool> {
    let minor = version.trim_start_matches('v').strip_prefix("0.")?;
    let digits = minor.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(digits.parse::<u32>().ok()? < 16)
}

/// Does a status have a mode's older name? KServe writes there what it calls it itself.
fn older_by_status(mut objects: impl Iterator<Item = Value>) -> bool {
    objects.any(|o| {
        let written = o.pointer("/status/deploymentMode").and_then(Value::as_str);
        written.is_some_and(|w| Mode::parse(w).is_some_and(|m| m.older_name() == w))
    })
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

/// Where the Deployment of KServe's controller stands; Open Data Hub keeps the name.
fn controller_path(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments/kserve-controller-manager")
}

/// The tag of the controller's image: container `manager`, else the first. A digest alone says nothing.
fn controller_version(deployment: &Value) -> Option<String> {
    let containers = deployment
        .pointer("/spec/template/spec/containers")?
        .as_array()?;
    let manager = containers
        .iter()
        .find(|c| c.get("name").and_then(Value::as_str) == Some("manager"))
        .or_else(|| containers.first())?;
    let image = manager.get("image")?.as_str()?;
    let unpinned = image.split('@').next()?;
    let (_, tag) = unpinned.rsplit('/').next()?.split_once(':')?;
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// Does the InferenceService's schema declare `spec.canary`? Read without keeping the schema.
fn declares_canary(document: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Document {
        components: Option<Components>,
    }
    #[derive(Deserialize)]
    struct Components {
        schemas: BTreeMap<String, Schema>,
    }
    #[derive(Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: Option<Properties>,
    }
    #[derive(Deserialize)]
    struct Properties {
        #[serde(default)]
        spec: Option<Spec>,
    }
    #[derive(Deserialize)]
    struct Spec {
        #[serde(default)]
        properties: Option<BTreeMap<String, IgnoredAny>>,
    }
    let Ok(document) = serde_json::from_slice::<Document>(document) else {
        return false;
    };
    document
        .components
        .into_iter()
        .flat_map(|c| c.schemas)
        .filter(|(name, _)| name == "InferenceService" || name.ends_with(".InferenceService"))
        .filter_map(|(_, s)| s.properties?.spec?.properties)
        .any(|p| p.contains_key("canary"))
}

/// KServe's ConfigMap holds a JSON document under each key.
pub(crate) fn settings(data: &BTreeMap<String, String>) -> KserveSettings {
    let part = |key: &str| -> Value {
        data.get(key)
            .and_then(|t| serde_json::from_str(t).ok())
            .unwrap_or(Value::Null)
    };
    let (deploy, ingress, storage) = (part("deploy"), part("ingress"), part("storageInitializer"));
    let written = deploy.get("defaultDeploymentMode").and_then(Value::as_str);
    let mode = written.and_then(Mode::parse);
    let flag = |v: &Value, key: &str| v.get(key).and_then(Value::as_bool);
    KserveSettings {
        default_mode: mode.map_or(written, |m| Some(m.name())).map(str::to_owned),
        older_mode_names: mode.is_some_and(|m| written == Some(m.older_name())),
        gateway_api: flag(&ingress, "enableGatewayApi"),
        modelcar: flag(&storage, "enableModelcar"),
        oci_fetch: flag(&storage, "enableOciModelSupport"),
        oci_mode: storage
            .get("ociModelMode")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

/// There is one such ConfigMap, so the cache has one place for it.
pub(crate) fn put_settings(slot: &mut Option<KserveSettings>, change: Change<KserveSettings>) {
    *slot = match change {
        Change::Put(_, s) => Some(s),
        Change::Gone(_) => None,
        Change::All(list) => list.into_iter().next().map(|(_, s)| s),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_is_the_tag_of_the_controllers_image() {
        let d = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "p:1"}, {"name": "manager", "image": image}]}}}});
        assert_eq!(
            controller_version(&d("kserve/kserve-controller:v0.20.0")).as_deref(),
            Some("v0.20.0")
        );
        assert_eq!(
            controller_version(&d("reg:5000/kserve/kserve-controller:v0.20.0@sha256:00"))
                .as_deref(),
            Some("v0.20.0")
        );
        assert_eq!(
            controller_version(&d("reg:5000/kserve/kserve-controller@sha256:00")),
            None
        );
    }

    #[test]
    fn modes_have_their_older_names_before_0_16() {
        for (version, older) in [
            ("v0.15.2", Some(true)),
            ("0.9.0-rc1", Some(true)),
            ("v0.16.0", Some(false)),
            ("v0.20.0", Some(false)),
            ("v2.16.0", None),
            ("latest", None),
        ] {
            assert_eq!(older_mode_names(version), older, "{version}");
        }
        let told = |mode: &str| {
            older_by_status([json!({}), json!({"status": {"deploymentMode": mode}})].into_iter())
        };
        assert!(told("RawDeployment") && told("Serverless"));
        assert!(!told("Standard") && !told("ModelMesh"));
    }

    #[test]
    fn the_canary_field_is_found_in_the_schema() {
        let doc = |spec: Value| {
            json!({"components": {"schemas": {"io.kserve.serving.v1beta1.InferenceService": {"properties": {"spec": {"properties": spec}, "metadata": {}}},
            "io.kserve.serving.v1beta1.InferenceServiceList": {"properties": {"items": {}}}}}}).to_string()
        };
        assert!(declares_canary(
            doc(json!({"canary": {"type": "array"}})).as_bytes()
        ));
        assert!(!declares_canary(doc(json!({"predictor": {}})).as_bytes()));
        assert!(!declares_canary(b"nonsense"));
    }

    #[test]
    fn settings_are_json_in_a_config_map() {
        let data = [
            ("deploy".to_owned(), r#"{"defaultDeploymentMode": "RawDeployment"}"#.to_owned()),
            ("ingress".to_owned(), r#"{"enableGatewayApi": true}"#.to_owned()),
            ("storageInitializer".to_owned(), r#"{"enableModelcar": true, "enableOciModelSupport": false, "ociModelMode": "native"}"#.to_owned()),
        ];
        let s = settings(&data.into());
        assert_eq!(
            (
                s.default_mode.as_deref(),
                s.older_mode_names,
                s.gateway_api,
                s.modelcar,
                s.oci_fetch,
                s.oci_mode.as_deref()
            ),
            (
                Some("Standard"),
                true,
                Some(true),
                Some(true),
                Some(false),
                Some("native")
            )
        );
        assert_eq!(
            settings(&[("deploy".to_owned(), "{".to_owned())].into()),
            KserveSettings::default()
        );
    }
}
