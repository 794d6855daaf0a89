//! What comes together from elsewhere: the runtime's fields, canaries, limit ranges.

use super::{
    super::*,
    cases::{amount, base, canary, map, predictor, required, run, world},
};
use crate::observed::{LimitRange, Taint};
use serde_json::json;

fn errors(m: &Value, w: &super::World) -> Vec<(String, String)> {
    run(m, w)
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| (f.rule, f.field))
        .collect()
}

fn one(rule: &str, field: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), field.to_owned())]
}

#[test]
fn what_the_runtime_tolerates_and_selects_counts_as_the_manifests_own() {
    let (mut m, mut w) = (base(), world());
    predictor(&mut m)["tolerations"] = Value::Null;
    w.runtimes[0].spec["tolerations"] = json!([{"key": "nvidia.com/gpu", "operator": "Exists"}]);
    assert_eq!(errors(&m, &w), []);
    let known = std::mem::take(&mut w.runtimes);
    assert_eq!(errors(&m, &w), [], "no runtimes are known");
    w.runtimes = known;
    w.runtimes[0].spec["nodeSelector"] = json!({"pool": "inference"});
    assert_eq!(
        errors(&m, &w),
        one("node-selector-matches-none", "spec.predictor.model.runtime")
    );
    // The manifest's word counts before the runtime's.
    for node in &mut w.nodes {
        node.labels.insert("pool".into(), "gpus".into());
    }
    predictor(&mut m)["nodeSelector"]["pool"] = json!("gpus");
    assert_eq!(errors(&m, &w), []);
    w.runtimes[0].spec["affinity"] =
        required(json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]));
    assert_eq!(
        errors(&m, &w),
        one("affinity-matches-none", "spec.predictor.model.runtime")
    );
}

#[test]
fn nodes_that_are_ruled_out_one_by_one_are_no_room_and_a_cordon_passes() {
    let (mut m, mut w) = (base(), world());
    predictor(&mut m)["affinity"] = required(
        json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["h100-2"]}]}]),
    );
    assert_eq!(errors(&m, &w), []);
    w.nodes[1].unschedulable = true;
    assert_eq!(errors(&m, &w), [], "a cordon does not last");
    w.nodes[1].unschedulable = false;
    // The affinity leaves the one node whose taint is not tolerated.
    predictor(&mut m)["model"]["resources"] =
        json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}});
    w.nodes[1].taints.push(Taint {
        key: "dedicated".into(),
        value: "others".into(),
        effect: "NoSchedule".into(),
    });
    let found = run(&m, &w);
    let room = found.iter().find(|f| f.rule == "fits-no-node").unwrap();
    assert!(
        room.message.contains("dedicated=others") && room.remedy.contains("tolerations"),
        "{room:?}"
    );
}

#[test]
fn a_canary_is_asked_what_the_stable_predictor_is_asked() {
    let w = world();
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut m = base();
        canary(&mut m, "v2", 10);
        change(&mut m["spec"]["canary"][0]["predictor"]);
        errors(&m, &w)
    };
    assert_eq!(broken(&|_| {}), []);
    let at = "spec.canary[0].predictor";
    for (rule, field, change) in [
        (
            "format-wrong-case",
            "model.modelFormat.name",
            &(|p: &mut Value| p["model"]["modelFormat"]["name"] = json!("vllm"))
                as &dyn Fn(&mut Value),
        ),
        ("runtime-unsupported", "model.runtime", &|p| {
            p["model"]["runtime"] = json!("by-hand")
        }),
        (
            "gpus-more-than-any-node",
            "model.resources.requests.nvidia.com/gpu",
            &|p| {
                for which in ["requests", "limits"] {
                    p["model"]["resources"][which]["nvidia.com/gpu"] = json!("9");
                }
            },
        ),
        (
            "secret-missing",
            "model.env[1].valueFrom.secretKeyRef.name",
            &|p| p["model"]["env"][1]["valueFrom"]["secretKeyRef"]["name"] = json!("gone"),
        ),
        ("volume-missing", "model.volumeMounts[0].name", &|p| {
            p["model"]["volumeMounts"] = json!([{"name": "shm", "mountPath": "/dev/shm"}])
        }),
    ] {
        assert_eq!(broken(change), one(rule, &format!("{at}.{field}")));
    }
}

#[test]
fn a_canarys_pods_count_against_the_quota() {
    let (mut m, mut w) = (base(), world());
    w.quotas[0]
        .hard
        .insert("requests.nvidia.com/gpu".into(), "3".into());
    assert_eq!(errors(&m, &w), []);
    canary(&mut m, "v2", 10);
    let at = "spec.predictor.model.resources.requests.nvidia.com/gpu";
    assert_eq!(errors(&m, &w), one("quota-exceeded", at));
    // What runs already is given back first.
    w.live = Some(m.clone());
    w.quotas[0]
        .used
        .insert("requests.nvidia.com/gpu".into(), "3".into());
    assert_eq!(errors(&m, &w), []);
}

#[test]
fn a_limit_range_fills_in_what_a_quota_counts_and_bounds_what_is_filled_in() {
    let (mut m, mut w) = (base(), world());
    predictor(&mut m)["model"]["resources"]["limits"] = json!({"nvidia.com/gpu": "1"});
    let at = "spec.predictor.model.resources.limits.memory";
    assert_eq!(errors(&m, &w), one("quota-needs-amount", at));
    w.limit_ranges.push(LimitRange {
        name: "defaults".into(),
        default: map(&[("memory", "64Gi")]),
        ..LimitRange::default()
    });
    assert_eq!(run(&m, &w), [], "nor is a limit missed");
    w.limit_ranges[0].max = map(&[("memory", "32Gi")]);
    assert_eq!(errors(&m, &w), one("limit-range-exceeded", at));
    amount(&mut m, "memory", "32Gi");
    assert_eq!(errors(&m, &w), []);
}
