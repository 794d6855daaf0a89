//! A Gateway controller's part: accepts the HTTPRoutes that name the Gateway
//! of KServe. It moves no traffic.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::server::{Server, path};

/// Name of this controller in `status.parents[].controllerName`.
pub const CONTROLLER: &str = "world.gatehouse.dev/gateway";

struct Context {
    server: Server,
    clock: fn() -> String,
}

/// The kind `HTTPRoute`.
pub fn kind() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "httproutes",
    )
}

/// Runs until `shutdown` is cancelled.
pub async fn run(client: Client, clock: fn() -> String, shutdown: CancellationToken) {
    let routes: Api<DynamicObject> = Api::all_with(client.clone(), &kind());
    let context = Arc::new(Context {
        server: Server::new(client),
        clock,
    });
    Controller::new_with(routes, watcher::Config::default(), kind())
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, on_error, context)
        .for_each(|_| async {})
        .await;
}

fn on_error(route: Arc<DynamicObject>, error: &Error, _: Arc<Context>) -> Action {
    tracing::debug!(route = %route.name_any(), %error, "a route waits for another try");
    Action::requeue(Duration::from_millis(200))
}

async fn reconcile(route: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    let name = route.name_any();
    let namespace = route.namespace().unwrap_or_default();
    let route_path = path::route(&namespace, &name);
    let Some(current) = context.server.get(&route_path).await? else {
        return Ok(Action::await_change());
    };
    if let Some(parents) = accepted(&current, &(context.clock)()) {
        let patch = json!({"status": {"parents": parents}});
        context
            .server
            .merge(&format!("{route_path}/status"), &patch, CONTROLLER)
            .await?;
    }
    Ok(Action::await_change())
}

/// The parents' conditions for the route's generation, or nothing where they
/// are there already.
fn accepted(route: &Value, now: &str) -> Option<Value> {
    let generation = &route["metadata"]["generation"];
    let parents: Vec<Value> = route["spec"]["parentRefs"]
        .as_array()?
        .iter()
        .filter(|parent| parent["kind"].as_str().unwrap_or("Gateway") == "Gateway")
        .map(|parent| {
            let condition = |kind: &str| {
                json!({
                    "type": kind,
                    "status": "True",
                    "reason": kind,
                    "message": "",
                    "observedGeneration": generation,
                    "lastTransitionTime": now,
                })
            };
            json!({
                "controllerName": CONTROLLER,
                "parentRef": parent,
                "conditions": [condition("Accepted"), condition("ResolvedRefs")],
            })
        })
        .collect();
    let known = route["status"]["parents"].as_array();
    let up_to_date = known.is_some_and(|known| {
        known.len() == parents.len()
            && known
                .iter()
                .flat_map(|parent| parent["conditions"].as_array().into_iter().flatten())
                .all(|condition| &condition["observedGeneration"] == generation)
    });
    if up_to_date || parents.is_empty() {
        None
    } else {
        Some(Value::Array(parents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_accepted_once_per_generation() {
        let mut route = json!({
            "metadata": {"generation": 3},
            "spec": {"parentRefs": [{"kind": "Gateway", "name": "g", "namespace": "kserve"}]},
        });
        let parents = accepted(&route, "now").expect("not accepted yet");
        assert_eq!(parents[0]["conditions"][0]["observedGeneration"], 3);
        route["status"] = json!({"parents": parents});
        assert_eq!(accepted(&route, "later"), None);
        route["metadata"]["generation"] = json!(4);
        assert!(accepted(&route, "later").is_some());
    }
}
