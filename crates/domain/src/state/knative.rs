//! Knative mode: revisions instead of Deployments that are updated, and traffic between them as the
//! status says that it is, not as it is wished.

use super::{Code, Explanation, problem, words};
use crate::{
    isvc::{Mode, Traffic, View},
    observed::{Live, Workload},
    time::Micros,
};

/// The predictor's Deployments, one for each revision (`{name}-predictor-00002-deployment`), the
/// newest first; none in another mode.
pub(super) fn workloads<'a>(live: &'a Live, view: &View<'_>) -> Vec<&'a Workload> {
    if view.mode(None) != Some(Mode::Knative) {
        return vec![];
    }
    let prefix = format!("{}-predictor-", view.name());
    let mut found: Vec<_> = live
        .workloads
        .iter()
        .filter_map(|w| {
            let number = w.name.strip_prefix(&prefix)?.strip_suffix("-deployment")?;
            Some((number.parse::<u32>().ok()?, w))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, w)| w).collect()
}

pub(super) fn judge(live: &Live, view: &View<'_>, now: Micros) -> Explanation {
    let created = view.revision("latestCreatedRevision");
    let serving = view.revision("latestReadyRevision");
    let all = workloads(live, view);
    let named = created.map(|r| format!("{r}-deployment"));
    let newest = match &named {
        Some(name) => all.iter().find(|w| w.name == *name),
        None => all.first(),
    }
    .copied();
    let stuck = newest.and_then(|w| Some((w, problem::of_workload(live, w, true)?)));
    let older = serving.filter(|s| created.is_some_and(|c| c != *s));
    let ready = view.condition("Ready");
    let status = ready.as_ref().map(|c| c.status.as_str());
    if let Some((w, p)) = stuck.filter(|(w, _)| status != Some("True") || w.available < w.desired) {
        let (code, headline) = match older {
            Some(old) => (
                Code::Degraded,
                format!(
                    "The new revision does not come up: {}; {old} serves",
                    p.short
                ),
            ),
            None if w.available > 0 => {
                let (has, of) = (w.available, words::replicas(i64::from(w.desired)));
                let headline = format!("It serves with {has} of {of}: {}", p.short);
                (Code::Degraded, headline)
            }
            None => (p.code, problem::headline(&p)),
        };
        return Explanation::new(code, headline)
            .because(p.cause)
            .so(p.next_step);
    }
    match (status, &ready) {
        (Some("True"), _) => canary(view).unwrap_or_else(|| serves(newest)),
        (Some("False"), Some(c)) => Explanation::new(Code::Failed, "It is not ready")
            .because(words::excerpt(if c.message.is_empty() {
                &c.reason
            } else {
                &c.message
            }))
            .so("Look at its conditions and pods."),
        _ => {
            let (code, headline) = match older {
                Some(old) => (
                    Code::Rolling,
                    format!("A new revision comes up; {old} serves"),
                ),
                None => (Code::Starting, "It is starting".to_owned()),
            };
            let said = Explanation::new(code, headline);
            match newest.and_then(|w| problem::progress(live, &w.name, now)) {
                Some(doing) => said.because(doing),
                None => said,
            }
        }
    }
}

fn serves(newest: Option<&Workload>) -> Explanation {
    match newest.map(|w| w.available) {
        Some(n) if n > 0 => Explanation::new(
            Code::Healthy,
            format!("It serves with {}", words::replicas(i64::from(n))),
        ),
        _ => Explanation::new(
            Code::Healthy,
            "It is ready; Knative starts pods as requests come",
        ),
    }
}

/// What becomes of a wished split; `None` where none is wished.
fn canary(view: &View<'_>) -> Option<Explanation> {
    let wish = view.predictor()["canaryTrafficPercent"]
        .as_i64()
        .filter(|p| *p < 100)?;
    let traffic = view.traffic();
    if traffic.is_empty() {
        return Some(Explanation::new(
            Code::Canary,
            format!(
                "The latest revision is to get {wish} % of the traffic; the status does not say yet what it gets"
            ),
        ));
    }
    let latest = view.revision("latestCreatedRevision");
    let is_latest = |t: &&Traffic| latest.map_or(t.latest, |l| l == t.revision);
    let real: i64 = traffic.iter().filter(is_latest).map(|t| t.percent).sum();
    let name = latest.unwrap_or("the latest revision");
    let others: Vec<String> = traffic
        .iter()
        .filter(|t| !is_latest(t) && t.percent > 0)
        .map(|t| format!("{} {} %", t.revision, t.percent))
        .collect();
    let rest = if others.is_empty() {
        "no other revision gets any".to_owned()
    } else {
        others.join(", ")
    };
    if real == wish {
        return Some(Explanation::new(
            Code::Canary,
            format!("{name} gets {real} % of the traffic, as wished: {rest}"),
        ));
    }
    let said = Explanation::new(
        Code::Degraded,
        format!("{name} gets {real} % of the traffic instead of {wish} %: {rest}"),
    );
    Some(if traffic.len() == 1 && real == 100 {
        said.because("There is no revision before it that could take the rest")
            .so("Take canaryTrafficPercent out, or wait for a second revision.")
    } else {
        said.because("The traffic in the status is not what is wished")
            .so("If it stays so, look at the conditions of the Knative service and at KServe's controller.")
    })
}
