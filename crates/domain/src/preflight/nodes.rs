//! What the cluster's nodes can hold.

use super::{Checked, Rule, Said, live_replicas, said};
use crate::{
    capacity,
    finding::Severity::{Error, Warning},
    isvc::gpu_resource,
    observed::Node,
    quantity::{Quantity, amount},
};

type Out = Vec<Said>;

/// Nodes that a sentence names; more would bury the reason.
const NODES_NAMED: usize = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "gpus-more-than-any-node",
        severity: Error,
        check: more_gpus_than_any_node,
    },
    Rule {
        name: "fits-no-node",
        severity: Error,
        check: fits_no_node,
    },
    Rule {
        name: "gpu-taint-not-tolerated",
        severity: Error,
        check: gpu_taint,
    },
    Rule {
        name: "node-selector-matches-none",
        severity: Error,
        check: selector,
    },
    Rule {
        name: "affinity-matches-none",
        severity: Error,
        check: affinity,
    },
    Rule {
        name: "no-room-now",
        severity: Warning,
        check: no_room_now,
    },
    Rule {
        name: "cpu-only-on-gpu-nodes",
        severity: Warning,
        check: tolerates_without_gpus,
    },
    Rule {
        name: "tensor-parallel-differs",
        severity: Warning,
        check: tensor_parallel,
    },
];

fn gpus(c: &Checked<'_>) -> Vec<(String, i64)> {
    c.requests
        .iter()
        .filter(|(r, _)| gpu_resource(r))
        .filter_map(|(r, t)| Some((r.clone(), Quantity::parse(t)?.units())))
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn gpu_field(c: &Checked<'_>, resource: &str) -> String {
    format!("{}.resources.requests.{resource}", c.container_path)
}

fn more_gpus_than_any_node(c: &Checked<'_>, out: &mut Out) {
    if c.target.nodes.is_empty() {
        return;
    }
    for (resource, count) in gpus(c) {
        let most = c
            .target
            .nodes
            .iter()
            .map(|n| amount(&n.allocatable, &resource).units())
            .max()
            .unwrap_or(0);
        if most == 0 {
            let offered: std::collections::BTreeSet<&str> = c
                .target
                .nodes
                .iter()
                .flat_map(|n| n.allocatable.iter())
                .filter(|(r, t)| gpu_resource(r) && t.as_str() != "0")
                .map(|(r, _)| r.as_str())
                .collect();
            let way = if offered.is_empty() {
                "Choose another cluster: this one has no GPUs.".to_owned()
            } else {
                format!(
                    "Ask for one of {}.",
                    offered.into_iter().collect::<Vec<_>>().join(", ")
                )
            };
            out.push(said(
                gpu_field(c, &resource),
                format!("No node of this cluster has {resource}: the pod would wait for ever."),
                way,
            ));
        } else if count > most {
            out.push(said(gpu_field(c, &resource), format!("A pod asks for {count} {resource}, and no node has more than {most}: the pod would wait for ever."), format!("Ask for at most {most} per pod; spread a larger model over several nodes.")));
        }
    }
}

/// What is always so of these nodes: that one is cordoned or not ready may change any moment.
fn lasting(nodes: &[Node]) -> Vec<Node> {
    let up = |n: &Node| Node {
        ready: true,
        unschedulable: false,
        ..n.clone()
    };
    nodes.iter().map(up).collect()
}

/// The special cases have rules of their own; this is for what remains, such as memory, or nodes of
/// which each is ruled out by something else.
fn fits_no_node(c: &Checked<'_>, out: &mut Out) {
    let fits =
        |nodes: &[Node]| capacity::fit(&c.requests, c.replicas().max(1), &c.placement, nodes);
    if c.target.nodes.is_empty() || fits(c.target.nodes).fits_when_empty > 0 {
        return;
    }
    let mut special = Vec::new();
    for rule in [more_gpus_than_any_node, gpu_taint, selector, affinity] {
        rule(c, &mut special);
    }
    let fit = fits(&lasting(c.target.nodes));
    if !special.is_empty() || fit.fits_when_empty > 0 {
        return;
    }
    let too_large = fit
        .verdicts
        .iter()
        .any(|v| v.placeable && !v.because.iter().any(|b| b.starts_with("has no ")));
    let way = if too_large {
        "Ask for less per pod."
    } else if tolerations_unknown(c) {
        return;
    } else {
        "Change its tolerations, node selector or affinity so that a node remains, or choose another cluster."
    };
    out.push(said(
        format!("{}.resources.requests", c.container_path),
        fit.summary,
        way,
    ));
}

/// Nodes that have what is asked for in GPUs and carry the wished labels.
fn with_gpus<'a>(c: &Checked<'a>) -> Vec<&'a Node> {
    let wanted = gpus(c);
    c.target
        .nodes
        .iter()
        .filter(|n| {
            !wanted.is_empty()
                && wanted
                    .iter()
                    .all(|(r, k)| amount(&n.allocatable, r).units() >= *k)
                && c.placement
                    .node_selector
                    .iter()
                    .all(|(k, v)| n.labels.get(k) == Some(v))
                && c.placement.affinity_against(n).is_empty()
        })
        .collect()
}

/// The runtime may tolerate what the manifest does not, and it is not known which one it will be.
fn tolerations_unknown(c: &Checked<'_>) -> bool {
    c.placement.tolerations.is_empty()
        && c.view.model().is_object()
        && c.runtime.runtime().is_none()
}

fn gpu_taint(c: &Checked<'_>, out: &mut Out) {
    if tolerations_unknown(c) {
        return;
    }
    let nodes = with_gpus(c);
    let blocked: Vec<_> = nodes
        .iter()
        .map(|n| capacity::blocking_taints(n, &c.placement.tolerations))
        .collect();
    if nodes.is_empty() || blocked.iter().any(Vec::is_empty) {
        return;
    }
    let taint = blocked[0][0];
    let value = if taint.value.is_empty() {
        "operator: Exists".to_owned()
    } else {
        format!("operator: Equal, value: {}", taint.value)
    };
    out.push(said(
        "spec.predictor.tolerations",
        format!("Every node that has these GPUs carries a taint that is not tolerated ({}): the pod would wait for ever.", capacity::taint_words(taint)),
        format!("Add the toleration `{{key: {}, {value}, effect: {}}}`, if these nodes are meant for it.", taint.key, taint.effect),
    ));
}

fn selector(c: &Checked<'_>, out: &mut Out) {
    for (k, v) in &c.placement.node_selector {
        if c.target.nodes.is_empty() || c.target.nodes.iter().any(|n| n.labels.get(k) == Some(v)) {
            continue;
        }
        let have: std::collections::BTreeSet<&str> = c
            .target
            .nodes
            .iter()
            .filter_map(|n| n.labels.get(k))
            .map(String::as_str)
            .collect();
        let way = if have.is_empty() {
            "Remove it: no node carries this label.".to_owned()
        } else {
            format!(
                "Nodes carry: {}.",
                have.into_iter().take(8).collect::<Vec<_>>().join(", ")
            )
        };
        let message = format!("No node has {k} {v}: the pod would wait for ever.");
        out.push(match of_runtime(c, "nodeSelector", k) {
            None => said(format!("spec.predictor.nodeSelector.{k}"), message, way),
            Some(runtime) => said(
                "spec.predictor.model.runtime",
                format!("The runtime `{runtime}` asks for nodes with {k} {v}. {message}"),
                format!("Choose another runtime, or write {k} under `spec.predictor.nodeSelector`. {way}"),
            ),
        });
    }
}

/// The runtime's name, where a scheduling field (or a key of it) comes from it and not from the manifest.
fn of_runtime<'a>(c: &'a Checked<'_>, field: &str, key: &str) -> Option<&'a str> {
    let has = |spec: &serde_json::Value| {
        let v = &spec[field];
        !v.is_null() && *v != serde_json::json!([]) && (key.is_empty() || !v[key].is_null())
    };
    c.runtime
        .runtime()
        .filter(|r| !has(c.view.predictor()) && has(&r.spec))
        .map(|r| r.name.as_str())
}

fn affinity(c: &Checked<'_>, out: &mut Out) {
    let against: Vec<(&str, Vec<String>)> = c
        .target
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), c.placement.affinity_against(n)))
        .collect();
    if against.is_empty() || against.iter().any(|(_, why)| why.is_empty()) {
        return;
    }
    let mut words: Vec<String> = against
        .iter()
        .take(NODES_NAMED)
        .map(|(node, why)| format!("{node} {}", why.join(" and ")))
        .collect();
    if against.len() > NODES_NAMED {
        words.push(format!(
            "and so on for {} more",
            against.len() - NODES_NAMED
        ));
    }
    let (field, whose) = match of_runtime(c, "affinity", "") {
        None => ("spec.predictor.affinity", String::new()),
        Some(runtime) => (
            "spec.predictor.model.runtime",
            format!(" of the runtime `{runtime}`"),
        ),
    };
    out.push(said(
        field,
        format!(
            "No node meets the required node affinity{whose}: the pod would wait for ever. {}.",
            words.join("; ")
        ),
        "Require what a node has, or make it a preference (`preferredDuringSchedulingIgnoredDuringExecution`).",
    ));
}

fn no_room_now(c: &Checked<'_>, out: &mut Out) {
    if c.target.nodes.is_empty() {
        return;
    }
    // What runs of it now makes room for itself, more or less: only what comes on top counts.
    let more = c.replicas().saturating_sub(live_replicas(c));
    let fit = capacity::fit(&c.requests, more, &c.placement, c.target.nodes);
    if fit.fits_now < more && fit.fits_when_empty > 0 {
        out.push(said(
            "spec.predictor.minReplicas",
            fit.summary,
            "It would wait until others leave; ask for less, or stop what is not needed.",
        ));
    }
}

fn tolerates_without_gpus(c: &Checked<'_>, out: &mut Out) {
    // What the runtime tolerates is not for the person to remove.
    let tolerates = c
        .placement
        .tolerations
        .iter()
        .any(|t| t.key.ends_with("/gpu"))
        && of_runtime(c, "tolerations", "").is_none();
    if tolerates
        && gpus(c).is_empty()
        && !c
            .placement
            .node_selector
            .contains_key(crate::form::GPU_PRODUCT)
    {
        out.push(said("spec.predictor.tolerations", "It tolerates the taint of nodes with GPUs and asks for none: it may take their CPU and memory from those that need GPUs.", "Remove the toleration, or ask for GPUs."));
    }
}

/// vLLM's and others' argument, against the devices of the pod.
fn tensor_parallel(c: &Checked<'_>, out: &mut Out) {
    let args = c.view.args();
    let value = |i: usize, a: &str| -> Option<i64> {
        for flag in ["--tensor-parallel-size", "--tensor_parallel_size", "-tp"] {
            if let Some(rest) = a.strip_prefix(flag) {
                return if rest.is_empty() {
                    args.get(i + 1)?.parse().ok()
                } else {
                    rest.strip_prefix('=')?.parse().ok()
                };
            }
        }
        None
    };
    let Some((i, wanted)) = args
        .iter()
        .enumerate()
        .find_map(|(i, a)| Some((i, value(i, a)?)))
    else {
        return;
    };
    let have: i64 = gpus(c).iter().map(|(_, n)| n).sum();
    if have > 0 && wanted != have && c.view.predictor()["workerSpec"].is_null() {
        let (message, way) = if wanted > have {
            (
                format!(
                    "The server is told to use {wanted} GPUs, and the pod has {have}: it would not start."
                ),
                "Ask for as many GPUs, or lower the argument.",
            )
        } else {
            (
                format!(
                    "The server is told to use {wanted} GPUs, and the pod takes {have}: the others would stand idle."
                ),
                "Ask for fewer GPUs, or raise the argument.",
            )
        };
        out.push(said(
            format!("{}.args[{i}]", c.container_path),
            message,
            way,
        ));
    }
}
