//! The pods that an InferenceService starts with, part by part: what its namespace has to have room for.

use crate::{
    isvc::{
        AUTOSCALER_CLASS, Amounts, Mode, STOP, View, container_amounts, gpu_resource, of_part,
        replicas_wished, sum,
    },
    observed::{LimitRange, Live, Runtime},
    quantity::Quantity,
    runtime::resolve,
    state::canary::{canary_workload, stable_workload, worker_workload},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The device that KServe gives a node of several where nobody says one.
const DEVICE: &str = "nvidia.com/gpu";
/// The container that KServe fills from the runtime's worker and the manifest's.
const WORKER_CONTAINER: &str = "worker-container";

static NULL: Value = Value::Null;

/// Pods that are all alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pods {
    /// `predictor`, `worker`, `canary v2`, `transformer`, `explainer`
    pub part: String,
    /// How many; of a difference, how many more or (negative) less.
    pub replicas: i64,
    pub containers: Vec<Amounts>,
}

impl Pods {
    /// What one of them asks for.
    pub fn requests(&self) -> BTreeMap<String, String> {
        sum(self.containers.iter().map(|c| &c.requests))
    }
    pub fn limits(&self) -> BTreeMap<String, String> {
        sum(self.containers.iter().map(|c| &c.limits))
    }
    /// As many of them as this.
    pub fn times(&self, replicas: i64) -> Self {
        Self {
            replicas,
            ..self.clone()
        }
    }
}

/// Every pod that the service starts with; none where it is stopped. Without a mode of its own and of
/// the cluster it counts as Standard.
pub fn of(
    manifest: &Value,
    runtimes: &[Runtime],
    ranges: &[LimitRange],
    default_mode: Option<&str>,
) -> Vec<Pods> {
    let view = View::new(manifest);
    if view.stop_wished() {
        return Vec::new();
    }
    let mode = view.mode(default_mode).or(Some(Mode::Standard));
    let runtime = resolve(manifest, runtimes).runtime();
    let mut head = Pods {
        part: "predictor".into(),
        replicas: view.replicas_wished(mode),
        containers: view.amounts_with(runtime, ranges),
    };
    let worker = worker(&view, runtime, ranges, &mut head);
    let mut out = vec![head];
    out.extend(worker);
    for (i, canary) in view.canaries().iter().enumerate() {
        let alone = view.with_predictor_of(canary);
        let runtime = resolve(&alone, runtimes).runtime();
        out.push(Pods {
            part: format!("canary {}", canary.name),
            replicas: replicas_wished(canary.predictor, mode),
            containers: of_part(
                &format!("spec.canary[{i}].predictor"),
                canary.predictor,
                runtime.map(|r| &r.spec),
                ranges,
            ),
        });
    }
    for part in ["transformer", "explainer"] {
        let spec = view.at(&format!("/spec/{part}"));
        if spec.is_object() {
            out.push(Pods {
                part: part.into(),
                replicas: replicas_wished(spec, mode),
                containers: of_part(&format!("spec.{part}"), spec, None, ranges),
            });
        }
    }
    out
}

/// The pods of a service that there are, which what is used of a quota counts; ending ones among them.
/// Of the predictor an autoscaler may have made more than it starts with; of each part a quota may have
/// kept back some.
pub fn running(
    live: &Live,
    runtimes: &[Runtime],
    ranges: &[LimitRange],
    default_mode: Option<&str>,
) -> Vec<Pods> {
    // What was stopped just now has pods that are ending.
    let mut shape = live.object.clone();
    if let Some(annotations) = shape["metadata"]["annotations"].as_object_mut() {
        annotations.remove(STOP);
    }
    let mut out = of(&shape, runtimes, ranges, default_mode);
    // It serves, and no pod is seen: the console may not see them.
    if live.pods.is_empty() && live.workloads.iter().any(|w| w.available > 0) {
        return out;
    }
    let view = View::new(&live.object);
    let knative = view.mode(default_mode) == Some(Mode::Knative);
    for pods in &mut out {
        let there = live
            .pods
            .iter()
            .filter(|p| !matches!(p.phase.as_str(), "Failed" | "Succeeded"))
            .filter(|p| {
                // In Knative mode each revision has a Deployment of its own.
                if knative {
                    p.component == pods.part
                } else {
                    p.workload == workload_of(&view, &pods.part)
                }
            })
            .count();
        let there = i64::try_from(there).unwrap_or(i64::MAX);
        // What the others may be scaled to is not looked at, so neither is what they were scaled to.
        pods.replicas = match pods.part.as_str() {
            "predictor" => there,
            _ => there.min(pods.replicas),
        };
    }
    out
}

/// What an autoscaler made of the predictor stays when this is applied, up to the most that it may make: it
/// is not taken back before the load is gone. Without a bound Knative makes any number; elsewhere the bound
/// is then the least (KServe's API: 0 is no bound, for Knative alone).
pub fn keep(after: &mut [Pods], view: &View<'_>, default_mode: Option<&str>, running: &[Pods]) {
    let most = match (view.mode(default_mode), view.max_replicas()) {
        _ if view.annotation(AUTOSCALER_CLASS) == Some("none") => 0,
        (Some(Mode::Knative), None | Some(0)) => i64::MAX,
        (_, most) => most.unwrap_or(0),
    };
    if let (Some(predictor), Some(now)) = (after.first_mut(), running.first()) {
        predictor.replicas = predictor.replicas.max(now.replicas.min(most));
    }
}

/// The Deployment of a part.
fn workload_of(view: &View<'_>, part: &str) -> String {
    match (part, part.strip_prefix("canary ")) {
        ("predictor", _) => stable_workload(view),
        ("worker", _) => worker_workload(view),
        (_, Some(canary)) => canary_workload(view, canary),
        _ => format!("{}-{part}", view.name()),
    }
}

/// The pods beside the head of a model over several nodes, as KServe reckons them from the devices
/// that are asked for (predictor.go, `computeRayNodeAndGPUs`); what it gives the head stands there then.
fn worker(
    view: &View<'_>,
    runtime: Option<&Runtime>,
    ranges: &[LimitRange],
    head: &mut Pods,
) -> Option<Pods> {
    let own = &view.predictor()["workerSpec"];
    own.as_object()?;
    let theirs = runtime.map_or(&NULL, |r| &r.spec["workerSpec"]);
    let size = |key: &str, or: i64| {
        let said = own[key].as_i64().or_else(|| theirs[key].as_i64());
        said.unwrap_or(or).clamp(1, 1000)
    };
    let devices = size("tensorParallelSize", 1) * size("pipelineParallelSize", 2);
    let base = theirs["containers"]
        .as_array()
        .and_then(|all| all.iter().find(|c| c["name"] == WORKER_CONTAINER));
    let mut container = container_amounts(
        "spec.predictor.workerSpec.containers[0]".into(),
        own.pointer("/containers/0").unwrap_or(&NULL),
        base,
        ranges,
    );
    let asked = |requests: &BTreeMap<String, String>| -> i64 {
        requests
            .iter()
            .filter(|(r, _)| gpu_resource(r))
            .filter_map(|(_, t)| Some(Quantity::parse(t)?.units()))
            .sum()
    };
    let at_head = asked(&head.requests());
    let mut each = asked(&container.requests);
    if each == 0 {
        each = 1;
        give(&mut container, DEVICE, 1);
    }
    let nodes = if at_head > 0 {
        1 + ((devices - at_head).max(0) + each - 1) / each
    } else {
        (devices + each - 1) / each
    };
    if let Some(first) = head.containers.first_mut().filter(|_| at_head == 0) {
        let device = container.requests.keys().find(|r| gpu_resource(r));
        let device = device.map_or(DEVICE, String::as_str).to_owned();
        give(first, &device, devices - each * (nodes - 1));
    }
    Some(Pods {
        part: "worker".into(),
        replicas: head.replicas * (nodes - 1),
        containers: vec![container],
    })
}

fn give(container: &mut Amounts, device: &str, count: i64) {
    for map in [&mut container.requests, &mut container.limits] {
        map.insert(device.to_owned(), count.to_string());
    }
}

/// What comes on top when `after` takes the place of `before`. With other amounts, old and new pods of
/// a part count side by side while the one replaces the other.
pub fn on_top(before: &[Pods], after: &[Pods]) -> Vec<Pods> {
    let same = |a: &Pods, b: &Pods| {
        a.part == b.part && a.requests() == b.requests() && a.limits() == b.limits()
    };
    let more = after.iter().map(|a| {
        let was = before.iter().find(|b| same(a, b)).map_or(0, |b| b.replicas);
        a.times(a.replicas - was)
    });
    let gone = before
        .iter()
        .filter(|b| !after.iter().any(|a| a.part == b.part))
        .map(|b| b.times(-b.replicas));
    more.chain(gone).collect()
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
