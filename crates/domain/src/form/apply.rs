//! From the form to the manifest: only the fields that the form knows are touched.

use super::{DEFAULT_GPU, Env, EnvFrom, Form, GPU_PRODUCT, Source, read};
use crate::isvc::{DEPLOYMENT_MODE, MAIN_CONTAINER, STOP};
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The mapping at a key, made where there is none (or something that cannot be one).
fn child<'a>(parent: &'a mut Object, key: &str) -> &'a mut Object {
    let slot = parent.entry(key).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    slot.as_object_mut().expect("made a mapping just now")
}

/// Writes a value, or takes away one that the form could have read (`known`); what the form could
/// not read is not the form's to delete.
fn set(parent: &mut Object, key: &str, value: Option<Value>, known: fn(&Value) -> bool) {
    match value {
        Some(v) => {
            parent.insert(key.to_owned(), v);
        }
        None => {
            if parent.get(key).is_some_and(known) {
                parent.remove(key);
            }
        }
    }
}

fn set_text(parent: &mut Object, key: &str, text: &str) {
    set(
        parent,
        key,
        (!text.is_empty()).then(|| json!(text)),
        Value::is_string,
    );
}

fn set_number(parent: &mut Object, key: &str, number: Option<i64>) {
    set(parent, key, number.map(|n| json!(n)), Value::is_i64);
}

/// As [`set_text`] inside a mapping of its own (`annotations`, `nodeSelector`), which is neither made
/// for nothing nor left behind empty.
fn set_in(parent: &mut Object, map: &str, key: &str, text: &str) {
    if text.is_empty() && !parent.get(map).is_some_and(Value::is_object) {
        return;
    }
    let inner = child(parent, map);
    set_text(inner, key, text);
    if inner.is_empty() {
        parent.remove(map);
    }
}

pub(super) fn apply(form: &Form, manifest: &mut Value) {
    if !manifest.is_object() {
        *manifest = json!({});
    }
    let root = manifest.as_object_mut().expect("made a mapping just now");
    root.entry("apiVersion")
        .or_insert_with(|| json!("serving.kserve.io/v1beta1"));
    root.entry("kind")
        .or_insert_with(|| json!("InferenceService"));
    let meta = child(root, "metadata");
    set_text(meta, "name", &form.name);
    set_text(meta, "namespace", &form.namespace);
    set_in(meta, "annotations", DEPLOYMENT_MODE, &form.deployment_mode);
    let stops = |m: &Object| {
        m.get("annotations")
            .and_then(|a| a[STOP].as_str())
            .is_some_and(|s| s.eq_ignore_ascii_case("true"))
    };
    if form.stop != stops(meta) {
        set_in(
            meta,
            "annotations",
            STOP,
            if form.stop { "true" } else { "" },
        );
    }

    let predictor = child(child(root, "spec"), "predictor");
    set_number(predictor, "minReplicas", form.min_replicas);
    set_number(predictor, "maxReplicas", form.max_replicas);
    set_number(predictor, "timeout", form.timeout);
    set_in(predictor, "nodeSelector", GPU_PRODUCT, &form.gpu_product);
    pull_secrets(form, predictor);
    tolerations(form, predictor);
    match &form.source {
        Source::Storage { uri } => storage(form, uri, predictor),
        Source::Image { image, port } => own_image(form, image, *port, predictor),
    }
}

/// Keys that only `predictor.model` has; all its others are a container's.
const MODEL_ONLY: [&str; 7] = [
    "modelFormat",
    "runtime",
    "runtimeVersion",
    "storageUri",
    "storage",
    "protocolVersion",
    "name",
];

fn storage(form: &Form, uri: &str, predictor: &mut Object) {
    if !predictor.get("model").is_some_and(Value::is_object) {
        // From an image of one's own to a runtime's: the container's settings move along.
        let taken = take_container(predictor);
        // An older framework's field: all that there is to say is said there.
        if taken.is_none() && form.source_elsewhere && says_nothing(form, uri) {
            return;
        }
        let mut model = taken.unwrap_or_default();
        for key in ["name", "image", "ports"] {
            model.remove(key);
        }
        predictor.insert("model".into(), Value::Object(model));
    }
    let model = child(predictor, "model");
    let format_known = !form.format.is_empty() || !form.format_version.is_empty();
    if format_known || model.get("modelFormat").is_some_and(Value::is_object) {
        let format = child(model, "modelFormat");
        set_text(format, "name", &form.format);
        set_text(format, "version", &form.format_version);
        if format.is_empty() {
            model.remove("modelFormat");
        }
    }
    set_text(model, "runtime", &form.runtime);
    set_text(model, "storageUri", uri);
    set_text(model, "protocolVersion", &form.protocol);
    container(form, model);
}

/// Is there nothing in the form that would stand in `predictor.model`?
fn says_nothing(form: &Form, uri: &str) -> bool {
    let texts = [
        uri,
        &form.format,
        &form.format_version,
        &form.runtime,
        &form.protocol,
        &form.cpu,
        &form.memory,
        &form.cpu_limit,
        &form.memory_limit,
    ];
    texts.iter().all(|t| t.is_empty())
        && form.args.is_empty()
        && form.env.is_empty()
        && form.gpus == 0
}

/// The main container, taken out of the list: see [`crate::isvc::View::image`].
fn take_container(predictor: &mut Object) -> Option<Object> {
    let list = predictor.get_mut("containers")?.as_array_mut()?;
    if list.is_empty() {
        return None;
    }
    let index = list
        .iter()
        .position(|c| c["name"] == MAIN_CONTAINER)
        .unwrap_or(0);
    let taken = list.remove(index);
    if list.is_empty() {
        predictor.remove("containers");
    }
    match taken {
        Value::Object(o) => Some(o),
        _ => None,
    }
}

fn own_image(form: &Form, image: &str, port: Option<u16>, predictor: &mut Object) {
    let moved = match predictor.remove("model") {
        Some(Value::Object(mut model)) => {
            model.retain(|k, _| !MODEL_ONLY.contains(&k.as_str()));
            Some(model)
        }
        _ => None,
    };
    if !predictor.get("containers").is_some_and(Value::is_array) {
        predictor.insert("containers".into(), json!([]));
    }
    let list = predictor
        .get_mut("containers")
        .and_then(Value::as_array_mut)
        .expect("made a list just now");
    let named = list.iter().position(|c| c["name"] == MAIN_CONTAINER);
    let index = match (named, &moved) {
        (Some(i), _) => i,
        (None, None) if list.first().is_some_and(Value::is_object) => 0,
        _ => {
            let mut new = moved.unwrap_or_default();
            new.insert("name".into(), json!(MAIN_CONTAINER));
            list.insert(0, Value::Object(new));
            0
        }
    };
    if !list[index].is_object() {
        list[index] = json!({ "name": MAIN_CONTAINER });
    }
    let main = list[index]
        .as_object_mut()
        .expect("made a mapping just now");
    set_text(main, "image", image);
    match (
        port,
        main.get_mut("ports")
            .and_then(Value::as_array_mut)
            .and_then(|p| p.first_mut())
            .and_then(Value::as_object_mut),
    ) {
        (Some(port), Some(first)) => {
            first.insert("containerPort".into(), json!(port));
        }
        (Some(port), None) => {
            main.insert(
                "ports".into(),
                json!([{ "containerPort": port, "protocol": "TCP" }]),
            );
        }
        (None, Some(first)) if first.get("containerPort").is_some_and(read::is_port) => {
            main.remove("ports");
        }
        (None, _) => {}
    }
    container(form, main);
}

/// What `model` and a container have in common.
fn container(form: &Form, c: &mut Object) {
    // A list that says what the form says stays as it is, with whatever the form cannot read of it.
    if read::args(c.get("args")) != form.args {
        let args = (!form.args.is_empty()).then(|| json!(form.args));
        set(c, "args", args, Value::is_array);
    }
    if read::env(c.get("env")) != form.env {
        env(form, c);
    }
    amounts(form, c, "requests", &form.cpu, &form.memory);
    amounts(form, c, "limits", &form.cpu_limit, &form.memory_limit);
    if c.get("resources")
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        c.remove("resources");
    }
}

fn amounts(form: &Form, c: &mut Object, which: &str, cpu: &str, memory: &str) {
    let nothing = cpu.is_empty() && memory.is_empty() && form.gpus == 0;
    if nothing && !c.get("resources").is_some_and(|r| r[which].is_object()) {
        return;
    }
    let resources = child(c, "resources");
    let map = child(resources, which);
    let known = |v: &Value| v.is_string() || v.is_number();
    let text = |t: &str| (!t.is_empty()).then(|| json!(t));
    // An amount written as a number that says the same stays as it is written.
    let same = |map: &Object, key: &str, t: &str| {
        map.get(key).and_then(crate::isvc::quantity_text).as_deref() == Some(t)
    };
    for (key, amount) in [("cpu", cpu), ("memory", memory)] {
        if !same(map, key, amount) {
            set(map, key, text(amount), known);
        }
    }
    // The form knows one kind of GPU: the one it read, or the one that was chosen instead.
    let gpu = if form.gpu_resource.is_empty() {
        DEFAULT_GPU
    } else {
        &form.gpu_resource
    };
    if form.gpus == 0 || !map.contains_key(gpu) {
        let old = read::first_gpu(map).map(|(name, _)| name);
        if let Some(old) = old {
            map.remove(&old);
        }
    }
    let count = form.gpus.to_string();
    if form.gpus > 0 && !same(map, gpu, &count) {
        map.insert(gpu.to_owned(), json!(count));
    }
    if map.is_empty() {
        resources.remove(which);
    }
}

/// The form's variables in the form's order; variables of other kinds stay where they stood.
fn env(form: &Form, c: &mut Object) {
    let old = match c.get("env") {
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return,
        None => Vec::new(),
    };
    // The row of each entry; none where the form has none. Each entry is written back once.
    let mut rows: Vec<Option<Env>> = old.iter().map(read::env_row).collect();
    let others: Vec<bool> = rows.iter().map(Option::is_none).collect();
    let mut list: Vec<Value> = Vec::new();
    for e in &form.env {
        let secret = matches!(e.source, EnvFrom::Secret { .. });
        let kin =
            |o: &Env| o.name == e.name && matches!(o.source, EnvFrom::Secret { .. }) == secret;
        let before = rows
            .iter()
            .position(|r| r.as_ref() == Some(e))
            .or_else(|| rows.iter().position(|r| r.as_ref().is_some_and(kin)))
            .map(|at| {
                rows[at] = None;
                &old[at]
            });
        let mut entry = before.cloned().unwrap_or_else(|| json!({}));
        entry["name"] = json!(e.name);
        match &e.source {
            // A variable without a value is empty; it stays as it is written.
            EnvFrom::Value { value }
                if value.is_empty() && before.is_some_and(|b| b.get("value").is_none()) => {}
            EnvFrom::Value { value } => entry["value"] = json!(value),
            EnvFrom::Secret { secret, key } => {
                entry["valueFrom"]["secretKeyRef"]["name"] = json!(secret);
                entry["valueFrom"]["secretKeyRef"]["key"] = json!(key);
            }
        }
        list.push(entry);
    }
    for (i, other) in old.iter().enumerate().filter(|(i, _)| others[*i]) {
        list.insert(i.min(list.len()), other.clone());
    }
    set(
        c,
        "env",
        (!list.is_empty()).then_some(Value::Array(list)),
        Value::is_array,
    );
}

fn pull_secrets(form: &Form, predictor: &mut Object) {
    if read::pull_secrets(predictor.get("imagePullSecrets")) == form.pull_secrets {
        return;
    }
    let list: Vec<Value> = form
        .pull_secrets
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    set(
        predictor,
        "imagePullSecrets",
        (!list.is_empty()).then_some(Value::Array(list)),
        Value::is_array,
    );
}

fn tolerations(form: &Form, predictor: &mut Object) {
    let taint = form.gpu_taint();
    let mut list = match predictor.get("tolerations") {
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return,
        None => Vec::new(),
    };
    let mine = |t: &Value| read::tolerates_gpu(t, &taint);
    if form.tolerate_gpu_taint {
        if !list.iter().any(mine) {
            list.push(json!({"key": taint, "operator": "Exists", "effect": "NoSchedule"}));
        }
    } else {
        list.retain(|t| !mine(t));
    }
    set(
        predictor,
        "tolerations",
        (!list.is_empty()).then_some(Value::Array(list)),
        Value::is_array,
    );
}
