//! What KServe accepts and does not do: modes, replicas, formats, runtimes, canaries, autoscaling.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::{Error, Info, Warning},
    isvc::{AUTOSCALER_CLASS, DEPLOYMENT_MODE, Mode, STOP, View},
    runtime::{self, Resolved, Support},
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "not-an-inference-service", severity: Error, check: kind },
    Rule { name: "predictor-missing", severity: Error, check: predictor_missing },
    Rule { name: "predictor-twice", severity: Error, check: predictor_twice },
    Rule { name: "predictor-older-form", severity: Warning, check: predictor_older_form },
    Rule { name: "model-name", severity: Error, check: model_name },
    Rule { name: "annotation-not-text", severity: Error, check: annotation_not_text },
    Rule { name: "mode-unknown", severity: Error, check: mode_unknown },
    Rule { name: "mode-deprecated", severity: Warning, check: mode_deprecated },
    Rule { name: "mode-not-written", severity: Warning, check: mode_not_written },
    Rule { name: "mode-changed", severity: Error, check: mode_changed },
    Rule { name: "stop-not-true", severity: Warning, check: stop_not_true },
    Rule { name: "canary-percent-ignored", severity: Error, check: canary_percent_ignored },
    Rule { name: "canary-percent-range", severity: Error, check: canary_percent_range },
    Rule { name: "min-replicas-zero", severity: Error, check: min_replicas_zero },
    Rule { name: "replicas-range", severity: Error, check: replicas_range },
    Rule { name: "concurrency-ignored", severity: Warning, check: concurrency_ignored },
    Rule { name: "scale-metric-ignored", severity: Error, check: scale_metric_ignored },
    Rule { name: "format-missing", severity: Error, check: format_missing },
    Rule { name: "format-wrong-case", severity: Error, check: format_wrong_case },
    Rule { name: "runtime-none", severity: Error, check: runtime_none },
    Rule { name: "runtime-missing", severity: Error, check: runtime_missing },
    Rule { name: "runtime-disabled", severity: Error, check: runtime_disabled },
    Rule { name: "runtime-unsupported", severity: Error, check: runtime_unsupported },
    Rule { name: "runtime-chosen-by-kserve", severity: Warning, check: runtime_chosen },
    Rule { name: "protocol-unknown", severity: Error, check: protocol_unknown },
    Rule { name: "canary-not-known", severity: Error, check: canary_not_known },
    Rule { name: "canary-needs-standard", severity: Error, check: canary_needs_standard },
    Rule { name: "canary-without-gateway-api", severity: Error, check: canary_without_gateway },
    Rule { name: "canary-beside-transformer", severity: Error, check: canary_beside_transformer },
    Rule { name: "canary-fields", severity: Error, check: canary_fields },
    Rule { name: "canary-names", severity: Error, check: canary_names },
    Rule { name: "canary-traffic", severity: Error, check: canary_traffic },
    Rule { name: "canary-min-replicas", severity: Error, check: canary_min_replicas },
    Rule { name: "predictor-name-before-canary", severity: Error, check: predictor_name },
    Rule { name: "autoscaler-class", severity: Error, check: autoscaler_class },
    Rule { name: "keda-absent", severity: Error, check: keda_absent },
    Rule { name: "autoscaling-unused", severity: Warning, check: autoscaling_unused },
    Rule { name: "multi-node", severity: Error, check: multi_node },
    Rule { name: "multi-node-storage", severity: Error, check: multi_node_storage },
    Rule { name: "scaled-by-others", severity: Info, check: scaled_by_others },
];

fn annotation(key: &str) -> String {
    format!("metadata.annotations.{key}")
}

fn kind(c: &Checked<'_>, out: &mut Out) {
    let (api, kind) = (c.view.api_version(), c.view.kind());
    if api != "serving.kserve.io/v1beta1" || kind != "InferenceService" {
        out.push(said(if kind == "InferenceService" { "apiVersion" } else { "kind" }, format!("This is `{kind}` of `{api}`."), "Write `apiVersion: serving.kserve.io/v1beta1` and `kind: InferenceService`."));
    }
}

/// Frameworks that have a field of their own from before `predictor.model`.
const OLDER: [&str; 10] = ["sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle"];

fn older<'a>(c: &Checked<'a>) -> Option<&'static str> {
    OLDER.into_iter().find(|k| c.view.predictor().get(*k).is_some_and(Value::is_object))
}

fn predictor_missing(c: &Checked<'_>, out: &mut Out) {
    if !c.view.model().is_object() && c.view.image().is_none() && older(c).is_none() {
        out.push(said("spec.predictor", "The predictor serves nothing: it has neither a model nor a container with an image. (KServe's webhook answers this with an internal error.)", "Write `spec.predictor.model` with a format and a `storageUri`, or `spec.predictor.containers`."));
    }
}

fn predictor_twice(c: &Checked<'_>, out: &mut Out) {
    if let Some(old) = older(c).filter(|_| c.view.model().is_object()) {
        out.push(said(format!("spec.predictor.{old}"), format!("The predictor has a `model` and a `{old}`; KServe takes exactly one."), "Keep `model`."));
    }
}

fn predictor_older_form(c: &Checked<'_>, out: &mut Out) {
    if let Some(old) = older(c).filter(|_| !c.view.model().is_object()) {
        out.push(said(format!("spec.predictor.{old}"), format!("`predictor.{old}` is the older form; the console cannot check its runtime."), format!("Write `predictor.model` with `modelFormat: {{name: {old}}}`.")));
    }
}

fn model_name(c: &Checked<'_>, out: &mut Out) {
    if c.view.model()["name"].as_str().is_some_and(|n| !n.is_empty()) {
        out.push(said("spec.predictor.model.name", "KServe refuses a name in `predictor.model`: the container's name is its own.", "Remove `name`; to name the served model, use the server's argument, such as `--served-model-name=…`."));
    }
}

fn annotation_not_text(c: &Checked<'_>, out: &mut Out) {
    for map in ["annotations", "labels"] {
        for (k, v) in c.view.at(&format!("/metadata/{map}")).as_object().into_iter().flatten().filter(|(_, v)| !v.is_string()) {
            out.push(said(format!("metadata.{map}.{k}"), format!("The value is {}, and Kubernetes takes text only.", crate::isvc::kind_of(v)), format!("Put it in quotes: `{k}: \"{v}\"`.")));
        }
    }
}

fn mode_unknown(c: &Checked<'_>, out: &mut Out) {
    if let Some(written) = c.view.mode_written().filter(|w| Mode::parse(w).is_none()) {
        out.push(said(annotation(DEPLOYMENT_MODE), format!("`{written}` is no deployment mode. KServe would accept it and quietly use its default."), "Write `Standard` or `Knative`."));
    }
}

fn mode_deprecated(c: &Checked<'_>, out: &mut Out) {
    let Some(written) = c.view.mode_written() else { return };
    if let Some(mode) = Mode::parse(written).filter(|m| m.name() != written) {
        out.push(said(annotation(DEPLOYMENT_MODE), format!("`{written}` is the deprecated name; KServe's webhook rewrites it."), format!("Write `{}`.", mode.name())));
    }
}

fn mode_not_written(c: &Checked<'_>, out: &mut Out) {
    if c.view.mode_written().is_none() {
        let now = match (c.mode, &c.target.facts.default_mode) {
            (Some(m), _) => format!("now that would be {}", m.name()),
            (None, _) => "which is not known here".to_owned(),
        };
        out.push(said(annotation(DEPLOYMENT_MODE), format!("No deployment mode is written, so the cluster's default decides ({now}), and it may change under the service."), format!("Write the annotation `{DEPLOYMENT_MODE}: Standard`.")));
    }
}

fn mode_changed(c: &Checked<'_>, out: &mut Out) {
    let Some(live) = c.target.live else { return };
    let before = View::new(live).mode(None);
    if let (Some(before), Some(after)) = (before, c.mode) {
        if before != after {
            out.push(said(annotation(DEPLOYMENT_MODE), format!("It runs in {} mode; KServe does not move a service to {} mode.", before.name(), after.name()), "Keep the mode, or delete the service and deploy it anew."));
        }
    }
}

fn stop_not_true(c: &Checked<'_>, out: &mut Out) {
    if let Some(v) = c.view.annotation(STOP).filter(|v| !matches!(*v, "true" | "false")) {
        out.push(said(annotation(STOP), format!("`{v}` stops nothing: KServe looks for `true`."), "Write `\"true\"`, or remove the annotation."));
    }
}

fn canary_percent(c: &Checked<'_>) -> Option<i64> {
    c.view.predictor()["canaryTrafficPercent"].as_i64()
}

fn canary_percent_ignored(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = canary_percent(c).filter(|_| c.standard()) {
        let way = if c.target.facts.canary_field { "Describe the new version in `spec.canary` with its `trafficPercent`." } else { "This KServe has no canaries in Standard mode: remove the field, or have KServe 0.20 or later installed." };
        out.push(said("spec.predictor.canaryTrafficPercent", format!("In Standard mode KServe ignores `canaryTrafficPercent: {p}`: all traffic would go to the new version."), way));
    }
}

fn canary_percent_range(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = canary_percent(c).filter(|p| !(0..=100).contains(p) && !c.standard()) {
        out.push(said("spec.predictor.canaryTrafficPercent", format!("{p} is no percentage; KServe accepts it all the same."), "Write a number from 0 to 100."));
    }
}

fn min_replicas_zero(c: &Checked<'_>, out: &mut Out) {
    if c.standard() && c.view.min_replicas() == Some(0) && c.view.annotation(AUTOSCALER_CLASS) != Some("keda") {
        out.push(said("spec.predictor.minReplicas", "In Standard mode nothing scales to zero: KServe accepts 0 and keeps one replica running.", "Write 1, use the autoscaler class `keda` where KEDA is installed, or stop the deployment when it is not needed."));
    }
}

fn replicas_range(c: &Checked<'_>, out: &mut Out) {
    let at = "spec.predictor.";
    match (c.view.min_replicas(), c.view.max_replicas()) {
        (Some(min), _) if min < 0 => out.push(said(format!("{at}minReplicas"), "There cannot be fewer than no replicas.", "Write 1 or more.")),
        (_, Some(max)) if max < 0 => out.push(said(format!("{at}maxReplicas"), "There cannot be fewer than no replicas.", "Write 1 or more.")),
        (min, Some(max)) if max > 0 && max < min.unwrap_or(1) => out.push(said(format!("{at}maxReplicas"), format!("The most ({max}) is less than the least ({}).", min.unwrap_or(1)), "Raise `maxReplicas` or lower `minReplicas`.")),
        _ => {}
    }
}

fn concurrency_ignored(c: &Checked<'_>, out: &mut Out) {
    if c.standard() && c.view.predictor()["containerConcurrency"].as_i64().is_some_and(|n| n > 0) {
        out.push(said("spec.predictor.containerConcurrency", "Only Knative mode limits the requests per container; in Standard mode this has no effect.", "Limit it in the server's arguments, such as `--max-num-seqs`, or remove the field."));
    }
}

fn scale_metric_ignored(c: &Checked<'_>, out: &mut Out) {
    if let Some(m) = c.view.predictor()["scaleMetric"].as_str().filter(|m| c.standard() && matches!(*m, "concurrency" | "rps")) {
        out.push(said("spec.predictor.scaleMetric", format!("`{m}` is counted by Knative only; in Standard mode the autoscaler knows cpu and memory."), "Use `cpu` or `memory`, or metrics of your own under `autoScaling` with KEDA."));
    }
}

fn format_missing(c: &Checked<'_>, out: &mut Out) {
    if c.view.model().is_object() && c.view.format().is_none() {
        out.push(said("spec.predictor.model.modelFormat.name", "No model format is written, so no runtime can be chosen.", "Write the format, such as `vLLM` or `huggingface`."));
    }
}

fn format_wrong_case(c: &Checked<'_>, out: &mut Out) {
    let Some(f) = c.view.format() else { return };
    let right = match &c.runtime {
        Resolved::Unsupported { support: Support::OtherCase { name }, .. } => name.clone(),
        Resolved::None { instead: Some(name) } => name.clone(),
        _ => return,
    };
    out.push(said("spec.predictor.model.modelFormat.name", format!("KServe compares formats with case and knows no `{}`; did you mean `{right}`?", f.name), format!("Write `{right}`.")));
}

fn formats(c: &Checked<'_>) -> String {
    let visible = c.target.runtimes.iter().filter(|r| !r.disabled && runtime::visible(r, c.view.namespace()));
    let names: std::collections::BTreeSet<&str> = visible.flat_map(|r| &r.formats).map(|f| f.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn runtime_none(c: &Checked<'_>, out: &mut Out) {
    if c.target.runtimes.is_empty() || !matches!(c.runtime, Resolved::None { instead: None }) {
        return;
    }
    let Some(f) = c.view.format() else { return };
    let by_hand = runtime::supporting(c.target.runtimes, c.view.namespace(), &f, c.view.protocol());
    if let Some(r) = by_hand.first() {
        out.push(said("spec.predictor.model.runtime", format!("KServe chooses no runtime for {f} by itself, though {} supports it.", r.name), format!("Name the runtime: `runtime: {}`.", r.name)));
    } else {
        out.push(said("spec.predictor.model.modelFormat.name", format!("No runtime supports {f}{}.", c.view.protocol().map(|p| format!(" with protocol {p}")).unwrap_or_default()), format!("Choose a format that is served here ({}), or have a runtime installed.", formats(c))));
    }
}

fn runtime_missing(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Missing { name } = &c.runtime {
        if c.target.runtimes.is_empty() {
            return;
        }
        let offer = c.view.format().map(|f| runtime::supporting(c.target.runtimes, c.view.namespace(), &f, None)).unwrap_or_default();
        let way = match offer.first() {
            Some(r) => format!("Use `{}`, or have `{name}` installed.", r.name),
            None => format!("Have `{name}` installed, or choose another."),
        };
        out.push(said("spec.predictor.model.runtime", format!("The runtime `{name}` is neither in the namespace nor in the cluster."), way));
    }
}

fn runtime_disabled(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Disabled(r) = &c.runtime {
        out.push(said("spec.predictor.model.runtime", format!("The runtime `{}` is switched off in the cluster.", r.name), "Choose another, or ask who runs the cluster."));
    }
}

fn runtime_unsupported(c: &Checked<'_>, out: &mut Out) {
    let (Resolved::Unsupported { runtime, support }, Some(f)) = (&c.runtime, c.view.format()) else { return };
    let name = &runtime.name;
    let said = match support {
        Support::OtherVersion { versions } => said("spec.predictor.model.modelFormat.version", format!("The runtime `{name}` supports {} in other versions: {}.", f.name, versions.join(", ")), "Write one of them, or leave the version away."),
        Support::OtherProtocol { protocols } => said("spec.predictor.model.protocolVersion", format!("The runtime `{name}` speaks {}, not {}.", protocols.join(", "), c.view.protocol().unwrap_or_default()), "Write one of them, or leave the protocol away."),
        Support::No => {
            let has = runtime.formats.iter().map(|f| f.name.as_str()).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
            let other = runtime::supporting(c.target.runtimes, c.view.namespace(), &f, c.view.protocol());
            let way = other.first().map_or_else(|| "Choose a format that it serves.".to_owned(), |r| format!("Use the runtime `{}`.", r.name));
            said("spec.predictor.model.runtime", format!("The runtime `{name}` does not support {f}; it serves {has}."), way)
        }
        Support::OtherCase { .. } | Support::Yes => return,
    };
    out.push(said);
}

fn runtime_chosen(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Auto(r) = &c.runtime {
        out.push(said("spec.predictor.model.runtime", format!("No runtime is named; KServe would choose `{}` today and may choose another once more are installed.", r.name), format!("Name it: `runtime: {}`.", r.name)));
    }
}

fn protocol_unknown(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = c.view.protocol().filter(|p| !matches!(*p, "v1" | "v2" | "grpc-v1" | "grpc-v2")) {
        out.push(said("spec.predictor.model.protocolVersion", format!("`{p}` is no protocol that KServe knows."), "Write v1, v2, grpc-v1 or grpc-v2, or leave it away."));
    }
}

fn canary_not_known(c: &Checked<'_>, out: &mut Out) {
    if !c.view.at("/spec/canary").is_null() && !c.target.facts.canary_field {
        out.push(said("spec.canary", "This cluster's KServe does not know `spec.canary` (it came with 0.20).", "Remove it, or have KServe 0.20 or later installed."));
    }
}

fn canary_needs_standard(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty() && c.mode == Some(Mode::Knative) {
        out.push(said("spec.canary", "`spec.canary` is for Standard mode; this is Knative.", "Use `predictor.canaryTrafficPercent` in Knative mode."));
    }
}

fn canary_without_gateway(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty() && c.target.facts.gateway_api == Some(false) && c.mode != Some(Mode::Knative) {
        out.push(said("spec.canary", "KServe gives canaries their share of the traffic on HTTPRoutes only, and this cluster's KServe does not make any (`ingress.enableGatewayApi` is false): the canary would run and get nothing.", "Have the Gateway API switched on in KServe's configuration, or remove the canary."));
    }
}

fn canary_beside_transformer(c: &Checked<'_>, out: &mut Out) {
    if !c.view.canaries().is_empty() && c.view.has_transformer() {
        out.push(said("spec.canary", "With a transformer the canary's share would go straight to the canary and leave the transformer out.", "Deploy the new version as a service of its own, or do without the transformer."));
    }
}

fn canary_fields(c: &Checked<'_>, out: &mut Out) {
    for (i, canary) in c.view.canaries().iter().enumerate() {
        for field in ["workerSpec", "maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"] {
            if canary.predictor.get(field).is_some_and(|v| !v.is_null()) {
                out.push(said(format!("spec.canary[{i}].predictor.{field}"), format!("A canary may not set `{field}`: it does not scale by itself."), format!("Remove `{field}`; the size of a canary is its `minReplicas`.")));
            }
        }
    }
}

fn canary_names(c: &Checked<'_>, out: &mut Out) {
    let all = c.view.canaries();
    for (i, canary) in all.iter().enumerate() {
        let field = format!("spec.canary[{i}].predictor.name");
        if canary.name.is_empty() {
            out.push(said(field, "A canary needs a name.", "Name it after the version, such as `v2`."));
        } else if all[..i].iter().any(|o| o.name == canary.name) {
            out.push(said(field, format!("Two canaries are called `{}`.", canary.name), "Give each its own name."));
        } else if c.view.predictor()["name"] == canary.name {
            out.push(said(field, format!("The stable predictor is called `{}` already.", canary.name), "Give the canary another name."));
        } else if !crate::form::check::dns_label(&format!("x{}", canary.name)) {
            out.push(said(field, "The name becomes part of a Deployment's and a Service's name.", "Use lower-case letters, digits and `-`."));
        }
    }
}

fn canary_traffic(c: &Checked<'_>, out: &mut Out) {
    let all = c.view.canaries();
    for (i, canary) in all.iter().enumerate() {
        let field = format!("spec.canary[{i}].trafficPercent");
        match canary.traffic_percent {
            Some(p) if !(0..=100).contains(&p) => out.push(said(field, format!("{p} is no percentage."), "Write a number from 0 (a dark launch) to 100.")),
            _ => {}
        }
    }
    let sum: i64 = all.iter().filter_map(|c| c.traffic_percent).fold(0, i64::saturating_add);
    if sum > 100 && all.iter().all(|c| c.traffic_percent.is_none_or(|p| p <= 100)) {
        out.push(said("spec.canary", format!("The canaries ask for {sum} % of the traffic together."), "Make it at most 100."));
    }
}

fn canary_min_replicas(c: &Checked<'_>, out: &mut Out) {
    let stable = c.view.min_replicas().unwrap_or(1);
    for (i, canary) in c.view.canaries().iter().enumerate() {
        if let Some(n) = canary.predictor["minReplicas"].as_i64().filter(|n| *n > stable) {
            out.push(said(format!("spec.canary[{i}].predictor.minReplicas"), format!("The canary's {n} replicas are more than the stable version's {stable}."), "Write at most as many as `spec.predictor.minReplicas`."));
        }
    }
}

fn predictor_name(c: &Checked<'_>, out: &mut Out) {
    let Some(name) = c.view.predictor()["name"].as_str().filter(|n| !n.is_empty()) else { return };
    let live = c.target.live.map(View::new);
    let known = live.is_some_and(|l| l.predictor()["name"] == name || l.canaries().iter().any(|k| k.name == name));
    if !known {
        out.push(said("spec.predictor.name", format!("`{name}` is no canary of what runs now: KServe allows a name in the stable predictor only to promote a canary."), "Remove `name`, or deploy the version as a canary first."));
    }
}

fn autoscaler_class(c: &Checked<'_>, out: &mut Out) {
    if let Some(v) = c.view.annotation(AUTOSCALER_CLASS).filter(|v| !matches!(*v, "hpa" | "external" | "keda" | "none")) {
        out.push(said(annotation(AUTOSCALER_CLASS), format!("`{v}` is no autoscaler class."), "Write hpa, keda, external or none."));
    }
}

fn keda_absent(c: &Checked<'_>, out: &mut Out) {
    let facts = c.target.facts;
    if c.view.annotation(AUTOSCALER_CLASS) == Some("keda") && !facts.groups.is_empty() && !facts.groups.iter().any(|g| g == "keda.sh") {
        out.push(said(annotation(AUTOSCALER_CLASS), "KEDA is not installed in this cluster: KServe would start the pods and then fail for ever.", "Use `hpa`, or have KEDA installed."));
    }
}

fn autoscaling_unused(c: &Checked<'_>, out: &mut Out) {
    let class = c.view.annotation(AUTOSCALER_CLASS).unwrap_or("hpa");
    let metrics = c.view.predictor().pointer("/autoScaling/metrics").and_then(Value::as_array);
    let foreign = metrics.into_iter().flatten().any(|m| matches!(m["type"].as_str(), Some("External" | "PodMetric")));
    if foreign && class == "hpa" && c.standard() {
        out.push(said("spec.predictor.autoScaling", "Metrics of type External and PodMetric are read by KEDA only; the class is hpa.", format!("Set the annotation `{AUTOSCALER_CLASS}: keda`.")));
    } else if metrics.is_some_and(|m| !m.is_empty()) && matches!(class, "external" | "none") {
        out.push(said("spec.predictor.autoScaling", format!("With the autoscaler class {class} KServe makes no autoscaler, so these metrics scale nothing."), "Use `hpa` or `keda`, or remove them."));
    }
}

fn worker(c: &Checked<'_>) -> Option<Value> {
    c.view.predictor().get("workerSpec").filter(|w| w.is_object()).cloned()
}

fn multi_node(c: &Checked<'_>, out: &mut Out) {
    let Some(worker) = worker(c) else { return };
    if c.view.annotation(AUTOSCALER_CLASS) != Some("none") {
        out.push(said(annotation(AUTOSCALER_CLASS), "A model over several nodes cannot be scaled by an autoscaler.", format!("Set the annotation `{AUTOSCALER_CLASS}: none`.")));
    }
    if c.mode == Some(Mode::Knative) {
        out.push(said(annotation(DEPLOYMENT_MODE), "A model over several nodes runs in Standard mode only.", "Write `Standard`."));
    }
    for key in ["pipelineParallelSize", "tensorParallelSize"] {
        let least = if key == "pipelineParallelSize" { 2 } else { 1 };
        if worker[key].as_i64().is_some_and(|n| n < least) {
            out.push(said(format!("spec.predictor.workerSpec.{key}"), format!("Over several nodes this is at least {least}."), format!("Write {least} or more, or remove `workerSpec`.")));
        }
    }
    if let Some(r) = c.runtime.runtime().filter(|r| !r.multi_node) {
        out.push(said("spec.predictor.model.runtime", format!("The runtime `{}` has no worker: it cannot run over several nodes.", r.name), "Choose a multi-node runtime."));
    }
}

fn multi_node_storage(c: &Checked<'_>, out: &mut Out) {
    if worker(c).is_none() {
        return;
    }
    if let Some(uri) = c.view.storage_uri().filter(|u| !u.starts_with("pvc://") && !u.starts_with("oci")) {
        let scheme = uri.split("://").next().unwrap_or(uri);
        out.push(said("spec.predictor.model.storageUri", format!("Over several nodes the model has to come from a volume claim or an image, not from {scheme}."), "Use `pvc://` or `oci://`."));
    }
}

fn scaled_by_others(c: &Checked<'_>, out: &mut Out) {
    if c.view.annotation(AUTOSCALER_CLASS) == Some("external") {
        out.push(said(annotation(AUTOSCALER_CLASS), "KServe leaves the number of replicas to somebody else; the console does not see who scales it.", "Nothing to do, if that is meant."));
    }
}
