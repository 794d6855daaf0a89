//! Keeping one cluster watched: connect, look whether it is there, watch, tell what changed.

use crate::{
    cache::{Child, EventPut, PodPut, Space, keep},
    connect::{Connection, WATCH_SECONDS, connect},
    decode, facts,
    link::{CLUSTER_RUNTIMES, Cluster, DEPLOYMENTS, NAMESPACES, QUOTAS, RUNTIMES, Watching},
    pack::Packed,
    rest::{Ask, Failure, ask},
    watch::{Watch, noted},
};
use domain::{access::Scope, ids::ClusterId};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Event, LimitRange, Namespace, Node, Pod, ResourceQuota},
};
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher::Config,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs until told to stop.
pub(crate) async fn run(cluster: Arc<Cluster>, stop: CancellationToken) {
    let mut pause = cluster.timing.probe_again;
    while !stop.is_cancelled() {
        match connect(&cluster.config).await {
            Err(problem) => away(&cluster, problem),
            Ok(connection) => {
                cluster.standing_mut().server = connection.server.clone();
                if session(&cluster, &connection, &stop).await {
                    pause = cluster.timing.probe_again;
                }
                cluster.set_connection(None);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(cluster.timing.watch_backoff);
    }
}

fn away(cluster: &Cluster, problem: String) {
    let mut standing = cluster.standing_mut();
    if standing.problem.as_deref() != Some(&problem) {
        tracing::warn!(cluster = cluster.name(), problem, "a cluster is away");
    }
    standing.reachable = false;
    standing.problem = Some(problem);
    drop(standing);
    cluster.changed.notify_one();
}

/// Why a cluster cannot be used just now.
enum Absence {
    /// The same credentials may work again later.
    Away(String),
    /// Only a new reading of the configuration can help; until then nothing may be sent.
    Unusable(String),
}

/// Looks whether the cluster is there and still the same one: its identity is the UID of
/// `kube-system`.
async fn probe(cluster: &Cluster, connection: &Connection) -> Result<(), Absence> {
    let answer = ask(
        &connection.call,
        Ask::get("/api/v1/namespaces/kube-system", cluster.timing.probe),
    )
    .await;
    let uid = match answer.and_then(|a| a.json::<Value>()) {
        Ok(v) => v
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        Err(Failure::Refused(s)) if s.code == 401 => {
            return Err(Absence::Unusable("the cluster does not accept the console's credentials; renew them in the kubeconfig".into()));
        }
        Err(Failure::Refused(s)) if s.code == 403 => {
            return Err(Absence::Unusable("the console may not read namespaces in this cluster; apply the roles of the installation guide".into()));
        }
        Err(Failure::Refused(s)) => {
            return Err(Absence::Away(format!(
                "the cluster's API server is failing (HTTP {})",
                s.code
            )));
        }
        Err(Failure::Timeout) => {
            return Err(Absence::Away(format!(
                "the cluster's API server does not answer within {} s",
                cluster.timing.probe.as_secs()
            )));
        }
        Err(Failure::NotConnected) => {
            return Err(Absence::Away(
                "nothing listens at the API server's address, or it cannot be reached".into(),
            ));
        }
        Err(Failure::Lost | Failure::TooLarge) => {
            return Err(Absence::Away("the connection to the API server breaks: it is restarting, its certificate is not trusted, or a proxy is in between".into()));
        }
    };
    if uid.is_empty() {
        return Err(Absence::Away(
            "what answers at this address is not a Kubernetes API server".into(),
        ));
    }
    let now = cluster.clock.now();
    let mut standing = cluster.standing_mut();
    match &standing.id {
        Some(known) if known.0 != uid => {
            return Err(Absence::Unusable("another cluster answers at this address than before; nothing of it is shown. If that is meant, restart the console".into()));
        }
        Some(_) => {}
        None => standing.id = Some(ClusterId(uid)),
    }
    let back = !standing.reachable;
    standing.reachable = true;
    standing.problem = None;
    standing.heard = Some(now);
    drop(standing);
    if back {
        tracing::info!(cluster = cluster.name(), "a cluster is there");
        cluster.back.notify_waiters();
        cluster.changed.notify_one();
    }
    Ok(())
}

/// One use of one set of clients. Answers whether the cluster was there at all.
async fn session(
    cluster: &Arc<Cluster>,
    connection: &Connection,
    stop: &CancellationToken,
) -> bool {
    if let Err(Absence::Away(problem) | Absence::Unusable(problem)) =
        probe(cluster, connection).await
    {
        away(cluster, problem);
        return false;
    }
    // Only now, when it is known to be the same cluster as before, may calls go out.
    cluster.set_connection(Some(connection.clone()));
    let stop = stop.child_token();
    let _ends_with_us = stop.clone().drop_guard();
    let mut tasks = watches(cluster, connection, &stop);
    tasks.spawn(facts::run(
        cluster.clone(),
        connection.clone(),
        stop.clone(),
    ));
    let mut missed = 0u32;
    loop {
        let wait = if missed == 1 {
            cluster.timing.probe_again
        } else {
            cluster.timing.probe_every
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
        match probe(cluster, connection).await {
            Ok(()) => missed = 0,
            Err(Absence::Unusable(problem)) => {
                away(cluster, problem);
                break;
            }
            Err(Absence::Away(problem)) => {
                missed = missed.saturating_add(1);
                if missed >= 2 {
                    away(cluster, problem);
                }
            }
        }
    }
    stop.cancel();
    // Watches end at the next await; a task that hangs in a call is dropped with the set.
    let _ = tokio::time::timeout(Duration::from_secs(2), async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
    true
}

/// Starts a watch for each kind.
fn watches(
    cluster: &Arc<Cluster>,
    connection: &Connection,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    macro_rules! watch {
        ($kind:expr, $api:expr, $config:expr, $read:expr, $put:expr) => {{
            let client = noted(&connection.watch, cluster, $kind);
            tasks.spawn(
                Watch {
                    kind: $kind,
                    api: $api(client),
                    config: $config,
                    read: $read,
                    put: $put,
                }
                .run(cluster.clone(), stop.clone()),
            )
        }};
    }
    let any = || Config::default().timeout(WATCH_SECONDS);
    let custom = |group: &str, version: &str, kind: &str, plural: &str| {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        move |client: Client| -> Api<DynamicObject> { Api::all_with(client, &resource) }
    };

    watch!(
        DEPLOYMENTS,
        custom(
            "serving.kserve.io",
            "v1beta1",
            "InferenceService",
            "inferenceservices"
        ),
        any(),
        |o: &DynamicObject| serde_json::to_value(o).ok().map(|v| Packed::new(&v)),
        |c: &Cluster, change| c.data_mut().objects(change)
    );
    watch!(
        "deployments.apps",
        Api::<Deployment>::all,
        any().labels(decode::ISVC_LABEL),
        |d: &Deployment| decode::isvc_of(&d.metadata).map(|owner| Child {
            owner: owner.to_owned(),
            value: Packed::new(&decode::workload(d))
        }),
        |c: &Cluster, change| c.data_mut().workloads(change)
    );
    watch!(
        "pods",
        Api::<Pod>::all,
        any(),
        |p: &Pod| {
            Some(PodPut {
                owner: decode::isvc_of(&p.metadata)
                    .map(|o| (o.to_owned(), Packed::new(&decode::pod(p)))),
                node: p
                    .spec
                    .as_ref()
                    .and_then(|s| s.node_name.clone())
                    .filter(|n| !n.is_empty() && decode::runs(p)),
                requests: decode::requests(p),
            })
        },
        |c: &Cluster, change| c.data_mut().pods(change)
    );
    watch!(
        "nodes",
        Api::<Node>::all,
        any(),
        |n: &Node| Some(decode::node(n)),
        |c: &Cluster, change| keep(&mut c.data_mut().nodes, change)
    );
    let labels = cluster.labels.clone();
    watch!(
        NAMESPACES,
        Api::<Namespace>::all,
        any(),
        move |n: &Namespace| {
            let label = |key: &str| {
                decode::label(&n.metadata, key)
                    .unwrap_or_default()
                    .to_owned()
            };
            Some(Space {
                uid: n.metadata.uid.clone().unwrap_or_default(),
                scope: Scope {
                    unit: label(&labels.business_unit),
                    environment: label(&labels.environment),
                },
            })
        },
        |c: &Cluster, change| c.data_mut().namespaces(change)
    );
    watch!(
        QUOTAS,
        Api::<ResourceQuota>::all,
        any(),
        |q: &ResourceQuota| Some(decode::quota(q)),
        |c: &Cluster, change| keep(&mut c.data_mut().quotas, change)
    );
    watch!(
        "limitranges",
        Api::<LimitRange>::all,
        any(),
        |l: &LimitRange| Some(decode::limit_range(l)),
        |c: &Cluster, change| keep(&mut c.data_mut().limit_ranges, change)
    );
    let runtime = |o: &DynamicObject| decode::runtime(&o.metadata, &o.data);
    watch!(
        RUNTIMES,
        custom(
            "serving.kserve.io",
            "v1alpha1",
            "ServingRuntime",
            "servingruntimes"
        ),
        any(),
        runtime,
        |c: &Cluster, change| keep(&mut c.data_mut().runtimes, change)
    );
    watch!(
        CLUSTER_RUNTIMES,
        custom(
            "serving.kserve.io",
            "v1alpha1",
            "ClusterServingRuntime",
            "clusterservingruntimes"
        ),
        any(),
        runtime,
        |c: &Cluster, change| keep(&mut c.data_mut().cluster_runtimes, change)
    );
    watch!(
        "clusterstoragecontainers.serving.kserve.io",
        custom(
            "serving.kserve.io",
            "v1alpha1",
            "ClusterStorageContainer",
            "clusterstoragecontainers"
        ),
        any(),
        |o: &DynamicObject| Some(decode::storage(&o.data)),
        |c: &Cluster, change| {
            keep(&mut c.data_mut().storage, change);
            c.facts_due.notify_one();
        }
    );
    watch!(
        "httproutes.gateway.networking.k8s.io",
        custom("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
        any(),
        |o: &DynamicObject| {
            let owner = decode::isvc_of(&o.metadata)?.to_owned();
            Some(Child {
                owner,
                value: Packed::new(&decode::route(o.metadata.name.as_deref()?, &o.data)),
            })
        },
        |c: &Cluster, change| c.data_mut().routes(change)
    );
    watch!(
        "configmaps (inferenceservice-config)",
        |client| Api::<ConfigMap>::namespaced(client, &cluster.config.kserve_namespace),
        any().fields("metadata.name=inferenceservice-config"),
        |m: &ConfigMap| Some(facts::settings(m.data.as_ref()?)),
        |c: &Cluster, change| {
            facts::put_settings(&mut c.data_mut().settings, change);
            c.facts_due.notify_one();
        }
    );
    let (cluster, stop, api) = (
        cluster.clone(),
        stop.clone(),
        Api::<Event>::all(noted(&connection.watch, cluster, "events")),
    );
    tasks.spawn(async move {
        // Events are told apart by the objects that they are about: those come first.
        wait_for_objects(&cluster, &stop).await;
        let watch = Watch {
            kind: "events",
            api,
            config: Config::default().timeout(WATCH_SECONDS),
            read: |e: &Event| {
                let about = &e.involved_object;
                Some(EventPut {
                    kind: about.kind.clone()?,
                    object: about.name.clone()?,
                    value: Packed::new(&decode::event(e)),
                })
            },
            put: |c: &Cluster, change| c.data_mut().events(change),
        };
        watch.run(cluster, stop).await;
    });
    tasks
}

/// Until deployments, their workloads and pods are there, or are known not to come; not for ever.
async fn wait_for_objects(cluster: &Cluster, stop: &CancellationToken) {
    for _ in 0..100 {
        let ready = {
            let standing = cluster.standing();
            [DEPLOYMENTS, "deployments.apps", "pods"].iter().all(|k| {
                standing
                    .watches
                    .get(k)
                    .is_some_and(|w| *w != Watching::Starting)
            })
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(if ready { 0 } else { 100 })) => {}
        }
        if ready {
            return;
        }
    }
}
