//! Which field of the form a complaint about the manifest belongs beside.

use super::read;
use crate::isvc::View;
use serde_json::Value;

/// The form's field for a path of this manifest (`spec.predictor.minReplicas` → `min_replicas`), named as
/// [`super::Form::errors`] names it. `None` where the form has no such field: the complaint then stands with
/// the YAML.
pub fn field_for(manifest: &Value, path: &str) -> Option<String> {
    let path = path.trim_start_matches('.');
    let named = |field: &str| Some(field.to_owned());
    // What no InferenceService has at its top may be called like a field of the form (`image`, `env`).
    if crate::content::unknown_at_top(manifest).any(|(key, _)| key == path) {
        return named("yaml");
    }
    match path {
        "kind" | "apiVersion" => return named("yaml"),
        "metadata.name" => return named("name"),
        "metadata.namespace" => return named("namespace"),
        "metadata.annotations.serving.kserve.io/deploymentMode" => {
            return named("deployment_mode");
        }
        _ => {}
    }
    let view = View::new(manifest);
    let images = view.image().is_some() && !view.model().is_object();
    if let Some(below) = view
        .container()
        .and_then(|(at, _)| path.strip_prefix(&at)?.strip_prefix('.'))
        && let Some(field) = of_container(&view, below, images)
    {
        return Some(field);
    }
    let rest = path.strip_prefix("spec.predictor.")?;
    if images && rest == "containers" {
        return named("source");
    }
    OF_PREDICTOR
        .iter()
        .find(|(prefix, _)| within(rest, prefix))
        .and_then(|(_, field)| named(field))
}

const OF_PREDICTOR: [(&str, &str); 11] = [
    ("minReplicas", "min_replicas"),
    ("maxReplicas", "max_replicas"),
    ("timeout", "timeout"),
    ("imagePullSecrets", "pull_secrets"),
    ("tolerations", "tolerate_gpu_taint"),
    ("nodeSelector.nvidia.com/gpu.product", "gpu_product"),
    ("model.modelFormat.version", "format_version"),
    ("model.modelFormat", "format"),
    ("model.runtime", "runtime"),
    ("model.storageUri", "source"),
    ("model.protocolVersion", "protocol"),
];

/// Is this the field, or something inside it? `timeoutSeconds` is not within `timeout`.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|r| r.is_empty() || r.starts_with(['.', '[']))
}

fn of_container(view: &View<'_>, below: &str, images: bool) -> Option<String> {
    let first = below.split(['.', '[']).next().unwrap_or(below);
    let field = match (first, below) {
        ("args", _) => "args",
        ("env", _) => return Some(of_env(view, below)),
        ("image", _) if images => "source",
        ("ports", _) if images => "source.port",
        (_, "resources.requests.cpu") => "cpu",
        (_, "resources.requests.memory") => "memory",
        (_, "resources.limits.cpu") => "cpu_limit",
        (_, "resources.limits.memory") => "memory_limit",
        (_, "resources.requests" | "resources.limits" | "resources") => "memory",
        _ => {
            let resource = below
                .strip_prefix("resources.requests.")
                .or_else(|| below.strip_prefix("resources.limits."))?;
            crate::isvc::gpu_resource(resource).then_some("gpus")?
        }
    };
    Some(field.to_owned())
}

/// `env[2].value` by the form's own rows, which leave out variables that only YAML can write.
fn of_env(view: &View<'_>, below: &str) -> String {
    let whole = || "env".to_owned();
    let Some((at, part)) = below.strip_prefix("env[").and_then(|r| r.split_once(']')) else {
        return whole();
    };
    let (Some(list), Ok(at)) = (
        view.container().and_then(|(_, c)| c["env"].as_array()),
        at.parse::<usize>(),
    ) else {
        return whole();
    };
    if list.get(at).and_then(read::env_row).is_none() {
        return whole();
    }
    let row = list[..at].iter().filter_map(read::env_row).count();
    let part = match part {
        ".name" => ".name",
        ".value" => ".value",
        ".valueFrom.secretKeyRef.key" => ".key",
        p if p.starts_with(".valueFrom") => ".secret",
        _ => "",
    };
    format!("env[{row}]{part}")
}

/// The value at a path as people write it (`spec.predictor.tolerations[0].key`); keys may hold dots.
pub fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.trim_start_matches('.');
    if path.is_empty() {
        return Some(value);
    }
    if let Some(rest) = path.strip_prefix('[') {
        let (at, rest) = rest.split_once(']')?;
        return value_at(value.get(at.parse::<usize>().ok()?)?, rest);
    }
    value.as_object()?.iter().find_map(|(key, inner)| {
        let rest = path.strip_prefix(key.as_str())?;
        (rest.is_empty() || rest.starts_with(['.', '[']))
            .then(|| value_at(inner, rest))
            .flatten()
    })
}
