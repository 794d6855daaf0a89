//! What a cluster of the world holds before anything is served: definitions, namespaces with
//! quotas, people's rights, nodes, and KServe's settings.

use super::apply::{Applier, parse_yaml};
use super::{nodes, plane};
use crate::error::Result;
use serde_json::{Value, json};
use std::path::Path;

/// The business units.
pub const UNITS: [&str; 3] = ["retail", "logistics", "research"];

// short name in the namespace, environment, GPUs, MIG slices, CPUs, memory, pods
const ENVIRONMENTS: [(&str, &str, u32, u32, u32, u32, u32); 3] = [
    ("dev", "development", 4, 4, 64, 512, 30),
    ("staging", "staging", 6, 4, 96, 768, 40),
    ("prod", "production", 12, 8, 256, 2048, 80),
];

/// The rights that the console and people need, exactly as shipped.
const RBAC: &str = include_str!("../../../../deploy/rbac.yaml");

/// Definitions of other projects: the Gateway API (standard channel, 1.4.1) and KWOK's logs.
const DEFINITIONS: [&str; 7] = [
    include_str!("../../manifests/gateway-api/gateway.networking.k8s.io_gatewayclasses.yaml"),
    include_str!("../../manifests/gateway-api/gateway.networking.k8s.io_gateways.yaml"),
    include_str!("../../manifests/gateway-api/gateway.networking.k8s.io_httproutes.yaml"),
    include_str!("../../manifests/gateway-api/gateway.networking.k8s.io_grpcroutes.yaml"),
    include_str!("../../manifests/gateway-api/gateway.networking.k8s.io_referencegrants.yaml"),
    include_str!("../../manifests/kwok/kwok.x-k8s.io_logs.yaml"),
    include_str!("../../manifests/kwok/kwok.x-k8s.io_clusterlogs.yaml"),
];

/// What a model server writes; the log of every pod that has none of its own.
const DEFAULT_LOG: &str = include_str!("../../manifests/kwok/default.log");

/// The namespaces: name, unit, environment.
pub fn namespaces() -> Vec<(String, &'static str, &'static str)> {
    UNITS
        .iter()
        .flat_map(|unit| {
            ENVIRONMENTS.iter().map(move |(short, environment, ..)| {
                (format!("{unit}-{short}"), *unit, *environment)
            })
        })
        .collect()
}

/// A hash of everything that [`install`] installs, in every cluster: a world whose content is
/// older installs it again.
pub fn content_hash() -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for text in DEFINITIONS.iter().chain([&RBAC]) {
        hasher.update(text);
    }
    for cluster in crate::layout::CLUSTERS {
        let objects = [
            namespace_objects(),
            nodes::nodes(cluster),
            objects(cluster, Path::new("")),
        ];
        hasher.update(json!(objects).to_string());
    }
    hex::encode(hasher.finalize())
}

/// Installs everything; again is harmless.
///
/// # Errors
/// What the API server refuses, by name.
pub async fn install(cluster: &str, client: kube::Client, pod_logs: &Path) -> Result<()> {
    let applier = Applier::new(cluster, client, "gatehouse-world");
    let log = pod_logs.join("default.log");
    if !log.exists() {
        crate::error::write_file(&log, DEFAULT_LOG, false)?;
    }
    let mut definitions = Vec::new();
    for text in DEFINITIONS {
        definitions.extend(parse_yaml(text)?);
    }
    let rbac = parse_yaml(RBAC)?;
    let mut first = namespace_objects();
    first.extend(nodes::nodes(cluster));
    first.push(kserve_namespace());
    futures::try_join!(
        applier.apply_unordered(&definitions),
        applier.apply_unordered(&first),
    )?;
    let then = objects(cluster, pod_logs);
    futures::try_join!(applier.apply(&rbac), applier.apply_unordered(&then))?;
    Ok(())
}

/// What is installed once namespaces and definitions are there.
fn objects(cluster: &str, pod_logs: &Path) -> Vec<Value> {
    let mut objects = quotas();
    objects.extend(rights());
    objects.push(kserve_settings(cluster));
    objects.push(controller_rights());
    objects.push(plane::default_logs(pod_logs));
    objects
}

/// The Deployment by which a cluster shows which KServe it has. The stand-in runs outside the
/// cluster, so it has no pods.
///
/// # Errors
/// When the API server refuses it.
pub async fn show_kserve(cluster: &str, client: kube::Client) -> Result<()> {
    let labels = json!({"control-plane": "kserve-controller-manager"});
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "kserve-controller-manager",
            "namespace": "kserve",
            "labels": labels,
            "annotations": {
                "gatehouse.dev/world": "a stand-in outside the cluster does this controller's work",
            },
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "manager",
                    "image": "kserve/kserve-controller:v0.20.0",
                }]},
            },
        },
    });
    Applier::new(cluster, client, "gatehouse-world")
        .apply(&[deployment])
        .await
}

fn namespace_objects() -> Vec<Value> {
    namespaces()
        .into_iter()
        .map(|(name, unit, environment)| {
            json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {
                    "gatehouse.dev/business-unit": unit,
                    "gatehouse.dev/environment": environment,
                }},
            })
        })
        .collect()
}

fn kserve_namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}})
}

fn quotas() -> Vec<Value> {
    let mut quotas = Vec::new();
    for unit in UNITS {
        for (short, _, gpus, slices, cpus, memory, pods) in ENVIRONMENTS {
            quotas.push(json!({
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "serving", "namespace": format!("{unit}-{short}")},
                "spec": {"hard": {
                    "requests.nvidia.com/gpu": gpus.to_string(),
                    "requests.nvidia.com/mig-3g.40gb": slices.to_string(),
                    "requests.nvidia.com/mig-1g.10gb": (2 * slices).to_string(),
                    "requests.cpu": cpus.to_string(),
                    "requests.memory": format!("{memory}Gi"),
                    "pods": pods.to_string(),
                }},
            }));
        }
    }
    quotas
}

/// Who may do what: the shipped roles, bound to the provider's groups.
fn rights() -> Vec<Value> {
    let groups = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(|name| {
                json!({
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Group",
                    "name": format!("oidc:{name}"),
                })
            })
            .collect()
    };
    let role = |name: &str| {
        json!({
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name,
        })
    };
    let mut objects = vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "people-read"},
            "roleRef": role("gatehouse-serving-viewer"),
            "subjects": groups(&[
                "gh-platform", "gh-ai", "gh-appdev", "gh-devops", "gh-security", "gh-audit",
                "gh-approvers-retail", "gh-approvers-logistics", "gh-approvers-research",
            ]),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "platform-engineers"},
            "roleRef": role("gatehouse-serving-admin"),
            "subjects": groups(&["gh-platform"]),
        }),
    ];
    for (namespace, ..) in namespaces() {
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "engineers", "namespace": namespace},
            "roleRef": role("gatehouse-serving-editor"),
            "subjects": groups(&["gh-ai", "gh-devops"]),
        }));
    }
    objects
}

/// KServe's controller may do everything here, as its own installation nearly does.
fn controller_rights() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kserve-controller-manager"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": plane::CONTROLLER_USER,
        }],
    })
}

/// KServe's settings: weights reach canaries on premises (Gateway API), in the cloud they do not.
fn kserve_settings(cluster: &str) -> Value {
    let ingress = json!({
        "enableGatewayApi": cluster != "cloud-1",
        "kserveIngressGateway": "kserve/kserve-ingress-gateway",
        "ingressGateway": "knative-serving/knative-ingress-gateway",
        "ingressDomain": format!("{cluster}.example.com"),
        "ingressClassName": "istio",
        "domainTemplate": "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}",
        "urlScheme": "http",
        "disableIstioVirtualHost": false,
        "disableIngressCreation": false,
    });
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
        "data": {
            "deploy": json!({"defaultDeploymentMode": "Standard"}).to_string(),
            "ingress": ingress.to_string(),
            // Annotations of the console must not restart pods.
            "inferenceService": json!({
                "serviceAnnotationDisallowedList": [
                    "gatehouse.dev/change",
                    "gatehouse.dev/content-hash",
                    "gatehouse.dev/revision",
                ],
                "serviceLabelDisallowedList": [],
            }).to_string(),
            "storageInitializer": json!({
                "image": "docker.io/kserve/storage-initializer:v0.20.0",
                "cpuRequest": "100m",
                "cpuLimit": "1",
                "memoryRequest": "100Mi",
                "memoryLimit": "1Gi",
                "enableModelcar": true,
                "enableOciModelSupport": false,
                "ociModelMode": "modelcar",
            }).to_string(),
            "autoscaler": json!({
                "scaleUpStabilizationWindowSeconds": "0",
                "scaleDownStabilizationWindowSeconds": "300",
            }).to_string(),
            "localModel": json!({"enabled": false}).to_string(),
        },
    })
}
