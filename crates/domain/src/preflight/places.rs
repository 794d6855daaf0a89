//! What the place can hold and how it names things: nodes, taints, quotas, amounts, names.

use super::{Checked, Rule, Said, said};
use crate::{
    capacity,
    finding::Severity::{Error, Info, Warning},
    form::check::{dns_label, dns_subdomain},
    isvc::{View, gpu_resource},
    quantity::{Quantity, amount},
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "name", severity: Error, check: name },
    Rule { name: "name-too-long", severity: Error, check: name_too_long },
    Rule { name: "namespace", severity: Error, check: namespace },
    Rule { name: "name-changed", severity: Error, check: name_changed },
    Rule { name: "quantity", severity: Error, check: quantity },
    Rule { name: "request-over-limit", severity: Error, check: request_over_limit },
    Rule { name: "gpu-request-not-limit", severity: Error, check: gpu_request_not_limit },
    Rule { name: "gpu-not-whole", severity: Error, check: gpu_not_whole },
    Rule { name: "requests-missing", severity: Warning, check: requests_missing },
    Rule { name: "memory-limit-missing", severity: Info, check: memory_limit_missing },
    Rule { name: "gpus-more-than-any-node", severity: Error, check: more_gpus_than_any_node },
    Rule { name: "fits-no-node", severity: Error, check: fits_no_node },
    Rule { name: "gpu-taint-not-tolerated", severity: Error, check: gpu_taint },
    Rule { name: "node-selector-matches-none", severity: Error, check: selector },
    Rule { name: "no-room-now", severity: Warning, check: no_room_now },
    Rule { name: "cpu-only-on-gpu-nodes", severity: Warning, check: tolerates_without_gpus },
    Rule { name: "tensor-parallel-differs", severity: Warning, check: tensor_parallel },
    Rule { name: "quota-exceeded", severity: Error, check: quota_exceeded },
    Rule { name: "quota-exceeded-scaled-out", severity: Warning, check: quota_scaled_out },
    Rule { name: "quota-needs-amount", severity: Error, check: quota_needs_amount },
];

fn name(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.name();
    if n.is_empty() {
        let generated = c.view.at("/metadata/generateName").is_string();
        let message = if generated { "The console needs a name of its own, not `generateName`: a decision is about one object." } else { "The deployment has no name." };
        out.push(said("metadata.name", message, "Write a name, such as `llama-3-8b`."));
    } else if !dns_label(n) {
        out.push(said("metadata.name", format!("`{n}` cannot name a Service."), "Use lower-case letters, digits and `-`; begin with a letter and end with a letter or digit."));
    }
}

/// KServe makes Services, Deployments and a pod label from the name; each may have 63 characters.
fn name_too_long(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.name();
    let mut longest = format!("{n}-predictor");
    for canary in c.view.canaries() {
        let theirs = format!("{n}-{}-predictor", canary.name);
        if theirs.len() > longest.len() {
            longest = theirs;
        }
    }
    if c.view.has_transformer() && n.len() + "-transformer".len() > longest.len() {
        longest = format!("{n}-transformer");
    }
    // The pods' label is `app: isvc.<name>-predictor`.
    let label = longest.len() + "isvc.".len();
    if longest.len() > 63 || label > 63 {
        out.push(said("metadata.name", format!("KServe labels its pods `isvc.{longest}`, which has {label} characters; 63 are allowed."), format!("Shorten the name by {}.", label - 63)));
    }
}

fn namespace(c: &Checked<'_>, out: &mut Out) {
    let n = c.view.namespace();
    if n.is_empty() {
        out.push(said("metadata.namespace", "It is not said where to deploy it.", "Choose a target."));
    } else if !dns_subdomain(n) || n.contains('.') || n.len() > 63 {
        out.push(said("metadata.namespace", format!("`{n}` is no namespace's name."), "Choose a target."));
    }
}

fn name_changed(c: &Checked<'_>, out: &mut Out) {
    let Some(live) = c.target.live.map(View::new) else { return };
    for (field, before, after) in [("metadata.name", live.name(), c.view.name()), ("metadata.namespace", live.namespace(), c.view.namespace())] {
        if !before.is_empty() && before != after {
            out.push(said(field, format!("This is an update of `{before}`; with `{after}` it would be another deployment."), "Keep it, or begin a new deployment."));
        }
    }
}

/// Every amount in the predictor's and canaries' containers: path, resource, text.
fn amounts<'a>(c: &Checked<'a>, which: &str) -> Vec<(String, &'a str, String)> {
    let mut out = Vec::new();
    let mut of = |path: String, container: &'a Value| {
        for (k, v) in container.pointer(&format!("/resources/{which}")).and_then(Value::as_object).into_iter().flatten() {
            let text = crate::isvc::quantity_text(v).unwrap_or_else(|| v.to_string());
            out.push((format!("{path}.resources.{which}.{k}"), k.as_str(), text));
        }
    };
    let mut part = |path: String, p: &'a Value| {
        if p["model"].is_object() {
            of(format!("{path}.model"), &p["model"]);
        }
        for (i, x) in p["containers"].as_array().into_iter().flatten().enumerate() {
            of(format!("{path}.containers[{i}]"), x);
        }
    };
    part("spec.predictor".into(), c.view.predictor());
    part("spec.transformer".into(), c.view.at("/spec/transformer"));
    for (i, canary) in c.view.canaries().iter().enumerate() {
        part(format!("spec.canary[{i}].predictor"), canary.predictor);
    }
    out
}

fn quantity(c: &Checked<'_>, out: &mut Out) {
    for which in ["requests", "limits"] {
        for (field, resource, text) in amounts(c, which) {
            match Quantity::parse(&text) {
                None => out.push(said(field, format!("`{text}` is no amount that Kubernetes reads."), "Write it like `4`, `500m` or `32Gi`.")),
                Some(q) if q < Quantity::ZERO => out.push(said(field, "An amount cannot be less than nothing.", "Write it like `4`, `500m` or `32Gi`.")),
                // `memory: 32` is 32 bytes; `32m` a fraction of one.
                Some(q) if resource == "memory" && !q.is_zero() && q < Quantity::from_units(1 << 20) => {
                    out.push(said(field, format!("`{text}` is less than a mebibyte of memory: a unit seems to be missing."), "Write it with its unit, such as `32Gi`."));
                }
                Some(_) => {}
            }
        }
    }
}

fn request_over_limit(c: &Checked<'_>, out: &mut Out) {
    let limits = amounts(c, "limits");
    for (field, resource, text) in amounts(c, "requests").into_iter().filter(|(_, r, _)| !gpu_resource(r)) {
        let twin = field.replace(".requests.", ".limits.");
        let Some((_, _, limit)) = limits.iter().find(|(f, _, _)| *f == twin) else { continue };
        if let (Some(r), Some(l)) = (Quantity::parse(&text), Quantity::parse(limit)) {
            if r > l {
                out.push(said(twin, format!("The limit of {resource} ({limit}) is less than what is requested ({text})."), "Raise the limit or lower the request."));
            }
        }
    }
}

fn gpu_request_not_limit(c: &Checked<'_>, out: &mut Out) {
    let limits = amounts(c, "limits");
    for (field, resource, text) in amounts(c, "requests").into_iter().filter(|(_, r, _)| gpu_resource(r)) {
        let twin = field.replace(".requests.", ".limits.");
        let limit = limits.iter().find(|(f, _, _)| *f == twin).map(|(_, _, l)| l.clone());
        if limit.as_deref().and_then(Quantity::parse) != Quantity::parse(&text) {
            let stands = limit.map_or("no limit".to_owned(), |l| format!("the limit {l}"));
            out.push(said(twin, format!("Devices cannot be overcommitted: the request {text} of {resource} needs the same limit, and there is {stands}."), format!("Write `{resource}: \"{text}\"` under limits.")));
        }
    }
}

fn gpu_not_whole(c: &Checked<'_>, out: &mut Out) {
    for which in ["requests", "limits"] {
        for (field, resource, text) in amounts(c, which).into_iter().filter(|(_, r, _)| gpu_resource(r)) {
            if Quantity::parse(&text).is_some_and(|q| q.milli() % 1000 != 0) {
                out.push(said(field, format!("{resource} is counted in whole devices."), "Write a whole number, or ask for a MIG slice such as `nvidia.com/mig-1g.10gb`."));
            }
        }
    }
}

fn requests_missing(c: &Checked<'_>, out: &mut Out) {
    let missing: Vec<&str> = ["cpu", "memory"].into_iter().filter(|r| amount(&c.requests, r).is_zero()).collect();
    if !missing.is_empty() && (c.view.model().is_object() || c.view.image().is_some()) {
        out.push(said(format!("{}.resources.requests", c.container_path), format!("No {} is requested, so the scheduler takes it for nothing, and the pod is the first to be evicted.", missing.join(" and no ")), "Write what the server needs."));
    }
}

fn memory_limit_missing(c: &Checked<'_>, out: &mut Out) {
    if amount(&c.limits, "memory").is_zero() && !amount(&c.requests, "memory").is_zero() {
        out.push(said(format!("{}.resources.limits.memory", c.container_path), "Without a limit the server can take all of its node's memory.", "Write a limit, as high as the request or higher."));
    }
}

fn gpus(c: &Checked<'_>) -> Vec<(String, i64)> {
    c.requests.iter().filter(|(r, _)| gpu_resource(r)).filter_map(|(r, t)| Some((r.clone(), Quantity::parse(t)?.units()))).filter(|(_, n)| *n > 0).collect()
}

fn gpu_field(c: &Checked<'_>, resource: &str) -> String {
    format!("{}.resources.requests.{resource}", c.container_path)
}

fn more_gpus_than_any_node(c: &Checked<'_>, out: &mut Out) {
    if c.target.nodes.is_empty() {
        return;
    }
    for (resource, count) in gpus(c) {
        let most = c.target.nodes.iter().map(|n| amount(&n.allocatable, &resource).units()).max().unwrap_or(0);
        if most == 0 {
            let offered: std::collections::BTreeSet<&str> = c.target.nodes.iter().flat_map(|n| n.allocatable.iter()).filter(|(r, t)| gpu_resource(r) && t.as_str() != "0").map(|(r, _)| r.as_str()).collect();
            let way = if offered.is_empty() { "Choose another cluster: this one has no GPUs.".to_owned() } else { format!("Ask for one of {}.", offered.into_iter().collect::<Vec<_>>().join(", ")) };
            out.push(said(gpu_field(c, &resource), format!("No node of this cluster has {resource}: the pod would wait for ever."), way));
        } else if count > most {
            out.push(said(gpu_field(c, &resource), format!("A pod asks for {count} {resource}, and no node has more than {most}: the pod would wait for ever."), format!("Ask for at most {most} per pod; spread a larger model over several nodes.")));
        }
    }
}

fn fit(c: &Checked<'_>) -> capacity::Fit {
    capacity::fit(&c.requests, c.replicas().max(1), &c.view.tolerations(), &c.view.node_selector(), c.target.nodes)
}

/// The special cases have rules of their own; this is for what remains, such as memory.
fn fits_no_node(c: &Checked<'_>, out: &mut Out) {
    if c.target.nodes.is_empty() {
        return;
    }
    let fit = fit(c);
    let placeable = |v: &&capacity::NodeVerdict| !v.because.iter().any(|b| b.contains("taint") || b.starts_with("has no ") || b.contains(", not ") || b.contains("cordoned") || b.contains("not ready"));
    let candidates: Vec<_> = fit.verdicts.iter().filter(placeable).collect();
    let gpu_reason = gpus(c).iter().any(|(r, n)| c.target.nodes.iter().all(|node| amount(&node.allocatable, r).units() < *n));
    if fit.fits_when_empty == 0 && !candidates.is_empty() && !gpu_reason {
        out.push(said(format!("{}.resources.requests", c.container_path), fit.summary, "Ask for less per pod."));
    }
}

/// Nodes that have what is asked for in GPUs and carry the wished labels.
fn with_gpus<'a>(c: &Checked<'a>) -> Vec<&'a crate::observed::Node> {
    let wanted = gpus(c);
    let selector = c.view.node_selector();
    c.target.nodes.iter().filter(|n| !wanted.is_empty() && wanted.iter().all(|(r, k)| amount(&n.allocatable, r).units() >= *k) && selector.iter().all(|(k, v)| n.labels.get(k) == Some(v))).collect()
}

fn gpu_taint(c: &Checked<'_>, out: &mut Out) {
    let nodes = with_gpus(c);
    let tolerations = c.view.tolerations();
    let blocked: Vec<_> = nodes.iter().map(|n| capacity::blocking_taints(n, &tolerations)).collect();
    if nodes.is_empty() || blocked.iter().any(Vec::is_empty) {
        return;
    }
    let taint = blocked[0][0];
    let value = if taint.value.is_empty() { "operator: Exists".to_owned() } else { format!("operator: Equal, value: {}", taint.value) };
    out.push(said(
        "spec.predictor.tolerations",
        format!("Every node that has these GPUs carries a taint that is not tolerated ({}): the pod would wait for ever.", capacity::taint_words(taint)),
        format!("Add the toleration `{{key: {}, {value}, effect: {}}}`, if these nodes are meant for it.", taint.key, taint.effect),
    ));
}

fn selector(c: &Checked<'_>, out: &mut Out) {
    for (k, v) in c.view.node_selector() {
        if c.target.nodes.is_empty() || c.target.nodes.iter().any(|n| n.labels.get(&k) == Some(&v)) {
            continue;
        }
        let have: std::collections::BTreeSet<&str> = c.target.nodes.iter().filter_map(|n| n.labels.get(&k)).map(String::as_str).collect();
        let way = if have.is_empty() { "Remove it: no node carries this label.".to_owned() } else { format!("Nodes carry: {}.", have.into_iter().take(8).collect::<Vec<_>>().join(", ")) };
        out.push(said(format!("spec.predictor.nodeSelector.{k}"), format!("No node has {k} {v}: the pod would wait for ever."), way));
    }
}

fn no_room_now(c: &Checked<'_>, out: &mut Out) {
    if c.target.nodes.is_empty() {
        return;
    }
    // What runs of it now makes room for itself, more or less: only what comes on top counts.
    let more = c.replicas().saturating_sub(live_replicas(c));
    let fit = capacity::fit(&c.requests, more, &c.view.tolerations(), &c.view.node_selector(), c.target.nodes);
    if fit.fits_now < more && fit.fits_when_empty > 0 {
        out.push(said("spec.predictor.minReplicas", fit.summary, "It would wait until others leave; ask for less, or stop what is not needed."));
    }
}

fn live_replicas(c: &Checked<'_>) -> u32 {
    let Some(live) = c.target.live.map(View::new).filter(|l| !l.stop_wished()) else { return 0 };
    u32::try_from(live.replicas_wished(live.mode(None))).unwrap_or(0)
}

fn tolerates_without_gpus(c: &Checked<'_>, out: &mut Out) {
    let tolerates = c.view.tolerations().iter().any(|t| t.key.ends_with("/gpu"));
    if tolerates && gpus(c).is_empty() && !c.view.node_selector().contains_key(crate::form::GPU_PRODUCT) {
        out.push(said("spec.predictor.tolerations", "It tolerates the taint of nodes with GPUs and asks for none: it may take their CPU and memory from those that need GPUs.", "Remove the toleration, or ask for GPUs."));
    }
}

/// vLLM's and others' argument, against the devices of the pod.
fn tensor_parallel(c: &Checked<'_>, out: &mut Out) {
    let args = c.view.args();
    let value = |i: usize, a: &str| -> Option<i64> {
        for flag in ["--tensor-parallel-size", "--tensor_parallel_size", "-tp"] {
            if let Some(rest) = a.strip_prefix(flag) {
                return if rest.is_empty() { args.get(i + 1)?.parse().ok() } else { rest.strip_prefix('=')?.parse().ok() };
            }
        }
        None
    };
    let Some((i, wanted)) = args.iter().enumerate().find_map(|(i, a)| Some((i, value(i, a)?))) else { return };
    let have: i64 = gpus(c).iter().map(|(_, n)| n).sum();
    if have > 0 && wanted != have && c.view.predictor()["workerSpec"].is_null() {
        let (message, way) = if wanted > have {
            (format!("The server is told to use {wanted} GPUs, and the pod has {have}: it would not start."), "Ask for as many GPUs, or lower the argument.")
        } else {
            (format!("The server is told to use {wanted} GPUs, and the pod takes {have}: the others would stand idle."), "Ask for fewer GPUs, or raise the argument.")
        };
        out.push(said(format!("{}.args[{i}]", c.container_path), message, way));
    }
}

/// What the quotas would be with so many replicas, less what runs of it now.
fn effect(c: &Checked<'_>, replicas: u32) -> Vec<(String, crate::change::QuotaEffect)> {
    if c.view.stop_wished() {
        return Vec::new();
    }
    let quotas: Vec<_> = match c.target.live.map(View::new).filter(|l| !l.stop_wished()) {
        Some(live) => {
            let runtime = crate::runtime::resolve(live.value(), c.target.runtimes).runtime();
            let (requests, limits) = (live.requests_with(runtime), live.limits_with(runtime));
            capacity::without(c.target.quotas, &requests, &limits, i64::from(live_replicas(c)))
        }
        None => c.target.quotas.to_vec(),
    };
    capacity::quota_effect(&quotas, &c.requests, &c.limits, i64::from(replicas))
        .into_iter()
        .map(|e| {
            let (which, resource) = match (e.resource.strip_prefix("limits."), e.resource.strip_prefix("requests.")) {
                (Some(r), _) => ("limits", r),
                (_, Some(r)) => ("requests", r),
                _ => ("requests", e.resource.as_str()),
            };
            let field = if resource.contains("pods") { "spec.predictor.minReplicas".to_owned() } else { format!("{}.resources.{which}.{resource}", c.container_path) };
            (field, e)
        })
        .collect()
}

fn quota_exceeded(c: &Checked<'_>, out: &mut Out) {
    for (field, e) in effect(c, c.replicas()).into_iter().filter(|(_, e)| e.exceeded) {
        out.push(said(field, format!("The namespace's quota {} allows {} of {}; {} are used, and it would be {}.", e.quota, e.hard, e.resource, e.used, e.after), "Ask for less, stop something else in the namespace, or have the quota raised."));
    }
}

fn quota_scaled_out(c: &Checked<'_>, out: &mut Out) {
    let Some(most) = c.view.max_replicas().and_then(|m| u32::try_from(m).ok()).filter(|m| *m > c.replicas()) else { return };
    let now = effect(c, c.replicas());
    for (_, e) in effect(c, most).into_iter().filter(|(f, e)| e.exceeded && !now.iter().any(|(g, n)| g == f && n.exceeded && n.quota == e.quota)) {
        out.push(said("spec.predictor.maxReplicas", format!("Scaled out to {most} replicas it would use {} of {}; the quota {} allows {}.", e.after, e.resource, e.quota, e.hard), "Lower `maxReplicas`, or have the quota raised."));
    }
}

fn quota_needs_amount(c: &Checked<'_>, out: &mut Out) {
    for quota in c.target.quotas {
        for resource in quota.hard.keys() {
            let (which, name, map) = match (resource.strip_prefix("limits."), resource.strip_prefix("requests.")) {
                (Some(r), _) => ("limits", r, &c.limits),
                (_, Some(r)) => ("requests", r, &c.requests),
                _ => ("requests", resource.as_str(), &c.requests),
            };
            if matches!(name, "cpu" | "memory") && !map.contains_key(name) {
                out.push(said(format!("{}.resources.{which}.{name}", c.container_path), format!("The quota {} counts {resource}, so the cluster refuses pods that do not state it.", quota.name), format!("Write {which} for {name}.")));
            }
        }
    }
}
