//! The way in: HTTPRoutes with their weights, or an Ingress. Pure.

use serde_json::{Value, json};

use super::children::owner;
use super::isvc::{self, host, meta, without};
use super::settings::Settings;

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// A canary's place in the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub service: String,
    pub percent: i64,
}

/// The HTTPRoutes `{isvc}` and `{isvc}-predictor`. `ready` holds the canaries
/// that may get traffic; with canaries in the specification but none ready the
/// stable predictor has the weight 100, without canaries no weight is set.
pub fn routes(isvc: &Value, stable: &str, ready: &[Share], settings: &Settings) -> Vec<Value> {
    let name = meta(isvc, "name");
    let namespace = meta(isvc, "namespace");
    let backend = |service: &str, weight: Option<i64>| {
        let mut reference = json!({
            "group": "",
            "kind": "Service",
            "name": service,
            "namespace": namespace,
            "port": 80,
        });
        if let Some(weight) = weight {
            reference["weight"] = json!(weight);
        }
        reference
    };
    let mut backends = Vec::new();
    if isvc::canaries(isvc).is_empty() {
        backends.push(backend(stable, None));
    } else {
        let given: i64 = ready.iter().map(|share| share.percent).sum();
        backends.push(backend(stable, Some((100 - given).max(0))));
        backends.extend(
            ready
                .iter()
                .map(|share| backend(&share.service, Some(share.percent))),
        );
    }
    let annotations = without(
        &isvc["metadata"]["annotations"],
        &settings.annotations_kept_back,
    );
    let timeout = isvc["spec"]["predictor"]["timeout"].as_i64().unwrap_or(60);
    [name.to_owned(), format!("{name}-predictor")]
        .into_iter()
        .map(|route| {
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {
                    "name": route,
                    "namespace": namespace,
                    "annotations": annotations,
                    "ownerReferences": [owner(isvc)],
                },
                "spec": {
                    "hostnames": [host(&route, namespace, settings)],
                    "parentRefs": [{
                        "group": GATEWAY_GROUP,
                        "kind": "Gateway",
                        "namespace": settings.gateway.0,
                        "name": settings.gateway.1,
                    }],
                    "rules": [{
                        "backendRefs": backends,
                        "filters": [{
                            "type": "RequestHeaderModifier",
                            "requestHeaderModifier": {"set": [
                                {"name": "KServe-Isvc-Name", "value": name},
                                {"name": "KServe-Isvc-Namespace", "value": namespace},
                            ]},
                        }],
                        "matches": [{"path": {"type": "RegularExpression", "value": "^/.*$"}}],
                        "timeouts": {"request": format!("{timeout}s")},
                    }],
                },
            })
        })
        .collect()
}

/// The Ingress that stands in for the routes where the Gateway API is off. It
/// knows no weights: canaries get no traffic.
pub fn ingress(isvc: &Value, stable: &str, settings: &Settings) -> Value {
    let name = meta(isvc, "name");
    let namespace = meta(isvc, "namespace");
    let rule = |route: &str| {
        json!({
            "host": host(route, namespace, settings),
            "http": {"paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": {"service": {"name": stable, "port": {"number": 80}}},
            }]},
        })
    };
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "ownerReferences": [owner(isvc)],
        },
        "spec": {
            "ingressClassName": settings.ingress_class,
            "rules": [rule(name), rule(&format!("{name}-predictor"))],
        },
    })
}
