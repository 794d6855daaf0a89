#[path = "knative_tests.rs"]
mod knative_tests;
#[path = "scenarios.rs"]
mod scenarios;

use super::*;
use scenarios::*;
use serde_json::{Value, json};

#[test]
fn every_scenario_in_plain_words() {
    let mut said = String::new();
    for (name, l) in scenarios() {
        let e = explain(&l, now());
        said += &format!("{name}\n  [{}] {}\n", e.code.label(), e.headline);
        for (what, text) in [("because", e.cause), ("so", e.next_step)] {
            if let Some(t) = text {
                said += &format!("  {what}: {t}\n");
            }
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn every_code_but_unknown_to_kserve_is_reached_and_reads_back() {
    let seen: std::collections::BTreeSet<Code> = scenarios()
        .iter()
        .map(|(_, l)| explain(l, now()).code)
        .collect();
    for code in Code::ALL {
        assert!(seen.contains(&code), "{code:?}");
        assert_eq!(Code::from_name(code.name()), Some(code));
    }
}

#[test]
fn observed_generation_is_not_believed() {
    let (_, mut l) = scenarios().remove(0);
    l.object["metadata"]["generation"] = json!(7);
    l.object["status"]["observedGeneration"] = json!(1);
    assert_eq!(explain(&l, now()).code, Code::Healthy);
    // Nor is Ready.
    let mut w = done("llama-predictor");
    w.available = 0;
    w.ready = 0;
    l.workloads = vec![w];
    l.pods[0].containers[0].ready = false;
    assert_eq!(explain(&l, now()).code, Code::Starting);
}

#[test]
fn a_row_sums_up() {
    let l = canary(
        20,
        true,
        &[("llama-predictor", 80), ("llama-v2-predictor", 20)],
    );
    let r = row(&l, now());
    assert_eq!((r.replicas_ready, r.replicas_desired, r.gpus), (2, 2, 2));
    assert_eq!(
        (r.format.as_str(), r.runtime.as_str(), r.state),
        ("vLLM", "kserve-vllmserver", Code::Canary)
    );
    assert!(
        r.source
            .starts_with("oci+native://registry.example/models/llama@sha256:")
    );
    assert_eq!(r.url.as_deref(), Some("http://llama-team-a.example.com"));
    let quota = with(
        recorded("quota"),
        vec![deployment("quota-predictor", 1, 0, 0, "x")],
        vec![],
    );
    assert_eq!(row(&quota, now()).gpus, 4);
    assert_eq!(row(&live(recorded("stop")), now()).gpus, 0);
}

/// Each step that the real controller went through: on the way, nothing may look like a failure that
/// is none.
#[test]
fn every_recorded_step_in_plain_words() {
    let path = format!(
        "{}/testdata/observed/timelines.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut said = String::new();
    for line in std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|l| !l.is_empty())
    {
        let step: Value = serde_json::from_str(line).unwrap();
        let e = explain(&at_step(&step), now());
        let line = format!(
            "{} [{}] {}\n",
            step["scenario"].as_str().unwrap(),
            e.code.label(),
            e.headline
        );
        if !said.ends_with(&line) {
            said += &line;
        }
    }
    insta::assert_snapshot!(said);
}

/// The object at a step of a timeline, and the Deployment as the controller must have seen it then.
fn at_step(step: &Value) -> Live {
    let scenario = step["scenario"].as_str().unwrap();
    let mut object = recorded(scenario);
    let condition = |(kind, c): (&String, &Value)| {
        let severity = if matches!(kind.as_str(), "Stopped" | "CanaryPredictorReady") {
            "Info"
        } else {
            ""
        };
        json!({"type": kind, "status": c[0], "reason": c[1], "message": c[2], "severity": severity, "lastTransitionTime": NOW})
    };
    let conditions: Vec<Value> = step["conditions"]
        .as_object()
        .unwrap()
        .iter()
        .map(condition)
        .collect();
    object["metadata"]["generation"] = step["generation"].clone();
    object["metadata"]["creationTimestamp"] = json!(NOW);
    object["status"] = json!({"conditions": conditions, "modelStatus": step["model"], "canaryStatuses": step["canary"], "url": step["url"], "observedGeneration": step["observed"]});
    if step["canary"].is_null() {
        object["spec"].as_object_mut().unwrap().remove("canary");
    }
    let stopped = step["conditions"]["Stopped"][0] == "True";
    if !stopped {
        object["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("serving.kserve.io/stop");
    }
    let name = format!("{}-predictor", object["metadata"]["name"].as_str().unwrap());
    let workload = match step["conditions"]["PredictorReady"][1].as_str() {
        _ if stopped => None,
        Some("NewReplicaSetAvailable" | "ReconcileFailed") => Some(done(&name)),
        Some("MinimumReplicasAvailable") => Some(deployment(&name, 1, 1, 1, "ReplicaSetUpdated")),
        Some("MinimumReplicasUnavailable") => Some(deployment(&name, 1, 1, 0, "ReplicaSetUpdated")),
        Some("FailedCreate") => Some(deployment(&name, 1, 0, 0, "NewReplicaSetCreated")),
        _ => None,
    };
    let mut l = with(object, workload.into_iter().collect(), vec![]);
    for c in step["canary"].as_array().into_iter().flatten() {
        let ready = c["ready"] == true;
        let backend = format!("llama-{}-predictor", c["name"].as_str().unwrap());
        let wish = if ready {
            i32::try_from(c["trafficPercent"].as_i64().unwrap()).unwrap()
        } else {
            0
        };
        l.workloads.push(deployment(
            &backend,
            1,
            1,
            i32::from(ready),
            if ready {
                "NewReplicaSetAvailable"
            } else {
                "ReplicaSetUpdated"
            },
        ));
        l.routes = vec![route(
            "llama",
            &[("llama-predictor", 100 - wish), (&backend, wish)],
        )];
    }
    l
}
