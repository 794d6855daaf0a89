//! The parts of Kubernetes' own pod specification that KServe's kinds embed,
//! field by field as `k8s.io/api/core/v1` of 1.34 declares them.

use serde_json::json;

use super::dsl::*;

fn local_reference() -> Schema {
    atomic_map(object(&[("name", string_or(""))]))
}

fn key_selector() -> Schema {
    required(
        atomic_map(object(&[
            ("key", string()),
            ("name", string_or("")),
            ("optional", boolean()),
        ])),
        &["key"],
    )
}

/// `EnvVar`.
pub fn env_var() -> Schema {
    let value_from = object(&[
        ("configMapKeyRef", key_selector()),
        ("secretKeyRef", key_selector()),
        (
            "fieldRef",
            required(
                atomic_map(object(&[("apiVersion", string()), ("fieldPath", string())])),
                &["fieldPath"],
            ),
        ),
        (
            "fileKeyRef",
            required(
                atomic_map(object(&[
                    ("key", string()),
                    ("optional", with(boolean(), "default", json!(false))),
                    ("path", string()),
                    ("volumeName", string()),
                ])),
                &["key", "path", "volumeName"],
            ),
        ),
        (
            "resourceFieldRef",
            required(
                atomic_map(object(&[
                    ("containerName", string()),
                    ("divisor", int_or_string()),
                    ("resource", string()),
                ])),
                &["resource"],
            ),
        ),
    ]);
    required(
        object(&[
            ("name", string()),
            ("value", string()),
            ("valueFrom", value_from),
        ]),
        &["name"],
    )
}

fn env_from() -> Schema {
    let source = atomic_map(object(&[("name", string_or("")), ("optional", boolean())]));
    object(&[
        ("configMapRef", source.clone()),
        ("prefix", string()),
        ("secretRef", source),
    ])
}

fn http_get() -> Schema {
    let header = required(
        object(&[("name", string()), ("value", string())]),
        &["name", "value"],
    );
    object(&[
        ("host", string()),
        ("httpHeaders", atomic(header)),
        ("path", string()),
        ("port", int_or_string()),
        ("scheme", string()),
    ])
}

fn exec() -> Schema {
    object(&[("command", atomic(string()))])
}

fn tcp_socket() -> Schema {
    object(&[("host", string()), ("port", int_or_string())])
}

fn probe() -> Schema {
    object(&[
        ("exec", exec()),
        ("failureThreshold", int32()),
        (
            "grpc",
            required(
                object(&[("port", int32()), ("service", string_or(""))]),
                &["port"],
            ),
        ),
        ("httpGet", http_get()),
        ("initialDelaySeconds", int32()),
        ("periodSeconds", int32()),
        ("successThreshold", int32()),
        ("tcpSocket", tcp_socket()),
        ("terminationGracePeriodSeconds", int64()),
        ("timeoutSeconds", int32()),
    ])
}

fn lifecycle() -> Schema {
    let handler = object(&[
        ("exec", exec()),
        ("httpGet", http_get()),
        (
            "sleep",
            required(object(&[("seconds", int64())]), &["seconds"]),
        ),
        ("tcpSocket", tcp_socket()),
    ]);
    object(&[
        ("postStart", handler.clone()),
        ("preStop", handler),
        ("stopSignal", string()),
    ])
}

fn profile() -> Schema {
    required(
        object(&[("localhostProfile", string()), ("type", string())]),
        &["type"],
    )
}

fn se_linux() -> Schema {
    object(&[
        ("level", string()),
        ("role", string()),
        ("type", string()),
        ("user", string()),
    ])
}

fn windows() -> Schema {
    object(&[
        ("gmsaCredentialSpec", string()),
        ("gmsaCredentialSpecName", string()),
        ("hostProcess", boolean()),
        ("runAsUserName", string()),
    ])
}

fn security_context() -> Schema {
    object(&[
        ("allowPrivilegeEscalation", boolean()),
        ("appArmorProfile", profile()),
        (
            "capabilities",
            object(&[("add", atomic(string())), ("drop", atomic(string()))]),
        ),
        ("privileged", boolean()),
        ("procMount", string()),
        ("readOnlyRootFilesystem", boolean()),
        ("runAsGroup", int64()),
        ("runAsNonRoot", boolean()),
        ("runAsUser", int64()),
        ("seLinuxOptions", se_linux()),
        ("seccompProfile", profile()),
        ("windowsOptions", windows()),
    ])
}

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

/// `ResourceRequirements`.
pub fn resources() -> Schema {
    let claim = required(
        object(&[("name", string()), ("request", string())]),
        &["name"],
    );
    object(&[
        ("claims", keyed(claim, &["name"])),
        ("limits", map_of(int_or_string())),
        ("requests", map_of(int_or_string())),
    ])
}

/// `Container`, of which nothing is required: KServe embeds it so in a model.
pub fn container_fields() -> Schema {
    let port = required(
        object(&[
            ("containerPort", int32()),
            ("hostIP", string()),
            ("hostPort", int32()),
            ("name", string()),
            ("protocol", string_or("TCP")),
        ]),
        &["containerPort"],
    );
    let mount = required(
        object(&[
            ("mountPath", string()),
            ("mountPropagation", string()),
            ("name", string()),
            ("readOnly", boolean()),
            ("recursiveReadOnly", string()),
            ("subPath", string()),
            ("subPathExpr", string()),
        ]),
        &["mountPath", "name"],
    );
    let device = required(
        object(&[("devicePath", string()), ("name", string())]),
        &["devicePath", "name"],
    );
    let resize = required(
        object(&[("resourceName", string()), ("restartPolicy", string())]),
        &["resourceName", "restartPolicy"],
    );
    let exit_codes = object(&[
        ("operator", string()),
        (
            "values",
            with(list(int32()), "x-kubernetes-list-type", json!("set")),
        ),
    ]);
    let restart_rule = required(
        object(&[
            ("action", string()),
            ("exitCodes", required(exit_codes, &["operator"])),
        ]),
        &["action"],
    );
    object(&[
        ("args", atomic(string())),
        ("command", atomic(string())),
        ("env", keyed(env_var(), &["name"])),
        ("envFrom", atomic(env_from())),
        ("image", string()),
        ("imagePullPolicy", string()),
        ("lifecycle", lifecycle()),
        ("livenessProbe", probe()),
        ("name", string()),
        ("ports", keyed(port, &["containerPort", "protocol"])),
        ("readinessProbe", probe()),
        ("resizePolicy", atomic(resize)),
        ("resources", resources()),
        ("restartPolicy", string()),
        ("restartPolicyRules", atomic(restart_rule)),
        ("securityContext", security_context()),
        ("startupProbe", probe()),
        ("stdin", boolean()),
        ("stdinOnce", boolean()),
        ("terminationMessagePath", string()),
        ("terminationMessagePolicy", string()),
        ("tty", boolean()),
        ("volumeDevices", keyed(device, &["devicePath"])),
        ("volumeMounts", keyed(mount, &["mountPath"])),
        ("workingDir", string()),
    ])
}

/// `Container`.
pub fn container() -> Schema {
    required(container_fields(), &["name"])
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
