//! One small world, started for these stories alone: what it promises to those who use it.
//! Builds what is missing first (minutes on a cold cache, nothing on a warm one).

#![allow(clippy::unwrap_used)]

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ResourceQuota};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::time::Duration;
use world::faults::Fault;
use world::programs::{self, Set};
use world::{Options, World, WorldAddresses};

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_world_keeps_its_promises() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let state = tempfile::tempdir().unwrap();
    let quiet = |_| {};
    programs::ensure(Set::World, &quiet).await.unwrap();
    let mut options = Options::new(state.path());
    options.unsafe_no_fsync = true;
    options.proxies = true;
    options.seed = false;
    options.clusters = vec!["onprem-1".to_owned()];
    let world = World::start(options.clone(), &quiet).await.unwrap();

    let file = world.addresses().file();
    let addresses = WorldAddresses::read(&file).unwrap();
    nodes_are_ready_and_rights_are_bounded(&addresses).await;
    console_config_is_complete(&addresses);
    registry_wants_its_password(&addresses).await;
    provider_tells_of_itself(&addresses).await;
    prometheus_hears_of_what_serves(&addresses).await;
    faults_come_and_go(&world).await;
    a_killed_part_is_noticed_and_comes_back(&world).await;
    assert!(
        matches!(
            World::start(options.clone(), &quiet).await,
            Err(world::Error::Busy(_))
        ),
        "a second world must not run from the same folder"
    );
    let uid = addresses.clusters[0].uid.clone();
    world.stop().await;

    let again = World::start(options, &quiet).await.unwrap();
    let restarted = again.addresses().clone();
    assert_eq!(restarted.clusters[0].uid, uid, "the state survives");
    assert_eq!(restarted.clusters[0].server, addresses.clusters[0].server);
    assert_eq!(restarted.registry.password, addresses.registry.password);
    again.stop().await;
    assert!(!world::process::listens(port(&addresses.registry.direct_url)).await);
}

fn port(url: &str) -> u16 {
    url::Url::parse(url).unwrap().port().unwrap()
}

async fn nodes_are_ready_and_rights_are_bounded(addresses: &WorldAddresses) {
    let cluster = addresses.cluster("onprem-1").unwrap();
    let admin = cluster.admin().await.unwrap();
    let nodes: Api<Node> = Api::all(admin.clone());
    for _ in 0..400 {
        let list = nodes.list(&ListParams::default()).await.unwrap();
        let ready = |node: &Node| {
            let status = node.status.as_ref();
            status
                .and_then(|s| s.conditions.as_ref())
                .is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
        };
        if list.items.len() == 10 && list.items.iter().all(ready) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let h100 = nodes.get("h100-01").await.unwrap();
    assert_eq!(
        h100.status.unwrap().allocatable.unwrap()["nvidia.com/gpu"].0,
        "8"
    );
    let uid = Api::<Namespace>::all(admin.clone())
        .get("kube-system")
        .await
        .unwrap()
        .metadata
        .uid;
    assert_eq!(uid.as_deref(), Some(cluster.uid.as_str()));
    let quotas: Api<ResourceQuota> = Api::namespaced(admin, "research-prod");
    assert_eq!(
        quotas
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let may = |who: kube::Client, verb: &'static str, namespace: &'static str| async move {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "group": "serving.kserve.io", "resource": "inferenceservices",
                "verb": verb, "namespace": namespace,
            }},
        });
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header("content-type", "application/json")
            .body(review.to_string().into_bytes())
            .unwrap();
        let answer: Value = who.request(request).await.unwrap();
        answer["status"]["allowed"].as_bool().unwrap()
    };
    let console = cluster.console().await.unwrap();
    assert!(may(console.clone(), "list", "").await);
    for verb in ["create", "update", "patch", "delete"] {
        assert!(!may(console.clone(), verb, "retail-dev").await, "{verb}");
    }
    let ai = cluster.as_account("ai").await.unwrap();
    assert!(may(ai.clone(), "create", "retail-prod").await);
    assert!(!may(ai, "create", "kserve").await);
    let auditor = cluster.as_account("auditor").await.unwrap();
    assert!(may(auditor.clone(), "get", "retail-prod").await);
    assert!(!may(auditor, "patch", "retail-prod").await);
}

fn console_config_is_complete(addresses: &WorldAddresses) {
    let text = std::fs::read_to_string(&addresses.console.config).unwrap();
    let config: toml::Table = toml::from_str(&text).unwrap();
    for section in [
        "server",
        "database",
        "oidc",
        "grants",
        "approvals",
        "clusters",
        "registries",
        "trust",
        "prometheus",
    ] {
        assert!(config.contains_key(section), "{section}");
    }
    assert_eq!(
        config["oidc"]["issuer"].as_str().unwrap(),
        addresses.provider.issuer
    );
    let keys = config["trust"]["cosign_keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "only one key is trusted");
}

async fn registry_wants_its_password(addresses: &WorldAddresses) {
    let registry = &addresses.registry;
    let catalog = format!("{}/v2/_catalog", registry.url);
    let stranger = http().get(&catalog).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let known = http()
        .get(&catalog)
        .basic_auth(&registry.username, Some(&registry.password))
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 200);
}

/// Series go on live where the seeded week ends, under its very labels, while something runs.
async fn prometheus_hears_of_what_serves(addresses: &WorldAddresses) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let ends = addresses.prometheus.data_dir.with_file_name("history-ends");
    std::fs::write(&ends, (now - now % 300).to_string()).unwrap();
    let client = addresses.clusters[0].admin().await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client, "logistics-prod");
    let amounts = json!({"cpu": "100m", "memory": "64Mi"});
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "serving", "labels": {"serving.kserve.io/inferenceservice": "route-planner"}},
        "spec": {"containers": [{"name": "c", "image": "example.org/none", "resources": {"requests": amounts, "limits": amounts}}]},
    });
    pods.create(&Default::default(), &serde_json::from_value(pod).unwrap())
        .await
        .unwrap();
    let url = format!(
        "{}/api/v1/query?query=vllm:num_requests_running",
        addresses.prometheus.direct_url
    );
    let mut found = Vec::new();
    for _ in 0..240 {
        let answer = http().get(&url).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        found = answer["data"]["result"].as_array().unwrap().clone();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let labels: Vec<&Value> = found.iter().map(|f| &f["metric"]).collect();
    let expected = json!({
        "__name__": "vllm:num_requests_running",
        "cluster": "onprem-1",
        "namespace": "logistics-prod",
        "service": "route-planner-predictor",
        "model_name": "route-planner",
        "engine": "0",
    });
    assert_eq!(labels, [&expected]);
    pods.delete("serving", &Default::default()).await.unwrap();
}

async fn provider_tells_of_itself(addresses: &WorldAddresses) {
    let provider = &addresses.provider;
    let discovery: Value = http()
        .get(format!(
            "{}/.well-known/openid-configuration",
            provider.issuer
        ))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(discovery["issuer"], provider.issuer.as_str());
    assert_eq!(discovery["backchannel_logout_supported"], true);
    let keys = |answer: Value| answer["keys"].as_array().unwrap().len();
    let jwks = discovery["jwks_uri"].as_str().unwrap().to_owned();
    let fetch = || async {
        keys(
            http()
                .get(&jwks)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap(),
        )
    };
    assert_eq!(fetch().await, 1);
    let admin = |path: &str| http().post(format!("{}{path}", provider.admin_url));
    let stranger = admin("/rotate-keys").json(&json!({})).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    admin("/rotate-keys")
        .bearer_auth(&provider.admin_token)
        .json(&json!({"retire": false}))
        .send()
        .await
        .unwrap();
    assert_eq!(fetch().await, 2);
}

async fn faults_come_and_go(world: &World) {
    let faults = world.faults().unwrap();
    let registry = &world.addresses().registry;
    let ask = || async {
        http()
            .get(format!("{}/v2/", registry.url))
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .map(|answer| answer.status().as_u16())
    };
    let mut once = Fault::status(503);
    once.times = Some(1);
    faults.set("registry", once).unwrap();
    assert_eq!(ask().await.unwrap(), 503);
    assert_eq!(ask().await.unwrap(), 401);
    faults.set("registry", Fault::away()).unwrap();
    assert!(ask().await.is_err());
    faults.clear("registry").unwrap();
    assert_eq!(ask().await.unwrap(), 401);
    assert!(faults.set("nothing", Fault::away()).is_err());

    // A watch of the console ends when it is dropped, and begins anew.
    let console = world.addresses().clusters[0].console().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(console);
    use futures::StreamExt;
    let params = kube::api::WatchParams::default();
    let stream = namespaces.watch(&params, "0").await.unwrap();
    let mut stream = stream.boxed();
    assert!(stream.next().await.unwrap().is_ok());
    faults.drop_watches("onprem-1").unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(20), async move {
        while let Some(Ok(_)) = stream.next().await {}
    });
    assert!(rest.await.is_ok(), "the watch goes on");
    assert!(namespaces.get("retail-dev").await.is_ok());
}

async fn a_killed_part_is_noticed_and_comes_back(world: &World) {
    assert!(world.failure().is_none());
    world.part("registry").unwrap().kill().await;
    let failure = world.failure().unwrap().to_string();
    assert!(failure.starts_with("registry does not run"), "{failure}");
    world.restart("registry").await.unwrap();
    let url = &world.addresses().registry.direct_url;
    for _ in 0..200 {
        if world::process::listens(port(url)).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(world.failure().is_none());
}
