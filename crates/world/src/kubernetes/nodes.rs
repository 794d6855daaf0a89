//! The machines that the world pretends to have: nodes with the labels that NVIDIA's GPU feature
//! discovery sets, the taints that keep other pods away, and what they can hold.

use serde_json::{Map, Value, json};

/// What GPU feature discovery says of a node's GPUs.
struct Gpu {
    product: &'static str,
    family: &'static str,
    memory_mib: u32,
    count: u32,
    /// `none`, `single` or `mixed`.
    mig: &'static str,
    /// Allocatable resources: name and count.
    resources: &'static [(&'static str, u32)],
    /// MIG slices of a mixed node: profile, count, MiB.
    slices: &'static [(&'static str, u32, u32)],
}

struct Machine {
    prefix: &'static str,
    number: u32,
    instance: &'static str,
    cpu: u32,
    memory_gib: u32,
    gpu: Option<Gpu>,
}

const fn plain(prefix: &'static str, number: u32, instance: &'static str) -> Machine {
    Machine {
        prefix,
        number,
        instance,
        cpu: 64,
        memory_gib: 256,
        gpu: None,
    }
}

const H100: Gpu = Gpu {
    product: "NVIDIA-H100-80GB-HBM3",
    family: "hopper",
    memory_mib: 81_559,
    count: 8,
    mig: "none",
    resources: &[("nvidia.com/gpu", 8)],
    slices: &[],
};

const L40S: Gpu = Gpu {
    product: "NVIDIA-L40S",
    family: "ada-lovelace",
    memory_mib: 46_068,
    count: 4,
    mig: "none",
    resources: &[("nvidia.com/gpu", 4)],
    slices: &[],
};

// Four A100 under the mixed strategy: two cut in halves, two in sevenths.
const A100_MIXED: Gpu = Gpu {
    product: "NVIDIA-A100-SXM4-80GB",
    family: "ampere",
    memory_mib: 81_920,
    count: 4,
    mig: "mixed",
    resources: &[
        ("nvidia.com/gpu", 0),
        ("nvidia.com/mig-3g.40gb", 4),
        ("nvidia.com/mig-1g.10gb", 14),
    ],
    slices: &[("3g.40gb", 4, 40_192), ("1g.10gb", 14, 9_728)],
};

// Two A100 under the single strategy: every slice is called a GPU.
const A100_SINGLE: Gpu = Gpu {
    product: "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",
    family: "ampere",
    memory_mib: 40_192,
    count: 4,
    mig: "single",
    resources: &[("nvidia.com/gpu", 4)],
    slices: &[],
};

const fn with_gpu(
    prefix: &'static str,
    number: u32,
    instance: &'static str,
    cpu: u32,
    memory_gib: u32,
    gpu: Gpu,
) -> Machine {
    Machine {
        prefix,
        number,
        instance,
        cpu,
        memory_gib,
        gpu: Some(gpu),
    }
}

fn machines(cluster: &str) -> Vec<Machine> {
    match cluster {
        "cloud-1" => vec![
            with_gpu("gpu-h100", 1, "p5.48xlarge", 192, 2048, H100),
            with_gpu("gpu-l40s", 2, "g6e.12xlarge", 48, 384, L40S),
            with_gpu("gpu-a100", 1, "p4de.24xlarge", 96, 1152, A100_SINGLE),
            plain("general", 3, "m7i.16xlarge"),
        ],
        _ => vec![
            with_gpu("h100", 2, "dgx-h100", 112, 2048, H100),
            with_gpu("l40s", 3, "ovx-l40s", 64, 512, L40S),
            with_gpu("a100", 2, "hgx-a100", 128, 1024, A100_MIXED),
            plain("cpu", 3, "standard"),
        ],
    }
}

/// The nodes of a cluster.
pub fn nodes(cluster: &str) -> Vec<Value> {
    let zone = |number: u32| match cluster {
        "cloud-1" => format!("eu-central-1{}", ["a", "b", "c"][(number as usize - 1) % 3]),
        _ => format!("hall-{}", 1 + (number - 1) % 2),
    };
    machines(cluster)
        .iter()
        .flat_map(|machine| (1..=machine.number).map(move |n| (machine, n)))
        .map(|(machine, n)| node(machine, &format!("{}-{n:02}", machine.prefix), &zone(n)))
        .collect()
}

fn node(machine: &Machine, name: &str, zone: &str) -> Value {
    let mut labels = Map::new();
    let mut set = |key: String, value: String| {
        labels.insert(key, Value::String(value));
    };
    set("kubernetes.io/hostname".into(), name.into());
    set("kubernetes.io/arch".into(), "amd64".into());
    set("kubernetes.io/os".into(), "linux".into());
    set("topology.kubernetes.io/zone".into(), zone.into());
    set(
        "node.kubernetes.io/instance-type".into(),
        machine.instance.into(),
    );
    let mut resources = Map::new();
    resources.insert("cpu".into(), json!(machine.cpu.to_string()));
    resources.insert("memory".into(), json!(format!("{}Gi", machine.memory_gib)));
    resources.insert("ephemeral-storage".into(), json!("1800Gi"));
    resources.insert("pods".into(), json!("110"));
    let mut taints = Vec::new();
    if let Some(gpu) = &machine.gpu {
        let mut gpu_label = |key: &str, value: String| {
            labels.insert(format!("nvidia.com/{key}"), Value::String(value));
        };
        gpu_label("gpu.present", "true".into());
        gpu_label("gpu.product", gpu.product.into());
        gpu_label("gpu.family", gpu.family.into());
        gpu_label("gpu.memory", gpu.memory_mib.to_string());
        gpu_label("gpu.count", gpu.count.to_string());
        gpu_label("gpu.replicas", "1".into());
        gpu_label("gpu", "true".into());
        gpu_label("cuda.driver.major", "570".into());
        gpu_label("mig.capable", (gpu.family != "ada-lovelace").to_string());
        gpu_label("mig.strategy", gpu.mig.into());
        for (profile, count, memory) in gpu.slices {
            let product = format!("{}-MIG-{profile}", gpu.product);
            gpu_label(&format!("mig-{profile}.count"), count.to_string());
            gpu_label(&format!("mig-{profile}.memory"), memory.to_string());
            gpu_label(&format!("mig-{profile}.product"), product);
        }
        for (resource, count) in gpu.resources {
            resources.insert((*resource).into(), json!(count.to_string()));
        }
        taints.push(json!({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "world"},
        },
        "spec": {"taints": taints},
        "status": {"allocatable": resources, "capacity": resources},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clusters_have_every_kind_of_gpu_and_plain_nodes() {
        for cluster in crate::layout::CLUSTERS {
            let nodes = nodes(cluster);
            for product in ["H100", "L40S", "A100"] {
                assert!(nodes.iter().any(|node| {
                    node["metadata"]["labels"]["nvidia.com/gpu.product"]
                        .as_str()
                        .is_some_and(|label| label.contains(product))
                        && node["spec"]["taints"][0]["key"] == "nvidia.com/gpu"
                }));
            }
            assert!(nodes.iter().any(|node| node["spec"]["taints"] == json!([])));
        }
    }
}
