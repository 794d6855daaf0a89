//! Puts the definitions, runtimes, settings and webhook configurations into a
//! cluster. Every step may be repeated.

use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;
use kube::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{MANAGER, Server};
use super::settings::{CONFIG_MAP, NAMESPACE, Settings, config_map};
use super::webhook::WebhookEndpoint;
use super::{Error, runtimes, schema};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Annotation with the hash of what was installed.
const CONTENT: &str = "world.gatehouse.dev/content";
const PAUSE: Duration = Duration::from_millis(50);
/// How often a step is tried while the API server learns a new kind.
const TRIES: u32 = 400;

/// Installs everything that the stand-in needs; `definitions` loads the
/// resource definitions of a folder (`*.yaml`) before the stand-in's own,
/// which then fill in only the kinds that the folder lacks.
///
/// # Errors
/// When the folder cannot be read or the API server refuses an object.
pub async fn install(
    client: &Client,
    webhook: &WebhookEndpoint,
    definitions: Option<&Path>,
) -> Result<(), Error> {
    let server = Server::new(client.clone());
    let definitions = match definitions {
        Some(folder) => completed(from_folder(folder)?),
        None => schema::definitions(),
    };
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let put = definitions.iter().map(|one| put_definition(&server, one));
    let changed: Vec<bool> = try_join_all(put).await?;
    apply(&server, "/api/v1/namespaces", &namespace).await?;

    let config_path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    match server.create(&config_path, &config_map()).await {
        // What somebody has set there stays.
        Err(error) if error.is_conflict() => {}
        other => {
            other?;
        }
    }
    if let Some(current) = server.get(&format!("{config_path}/{CONFIG_MAP}")).await? {
        webhook.configure(&Settings::from_config_map(&current));
    }

    for configuration in webhook.configurations() {
        let kind = configuration["kind"].as_str().unwrap_or_default();
        let plural = format!("{}s", kind.to_lowercase());
        let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        apply(&server, &path, &configuration).await?;
    }
    let new = definitions.iter().zip(changed).filter(|(_, new)| *new);
    try_join_all(new.map(|(one, _)| established(&server, one))).await?;
    let serving = "/apis/serving.kserve.io/v1alpha1";
    let collection = format!("{serving}/clusterservingruntimes");
    let runtimes = runtimes::cluster_serving_runtimes();
    try_join_all(runtimes.iter().map(|one| apply(&server, &collection, one))).await?;
    let storage = runtimes::storage_container();
    apply(
        &server,
        &format!("{serving}/clusterstoragecontainers"),
        &storage,
    )
    .await?;
    gateway(&server).await
}

/// The Gateway that HTTPRoutes name, where the Gateway API is installed.
async fn gateway(server: &Server) -> Result<(), Error> {
    let group = "/apis/gateway.networking.k8s.io/v1";
    if server.get(group).await?.is_none() {
        return Ok(());
    }
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "world"},
        "spec": {"controllerName": super::gateway::CONTROLLER},
    });
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "kserve-ingress-gateway", "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": "world",
            "listeners": [{
                "name": "http",
                "protocol": "HTTP",
                "port": 80,
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }],
        },
    });
    apply(server, &format!("{group}/gatewayclasses"), &class).await?;
    let path = format!("{group}/namespaces/{NAMESPACE}/gateways");
    apply(server, &path, &gateway).await
}

async fn apply(server: &Server, collection: &str, object: &Value) -> Result<(), Error> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{collection}/{name}");
    for _ in 0..TRIES {
        match server.apply(&path, object, MANAGER).await {
            // A kind that was just defined may not be served yet.
            Err(error) if error.is_not_found() => tokio::time::sleep(PAUSE).await,
            other => return other.map(|_| ()),
        }
    }
    Err(Error::new(format!(
        "{path}: the API server does not serve this kind"
    )))
}

/// A definition that stands there with this very content is left alone: the
/// larger ones cost the API server a second. Says whether it was written.
async fn put_definition(server: &Server, definition: &Value) -> Result<bool, Error> {
    let name = definition["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{DEFINITIONS}/{name}");
    let content = hex::encode(Sha256::digest(definition["spec"].to_string()));
    let mut definition = definition.clone();
    definition["metadata"]["annotations"][CONTENT] = json!(content);
    for _ in 0..TRIES {
        let result = match server.get(&path).await? {
            None => server.create(DEFINITIONS, &definition).await,
            Some(current) if current["metadata"]["annotations"][CONTENT] == content => {
                return Ok(false);
            }
            Some(current) => {
                let mut next = definition.clone();
                next["metadata"]["resourceVersion"] =
                    current["metadata"]["resourceVersion"].clone();
                server.replace(&path, &next).await
            }
        };
        match result {
            Err(error) if error.is_conflict() => tokio::time::sleep(PAUSE).await,
            other => return other.map(|_| true),
        }
    }
    Err(Error::new(format!(
        "{path}: somebody else keeps changing it"
    )))
}

async fn established(server: &Server, definition: &Value) -> Result<(), Error> {
    let name = definition["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{DEFINITIONS}/{name}");
    let mut last = Value::Null;
    for _ in 0..TRIES {
        last = server.get(&path).await?.unwrap_or_default()["status"]["conditions"].take();
        let is = |kind: &str| {
            last.as_array()
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        if is("Established") {
            return Ok(());
        }
        if is("NonStructuralSchema") {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::new(format!("{name} is not established: {last}")))
}

/// The resource definitions in a folder's YAML files, in the order of their
/// names.
fn from_folder(folder: &Path) -> Result<Vec<Value>, Error> {
    let failed =
        |what: &Path, why: &dyn std::fmt::Display| Error::new(format!("{}: {why}", what.display()));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| failed(folder, &error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        })
        .collect();
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&file, &error))?;
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).map_err(|error| failed(&file, &error))?;
        definitions.extend(
            documents
                .into_iter()
                .filter(|document| document["kind"] == "CustomResourceDefinition"),
        );
    }
    if definitions.is_empty() {
        return Err(failed(
            folder,
            &"no CustomResourceDefinition in any *.yaml file of this folder",
        ));
    }
    Ok(definitions)
}

/// A folder's definitions with the stand-in's for the kinds that are missing.
fn completed(mut given: Vec<Value>) -> Vec<Value> {
    let names = schema::names_of(&given);
    given.extend(schema::definitions().into_iter().filter(|own| {
        own["metadata"]["name"]
            .as_str()
            .is_some_and(|name| !names.iter().any(|given| given == name))
    }));
    given
}
