//! The parts of Kubernetes' own pod specification that KServe's kinds embed,
//! field by field as `k8s.io/api/core/v1` of 1.34 declares them.

use super::container::{container, local_reference, profile, resources, se_linux, windows};
use super::dsl::*;

fn pod_security_context() -> Schema {
    object(&[
        ("appArmorProfile", profile()),
        ("fsGroup", int64()),
        ("fsGroupChangePolicy", string()),
        ("runAsGroup", int64()),
        ("runAsNonRoot", boolean()),
        ("runAsUser", int64()),
        ("seLinuxChangePolicy", string()),
        ("seLinuxOptions", se_linux()),
        ("seccompProfile", profile()),
        ("supplementalGroups", atomic(int64())),
        ("supplementalGroupsPolicy", string()),
        (
            "sysctls",
            atomic(required(
                object(&[("name", string()), ("value", string())]),
                &["name", "value"],
            )),
        ),
        ("windowsOptions", windows()),
    ])
}

/// `Toleration`.
pub fn toleration() -> Schema {
    object(&[
        ("effect", string()),
        ("key", string()),
        ("operator", string()),
        ("tolerationSeconds", int64()),
        ("value", string()),
    ])
}

/// `LocalObjectReference`, as `imagePullSecrets` holds it.
pub fn pull_secret() -> Schema {
    local_reference()
}

fn requirement() -> Schema {
    required(
        object(&[
            ("key", string()),
            ("operator", string()),
            ("values", atomic(string())),
        ]),
        &["key", "operator"],
    )
}

fn label_selector() -> Schema {
    atomic_map(object(&[
        ("matchExpressions", atomic(requirement())),
        ("matchLabels", map_of(string())),
    ]))
}

/// `Affinity`.
pub fn affinity() -> Schema {
    let node_term = atomic_map(object(&[
        ("matchExpressions", atomic(requirement())),
        ("matchFields", atomic(requirement())),
    ]));
    let preferred_node = required(
        object(&[("preference", node_term.clone()), ("weight", int32())]),
        &["preference", "weight"],
    );
    let required_node = required(
        atomic_map(object(&[("nodeSelectorTerms", atomic(node_term))])),
        &["nodeSelectorTerms"],
    );
    let pod_term = required(
        object(&[
            ("labelSelector", label_selector()),
            ("matchLabelKeys", atomic(string())),
            ("mismatchLabelKeys", atomic(string())),
            ("namespaceSelector", label_selector()),
            ("namespaces", atomic(string())),
            ("topologyKey", string()),
        ]),
        &["topologyKey"],
    );
    let preferred_pod = required(
        object(&[("podAffinityTerm", pod_term.clone()), ("weight", int32())]),
        &["podAffinityTerm", "weight"],
    );
    let pods = object(&[
        (
            "preferredDuringSchedulingIgnoredDuringExecution",
            atomic(preferred_pod),
        ),
        (
            "requiredDuringSchedulingIgnoredDuringExecution",
            atomic(pod_term),
        ),
    ]);
    object(&[
        (
            "nodeAffinity",
            object(&[
                (
                    "preferredDuringSchedulingIgnoredDuringExecution",
                    atomic(preferred_node),
                ),
                (
                    "requiredDuringSchedulingIgnoredDuringExecution",
                    required_node,
                ),
            ]),
        ),
        ("podAffinity", pods.clone()),
        ("podAntiAffinity", pods),
    ])
}

/// `ResourceClaim` entries of a pod.
pub fn resource_claims() -> Schema {
    keyed(
        required(
            object(&[
                ("name", string()),
                ("resourceClaimName", string()),
                ("resourceClaimTemplateName", string()),
            ]),
            &["name"],
        ),
        &["name"],
    )
}

/// `Volume`. The sources that a model server uses are declared; of the old
/// drivers for one storage product each, only the name is.
pub fn volume() -> Schema {
    let item = required(
        object(&[("key", string()), ("mode", int32()), ("path", string())]),
        &["key", "path"],
    );
    let files = |name: &str| {
        object(&[
            ("defaultMode", int32()),
            ("items", atomic(item.clone())),
            (name, string()),
            ("optional", boolean()),
        ])
    };
    let mut fields = vec![
        ("name", string()),
        ("configMap", atomic_map(files("name"))),
        ("secret", files("secretName")),
        (
            "csi",
            required(
                object(&[
                    ("driver", string()),
                    ("fsType", string()),
                    ("nodePublishSecretRef", local_reference()),
                    ("readOnly", boolean()),
                    ("volumeAttributes", map_of(string())),
                ]),
                &["driver"],
            ),
        ),
        (
            "emptyDir",
            object(&[("medium", string()), ("sizeLimit", int_or_string())]),
        ),
        (
            "hostPath",
            required(object(&[("path", string()), ("type", string())]), &["path"]),
        ),
        (
            "image",
            object(&[("pullPolicy", string()), ("reference", string())]),
        ),
        (
            "nfs",
            required(
                object(&[
                    ("path", string()),
                    ("readOnly", boolean()),
                    ("server", string()),
                ]),
                &["path", "server"],
            ),
        ),
        (
            "persistentVolumeClaim",
            required(
                object(&[("claimName", string()), ("readOnly", boolean())]),
                &["claimName"],
            ),
        ),
    ];
    for name in [
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "downwardAPI",
        "ephemeral",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "gitRepo",
        "glusterfs",
        "iscsi",
        "photonPersistentDisk",
        "portworxVolume",
        "projected",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    ] {
        fields.push((name, anything()));
    }
    required(object(&fields), &["name"])
}

/// `PodSpec` as KServe inlines it into a component.
pub fn pod_spec() -> Schema {
    let dns = object(&[
        ("nameservers", atomic(string())),
        (
            "options",
            atomic(object(&[("name", string()), ("value", string())])),
        ),
        ("searches", atomic(string())),
    ]);
    let spread = required(
        object(&[
            ("labelSelector", label_selector()),
            ("matchLabelKeys", atomic(string())),
            ("maxSkew", int32()),
            ("minDomains", int32()),
            ("nodeAffinityPolicy", string()),
            ("nodeTaintsPolicy", string()),
            ("topologyKey", string()),
            ("whenUnsatisfiable", string()),
        ]),
        &["maxSkew", "topologyKey", "whenUnsatisfiable"],
    );
    let gate = required(object(&[("name", string())]), &["name"]);
    object(&[
        ("activeDeadlineSeconds", int64()),
        ("affinity", affinity()),
        ("automountServiceAccountToken", boolean()),
        ("containers", list(container())),
        ("dnsConfig", dns),
        ("dnsPolicy", string()),
        ("enableServiceLinks", boolean()),
        (
            "hostAliases",
            list(required(
                object(&[("hostnames", atomic(string())), ("ip", string())]),
                &["ip"],
            )),
        ),
        ("hostIPC", boolean()),
        ("hostNetwork", boolean()),
        ("hostPID", boolean()),
        ("hostUsers", boolean()),
        ("hostname", string()),
        ("hostnameOverride", string()),
        ("imagePullSecrets", list(pull_secret())),
        ("initContainers", list(container())),
        ("nodeName", string()),
        ("nodeSelector", atomic_map(map_of(string()))),
        ("os", required(object(&[("name", string())]), &["name"])),
        ("overhead", map_of(int_or_string())),
        ("preemptionPolicy", string()),
        ("priority", int32()),
        ("priorityClassName", string()),
        (
            "readinessGates",
            list(required(
                object(&[("conditionType", string())]),
                &["conditionType"],
            )),
        ),
        ("resourceClaims", resource_claims()),
        ("resources", resources()),
        ("restartPolicy", string()),
        ("runtimeClassName", string()),
        ("schedulerName", string()),
        ("schedulingGates", keyed(gate, &["name"])),
        ("securityContext", pod_security_context()),
        ("serviceAccount", string()),
        ("serviceAccountName", string()),
        ("setHostnameAsFQDN", boolean()),
        ("shareProcessNamespace", boolean()),
        ("subdomain", string()),
        ("terminationGracePeriodSeconds", int64()),
        ("tolerations", list(toleration())),
        (
            "topologySpreadConstraints",
            keyed(spread, &["topologyKey", "whenUnsatisfiable"]),
        ),
        ("volumes", list(volume())),
    ])
}
