//! Canaries: what is wished, and what the route really does.

use super::{Code, Explanation, problem, words};
use crate::{
    isvc::{Canary, View},
    observed::{Live, Route},
};

/// The Deployment of the stable predictor: named after `predictor.name` once a canary was promoted.
pub(crate) fn stable_workload(view: &View<'_>) -> String {
    match view.predictor()["name"].as_str().filter(|n| !n.is_empty()) {
        Some(name) => canary_workload(view, name),
        None => format!("{}-predictor", view.name()),
    }
}

/// The Deployment with the other nodes of a model that is spread over several.
pub(crate) fn worker_workload(view: &View<'_>) -> String {
    format!("{}-worker", stable_workload(view))
}

pub(crate) fn canary_workload(view: &View<'_>, canary: &str) -> String {
    format!("{}-{canary}-predictor", view.name())
}

/// The share that the route gives this backend, in percent; `None` without a route that knows weights.
fn real_percent(routes: &[Route], name: &str, backend: &str) -> Option<i64> {
    let route = routes
        .iter()
        .find(|r| r.name == name)
        .or_else(|| {
            routes
                .iter()
                .find(|r| r.name == format!("{name}-predictor"))
        })
        .or(routes.first())?;
    let total: i64 = route.backends.iter().map(|(_, w)| i64::from(*w)).sum();
    let mine: i64 = route
        .backends
        .iter()
        .filter(|(b, _)| b == backend)
        .map(|(_, w)| i64::from(*w))
        .sum();
    Some(if total == 0 {
        0
    } else {
        (mine * 100 + total / 2) / total
    })
}

/// What the canaries of a healthy service amount to; `None` where it has none.
pub(super) fn explain(live: &Live, view: &View<'_>) -> Option<Explanation> {
    let canaries = view.canaries();
    if canaries.is_empty() {
        return None;
    }
    let each: Vec<Explanation> = canaries.iter().map(|c| one(live, view, c)).collect();
    // The worst first; of equals the first.
    each.into_iter()
        .enumerate()
        .max_by_key(|(i, e)| (e.code.unhealthy(), std::cmp::Reverse(*i)))
        .map(|(_, e)| e)
}

fn one(live: &Live, view: &View<'_>, canary: &Canary<'_>) -> Explanation {
    let name = canary.name;
    let backend = canary_workload(view, name);
    let wish = canary.traffic_percent.unwrap_or(0);
    let ready = view
        .canary_statuses()
        .iter()
        .any(|s| s.name == name && s.ready);
    let workload = live.workloads.iter().find(|w| w.name == backend);
    if !ready {
        let real = real_percent(&live.routes, view.name(), &backend).unwrap_or(0);
        if let Some(p) = workload.and_then(|w| problem::of_workload(live, w, false)) {
            return Explanation::new(Code::Degraded, format!("The canary {name} does not come up; it gets {real} % instead of {wish} %, and the stable version serves"))
                .because(p.cause)
                .so(format!("{} Or remove the canary.", p.next_step));
        }
        return Explanation::new(
            Code::Canary,
            format!(
                "The canary {name} comes up; it gets {real} % until it is ready, then {wish} %"
            ),
        );
    }
    match real_percent(&live.routes, view.name(), &backend) {
        None => Explanation::new(Code::Degraded, format!("The canary {name} runs and gets no traffic: there is no HTTPRoute"))
            .because(format!("{wish} % are wished; KServe gives canaries their share on HTTPRoutes only"))
            .so("Have `ingress.enableGatewayApi` switched on in KServe's configuration, or remove the canary."),
        Some(real) if real != wish => Explanation::new(Code::Degraded, format!("The canary {name} gets {real} % of the traffic instead of {wish} %"))
            .because("The weights of the HTTPRoute are not what is wished")
            .so("If it stays so, look at the conditions of the route and at KServe's controller."),
        Some(0) => Explanation::new(Code::Canary, format!("The canary {name} runs in the dark: it is ready and gets no traffic, as wished")),
        Some(real) => Explanation::new(Code::Canary, format!("The canary {name} gets {real} % of the traffic; the stable version serves with {}", words::replicas(stable_available(live, view)))),
    }
}

fn stable_available(live: &Live, view: &View<'_>) -> i64 {
    let name = stable_workload(view);
    live.workloads
        .iter()
        .find(|w| w.name == name)
        .map_or(0, |w| i64::from(w.available))
}
