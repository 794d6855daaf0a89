use super::*;
use serde_json::json;

fn node() -> Node {
    Node {
        name: "h100-1".into(),
        labels: [("zone", "a"), ("cores", "64"), ("gpu", "H100")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..Node::default()
    }
}

fn required(terms: &Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

fn against(terms: &Value) -> Vec<String> {
    Placement::of(&required(terms), None).affinity_against(&node())
}

#[test]
fn each_operator_is_read_as_the_scheduler_reads_it() {
    let one = |key: &str, operator: &str, values: &[&str]| {
        against(
            &json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]),
        )
        .join("; ")
    };
    for (key, operator, values) in [
        ("zone", "In", &["b", "a"][..]),
        ("zone", "NotIn", &["b"]),
        ("absent", "NotIn", &["b"]),
        ("gpu", "Exists", &[]),
        ("absent", "DoesNotExist", &[]),
        ("cores", "Gt", &["32"]),
        ("cores", "Lt", &["65"]),
    ] {
        assert_eq!(one(key, operator, values), "", "{key} {operator}");
    }
    for (key, operator, values, words) in [
        (
            "zone",
            "In",
            &["b", "c"][..],
            "has zone a, and the node affinity asks for b or c",
        ),
        (
            "absent",
            "In",
            &["b"],
            "has no label absent, and the node affinity asks for b",
        ),
        (
            "zone",
            "NotIn",
            &["a"],
            "has zone a, which the node affinity rules out",
        ),
        (
            "absent",
            "Exists",
            &[],
            "has no label absent, and the node affinity asks for one",
        ),
        (
            "gpu",
            "DoesNotExist",
            &[],
            "has gpu H100, which the node affinity rules out",
        ),
        (
            "cores",
            "Gt",
            &["64"],
            "has cores 64, and the node affinity asks for more than 64",
        ),
        (
            "cores",
            "Lt",
            &["many"],
            "has cores 64, and the node affinity asks for less than many",
        ),
    ] {
        assert_eq!(one(key, operator, values), words);
    }
}

#[test]
fn one_term_suffices_and_all_of_it_has_to_be_met() {
    let zone = |z: &str| json!({"key": "zone", "operator": "In", "values": [z]});
    let name = |n: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [n]}]});
    assert!(against(&json!([{"matchExpressions": [zone("b")]}, name("h100-1")])).is_empty());
    assert_eq!(
        against(&json!([{"matchExpressions": [zone("b")]}, name("h100-2")])),
        [
            "is none of those that the node affinity asks for: it has zone a, and the node affinity asks for b, or has metadata.name h100-1, and the node affinity asks for h100-2"
        ]
    );
    assert_eq!(
        against(&json!([{"matchExpressions": [zone("a"), zone("b")]}])).len(),
        1
    );
    assert_eq!(
        against(&json!([{}])).len(),
        1,
        "an empty term matches nothing"
    );
    assert!(against(&json!([])).is_empty(), "no terms require nothing");
}

#[test]
fn the_runtimes_scheduling_fields_are_merged_as_kserve_does_it() {
    let runtime = json!({
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "nodeSelector": {"pool": "gpus", "zone": "a"},
        "affinity": required(&json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]))["affinity"],
    });
    let merged = |pod: &Value| Placement::of(pod, Some(&runtime));
    let bare = merged(&json!({"tolerations": []}));
    assert_eq!(bare.tolerations[0].key, "nvidia.com/gpu");
    assert_eq!(bare.node_selector.len(), 2);
    assert_eq!(bare.required.as_ref().map(Vec::len), Some(1));
    let own = merged(&json!({"tolerations": [{"key": "other"}], "nodeSelector": {"zone": "b"}}));
    assert_eq!(own.tolerations.len(), 1);
    assert_eq!(own.tolerations[0].key, "other");
    assert_eq!(
        (
            own.node_selector["pool"].as_str(),
            own.node_selector["zone"].as_str()
        ),
        ("gpus", "b")
    );
}
