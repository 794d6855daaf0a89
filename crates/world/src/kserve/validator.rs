//! The validating webhook: what KServe refuses, in its words, and above all
//! what it does *not* refuse. Whatever is not here is accepted.

use serde_json::Value;

use super::isvc::{AUTOSCALER_CLASS, DEPLOYMENT_MODE, annotation, canaries, meta};
use super::settings::canonical_mode;

/// The message of a refusal; the API server answers it with 403.
type Verdict = Result<(), String>;

fn refuse(message: impl Into<String>) -> Verdict {
    Err(message.into())
}

/// Validates a create.
pub fn create(isvc: &Value) -> Verdict {
    name(isvc)?;
    autoscaler_class(isvc)?;
    worker(isvc)?;
    let predictor = &isvc["spec"]["predictor"];
    if predictor["model"]["name"]
        .as_str()
        .is_some_and(|name| !name.is_empty())
    {
        return refuse("the 'name' field is not allowed in standard predictor");
    }
    if predictor["model"]["storageUri"].is_string() && predictor["storageUris"].is_array() {
        return refuse("Setting both StorageURI and StorageURIs is not supported.");
    }
    one_implementation(predictor)?;
    for component in ["predictor", "transformer", "explainer"] {
        let component = &isvc["spec"][component];
        if component.is_object() {
            replicas(component)?;
            scaling(isvc, component)?;
        }
    }
    canary(isvc)
}

/// Validates an update.
pub fn update(old: &Value, new: &Value) -> Verdict {
    if new["metadata"]["deletionTimestamp"].is_null() {
        let recorded = canonical_mode(old["status"]["deploymentMode"].as_str().unwrap_or_default());
        let wanted = annotation(new, DEPLOYMENT_MODE);
        if let Some(wanted) = wanted.filter(|wanted| !recorded.is_empty() && *wanted != recorded) {
            return refuse(format!(
                "update rejected: deploymentMode cannot be changed from '{recorded}' to '{wanted}'"
            ));
        }
    }
    let stable = |isvc: &Value| {
        let predictor = &isvc["spec"]["predictor"];
        (
            predictor["name"].as_str().unwrap_or_default().to_owned(),
            predictor["model"].clone(),
        )
    };
    let ((old_name, old_model), (new_name, new_model)) = (stable(old), stable(new));
    if old_name != new_name && old_model == new_model {
        return refuse("predictor.name change requires a model change");
    }
    create(new)
}

fn name(isvc: &Value) -> Verdict {
    let name = meta(isvc, "name");
    // With generateName the server has not filled it in yet.
    let given = if name.is_empty() {
        meta(isvc, "generateName")
    } else {
        name
    };
    let fits = given.starts_with(|c: char| c.is_ascii_lowercase())
        && given
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && (name.is_empty() || !given.ends_with('-'));
    if fits {
        return Ok(());
    }
    refuse(format!(
        "the InferenceService \"{given}\" is invalid: a InferenceService name must consist of \
         lower case alphanumeric characters or '-', and must start with alphabetical character. \
         (e.g. \"my-name\" or \"abc-123\", regex used for validation is \
         '[a-z]([-a-z0-9]*[a-z0-9])?')"
    ))
}

fn autoscaler_class(isvc: &Value) -> Verdict {
    match annotation(isvc, AUTOSCALER_CLASS) {
        None | Some("hpa" | "external" | "keda" | "none") => Ok(()),
        Some(other) => refuse(format!(
            "[{other}] is not a supported autoscaler class type"
        )),
    }
}

/// Several nodes: storage and autoscaling that they need.
fn worker(isvc: &Value) -> Verdict {
    let predictor = &isvc["spec"]["predictor"];
    let worker = &predictor["workerSpec"];
    if !worker.is_object() {
        return Ok(());
    }
    let of = meta(isvc, "name");
    if worker["containers"]
        .as_array()
        .is_some_and(|list| list.len() > 1)
    {
        return refuse(format!(
            "the InferenceService \"{of}\" is invalid: setting multiple containers in workerSpec is not allowed"
        ));
    }
    let model = &predictor["model"];
    if model.is_object() {
        let Some(uri) = model["storageUri"].as_str() else {
            return refuse(format!(
                "the InferenceService \"{of}\" is invalid: StorageURI must be set in multinode enabled"
            ));
        };
        let scheme = uri.split("://").next().unwrap_or_default();
        if scheme != "pvc" && scheme != "oci" {
            return refuse(format!(
                "the InferenceService \"{of}\" is invalid: the URI protocol({scheme}) is not supported for multinode, only pvc and oci are"
            ));
        }
        let class = annotation(isvc, AUTOSCALER_CLASS).unwrap_or_default();
        if class != "none" {
            return refuse(format!(
                "the InferenceService \"{of}\" is invalid: multi-node only supports the 'none' autoscaler class, not '{class}'"
            ));
        }
    }
    for (field, label) in [
        ("pipelineParallelSize", "pipelineParallelSize"),
        ("tensorParallelSize", "tensorParallelSize"),
    ] {
        if let Some(size) = worker[field].as_i64().filter(|size| *size < 1) {
            return refuse(format!(
                "the InferenceService \"{of}\" is invalid: WorkerSpec.{label} cannot be less than 1({size})"
            ));
        }
    }
    Ok(())
}

fn one_implementation(predictor: &Value) -> Verdict {
    let containers = predictor["containers"].as_array().map_or(0, Vec::len);
    if predictor["model"].is_object() || containers > 0 {
        return Ok(());
    }
    refuse(
        "Exactly one of [SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, \
         LightGBM, Paddle, Model] must be specified in PredictorSpec",
    )
}

/// Any `canaryTrafficPercent` passes, also in Standard mode, also 101.
fn replicas(component: &Value) -> Verdict {
    let number = |key: &str| component[key].as_i64().unwrap_or(0);
    let (minimum, maximum) = (number("minReplicas"), number("maxReplicas"));
    if minimum < 0 {
        return refuse("'MinReplicas' cannot be less than 0");
    }
    if maximum < 0 {
        return refuse("'MaxReplicas' cannot be less than 0");
    }
    if maximum != 0 && minimum > maximum {
        return refuse("'MinReplicas' cannot be greater than MaxReplicas");
    }
    if number("containerConcurrency") < 0 {
        return refuse("parallelism cannot be less than 0");
    }
    Ok(())
}

fn scaling(isvc: &Value, component: &Value) -> Verdict {
    let mode = annotation(isvc, DEPLOYMENT_MODE).map(canonical_mode);
    let metric = component["scaleMetric"].as_str();
    let target = component["scaleTarget"].as_i64();
    match (mode, annotation(isvc, AUTOSCALER_CLASS)) {
        (Some("Standard"), Some("hpa")) => {
            let metric = metric.unwrap_or("cpu");
            if !matches!(metric, "cpu" | "memory") {
                return refuse(format!("[{metric}] is not a supported metric"));
            }
            if target.is_some_and(|target| (metric == "cpu" && target < 1) || target > 100) {
                return refuse("the target utilization percentage should be a [1-100] integer");
            }
            let metrics = component["autoScaling"]["metrics"].as_array();
            for entry in metrics.into_iter().flatten() {
                let kind = entry["type"].as_str().unwrap_or_default();
                if kind != "Resource" {
                    return refuse(format!(
                        "invalid HPA metric source type with value [{kind}],valid metric source types are Resource"
                    ));
                }
            }
            Ok(())
        }
        (Some("Standard"), Some("keda")) => {
            if metric.is_some() {
                return refuse("ScaleMetric is not supported for KEDA");
            }
            keda(component)
        }
        (Some("Standard"), _) => Ok(()),
        _ => {
            if component["deploymentStrategy"].is_object() {
                return refuse(
                    "customizing deploymentStrategy is only supported for raw deployment mode",
                );
            }
            match metric {
                None | Some("concurrency" | "rps") => Ok(()),
                Some(other) => refuse(format!("[{other}] is not a supported metric")),
            }
        }
    }
}

fn keda(component: &Value) -> Verdict {
    let metrics = component["autoScaling"]["metrics"].as_array();
    for entry in metrics.into_iter().flatten() {
        let (source, label) = match entry["type"].as_str() {
            Some("External") => ("external", "External"),
            Some("PodMetric") => ("podmetric", "PodMetric"),
            _ => continue,
        };
        let spec = &entry[source];
        if !spec.is_object() {
            let kind = if label == "External" {
                "external"
            } else {
                "pod"
            };
            return refuse(format!(
                "metricSpec.{label} is not set for {kind} metric source type"
            ));
        }
        if spec["metric"]["query"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
        {
            return refuse("the query should not be empty");
        }
        if spec["target"]["value"].is_null() {
            return refuse("the target threshold value should not be empty");
        }
    }
    Ok(())
}

fn canary(isvc: &Value) -> Verdict {
    let entries = canaries(isvc);
    if entries.is_empty() {
        return Ok(());
    }
    if annotation(isvc, DEPLOYMENT_MODE).map(canonical_mode) != Some("Standard") {
        return refuse("canary is only supported in Standard deployment mode");
    }
    let stable = &isvc["spec"]["predictor"];
    if !stable["model"].is_object() {
        return refuse("canary requires a stable predictor with a model");
    }
    let stable_minimum = stable["minReplicas"].as_i64().unwrap_or(1);
    let stable_name = stable["name"].as_str().unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    let mut sum = 0;
    for entry in entries {
        let predictor = &entry["predictor"];
        let name = predictor["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return refuse("canary predictor.name is required");
        }
        if names.contains(&name) {
            return refuse(format!("canary predictor.name \"{name}\" is duplicated"));
        }
        if name == stable_name {
            return refuse(format!(
                "canary predictor.name \"{name}\" conflicts with stable predictor.name"
            ));
        }
        names.push(name);
        if predictor["workerSpec"].is_object() {
            return refuse(format!(
                "canary \"{name}\" must not set workerSpec (multi-node canaries are not supported)"
            ));
        }
        for field in ["maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"] {
            if predictor.get(field).is_some_and(|value| !value.is_null()) {
                return refuse(format!(
                    "canary \"{name}\" must not set {field} (autoscaling is not supported for canaries)"
                ));
            }
        }
        let minimum = predictor["minReplicas"].as_i64().unwrap_or(0);
        if minimum < 0 {
            return refuse("'MinReplicas' cannot be less than 0");
        }
        if minimum > stable_minimum {
            return refuse(format!(
                "canary \"{name}\" minReplicas ({minimum}) must not exceed stable minReplicas ({stable_minimum})"
            ));
        }
        if predictor["model"]["name"]
            .as_str()
            .is_some_and(|name| !name.is_empty())
        {
            return refuse("the 'name' field is not allowed in standard predictor");
        }
        sum += entry["trafficPercent"].as_i64().unwrap_or(0);
    }
    if sum > 100 {
        return refuse(format!(
            "sum of canary trafficPercent is {sum}, must be <= 100"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn isvc() -> Value {
        json!({
            "metadata": {"name": "llama", "annotations": {DEPLOYMENT_MODE: "Standard"}},
            "spec": {"predictor": {
                "minReplicas": 1,
                "maxReplicas": 3,
                "model": {"name": "", "modelFormat": {"name": "vLLM"}, "storageUri": "oci+native://r/m:1"},
            }},
        })
    }

    fn with(change: impl FnOnce(&mut Value)) -> Value {
        let mut isvc = isvc();
        change(&mut isvc);
        isvc
    }

    fn canary_entry(name: &str, percent: i64) -> Value {
        json!({"trafficPercent": percent, "predictor": {"name": name, "model": {"name": "", "modelFormat": {"name": "vLLM"}}}})
    }

    fn says(isvc: &Value) -> String {
        create(isvc).err().unwrap_or_default()
    }

    #[test]
    fn it_refuses_in_kserves_words() {
        let cases: Vec<(Value, &str)> = vec![
            (
                with(|i| i["spec"]["predictor"]["minReplicas"] = json!(4)),
                "'MinReplicas' cannot be greater than MaxReplicas",
            ),
            (
                with(|i| i["spec"]["predictor"]["minReplicas"] = json!(-1)),
                "'MinReplicas' cannot be less than 0",
            ),
            (
                with(|i| i["spec"]["predictor"]["model"]["name"] = json!("x")),
                "the 'name' field is not allowed in standard predictor",
            ),
            (
                with(|i| i["metadata"]["annotations"][AUTOSCALER_CLASS] = json!("foo")),
                "[foo] is not a supported autoscaler class type",
            ),
            (
                with(|i| i["spec"]["predictor"]["containerConcurrency"] = json!(-1)),
                "parallelism cannot be less than 0",
            ),
            (
                with(|i| {
                    i["metadata"]["annotations"] = json!({});
                    i["spec"]["canary"] = json!([canary_entry("v2", 10)]);
                }),
                "canary is only supported in Standard deployment mode",
            ),
            (
                with(|i| {
                    i["spec"]["canary"] = json!([canary_entry("v2", 10), canary_entry("v2", 1)]);
                }),
                "canary predictor.name \"v2\" is duplicated",
            ),
            (
                with(|i| {
                    let mut entry = canary_entry("v2", 10);
                    entry["predictor"]["maxReplicas"] = json!(2);
                    i["spec"]["canary"] = json!([entry]);
                }),
                "canary \"v2\" must not set maxReplicas (",
            ),
            (
                with(|i| {
                    i["spec"]["canary"] = json!([canary_entry("v2", 60), canary_entry("v3", 50)]);
                }),
                "must be <= 100",
            ),
        ];
        for (isvc, words) in cases {
            let said = says(&isvc);
            assert!(said.contains(words), "{said:?} instead of {words:?}");
        }
    }

    #[test]
    fn it_accepts_what_kserve_accepts_and_then_does_not_do() {
        for accepted in [
            isvc(),
            with(|i| i["spec"]["predictor"]["canaryTrafficPercent"] = json!(101)),
            with(|i| i["spec"]["predictor"]["minReplicas"] = json!(0)),
            with(|i| i["spec"]["predictor"]["model"]["storageUri"] = json!("ftp://x/y")),
            with(|i| i["metadata"]["annotations"][DEPLOYMENT_MODE] = json!("Whatever")),
            with(|i| i["spec"]["predictor"]["model"]["modelFormat"]["name"] = json!("vllm")),
            with(|i| {
                i["spec"]["predictor"]["model"]["resources"] =
                    json!({"limits": {"nvidia.com/gpu": "64"}});
            }),
            with(|i| i["spec"]["canary"] = json!([canary_entry("v2", 0)])),
        ] {
            assert_eq!(create(&accepted), Ok(()), "{accepted}");
        }
    }

    #[test]
    fn updates_keep_the_mode_and_promote_only_with_a_model() {
        let mut old = isvc();
        old["status"] = json!({"deploymentMode": "Standard"});
        let knative = with(|i| i["metadata"]["annotations"][DEPLOYMENT_MODE] = json!("Knative"));
        assert_eq!(
            update(&old, &knative),
            Err(
                "update rejected: deploymentMode cannot be changed from 'Standard' to 'Knative'"
                    .into()
            )
        );
        let renamed = with(|i| i["spec"]["predictor"]["name"] = json!("v2"));
        assert!(update(&old, &renamed).is_err());
        let promoted = with(|i| {
            i["spec"]["predictor"]["name"] = json!("v2");
            i["spec"]["predictor"]["model"]["storageUri"] = json!("oci+native://r/m:2");
        });
        assert_eq!(update(&old, &promoted), Ok(()));
    }
}
