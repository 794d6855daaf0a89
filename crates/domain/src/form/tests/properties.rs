//! Of any form and any manifest: what is written is read back, and what is not known survives.

use super::*;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z][a-z0-9-]{0,8}"]
}

/// Anything that a list's entry may be, lines and blanks included.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![text(), "[ -~\n\r\t]{0,12}"]
}

fn amount() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[1-9][0-9]{0,2}(Gi|m)?"]
}

fn env() -> impl Strategy<Value = Vec<Env>> {
    let from = prop_oneof![
        line().prop_map(|value| EnvFrom::Value { value }),
        (text(), text()).prop_map(|(secret, key)| EnvFrom::Secret { secret, key })
    ];
    prop::collection::btree_map("[A-F]", from, 0..4).prop_map(|m| {
        m.into_iter()
            .map(|(name, source)| Env { name, source })
            .rev()
            .collect()
    })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        text().prop_map(|uri| Source::Storage { uri }),
        ("[a-z]{1,8}", prop::option::of(1u16..))
            .prop_map(|(image, port)| Source::Image { image, port })
    ]
}

fn form() -> impl Strategy<Value = Form> {
    let gpu = prop_oneof![
        Just((DEFAULT_GPU.to_owned(), 0)),
        (
            prop_oneof![
                Just("nvidia.com/gpu"),
                Just("nvidia.com/mig-1g.10gb"),
                Just("amd.com/gpu")
            ]
            .prop_map(str::to_owned),
            1u32..9
        )
    ];
    let first = (
        text(),
        text(),
        text(),
        text(),
        text(),
        source(),
        prop::collection::vec(line(), 0..4),
        env(),
        prop::collection::vec(text(), 0..3),
    );
    let second = (
        prop::option::of(0i64..9),
        prop::option::of(0i64..9),
        gpu,
        amount(),
        amount(),
        amount(),
        amount(),
    );
    let third = (
        any::<bool>(),
        text(),
        text(),
        text(),
        prop::option::of(1i64..900),
        any::<bool>(),
    );
    (first, second, third).prop_map(|(a, b, c)| {
        let mut f = Form {
            name: a.0,
            cluster: String::new(),
            namespace: a.1,
            format: a.2,
            format_version: a.3,
            runtime: a.4,
            source: a.5,
            source_elsewhere: false,
            args: a.6,
            env: a.7,
            pull_secrets: a.8,
            min_replicas: b.0,
            max_replicas: b.1,
            gpu_resource: b.2.0,
            gpus: b.2.1,
            cpu: b.3,
            memory: b.4,
            cpu_limit: b.5,
            memory_limit: b.6,
            tolerate_gpu_taint: c.0,
            gpu_product: c.1,
            deployment_mode: c.2,
            protocol: c.3,
            timeout: c.4,
            stop: c.5,
        };
        // A container of one's own has no format, runtime or protocol.
        if matches!(f.source, Source::Image { .. }) {
            (f.format, f.format_version, f.runtime, f.protocol) = Default::default();
        }
        f
    })
}

fn base() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!(null)),
        Just(rich()),
        Just(recorded("canary-standard")),
        Just(foreign()),
        form().prop_map(|f| f.new_manifest()),
        Just(
            json!({"metadata": {"annotations": []}, "spec": {"predictor": {"model": [], "containers": ["x"], "tolerations": []}}})
        )
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, rng_seed: prop::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(f in form(), mut m in base()) {
        f.apply_to(&mut m);
        prop_assert_eq!(&Form::from_manifest(&m).0, &f, "{}", m);
        // And writing it again changes nothing.
        let mut again = m.clone();
        f.apply_to(&mut again);
        prop_assert_eq!(again, m);
    }

    #[test]
    fn unknown_fields_survive(f in form()) {
        let mut m = rich();
        f.apply_to(&mut m);
        let p = &m["spec"]["predictor"];
        let unknown = rich();
        let u = &unknown["spec"]["predictor"];
        prop_assert_eq!(&m["metadata"]["labels"], &unknown["metadata"]["labels"]);
        prop_assert_eq!(&m["metadata"]["uid"], "u");
        prop_assert_eq!(&m["metadata"]["annotations"]["team"], "a");
        prop_assert_eq!(&m["spec"]["transformer"], &unknown["spec"]["transformer"]);
        prop_assert_eq!(&p["affinity"], &u["affinity"]);
        prop_assert_eq!(&p["nodeSelector"]["zone"], "a");
        prop_assert!(p["tolerations"].as_array().unwrap().contains(&u["tolerations"][0]));
        prop_assert!(p["containers"].as_array().unwrap().contains(&u["containers"][0]));
        let view = crate::isvc::View::new(&m);
        let c = view.container().unwrap().1;
        prop_assert_eq!(&c["volumeMounts"], &u["model"]["volumeMounts"]);
        prop_assert!(c["env"].as_array().unwrap().contains(&u["model"]["env"][1]));
        prop_assert_eq!(&c["resources"]["limits"]["ephemeral-storage"], "1Gi");
    }
}
