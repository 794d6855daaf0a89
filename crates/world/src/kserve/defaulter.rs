//! The mutating webhooks: what KServe adds to an InferenceService and to the
//! pods that serve it. Pure: an object in, the changed object out.

use serde_json::{Value, json};

use super::isvc::{DEPLOYMENT_MODE, OWNER_LABEL, SOURCE_URI, annotation};
use super::settings::{Settings, canonical_mode};

/// A refusal: HTTP code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub message: String,
}

impl Refusal {
    fn bad_request(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            message: message.into(),
        }
    }
}

/// (field of a predictor, format that it becomes, protocol where none is set)
const FRAMEWORKS: [(&str, &str, Option<&str>); 10] = [
    ("sklearn", "sklearn", None),
    ("tensorflow", "tensorflow", None),
    ("xgboost", "xgboost", None),
    ("pytorch", "pytorch", None),
    ("triton", "triton", Some("v2")),
    ("onnx", "onnx", Some("v2")),
    ("huggingface", "huggingface", Some("v2")),
    ("pmml", "pmml", None),
    ("lightgbm", "lightgbm", None),
    ("paddle", "paddle", None),
];

/// Defaults of an InferenceService.
///
/// # Errors
/// A refusal where KServe's Go types would not read the object (a bad
/// quantity), and the recovered panic with which it answers an empty
/// predictor.
pub fn inference_service(isvc: &Value, settings: &Settings) -> Result<Value, Refusal> {
    quantities(&isvc["spec"])?;
    let mut result = isvc.clone();
    let mode = annotation(isvc, DEPLOYMENT_MODE);
    match mode {
        Some(given) if canonical_mode(given) != given => {
            annotate(&mut result, DEPLOYMENT_MODE, canonical_mode(given));
        }
        None if settings.default_mode == "Standard" => {
            annotate(&mut result, DEPLOYMENT_MODE, "Standard");
        }
        _ => {}
    }
    let predictor = &mut result["spec"]["predictor"];
    if !predictor.is_object() {
        // The schema refuses it after us, and in better words.
        return Ok(isvc.clone());
    }
    let implemented = predictor["model"].is_object()
        || FRAMEWORKS
            .iter()
            .any(|(field, ..)| predictor[*field].is_object())
        || predictor["containers"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
    if !implemented {
        return Err(Refusal {
            code: 500,
            message: "panic: runtime error: index out of range [0] with length 0 [recovered]"
                .into(),
        });
    }
    framework_to_model(predictor);
    if let Some(model) = predictor.get_mut("model") {
        default_protocol(model);
    }
    // Go writes the embedded container's name always, also where it is empty.
    name_model(predictor);
    let canaries = result["spec"].get_mut("canary");
    for entry in canaries.and_then(Value::as_array_mut).into_iter().flatten() {
        name_model(&mut entry["predictor"]);
    }
    let format = result["spec"]["predictor"]["model"]["modelFormat"]["name"]
        .as_str()
        .map(ToOwned::to_owned);
    if let Some(format) = format {
        annotate(&mut result, "modelFormat", &format);
    }
    Ok(result)
}

fn annotate(object: &mut Value, key: &str, value: &str) {
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][key] = json!(value);
}

fn framework_to_model(predictor: &mut Value) {
    let Some(fields) = predictor.as_object_mut() else {
        return;
    };
    for (field, format, protocol) in FRAMEWORKS {
        let Some(Value::Object(mut model)) = fields.remove(field) else {
            continue;
        };
        model.insert("modelFormat".into(), json!({"name": format}));
        if let Some(protocol) = protocol {
            model
                .entry("protocolVersion")
                .or_insert_with(|| json!(protocol));
        }
        fields.insert("model".into(), Value::Object(model));
        return;
    }
}

fn default_protocol(model: &mut Value) {
    let given = model["protocolVersion"].as_str();
    if !model.is_object() || given.is_some_and(|protocol| !protocol.is_empty()) {
        return;
    }
    let format = model["modelFormat"]["name"].as_str().unwrap_or_default();
    let protocol = match (format, model["runtime"].as_str()) {
        (_, Some("kserve-torchserve")) => "v1",
        ("triton" | "vLLM", _)
        | (_, Some("kserve-vllmserver" | "kserve-mlserver" | "kserve-tritonserver")) => "v2",
        _ => return,
    };
    model["protocolVersion"] = json!(protocol);
}

fn name_model(predictor: &mut Value) {
    if let Some(model) = predictor.get_mut("model").and_then(Value::as_object_mut) {
        model.entry("name").or_insert_with(|| json!(""));
    }
}

/// Checks every quantity below `resources` (limits, requests) and the like.
fn quantities(spec: &Value) -> Result<(), Refusal> {
    match spec {
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "limits" | "requests" | "overhead")
                    && let Some(entries) = value.as_object()
                {
                    for quantity in entries.values() {
                        if quantity.as_str().is_some_and(|text| !is_quantity(text)) {
                            return Err(Refusal::bad_request(
                                "quantities must match the regular expression \
                                 '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                            ));
                        }
                    }
                }
                quantities(value)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(quantities),
        _ => Ok(()),
    }
}

/// Kubernetes' quantity: a decimal number with a binary, decimal or exponent
/// suffix.
pub fn is_quantity(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = number
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(number.len());
    let (digits, suffix) = number.split_at(end);
    let number_is_one = digits.chars().any(|c| c.is_ascii_digit())
        && digits.chars().filter(|c| *c == '.').count() <= 1;
    let suffix_is_one = match suffix {
        "" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" | "n" | "u" | "m" | "k" | "M" | "G" | "T"
        | "P" | "E" => true,
        other => other
            .strip_prefix(['e', 'E'])
            .is_some_and(|exponent| exponent.parse::<i32>().is_ok()),
    };
    number_is_one && suffix_is_one
}

/// What the pods' webhook adds: scrape annotations, and the container that
/// fetches the model where the address needs one.
///
/// # Errors
/// A refusal where no storage container takes the address: the pod is never
/// made, and the Deployment says `FailedCreate`.
pub fn pod(pod: &Value) -> Result<Value, Refusal> {
    let mut result = pod.clone();
    if pod["metadata"]["labels"].get(OWNER_LABEL).is_none() {
        return Ok(result);
    }
    if super::crash::message(pod).is_some() {
        result["metadata"]["labels"][super::crash::KUBELET_LABEL] = json!("manual");
    }
    for key in [
        "serving.kserve.io/enable-metric-aggregation",
        "serving.kserve.io/enable-prometheus-scraping",
    ] {
        if annotation(pod, key).is_none() {
            annotate(&mut result, key, "false");
        }
    }
    if annotation(pod, "serving.kserve.io/enable-prometheus-scraping") == Some("true") {
        let of = |key: &str, default: &str| annotation(pod, key).unwrap_or(default).to_owned();
        let port = of("prometheus.kserve.io/port", "8080");
        let path = of("prometheus.kserve.io/path", "/metrics");
        annotate(&mut result, "prometheus.io/scrape", "true");
        annotate(&mut result, "prometheus.io/port", &port);
        annotate(&mut result, "prometheus.io/path", &path);
    }
    let Some(uri) = annotation(pod, SOURCE_URI).map(ToOwned::to_owned) else {
        return Ok(result);
    };
    let scheme = uri.split("://").next().unwrap_or_default();
    match scheme {
        "oci+native" => image(&mut result["spec"], uri.trim_start_matches("oci+native://")),
        "oci" => model_car(&mut result["spec"], uri.trim_start_matches("oci://")),
        "pvc" => claim(&mut result["spec"], uri.trim_start_matches("pvc://")),
        "s3" | "gs" | "hf" | "http" | "https" | "hdfs" | "webhdfs" | "oci+fetch" => {
            initializer(&mut result["spec"], &uri);
        }
        "file" => {}
        _ => {
            return Err(Refusal {
                code: 500,
                message: format!("no supported storage container found for storage URI: {uri}"),
            });
        }
    }
    Ok(result)
}

fn push(spec: &mut Value, list: &str, entry: Value) {
    match spec[list].as_array_mut() {
        Some(entries) => {
            if !entries.iter().any(|known| known["name"] == entry["name"]) {
                entries.push(entry);
            }
        }
        None => spec[list] = json!([entry]),
    }
}

fn mount(spec: &mut Value, mount: &Value) {
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        if container["name"] == "kserve-container" {
            match container["volumeMounts"].as_array_mut() {
                Some(mounts) => mounts.push(mount.clone()),
                None => container["volumeMounts"] = json!([mount]),
            }
        }
    }
}

fn initializer(spec: &mut Value, uri: &str) {
    let volume = "kserve-provision-location";
    push(
        spec,
        "initContainers",
        json!({
            "name": "storage-initializer",
            "image": "docker.io/kserve/storage-initializer:v0.20.0",
            "args": [uri, "/mnt/models"],
            "resources": {
                "limits": {"cpu": "1", "memory": "1Gi"},
                "requests": {"cpu": "100m", "memory": "100Mi"},
            },
            "volumeMounts": [{"name": volume, "mountPath": "/mnt/models"}],
        }),
    );
    push(spec, "volumes", json!({"name": volume, "emptyDir": {}}));
    mount(
        spec,
        &json!({"name": volume, "mountPath": "/mnt/models", "readOnly": true}),
    );
}

/// An image volume: the kubelet mounts it, no container is needed.
fn image(spec: &mut Value, reference: &str) {
    let volume = "model-image";
    push(
        spec,
        "volumes",
        json!({"name": volume, "image": {"reference": reference, "pullPolicy": "IfNotPresent"}}),
    );
    mount(
        spec,
        &json!({"name": volume, "mountPath": "/mnt/models", "subPath": "models", "readOnly": true}),
    );
}

fn claim(spec: &mut Value, path: &str) {
    let (name, sub_path) = path.split_once('/').unwrap_or((path, ""));
    let volume = "kserve-pvc-source";
    push(
        spec,
        "volumes",
        json!({"name": volume, "persistentVolumeClaim": {"claimName": name}}),
    );
    mount(
        spec,
        &json!({"name": volume, "mountPath": "/mnt/models", "subPath": sub_path, "readOnly": true}),
    );
}

fn model_car(spec: &mut Value, image: &str) {
    let volume = "modelcar";
    push(
        spec,
        "containers",
        json!({
            "name": "modelcar",
            "image": image,
            "args": ["sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"],
            "resources": {
                "limits": {"cpu": "10m", "memory": "15Mi"},
                "requests": {"cpu": "10m", "memory": "15Mi"},
            },
            "volumeMounts": [{"name": volume, "mountPath": "/mnt"}],
        }),
    );
    push(spec, "volumes", json!({"name": volume, "emptyDir": {}}));
    mount(spec, &json!({"name": volume, "mountPath": "/mnt"}));
    spec["shareProcessNamespace"] = json!(true);
}

/// A JSON patch (RFC 6902) that turns one object into the other. Objects are
/// compared field by field, anything else is replaced as a whole.
pub fn json_patch(before: &Value, after: &Value) -> Vec<Value> {
    let mut patch = Vec::new();
    difference(before, after, "", &mut patch);
    patch
}

fn difference(before: &Value, after: &Value, path: &str, patch: &mut Vec<Value>) {
    if before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        patch.push(json!({"op": "replace", "path": path, "value": after}));
        return;
    };
    let below = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.push(json!({"op": "remove", "path": below(key)}));
    }
    for (key, value) in new {
        match old.get(key) {
            Some(known) => difference(known, value, &below(key), patch),
            None => patch.push(json!({"op": "add", "path": below(key), "value": value})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard() -> Settings {
        Settings {
            default_mode: "Standard".into(),
            ..Settings::default()
        }
    }

    fn vllm() -> Value {
        json!({
            "metadata": {"name": "llama", "annotations": {DEPLOYMENT_MODE: "RawDeployment"}},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "vLLM"}, "runtime": "kserve-vllmserver"}}},
        })
    }

    #[test]
    fn it_adds_what_kserve_adds_and_nothing_else() {
        let before = vllm();
        let after = inference_service(&before, &standard()).expect("accepted");
        let mut patch = json_patch(&before, &after);
        // The order of an object's keys is not ours: a library may ask serde_json to keep it.
        patch.sort_by_key(|step| step["path"].to_string());
        assert_eq!(
            Value::Array(patch),
            json!([
                {"op": "add", "path": "/metadata/annotations/modelFormat", "value": "vLLM"},
                {"op": "replace", "path": "/metadata/annotations/serving.kserve.io~1deploymentMode", "value": "Standard"},
                {"op": "add", "path": "/spec/predictor/model/name", "value": ""},
                {"op": "add", "path": "/spec/predictor/model/protocolVersion", "value": "v2"},
            ])
        );
        assert_eq!(inference_service(&after, &standard()), Ok(after.clone()));
    }

    #[test]
    fn a_framework_becomes_a_model() {
        let isvc = json!({"spec": {"predictor": {"triton": {"storageUri": "s3://b/m"}}}});
        let after = inference_service(&isvc, &standard()).expect("accepted");
        assert_eq!(
            after["spec"]["predictor"]["model"],
            json!({"modelFormat": {"name": "triton"}, "name": "", "protocolVersion": "v2", "storageUri": "s3://b/m"})
        );
    }

    #[test]
    fn bad_quantities_and_empty_predictors_are_refused() {
        let mut isvc = vllm();
        isvc["spec"]["predictor"]["model"]["resources"] = json!({"limits": {"memory": "32Gib"}});
        let refusal = inference_service(&isvc, &standard()).expect_err("bad quantity");
        assert_eq!(refusal.code, 400);
        assert!(refusal.message.contains("quantities must match"));
        let empty = json!({"spec": {"predictor": {"minReplicas": 1}}});
        let refusal = inference_service(&empty, &standard()).expect_err("empty");
        assert!(refusal.message.contains("index out of range"));
    }

    #[test]
    fn quantities_are_told_from_other_text() {
        for good in ["1", "1.5", "500m", "32Gi", "1e3", "-2", "+1k", ".5"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "32GB", "1Gib", "one", "1..2", "e3", "1 Gi"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn pods_get_what_their_storage_needs() {
        let with = |uri: &str| {
            let mut template = json!({
                "metadata": {"labels": {OWNER_LABEL: "llama"}, "annotations": {}},
                "spec": {"containers": [{"name": "kserve-container"}]},
            });
            template["metadata"]["annotations"][SOURCE_URI] = json!(uri);
            pod(&template)
        };
        let plain = with("oci+native://r/m@sha256:0").expect("accepted");
        assert!(plain["spec"].get("initContainers").is_none());
        assert_eq!(
            plain["spec"]["volumes"][0]["image"]["reference"],
            "r/m@sha256:0"
        );
        let fetched = with("s3://b/m").expect("accepted");
        assert_eq!(
            fetched["spec"]["initContainers"][0]["name"],
            "storage-initializer"
        );
        let car = with("oci://r/m@sha256:0").expect("accepted");
        assert_eq!(car["spec"]["containers"][1]["image"], "r/m@sha256:0");
        assert!(with("ftp://b/m").is_err());
        let foreign = json!({"metadata": {}, "spec": {"containers": []}});
        assert_eq!(pod(&foreign), Ok(foreign.clone()));
    }
}
