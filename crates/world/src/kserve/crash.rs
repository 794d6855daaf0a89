//! Pods that crash on demand. KWOK's kubelets let every pod run; a service
//! that carries the world's crash mark gets pods whose container waits in
//! CrashLoopBackOff after it ended with exit code 1, as a kubelet reports it.

use serde_json::{Value, json};

use super::Error;
use super::server::{Server, path};

const CONTAINER: &str = "kserve-container";
/// Who writes the pods' statuses: the kubelet's part.
const MANAGER: &str = "world-kubelet";

/// Crashes those of the pods that run.
pub async fn crash(server: &Server, pods: &[Value], message: &str, now: &str) -> Result<(), Error> {
    for pod in pods {
        let Some(status) = crashed(pod, message, now) else {
            continue;
        };
        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
        let pod_path = format!("{}/status", path::pod(text("namespace"), text("name")));
        match server
            .merge(&pod_path, &json!({"status": status}), MANAGER)
            .await
        {
            Err(error) if error.is_not_found() => {}
            other => {
                other?;
            }
        }
    }
    Ok(())
}

/// The status of a running pod after its container crashed; nothing for a pod
/// that does not run or has crashed already.
fn crashed(pod: &Value, message: &str, now: &str) -> Option<Value> {
    let runs =
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    let containers = pod["status"]["containerStatuses"].as_array()?;
    let index = containers
        .iter()
        .position(|status| status["name"] == CONTAINER)?;
    if !runs || !containers[index]["state"]["running"].is_object() {
        return None;
    }
    let started = containers[index]["state"]["running"]["startedAt"].clone();
    let mut containers = containers.clone();
    let container = &mut containers[index];
    container["ready"] = json!(false);
    container["started"] = json!(false);
    container["restartCount"] = json!(3);
    container["state"] = json!({"waiting": {
        "reason": "CrashLoopBackOff",
        "message": format!(
            "back-off 40s restarting failed container={CONTAINER} pod={}",
            pod["metadata"]["name"].as_str().unwrap_or_default()
        ),
    }});
    container["lastState"] = json!({"terminated": {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": started,
        "finishedAt": now,
    }});
    let conditions: Vec<Value> = pod["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| {
            let mut condition = condition.clone();
            if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
                condition["status"] = json!("False");
                condition["reason"] = json!("ContainersNotReady");
                condition["message"] =
                    json!(format!("containers with unready status: [{CONTAINER}]"));
                condition["lastTransitionTime"] = json!(now);
            }
            condition
        })
        .collect();
    Some(json!({"conditions": conditions, "containerStatuses": containers}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_pod_crashes_once() {
        let mut pod = json!({
            "metadata": {"name": "p"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [{"name": CONTAINER, "ready": true, "state": {"running": {"startedAt": "t"}}}],
            },
        });
        let status = crashed(&pod, "CUDA out of memory", "now").expect("it runs");
        assert_eq!(status["conditions"][0]["status"], "False");
        assert_eq!(status["conditions"][1]["status"], "True");
        pod["status"]["containerStatuses"] = status["containerStatuses"].clone();
        assert_eq!(crashed(&pod, "CUDA out of memory", "now"), None);
    }
}
