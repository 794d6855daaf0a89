//! Each rule with a manifest that passes (the base, which passes all of them) and one that fails.

#[path = "cases.rs"]
mod cases;
#[path = "merged_tests.rs"]
mod merged;

use super::*;
use crate::observed::ClusterFacts;
use cases::{CASES, World, base, predictor, run, world};
use serde_json::json;

#[test]
fn the_base_passes_every_rule() {
    assert_eq!(run(&base(), &world()), []);
}

#[test]
fn every_rule_is_broken_by_its_case_and_says_what_to_do() {
    let mut said = String::new();
    for (rule, change) in CASES {
        let (mut m, mut w) = (base(), world());
        change(&mut m, &mut w);
        let found = run(&m, &w);
        let mine: Vec<_> = found.iter().filter(|f| f.rule == *rule).collect();
        assert!(!mine.is_empty(), "{rule} is silent; others: {found:?}");
        for f in mine {
            assert!(
                !f.field.is_empty() && f.message.ends_with(['.', '?', ')']) && !f.remedy.is_empty(),
                "{f:?}"
            );
            said += &format!(
                "{} {:?} {}\n  {}\n  {}\n",
                f.rule, f.severity, f.field, f.message, f.remedy
            );
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn every_rule_has_a_case_and_names_are_unique() {
    let names: Vec<_> = RULES.iter().copied().flatten().map(|r| r.name).collect();
    let cases: Vec<_> = CASES.iter().map(|(n, _)| *n).collect();
    assert_eq!(names, cases);
    assert_eq!(
        names
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        names.len()
    );
}

#[test]
fn what_is_not_known_is_not_held_against_anybody() {
    let w = World {
        facts: ClusterFacts {
            canary_field: true,
            ..ClusterFacts::default()
        },
        runtimes: vec![],
        nodes: vec![],
        quotas: vec![],
        limit_ranges: vec![],
        live: None,
        running: None,
        secrets: None,
        absent: vec![],
        artifact: None,
    };
    assert_eq!(run(&base(), &w), []);
}

#[test]
fn recorded_manifests_are_judged_as_they_turned_out() {
    let recorded = |scenario: &str| {
        let path = format!(
            "{}/testdata/observed/inferenceservice-{scenario}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        crate::content::clean(
            &crate::yaml::parse_manifest(&std::fs::read_to_string(path).unwrap()).unwrap(),
        )
    };
    let mut w = world();
    w.facts.groups = vec!["serving.kserve.io".into()];
    let errors = |scenario: &str, w: &World| {
        run(&recorded(scenario), w)
            .into_iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| f.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(errors("canary-standard", &w), [] as [&str; 0]);
    w.quotas[0]
        .hard
        .insert("requests.nvidia.com/gpu".into(), "3".into());
    assert_eq!(errors("ready", &w), [] as [&str; 0]);
    assert_eq!(errors("no-runtime", &w), ["runtime-none"]);
    assert_eq!(
        errors("unschedulable", &w),
        [
            "gpus-more-than-any-node",
            "quota-exceeded",
            "quota-needs-amount"
        ]
    );
    assert_eq!(
        errors("quota", &w),
        ["quota-exceeded", "quota-needs-amount"]
    );
    assert_eq!(errors("keda-absent", &w), ["keda-absent"]);
    assert_eq!(errors("min-zero-standard", &w), ["min-replicas-zero"]);
}

#[test]
fn modes_are_called_as_the_clusters_kserve_calls_them() {
    let mut w = world();
    let said = |mode: &str, w: &World| {
        let mut m = base();
        m["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!(mode);
        run(&m, w)
            .into_iter()
            .map(|f| (f.rule, f.remedy))
            .collect::<Vec<_>>()
    };
    w.facts.older_mode_names = true;
    assert_eq!(said("RawDeployment", &w), []);
    assert_eq!(
        said("Standard", &w),
        [("mode-unknown".into(), "Write `RawDeployment`.".into())]
    );
    w.facts.older_mode_names = false;
    assert_eq!(said("Standard", &w), []);
    assert_eq!(
        said("RawDeployment", &w),
        [("mode-deprecated".into(), "Write `Standard`.".into())]
    );
}

#[test]
fn an_update_counts_only_what_comes_on_top() {
    let (mut m, mut w) = (base(), world());
    w.live = Some(base());
    w.quotas[0]
        .used
        .insert("requests.nvidia.com/gpu".into(), "16".into());
    predictor(&mut m)["maxReplicas"] = json!(1);
    assert_eq!(run(&m, &w), []);
    predictor(&mut m)["minReplicas"] = json!(2);
    predictor(&mut m)["maxReplicas"] = json!(2);
    assert_eq!(
        run(&m, &w)
            .iter()
            .map(|f| f.rule.as_str())
            .collect::<Vec<_>>(),
        ["quota-exceeded"]
    );
}

#[test]
fn a_key_at_the_top_that_nobody_knows_is_named_with_the_one_that_was_meant() {
    let said = |from: &str, to: &str| {
        let mut m = base();
        let taken = m.as_object_mut().unwrap().remove(from);
        m[to] = taken.unwrap_or_default();
        let found = run(&m, &world());
        let f = found.into_iter().find(|f| f.rule == "top-level-unknown");
        f.map(|f| (f.field, f.remedy))
    };
    let write = |key: &str, meant: &str| {
        Some((
            key.to_owned(),
            format!("Write `{meant}`, or remove the key."),
        ))
    };
    assert_eq!(said("spec", "Spec"), write("Spec", "spec"));
    assert_eq!(said("spec", "specs"), write("specs", "spec"));
    assert_eq!(
        said("apiVersion", "api_version"),
        write("api_version", "apiVersion")
    );
    assert_eq!(said("nothing", "status"), None);
    let (field, remedy) = said("nothing", &"x".repeat(300)).expect("is named");
    assert_eq!(
        (field.len(), remedy.starts_with("Remove it")),
        (60, true),
        "{remedy}"
    );
}

#[test]
fn a_quota_counts_the_pods_that_run_and_says_where_it_is_too_small_for_any() {
    let (mut m, mut w) = (base(), world());
    // Four are wished and one runs; others in the namespace use two.
    let mut live = base();
    predictor(&mut live)["minReplicas"] = json!(4);
    (w.live, w.running) = (Some(live), Some(1));
    let gpus = || "requests.nvidia.com/gpu".to_owned();
    w.quotas[0].hard.insert(gpus(), "4".into());
    w.quotas[0].used.insert(gpus(), "3".into());
    let mut said = |replicas: i64| {
        predictor(&mut m)["minReplicas"] = json!(replicas);
        predictor(&mut m)["maxReplicas"] = json!(replicas);
        let found = run(&m, &w);
        let f = found.into_iter().find(|f| f.rule == "quota-exceeded");
        f.map(|f| (f.message, f.remedy))
    };
    assert_eq!(said(2), None);
    let (message, remedy) = said(3).expect("two of others and three");
    assert_eq!(
        message,
        "The namespace's quota gpus allows 4 of requests.nvidia.com/gpu; 2 are used, and it would be 5."
    );
    assert!(remedy.contains("stop something else"), "{remedy}");
    let (message, remedy) = said(5).expect("more than the quota");
    assert_eq!(
        message,
        "The namespace's quota gpus is too small for this: it allows 4 of requests.nvidia.com/gpu in all, and this alone needs 5, which is 1 more."
    );
    assert_eq!(
        remedy,
        "Ask for less, or have whoever runs the cluster raise the quota to 7 or more."
    );
}

#[test]
fn secrets_are_told_from_settings() {
    for name in [
        "HF_TOKEN",
        "NGC_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PASSWORD",
        "api-key",
        "CLIENT_SECRET",
        "OPENAI_API_KEY",
    ] {
        assert!(secrets::secret_name(name), "{name}");
    }
    for name in [
        "MAX_TOKENS",
        "TOKENIZER",
        "TOKENIZERS_PARALLELISM",
        "TOKEN_LIMIT",
        "SECRET_NAME",
        "AWS_ACCESS_KEY_ID",
        "KEY",
        "HF_TOKEN_PATH",
        "MONKEY",
        "EOS_TOKEN",
        "pad-token",
        "EOS_TOKEN_ID",
    ] {
        assert!(!secrets::secret_name(name), "{name}");
    }
    let hf = format!("hf_{}", "aB3".repeat(12));
    for value in [
        hf.as_str(),
        "postgres://u:p@host/db",
        "-----BEGIN RSA PRIVATE KEY-----\nx",
        "AKIAIOSFODNN7EXAMPLE",
    ] {
        assert!(secrets::secret_value(value).is_some(), "{value}");
    }
    for value in [
        "https://host/path",
        "http://host:80",
        "hf_hub",
        "postgres://u@host",
        "sk-learn",
        "postgres://u:$(PASSWORD)@host",
    ] {
        assert!(secrets::secret_value(value).is_none(), "{value}");
    }
    // The finding never repeats the value.
    let (mut m, w) = (base(), world());
    predictor(&mut m)["model"]["env"][0] = json!({"name": "X", "value": hf});
    predictor(&mut m)["model"]["args"] = json!([hf]);
    let found = run(&m, &w);
    assert_eq!(found.len(), 2);
    assert!(!format!("{found:?}").contains(&hf));
}
