//! A deployment as a line of the list.

use super::{canary, explain, knative, problem};
use crate::{
    content::{fingerprint, fingerprint_if_started},
    isvc::{View, gpu_resource},
    observed::{Live, Row},
    quantity::Quantity,
    time::Micros,
};

/// The line for this deployment.
pub fn row(live: &Live, now: Micros) -> Row {
    let view = View::new(&live.object);
    let said = explain(live, now);
    let mut names: Vec<String> = knative::workloads(live, &view)
        .iter()
        .map(|w| w.name.clone())
        .collect();
    if names.is_empty() {
        names.push(canary::stable_workload(&view));
    }
    names.extend(
        view.canaries()
            .iter()
            .map(|c| canary::canary_workload(&view, c.name)),
    );
    let mine = || live.workloads.iter().filter(|w| names.contains(&w.name));
    Row {
        key: live.key.clone(),
        scope: live.scope.clone(),
        state: said.code,
        headline: said.headline,
        cause: said.cause,
        format: view.format().map(|f| f.to_string()).unwrap_or_default(),
        runtime: view
            .runtime_in_use()
            .or_else(|| view.runtime())
            .unwrap_or_default()
            .to_owned(),
        source: view.source().to_owned(),
        replicas_ready: mine().map(|w| w.ready).sum(),
        replicas_desired: mine().map(|w| w.desired).sum(),
        gpus: gpus(live, &view, &names),
        url: view.url().map(str::to_owned),
        created_at: view.created_at(),
        fingerprint: fingerprint(&live.object),
        fingerprint_if_started: fingerprint_if_started(&live.object),
        as_of: live.as_of,
        stale: live.stale,
    }
}

/// Devices that its pods hold or wait for; without pods, what the manifest asks for with the
/// replicas that its workloads wish.
fn gpus(live: &Live, view: &View<'_>, names: &[String]) -> i64 {
    let worker = canary::worker_workload(view);
    let pods: Vec<_> = names
        .iter()
        .chain([&worker])
        .flat_map(|n| problem::pods_of(live, n))
        .collect();
    if pods.is_empty() {
        let desired = |name: &String| -> i64 {
            let mine = live.workloads.iter().filter(|w| w.name == *name);
            mine.map(|w| i64::from(w.desired)).sum()
        };
        return view.gpu_count() * names.first().map_or(0, desired)
            + view.worker_gpu_count() * desired(&worker);
    }
    let of = |(resource, amount): &(String, String)| {
        if gpu_resource(resource) {
            Quantity::parse(amount).unwrap_or_default().units()
        } else {
            0
        }
    };
    pods.iter().flat_map(|p| &p.requests).map(of).sum()
}
