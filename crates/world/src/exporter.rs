//! **A stand-in for what model servers and GPUs export.** No model runs here, so nothing measures
//! one: for the services of the seed that have running pods this answers Prometheus with numbers
//! that go on where the seeded week ends, under the same names and labels.

use crate::addresses::WorldAddresses;
use crate::error::{Error, Result};
use crate::seed;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked which pods run: as often as Prometheus asks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Cluster, namespace and name of the services that have a running pod.
type Serving = BTreeSet<(String, String, String)>;

/// Answers Prometheus until told to stop.
///
/// # Errors
/// When its port is taken or a cluster's credentials cannot be read.
pub(crate) async fn start(
    world: &WorldAddresses,
    shutdown: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>> {
    let port = world.prometheus.exporter_port;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| Error::other(format!("the exporter's port {port}: {e}")))?;
    let mut clusters = Vec::new();
    for cluster in &world.clusters {
        clusters.push((cluster.name.clone(), cluster.controller().await?));
    }
    let serving: Arc<Mutex<Serving>> = Arc::default();
    let (shown, data) = (serving.clone(), world.prometheus.data_dir.clone());
    let answer = move || {
        let serving = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = seed::metrics_now(&data, Timestamp::now(), |cluster, namespace, name| {
            serving.contains(&(cluster.into(), namespace.into(), name.into()))
        });
        async move { ([(CONTENT_TYPE, FORMAT)], text) }
    };
    let router = Router::new().route("/metrics", get(answer));
    Ok(tokio::spawn(async move {
        let stopped = shutdown.clone();
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let looking = async {
            loop {
                let now = look(&clusters).await;
                *serving.lock().unwrap_or_else(PoisonError::into_inner) = now;
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        };
        let (served, ()) = tokio::join!(served.into_future(), looking);
        if let Err(error) = served {
            tracing::error!(%error, "the exporter ended");
        }
    }))
}

async fn look(clusters: &[(String, kube::Client)]) -> Serving {
    let mut serving = Serving::new();
    for (cluster, client) in clusters {
        let pods: Api<Pod> = Api::all(client.clone());
        let ours = ListParams::default().labels("serving.kserve.io/inferenceservice");
        // A cluster that does not answer has nothing to be measured either.
        let Ok(Ok(pods)) = tokio::time::timeout(LOOK_EVERY, pods.list(&ours)).await else {
            continue;
        };
        serving.extend(pods.items.into_iter().filter_map(|pod| {
            let ready = pod
                .status?
                .conditions?
                .iter()
                .any(|c| c.type_ == "Ready" && c.status == "True");
            let mut labels = pod.metadata.labels?;
            let name = labels.remove("serving.kserve.io/inferenceservice")?;
            ready.then_some((cluster.clone(), pod.metadata.namespace?, name))
        }));
    }
    serving
}
