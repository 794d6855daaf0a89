//! Pods that crash on demand. KWOK's kubelets let every pod run, so pods that
//! carry the world's crash mark are kept from them (a label) and the stand-in
//! writes their status: they run until the model has been loaded once, as in
//! the recorded scenario, and from then on wait in CrashLoopBackOff after an
//! end with exit code 1. A rollout to a version that crashes never gets ready.

use serde_json::{Value, json};

use super::Error;
use super::isvc::{CRASH, CRASH_ENV, annotation, meta};
use super::server::{Server, path};

const CONTAINER: &str = "kserve-container";
/// Who writes the pods' statuses: the kubelet's part.
const MANAGER: &str = "world-kubelet";
/// Pods with this label are left alone by KWOK's stages.
pub const KUBELET_LABEL: &str = "world.gatehouse.dev/kubelet";

/// What the container of this pod says last, if it is to crash.
pub fn message(pod: &Value) -> Option<&str> {
    let env = || {
        pod["spec"]["containers"]
            .as_array()?
            .iter()
            .find(|container| container["name"] == CONTAINER)?["env"]
            .as_array()?
            .iter()
            .find(|entry| entry["name"] == CRASH_ENV)?["value"]
            .as_str()
    };
    annotation(pod, CRASH)
        .or_else(env)
        .filter(|message| !message.is_empty())
}

/// Plays the kubelet for those of the pods that carry the mark. `loaded` says
/// that the service's model has been loaded before.
pub async fn play(server: &Server, pods: &[Value], loaded: bool, now: &str) -> Result<(), Error> {
    for pod in pods {
        let Some(status) = message(pod).and_then(|message| next(pod, message, loaded, now)) else {
            continue;
        };
        let pod_path = path::pod(meta(pod, "namespace"), meta(pod, "name"));
        let status_path = format!("{pod_path}/status");
        let patch = json!({"status": status});
        match server.merge(&status_path, &patch, MANAGER).await {
            Err(error) if error.is_not_found() => {}
            other => {
                other?;
            }
        }
    }
    Ok(())
}

/// The next status of a marked pod, or nothing where it stays as it is.
fn next(pod: &Value, message: &str, loaded: bool, now: &str) -> Option<Value> {
    if !pod["metadata"]["deletionTimestamp"].is_null() || !pod["spec"]["nodeName"].is_string() {
        return None;
    }
    let current = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|status| status["name"] == CONTAINER);
    match (current, loaded) {
        (None, false) => Some(status(pod, None, now)),
        (None, true) => Some(status(pod, Some(message), now)),
        (Some(running), true) if running["state"]["running"].is_object() => {
            Some(status(pod, Some(message), now))
        }
        _ => None,
    }
}

/// A pod's status: running, or crashed with a message.
fn status(pod: &Value, crashed: Option<&str>, now: &str) -> Value {
    let pod_name = meta(pod, "name");
    let containers: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            let mut status = json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
                "lastState": {},
            });
            if let Some(message) = crashed.filter(|_| container["name"] == CONTAINER) {
                status["ready"] = json!(false);
                status["started"] = json!(false);
                status["restartCount"] = json!(3);
                status["state"] = json!({"waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": format!(
                        "back-off 40s restarting failed container={CONTAINER} pod={pod_name}"
                    ),
                }});
                status["lastState"] = json!({"terminated": {
                    "exitCode": 1,
                    "reason": "Error",
                    "message": message,
                    "startedAt": now,
                    "finishedAt": now,
                }});
            }
            status
        })
        .collect();
    let conditions: Vec<Value> = ["PodScheduled", "Initialized", "Ready", "ContainersReady"]
        .into_iter()
        .map(|kind| {
            let mut condition = json!({"type": kind, "status": "True", "lastTransitionTime": now});
            if crashed.is_some() && matches!(kind, "Ready" | "ContainersReady") {
                condition["status"] = json!("False");
                condition["reason"] = json!("ContainersNotReady");
                condition["message"] =
                    json!(format!("containers with unready status: [{CONTAINER}]"));
            }
            condition
        })
        .collect();
    json!({
        "phase": "Running",
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": containers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p", "annotations": {CRASH: "CUDA out of memory"}},
            "spec": {"nodeName": "n", "containers": [{"name": CONTAINER, "image": "i"}]},
            "status": {"phase": "Pending"},
        })
    }

    #[test]
    fn a_marked_pod_runs_until_the_model_was_loaded_and_then_crashes_once() {
        let mut pod = pod();
        let says = message(&pod).expect("marked").to_owned();
        let running = next(&pod, &says, false, "t").expect("it starts");
        assert_eq!(running["conditions"][2]["status"], "True");
        pod["status"] = running;
        assert_eq!(next(&pod, &says, false, "t"), None);
        let crashed = next(&pod, &says, true, "t").expect("it crashes");
        assert_eq!(crashed["conditions"][0]["status"], "True");
        assert_eq!(crashed["conditions"][2]["status"], "False");
        let last = &crashed["containerStatuses"][0]["lastState"]["terminated"];
        assert_eq!(last["message"], "CUDA out of memory");
        pod["status"] = crashed;
        assert_eq!(next(&pod, &says, true, "t"), None);
    }

    #[test]
    fn the_mark_may_be_a_variable_and_waits_for_a_node() {
        let mut pod = pod();
        pod["metadata"]["annotations"] = json!({});
        assert_eq!(message(&pod), None);
        pod["spec"]["containers"][0]["env"] = json!([{"name": CRASH_ENV, "value": "boom"}]);
        assert_eq!(message(&pod), Some("boom"));
        pod["spec"] = json!({"containers": []});
        assert_eq!(next(&pod, "boom", true, "t"), None);
    }
}
