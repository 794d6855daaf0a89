use super::*;
use serde_json::json;

#[test]
fn a_manifest_reads_as_the_api_server_would_have_it() {
    let v =
        parse_manifest("a: on\nb: 0755\nc: 1_000\nd: true\ne: 1.5\nf: ~\ng: '1'\nh: 3\n").unwrap();
    assert_eq!(
        v,
        json!({"a": "on", "b": "0755", "c": "1_000", "d": true, "e": 1.5, "f": null, "g": "1", "h": 3})
    );
    assert_eq!(
        parse_manifest(r#"{"kind": "InferenceService", "x": [1, "2"]}"#).unwrap()["x"],
        json!([1, "2"])
    );
    assert_eq!(
        parse_manifest("a: &x {b: 1}\nc: *x\n").unwrap()["c"]["b"],
        1
    );
}

#[test]
fn each_mistake_is_said_with_its_place_and_a_way_out() {
    let mut said = String::new();
    for text in [
        "",
        "- a\n- b\n",
        "just text",
        "a: 1\nb: 2\na: 3\n",
        "a: 1\n---\nb: 2\n",
        "a: [1, 2\nb: 3\n",
        "a:\n\t- x\n",
        "a: *nowhere\n",
        "a: 'open\n",
        "a: b: c\n",
        "a: .nan\n",
        "a: \u{0}\n",
    ] {
        let e = parse_manifest(text).unwrap_err();
        assert_eq!(e.fields[0].field, "manifest");
        said += &format!("{text:?}\n  {}\n  {}\n", e.message, e.remedy.unwrap());
    }
    insta::assert_snapshot!(said);
}

#[test]
fn limits_hold() {
    assert!(
        parse_manifest(&format!("a: {}", "x".repeat(MAX_BYTES)))
            .unwrap_err()
            .message
            .contains("256 KiB")
    );
    let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
    assert!(parse_manifest(&deep).is_err());
    let block: String = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(parse_manifest(&block).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..9 {
        bomb += &format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        );
    }
    assert!(parse_manifest(&bomb).is_err());
}

#[test]
fn keys_come_in_the_order_people_read_and_everything_comes_back() {
    let v = json!({"spec": {"predictor": {"containers": [{"image": "i", "env": [{"value": "on", "name": "A"}], "name": "kserve-container"}],
        "model": {"storageUri": format!("oci+native://registry.example/models/llama@sha256:{}", "0".repeat(64)), "args": ["--a=b", "multi\nline\n", "", " x ", "# no comment", "yes", "1e3", "0755", "null"]}}},
        "kind": "InferenceService", "metadata": {"labels": {}, "namespace": "retail-dev", "name": "llama"}, "apiVersion": "serving.kserve.io/v1beta1"});
    let text = to_yaml(&v);
    insta::assert_snapshot!(text);
    assert_eq!(parse_manifest(&text).unwrap(), v);
}

mod properties {
    use super::super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\n\täé€]{0,12}".prop_map(Value::from),
            prop_oneof![
                Just("on"),
                Just("0x1F"),
                Just("1:30"),
                Just("~"),
                Just("-"),
                Just("---"),
                Just("2026-11-24"),
                Just("{}"),
                Just(": "),
                Just("*a"),
                Just("&a"),
                Just("!x"),
                Just("1_0")
            ]
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z0-9./ :#-]{1,8}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, rng_seed: prop::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read_back(v in value()) {
            let v = serde_json::json!({ "spec": v });
            let text = to_yaml(&v);
            prop_assert_eq!(parse_manifest(&text).map_err(|e| e.for_log()), Ok(v), "{}", text);
        }
    }
}

#[test]
fn a_mistake_has_a_place() {
    let e = parse_manifest("a: 1\nb: [1, 2\n").expect_err("open bracket");
    let (line, column) = location(&e.message).expect("a place");
    assert!((2..=3).contains(&line) && column >= 1, "{}", e.message);
    assert_eq!(location("The manifest is empty."), None);
}
