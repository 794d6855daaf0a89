//! Which runtime serves an InferenceService, and why none does.

use serde_json::Value;

/// A runtime, and whether it is cluster-wide.
#[derive(Clone, Debug)]
pub struct Selected {
    pub name: String,
    pub cluster_scoped: bool,
    /// RFC 3339 in UTC, so that texts compare as times do.
    created: String,
    pub spec: Value,
}

/// Why a predictor has no runtime, in KServe's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRuntime {
    /// `modelStatus.lastFailureInfo.reason`
    pub reason: &'static str,
    /// `modelStatus.lastFailureInfo.message`
    pub message: &'static str,
    /// Message of the warning event.
    pub event: String,
}

/// The runtimes that a namespace may use: its own first, then the cluster's.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub namespaced: Vec<Value>,
    pub cluster: Vec<Value>,
}

impl Catalogue {
    fn all(&self) -> impl Iterator<Item = Selected> {
        let take = |cluster_scoped: bool| {
            move |runtime: &Value| Selected {
                name: runtime["metadata"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                cluster_scoped,
                created: runtime["metadata"]["creationTimestamp"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                spec: runtime["spec"].clone(),
            }
        };
        self.namespaced
            .iter()
            .map(take(false))
            .chain(self.cluster.iter().map(take(true)))
    }
}

/// Selects for a predictor with a `model`.
pub fn select(predictor: &Value, catalogue: &Catalogue) -> Result<Selected, NoRuntime> {
    let model = &predictor["model"];
    let protocol = model["protocolVersion"].as_str().unwrap_or_default();
    if let Some(wanted) = model["runtime"].as_str() {
        return named(wanted, model, protocol, catalogue);
    }
    // Without a protocol KServe looks for a runtime that speaks v1.
    let wanted_protocol = if protocol.is_empty() { "v1" } else { protocol };
    let mut candidates: Vec<(i64, Selected)> = catalogue
        .all()
        .filter(|runtime| runtime.spec["disabled"].as_bool() != Some(true))
        .filter(|runtime| runtime.spec["multiModel"].as_bool() != Some(true))
        // Over several nodes only runtimes with a worker are looked at, and else only those without.
        .filter(|runtime| {
            runtime.spec["workerSpec"].is_object() == predictor["workerSpec"].is_object()
        })
        .filter(|runtime| speaks(&runtime.spec, wanted_protocol))
        .filter_map(|runtime| {
            let priority = automatic_priority(&runtime.spec, &model["modelFormat"])?;
            Some((-priority, runtime))
        })
        .collect();
    // Between equals the newest goes first.
    candidates.sort_by(|(p, a), (q, b)| {
        (a.cluster_scoped, p, &b.created, &a.name).cmp(&(b.cluster_scoped, q, &a.created, &b.name))
    });
    candidates
        .into_iter()
        .next()
        .map(|(_, runtime)| runtime)
        .ok_or_else(|| NoRuntime {
            reason: "NoSupportingRuntime",
            message: "No runtime found to support specified framework/version",
            event: format!(
                "no runtime found to support predictor with model type: {{{} {}}}",
                model["modelFormat"]["name"].as_str().unwrap_or_default(),
                model["modelFormat"]["version"].as_str().unwrap_or("<nil>"),
            ),
        })
}

fn named(
    wanted: &str,
    model: &Value,
    protocol: &str,
    catalogue: &Catalogue,
) -> Result<Selected, NoRuntime> {
    let Some(runtime) = catalogue.all().find(|runtime| runtime.name == wanted) else {
        return Err(NoRuntime {
            reason: "RuntimeNotRecognized",
            message: "Waiting for runtime to become available",
            event: format!("No ServingRuntimes or ClusterServingRuntimes with the name: {wanted}"),
        });
    };
    if runtime.spec["disabled"].as_bool() == Some(true) {
        return Err(NoRuntime {
            reason: "RuntimeDisabled",
            message: "Specified runtime is disabled",
            event: format!("specified runtime {wanted} is disabled"),
        });
    }
    if !speaks(&runtime.spec, protocol) {
        return Err(NoRuntime {
            reason: "NoSupportingRuntime",
            message: "Specified runtime does not support specified protocol version",
            event: format!(
                "specified runtime {wanted} does not support specified protocol version"
            ),
        });
    }
    if !formats(&runtime.spec).any(|format| matches(format, &model["modelFormat"])) {
        return Err(NoRuntime {
            reason: "NoSupportingRuntime",
            message: "Specified runtime does not support specified framework/version",
            event: format!(
                "specified runtime {wanted} does not support specified framework/version"
            ),
        });
    }
    Ok(runtime)
}

fn formats(spec: &Value) -> impl Iterator<Item = &Value> {
    spec["supportedModelFormats"]
        .as_array()
        .into_iter()
        .flatten()
}

/// The name counts letter by letter: `vllm` is not `vLLM`. A version is
/// compared only where the model names one.
fn matches(format: &Value, wanted: &Value) -> bool {
    format["name"] == wanted["name"]
        && match wanted["version"].as_str() {
            Some(version) => format["version"].as_str() == Some(version),
            None => true,
        }
}

/// The higher number goes first: priority 2 before priority 1.
fn automatic_priority(spec: &Value, wanted: &Value) -> Option<i64> {
    formats(spec)
        .filter(|format| format["autoSelect"].as_bool() == Some(true))
        .filter(|format| matches(format, wanted))
        .map(|format| format["priority"].as_i64().unwrap_or(0))
        .max()
}

/// A runtime that lists no protocols speaks all of them.
fn speaks(spec: &Value, protocol: &str) -> bool {
    let listed = spec["protocolVersions"].as_array();
    protocol.is_empty()
        || listed.is_none_or(|list| {
            list.is_empty() || list.iter().any(|entry| entry.as_str() == Some(protocol))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kserve::runtimes::cluster_serving_runtimes;

    fn catalogue() -> Catalogue {
        Catalogue {
            namespaced: vec![],
            cluster: cluster_serving_runtimes(),
        }
    }

    fn chosen(model: Value) -> Result<String, &'static str> {
        select(&json!({"model": model}), &catalogue())
            .map(|selected| selected.name)
            .map_err(|none| none.reason)
    }

    #[test]
    fn a_named_runtime_must_support_the_format_letter_by_letter() {
        let model = |format: &str| json!({"modelFormat": {"name": format}, "runtime": "kserve-vllmserver", "protocolVersion": "v2"});
        assert_eq!(chosen(model("vLLM")), Ok("kserve-vllmserver".into()));
        assert_eq!(chosen(model("vllm")), Err("NoSupportingRuntime"));
    }

    #[test]
    fn without_a_name_formats_and_protocols_choose() {
        assert_eq!(
            chosen(json!({"modelFormat": {"name": "gguf"}})),
            Err("NoSupportingRuntime")
        );
        assert_eq!(
            chosen(json!({"modelFormat": {"name": "sklearn"}})),
            Ok("kserve-sklearnserver".into())
        );
        assert_eq!(
            chosen(json!({"modelFormat": {"name": "sklearn"}, "protocolVersion": "v2"})),
            Ok("kserve-mlserver".into())
        );
    }

    #[test]
    fn a_worker_wants_a_runtime_with_one() {
        let chosen = |predictor: Value| select(&predictor, &catalogue()).map(|s| s.name).unwrap();
        let model = json!({"modelFormat": {"name": "huggingface"}});
        assert_eq!(chosen(json!({"model": model})), "kserve-huggingfaceserver");
        assert_eq!(
            chosen(json!({"model": model, "workerSpec": {}})),
            "kserve-huggingfaceserver-multinode"
        );
    }

    #[test]
    fn an_unknown_or_disabled_runtime_is_said_so() {
        assert_eq!(
            chosen(json!({"modelFormat": {"name": "vLLM"}, "runtime": "nowhere"})),
            Err("RuntimeNotRecognized")
        );
        let mut catalogue = catalogue();
        catalogue.cluster[0]["spec"]["disabled"] = json!(true);
        let model = json!({"modelFormat": {"name": "vLLM"}, "runtime": "kserve-vllmserver"});
        assert_eq!(
            select(&json!({"model": model}), &catalogue)
                .map(|s| s.name)
                .map_err(|n| n.reason),
            Err("RuntimeDisabled")
        );
    }
}
