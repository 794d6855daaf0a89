//! The recordings of the real controller (`testdata/observed`) against the
//! stand-in's pure parts: children, routes, and the status step by step.

mod canary;

use serde_json::{Value, json};

use super::children;
use super::select::{Catalogue, Selected, select};
use super::settings::{Settings, config_map};
use super::status::{self, Ingress, Seen};
use super::{conditions::Conditions, runtimes};

const TIMELINES: &str = include_str!("../../../testdata/observed/timelines.jsonl");

fn observed(scenario: &str) -> Value {
    let text = match scenario {
        "ready" => include_str!("../../../testdata/observed/inferenceservice-ready.yaml"),
        "update" => include_str!("../../../testdata/observed/inferenceservice-update.yaml"),
        "canary-standard" => {
            include_str!("../../../testdata/observed/inferenceservice-canary-standard.yaml")
        }
        "unschedulable" => {
            include_str!("../../../testdata/observed/inferenceservice-unschedulable.yaml")
        }
        "no-runtime" => include_str!("../../../testdata/observed/inferenceservice-no-runtime.yaml"),
        "quota" => include_str!("../../../testdata/observed/inferenceservice-quota.yaml"),
        "stop" => include_str!("../../../testdata/observed/inferenceservice-stop.yaml"),
        "crash" => include_str!("../../../testdata/observed/inferenceservice-crash.yaml"),
        "keda-absent" => {
            include_str!("../../../testdata/observed/inferenceservice-keda-absent.yaml")
        }
        "min-zero-standard" => {
            include_str!("../../../testdata/observed/inferenceservice-min-zero-standard.yaml")
        }
        other => panic!("no recording of {other}"),
    };
    serde_saphyr::from_str(text).expect("the recording is YAML")
}

fn settings() -> Settings {
    Settings::from_config_map(&config_map())
}

/// The recorded runtime's image is the one thing that this world gives
/// another name.
fn runtime() -> Selected {
    let mut cluster = runtimes::cluster_serving_runtimes();
    cluster[0]["spec"]["containers"][0]["image"] = json!("vllmserver:replace");
    let predictor =
        json!({"model": {"modelFormat": {"name": "vLLM"}, "runtime": "kserve-vllmserver"}});
    let catalogue = Catalogue {
        namespaced: vec![],
        cluster,
    };
    select(&predictor, &catalogue).expect("the runtime of the recordings")
}

/// A status as the recorder wrote it down.
fn line(isvc: &Value) -> Value {
    let status = &isvc["status"];
    let conditions: serde_json::Map<String, Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| {
            let text = |key: &str| condition[key].as_str().unwrap_or_default();
            (
                text("type").to_owned(),
                json!([text("status"), text("reason"), text("message")]),
            )
        })
        .collect();
    json!({
        "generation": isvc["metadata"]["generation"],
        "observed": status["observedGeneration"],
        "conditions": conditions,
        "model": status["modelStatus"],
        "canary": status["canaryStatuses"],
        "url": status["url"],
    })
}

/// The recorded lines of a scenario, without times and repetitions.
fn timeline(scenario: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = TIMELINES
        .lines()
        .map(|text| serde_json::from_str::<Value>(text).expect("a recorded line is JSON"))
        .filter(|line| line["scenario"] == scenario)
        .map(|mut line| {
            for key in ["scenario", "seconds", "watch"] {
                line.as_object_mut().expect("an object").remove(key);
            }
            line
        })
        .collect();
    lines.dedup();
    lines
}

/// A service that is driven through rounds of the controller.
struct Driven {
    isvc: Value,
    runtime: Selected,
    lines: Vec<Value>,
}

impl Driven {
    /// Begins with an object that has no status yet.
    fn new(scenario: &str) -> Self {
        let mut isvc = observed(scenario);
        isvc["status"] = json!({});
        isvc["metadata"]["generation"] = json!(1);
        let mut driven = Self {
            isvc,
            runtime: runtime(),
            lines: vec![],
        };
        driven.write(json!({}));
        driven
    }

    fn write(&mut self, status: Value) {
        self.isvc["status"] = status;
        let next = line(&self.isvc);
        if self.lines.last() != Some(&next) {
            self.lines.push(next);
        }
    }

    /// A change of the specification: a new generation.
    fn generation(&mut self, number: i64) {
        self.isvc["metadata"]["generation"] = json!(number);
        self.write(self.isvc["status"].clone());
    }

    fn round(&mut self, deployment: &Value, pods: &[Value], routes: &[Value], canaries: &[bool]) {
        let settings = settings();
        let name = children::stable(&self.isvc, Some(&self.runtime), &settings).name;
        let next = status::running(
            &self.isvc,
            &Seen {
                runtime: Some(&self.runtime),
                deployment,
                service: &name,
                pods,
                canaries_ready: canaries,
                ingress: Ingress::Routes(routes.to_vec()),
            },
            &settings,
            "2026-11-24T05:43:07Z",
        );
        self.write(next);
    }

    /// From nothing to ready, as every healthy recording begins.
    fn become_ready(&mut self, replica_set: &str) {
        self.round(&json!({}), &[], &[], &[]);
        self.round(&unavailable(1), &[], &[], &[]);
        self.round(&unavailable(1), &[pod()], &[], &[]);
        let done = rolled_out(1, replica_set);
        self.round(&done, &[pod()], &[route(false), route(false)], &[]);
        self.round(&done, &[pod()], &[route(true), route(true)], &[]);
        self.round(&done, &[pod()], &[route(true), route(true)], &[]);
    }

    /// The status without times, for comparison with a recorded object.
    fn timeless(&self) -> Value {
        timeless(&self.isvc["status"])
    }
}

fn timeless(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition
            .as_object_mut()
            .expect("an object")
            .remove("lastTransitionTime");
    }
    status
}

fn deployment(generation: i64, conditions: &Value) -> Value {
    json!({"status": {"observedGeneration": generation, "conditions": conditions}})
}

fn unavailable(generation: i64) -> Value {
    deployment(
        generation,
        &json!([{
            "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
            "message": "Deployment does not have minimum availability.",
        }]),
    )
}

fn available(generation: i64, progress: &str, message: &str) -> Value {
    deployment(
        generation,
        &json!([
            {
                "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability.",
            },
            {"type": "Progressing", "status": "True", "reason": progress, "message": message},
        ]),
    )
}

fn rolled_out(generation: i64, replica_set: &str) -> Value {
    available(
        generation,
        "NewReplicaSetAvailable",
        &format!("ReplicaSet \"{replica_set}\" has successfully progressed."),
    )
}

fn rolling(generation: i64) -> Value {
    available(
        generation,
        "ReplicaSetUpdated",
        "ReplicaSet is progressing.",
    )
}

fn pod() -> Value {
    json!({
        "spec": {"nodeName": "gpu-h100-0"},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "kserve-container", "ready": true, "state": {"running": {}}},
        ]},
    })
}

fn route(accepted: bool) -> Value {
    if accepted {
        json!({"status": {"parents": [{"conditions": [
            {"type": "Accepted", "status": "True"},
            {"type": "ResolvedRefs", "status": "True"},
        ]}]}})
    } else {
        json!({})
    }
}

fn accepted() -> [Value; 2] {
    [route(true), route(true)]
}

#[test]
fn ready() {
    let mut driven = Driven::new("ready");
    driven.become_ready("llama-predictor-66455b6668");
    assert_eq!(driven.lines, timeline("ready"));
    assert_eq!(driven.timeless(), timeless(&observed("ready")["status"]));
}

#[test]
fn update() {
    let mut driven = Driven::new("update");
    driven.become_ready("llama-predictor-66455b6668");
    driven.lines.drain(..driven.lines.len() - 1);
    driven.generation(2);
    driven.round(&rolling(2), &[pod(), pod()], &accepted(), &[]);
    driven.round(&rolling(2), &[pod()], &accepted(), &[]);
    let done = rolled_out(2, "llama-predictor-f76dd88d7");
    driven.round(&done, &[pod()], &accepted(), &[]);
    assert_eq!(driven.lines, timeline("update"));
    assert_eq!(driven.timeless(), timeless(&observed("update")["status"]));
}

#[test]
fn canary_standard() {
    let mut driven = Driven::new("canary-standard");
    let entries = driven.isvc["spec"]["canary"].take();
    driven.become_ready("llama-predictor-f76dd88d7");
    driven.generation(2);
    let before = rolled_out(2, "llama-predictor-f76dd88d7");
    driven.round(&before, &[pod()], &accepted(), &[]);
    driven.lines.drain(..driven.lines.len() - 1);
    driven.generation(3);
    let begun = rolled_out(3, "llama-predictor-f76dd88d7");
    driven.round(&begun, &[pod(), pod()], &accepted(), &[]);
    driven.round(&rolling(3), &[pod(), pod()], &accepted(), &[]);
    let done = rolled_out(3, "llama-predictor-66455b6668");
    driven.round(&done, &[pod()], &accepted(), &[]);
    driven.isvc["spec"]["canary"] = entries;
    driven.generation(4);
    driven.round(&done, &[pod()], &accepted(), &[false]);
    driven.round(&done, &[pod()], &accepted(), &[true]);
    assert_eq!(driven.lines, timeline("canary-standard"));
    let recorded = timeless(&observed("canary-standard")["status"]);
    assert_eq!(driven.timeless(), recorded);
}

#[test]
fn unschedulable() {
    let mut driven = Driven::new("unschedulable");
    driven.round(&json!({}), &[], &[], &[]);
    driven.round(&unavailable(1), &[], &[], &[]);
    let waiting = json!({"spec": {}, "status": {"phase": "Pending"}});
    driven.round(&unavailable(1), &[waiting], &[], &[]);
    assert_eq!(driven.lines, timeline("unschedulable"));
    let recorded = timeless(&observed("unschedulable")["status"]);
    assert_eq!(driven.timeless(), recorded);
}

#[test]
fn quota() {
    let mut driven = Driven::new("quota");
    driven.round(&json!({}), &[], &[], &[]);
    driven.round(&unavailable(1), &[], &[], &[]);
    let recorded = timeless(&observed("quota")["status"]);
    let message = recorded["conditions"][1]["message"].clone();
    let mut failing = unavailable(1);
    let conditions = failing["status"]["conditions"].as_array_mut();
    conditions.expect("a list").push(json!({
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message,
    }));
    driven.round(&failing, &[], &[], &[]);
    assert_eq!(driven.lines, timeline("quota"));
    assert_eq!(driven.timeless(), recorded);
}

#[test]
fn no_runtime() {
    let mut driven = Driven::new("no-runtime");
    let catalogue = Catalogue {
        namespaced: vec![],
        cluster: runtimes::cluster_serving_runtimes(),
    };
    let none =
        select(&driven.isvc["spec"]["predictor"], &catalogue).expect_err("nothing serves gguf");
    assert_eq!(
        none.event,
        "no runtime found to support predictor with model type: {gguf <nil>}"
    );
    driven.write(status::without_runtime(&driven.isvc, &none, "now"));
    assert_eq!(driven.lines, timeline("no-runtime"));
    let recorded = timeless(&observed("no-runtime")["status"]);
    assert_eq!(driven.timeless(), recorded);
}

#[test]
fn stop() {
    let mut driven = Driven::new("stop");
    let set = "stopme-predictor-5bfcc7cf99";
    driven.round(&json!({}), &[], &[], &[]);
    driven.round(&unavailable(1), &[pod()], &[], &[]);
    // The recorder missed the step without a pod: two events in one.
    let done = rolled_out(1, set);
    driven.round(&done, &[pod()], &[route(false), route(false)], &[]);
    driven.round(&done, &[pod()], &accepted(), &[]);
    driven.round(&done, &[pod()], &accepted(), &[]);
    let ready = driven.isvc["status"]["conditions"].clone();
    driven.write(status::stopped(&driven.isvc, Some(&driven.runtime), "now"));
    assert_eq!(driven.lines, timeline("stop"));
    assert_eq!(driven.timeless(), timeless(&observed("stop")["status"]));
    assert!(Conditions::read(&ready).is_true("Ready"));
    let failing = Conditions::read(&driven.isvc["status"]["conditions"]).failing();
    assert_eq!(failing, ["IngressReady", "PredictorReady", "Ready"]);
}

#[test]
fn crash() {
    let mut driven = Driven::new("crash");
    driven.become_ready("crash-predictor-1");
    let mut crashed = pod();
    crashed["status"]["containerStatuses"][0] = json!({
        "name": "kserve-container",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "CUDA out of memory"}},
    });
    driven.round(&unavailable(1), &[crashed.clone()], &accepted(), &[]);
    driven.round(&unavailable(1), &[crashed], &accepted(), &[]);
    assert_eq!(driven.timeless(), timeless(&observed("crash")["status"]));
}

#[test]
fn keda_absent() {
    let mut driven = Driven::new("keda-absent");
    let settings = settings();
    let workload = children::stable(&driven.isvc, Some(&driven.runtime), &settings);
    assert_eq!(
        workload.autoscaler.expect("KEDA's object")["kind"],
        "ScaledObject"
    );
    let error = "failed to get existing KEDA autoscaler: no matches for kind \"ScaledObject\" in version \"keda.sh/v1alpha1\"";
    let next = status::reconcile_failed(&driven.isvc, Some(&driven.runtime), error, "now");
    driven.write(next);
    assert_eq!(driven.lines, timeline("keda-absent"));
    let recorded = timeless(&observed("keda-absent")["status"]);
    assert_eq!(driven.timeless(), recorded);
}

#[test]
fn min_zero_standard() {
    let mut driven = Driven::new("min-zero-standard");
    let workload = children::stable(&driven.isvc, Some(&driven.runtime), &settings());
    let hpa = workload.autoscaler.expect("an HPA");
    assert_eq!(hpa["spec"]["minReplicas"], 1);
    assert_eq!(hpa["spec"]["maxReplicas"], 3);
    driven.round(&json!({}), &[], &[], &[]);
    driven.round(&unavailable(1), &[pod()], &[], &[]);
    let done = rolled_out(1, "zero-predictor-74749fcd79");
    driven.round(&done, &[pod()], &[route(false), route(false)], &[]);
    driven.round(&done, &[pod()], &accepted(), &[]);
    driven.round(&done, &[pod()], &accepted(), &[]);
    assert_eq!(driven.lines, timeline("min-zero-standard"));
    let recorded = timeless(&observed("min-zero-standard")["status"]);
    assert_eq!(driven.timeless(), recorded);
}
