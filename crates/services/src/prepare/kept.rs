//! What a manifest takes away and the API server keeps all the same: server-side apply gives up only
//! what the console alone owns. Such a removal would "succeed" and change nothing.

use super::finding;
use crate::ports::FIELD_MANAGER;
use domain::{
    change::ChangeKind,
    content::clean,
    diff::diff,
    finding::{Finding, Severity},
    isvc::{STOP, View},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The removals that would do nothing, each beside its field with whoever keeps it. What webhooks fill
/// in again belongs to whoever applies, so it is none of these.
pub(super) fn findings(
    kind: ChangeKind,
    live: &Value,
    manifest: &Value,
    stored: &Value,
) -> Vec<Finding> {
    let gone = |from: &Value| -> BTreeSet<String> {
        diff(&clean(from), manifest)
            .into_iter()
            .filter(|c| c.after.is_none() && !c.before.as_ref().is_none_or(empty))
            .map(|c| c.path)
            .collect()
    };
    let (removed, still_there) = (gone(live), gone(stored));
    let view = View::new(live);
    removed
        .intersection(&still_there)
        .filter_map(|path| {
            let mut owners: Vec<String> = view
                .owners(path)
                .into_iter()
                .filter(|m| m.name != FIELD_MANAGER && m.subresource != "status")
                .map(|m| m.name)
                .collect();
            owners.dedup();
            let owner = owners.join("” and “");
            if owner.is_empty() {
                return None;
            }
            Some(if path.ends_with(STOP) && kind == ChangeKind::Start {
                finding(
                    "kept-by-another",
                    Severity::Error,
                    path,
                    &format!("“{owner}” stopped this deployment outside the console and owns the annotation, so a start from here would change nothing."),
                    &format!("Whoever stopped it has to take it back, for example with `kubectl annotate inferenceservice {} -n {} {STOP}-`.", view.name(), view.namespace()),
                )
            } else {
                finding(
                    "kept-by-another",
                    Severity::Error,
                    path,
                    &format!("“{owner}” also owns this field, so it would stay although the manifest no longer has it."),
                    &format!("Leave it as it is, set another value, or let “{owner}” give it up first."),
                )
            })
        })
        .collect()
}

fn empty(v: &Value) -> bool {
    match v {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "llama", "namespace": "retail-dev", "annotations": {STOP: "true", "note": "x"}, "managedFields": [
                {"manager": "gatehouse", "operation": "Apply", "fieldsV1": {"f:spec": {"f:predictor": {"f:minReplicas": {}, "f:timeout": {}}}, "f:metadata": {"f:annotations": {"f:note": {}}}}},
                {"manager": "kubectl-annotate", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {(format!("f:{STOP}")): {}}}, "f:spec": {"f:predictor": {"f:timeout": {}}}}},
            ]},
            "spec": {"predictor": {"minReplicas": 1, "timeout": 60}},
        })
    }

    #[test]
    fn a_start_that_another_manager_keeps_stopped_is_said() {
        let mut manifest = clean(&live());
        let annotations = &mut manifest["metadata"]["annotations"];
        annotations.as_object_mut().expect("a mapping").remove(STOP);
        let found = findings(ChangeKind::Start, &live(), &manifest, &live());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(found[0].field, format!("metadata.annotations.{STOP}"));
        assert!(found[0].message.contains("kubectl-annotate"));
        // Where the annotation goes, nothing is to be said.
        assert!(findings(ChangeKind::Start, &live(), &manifest, &manifest).is_empty());
    }

    #[test]
    fn any_removal_that_does_nothing_names_field_and_owner() {
        let mut manifest = clean(&live());
        let predictor = manifest["spec"]["predictor"].as_object_mut();
        let predictor = predictor.expect("a mapping");
        predictor.remove("timeout");
        // Filled in again by a webhook: the console's own field.
        predictor.remove("minReplicas");
        let found = findings(ChangeKind::Update, &live(), &manifest, &live());
        let fields: Vec<&str> = found.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(fields, ["spec.predictor.timeout"]);
    }
}
