//! From Kubernetes' objects to what the console keeps of them.

use domain::{Micros, observed::*, quantity::Quantity};
use k8s_openapi::{
    api::{apps::v1 as apps, core::v1 as core},
    apimachinery::pkg::{
        api::resource::Quantity as Amount,
        apis::meta::v1::{ObjectMeta, OwnerReference, Time},
    },
    jiff::Timestamp,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The label by which KServe's children name their InferenceService.
pub(crate) const ISVC_LABEL: &str = "serving.kserve.io/inferenceservice";
/// Longest message of an event, condition or container that is kept.
const MAX_MESSAGE: usize = 2000;

pub(crate) fn micros(t: &Time) -> Micros {
    stamp(&t.0)
}

fn stamp(t: &Timestamp) -> Micros {
    Micros(t.as_microsecond())
}

/// The text, not longer than anybody reads.
pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn text(t: &Option<String>) -> String {
    t.as_deref().map(clip).unwrap_or_default()
}

pub(crate) fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

/// The InferenceService that owns the object by a reference.
pub(crate) fn owner_isvc(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .as_ref()?
        .iter()
        .find(|o| o.kind == "InferenceService" && o.api_version.starts_with("serving.kserve.io/"))
}

/// The InferenceService of a child: by label, else by owner.
pub(crate) fn isvc_of(meta: &ObjectMeta) -> Option<&str> {
    label(meta, ISVC_LABEL).or_else(|| owner_isvc(meta).map(|o| o.name.as_str()))
}

pub(crate) fn workload(d: &apps::Deployment) -> Workload {
    let spec = d.spec.as_ref();
    let status = d.status.as_ref();
    Workload {
        name: d.metadata.name.clone().unwrap_or_default(),
        generation: d.metadata.generation.unwrap_or_default(),
        observed_generation: status
            .and_then(|s| s.observed_generation)
            .unwrap_or_default(),
        desired: spec.and_then(|s| s.replicas).unwrap_or(1),
        updated: status.and_then(|s| s.updated_replicas).unwrap_or_default(),
        ready: status.and_then(|s| s.ready_replicas).unwrap_or_default(),
        available: status
            .and_then(|s| s.available_replicas)
            .unwrap_or_default(),
        conditions: status
            .and_then(|s| s.conditions.as_ref())
            .into_iter()
            .flatten()
            .map(|c| Condition {
                kind: c.type_.clone(),
                status: c.status.clone(),
                reason: text(&c.reason),
                message: text(&c.message),
                severity: String::new(),
                since: c.last_transition_time.as_ref().map(micros),
            })
            .collect(),
        images: spec
            .and_then(|s| s.template.spec.as_ref())
            .map(|p| {
                p.containers
                    .iter()
                    .map(|c| (c.name.clone(), c.image.clone().unwrap_or_default()))
                    .collect()
            })
            .unwrap_or_default(),
    }
}

pub(crate) fn pod(p: &core::Pod) -> Pod {
    let meta = &p.metadata;
    let status = p.status.as_ref();
    let spec = p.spec.as_ref();
    let statuses = |list: Option<&Vec<core::ContainerStatus>>, init: bool| -> Vec<Container> {
        list.into_iter()
            .flatten()
            .map(|c| container(c, init))
            .collect()
    };
    let mut containers = statuses(
        status.and_then(|s| s.init_container_statuses.as_ref()),
        true,
    );
    containers.extend(statuses(
        status.and_then(|s| s.container_statuses.as_ref()),
        false,
    ));
    Pod {
        name: meta.name.clone().unwrap_or_default(),
        phase: text(&status.and_then(|s| s.phase.clone())),
        node: spec
            .and_then(|s| s.node_name.clone())
            .filter(|n| !n.is_empty()),
        created_at: meta.creation_timestamp.as_ref().map(micros),
        deleting: meta.deletion_timestamp.is_some(),
        component: label(meta, "component").unwrap_or_default().to_owned(),
        workload: workload_of(meta),
        conditions: status
            .and_then(|s| s.conditions.as_ref())
            .into_iter()
            .flatten()
            .map(|c| Condition {
                kind: c.type_.clone(),
                status: c.status.clone(),
                reason: text(&c.reason),
                message: text(&c.message),
                severity: String::new(),
                since: c.last_transition_time.as_ref().map(micros),
            })
            .collect(),
        containers,
        requests: requests(p)
            .into_iter()
            .map(|(k, v)| {
                let shown = v.show(&k);
                (k, shown)
            })
            .collect(),
    }
}

/// The Deployment behind a pod: its ReplicaSet's name without the template's hash.
fn workload_of(meta: &ObjectMeta) -> String {
    let set = meta
        .owner_references
        .as_ref()
        .and_then(|l| l.iter().find(|o| o.kind == "ReplicaSet"))
        .map(|o| o.name.as_str())
        .unwrap_or_default();
    let hash = label(meta, "pod-template-hash").unwrap_or_default();
    set.strip_suffix(hash)
        .and_then(|s| s.strip_suffix('-'))
        .unwrap_or(set)
        .to_owned()
}

fn container(c: &core::ContainerStatus, init: bool) -> Container {
    let exit = |t: &core::ContainerStateTerminated| Exit {
        code: t.exit_code,
        reason: text(&t.reason),
        message: text(&t.message),
        finished_at: t.finished_at.as_ref().map(micros),
    };
    let now = c.state.as_ref();
    let waiting = now.and_then(|s| s.waiting.as_ref());
    let ended = now.and_then(|s| s.terminated.as_ref());
    let state = match (waiting, ended, now.and_then(|s| s.running.as_ref())) {
        (Some(_), ..) => "waiting",
        (_, Some(_), _) => "terminated",
        (.., Some(_)) => "running",
        _ => "waiting",
    };
    Container {
        name: c.name.clone(),
        init,
        image: c.image.clone(),
        image_id: c.image_id.clone(),
        ready: c.ready,
        restarts: c.restart_count,
        state: state.to_owned(),
        reason: waiting
            .map(|w| text(&w.reason))
            .or_else(|| ended.map(|e| text(&e.reason)))
            .unwrap_or_default(),
        message: waiting
            .map(|w| text(&w.message))
            .or_else(|| ended.map(|e| text(&e.message)))
            .unwrap_or_default(),
        last_exit: c
            .last_state
            .as_ref()
            .and_then(|s| s.terminated.as_ref())
            .or(ended)
            .map(exit),
    }
}

/// What the pod asks of a node: the sum over its containers, the largest of its init containers
/// where that is more (they run before; those that stay running count with the others), and its
/// overhead. <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
pub(crate) fn requests(p: &core::Pod) -> BTreeMap<String, Quantity> {
    let Some(spec) = &p.spec else {
        return BTreeMap::new();
    };
    let of = |c: &core::Container| -> BTreeMap<String, Quantity> {
        let asked = c
            .resources
            .as_ref()
            .and_then(|r| r.requests.as_ref().or(r.limits.as_ref()));
        asked
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.clone(), quantity(v)))
            .collect()
    };
    let add = |into: &mut BTreeMap<String, Quantity>, more: BTreeMap<String, Quantity>| {
        for (k, v) in more {
            let sum = into.get(&k).copied().unwrap_or_default() + v;
            into.insert(k, sum);
        }
    };
    let mut total: BTreeMap<String, Quantity> = BTreeMap::new();
    spec.containers.iter().for_each(|c| add(&mut total, of(c)));
    let mut before: BTreeMap<String, Quantity> = BTreeMap::new();
    let mut sidecars: BTreeMap<String, Quantity> = BTreeMap::new();
    for c in spec.init_containers.iter().flatten() {
        if c.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, of(c));
        } else {
            let mut here = sidecars.clone();
            add(&mut here, of(c));
            for (k, v) in here {
                let most = before.get(&k).copied().unwrap_or_default().max(v);
                before.insert(k, most);
            }
        }
    }
    add(&mut total, sidecars);
    for (k, v) in before {
        let most = total.get(&k).copied().unwrap_or_default().max(v);
        total.insert(k, most);
    }
    add(
        &mut total,
        spec.overhead
            .iter()
            .flatten()
            .map(|(k, v)| (k.clone(), quantity(v)))
            .collect(),
    );
    total
}

fn quantity(a: &Amount) -> Quantity {
    Quantity::parse(&a.0).unwrap_or_default()
}

fn amounts(map: &Option<BTreeMap<String, Amount>>) -> BTreeMap<String, String> {
    map.iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.0.clone()))
        .collect()
}

/// Does the pod still take room on its node?
pub(crate) fn runs(p: &core::Pod) -> bool {
    !matches!(
        p.status.as_ref().and_then(|s| s.phase.as_deref()),
        Some("Succeeded" | "Failed")
    )
}

pub(crate) fn event(e: &core::Event) -> Event {
    let series = e.series.as_ref();
    let last_of_series = series
        .and_then(|s| s.last_observed_time.as_ref())
        .map(|t| stamp(&t.0));
    let at = e.event_time.as_ref().map(|t| stamp(&t.0));
    let made = e.metadata.creation_timestamp.as_ref().map(micros);
    let first = e.first_timestamp.as_ref().map(micros).or(at).or(made);
    Event {
        object_kind: text(&e.involved_object.kind),
        object_name: text(&e.involved_object.name),
        kind: text(&e.type_),
        reason: text(&e.reason),
        message: text(&e.message),
        count: series.and_then(|s| s.count).or(e.count).unwrap_or(1),
        first,
        last: last_of_series
            .or_else(|| e.last_timestamp.as_ref().map(micros))
            .or(first),
    }
}

pub(crate) fn node(n: &core::Node) -> Node {
    Node {
        name: n.metadata.name.clone().unwrap_or_default(),
        ready: n
            .status
            .as_ref()
            .and_then(|s| s.conditions.as_ref())
            .into_iter()
            .flatten()
            .any(|c| c.type_ == "Ready" && c.status == "True"),
        unschedulable: n
            .spec
            .as_ref()
            .and_then(|s| s.unschedulable)
            .unwrap_or_default(),
        labels: n.metadata.labels.clone().unwrap_or_default(),
        taints: n
            .spec
            .as_ref()
            .and_then(|s| s.taints.as_ref())
            .into_iter()
            .flatten()
            .map(|t| Taint {
                key: t.key.clone(),
                value: t.value.clone().unwrap_or_default(),
                effect: t.effect.clone(),
            })
            .collect(),
        allocatable: amounts(&n.status.as_ref().and_then(|s| s.allocatable.clone())),
        requested: BTreeMap::new(),
    }
}

pub(crate) fn quota(q: &core::ResourceQuota) -> Quota {
    Quota {
        name: q.metadata.name.clone().unwrap_or_default(),
        hard: amounts(
            &q.status
                .as_ref()
                .and_then(|s| s.hard.clone())
                .or_else(|| q.spec.as_ref().and_then(|s| s.hard.clone())),
        ),
        used: amounts(&q.status.as_ref().and_then(|s| s.used.clone())),
        as_of: None,
    }
}

/// A LimitRange. The API server itself fills in the defaults that follow from the bounds.
pub(crate) fn limit_range(l: &core::LimitRange) -> LimitRange {
    let mut out = LimitRange {
        name: l.metadata.name.clone().unwrap_or_default(),
        ..LimitRange::default()
    };
    for item in l.spec.iter().flat_map(|s| &s.limits) {
        match item.type_.as_str() {
            "Container" => {
                out.default.extend(amounts(&item.default));
                out.default_request.extend(amounts(&item.default_request));
                out.max.extend(amounts(&item.max));
            }
            "Pod" => out.max_pod.extend(amounts(&item.max)),
            _ => {}
        }
    }
    out
}

/// An HTTPRoute: the weights of its first rule that has backends, and whether its gateways took it.
pub(crate) fn route(name: &str, data: &Value) -> Route {
    let backends = data
        .pointer("/spec/rules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find_map(|rule| {
            rule.get("backendRefs")?
                .as_array()
                .filter(|l| !l.is_empty())
        })
        .into_iter()
        .flatten()
        .filter_map(|b| {
            // Without a weight a backend counts one (Gateway API, BackendRef).
            let weight = b.get("weight").and_then(Value::as_i64).unwrap_or(1);
            Some((
                b.get("name")?.as_str()?.to_owned(),
                i32::try_from(weight).unwrap_or(i32::MAX),
            ))
        })
        .collect();
    let taken: Vec<bool> = data
        .pointer("/status/parents")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|p| p.get("conditions")?.as_array())
        .flatten()
        .filter(|c| c.get("type").and_then(Value::as_str) == Some("Accepted"))
        .map(|c| c.get("status").and_then(Value::as_str) == Some("True"))
        .collect();
    Route {
        name: name.to_owned(),
        backends,
        accepted: (!taken.is_empty()).then(|| taken.iter().all(|t| *t)),
    }
}

/// A ServingRuntime or ClusterServingRuntime.
pub(crate) fn runtime(meta: &ObjectMeta, data: &Value) -> Option<Runtime> {
    let spec = data.get("spec").cloned().unwrap_or(Value::Null);
    let formats = spec
        .get("supportedModelFormats")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|f| {
            Some(RuntimeFormat {
                name: f.get("name")?.as_str()?.to_owned(),
                version: f.get("version").and_then(Value::as_str).map(str::to_owned),
                auto_select: f
                    .get("autoSelect")
                    .and_then(Value::as_bool)
                    .unwrap_or_default(),
                priority: f
                    .get("priority")
                    .and_then(Value::as_i64)
                    .and_then(|p| i32::try_from(p).ok())
                    .unwrap_or_default(),
            })
        });
    Some(Runtime {
        name: meta.name.clone()?,
        namespace: meta.namespace.clone(),
        created_at: meta.creation_timestamp.as_ref().map(micros),
        disabled: spec
            .get("disabled")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
        formats: formats.collect(),
        protocols: spec
            .get("protocolVersions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|p| p.as_str().map(str::to_owned))
            .collect(),
        multi_node: spec.get("workerSpec").is_some_and(|w| !w.is_null()),
        spec,
    })
}

/// The prefixes and the regular expressions that a ClusterStorageContainer adds.
pub(crate) fn storage(data: &Value) -> (Vec<String>, Vec<String>) {
    let formats = data
        .pointer("/spec/supportedUriFormats")
        .and_then(Value::as_array);
    let all = |key: &str| -> Vec<String> {
        formats
            .into_iter()
            .flatten()
            .filter_map(|f| f.get(key)?.as_str().map(str::to_owned))
            .collect()
    };
    (all("prefix"), all("regex"))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
