//! Why pods of a workload do not come up.

use super::{Code, Explanation, words};
use crate::{
    isvc::View,
    observed::{Container, Live, Pod, Workload},
    time::{Micros, duration},
};

/// What stands in the way of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub code: Code,
    /// `it is out of quota`
    pub short: String,
    pub cause: String,
    pub next_step: String,
}

impl Problem {
    fn new(
        code: Code,
        short: &str,
        cause: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            code,
            short: short.into(),
            cause: cause.into(),
            next_step: next_step.into(),
        }
    }
}

/// What a workload that does not serve at all says of it.
pub(super) fn headline(p: &Problem) -> String {
    match p.code {
        Code::OutOfQuota => "It cannot start: the namespace is out of quota".into(),
        _ => format!("It cannot serve: {}", p.short),
    }
}

/// A new version that does not come up, while the one before goes on serving.
pub(super) fn of_new_version(p: Problem) -> Explanation {
    Explanation::new(
        Code::Degraded,
        format!(
            "The new version does not come up: {}; the old one serves",
            p.short
        ),
    )
    .because(p.cause)
    .so(p.next_step)
}

/// Pods of a workload that are meant to stay: not those that are ending or that were evicted.
pub(super) fn pods_of<'a>(live: &'a Live, workload: &str) -> Vec<&'a Pod> {
    live.pods
        .iter()
        .filter(|p| {
            p.workload == workload
                && !p.deleting
                && !matches!(p.phase.as_str(), "Failed" | "Succeeded")
        })
        .collect()
}

/// Why a workload's pods do not come up, the most telling first; `None` where nothing stands in the
/// way (as far as is seen).
pub(super) fn of_workload(live: &Live, workload: &Workload, main: bool) -> Option<Problem> {
    let pods = pods_of(live, &workload.name);
    pods.iter()
        .find_map(|p| of_containers(live, p))
        .or_else(|| pods.iter().find_map(|p| of_scheduling(p)))
        .or_else(|| of_creation(live, workload, main, pods.len()))
        .or_else(|| pods.iter().find_map(|p| of_mounts(live, p)))
        .or_else(|| if main { of_model_status(live) } else { None })
}

fn of_containers(live: &Live, pod: &Pod) -> Option<Problem> {
    pod.containers
        .iter()
        .filter(|c| !c.ready)
        .find_map(|c| of_container(live, pod, c))
}

fn of_container(live: &Live, pod: &Pod, c: &Container) -> Option<Problem> {
    match c.reason.as_str() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => {
            // The first message says why, the later ones only that it waits.
            let told = live
                .events
                .iter()
                .rev()
                .find(|e| {
                    e.object_name == pod.name && e.reason == "Failed" && e.message.contains("pull")
                })
                .map(|e| e.message.as_str());
            let why = words::excerpt(told.unwrap_or(&c.message));
            let cause = if why.is_empty() {
                format!("The image {} cannot be fetched", c.image)
            } else {
                format!("The image {} cannot be fetched: {why}", c.image)
            };
            Some(Problem::new(
                Code::Failed,
                "its image cannot be fetched",
                cause,
                "Check that the reference exists, and that the pull secret may read it.",
            ))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let why = words::excerpt(&c.message);
            let next = if why.contains("secret") || why.contains("configmap") {
                "Create what is missing in the namespace, or refer to another; the pod starts by itself then."
            } else {
                "Correct the container's settings and deploy again."
            };
            Some(Problem::new(
                Code::Failed,
                "its container cannot be started",
                format!("The container {} cannot be started: {why}", c.name),
                next,
            ))
        }
        _ => crash(c),
    }
}

fn crash(c: &Container) -> Option<Problem> {
    let looping = c.reason == "CrashLoopBackOff";
    let ended = c.state == "terminated" && c.last_exit.as_ref().is_some_and(|e| e.code != 0);
    let restarted = c.restarts > 0 && c.last_exit.as_ref().is_some_and(|e| e.code != 0);
    if !(looping || ended || restarted) {
        return None;
    }
    let exit = c.last_exit.clone().unwrap_or_default();
    let message = words::excerpt(if exit.message.is_empty() {
        &c.message
    } else {
        &exit.message
    });
    let times = match c.restarts {
        0 => String::new(),
        1 => ", restarted once".into(),
        n => format!(", restarted {n} times"),
    };
    let mut cause = match &c.last_exit {
        Some(e) => format!(
            "{} ended with {}{times}",
            c.name,
            words::exit(i64::from(e.code), &e.reason)
        ),
        None => format!("{} ends again and again{times}", c.name),
    };
    if !message.is_empty() && !message.starts_with("back-off") {
        cause += &format!(": {message}");
    }
    let (short, next) = if c.init {
        ("the model cannot be downloaded".to_owned(), "Check the model's address and the credentials of the storage; the log of the container says more.".to_owned())
    } else {
        let how = c
            .last_exit
            .as_ref()
            .map(|e| format!(" with {}", words::exit(i64::from(e.code), &e.reason)))
            .unwrap_or_default();
        (format!("it crashes{how}"), advice(&message, &exit.reason))
    };
    Some(Problem::new(Code::Crashing, &short, cause, next))
}

/// What to do about a crash, where the message tells.
fn advice(message: &str, reason: &str) -> String {
    let m = message.to_ascii_lowercase();
    let has = |w: &str| m.contains(w);
    if has("cuda out of memory") || has("outofmemoryerror") || has("no available memory for the cache blocks") || has("kv cache") {
        "The model does not fit into the GPU's memory: give it more or larger GPUs, a shorter context (--max-model-len) or a smaller type of weights."
    } else if reason == "OOMKilled" {
        "Raise the memory limit."
    } else if has("unrecognized arguments") || has("unexpected argument") || has("invalid argument") {
        "The server does not know one of the arguments: correct them."
    } else if has("no such file") || has("not found") || has("does not exist") {
        "Something that it reads is not there: check the model's files, the paths in the arguments and the format."
    } else if has("401") || has("403") || has("unauthorized") || has("permission denied") {
        "It may not read something: check its credentials and secrets."
    } else {
        "Look at the last lines of the container's log, correct the cause, and deploy again; or roll back to the revision before."
    }
    .to_owned()
}

fn of_scheduling(pod: &Pod) -> Option<Problem> {
    let scheduled = pod
        .conditions
        .iter()
        .find(|c| c.kind == "PodScheduled" && c.status == "False")?;
    if scheduled.reason == "SchedulingGated" {
        return Some(Problem::new(
            Code::Unschedulable,
            "it is held back before scheduling",
            "Its pods are held back by a scheduling gate: a queue has not admitted them",
            "Wait for the queue, or ask who runs it.",
        ));
    }
    let per_pod = |resource: &str| {
        pod.requests
            .iter()
            .find(|(r, _)| r == resource)
            .map(|(_, amount)| amount.clone())
    };
    let cause = words::scheduling(&scheduled.message, &per_pod);
    let next = if cause.contains("taint")
        && !cause.contains("less than")
        && !cause.contains("too little")
    {
        "Tolerate the taint, if these nodes are meant for it; or choose other nodes."
    } else if cause.contains("labels that it asks for")
        && !cause.contains("less than")
        && !cause.contains("too little")
    {
        "Choose a node selector that some node carries; the cluster's page lists the products."
    } else {
        "Ask for less per pod, stop what is not needed, or add nodes; the cluster's page shows what is free."
    };
    Some(Problem::new(
        Code::Unschedulable,
        "no node can take its pods",
        cause,
        next,
    ))
}

/// The ReplicaSet cannot create pods: quota, admission, service account.
fn of_creation(live: &Live, workload: &Workload, main: bool, pods: usize) -> Option<Problem> {
    let view = View::new(&live.object);
    let own = workload
        .conditions
        .iter()
        .find(|c| c.kind == "ReplicaFailure" && c.status == "True")
        .map(|c| c.message.clone());
    let ready = view
        .condition("PredictorReady")
        .filter(|c| main && c.reason == "FailedCreate")
        .map(|c| c.message);
    let event = || {
        let missing = i64::try_from(pods).unwrap_or(0) < i64::from(workload.desired);
        let mine = |e: &&crate::observed::Event| {
            e.reason == "FailedCreate" && e.object_name.starts_with(&workload.name)
        };
        live.events
            .iter()
            .filter(mine)
            .max_by_key(|e| e.last)
            .filter(|_| missing)
            .map(|e| e.message.clone())
    };
    let message = own.or(ready).or_else(event)?;
    if let Some(exceeded) = words::quota(&message) {
        return Some(Problem::new(
            Code::OutOfQuota,
            "the namespace is out of quota",
            exceeded.sentence(),
            exceeded.advice(),
        ));
    }
    if let Some((_, missing)) = message.split_once("must specify ") {
        return Some(Problem::new(
            Code::OutOfQuota,
            "the namespace's quota wants amounts that it does not state",
            format!(
                "A quota of the namespace counts what its pods do not state: {}",
                missing.trim()
            ),
            "Write requests and limits for every resource that the quota counts.",
        ));
    }
    let why = message
        .split_once("forbidden: ")
        .map_or(message.as_str(), |(_, w)| w);
    Some(Problem::new(
        Code::Failed,
        "its pods cannot be created",
        format!("The cluster refuses its pods: {}", words::excerpt(why)),
        "Correct what is refused, or ask who sets the rules of the namespace.",
    ))
}

fn of_mounts(live: &Live, pod: &Pod) -> Option<Problem> {
    let failed = |e: &&crate::observed::Event| {
        e.object_name == pod.name
            && matches!(e.reason.as_str(), "FailedMount" | "FailedAttachVolume")
    };
    let event = live
        .events
        .iter()
        .filter(failed)
        .max_by_key(|e| e.last)
        .filter(|_| pod.phase == "Pending")?;
    Some(Problem::new(
        Code::Failed,
        "a volume cannot be mounted",
        format!(
            "A volume cannot be mounted: {}",
            words::excerpt(&event.message)
        ),
        "Create the Secret, claim or image that the volume refers to, or correct the reference.",
    ))
}

/// What KServe itself says of the model, where the pods say nothing.
fn of_model_status(live: &Live) -> Option<Problem> {
    let status = View::new(&live.object).model_status()?;
    let failed = status.transition == "BlockedByFailedLoad" || status.target == "FailedToLoad";
    let failure = status.failure.filter(|_| failed)?;
    let message = words::excerpt(&failure.message);
    let mut cause = match failure.exit_code {
        Some(code) => format!("The model could not be loaded ({})", words::exit(code, "")),
        None => "The model could not be loaded".to_owned(),
    };
    if !message.is_empty() {
        cause += &format!(": {message}");
    }
    Some(Problem::new(
        Code::Crashing,
        "the model cannot be loaded",
        cause,
        advice(&message, ""),
    ))
}

/// What pods that come up are doing now.
pub(super) fn progress(live: &Live, workload: &str, now: Micros) -> Option<String> {
    let pods = pods_of(live, workload);
    let pod = pods
        .iter()
        .find(|p| !p.containers.iter().all(|c| c.ready) || p.containers.is_empty())?;
    let since = pod
        .created_at
        .map(|t| format!(" (for {})", duration(now.since(t))))
        .unwrap_or_default();
    let init = pod
        .containers
        .iter()
        .find(|c| c.init && c.state == "running");
    let waiting = pod
        .containers
        .iter()
        .find(|c| c.state == "waiting" && !c.init);
    let what = if let Some(c) = init {
        if c.name == "storage-initializer" {
            "The model is being downloaded"
        } else {
            "The pod prepares itself"
        }
    } else if pod.phase == "Pending" && pod.node.is_none() {
        "The pod waits for a node"
    } else if waiting.is_some() || pod.phase == "Pending" {
        "Images are being fetched and volumes mounted"
    } else {
        "The server runs and loads the model; it does not answer yet"
    };
    Some(format!("{what}{since}"))
}
