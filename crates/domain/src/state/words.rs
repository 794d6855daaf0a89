//! Messages of the scheduler, of quotas and of the kubelet, put in words for people.

use crate::quantity::Quantity;

/// Why the scheduler found no node, from a pod's `PodScheduled=False` message. `per_pod` tells how
/// much of a resource one pod asks for.
pub(super) fn scheduling(message: &str, per_pod: &dyn Fn(&str) -> Option<String>) -> String {
    let message = message.trim();
    if message.starts_with("no nodes available") {
        return "The cluster has no node that takes pods".into();
    }
    let Some((nodes, list)) = message
        .strip_prefix("0/")
        .and_then(|m| m.split_once(" nodes are available: "))
    else {
        return unbound(message);
    };
    // What preemption would have done repeats the same in other words.
    let list = list
        .split(" preemption:")
        .next()
        .unwrap_or(list)
        .trim_end_matches(['.', ' ']);
    let parts: Vec<String> = items(list).into_iter().map(|i| one(i, per_pod)).collect();
    format!("None of {nodes} nodes can take it: {}", parts.join("; "))
}

/// Splits at commas outside of braces (`{key: value}`).
fn items(list: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0i32, 0);
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth <= 0 => {
                out.push(list[from..i].trim());
                from = i + 1;
            }
            _ => {}
        }
    }
    out.push(list[from..].trim());
    out.retain(|i| !i.is_empty());
    out
}

fn one(item: &str, per_pod: &dyn Fn(&str) -> Option<String>) -> String {
    let Some((count, what)) = item
        .split_once(' ')
        .filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()))
    else {
        return unbound(item);
    };
    let many = count != "1";
    let verb = |one: &'static str, more: &'static str| if many { more } else { one };
    if let Some(resource) = what.strip_prefix("Insufficient ") {
        return match per_pod(resource) {
            Some(amount) => format!(
                "{count} {} less than {amount} {resource} free",
                verb("has", "have")
            ),
            None => format!("{count} {} too little {resource} free", verb("has", "have")),
        };
    }
    let what = what.strip_prefix("node(s) ").unwrap_or(what);
    if let Some(taint) = what
        .strip_prefix("had untolerated taint ")
        .or_else(|| what.strip_prefix("had untolerated taint(s) "))
    {
        let taint = taint.trim_matches(['{', '}']);
        let (key, value) = taint
            .split_once(": ")
            .unwrap_or((taint.trim_end_matches(':'), ""));
        return match (key, value.trim()) {
            ("node.kubernetes.io/unschedulable", _) => {
                format!("{count} {} cordoned", verb("is", "are"))
            }
            ("node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable", _) => {
                format!("{count} {} not ready", verb("is", "are"))
            }
            (key, "") => format!(
                "{count} {} the taint {key}, which it does not tolerate",
                verb("has", "have")
            ),
            (key, value) => format!(
                "{count} {} the taint {key}={value}, which it does not tolerate",
                verb("has", "have")
            ),
        };
    }
    match what {
        "didn't match Pod's node affinity/selector" | "didn't match node selector" => format!(
            "{count} {} not carry the labels that it asks for",
            verb("does", "do")
        ),
        "were unschedulable" => format!("{count} {} cordoned", verb("is", "are")),
        "Too many pods" => format!(
            "{count} {} as many pods as {} may",
            verb("holds", "hold"),
            verb("it", "they")
        ),
        "had volume node affinity conflict" => format!("{count} cannot reach its volume"),
        "didn't match pod anti-affinity rules" => format!(
            "{count} {} a pod that it must not stand beside",
            verb("holds", "hold")
        ),
        "didn't match pod topology spread constraints" => {
            format!("{count} would break how its pods are to be spread")
        }
        other => format!("{count} {other}"),
    }
}

fn unbound(message: &str) -> String {
    match message
        .strip_prefix("persistentvolumeclaim ")
        .and_then(|m| {
            m.strip_suffix(" not found")
                .or_else(|| m.split_once(" not found").map(|p| p.0))
        }) {
        Some(name) => format!("The volume claim {name} does not exist"),
        None if message.contains("unbound immediate PersistentVolumeClaims") => {
            "A volume claim of it has no volume yet".into()
        }
        None => message.trim_end_matches('.').to_owned(),
    }
}

/// The numbers of an exceeded quota.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    pub quota: String,
    /// (resource, requested, used, limited) of each resource that is over.
    pub resources: Vec<(String, String, String, String)>,
}

/// Reads `exceeded quota: q, requested: a=1,b=2, used: a=3,b=4, limited: a=2,b=9`.
pub(super) fn quota(message: &str) -> Option<Exceeded> {
    let rest = message.split_once("exceeded quota: ")?.1;
    let (quota, rest) = rest.split_once(", requested: ")?;
    let (requested, rest) = rest.split_once(", used: ")?;
    let (used, limited) = rest.split_once(", limited: ")?;
    let pairs = |t: &str| -> Vec<(String, String)> {
        t.split(',')
            .filter_map(|p| {
                p.trim()
                    .split_once('=')
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
            })
            .collect()
    };
    let find = |all: &[(String, String)], key: &str| {
        all.iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.clone())
            .unwrap_or_default()
    };
    let (used, limited) = (pairs(used), pairs(limited));
    let resources = pairs(requested)
        .into_iter()
        .map(|(k, v)| (k.clone(), v, find(&used, &k), find(&limited, &k)))
        .collect();
    Some(Exceeded {
        quota: quota.to_owned(),
        resources,
    })
}

impl Exceeded {
    pub(super) fn sentence(&self) -> String {
        let each = |(resource, requested, used, limited): &(String, String, String, String)| {
            format!(
                "it allows {limited} {resource}, {used} are used, and the next pod asks for {requested}"
            )
        };
        format!(
            "The namespace's quota {}: {}",
            self.quota,
            self.resources
                .iter()
                .map(each)
                .collect::<Vec<_>>()
                .join("; ")
        )
    }
}

/// What to do about an exceeded quota.
const MORE_QUOTA: &str = "Ask for less, stop something else in the namespace, or have the quota raised; \
     KServe goes on by itself then.";

impl Exceeded {
    /// Where one pod asks for more than the quota allows in all, stopping others makes no room.
    pub(super) fn advice(&self) -> String {
        let lacking: Vec<String> = self
            .resources
            .iter()
            .filter_map(|(resource, requested, _, limited)| {
                let (asked, most) = (Quantity::parse(requested)?, Quantity::parse(limited)?);
                (asked > most).then(|| format!("{} {resource}", (asked - most).show(resource)))
            })
            .collect();
        if lacking.is_empty() {
            return MORE_QUOTA.to_owned();
        }
        format!(
            "The quota is too small even for one such pod, by {}: ask for less, or have whoever runs the cluster raise it; KServe goes on by itself then.",
            lacking.join(" and ")
        )
    }
}

/// An exit code in words.
pub(super) fn exit(code: i64, reason: &str) -> String {
    let what = match (code, reason) {
        (_, "OOMKilled") => ", killed for using more memory than its limit",
        (137, _) => ", killed",
        (139, _) => ", a memory fault",
        (143, _) => ", told to stop",
        (126, _) => ", its command cannot be run",
        (127, _) => ", its command is not there",
        _ => "",
    };
    format!("exit code {code}{what}")
}

/// The last line or so of a message, short enough for a list.
pub(super) fn excerpt(message: &str) -> String {
    let message = message.trim();
    let line = message
        .lines()
        .map(str::trim)
        .rfind(|l| !l.is_empty())
        .unwrap_or_default();
    if line.chars().count() <= 240 {
        line.to_owned()
    } else {
        line.chars().take(239).chain("…".chars()).collect()
    }
}

/// `1 replica`, `3 replicas`
pub(super) fn replicas(n: i64) -> String {
    format!("{n} {}", if n == 1 { "replica" } else { "replicas" })
}

/// `1 of its pods is`, `3 of its pods are`
pub(super) fn pods(n: usize) -> String {
    format!("{n} of its pods {}", if n == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(message: &str) -> String {
        scheduling(message, &|r| (r == "nvidia.com/gpu").then(|| "16".into()))
    }

    #[test]
    fn the_schedulers_message_names_each_constraint() {
        assert_eq!(
            words(
                "0/7 nodes are available: 2 node(s) had untolerated taint {nvidia.com/gpu: }, 5 Insufficient nvidia.com/gpu. preemption: 0/7 nodes are available: 7 No preemption victims found for incoming pod."
            ),
            "None of 7 nodes can take it: 2 have the taint nvidia.com/gpu, which it does not tolerate; 5 have less than 16 nvidia.com/gpu free"
        );
        assert_eq!(
            words(
                "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {dedicated: batch}, 1 node(s) were unschedulable."
            ),
            "None of 3 nodes can take it: 1 has too little cpu free; 1 has too little memory free; 1 does not carry the labels that it asks for; 1 has the taint dedicated=batch, which it does not tolerate; 1 is cordoned"
        );
        assert_eq!(
            words("0/2 nodes are available: 2 something new."),
            "None of 2 nodes can take it: 2 something new"
        );
        assert_eq!(
            words("no nodes available to schedule pods"),
            "The cluster has no node that takes pods"
        );
        assert_eq!(
            words(
                "0/1 nodes are available: persistentvolumeclaim \"models\" not found. preemption: x"
            ),
            "None of 1 nodes can take it: The volume claim \"models\" does not exist"
        );
    }

    #[test]
    fn quota_numbers_are_kept() {
        let message = "pods \"q-1\" is forbidden: exceeded quota: q, requested: limits.memory=8Gi,requests.nvidia.com/gpu=4, used: limits.memory=1Gi,requests.nvidia.com/gpu=18, limited: limits.memory=8Gi,requests.nvidia.com/gpu=3";
        let q = quota(message).unwrap();
        assert_eq!(q.resources.len(), 2);
        assert_eq!(
            q.sentence(),
            "The namespace's quota q: it allows 8Gi limits.memory, 1Gi are used, and the next pod asks for 8Gi; it allows 3 requests.nvidia.com/gpu, 18 are used, and the next pod asks for 4"
        );
        assert_eq!(quota("exceeded quota: half"), None);
        assert_eq!(
            q.advice(),
            "The quota is too small even for one such pod, by 1 requests.nvidia.com/gpu: ask for less, or have whoever runs the cluster raise it; KServe goes on by itself then."
        );
        let full = quota("exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4");
        assert!(full.unwrap().advice().contains("stop something else"));
    }

    #[test]
    fn messages_are_cut_for_lists() {
        assert_eq!(
            excerpt("Traceback\n  File x\nRuntimeError: CUDA out of memory\n\n"),
            "RuntimeError: CUDA out of memory"
        );
        assert_eq!(excerpt(&"x".repeat(1000)).chars().count(), 240);
        assert_eq!(
            exit(137, "OOMKilled"),
            "exit code 137, killed for using more memory than its limit"
        );
    }
}
