//! A model that is spread over several nodes: the predictor's Deployment holds the first of them, a
//! second one the others. Without all of them nothing is served.

use super::{Code, Explanation, canary, judge, problem, words};
use crate::{
    isvc::View,
    observed::{Live, Workload},
    time::Micros,
};

/// What is said of the first node, or of the others where they are what stands in the way.
pub(super) fn with(
    live: &Live,
    view: &View<'_>,
    head: &Workload,
    said: Explanation,
    now: Micros,
) -> Explanation {
    let name = canary::worker_workload(view);
    let Some(w) = live.workloads.iter().find(|w| w.name == name) else {
        return said;
    };
    if said.code.unhealthy() || judge::rolled_out(live, w) {
        return said;
    }
    let of = format!("{} of {} workers", w.ready, w.desired);
    let all_there = w.available >= w.desired && head.available > 0;
    let said = match problem::of_workload(live, w, false) {
        Some(p) if all_there => problem::of_new_version(p),
        Some(p) => {
            return Explanation::new(p.code, problem::headline(&p))
                .because(format!(
                    "Only {of} are ready, and the model is spread over all. {}",
                    p.cause
                ))
                .so(p.next_step);
        }
        None if all_there => {
            Explanation::new(Code::Rolling, "A new version comes up; the old one serves")
        }
        None => {
            let youngest = problem::pods_of(live, &w.name)
                .iter()
                .filter_map(|p| p.created_at)
                .max();
            let recent = youngest.is_some_and(|t| now.since(t) < judge::SCALING);
            if recent || head.available == 0 {
                Explanation::new(Code::Starting, format!("It is starting: {of} ready"))
            } else {
                Explanation::new(
                    Code::Degraded,
                    format!(
                        "Only {of} are ready; the model is spread over all, so that {} cannot serve",
                        words::replicas(i64::from(head.desired))
                    ),
                )
                .so("Look at the pods of the workers and their events.")
            }
        }
    };
    match problem::progress(live, &w.name, now) {
        Some(doing) if said.cause.is_none() => said.because(doing),
        _ => said,
    }
}
