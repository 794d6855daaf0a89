//! The stand-in for KServe's controller against real API servers: what the
//! recordings in `testdata/observed` show must be seen there too. Needs a
//! running world; `GATEHOUSE_WORLD` names its `world.json` (`cargo xtask test`
//! sets it).

use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use world::WorldAddresses;

const PATIENCE: Duration = Duration::from_secs(60);
const TIMELINES: &str = include_str!("../testdata/observed/timelines.jsonl");

async fn admin(cluster: &str) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = std::env::var_os("GATEHOUSE_WORLD")
        .map(PathBuf::from)
        .expect(
            "GATEHOUSE_WORLD must name the world.json of a running world: run `cargo xtask test`",
        );
    let world = WorldAddresses::read(&file).expect("a world.json");
    let cluster = world.cluster(cluster).expect("a cluster of the world");
    cluster.admin().await.expect("a client")
}

fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// A namespace of one test. It goes with the test; after a failure it stays,
/// so that one can look at it.
struct Room {
    client: Client,
    namespace: String,
}

impl Room {
    async fn new(cluster: &str, name: &str) -> Self {
        let client = admin(cluster).await;
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": format!("contract-{name}-")},
        });
        let created = namespaces(&client)
            .create(
                &PostParams::default(),
                &serde_json::from_value(object).expect("an object"),
            )
            .await
            .expect("a namespace");
        let namespace = created.name_any();
        Self { client, namespace }
    }

    async fn end(self) {
        namespaces(&self.client)
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .expect("the namespace goes");
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, resource)
    }

    fn services(&self) -> Api<DynamicObject> {
        self.api(&kind(
            "serving.kserve.io",
            "v1beta1",
            "InferenceService",
            "inferenceservices",
        ))
    }

    async fn apply(&self, isvc: &Value) -> kube::Result<Value> {
        self.apply_with(isvc, &PatchParams::apply("gatehouse"))
            .await
    }

    async fn dry_run(&self, isvc: &Value) -> kube::Result<Value> {
        self.apply_with(isvc, &PatchParams::apply("gatehouse").dry_run())
            .await
    }

    async fn apply_with(&self, isvc: &Value, params: &PatchParams) -> kube::Result<Value> {
        let name = isvc["metadata"]["name"].as_str().expect("a name");
        self.services()
            .patch(name, params, &Patch::Apply(isvc))
            .await
            .map(|object| serde_json::to_value(object).expect("JSON"))
    }

    /// The lines of a service's life from now on, as the recorder wrote them,
    /// until `done` says that it has seen enough.
    async fn follow(&self, name: &str, done: impl Fn(&Value) -> bool) -> (Vec<Value>, Value) {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = Box::pin(watcher(self.services(), config).applied_objects());
        let mut lines: Vec<Value> = Vec::new();
        let followed = tokio::time::timeout(PATIENCE, async {
            while let Some(object) = events.try_next().await.expect("a watch") {
                let object = serde_json::to_value(object).expect("JSON");
                let line = line(&object);
                if lines.last() != Some(&line) {
                    lines.push(line);
                }
                if done(&object) {
                    return object;
                }
            }
            panic!("the watch ended");
        })
        .await;
        match followed {
            Ok(object) => (lines, object),
            Err(_) => panic!("{name} did not get there; its life so far: {lines:#?}"),
        }
    }

    async fn until(&self, name: &str, done: impl Fn(&Value) -> bool) -> Value {
        self.follow(name, done).await.1
    }

    async fn names(&self, resource: &ApiResource) -> Vec<String> {
        let list = self.api(resource).list(&ListParams::default()).await;
        list.expect("a list")
            .iter()
            .map(ResourceExt::name_any)
            .collect()
    }

    /// Waits until a list of names is as it should be.
    async fn names_become(&self, resource: &ApiResource, wanted: &[&str]) {
        let config = watcher::Config::default();
        let mut events = Box::pin(watcher(self.api(resource), config));
        let reached = tokio::time::timeout(PATIENCE, async {
            loop {
                if self.names(resource).await == wanted {
                    return;
                }
                events.next().await;
            }
        });
        if reached.await.is_err() {
            panic!("{:?} instead of {wanted:?}", self.names(resource).await);
        }
    }

    /// Service names and weights behind the top-level route.
    async fn weights(&self, name: &str, wanted: &[(&str, i64)]) {
        let routes = self.api(&routes());
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = Box::pin(watcher(self.api(&self::routes()), config));
        let read = || async {
            let route = routes.get(name).await.expect("a route");
            route.data["spec"]["rules"][0]["backendRefs"]
                .as_array()
                .expect("backends")
                .iter()
                .map(|backend| {
                    let name = backend["name"].as_str().unwrap_or_default().to_owned();
                    (name, backend["weight"].as_i64().unwrap_or(1))
                })
                .collect::<Vec<_>>()
        };
        let wanted: Vec<(String, i64)> = wanted
            .iter()
            .map(|(name, weight)| ((*name).to_owned(), *weight))
            .collect();
        let reached = tokio::time::timeout(PATIENCE, async {
            while read().await != wanted {
                events.next().await;
            }
        });
        if reached.await.is_err() {
            panic!("{:?} instead of {wanted:?}", read().await);
        }
    }
}

fn namespaces(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &kind("", "v1", "Namespace", "namespaces"))
}

async fn gone(api: &Api<DynamicObject>, name: &str, uid: Option<String>) {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = Box::pin(watcher(api.clone(), config));
    tokio::time::timeout(PATIENCE, async {
        while api
            .get_opt(name)
            .await
            .expect("an answer")
            .and_then(|o| o.uid())
            == uid
            && uid.is_some()
        {
            events.next().await;
        }
    })
    .await
    .expect("it goes away");
}

fn routes() -> ApiResource {
    kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
}

fn deployments() -> ApiResource {
    kind("apps", "v1", "Deployment", "deployments")
}

fn hpas() -> ApiResource {
    kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    )
}

fn pods() -> ApiResource {
    kind("", "v1", "Pod", "pods")
}

/// Conditions only: the order in which copies are counted depends on which
/// watch is first.
fn line(isvc: &Value) -> Value {
    let mut line = serde_json::Map::new();
    for condition in isvc["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |key: &str| general(condition[key].as_str().unwrap_or_default());
        line.insert(
            text("type"),
            json!([text("status"), text("reason"), text("message")]),
        );
    }
    Value::Object(line)
}

/// Takes the names that differ from run to run out of a message.
fn general(text: &str) -> String {
    match text.split_once("ReplicaSet \"") {
        Some((before, rest)) => {
            let after = rest.split_once('"').map_or("", |(_, after)| after);
            format!("{before}ReplicaSet \"…\"{after}")
        }
        None if text.starts_with("pods \"") => "quota".to_owned(),
        None => text.to_owned(),
    }
}

fn recorded(scenario: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = TIMELINES
        .lines()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .filter(|line| line["scenario"] == scenario)
        .map(|line| {
            line["conditions"]
                .as_object()
                .expect("conditions")
                .iter()
                .map(|(kind, parts)| {
                    let parts: Vec<String> = parts
                        .as_array()
                        .expect("three parts")
                        .iter()
                        .map(|part| general(part.as_str().unwrap_or_default()))
                        .collect();
                    (kind.clone(), json!(parts))
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect();
    lines.dedup();
    lines
}

/// What was seen happened in the recorded order and came to the recorded end.
fn follows(seen: &[Value], scenario: &str) {
    let recorded = recorded(scenario);
    let mut rest = recorded.iter();
    for line in seen {
        assert!(
            rest.any(|known| known == line),
            "{scenario}: {line:#} is not recorded at this point; seen: {seen:#?}"
        );
    }
    assert_eq!(seen.last(), recorded.last(), "{scenario}: the end");
}

fn isvc(name: &str) -> Value {
    let resources = json!({"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "1"});
    json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": predictor(&resources)},
    })
}

fn predictor(resources: &Value) -> Value {
    json!({
        "minReplicas": 1,
        "maxReplicas": 3,
        "model": {
            "modelFormat": {"name": "vLLM"},
            "runtime": "kserve-vllmserver",
            "storageUri": storage(3),
            "resources": {"limits": resources, "requests": resources},
        },
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    })
}

fn storage(number: u8) -> String {
    format!("oci+native://registry.example/models/llama@sha256:{number:064}")
}

fn condition<'a>(isvc: &'a Value, kind: &str) -> &'a Value {
    isvc["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind)
        .unwrap_or(&Value::Null)
}

fn loaded(isvc: &Value) -> bool {
    condition(isvc, "Ready")["status"] == "True"
        && isvc["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_update_stop_start_delete() {
    let room = Room::new("onprem-1", "life").await;
    room.apply(&isvc("llama")).await.expect("accepted");
    let (seen, object) = room.follow("llama", loaded).await;
    follows(&seen, "ready");
    assert_eq!(object["metadata"]["annotations"]["modelFormat"], "vLLM");
    assert_eq!(
        object["spec"]["predictor"]["model"]["protocolVersion"],
        "v2"
    );
    assert_eq!(object["spec"]["predictor"]["model"]["name"], "");
    assert_eq!(
        object["status"]["clusterServingRuntimeName"],
        "kserve-vllmserver"
    );
    assert_eq!(object["status"]["observedGeneration"], 1);
    assert_eq!(object["status"]["modelStatus"]["copies"]["totalCopies"], 1);
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["inferenceservice.finalizers"])
    );
    let managers: Vec<&str> = object["metadata"]["managedFields"]
        .as_array()
        .expect("managers")
        .iter()
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    assert_eq!(managers, ["gatehouse", "kserve-manager", "kserve-manager"]);
    assert_eq!(room.names(&deployments()).await, ["llama-predictor"]);
    assert_eq!(room.names(&hpas()).await, ["llama-predictor"]);
    assert_eq!(room.names(&routes()).await, ["llama", "llama-predictor"]);

    let mut next = isvc("llama");
    next["spec"]["predictor"]["model"]["storageUri"] = json!(storage(4));
    room.apply(&next).await.expect("accepted");
    let (seen, object) = room
        .follow("llama", |isvc| {
            isvc["status"]["observedGeneration"] == 2
                && condition(isvc, "PredictorReady")["reason"] == "NewReplicaSetAvailable"
                && isvc["status"]["modelStatus"]["copies"]["totalCopies"] == 1
        })
        .await;
    assert!(
        seen.iter().all(|line| line["Ready"][0] == "True"),
        "an update never leaves Ready: {seen:#?}"
    );
    assert_eq!(
        object["status"]["modelStatus"]["transitionStatus"],
        "UpToDate"
    );

    next["metadata"]["annotations"]["serving.kserve.io/stop"] = json!("true");
    room.apply(&next).await.expect("accepted");
    let stopped = room
        .until("llama", |isvc| {
            condition(isvc, "Stopped")["status"] == "True"
        })
        .await;
    assert_eq!(condition(&stopped, "Ready")["reason"], "Stopped");
    assert_eq!(
        stopped["status"]["modelStatus"],
        json!({"transitionStatus": ""})
    );
    assert!(stopped["status"].get("observedGeneration").is_none());
    for resource in [deployments(), hpas(), routes(), pods()] {
        room.names_become(&resource, &[]).await;
    }

    next["metadata"]["annotations"]
        .as_object_mut()
        .expect("annotations")
        .remove("serving.kserve.io/stop");
    room.apply(&next).await.expect("accepted");
    room.until("llama", loaded).await;

    let services = room.services();
    let uid = services.get("llama").await.expect("it is there").uid();
    services
        .delete("llama", &DeleteParams::default())
        .await
        .expect("deleted");
    gone(&services, "llama", uid).await;
    room.names_become(&deployments(), &[]).await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_life_of_a_canary() {
    let room = Room::new("onprem-1", "canary").await;
    let canary = |name: &str, number: u8, percent: i64, gpus: &str| {
        let resources = json!({"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": gpus});
        let mut predictor = predictor(&resources);
        predictor
            .as_object_mut()
            .expect("an object")
            .remove("maxReplicas");
        predictor["name"] = json!(name);
        predictor["model"]["storageUri"] = json!(storage(number));
        json!([{"predictor": predictor, "trafficPercent": percent}])
    };
    let canary_is = |up: bool| {
        move |isvc: &Value| {
            isvc["status"]["canaryStatuses"][0]["ready"] == up
                && condition(isvc, "CanaryPredictorReady")["status"]
                    == if up { "True" } else { "False" }
        }
    };
    let mut object = isvc("llama");
    room.apply(&object).await.expect("accepted");
    room.until("llama", loaded).await;
    room.weights("llama", &[("llama-predictor", 1)]).await;

    object["spec"]["canary"] = canary("v2", 5, 0, "1");
    room.apply(&object).await.expect("a dark launch");
    room.until("llama", canary_is(true)).await;
    room.weights(
        "llama",
        &[("llama-predictor", 100), ("llama-v2-predictor", 0)],
    )
    .await;
    let pods_before = room.names(&pods()).await;

    object["spec"]["canary"] = canary("v2", 5, 50, "1");
    room.apply(&object).await.expect("more traffic");
    room.weights(
        "llama",
        &[("llama-predictor", 50), ("llama-v2-predictor", 50)],
    )
    .await;
    assert_eq!(room.names(&pods()).await, pods_before);

    // Promotion: the canary's name and specification become the stable ones.
    let mut promoted = isvc("llama");
    promoted["spec"]["predictor"]["name"] = json!("v2");
    promoted["spec"]["predictor"]["model"]["storageUri"] = json!(storage(5));
    room.apply(&promoted).await.expect("promotion");
    room.weights("llama", &[("llama-v2-predictor", 1)]).await;
    room.names_become(&deployments(), &["llama-v2-predictor"])
        .await;
    let after = room
        .until("llama", |isvc| {
            isvc["status"].get("canaryStatuses").is_none()
        })
        .await;
    assert_eq!(after["status"]["observedGeneration"], 1, "it stays behind");
    let kept: Vec<String> = pods_before
        .into_iter()
        .filter(|name| name.starts_with("llama-v2-predictor"))
        .collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    room.names_become(&pods(), &kept).await;

    promoted["spec"]["canary"] = canary("v3", 6, 10, "64");
    room.apply(&promoted)
        .await
        .expect("a canary that fits nowhere");
    let waiting = room.until("llama", canary_is(false)).await;
    assert_eq!(
        condition(&waiting, "CanaryPredictorReady")["reason"],
        "CanariesNotReady"
    );
    assert_eq!(condition(&waiting, "Ready")["status"], "True");
    room.weights("llama", &[("llama-v2-predictor", 100)]).await;

    promoted["spec"]
        .as_object_mut()
        .expect("a spec")
        .remove("canary");
    room.apply(&promoted).await.expect("rolled back");
    room.weights("llama", &[("llama-v2-predictor", 1)]).await;
    room.names_become(&deployments(), &["llama-v2-predictor"])
        .await;
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_do_not_come_up() {
    let room = Room::new("onprem-1", "trouble").await;
    let quota = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "20"}},
    });
    room.api(&kind("", "v1", "ResourceQuota", "resourcequotas"))
        .create(
            &PostParams::default(),
            &serde_json::from_value(quota).expect("an object"),
        )
        .await
        .expect("a quota");

    let gpus = |name: &str, gpus: &str| {
        let mut object = isvc(name);
        let resources = json!({"nvidia.com/gpu": gpus});
        object["spec"]["predictor"]["model"]["resources"] =
            json!({"limits": resources, "requests": resources});
        object
    };
    let settled = |reason: &'static str| {
        move |isvc: &Value| condition(isvc, "PredictorReady")["reason"] == reason
    };

    room.apply(&gpus("toobig", "16")).await.expect("accepted");
    let (seen, _) = room
        .follow("toobig", settled("MinimumReplicasUnavailable"))
        .await;
    follows(&seen, "unschedulable");

    room.apply(&gpus("quota", "21")).await.expect("accepted");
    let (seen, object) = room.follow("quota", settled("FailedCreate")).await;
    follows(&seen, "quota");
    let message = condition(&object, "PredictorReady")["message"].as_str();
    assert!(
        message.is_some_and(|text| text.contains("exceeded quota: q")),
        "{message:?}"
    );

    let mut object = isvc("noruntime");
    object["spec"]["predictor"]["model"]["modelFormat"]["name"] = json!("gguf");
    object["spec"]["predictor"]["model"]
        .as_object_mut()
        .expect("a model")
        .remove("runtime");
    room.apply(&object).await.expect("accepted");
    let (seen, object) = room
        .follow("noruntime", |isvc| {
            isvc["status"]["modelStatus"]["transitionStatus"] == "InvalidSpec"
        })
        .await;
    follows(&seen, "no-runtime");
    assert_eq!(
        object["status"]["modelStatus"]["lastFailureInfo"]["reason"],
        "NoSupportingRuntime"
    );

    let mut object = isvc("keda");
    object["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] = json!("keda");
    room.apply(&object).await.expect("accepted");
    let (seen, _) = room.follow("keda", settled("ReconcileFailed")).await;
    follows(&seen, "keda-absent");

    let mut object = isvc("zero");
    object["spec"]["predictor"]["minReplicas"] = json!(0);
    room.apply(&object).await.expect("accepted");
    let (seen, _) = room.follow("zero", loaded).await;
    follows(&seen, "min-zero-standard");
    let hpa = room
        .api(&hpas())
        .get("zero-predictor")
        .await
        .expect("an HPA");
    assert_eq!(hpa.data["spec"]["minReplicas"], 1);

    let mut object = isvc("crash");
    object["metadata"]["annotations"]["world.gatehouse.dev/crash"] = json!("CUDA out of memory");
    room.apply(&object).await.expect("accepted");
    let object = room
        .until("crash", |isvc| {
            isvc["status"]["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
        })
        .await;
    assert_eq!(
        object["status"]["modelStatus"],
        json!({
            "copies": {"failedCopies": 0},
            "lastFailureInfo": {
                "exitCode": 1, "message": "CUDA out of memory", "reason": "ModelLoadFailed",
            },
            "states": {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"},
            "transitionStatus": "BlockedByFailedLoad",
        })
    );
    assert_eq!(
        condition(&object, "Ready")["reason"],
        "MinimumReplicasUnavailable"
    );
    assert_eq!(condition(&object, "IngressReady")["status"], "True");
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_crashes_leaves_the_old_version_serving() {
    let room = Room::new("onprem-1", "rollout").await;
    let mut object = isvc("llama");
    room.apply(&object).await.expect("accepted");
    room.until("llama", loaded).await;
    let before = room.names(&pods()).await;
    object["spec"]["predictor"]["model"]["env"] =
        json!([{"name": "WORLD_GATEHOUSE_CRASH", "value": "boom"}]);
    room.apply(&object).await.expect("accepted");
    let rolling = room
        .until("llama", |isvc| {
            isvc["status"]["observedGeneration"] == 2
                && isvc["status"]["modelStatus"]["copies"]["totalCopies"] == 2
                && condition(isvc, "PredictorReady")["reason"] == "MinimumReplicasAvailable"
        })
        .await;
    assert_eq!(condition(&rolling, "Ready")["status"], "True");
    let crashing = |pod: &DynamicObject| {
        pod.data["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
            == "CrashLoopBackOff"
    };
    let api = room.api(&pods());
    let mut events = Box::pin(watcher(api.clone(), watcher::Config::default()));
    let crashed = tokio::time::timeout(PATIENCE, async {
        loop {
            let list = api.list(&ListParams::default()).await.expect("pods");
            if list.iter().any(crashing) {
                return list;
            }
            events.next().await;
        }
    });
    let list = crashed.await.expect("the new pod crashes");
    let old = list.iter().find(|pod| before.contains(&pod.name_any()));
    assert!(old.is_some_and(|pod| !crashing(pod)), "the old pod goes on");
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_gateway_api_a_canary_gets_no_traffic() {
    let room = Room::new("cloud-1", "ingress").await;
    room.apply(&isvc("llama")).await.expect("accepted");
    room.until("llama", loaded).await;
    let ingresses = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
    assert_eq!(room.names(&ingresses).await, ["llama"]);
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_server_and_the_webhooks_refuse() {
    let room = Room::new("onprem-1", "refusals").await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut object = isvc("llama");
        change(&mut object);
        object
    };
    let validator = "admission webhook \"inferenceservice.kserve-webhook-server.validator\" denied the request: ";
    let canary = |name: &str, percent: i64| json!({"trafficPercent": percent, "predictor": {"name": name, "model": {"modelFormat": {"name": "vLLM"}}}});
    let cases: Vec<(Value, u16, String)> = vec![
        (
            with(&|o| o["spec"]["predictor"]["minReplicas"] = json!(4)),
            403,
            format!("{validator}'MinReplicas' cannot be greater than MaxReplicas"),
        ),
        (
            with(&|o| o["spec"]["predictor"]["minReplicas"] = json!(-1)),
            403,
            format!("{validator}'MinReplicas' cannot be less than 0"),
        ),
        (
            with(&|o| o["spec"]["predictor"]["model"]["name"] = json!("x")),
            403,
            format!("{validator}the 'name' field is not allowed in standard predictor"),
        ),
        (
            with(&|o| {
                o["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] = json!("foo");
            }),
            403,
            format!("{validator}[foo] is not a supported autoscaler class type"),
        ),
        (
            with(&|o| {
                o["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("Knative");
                o["spec"]["canary"] = json!([canary("v2", 10)]);
            }),
            403,
            format!("{validator}canary is only supported in Standard deployment mode"),
        ),
        (
            with(&|o| o["spec"]["canary"] = json!([canary("v2", 10), canary("v2", 10)])),
            403,
            format!("{validator}canary predictor.name \"v2\" is duplicated"),
        ),
        (
            with(&|o| o["spec"]["predictor"]["containerConcurrency"] = json!(-1)),
            403,
            format!("{validator}parallelism cannot be less than 0"),
        ),
        (
            with(&|o| {
                o["spec"]["predictor"]["model"]["resources"]["limits"]["memory"] = json!("32Gib");
            }),
            400,
            "quantities must match the regular expression".into(),
        ),
        (
            with(&|o| o["spec"]["predictor"] = json!({"minReplicas": 1})),
            500,
            "index out of range".into(),
        ),
        (
            with(&|o| o["spec"]["predictor"]["scaleMetric"] = json!("gpu")),
            422,
            "spec.predictor.scaleMetric: Unsupported value".into(),
        ),
        (
            with(&|o| o["metadata"]["name"] = json!("Not_A_Name")),
            422,
            "RFC 1123".into(),
        ),
        (
            with(&|o| o["spec"]["predictor"]["foo"] = json!(1)),
            500,
            ".spec.predictor.foo: field not declared in schema".into(),
        ),
        (
            with(&|o| o["spec"]["canary"] = json!([canary("v2", 101)])),
            422,
            "spec.canary[0].trafficPercent".into(),
        ),
    ];
    for (object, code, words) in cases {
        match room.dry_run(&object).await {
            Err(kube::Error::Api(status)) => {
                assert_eq!(
                    (status.code, status.message.contains(&words)),
                    (code, true),
                    "{status:?} instead of {code} {words:?}"
                );
            }
            other => panic!("{other:?} instead of {code} {words:?}"),
        }
    }
    for accepted in [
        with(&|o| o["spec"]["predictor"]["canaryTrafficPercent"] = json!(101)),
        with(&|o| o["spec"]["predictor"]["minReplicas"] = json!(0)),
        with(&|o| o["spec"]["predictor"]["model"]["storageUri"] = json!("ftp://x/y")),
        with(&|o| {
            o["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("Whatever");
        }),
        with(&|o| o["spec"]["predictor"]["model"]["modelFormat"]["name"] = json!("vllm")),
        with(&|o| {
            o["spec"]["predictor"]["model"]["env"] = json!([
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ])
        }),
    ] {
        room.dry_run(&accepted).await.expect("KServe accepts it");
    }
    let old = with(&|o| {
        o["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("RawDeployment");
    });
    let stored = room.dry_run(&old).await.expect("accepted");
    assert_eq!(
        stored["metadata"]["annotations"]["serving.kserve.io/deploymentMode"],
        "Standard"
    );
    room.end().await;
}
