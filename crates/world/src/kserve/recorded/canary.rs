//! The recorded canary: its children, the weights of its routes, its whole
//! life; and the webhooks on every recorded object.

use serde_json::{Value, json};

use super::super::isvc::meta;
use super::super::routes::{self, Share};
use super::super::{children, defaulter, validator};
use super::{Driven, accepted, line, observed, pod, rolled_out, runtime, settings};

const LIFECYCLE: &str = include_str!("../../../testdata/observed/canary-lifecycle.txt");
const CHILDREN: &str = include_str!("../../../testdata/observed/children-of-canary.yaml");

/// Everything that `wanted` says stands in `recorded`.
fn contained(wanted: &Value, recorded: &Value, place: &str) {
    match (wanted, recorded) {
        (Value::Object(wanted), Value::Object(recorded)) => {
            for (key, value) in wanted {
                let found = recorded.get(key).unwrap_or(&Value::Null);
                contained(value, found, &format!("{place}.{key}"));
            }
        }
        (Value::Array(wanted), Value::Array(recorded)) => {
            assert_eq!(wanted.len(), recorded.len(), "{place}");
            for (index, (wanted, recorded)) in wanted.iter().zip(recorded).enumerate() {
                contained(wanted, recorded, &format!("{place}[{index}]"));
            }
        }
        _ => assert_eq!(wanted, recorded, "{place}"),
    }
}

#[test]
fn children_of_a_canary() {
    let recorded: Vec<Value> = serde_saphyr::from_multiple(CHILDREN).expect("YAML");
    let find = |kind: &str, name: &str| {
        recorded
            .iter()
            .find(|object| object["kind"] == kind && meta(object, "name") == name)
            .unwrap_or_else(|| panic!("no {kind} {name} was recorded"))
            .clone()
    };
    let isvc = observed("canary-standard");
    let (runtime, settings) = (runtime(), settings());
    let stable = children::stable(&isvc, Some(&runtime), &settings);
    let entry = &isvc["spec"]["canary"][0];
    let canary = children::canary(&isvc, entry, Some(&runtime), &settings);
    let share = Share {
        service: canary.name.clone(),
        percent: 20,
    };
    let mut made = routes::routes(&isvc, &stable.name, &[share], &settings);
    for workload in [stable, canary] {
        made.extend([workload.deployment, workload.service]);
        made.extend(workload.autoscaler);
    }
    assert_eq!(made.len(), 8);
    for mut object in made {
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        let name = meta(&object, "name").to_owned();
        // The recorder left the owner's uid out.
        object["metadata"]["ownerReferences"][0]
            .as_object_mut()
            .expect("an owner")
            .remove("uid");
        contained(&object, &find(&kind, &name), &format!("{kind} {name}"));
    }
}

/// Service names and weights of a route.
type Weights = Vec<(String, i64)>;

/// The sections of the recorded canary: title, the route's weights, status.
fn sections() -> Vec<(String, Weights, Value)> {
    let mut sections = Vec::new();
    for text in LIFECYCLE.split("## ").skip(1) {
        let title = text.lines().next().unwrap_or_default().to_owned();
        let route = text
            .lines()
            .find_map(|line| line.strip_prefix("route: "))
            .expect("weights");
        let weights = route
            .split_whitespace()
            .map(|pair| {
                let (name, weight) = pair.split_once('=').expect("name=weight");
                (name.to_owned(), weight.parse().expect("a number"))
            })
            .collect();
        let status = text
            .lines()
            .find(|line| line.starts_with('{'))
            .expect("a status");
        sections.push((title, weights, serde_json::from_str(status).expect("JSON")));
    }
    sections
}

#[test]
fn canary_lifecycle() {
    let canary = |name: &str, percent: i64| json!([{"trafficPercent": percent, "predictor": {"name": name, "model": {"modelFormat": {"name": "vLLM"}}}}]);
    let mut driven = Driven::new("ready");
    driven.become_ready("llama-predictor-66455b6668");
    // (title, name of the stable predictor, canaries, ready)
    let steps = [
        ("stable v1", "", json!([]), false),
        ("dark launch 0%", "", canary("v2", 0), true),
        ("50%", "", canary("v2", 50), true),
        ("promoted by name", "v2", json!([]), false),
        ("v3 at 10%", "v2", canary("v3", 10), true),
        ("rolled back", "v2", json!([]), false),
        ("canary unschedulable 10%", "v2", canary("v3", 10), false),
    ];
    let recorded = sections();
    assert_eq!(recorded.len(), steps.len());
    for (number, (step, (title, weights, status))) in steps.iter().zip(recorded).enumerate() {
        let (expected, stable, canaries, up) = step;
        assert_eq!(*expected, title);
        let before = driven.isvc.clone();
        driven.isvc["spec"]["canary"] = canaries.clone();
        if !stable.is_empty() {
            driven.isvc["spec"]["predictor"]["name"] = json!(stable);
            driven.isvc["spec"]["predictor"]["model"]["storageUri"] = json!("oci+native://r/m:2");
        }
        assert_eq!(validator::update(&before, &driven.isvc), Ok(()), "{title}");
        driven.generation(i64::try_from(number).expect("small") + 1);
        let set = if stable.is_empty() {
            "llama-predictor-66455b6668"
        } else {
            "llama-v2-predictor-6b4d4db4"
        };
        let flags = vec![*up; canaries.as_array().map_or(0, Vec::len)];
        driven.round(&rolled_out(1, set), &[pod()], &accepted(), &flags);
        assert_eq!(line(&driven.isvc), status, "{title}");

        let settings = settings();
        let workload = children::stable(&driven.isvc, Some(&driven.runtime), &settings);
        let ready: Vec<Share> = canaries
            .as_array()
            .into_iter()
            .flatten()
            .filter(|_| *up)
            .map(|entry| Share {
                service: children::canary(&driven.isvc, entry, Some(&driven.runtime), &settings)
                    .name,
                percent: entry["trafficPercent"].as_i64().unwrap_or(0),
            })
            .collect();
        for route in routes::routes(&driven.isvc, &workload.name, &ready, &settings) {
            let made: Weights = route["spec"]["rules"][0]["backendRefs"]
                .as_array()
                .expect("backends")
                .iter()
                .map(|backend| {
                    let name = backend["name"].as_str().unwrap_or_default().to_owned();
                    // The API server's default.
                    (name, backend["weight"].as_i64().unwrap_or(1))
                })
                .collect();
            assert_eq!(made, weights, "{title}");
        }
    }
}

#[test]
fn the_webhooks_leave_every_recorded_object_as_it_is() {
    for scenario in [
        "ready",
        "update",
        "canary-standard",
        "unschedulable",
        "no-runtime",
        "quota",
        "stop",
        "crash",
        "keda-absent",
        "min-zero-standard",
    ] {
        let isvc = observed(scenario);
        let defaulted = defaulter::inference_service(&isvc, &settings()).expect("accepted");
        assert_eq!(defaulted, isvc, "{scenario}");
        assert_eq!(validator::create(&isvc), Ok(()), "{scenario}");
    }
}
