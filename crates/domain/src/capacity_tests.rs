use super::*;
use crate::isvc::Amounts;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn node(name: &str, product: &str, gpus: &str, used: &str) -> Node {
    let mut n = Node {
        name: name.into(),
        ready: true,
        labels: map(&[("kubernetes.io/hostname", name)]),
        allocatable: map(&[("cpu", "64"), ("memory", "512Gi"), ("pods", "110")]),
        requested: map(&[("cpu", "4"), ("memory", "32Gi")]),
        ..Node::default()
    };
    if !product.is_empty() {
        n.labels.extend(map(&[
            ("nvidia.com/gpu.product", product),
            ("nvidia.com/gpu.memory", "81559"),
        ]));
        n.taints = vec![Taint {
            key: "nvidia.com/gpu".into(),
            value: "present".into(),
            effect: "NoSchedule".into(),
        }];
        n.allocatable.insert("nvidia.com/gpu".into(), gpus.into());
        n.requested.insert("nvidia.com/gpu".into(), used.into());
    }
    n
}

fn cluster() -> Vec<Node> {
    let mut cordoned = node("h100-3", "NVIDIA-H100-80GB-HBM3", "8", "0");
    cordoned.unschedulable = true;
    vec![
        node("h100-1", "NVIDIA-H100-80GB-HBM3", "8", "6"),
        node("h100-2", "NVIDIA-H100-80GB-HBM3", "8", "8"),
        cordoned,
        node("plain-1", "", "", ""),
    ]
}

fn tolerant() -> Vec<Toleration> {
    vec![Toleration {
        key: "nvidia.com/gpu".into(),
        operator: "Exists".into(),
        value: String::new(),
        effect: "NoSchedule".into(),
    }]
}

fn said(fit: &Fit) -> Vec<String> {
    fit.verdicts
        .iter()
        .map(|v| format!("{} {} {}", v.node, v.fits, v.because.join("; ")))
        .collect()
}

#[test]
fn each_node_says_what_blocks() {
    let f = fit(
        &map(&[("nvidia.com/gpu", "2"), ("cpu", "4")]),
        2,
        &Placement {
            tolerations: tolerant(),
            ..Placement::default()
        },
        &cluster(),
    );
    assert_eq!((f.fits_now, f.fits_when_empty, f.all()), (1, 2, false));
    assert_eq!(
        said(&f),
        [
            "h100-1 1 ",
            "h100-2 0 has 0 of 8 GPUs free; a pod needs 2",
            "h100-3 0 is cordoned: no new pods",
            "plain-1 0 has no nvidia.com/gpu",
        ]
    );
    assert_eq!(
        f.summary,
        "There is room for 1 of 2 replicas now; 2 would fit if nothing else ran."
    );
}

#[test]
fn taints_labels_and_size_are_named() {
    let f = fit(
        &map(&[("nvidia.com/gpu", "16")]),
        1,
        &Placement {
            node_selector: map(&[("nvidia.com/gpu.product", "NVIDIA-L40S")]),
            ..Placement::default()
        },
        &cluster(),
    );
    assert_eq!(
        f.verdicts[0].because,
        [
            "has nvidia.com/gpu.product NVIDIA-H100-80GB-HBM3, not NVIDIA-L40S",
            "has the taint nvidia.com/gpu=present:NoSchedule, which is not tolerated",
            "has 8 GPUs in all; a pod needs 16",
        ]
    );
    assert!(
        f.summary
            .starts_with("None of the 4 nodes can ever hold such a pod: 3 have"),
        "{}",
        f.summary
    );
    let f = fit(
        &map(&[("memory", "500Gi")]),
        1,
        &Placement::default(),
        &cluster()[3..],
    );
    assert_eq!(
        f.verdicts[0].because,
        ["has 480Gi of 512Gi memory free; a pod needs 500Gi"]
    );
    assert_eq!(
        f.summary,
        "None of the 1 node has room now: 1 has 480Gi of 512Gi memory free; a pod needs 500Gi. Once others leave, 1 of 1 replica would fit."
    );
    assert_eq!(
        fit(&map(&[]), 1, &Placement::default(), &[]).summary,
        "No nodes are known, so nothing can be said about room."
    );
    let all = fit(&map(&[("cpu", "1")]), 3, &Placement::default(), &cluster());
    assert_eq!(
        (all.all(), all.summary.as_str()),
        (true, "There is room for 3 replicas now, on 1 node.")
    );
}

#[test]
fn quotas_are_reckoned_before_and_after() {
    let quota = Quota {
        name: "q".into(),
        hard: map(&[
            ("requests.nvidia.com/gpu", "8"),
            ("limits.memory", "64Gi"),
            ("pods", "10"),
            ("services", "5"),
            ("cpu", "20"),
        ]),
        used: map(&[
            ("requests.nvidia.com/gpu", "6"),
            ("limits.memory", "16Gi"),
            ("pods", "2"),
        ]),
        as_of: Some(crate::Micros(7)),
    };
    let pods = |replicas| Pods {
        part: "predictor".into(),
        replicas,
        containers: vec![Amounts {
            path: String::new(),
            requests: map(&[("nvidia.com/gpu", "2"), ("cpu", "4")]),
            limits: map(&[("nvidia.com/gpu", "2"), ("memory", "32Gi")]),
        }],
    };
    let line = |e: &QuotaEffect| {
        format!(
            "{} {} → {} of {}{}",
            e.resource,
            e.used,
            e.after,
            e.hard,
            if e.exceeded { " !" } else { "" }
        )
    };
    let effects = quota_effect(std::slice::from_ref(&quota), &[pods(2)]);
    assert_eq!(
        effects.iter().map(line).collect::<Vec<_>>(),
        [
            "cpu 0 → 8 of 20",
            "limits.memory 16Gi → 80Gi of 64Gi !",
            "pods 2 → 4 of 10",
            "requests.nvidia.com/gpu 6 → 10 of 8 !"
        ]
    );
    assert!(effects.iter().all(|e| e.as_of == Some(crate::Micros(7))));
    let fewer = quota_effect(std::slice::from_ref(&quota), &[pods(-1)]);
    assert_eq!(line(&fewer[3]), "requests.nvidia.com/gpu 6 → 4 of 8");
    assert!(!fewer.iter().any(|e| e.exceeded));
    let freed = without(&[quota], &[pods(1)]);
    assert_eq!(freed[0].used["requests.nvidia.com/gpu"], "4");
}

#[test]
fn gpus_are_counted_by_product() {
    let mut nodes = cluster();
    let mut mig = node("a100-1", "NVIDIA-A100-SXM4-80GB", "0", "0");
    mig.allocatable
        .extend(map(&[("nvidia.com/mig-1g.10gb", "14")]));
    mig.requested
        .extend(map(&[("nvidia.com/mig-1g.10gb", "3")]));
    nodes.push(mig);
    let mut amd = node("mi300-1", "", "", "");
    amd.labels.extend(map(&[(
        "amd.com/gpu.product-name",
        "AMD_Instinct_MI300X_OAM",
    )]));
    amd.allocatable.extend(map(&[("amd.com/gpu", "8")]));
    nodes.push(amd);
    let said: Vec<_> = gpus_by_product(&nodes)
        .into_iter()
        .map(|p| {
            format!(
                "{} {} {:?} {}/{} free {} on {}",
                p.product, p.resource, p.memory_mib, p.requested, p.allocatable, p.free, p.nodes
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "AMD_Instinct_MI300X_OAM amd.com/gpu Some(196608) 0/8 free 8 on 1",
            "NVIDIA-A100-SXM4-80GB nvidia.com/mig-1g.10gb Some(10240) 3/14 free 11 on 1",
            "NVIDIA-H100-80GB-HBM3 nvidia.com/gpu Some(81559) 14/24 free 2 on 3",
        ]
    );
}
