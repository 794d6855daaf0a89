//! Kubernetes' own `Container`, field by field as `k8s.io/api/core/v1` of 1.34
//! declares it.

use serde_json::json;

use super::dsl::*;

/// `LocalObjectReference`.
pub fn local_reference() -> Schema {
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

/// A seccomp or AppArmor profile.
pub fn profile() -> Schema {
    required(
        object(&[("localhostProfile", string()), ("type", string())]),
        &["type"],
    )
}

/// `SELinuxOptions`.
pub fn se_linux() -> Schema {
    object(&[
        ("level", string()),
        ("role", string()),
        ("type", string()),
        ("user", string()),
    ])
}

/// `WindowsSecurityContextOptions`.
pub fn windows() -> Schema {
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
