//! From the manifest to the form, and which fields the form does not know.

use super::{DEFAULT_GPU, Env, EnvFrom, Form, GPU_PRODUCT, Source};
use crate::content::TOP_LEVEL;
use crate::isvc::{EnvSource, View, env_source, gpu_resource, quantity_text};
use serde_json::{Map, Value};

/// The first accelerator among requests or limits, with its count.
pub(super) fn first_gpu(map: &Map<String, Value>) -> Option<(String, u32)> {
    map.iter().find_map(|(k, v)| {
        Some((k.clone(), quantity_text(v)?.parse().ok()?))
            .filter(|(k, n)| gpu_resource(k) && *n > 0)
    })
}

pub(super) fn is_port(v: &Value) -> bool {
    v.as_u64().is_some_and(|p| p <= u64::from(u16::MAX))
}

/// Does this toleration let the pod onto nodes with GPUs, in the form in which the form writes it?
pub(super) fn tolerates_gpu(t: &Value, taint: &str) -> bool {
    t["key"] == taint
        && t["operator"] == "Exists"
        && (t["effect"] == "NoSchedule" || t.get("effect").is_none())
}

/// The texts among a container's `args`.
pub(super) fn args(list: Option<&Value>) -> Vec<String> {
    each(list, |a| a.as_str().map(str::to_owned))
}

/// The names among `imagePullSecrets`.
pub(super) fn pull_secrets(list: Option<&Value>) -> Vec<String> {
    each(list, |s| s["name"].as_str().map(str::to_owned))
}

/// The rows among a container's `env`.
pub(super) fn env(list: Option<&Value>) -> Vec<Env> {
    each(list, env_row)
}

fn each<T>(list: Option<&Value>, read: fn(&Value) -> Option<T>) -> Vec<T> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(read)
        .collect()
}

/// The form's row for a variable; those from field references and the like have none.
pub(super) fn env_row(e: &Value) -> Option<Env> {
    let source = match env_source(e) {
        EnvSource::Value(v) => EnvFrom::Value {
            value: v.to_owned(),
        },
        EnvSource::Secret { name, key } => EnvFrom::Secret {
            secret: name.to_owned(),
            key: key.to_owned(),
        },
        EnvSource::Other => return None,
    };
    Some(Env {
        name: e["name"].as_str()?.to_owned(),
        source,
    })
}

/// Is it said somewhere else than in `storageUri` or in a container what is served?
fn source_elsewhere(view: &View<'_>) -> bool {
    if view.storage_uri().is_some() || view.image().is_some() {
        return false;
    }
    let several = view.predictor()["storageUris"]
        .as_array()
        .is_some_and(|l| !l.is_empty());
    several
        || view.older_framework().is_some()
        || view.model()["storage"].is_object()
        || (view.model().is_object() && view.fetches_its_model())
}

pub(super) fn form(manifest: &Value) -> (Form, Vec<String>) {
    let view = View::new(manifest);
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    let predictor = view.predictor();
    let model = view.model();
    let empty = Value::Null;
    let container = view.container().map(|(_, c)| c).unwrap_or(&empty);
    let amount = |which: &str, what: &str| {
        container
            .pointer(&format!("/resources/{which}/{what}"))
            .and_then(quantity_text)
            .unwrap_or_default()
    };
    let gpu = ["requests", "limits"]
        .iter()
        .find_map(|w| first_gpu(container.pointer(&format!("/resources/{w}"))?.as_object()?));
    let (gpu_name, gpus) = gpu.unwrap_or_else(|| (DEFAULT_GPU.to_owned(), 0));
    let taint = super::gpu_taint(&gpu_name);
    let source = match view.image() {
        Some(image) if !model.is_object() => Source::Image {
            image: image.to_owned(),
            port: container
                .pointer("/ports/0/containerPort")
                .and_then(Value::as_u64)
                .and_then(|p| u16::try_from(p).ok()),
        },
        _ => Source::Storage {
            uri: text(view.storage_uri()),
        },
    };
    let form = Form {
        name: view.name().to_owned(),
        cluster: String::new(),
        namespace: view.namespace().to_owned(),
        format: text(model.pointer("/modelFormat/name").and_then(Value::as_str)),
        format_version: text(
            model
                .pointer("/modelFormat/version")
                .and_then(Value::as_str),
        ),
        runtime: text(view.runtime()),
        source,
        source_elsewhere: source_elsewhere(&view),
        args: args(container.get("args")),
        env: env(container.get("env")),
        pull_secrets: pull_secrets(predictor.get("imagePullSecrets")),
        min_replicas: view.min_replicas(),
        max_replicas: view.max_replicas(),
        gpu_resource: gpu_name,
        gpus,
        cpu: amount("requests", "cpu"),
        memory: amount("requests", "memory"),
        cpu_limit: amount("limits", "cpu"),
        memory_limit: amount("limits", "memory"),
        tolerate_gpu_taint: predictor["tolerations"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|t| tolerates_gpu(t, &taint)),
        gpu_product: text(predictor["nodeSelector"][GPU_PRODUCT].as_str()),
        deployment_mode: text(view.mode_written()),
        protocol: text(view.protocol()),
        timeout: predictor["timeout"].as_i64(),
        stop: view.stop_wished(),
    };
    let unknown = unknown(manifest, &form);
    (form, unknown)
}

/// The fields that a manifest made from the form alone would lack or say otherwise.
fn unknown(manifest: &Value, form: &Form) -> Vec<String> {
    let known = form.new_manifest();
    // Nothing would come of other keys at its top: preflight says so, and that they are kept would be wrong.
    let mut of_kind = manifest.clone();
    if let Some(keys) = of_kind.as_object_mut() {
        keys.retain(|key, _| TOP_LEVEL.contains(&key.as_str()));
    }
    let mut paths: Vec<String> = crate::diff::diff(&known, &of_kind)
        .into_iter()
        // Written as a number, an amount is known all the same.
        .filter(|c| match (&c.before, &c.after) {
            (_, None) => false,
            (Some(a), Some(b)) => {
                quantity_text(a).is_none() || quantity_text(a) != quantity_text(b)
            }
            (None, Some(v)) => {
                !matches!(v, Value::Null)
                    && !bookkeeping(&c.path)
                    && !matches!(v, Value::String(s) if s.is_empty())
            }
        })
        .map(|c| c.path)
        .filter(|p| !bookkeeping(p) && !p.starts_with("spec.predictor.tolerations["))
        .collect();
    // Their place in the list means nothing: only whether each is the form's own.
    let taint = form.gpu_taint();
    for (i, t) in View::new(manifest).predictor()["tolerations"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if !tolerates_gpu(t, &taint) {
            paths.push(format!("spec.predictor.tolerations[{i}]"));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// What the server writes and nobody edits.
fn bookkeeping(path: &str) -> bool {
    path == "status"
        || [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "finalizers",
            "selfLink",
            "ownerReferences",
        ]
        .iter()
        .any(|k| {
            path.strip_prefix("metadata.").is_some_and(|p| {
                p == *k || p.strip_prefix(k).is_some_and(|r| r.starts_with(['.', '[']))
            })
        })
        || path == "spec.predictor.model.name"
        || path == "metadata.annotations.modelFormat"
}
