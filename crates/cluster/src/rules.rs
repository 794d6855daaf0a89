//! What KServe's webhooks and the API server say, and the field that each concerns.
//!
//! One table. The messages are those of KServe 0.20 (`pkg/apis/serving/v1beta1`) and Kubernetes
//! 1.34; what is not in the table stands beside the whole manifest, in the webhook's own words.

use domain::finding::{Finding, Severity};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// A message and the field beside which it belongs. `$name` in the texts is a group of the pattern;
/// a field `spec.canary[$canary]…` names a canary, which [`resolve`] turns into its place in the list.
struct Rule {
    name: &'static str,
    pattern: &'static str,
    field: &'static str,
    message: &'static str,
    remedy: &'static str,
}

const RULES: &[Rule] = &[
    // canaries first: their messages contain words of the others
    Rule {
        name: "canary-mode",
        pattern: r"canary is only supported in Standard deployment mode",
        field: "spec.canary",
        message: "canaries under `spec.canary` work only in the deployment mode Standard",
        remedy: "Set the annotation `serving.kserve.io/deploymentMode` to `Standard`, or remove the canaries.",
    },
    Rule {
        name: "canary-duplicate",
        pattern: r#"canary predictor\.name "(?P<canary>[^"]+)" is duplicated"#,
        field: "spec.canary[$canary].predictor.name",
        message: "two canaries have the name `$canary`",
        remedy: "Give each canary a name of its own.",
    },
    Rule {
        name: "canary-stable-name",
        pattern: r#"canary predictor\.name "(?P<canary>[^"]+)" conflicts with stable"#,
        field: "spec.canary[$canary].predictor.name",
        message: "the canary has the name of the stable predictor",
        remedy: "Give it another name.",
    },
    Rule {
        name: "canary-without-stable",
        pattern: r"canary requires a stable predictor with a model",
        field: "spec.predictor.model",
        message: "a canary stands beside a stable predictor with a model, and there is none",
        remedy: "Give the predictor a `model`, or remove the canaries.",
    },
    Rule {
        name: "canary-name-missing",
        pattern: r"canary(?:\[\d+\])? ?predictor\.name (?:is required|must be (?:set|specified)|cannot be empty)",
        field: "spec.canary",
        message: "a canary has no name",
        remedy: "Set `predictor.name` of each canary.",
    },
    Rule {
        name: "canary-forbidden-field",
        pattern: r#"canary "(?P<canary>[^"]+)" must not set (?P<what>[A-Za-z]+)"#,
        field: "spec.canary[$canary].predictor.$what",
        message: "a canary cannot have `$what` of its own; it follows the stable predictor",
        remedy: "Remove the field from the canary.",
    },
    Rule {
        name: "canary-replicas",
        pattern: r#"canary "(?P<canary>[^"]+)".*minReplicas"#,
        field: "spec.canary[$canary].predictor.minReplicas",
        message: "a canary cannot have more replicas than the stable predictor",
        remedy: "Lower the canary's `minReplicas` or raise the predictor's.",
    },
    Rule {
        name: "canary-traffic-sum",
        pattern: r"(?i)(?:sum|total) of (?:all )?(?:canary )?trafficPercent",
        field: "spec.canary",
        message: "the canaries together take more than 100 % of the traffic",
        remedy: "Lower their `trafficPercent` so that the sum is at most 100.",
    },
    Rule {
        name: "canary-traffic-range",
        pattern: r#"canary "(?P<canary>[^"]+)".*trafficPercent"#,
        field: "spec.canary[$canary].trafficPercent",
        message: "a canary's share of the traffic is a whole number from 0 to 100",
        remedy: "Correct `trafficPercent`.",
    },
    Rule {
        name: "min-above-max-replicas",
        pattern: r"'MinReplicas' cannot be greater than MaxReplicas",
        field: "spec.predictor.minReplicas",
        message: "`minReplicas` is greater than `maxReplicas`",
        remedy: "Lower `minReplicas` or raise `maxReplicas`.",
    },
    Rule {
        name: "min-replicas-negative",
        pattern: r"'MinReplicas' cannot be less than 0",
        field: "spec.predictor.minReplicas",
        message: "`minReplicas` is negative",
        remedy: "Use 0 or more.",
    },
    Rule {
        name: "max-replicas-negative",
        pattern: r"'MaxReplicas' cannot be less than 0",
        field: "spec.predictor.maxReplicas",
        message: "`maxReplicas` is negative",
        remedy: "Use 0 or more.",
    },
    Rule {
        name: "predictor-name",
        pattern: r"the 'name' field is not allowed in standard predictor",
        field: "spec.predictor.model.name",
        message: "a model inside a predictor has no `name` in this place",
        remedy: "Remove `spec.predictor.model.name`; the deployment's name is the model's name.",
    },
    Rule {
        name: "autoscaler-class",
        pattern: r"\[(?P<what>[^\]]*)\] is not a supported autoscaler class type",
        field: "metadata.annotations.serving.kserve.io/autoscalerClass",
        message: "`$what` is not an autoscaler that KServe knows",
        remedy: "Use `hpa`, `keda`, `external` or `none`.",
    },
    Rule {
        name: "autoscaler-metric",
        pattern: r"\[(?P<what>[^\]]*)\] is not a supported metric",
        field: "spec.predictor.scaleMetric",
        message: "`$what` is not a metric that this autoscaler knows",
        remedy: "Use `cpu` or `memory` with the autoscaler `hpa`; others need `keda`.",
    },
    Rule {
        name: "scale-target",
        pattern: r"(?i)target utilization percentage should be",
        field: "spec.predictor.scaleTarget",
        message: "the target of scaling is a percentage from 1 to 100",
        remedy: "Correct `scaleTarget`.",
    },
    Rule {
        name: "parallelism-negative",
        pattern: r"parallelism cannot be less than 0",
        field: "spec.predictor.containerConcurrency",
        message: "the number of requests at the same time is negative",
        remedy: "Use 0 (no limit) or more.",
    },
    Rule {
        name: "storage-uri",
        pattern: r"(?i)storageUri(?:,)? must be one of",
        field: "spec.predictor.model.storageUri",
        message: "this kind of storage address is not known to KServe here",
        remedy: "Use an address that begins with a scheme of this cluster (such as `oci://`, `s3://`, `hf://` or `pvc://`).",
    },
    Rule {
        name: "storage-type",
        pattern: r"storage\.spec\.type,? must be one of",
        field: "spec.predictor.model.storage",
        message: "this type of storage is not known to KServe",
        remedy: "Use a type that the cluster's storage configuration knows.",
    },
    Rule {
        name: "service-name",
        pattern: r"InferenceService name must consist of",
        field: "metadata.name",
        message: "a name consists of lower-case letters, digits and `-`, and begins with a letter",
        remedy: "Choose such a name, for example `my-model-2`.",
    },
    Rule {
        name: "protocol",
        pattern: r"(?i)invalid protocol (?P<what>[\w./-]+)",
        field: "spec.predictor.model.protocolVersion",
        message: "`$what` is not a protocol that KServe knows",
        remedy: "Use `v1`, `v2`, `grpc-v1` or `grpc-v2`.",
    },
    Rule {
        name: "logger-type",
        pattern: r"invalid logger type",
        field: "spec.predictor.logger.mode",
        message: "the logger's mode is not known",
        remedy: "Use `all`, `request` or `response`.",
    },
    Rule {
        name: "one-predictor",
        pattern: r"(?i)exactly one of \[[^\]]*\] must be specified in (?P<what>\w+)",
        field: "spec.predictor",
        message: "a predictor needs exactly one of a model, a framework or containers",
        remedy: "Keep one of them.",
    },
    Rule {
        name: "empty-predictor",
        pattern: r"index out of range|nil pointer dereference",
        field: "spec.predictor",
        message: "the predictor has nothing to serve (KServe's webhook fails on it)",
        remedy: "Give it a `model` or `containers`.",
    },
    Rule {
        name: "multi-node-autoscaler",
        pattern: r"(?i)(?:autoscaler class|autoscaling).*(?:multi-?node|workerSpec)",
        field: "metadata.annotations.serving.kserve.io/autoscalerClass",
        message: "a predictor over several nodes cannot be scaled automatically",
        remedy: "Set the autoscaler class to `none`.",
    },
    Rule {
        name: "multi-node-storage",
        pattern: r"(?i)storageUri.*(?:multi-?node|workerSpec)|(?:multi-?node|workerSpec).*storage",
        field: "spec.predictor.model.storageUri",
        message: "a predictor over several nodes needs storage that all of them see",
        remedy: "Use a `pvc://` or `oci://` address.",
    },
    Rule {
        name: "immutable-mode",
        pattern: r"(?i)deploymentMode.*(?:cannot be changed|immutable|update)",
        field: "metadata.annotations.serving.kserve.io/deploymentMode",
        message: "the deployment mode of something that runs cannot be changed",
        remedy: "Deploy it under another name in the new mode and delete the old one.",
    },
];

static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    RULES
        .iter()
        .map(|r| Regex::new(r.pattern).expect("the table's patterns are tested"))
        .collect()
});

/// The finding for a webhook's message, where the table knows it.
pub(crate) fn known(text: &str, object: &Value) -> Option<Finding> {
    if text.contains("quantities must match the regular expression")
        || text.contains("unable to parse quantity")
    {
        return Some(bad_quantity(object));
    }
    RULES
        .iter()
        .zip(PATTERNS.iter())
        .find_map(|(rule, pattern)| {
            let found = pattern.captures(text)?;
            let fill = |template: &str| {
                let mut out = String::new();
                found.expand(template, &mut out);
                out
            };
            Some(Finding {
                rule: format!("kserve-{}", rule.name),
                severity: Severity::Error,
                field: resolve(
                    &fill(
                        &rule
                            .field
                            .replace("$what", "${what}")
                            .replace("$canary", "${canary}"),
                    ),
                    object,
                ),
                message: fill(rule.message),
                remedy: rule.remedy.to_owned(),
            })
        })
}

/// `spec.canary[name].x` → `spec.canary[0].x`: fields are named by their place in the manifest.
fn resolve(field: &str, object: &Value) -> String {
    let Some((name, rest)) = field
        .strip_prefix("spec.canary[")
        .and_then(|r| r.split_once(']'))
    else {
        return field.to_owned();
    };
    let of = |c: &Value| c.pointer("/predictor/name").and_then(Value::as_str) == Some(name);
    // Of two with the same name, the second is the one too many.
    match object
        .pointer("/spec/canary")
        .and_then(Value::as_array)
        .and_then(|l| l.iter().rposition(of))
    {
        Some(at) => format!("spec.canary[{at}]{rest}"),
        None => "spec.canary".to_owned(),
    }
}

/// The webhook does not say which quantity it cannot read; the manifest does.
fn bad_quantity(object: &Value) -> Finding {
    let mut path = String::from("spec");
    let found = object
        .get("spec")
        .is_some_and(|spec| find_bad_quantity(spec, &mut path));
    Finding {
        rule: "kserve-quantity".into(),
        severity: Severity::Error,
        field: if found {
            path
        } else {
            "spec.predictor.model.resources".into()
        },
        message: "this is not an amount that Kubernetes can read".into(),
        remedy: "Write amounts such as `4`, `500m` or `32Gi`.".into(),
    }
}

/// Looks under every `limits` and `requests`.
fn find_bad_quantity(value: &Value, path: &mut String) -> bool {
    let kept = path.len();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push('.');
                path.push_str(key);
                let amounts = matches!(key.as_str(), "limits" | "requests")
                    .then(|| inner.as_object())
                    .flatten();
                if let Some((bad, _)) = amounts.and_then(|a| a.iter().find(|(_, v)| !readable(v))) {
                    path.push('.');
                    path.push_str(bad);
                    return true;
                }
                if find_bad_quantity(inner, path) {
                    return true;
                }
                path.truncate(kept);
            }
            false
        }
        Value::Array(list) => {
            for (i, inner) in list.iter().enumerate() {
                path.push_str(&format!("[{i}]"));
                if find_bad_quantity(inner, path) {
                    return true;
                }
                path.truncate(kept);
            }
            false
        }
        _ => false,
    }
}

fn readable(amount: &Value) -> bool {
    match amount {
        Value::String(s) => domain::quantity::Quantity::parse(s).is_some(),
        Value::Number(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({"spec": {"predictor": {"model": {"resources": {"limits": {"cpu": "4", "memory": "32Gib"}}}},
            "canary": [{"predictor": {"name": "v2"}}, {"predictor": {"name": "v3"}}, {"predictor": {"name": "v2"}}]}})
    }

    #[test]
    fn every_message_finds_its_field() {
        for (text, rule, field) in [
            (
                "'MinReplicas' cannot be greater than MaxReplicas",
                "min-above-max-replicas",
                "spec.predictor.minReplicas",
            ),
            (
                "'MinReplicas' cannot be less than 0",
                "min-replicas-negative",
                "spec.predictor.minReplicas",
            ),
            (
                "'MaxReplicas' cannot be less than 0",
                "max-replicas-negative",
                "spec.predictor.maxReplicas",
            ),
            (
                "the 'name' field is not allowed in standard predictor",
                "predictor-name",
                "spec.predictor.model.name",
            ),
            (
                "[foo] is not a supported autoscaler class type.\n",
                "autoscaler-class",
                "metadata.annotations.serving.kserve.io/autoscalerClass",
            ),
            (
                "[foo] is not a supported metric.\n",
                "autoscaler-metric",
                "spec.predictor.scaleMetric",
            ),
            (
                "the target utilization percentage should be a [1-100] integer.",
                "scale-target",
                "spec.predictor.scaleTarget",
            ),
            (
                "canary is only supported in Standard deployment mode",
                "canary-mode",
                "spec.canary",
            ),
            (
                "canary predictor.name \"v2\" is duplicated",
                "canary-duplicate",
                "spec.canary[2].predictor.name",
            ),
            (
                "canary predictor.name \"v3\" conflicts with stable predictor.name",
                "canary-stable-name",
                "spec.canary[1].predictor.name",
            ),
            (
                "canary requires a stable predictor with a model",
                "canary-without-stable",
                "spec.predictor.model",
            ),
            (
                "canary predictor.name is required",
                "canary-name-missing",
                "spec.canary",
            ),
            (
                "canary \"v3\" must not set maxReplicas (it follows the stable predictor)",
                "canary-forbidden-field",
                "spec.canary[1].predictor.maxReplicas",
            ),
            (
                "canary \"v3\" minReplicas 5 exceeds the stable predictor's",
                "canary-replicas",
                "spec.canary[1].predictor.minReplicas",
            ),
            (
                "sum of canary trafficPercent must not exceed 100",
                "canary-traffic-sum",
                "spec.canary",
            ),
            (
                "canary \"v3\" trafficPercent must be between 0 and 100",
                "canary-traffic-range",
                "spec.canary[1].trafficPercent",
            ),
            (
                "parallelism cannot be less than 0",
                "parallelism-negative",
                "spec.predictor.containerConcurrency",
            ),
            (
                "storageUri, must be one of: [gs://, s3://] or match https://{}.blob.core.windows.net. StorageUri [foo://x] is not supported.",
                "storage-uri",
                "spec.predictor.model.storageUri",
            ),
            (
                "storage.spec.type, must be one of: [s3]. storage.spec.type [x] is not supported.",
                "storage-type",
                "spec.predictor.model.storage",
            ),
            (
                "the InferenceService \"X\" is invalid: a InferenceService name must consist of lower case alphanumeric characters or '-'",
                "service-name",
                "metadata.name",
            ),
            (
                "invalid protocol v9. Must be one of [v1 v2]",
                "protocol",
                "spec.predictor.model.protocolVersion",
            ),
            (
                "invalid logger type",
                "logger-type",
                "spec.predictor.logger.mode",
            ),
            (
                "exactly one of [SKLearn, Model] must be specified in PredictorSpec",
                "one-predictor",
                "spec.predictor",
            ),
            (
                "panic: runtime error: index out of range [0] with length 0 [recovered]",
                "empty-predictor",
                "spec.predictor",
            ),
            (
                "autoscaler class hpa is not allowed with workerSpec",
                "multi-node-autoscaler",
                "metadata.annotations.serving.kserve.io/autoscalerClass",
            ),
            (
                "the storageUri scheme is not supported in multi-node",
                "multi-node-storage",
                "spec.predictor.model.storageUri",
            ),
            (
                "update rejected: deploymentMode cannot be changed from Standard to Knative",
                "immutable-mode",
                "metadata.annotations.serving.kserve.io/deploymentMode",
            ),
            (
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                "quantity",
                "spec.predictor.model.resources.limits.memory",
            ),
        ] {
            let finding = known(text, &object()).unwrap_or_else(|| panic!("nothing for {text:?}"));
            assert_eq!(
                (finding.rule.as_str(), finding.field.as_str()),
                (format!("kserve-{rule}").as_str(), field),
                "{text}"
            );
            assert!(
                !finding.message.contains('$')
                    && !finding.message.is_empty()
                    && !finding.remedy.is_empty(),
                "{finding:?}"
            );
        }
        assert_eq!(known("something new", &object()), None);
    }

    #[test]
    fn every_rule_has_a_test() {
        // The list above names each rule once; this keeps it so.
        assert_eq!(RULES.len(), 27);
    }
}
