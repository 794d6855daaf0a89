//! The status of an InferenceService out of what its children show: a pure
//! function, step by step as the real controller was recorded.

use serde_json::{Value, json};

use super::conditions::{Conditions, Mark};
use super::isvc::{canaries, host, meta};
use super::select::{NoRuntime, Selected};
use super::settings::Settings;

const CONTAINER: &str = "kserve-container";

/// How traffic gets in.
#[derive(Clone, Debug)]
pub enum Ingress {
    /// The HTTPRoutes as they are, in the order predictor, top level; empty
    /// while there are none.
    Routes(Vec<Value>),
    /// An Ingress, which counts as ready when it is there.
    Ingress { present: bool },
}

/// What the controller saw of the children before it wrote the status.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub runtime: Option<&'a Selected>,
    /// The stable predictor's Deployment.
    pub deployment: &'a Value,
    /// Name of its Service.
    pub service: &'a str,
    /// The stable predictor's pods.
    pub pods: &'a [Value],
    /// Canaries in the order of the specification: whether each is ready.
    pub canaries_ready: &'a [bool],
    pub ingress: Ingress,
}

/// Whether a Deployment has its minimum of pods.
pub fn available(deployment: &Value) -> bool {
    condition(deployment, "Available").is_some_and(|condition| condition["status"] == "True")
}

/// The status of a running service.
pub fn running(isvc: &Value, seen: &Seen<'_>, settings: &Settings, now: &str) -> Value {
    let mut status = base(isvc);
    let mut conditions = Conditions::read(&isvc["status"]["conditions"]);
    conditions.initialise();
    conditions.mark("Stopped", Mark::info("False", ""));
    name_runtime(&mut status, seen.runtime);

    // `Ready` still is what the last round wrote: the model counts as loaded
    // one round after the service became ready.
    let was_ready = conditions.is_true("Ready");
    model_status(&mut status, seen.pods, was_ready);

    if let Some(observed) = seen.deployment["status"]["observedGeneration"].as_i64() {
        // KServe shows its Deployment's generation here, not its own: it
        // stands still while only a canary changes.
        status["observedGeneration"] = json!(observed);
    }
    if !status["components"]["predictor"].is_object() {
        status["components"]["predictor"] = json!({});
    }
    conditions.mark("PredictorReady", predictor_ready(seen.deployment));
    let name = meta(isvc, "name");
    let namespace = meta(isvc, "namespace");
    if conditions.is_true("PredictorReady") {
        let address = host(&format!("{name}-predictor"), namespace, settings);
        status["components"]["predictor"]["url"] =
            json!(format!("{}://{address}", settings.scheme));
    }

    canary_status(&mut status, &mut conditions, isvc, seen.canaries_ready);

    if ingress_ready(&mut conditions, &seen.ingress) {
        let address = host(name, namespace, settings);
        status["url"] = json!(format!("{}://{address}", settings.scheme));
        status["address"] =
            json!({"url": format!("http://{}.{namespace}.svc.cluster.local", seen.service)});
    }
    status["conditions"] = conditions.write(now);
    status
}

/// The status of a service that is told to stop.
pub fn stopped(isvc: &Value, runtime: Option<&Selected>, now: &str) -> Value {
    let mut status = base(isvc);
    let mut conditions = Conditions::read(&isvc["status"]["conditions"]);
    for part in ["PredictorReady", "IngressReady"] {
        conditions.mark(part, Mark::new("False", "Stopped", ""));
    }
    conditions.clear("CanaryPredictorReady");
    conditions.mark("Stopped", Mark::info("True", ""));
    name_runtime(&mut status, runtime);
    if let Some(fields) = status.as_object_mut() {
        for key in [
            "address",
            "canaryStatuses",
            "components",
            "observedGeneration",
            "url",
        ] {
            fields.remove(key);
        }
    }
    status["modelStatus"] = json!({"transitionStatus": ""});
    status["conditions"] = conditions.write(now);
    status
}

/// The status of a service that no runtime serves. What ran before goes on.
pub fn without_runtime(isvc: &Value, why: &NoRuntime, now: &str) -> Value {
    let mut status = base(isvc);
    let mut conditions = Conditions::read(&isvc["status"]["conditions"]);
    conditions.initialise();
    let active = status["modelStatus"]["states"]["activeModelState"].clone();
    let model = &mut status["modelStatus"];
    model["transitionStatus"] = json!("InvalidSpec");
    model["states"] = json!({
        "activeModelState": active.as_str().unwrap_or_default(),
        "targetModelState": "FailedToLoad",
    });
    model["lastFailureInfo"] = json!({"reason": why.reason, "message": why.message});
    status["conditions"] = conditions.write(now);
    status
}

/// The status of a service whose children could not all be made.
pub fn reconcile_failed(isvc: &Value, runtime: Option<&Selected>, error: &str, now: &str) -> Value {
    let mut status = base(isvc);
    let mut conditions = Conditions::read(&isvc["status"]["conditions"]);
    conditions.initialise();
    let message = format!("fails to reconcile predictor: {error}");
    conditions.mark(
        "PredictorReady",
        Mark::new("False", "ReconcileFailed", &message),
    );
    name_runtime(&mut status, runtime);
    if !status["components"]["predictor"].is_object() {
        status["components"]["predictor"] = json!({});
    }
    status["conditions"] = conditions.write(now);
    status
}

fn base(isvc: &Value) -> Value {
    let mut status = isvc["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    status["deploymentMode"] = json!("Standard");
    if !status["modelStatus"].is_object() {
        status["modelStatus"] = json!({"transitionStatus": ""});
    }
    status
}

fn name_runtime(status: &mut Value, runtime: Option<&Selected>) {
    if let Some(fields) = status.as_object_mut() {
        fields.remove("clusterServingRuntimeName");
        fields.remove("servingRuntimeName");
    }
    if let Some(runtime) = runtime {
        let key = if runtime.cluster_scoped {
            "clusterServingRuntimeName"
        } else {
            "servingRuntimeName"
        };
        status[key] = json!(runtime.name);
    }
}

fn condition<'a>(deployment: &'a Value, kind: &str) -> Option<&'a Value> {
    deployment["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// The Deployment's conditions, condensed: a failure to create pods before
/// "not available", a finished rollout before "available".
fn predictor_ready(deployment: &Value) -> Mark {
    let as_mark = |condition: &Value| {
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        Mark::new(text("status"), text("reason"), text("message"))
    };
    let Some(availability) = condition(deployment, "Available") else {
        return Mark::new("False", "", "");
    };
    if availability["status"] == "True" {
        let finished = condition(deployment, "Progressing")
            .filter(|progress| progress["reason"] == "NewReplicaSetAvailable");
        return as_mark(finished.unwrap_or(availability));
    }
    let failure =
        condition(deployment, "ReplicaFailure").filter(|failure| failure["status"] == "True");
    Mark {
        status: "False".into(),
        ..as_mark(failure.unwrap_or(availability))
    }
}

fn canary_status(
    status: &mut Value,
    conditions: &mut Conditions,
    isvc: &Value,
    canaries_ready: &[bool],
) {
    let entries = canaries(isvc);
    if entries.is_empty() {
        conditions.clear("CanaryPredictorReady");
        if let Some(fields) = status.as_object_mut() {
            fields.remove("canaryStatuses");
        }
        return;
    }
    let ready = |index: usize| canaries_ready.get(index).copied().unwrap_or(false);
    status["canaryStatuses"] = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            json!({
                "name": entry["predictor"]["name"],
                "ready": ready(index),
                "trafficPercent": entry["trafficPercent"],
                "modelStatus": {"transitionStatus": ""},
            })
        })
        .collect();
    let mark = if (0..entries.len()).all(ready) {
        Mark::info("True", "AllCanariesReady")
    } else {
        Mark::info("False", "CanariesNotReady")
    };
    conditions.mark("CanaryPredictorReady", mark);
}

/// Marks `IngressReady` and says whether it is.
fn ingress_ready(conditions: &mut Conditions, ingress: &Ingress) -> bool {
    let predictor_ready = conditions.is_true("PredictorReady");
    let not_yet = |conditions: &mut Conditions, reason: &str, message: &str| {
        conditions.mark("IngressReady", Mark::new("False", reason, message));
    };
    match ingress {
        Ingress::Ingress { present } => {
            if !predictor_ready || !present {
                not_yet(conditions, "Predictor ingress not created", "");
                return false;
            }
        }
        Ingress::Routes(routes) => {
            if !predictor_ready {
                not_yet(
                    conditions,
                    "Predictor Deployment NotReady",
                    "Predictor HTTPRoute not created",
                );
            }
            if routes.is_empty() {
                if predictor_ready {
                    not_yet(
                        conditions,
                        "ParentStatusNotAvailable",
                        "Predictor HttpRouteNotReady",
                    );
                }
                return false;
            }
            for (route, whose) in routes.iter().zip(["Predictor", "TopLevel"]) {
                if let Err((reason, message)) = accepted(route) {
                    not_yet(conditions, &reason, &format!("{whose} {message}"));
                    return false;
                }
            }
        }
    }
    // Routes that were accepted stay so when the pods behind them fail.
    conditions.mark("IngressReady", Mark::new("True", "", ""));
    true
}

fn accepted(route: &Value) -> Result<(), (String, String)> {
    let parents = route["status"]["parents"].as_array();
    let Some(parents) = parents.filter(|parents| !parents.is_empty()) else {
        return Err((
            "ParentStatusNotAvailable".into(),
            "HttpRouteNotReady".into(),
        ));
    };
    let failing = parents
        .iter()
        .flat_map(|parent| parent["conditions"].as_array().into_iter().flatten())
        .find(|condition| condition["status"] != "True");
    match failing {
        None => Ok(()),
        Some(condition) => Err((
            condition["reason"].as_str().unwrap_or_default().to_owned(),
            condition["message"].as_str().unwrap_or_default().to_owned(),
        )),
    }
}

fn model_status(status: &mut Value, pods: &[Value], was_ready: bool) {
    // A pod that no node has taken is not a copy yet (recorded: a service that
    // cannot be scheduled shows no totalCopies).
    let pods: Vec<&Value> = pods
        .iter()
        .filter(|pod| pod["spec"]["nodeName"].is_string())
        .collect();
    let (target, failure) = target_state(pods.first().copied(), was_ready);
    let model = &mut status["modelStatus"];
    let before = model["states"]["activeModelState"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let active = if target == "Loaded" {
        "Loaded"
    } else {
        &before
    };
    model["states"] = json!({"activeModelState": active, "targetModelState": target});
    model["transitionStatus"] = json!(match target {
        "Loaded" => "UpToDate",
        "FailedToLoad" => "BlockedByFailedLoad",
        _ => "InProgress",
    });
    model["copies"] = json!({"failedCopies": 0});
    if !pods.is_empty() && target != "FailedToLoad" {
        model["copies"]["totalCopies"] = json!(pods.len());
    }
    match failure {
        Some(failure) => model["lastFailureInfo"] = failure,
        None => {
            if let Some(fields) = model.as_object_mut() {
                fields.remove("lastFailureInfo");
            }
        }
    }
}

/// The state that the model is going to, and why it fails.
fn target_state(pod: Option<&Value>, was_ready: bool) -> (&'static str, Option<Value>) {
    let Some(pod) = pod else {
        return ("Pending", None);
    };
    if was_ready {
        return ("Loaded", None);
    }
    let container = |list: &str, name: &str| {
        pod["status"][list]
            .as_array()
            .into_iter()
            .flatten()
            .find(|status| status["name"] == name)
            .cloned()
    };
    if let Some(initializer) = container("initContainerStatuses", "storage-initializer") {
        if initializer["state"]["running"].is_object() {
            return ("Loading", None);
        }
        if let Some(failure) = failed(&initializer) {
            return ("FailedToLoad", Some(failure));
        }
    }
    match container("containerStatuses", CONTAINER).and_then(|status| failed(&status)) {
        Some(failure) => ("FailedToLoad", Some(failure)),
        None => ("Pending", None),
    }
}

fn failed(container: &Value) -> Option<Value> {
    let state = &container["state"];
    let ended = if state["waiting"]["reason"] == "CrashLoopBackOff" {
        &container["lastState"]["terminated"]
    } else {
        &state["terminated"]
    };
    let exit_code = ended["exitCode"].as_i64().filter(|code| *code != 0)?;
    let mut failure = json!({"reason": "ModelLoadFailed", "exitCode": exit_code});
    if let Some(message) = ended["message"].as_str().filter(|text| !text.is_empty()) {
        failure["message"] = json!(message);
    }
    Some(failure)
}
