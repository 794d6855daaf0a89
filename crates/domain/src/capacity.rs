//! What a cluster can hold: node by node what blocks a pod, what a namespace's quota allows, and
//! which GPUs there are.

use crate::{
    change::QuotaEffect,
    isvc::{Placement, Toleration, gpu_resource},
    observed::{Node, Quota, Taint},
    pods::Pods,
    quantity::{Quantity, amount},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one node says to the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVerdict {
    pub node: String,
    /// At least one such pod fits now.
    pub ok: bool,
    /// Labels, taints and affinity let the pod be here, whatever room there is.
    pub placeable: bool,
    /// So many such pods fit now.
    pub fits: u32,
    /// So many would fit if nothing else ran there.
    pub fits_when_empty: u32,
    /// Why none fits, in words; empty where one does.
    pub because: Vec<String>,
}

/// Where such pods fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// So many of the wished replicas fit now.
    pub fits_now: u32,
    /// So many of them would fit if nothing else ran.
    pub fits_when_empty: u32,
    pub wanted: u32,
    pub verdicts: Vec<NodeVerdict>,
    /// One sentence.
    pub summary: String,
}

impl Fit {
    pub fn all(&self) -> bool {
        self.fits_now >= self.wanted
    }
}

/// The taints that a pod with these tolerations may not meet.
pub fn blocking_taints<'a>(node: &'a Node, tolerations: &[Toleration]) -> Vec<&'a Taint> {
    node.taints
        .iter()
        .filter(|t| t.effect != "PreferNoSchedule" && !tolerations.iter().any(|x| x.tolerates(t)))
        .collect()
}

/// A resource's name for people.
pub fn resource_words(resource: &str) -> &str {
    match resource {
        "nvidia.com/gpu" | "amd.com/gpu" | "gpu.intel.com/i915" | "gpu.intel.com/xe" => "GPUs",
        "cpu" => "CPU",
        other => other,
    }
}

fn how_often(free: &BTreeMap<String, Quantity>, requests: &BTreeMap<String, Quantity>) -> u32 {
    let times = |(r, q): (&String, &Quantity)| {
        (free.get(r).copied().unwrap_or_default().milli().max(0) / q.milli())
            .min(i128::from(u32::MAX)) as u32
    };
    requests.iter().map(times).min().unwrap_or(u32::MAX)
}

/// Where pods with these requests fit: labels, taints, required node affinity, cordons, and what is
/// free of each resource. (Affinity to other pods, topology spread and the limit of pods per node are
/// the scheduler's own affair.)
pub fn fit(
    requests: &BTreeMap<String, String>,
    replicas: u32,
    placement: &Placement,
    nodes: &[Node],
) -> Fit {
    let wanted: BTreeMap<String, Quantity> = requests
        .iter()
        .filter_map(|(r, t)| Some((r.clone(), Quantity::parse(t)?)))
        .filter(|(_, q)| q.milli() > 0)
        .collect();
    let verdicts: Vec<NodeVerdict> = nodes
        .iter()
        .map(|n| verdict(n, &wanted, placement))
        .collect();
    let sum = |f: fn(&NodeVerdict) -> u32| {
        verdicts
            .iter()
            .map(f)
            .fold(0u32, u32::saturating_add)
            .min(replicas)
    };
    let (fits_now, fits_when_empty) = (sum(|v| v.fits), sum(|v| v.fits_when_empty));
    let summary = summarise(fits_now, fits_when_empty, replicas, &verdicts);
    Fit {
        fits_now,
        fits_when_empty,
        wanted: replicas,
        verdicts,
        summary,
    }
}

fn verdict(node: &Node, wanted: &BTreeMap<String, Quantity>, placement: &Placement) -> NodeVerdict {
    let mut because = Vec::new();
    if !node.ready {
        because.push("is not ready".to_owned());
    }
    if node.unschedulable {
        because.push("is cordoned: no new pods".to_owned());
    }
    for (k, v) in &placement.node_selector {
        match node.labels.get(k) {
            Some(have) if have == v => {}
            Some(have) => because.push(format!("has {k} {have}, not {v}")),
            None => because.push(format!("has no label {k}")),
        }
    }
    for t in blocking_taints(node, &placement.tolerations) {
        because.push(format!(
            "has the taint {}, which is not tolerated",
            taint_words(t)
        ));
    }
    because.extend(placement.affinity_against(node));
    let placeable = because.is_empty();
    let all: BTreeMap<String, Quantity> = wanted
        .keys()
        .map(|r| (r.clone(), amount(&node.allocatable, r)))
        .collect();
    let free: BTreeMap<String, Quantity> = all
        .iter()
        .map(|(r, q)| (r.clone(), *q - amount(&node.requested, r)))
        .collect();
    for (r, q) in wanted {
        let (have, left) = (all[r], free[r].max(Quantity::ZERO));
        if have.is_zero() && gpu_resource(r) {
            because.push(format!("has no {r}"));
        } else if have < *q {
            because.push(format!(
                "has {} {} in all; a pod needs {}",
                have.show(r),
                resource_words(r),
                q.show(r)
            ));
        } else if left < *q {
            because.push(format!(
                "has {} of {} {} free; a pod needs {}",
                left.show(r),
                have.show(r),
                resource_words(r),
                q.show(r)
            ));
        }
    }
    let (fits, fits_when_empty) = if placeable {
        (how_often(&free, wanted), how_often(&all, wanted))
    } else {
        (0, 0)
    };
    NodeVerdict {
        node: node.name.clone(),
        ok: fits > 0,
        placeable,
        fits,
        fits_when_empty,
        because,
    }
}

pub(crate) fn taint_words(t: &Taint) -> String {
    if t.value.is_empty() {
        format!("{}:{}", t.key, t.effect)
    } else {
        format!("{}={}:{}", t.key, t.value, t.effect)
    }
}

fn plural(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn summarise(now: u32, empty: u32, wanted: u32, verdicts: &[NodeVerdict]) -> String {
    if verdicts.is_empty() {
        return "No nodes are known, so nothing can be said about room.".into();
    }
    let replicas = plural(wanted, "replica", "replicas");
    if now >= wanted {
        return format!(
            "There is room for {replicas} now, on {}.",
            plural(
                verdicts.iter().filter(|v| v.ok).count() as u32,
                "node",
                "nodes"
            )
        );
    }
    let nodes = plural(verdicts.len() as u32, "node", "nodes");
    match (now, empty) {
        (0, 0) if wanted == 0 => "No replicas are asked for.".into(),
        (0, 0) => format!(
            "None of the {nodes} can ever hold such a pod: {}.",
            reasons(verdicts)
        ),
        (0, _) => format!(
            "None of the {nodes} has room now: {}. Once others leave, {} of {replicas} would fit.",
            reasons(verdicts),
            empty
        ),
        _ => format!(
            "There is room for {now} of {replicas} now; {empty} would fit if nothing else ran."
        ),
    }
}

/// The reasons of all nodes, counted.
fn reasons(verdicts: &[NodeVerdict]) -> String {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for reason in verdicts.iter().filter(|v| !v.ok).flat_map(|v| &v.because) {
        match counts.iter_mut().find(|(r, _)| r == reason) {
            Some((_, n)) => *n += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    // "1 has …", "2 have …"
    let many = |r: &str| match r.split_once(' ') {
        Some(("has", rest)) => format!("have {rest}"),
        Some(("is", rest)) => format!("are {rest}"),
        _ => r.to_owned(),
    };
    counts
        .iter()
        .take(4)
        .map(|(r, n)| {
            if *n == 1 {
                format!("1 {r}")
            } else {
                format!("{n} {}", many(r))
            }
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// What the quotas of the namespace would be after these pods more (or less, where their replicas are
/// negative). Only resources that a quota limits and the pods touch, and `pods` itself, are listed.
pub fn quota_effect(quotas: &[Quota], change: &[Pods]) -> Vec<QuotaEffect> {
    let amounts: Vec<_> = change
        .iter()
        .map(|p| (p.requests(), p.limits(), p.replicas))
        .collect();
    let mut out = Vec::new();
    for quota in quotas {
        for (resource, hard) in &quota.hard {
            let per_pod = |requests, limits| match resource.strip_prefix("limits.") {
                Some(name) => amount(limits, name),
                None if resource == "pods" || resource == "count/pods" => Quantity::from_units(1),
                None => amount(
                    requests,
                    resource.strip_prefix("requests.").unwrap_or(resource),
                ),
            };
            let Some(limit) = Quantity::parse(hard) else {
                continue;
            };
            let each: Vec<(Quantity, i64)> = amounts
                .iter()
                .map(|(requests, limits, n)| (per_pod(requests, limits), *n))
                .filter(|(q, _)| !q.is_zero())
                .collect();
            if each.is_empty() {
                continue;
            }
            let more: Quantity = each.into_iter().map(|(q, n)| q * n).sum();
            let used = amount(&quota.used, resource);
            let after = (used + more).max(Quantity::ZERO);
            out.push(QuotaEffect {
                quota: quota.name.clone(),
                resource: resource.clone(),
                used: used.show(resource),
                after: after.show(resource),
                hard: limit.show(resource),
                exceeded: after > limit && more > Quantity::ZERO,
                as_of: quota.as_of,
            });
        }
    }
    out
}

/// The quotas as they would stand without these pods: what an update gives back first.
pub fn without(quotas: &[Quota], pods: &[Pods]) -> Vec<Quota> {
    let gone: Vec<Pods> = pods.iter().map(|p| p.times(-p.replicas)).collect();
    let mut out = quotas.to_vec();
    for quota in &mut out {
        for effect in quota_effect(std::slice::from_ref(quota), &gone) {
            quota.used.insert(effect.resource, effect.after);
        }
    }
    out
}

/// The GPUs of one product on all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuProduct {
    /// `nvidia.com/gpu.product`, or the resource's name where nodes carry no label.
    pub product: String,
    /// `nvidia.com/gpu`, `nvidia.com/mig-1g.10gb`…
    pub resource: String,
    /// Memory of one device, where a label or the product's name tells it.
    pub memory_mib: Option<i64>,
    pub nodes: u32,
    pub allocatable: i64,
    pub requested: i64,
    pub free: i64,
}

/// Which GPUs there are and how many are free, by product and resource name. Nodes that take no new
/// pods (not ready, cordoned) count as allocatable and not as free.
pub fn gpus_by_product(nodes: &[Node]) -> Vec<GpuProduct> {
    let mut out: BTreeMap<(String, String), GpuProduct> = BTreeMap::new();
    for node in nodes {
        for (resource, text) in node.allocatable.iter().filter(|(r, _)| gpu_resource(r)) {
            let count = Quantity::parse(text).unwrap_or_default().units();
            if count == 0 {
                continue;
            }
            let product = product_of(node, resource);
            let entry = out
                .entry((product.clone(), resource.clone()))
                .or_insert_with(|| GpuProduct {
                    memory_mib: device_memory_mib(node, resource),
                    product,
                    resource: resource.clone(),
                    nodes: 0,
                    allocatable: 0,
                    requested: 0,
                    free: 0,
                });
            let requested = amount(&node.requested, resource).units();
            entry.nodes += 1;
            entry.allocatable += count;
            entry.requested += requested;
            if node.ready && !node.unschedulable {
                entry.free += (count - requested).max(0);
            }
        }
    }
    out.into_values().collect()
}

fn product_of(node: &Node, resource: &str) -> String {
    let own = resource
        .strip_prefix("nvidia.com/")
        .filter(|r| r.starts_with("mig-"))
        .and_then(|r| node.labels.get(&format!("nvidia.com/{r}.product")));
    own.or_else(|| node.labels.get("nvidia.com/gpu.product"))
        .or_else(|| node.labels.get("amd.com/gpu.product-name"))
        .cloned()
        .unwrap_or_else(|| resource.to_owned())
}

/// Memory of one device: GPU feature discovery's label; of a MIG slice the size in its own name.
fn device_memory_mib(node: &Node, resource: &str) -> Option<i64> {
    if let Some(slice) = resource.strip_prefix("nvidia.com/mig-") {
        if let Some(label) = node.labels.get(&format!("nvidia.com/mig-{slice}.memory")) {
            return label.parse().ok();
        }
        let gb: i64 = slice.rsplit_once('.')?.1.strip_suffix("gb")?.parse().ok()?;
        return Some(gb * 1024);
    }
    node.labels
        .get("nvidia.com/gpu.memory")
        .and_then(|m| m.parse().ok())
        .or_else(|| {
            let product = node
                .labels
                .get("nvidia.com/gpu.product")
                .or_else(|| node.labels.get("amd.com/gpu.product-name"))?;
            crate::sizing::known_gpu(product).map(|g| g.memory_mib)
        })
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
