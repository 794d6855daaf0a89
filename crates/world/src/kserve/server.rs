//! The API server, spoken to in plain JSON: the stand-in's objects are of many
//! kinds and it needs no types for them.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::Value;

use super::Error;

/// The name under which the real controller writes.
pub const MANAGER: &str = "kserve-manager";
const CONFLICT: u16 = 409;
const NOT_FOUND: u16 = 404;
const TIMEOUT: Duration = Duration::from_secs(20);

/// One cluster.
#[derive(Clone)]
pub struct Server {
    client: Client,
}

impl Error {
    /// The object was changed by somebody else, or is there already.
    pub(super) fn is_conflict(&self) -> bool {
        self.code == Some(CONFLICT)
    }

    /// The API server's own words, where it refused the content.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self.code {
            Some(400 | 403 | 422) => self.message.split_once(": ").map(|(_, words)| words),
            _ => None,
        }
    }

    /// The object or its kind is not there.
    pub(super) fn is_not_found(&self) -> bool {
        self.code == Some(NOT_FOUND)
    }
}

impl Server {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let body = body.map(|body| body.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body.unwrap_or_default())
            .map_err(|error| Error::new(format!("{method} {path}: {error}")))?;
        let answer = tokio::time::timeout(TIMEOUT, self.client.request::<Value>(request));
        match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(kube::Error::Api(status))) => Err(Error {
                message: format!("{method} {path}: {}", status.message),
                code: Some(status.code),
            }),
            Ok(Err(error)) => Err(Error::new(format!("{method} {path}: {error}"))),
            Err(_) => Err(Error::new(format!(
                "{method} {path}: no answer within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }

    /// An object, or nothing where it is not there.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.send("GET", path, "application/json", None).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The items of a list; empty where the kind is not there. Items of a
    /// list carry neither `kind` nor `apiVersion`.
    pub async fn list(&self, path: &str, labels: Option<&str>) -> Result<Vec<Value>, Error> {
        let path = match labels {
            Some(labels) => format!("{path}?labelSelector={}", labels.replace('=', "%3D")),
            None => path.to_owned(),
        };
        let mut list = self.get(&path).await?.unwrap_or_default();
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Server-side apply with force, as the only writer of these objects.
    pub async fn apply(&self, path: &str, object: &Value, manager: &str) -> Result<Value, Error> {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.send("PATCH", &path, "application/apply-patch+yaml", Some(object))
            .await
    }

    /// Creates an object in a collection.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, Error> {
        let path = format!("{path}?fieldManager={MANAGER}");
        self.send("POST", &path, "application/json", Some(object))
            .await
    }

    /// Replaces an object (or its status) of a known resource version.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, Error> {
        let path = format!("{path}?fieldManager={MANAGER}");
        self.send("PUT", &path, "application/json", Some(object))
            .await
    }

    /// A JSON merge patch.
    pub async fn merge(&self, path: &str, patch: &Value, manager: &str) -> Result<Value, Error> {
        let path = format!("{path}?fieldManager={manager}");
        self.send("PATCH", &path, "application/merge-patch+json", Some(patch))
            .await
    }

    /// Deletes an object and, in the background, what it owns.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        let path = format!("{path}?propagationPolicy=Background");
        match self.send("DELETE", &path, "application/json", None).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Paths of the kinds that the stand-in writes.
pub mod path {
    /// `InferenceService`
    pub fn isvc(namespace: &str, name: &str) -> String {
        format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}")
    }

    /// `Deployment`; an empty name is the collection.
    pub fn deployment(namespace: &str, name: &str) -> String {
        of("/apis/apps/v1", namespace, "deployments", name)
    }

    /// `Service`
    pub fn service(namespace: &str, name: &str) -> String {
        of("/api/v1", namespace, "services", name)
    }

    /// `Pod`
    pub fn pod(namespace: &str, name: &str) -> String {
        of("/api/v1", namespace, "pods", name)
    }

    /// `HorizontalPodAutoscaler`
    pub fn hpa(namespace: &str, name: &str) -> String {
        let plural = "horizontalpodautoscalers";
        of("/apis/autoscaling/v2", namespace, plural, name)
    }

    /// KEDA's `ScaledObject`
    pub fn scaled_object(namespace: &str, name: &str) -> String {
        of("/apis/keda.sh/v1alpha1", namespace, "scaledobjects", name)
    }

    /// `HTTPRoute`
    pub fn route(namespace: &str, name: &str) -> String {
        let group = "/apis/gateway.networking.k8s.io/v1";
        of(group, namespace, "httproutes", name)
    }

    /// `Ingress`
    pub fn ingress(namespace: &str, name: &str) -> String {
        of("/apis/networking.k8s.io/v1", namespace, "ingresses", name)
    }

    fn of(group: &str, namespace: &str, plural: &str, name: &str) -> String {
        let collection = format!("{group}/namespaces/{namespace}/{plural}");
        if name.is_empty() {
            collection
        } else {
            format!("{collection}/{name}")
        }
    }
}
