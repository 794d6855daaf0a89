//! The order in which things are looked at.

use super::{Code, Explanation, canary, knative, problem, words, worker};
use crate::{
    isvc::{Mode, View},
    observed::{Condition, Live, Workload},
    time::{Micros, duration},
};

/// So long may KServe take for its first word, and a route until it is accepted.
const PATIENCE: i64 = 60 * Micros::SECOND;
/// So long may more replicas take before it counts as a lack of them.
pub(super) const SCALING: i64 = 10 * Micros::MINUTE;

pub(super) fn judge(live: &Live, now: Micros) -> Explanation {
    let view = View::new(&live.object);
    if view.deleting() {
        return deleting(live, &view, now);
    }
    if let Some(said) = stopped(live, &view) {
        return said;
    }
    if let Some(said) = no_runtime(&view) {
        return said;
    }
    if let Some(said) = cannot_reconcile(live, &view) {
        return said;
    }
    if view.mode(None) == Some(Mode::Knative) {
        return knative::judge(live, &view, now);
    }
    let stable = canary::stable_workload(&view);
    match live.workloads.iter().find(|w| w.name == stable) {
        Some(w) => worker::with(live, &view, w, workload(live, &view, w, now), now),
        None => without_workload(&view, now),
    }
}

fn deleting(live: &Live, view: &View<'_>, now: Micros) -> Explanation {
    let left = live.pods.len();
    let since = view
        .at("/metadata/deletionTimestamp")
        .as_str()
        .and_then(Micros::parse);
    let said = Explanation::new(
        Code::Deleting,
        if left == 0 {
            "It is being deleted".to_owned()
        } else {
            format!("It is being deleted; {} still there", words::pods(left))
        },
    );
    match since.filter(|t| now.since(*t) > 5 * PATIENCE) {
        Some(t) => said
            .because(format!("It has been waiting for {}: a finalizer has not been taken off", duration(now.since(t))))
            .so("See whether KServe's controller runs; it takes the finalizer off once everything is cleaned up."),
        None => said,
    }
}

/// Stopping deletes the children; `Ready=False` means nothing then.
fn stopped(live: &Live, view: &View<'_>) -> Option<Explanation> {
    let is = view
        .condition("Stopped")
        .is_some_and(|c| c.status == "True");
    match (view.stop_wished(), is) {
        (true, true) if live.pods.iter().all(|p| p.deleting) => Some(
            Explanation::new(
                Code::Stopped,
                "Stopped on purpose: it holds no GPUs and answers no requests",
            )
            .so("Start it when it is needed again."),
        ),
        (true, _) => Some(Explanation::new(
            Code::Stopped,
            "It is being stopped; its pods are ending",
        )),
        (false, true) => Some(Explanation::new(
            Code::Starting,
            "It is being started again",
        )),
        (false, false) => None,
    }
}

fn no_runtime(view: &View<'_>) -> Option<Explanation> {
    let status = view.model_status()?;
    let failure = status.failure.clone().unwrap_or_default();
    let format = view
        .format()
        .map(|f| f.to_string())
        .unwrap_or_else(|| "no format".into());
    let said = match failure.reason.as_str() {
        "NoSupportingRuntime" => match view.runtime() {
            Some(runtime) => Explanation::new(Code::NoRuntime, format!("The runtime {runtime} does not support {format}"))
                .because("KServe compares names of formats with case, and versions as text")
                .so("Choose a runtime that supports the format, or correct the format's name."),
            None => Explanation::new(Code::NoRuntime, format!("No runtime supports {format}"))
                .because("Nothing was created: KServe found no runtime that it may choose by itself for this format (names are compared with case)")
                .so("Correct the format's name, name a runtime, or have one installed."),
        },
        "RuntimeNotRecognized" => Explanation::new(Code::NoRuntime, format!("The runtime {} does not exist", view.runtime().unwrap_or_default()))
            .because("Neither the namespace nor the cluster has a runtime of this name")
            .so("Choose one that is there, or have it installed."),
        "RuntimeDisabled" => Explanation::new(Code::NoRuntime, format!("The runtime {} is switched off", view.runtime().unwrap_or_default()))
            .because("Somebody disabled it in the cluster")
            .so("Choose another runtime, or ask who runs the cluster."),
        _ if status.transition == "InvalidSpec" => Explanation::new(Code::Failed, "KServe refuses what is asked for").because(words::excerpt(&failure.message)).so("Correct the manifest and deploy again."),
        _ => return None,
    };
    Some(said)
}

fn cannot_reconcile(live: &Live, view: &View<'_>) -> Option<Explanation> {
    let failed = |c: &&Condition| {
        c.status == "False" && c.severity.is_empty() && c.reason == "ReconcileFailed"
    };
    let conditions = view.conditions();
    let condition = conditions
        .iter()
        .filter(failed)
        .find(|c| c.kind != "Ready")
        .or_else(|| conditions.iter().find(failed))?;
    let running: i32 = live.workloads.iter().map(|w| w.available).sum();
    let still = if running > 0 {
        format!(
            "; {} all the same",
            if running == 1 {
                "1 replica runs".to_owned()
            } else {
                format!("{running} replicas run")
            }
        )
    } else {
        String::new()
    };
    let message = &condition.message;
    let said = if message.contains("KEDA") || message.contains("keda.sh") {
        Explanation::new(Code::Failed, format!("KServe cannot scale it: KEDA is not installed{still}"))
            .because("It asks for the autoscaler class keda, and the cluster does not know KEDA's ScaledObject")
            .so("Use the autoscaler class hpa, or have KEDA installed.")
    } else {
        Explanation::new(Code::Failed, format!("KServe cannot set it up{still}"))
            .because(words::excerpt(message))
            .so("Correct what the message names; KServe tries again by itself.")
    };
    Some(said)
}

/// A Deployment is rolled out when its own controller says so.
pub(super) fn rolled_out(live: &Live, w: &Workload) -> bool {
    complete(w) && !extra_pods(live, w)
}

fn complete(w: &Workload) -> bool {
    let progressing = w.conditions.iter().find(|c| c.kind == "Progressing");
    let settled =
        progressing.is_none_or(|c| c.status == "True" && c.reason == "NewReplicaSetAvailable");
    w.observed_generation >= w.generation
        && w.updated >= w.desired
        && w.available >= w.desired
        && settled
}

/// An old pod that still serves beside its successor counts as available: more pods than wished.
fn extra_pods(live: &Live, w: &Workload) -> bool {
    problem::pods_of(live, &w.name).len() > usize::try_from(w.desired).unwrap_or(0)
}

fn workload(live: &Live, view: &View<'_>, w: &Workload, now: Micros) -> Explanation {
    let (available, desired) = (i64::from(w.available), i64::from(w.desired));
    if rolled_out(live, w) {
        return settled(live, view, w, now);
    }
    if complete(w) {
        return Explanation::new(
            Code::Rolling,
            "The new version serves; pods of the old one are ending",
        );
    }
    let problem = problem::of_workload(live, w, true);
    let is_old_serving = w.updated < w.desired
        || w.observed_generation < w.generation
        || !w
            .conditions
            .iter()
            .any(|c| c.kind == "Progressing" && c.reason == "NewReplicaSetAvailable");
    match (problem, available > 0) {
        (Some(p), false) => Explanation::new(p.code, problem::headline(&p))
            .because(p.cause)
            .so(p.next_step),
        (Some(p), true) if is_old_serving && available >= desired => problem::of_new_version(p),
        (Some(p), true) => Explanation::new(
            Code::Degraded,
            format!(
                "It serves with {available} of {}: {}",
                words::replicas(desired),
                p.short
            ),
        )
        .because(p.cause)
        .so(p.next_step),
        (None, false) => starting(live, w, now),
        (None, true) if is_old_serving => {
            let how_far = if w.observed_generation < w.generation {
                "the cluster begins with it".to_owned()
            } else {
                format!(
                    "{} of {} updated",
                    w.updated.min(w.desired),
                    words::replicas(desired)
                )
            };
            let said = Explanation::new(
                Code::Rolling,
                format!("A new version comes up: {how_far}; the old one serves"),
            );
            match problem::progress(live, &w.name, now) {
                Some(doing) => said.because(doing),
                None => said,
            }
        }
        (None, true) => {
            let youngest = problem::pods_of(live, &w.name)
                .iter()
                .filter_map(|p| p.created_at)
                .max();
            let recent = youngest.is_some_and(|t| now.since(t) < SCALING);
            let code = if recent {
                Code::Rolling
            } else {
                Code::Degraded
            };
            let said = Explanation::new(
                code,
                format!(
                    "It serves with {available} of {}; the others come up",
                    words::replicas(desired)
                ),
            );
            match problem::progress(live, &w.name, now) {
                Some(doing) => said.because(doing),
                None => said,
            }
        }
    }
}

fn starting(live: &Live, w: &Workload, now: Micros) -> Explanation {
    let said = Explanation::new(
        Code::Starting,
        format!(
            "It is starting: {} of {} ready",
            w.ready,
            words::replicas(i64::from(w.desired))
        ),
    );
    let late = w
        .conditions
        .iter()
        .any(|c| c.kind == "Progressing" && c.status == "False");
    let said = match problem::progress(live, &w.name, now) {
        Some(doing) => said.because(doing),
        None => said,
    };
    if late {
        Explanation {
            code: Code::Failed,
            tone: Code::Failed.tone(),
            headline: "It has not come up in time".into(),
            ..said
        }
        .so("Look at its pods and their logs; large models may need a longer startup probe.")
    } else {
        said
    }
}

/// The stable version is rolled out: is it reachable, and what of the rest?
fn settled(live: &Live, view: &View<'_>, w: &Workload, now: Micros) -> Explanation {
    if let Some(other) = others(live, view, w) {
        return other;
    }
    if let Some(said) = ingress(view, now) {
        return said;
    }
    if let Some(said) = canary::explain(live, view) {
        return said;
    }
    if w.desired == 0 {
        return Explanation::new(
            Code::Healthy,
            "It is scaled to zero and starts with the next request",
        );
    }
    Explanation::new(
        Code::Healthy,
        format!("It serves with {}", words::replicas(i64::from(w.available))),
    )
}

/// Transformer and explainer.
fn others(live: &Live, view: &View<'_>, stable: &Workload) -> Option<Explanation> {
    for part in ["transformer", "explainer"] {
        let name = format!("{}-{part}", view.name());
        let Some(w) = live
            .workloads
            .iter()
            .find(|w| w.name == name && w.name != stable.name)
        else {
            continue;
        };
        if rolled_out(live, w) {
            continue;
        }
        let said = Explanation::new(
            if w.available > 0 {
                Code::Degraded
            } else {
                Code::Starting
            },
            format!(
                "The predictor serves; the {part} has {} of {} ready",
                w.ready,
                words::replicas(i64::from(w.desired))
            ),
        );
        return Some(match problem::of_workload(live, w, false) {
            Some(p) => {
                Explanation::new(p.code, format!("The {part} does not come up: {}", p.short))
                    .because(p.cause)
                    .so(p.next_step)
            }
            None => said,
        });
    }
    None
}

fn ingress(view: &View<'_>, now: Micros) -> Option<Explanation> {
    let c = view
        .condition("IngressReady")
        .filter(|c| c.status != "True" && c.severity.is_empty())?;
    if c.since.is_some_and(|t| now.since(t) <= PATIENCE) {
        return Some(Explanation::new(
            Code::Starting,
            "Its pods are ready; the route to them is being set up",
        ));
    }
    let said = Explanation::new(
        Code::Degraded,
        "Its pods are ready, but it cannot be reached from outside",
    );
    Some(if c.reason == "ParentStatusNotAvailable" {
        said.because("No Gateway controller has taken its HTTPRoute").so("See whether a Gateway controller runs in the cluster and the gateway that KServe's configuration names is there.")
    } else {
        let why = if c.message.is_empty() {
            &c.reason
        } else {
            &c.message
        };
        said.because(format!("The route is not ready: {}", words::excerpt(why)))
            .so("Look at the conditions of the route and at KServe's ingress configuration.")
    })
}

/// No Deployment is seen: a new object, or one that KServe does not look at.
fn without_workload(view: &View<'_>, now: Micros) -> Explanation {
    let conditions = view.conditions();
    let ready = conditions.iter().find(|c| c.kind == "Ready");
    let age = view.created_at().map(|t| now.since(t)).unwrap_or(0);
    if conditions.is_empty() || ready.is_none_or(|c| c.status == "Unknown") {
        return if age > PATIENCE {
            Explanation::new(Code::Unknown, "KServe has not looked at it yet")
                .because(format!(
                    "It has been there for {} without a word from the controller",
                    duration(age)
                ))
                .so("See whether KServe's controller runs in the cluster.")
        } else {
            Explanation::new(Code::Starting, "It was accepted and waits for KServe")
        };
    }
    let refused = conditions
        .iter()
        .find(|c| c.kind == "PredictorReady" && c.status == "False" && c.reason == "FailedCreate");
    if let Some(exceeded) = refused.and_then(|c| words::quota(&c.message)) {
        return Explanation::new(
            Code::OutOfQuota,
            "It cannot start: the namespace is out of quota",
        )
        .because(exceeded.sentence())
        .so(exceeded.advice());
    }
    match ready {
        Some(c) if c.status == "True" => Explanation::new(
            Code::Unknown,
            "KServe calls it ready, but its Deployment is not seen",
        )
        .so("See whether the console may read Deployments in this namespace."),
        Some(c) if age > PATIENCE => {
            Explanation::new(Code::Failed, "It is not ready, and nothing of it runs")
                .because(words::excerpt(if c.message.is_empty() {
                    &c.reason
                } else {
                    &c.message
                }))
                .so("Look at its conditions and events.")
        }
        _ => Explanation::new(Code::Starting, "KServe is setting it up"),
    }
}
