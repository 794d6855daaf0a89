//! Deployments in every state, made from recorded objects.

use super::super::*;
use crate::{access::Scope, ids::ClusterId, isvc::View, observed::*, place::DeploymentKey};
use serde_json::{Value, json};

/// A recorded object of a real control plane.
pub fn recorded(scenario: &str) -> Value {
    let path = format!(
        "{}/testdata/observed/inferenceservice-{scenario}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    crate::yaml::parse_manifest(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub const NOW: &str = "2026-11-24T05:50:00Z";

pub fn now() -> Micros {
    Micros::parse(NOW).unwrap()
}

pub fn live(object: Value) -> Live {
    let view = View::new(&object);
    Live {
        key: DeploymentKey::new("onprem-1", view.namespace(), view.name()),
        cluster: ClusterId("k".into()),
        namespace_uid: "n".into(),
        scope: Scope {
            unit: "retail".into(),
            environment: "development".into(),
        },
        object,
        workloads: vec![],
        pods: vec![],
        events: vec![],
        routes: vec![],
        as_of: now(),
        stale: false,
    }
}

pub fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Condition {
    Condition {
        kind: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        severity: String::new(),
        since: None,
    }
}

pub fn deployment(
    name: &str,
    desired: i32,
    updated: i32,
    available: i32,
    reason: &str,
) -> Workload {
    Workload {
        name: name.into(),
        generation: 1,
        observed_generation: 1,
        desired,
        updated,
        ready: available,
        available,
        conditions: vec![condition("Progressing", "True", reason, "")],
        images: vec![],
    }
}

pub fn done(name: &str) -> Workload {
    deployment(name, 1, 1, 1, "NewReplicaSetAvailable")
}

pub fn pod(workload: &str, ready: bool) -> Pod {
    Pod {
        name: format!("{workload}-66455b6668-mjt84"),
        phase: "Running".into(),
        node: Some("gpu-1".into()),
        created_at: Micros::parse("2026-11-24T05:48:00Z"),
        component: "predictor".into(),
        workload: workload.into(),
        containers: vec![Container {
            name: "kserve-container".into(),
            ready,
            state: "running".into(),
            image: "vllm:1".into(),
            ..Default::default()
        }],
        requests: vec![("nvidia.com/gpu".into(), "1".into())],
        ..Default::default()
    }
}

pub fn unschedulable(workload: &str, gpus: &str) -> Pod {
    let message = "0/7 nodes are available: 2 node(s) had untolerated taint {nvidia.com/gpu: }, 5 Insufficient nvidia.com/gpu. preemption: 0/7 nodes are available: 7 Preemption is not helpful for scheduling.";
    Pod {
        phase: "Pending".into(),
        node: None,
        conditions: vec![condition("PodScheduled", "False", "Unschedulable", message)],
        containers: vec![],
        requests: vec![("nvidia.com/gpu".into(), gpus.into())],
        ..pod(workload, false)
    }
}

pub fn crashing(workload: &str, code: i32, reason: &str, message: &str) -> Pod {
    let container = Container {
        name: "kserve-container".into(),
        state: "waiting".into(),
        reason: "CrashLoopBackOff".into(),
        message: "back-off 5m0s restarting failed container".into(),
        restarts: 5,
        last_exit: Some(Exit {
            code,
            reason: reason.into(),
            message: message.into(),
            finished_at: None,
        }),
        ..Default::default()
    };
    Pod {
        containers: vec![container],
        ..pod(workload, false)
    }
}

pub fn waiting(workload: &str, reason: &str, message: &str) -> Pod {
    let container = Container {
        name: "kserve-container".into(),
        image: "registry.example/vllm:9".into(),
        state: "waiting".into(),
        reason: reason.into(),
        message: message.into(),
        ..Default::default()
    };
    Pod {
        phase: "Pending".into(),
        containers: vec![container],
        ..pod(workload, false)
    }
}

pub fn route(name: &str, backends: &[(&str, i32)]) -> Route {
    Route {
        name: name.into(),
        backends: backends
            .iter()
            .map(|(b, w)| ((*b).to_owned(), *w))
            .collect(),
        accepted: Some(true),
    }
}

/// The canary scenario with a wish and what the route really does.
pub fn canary(wish: i64, ready: bool, weights: &[(&str, i32)]) -> Live {
    let mut object = recorded("canary-standard");
    object["spec"]["canary"][0]["trafficPercent"] = json!(wish);
    object["status"]["canaryStatuses"][0] =
        json!({"name": "v2", "ready": ready, "trafficPercent": wish});
    let mut l = live(object);
    l.workloads = vec![
        done("llama-predictor"),
        if ready {
            done("llama-v2-predictor")
        } else {
            deployment("llama-v2-predictor", 1, 1, 0, "ReplicaSetUpdated")
        },
    ];
    l.pods = vec![
        pod("llama-predictor", true),
        pod("llama-v2-predictor", ready),
    ];
    if !weights.is_empty() {
        l.routes = vec![route("llama", weights), route("llama-predictor", weights)];
    }
    l
}

pub fn with(object: Value, workloads: Vec<Workload>, pods: Vec<Pod>) -> Live {
    Live {
        workloads,
        pods,
        ..live(object)
    }
}

pub fn scenarios() -> Vec<(&'static str, Live)> {
    let ready = || {
        with(
            recorded("ready"),
            vec![done("llama-predictor")],
            vec![pod("llama-predictor", true)],
        )
    };
    let rolling = |updated, generation| {
        let mut w = deployment("llama-predictor", 3, updated, 3, "ReplicaSetUpdated");
        w.generation = generation;
        w
    };
    let mut fresh = live(recorded("ready"));
    fresh.object.as_object_mut().unwrap().remove("status");
    let mut accepted = fresh.clone();
    accepted.object["metadata"]["creationTimestamp"] = json!("2026-11-24T05:49:50Z");
    let mut stopping = with(
        recorded("ready"),
        vec![],
        vec![pod("llama-predictor", true)],
    );
    stopping.object["metadata"]["annotations"]["serving.kserve.io/stop"] = json!("true");
    let mut stopped = live(recorded("stop"));
    stopped.object["metadata"]["annotations"]["serving.kserve.io/stop"] = json!("true");
    let starting_again = live(recorded("stop")).tap(|l| {
        l.object["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("serving.kserve.io/stop");
    });
    let mut no_gateway = ready();
    for c in no_gateway.object["status"]["conditions"]
        .as_array_mut()
        .unwrap()
    {
        if c["type"] == "IngressReady" || c["type"] == "Ready" {
            c["status"] = json!("False");
            c["reason"] = json!("ParentStatusNotAvailable");
            c["message"] = json!("Predictor HttpRouteNotReady");
        }
    }
    let mut route_soon = no_gateway.clone();
    for c in route_soon.object["status"]["conditions"]
        .as_array_mut()
        .unwrap()
    {
        c["lastTransitionTime"] = json!("2026-11-24T05:49:30Z");
    }
    let mut deleting = ready();
    deleting.object["metadata"]["deletionTimestamp"] = json!("2026-11-24T05:49:58Z");
    let mut hanging = live(recorded("ready"));
    hanging.object["metadata"]["deletionTimestamp"] = json!("2026-11-24T05:20:00Z");
    let mut canary_stuck = canary(10, false, &[("llama-predictor", 100)]);
    canary_stuck.pods[1] = unschedulable("llama-v2-predictor", "1");
    let mut promoted = canary(0, true, &[]);
    promoted.object["spec"]["predictor"]["name"] = json!("v2");
    promoted.object["spec"]
        .as_object_mut()
        .unwrap()
        .remove("canary");
    promoted.workloads.remove(0);
    promoted.pods.remove(0);
    let mut wrong_runtime = live(recorded("no-runtime"));
    wrong_runtime.object["spec"]["predictor"]["model"]["runtime"] = json!("kserve-vllmserver");
    let mut not_recognized = wrong_runtime.clone();
    not_recognized.object["status"]["modelStatus"]["lastFailureInfo"] =
        json!({"reason": "RuntimeNotRecognized", "message": "x"});
    let one = |reason| deployment("llama-predictor", 1, 1, 0, reason);
    let mut late = with(
        recorded("ready"),
        vec![one("x")],
        vec![pod("llama-predictor", false)],
    );
    late.workloads[0].conditions = vec![condition(
        "Progressing",
        "False",
        "ProgressDeadlineExceeded",
        "ReplicaSet has timed out progressing.",
    )];
    let mut downloading = pod("llama-predictor", false);
    downloading.containers.insert(
        0,
        Container {
            name: "storage-initializer".into(),
            init: true,
            state: "running".into(),
            ..Default::default()
        },
    );
    let mut download_failed = crashing(
        "llama-predictor",
        1,
        "Error",
        "botocore.exceptions.ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden",
    );
    download_failed.containers[0].name = "storage-initializer".into();
    download_failed.containers[0].init = true;
    let mut refused = with(recorded("ready"), vec![one("NewReplicaSetCreated")], vec![]);
    refused.workloads[0].conditions.push(condition(
        "ReplicaFailure",
        "True",
        "FailedCreate",
        "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged",
    ));
    let mut pull_events = with(
        recorded("ready"),
        vec![one("ReplicaSetUpdated")],
        vec![waiting(
            "llama-predictor",
            "ImagePullBackOff",
            "Back-off pulling image",
        )],
    );
    pull_events.events = vec![Event {
        object_kind: "Pod".into(),
        object_name: pull_events.pods[0].name.clone(),
        kind: "Warning".into(),
        reason: "Failed".into(),
        message: "Failed to pull image \"registry.example/vllm:9\": not found".into(),
        count: 3,
        first: None,
        last: Some(now()),
    }];
    let surge = with(
        recorded("update"),
        vec![deployment("llama-predictor", 1, 1, 1, "ReplicaSetUpdated")],
        vec![pod("llama-predictor", true), pod("llama-predictor", false)],
    );
    let extra = with(
        recorded("update"),
        vec![done("llama-predictor")],
        vec![pod("llama-predictor", true), pod("llama-predictor", true)],
    );
    let scale_up = with(
        recorded("ready"),
        vec![deployment(
            "llama-predictor",
            3,
            3,
            1,
            "NewReplicaSetAvailable",
        )],
        vec![
            pod("llama-predictor", true),
            pod("llama-predictor", false),
            pod("llama-predictor", false),
        ],
    );
    let mut scale_stuck = scale_up.clone();
    scale_stuck.pods[2] = unschedulable("llama-predictor", "1");
    vec![
        ("ready", ready()),
        (
            "update, done",
            with(
                recorded("update"),
                vec![done("llama-predictor")],
                vec![pod("llama-predictor", true)],
            ),
        ),
        (
            "update, the Deployment has not looked yet",
            with(recorded("update"), vec![rolling(3, 2)], vec![]),
        ),
        (
            "update, one of three",
            with(
                recorded("update"),
                vec![rolling(1, 1)],
                vec![pod("llama-predictor", false)],
            ),
        ),
        ("update of one replica, surging", surge),
        ("update, the old pod still ends", extra),
        (
            "update, the new pod crashes",
            with(
                recorded("update"),
                vec![rolling(1, 1)],
                vec![crashing(
                    "llama-predictor",
                    1,
                    "Error",
                    "ValueError: unrecognized arguments: --foo",
                )],
            ),
        ),
        ("scaling up", scale_up),
        ("scaling up, no room", scale_stuck),
        (
            "canary 20",
            canary(
                20,
                true,
                &[("llama-predictor", 80), ("llama-v2-predictor", 20)],
            ),
        ),
        (
            "canary, dark",
            canary(
                0,
                true,
                &[("llama-predictor", 100), ("llama-v2-predictor", 0)],
            ),
        ),
        (
            "canary, coming up",
            canary(10, false, &[("llama-predictor", 100)]),
        ),
        ("canary, unschedulable", canary_stuck),
        ("canary, no route", canary(20, true, &[])),
        (
            "canary, other weight",
            canary(
                20,
                true,
                &[("llama-predictor", 100), ("llama-v2-predictor", 0)],
            ),
        ),
        ("canary, promoted", promoted),
        (
            "crash",
            with(
                recorded("crash"),
                vec![deployment("crash-predictor", 1, 1, 0, "ReplicaSetUpdated")],
                vec![crashing(
                    "crash-predictor",
                    1,
                    "Error",
                    "CUDA out of memory",
                )],
            ),
        ),
        (
            "crash, the pod tells nothing",
            with(
                recorded("crash"),
                vec![deployment("crash-predictor", 1, 1, 0, "ReplicaSetUpdated")],
                vec![],
            ),
        ),
        (
            "killed for memory",
            with(
                recorded("ready"),
                vec![one("ReplicaSetUpdated")],
                vec![crashing("llama-predictor", 137, "OOMKilled", "")],
            ),
        ),
        (
            "download fails",
            with(
                recorded("ready"),
                vec![one("ReplicaSetUpdated")],
                vec![download_failed],
            ),
        ),
        (
            "downloading",
            with(
                recorded("ready"),
                vec![one("ReplicaSetUpdated")],
                vec![downloading],
            ),
        ),
        (
            "loading",
            with(
                recorded("ready"),
                vec![one("ReplicaSetUpdated")],
                vec![pod("llama-predictor", false)],
            ),
        ),
        ("too late", late),
        ("image", pull_events),
        (
            "secret missing",
            with(
                recorded("ready"),
                vec![one("ReplicaSetUpdated")],
                vec![waiting(
                    "llama-predictor",
                    "CreateContainerConfigError",
                    "secret \"hf\" not found",
                )],
            ),
        ),
        (
            "unschedulable",
            with(
                recorded("unschedulable"),
                vec![deployment("toobig-predictor", 1, 1, 0, "ReplicaSetUpdated")],
                vec![unschedulable("toobig-predictor", "16")],
            ),
        ),
        (
            "quota",
            with(
                recorded("quota"),
                vec![deployment(
                    "quota-predictor",
                    1,
                    0,
                    0,
                    "NewReplicaSetCreated",
                )],
                vec![],
            ),
        ),
        ("refused", refused),
        ("no runtime", live(recorded("no-runtime"))),
        ("runtime does not support it", wrong_runtime),
        ("runtime not there", not_recognized),
        (
            "keda absent",
            with(
                recorded("keda-absent"),
                vec![done("keda-predictor")],
                vec![pod("keda-predictor", true)],
            ),
        ),
        (
            "min zero",
            with(
                recorded("min-zero-standard"),
                vec![done("zero-predictor")],
                vec![pod("zero-predictor", true)],
            ),
        ),
        ("stopped", stopped),
        ("stopping", stopping),
        ("started again", starting_again),
        ("no gateway controller", no_gateway),
        ("route soon", route_soon),
        ("accepted", accepted),
        ("nobody looks", fresh),
        ("deleting", deleting),
        ("deletion hangs", hanging),
    ]
}

trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
impl Tap for Live {}
