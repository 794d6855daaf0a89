//! Replicas, autoscalers and models over several nodes.

use super::{Checked, Rule, Said, annotation, said};
use crate::{
    finding::Severity::{Error, Info, Warning},
    isvc::{AUTOSCALER_CLASS, DEPLOYMENT_MODE, Mode},
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "min-replicas-zero",
        severity: Error,
        check: min_replicas_zero,
    },
    Rule {
        name: "replicas-range",
        severity: Error,
        check: replicas_range,
    },
    Rule {
        name: "concurrency-ignored",
        severity: Warning,
        check: concurrency_ignored,
    },
    Rule {
        name: "scale-metric-ignored",
        severity: Error,
        check: scale_metric_ignored,
    },
    Rule {
        name: "autoscaler-class",
        severity: Error,
        check: autoscaler_class,
    },
    Rule {
        name: "keda-absent",
        severity: Error,
        check: keda_absent,
    },
    Rule {
        name: "autoscaling-unused",
        severity: Warning,
        check: autoscaling_unused,
    },
    Rule {
        name: "multi-node",
        severity: Error,
        check: multi_node,
    },
    Rule {
        name: "multi-node-storage",
        severity: Error,
        check: multi_node_storage,
    },
    Rule {
        name: "scaled-by-others",
        severity: Info,
        check: scaled_by_others,
    },
    Rule {
        name: "autoscaler-needs-cpu-request",
        severity: Warning,
        check: needs_cpu_request,
    },
    Rule {
        name: "gpu-server-scaled-by-cpu",
        severity: Info,
        check: scaled_by_cpu,
    },
];

fn min_replicas_zero(c: &Checked<'_>, out: &mut Out) {
    if c.standard()
        && c.view.min_replicas() == Some(0)
        && c.view.annotation(AUTOSCALER_CLASS) != Some("keda")
    {
        out.push(said("spec.predictor.minReplicas", "In Standard mode nothing scales to zero: KServe accepts 0 and keeps one replica running.", "Write 1, use the autoscaler class `keda` where KEDA is installed, or stop the deployment when it is not needed."));
    }
}

fn replicas_range(c: &Checked<'_>, out: &mut Out) {
    let at = "spec.predictor.";
    match (c.view.min_replicas(), c.view.max_replicas()) {
        (Some(min), _) if min < 0 => out.push(said(
            format!("{at}minReplicas"),
            "There cannot be fewer than no replicas.",
            "Write 1 or more.",
        )),
        (_, Some(max)) if max < 0 => out.push(said(
            format!("{at}maxReplicas"),
            "There cannot be fewer than no replicas.",
            "Write 1 or more.",
        )),
        (min, Some(max)) if max > 0 && max < min.unwrap_or(1) => out.push(said(
            format!("{at}maxReplicas"),
            format!(
                "The most ({max}) is less than the least ({}).",
                min.unwrap_or(1)
            ),
            "Raise `maxReplicas` or lower `minReplicas`.",
        )),
        _ => {}
    }
}

fn concurrency_ignored(c: &Checked<'_>, out: &mut Out) {
    if c.standard()
        && c.view.predictor()["containerConcurrency"]
            .as_i64()
            .is_some_and(|n| n > 0)
    {
        out.push(said("spec.predictor.containerConcurrency", "Only Knative mode limits the requests per container; in Standard mode this has no effect.", "Limit it in the server's arguments, such as `--max-num-seqs`, or remove the field."));
    }
}

fn scale_metric_ignored(c: &Checked<'_>, out: &mut Out) {
    if let Some(m) = c.view.predictor()["scaleMetric"]
        .as_str()
        .filter(|m| c.standard() && matches!(*m, "concurrency" | "rps"))
    {
        out.push(said("spec.predictor.scaleMetric", format!("`{m}` is counted by Knative only; in Standard mode the autoscaler knows cpu and memory."), "Use `cpu` or `memory`, or metrics of your own under `autoScaling` with KEDA."));
    }
}

fn autoscaler_class(c: &Checked<'_>, out: &mut Out) {
    if let Some(v) = c
        .view
        .annotation(AUTOSCALER_CLASS)
        .filter(|v| !matches!(*v, "hpa" | "external" | "keda" | "none"))
    {
        out.push(said(
            annotation(AUTOSCALER_CLASS),
            format!("`{v}` is no autoscaler class."),
            "Write hpa, keda, external or none.",
        ));
    }
}

fn keda_absent(c: &Checked<'_>, out: &mut Out) {
    let facts = c.target.facts;
    if c.view.annotation(AUTOSCALER_CLASS) == Some("keda")
        && !facts.groups.is_empty()
        && !facts.groups.iter().any(|g| g == "keda.sh")
    {
        out.push(said(annotation(AUTOSCALER_CLASS), "KEDA is not installed in this cluster: KServe would start the pods and then fail for ever.", "Use `hpa`, or have KEDA installed."));
    }
}

fn autoscaling_unused(c: &Checked<'_>, out: &mut Out) {
    let class = c.view.annotation(AUTOSCALER_CLASS).unwrap_or("hpa");
    let metrics = c
        .view
        .predictor()
        .pointer("/autoScaling/metrics")
        .and_then(Value::as_array);
    let foreign = metrics
        .into_iter()
        .flatten()
        .any(|m| matches!(m["type"].as_str(), Some("External" | "PodMetric")));
    if foreign && class == "hpa" && c.standard() {
        out.push(said(
            "spec.predictor.autoScaling",
            "Metrics of type External and PodMetric are read by KEDA only; the class is hpa.",
            format!("Set the annotation `{AUTOSCALER_CLASS}: keda`."),
        ));
    } else if metrics.is_some_and(|m| !m.is_empty()) && matches!(class, "external" | "none") {
        out.push(said("spec.predictor.autoScaling", format!("With the autoscaler class {class} KServe makes no autoscaler, so these metrics scale nothing."), "Use `hpa` or `keda`, or remove them."));
    }
}

fn worker(c: &Checked<'_>) -> Option<Value> {
    c.view
        .predictor()
        .get("workerSpec")
        .filter(|w| w.is_object())
        .cloned()
}

fn multi_node(c: &Checked<'_>, out: &mut Out) {
    let Some(worker) = worker(c) else { return };
    if c.view.annotation(AUTOSCALER_CLASS) != Some("none") {
        out.push(said(
            annotation(AUTOSCALER_CLASS),
            "A model over several nodes cannot be scaled by an autoscaler.",
            format!("Set the annotation `{AUTOSCALER_CLASS}: none`."),
        ));
    }
    if c.mode == Some(Mode::Knative) {
        out.push(said(
            annotation(DEPLOYMENT_MODE),
            "A model over several nodes runs in Standard mode only.",
            "Write `Standard`.",
        ));
    }
    for key in ["pipelineParallelSize", "tensorParallelSize"] {
        let least = if key == "pipelineParallelSize" { 2 } else { 1 };
        if worker[key].as_i64().is_some_and(|n| n < least) {
            out.push(said(
                format!("spec.predictor.workerSpec.{key}"),
                format!("Over several nodes this is at least {least}."),
                format!("Write {least} or more, or remove `workerSpec`."),
            ));
        }
    }
    if let Some(r) = c.runtime.runtime().filter(|r| !r.multi_node) {
        out.push(said(
            "spec.predictor.model.runtime",
            format!(
                "The runtime `{}` has no worker: it cannot run over several nodes.",
                r.name
            ),
            "Choose a multi-node runtime.",
        ));
    }
}

fn multi_node_storage(c: &Checked<'_>, out: &mut Out) {
    if worker(c).is_none() {
        return;
    }
    if let Some(uri) = c
        .view
        .storage_uri()
        .filter(|u| !u.starts_with("pvc://") && !u.starts_with("oci"))
    {
        let scheme = uri.split("://").next().unwrap_or(uri);
        out.push(said("spec.predictor.model.storageUri", format!("Over several nodes the model has to come from a volume claim or an image, not from {scheme}."), "Use `pvc://` or `oci://`."));
    }
}

fn scaled_by_others(c: &Checked<'_>, out: &mut Out) {
    if c.view.annotation(AUTOSCALER_CLASS) == Some("external") {
        out.push(said(annotation(AUTOSCALER_CLASS), "KServe leaves the number of replicas to somebody else; the console does not see who scales it.", "Nothing to do, if that is meant."));
    }
}

/// Does KServe make an autoscaler that looks at the CPU? (Without a metric of its own it does.)
fn looks_at_cpu(c: &Checked<'_>) -> bool {
    let p = c.view.predictor();
    let grows = c
        .view
        .max_replicas()
        .is_some_and(|max| max > c.view.min_replicas().unwrap_or(1).max(1));
    c.standard()
        && grows
        && matches!(c.view.annotation(AUTOSCALER_CLASS), None | Some("hpa"))
        && matches!(p["scaleMetric"].as_str(), None | Some("cpu"))
        && p["autoScaling"].is_null()
        && worker(c).is_none()
}

fn needs_cpu_request(c: &Checked<'_>, out: &mut Out) {
    if looks_at_cpu(c) && crate::quantity::amount(&c.requests, "cpu").is_zero() {
        out.push(said(format!("{}.resources.requests.cpu", c.container_path), "The autoscaler compares the CPU in use with what is requested, and nothing is: it would never add a replica.", "Request CPU, or make `maxReplicas` equal to `minReplicas`."));
    }
}

fn scaled_by_cpu(c: &Checked<'_>, out: &mut Out) {
    if looks_at_cpu(c) && c.requests.keys().any(|r| crate::isvc::gpu_resource(r)) {
        out.push(said("spec.predictor.maxReplicas", "The autoscaler looks at the CPU; a server that is busy on its GPU may use little of it and never be scaled out.", "Scale by the server's own metrics with KEDA, or set a fixed number of replicas."));
    }
}
