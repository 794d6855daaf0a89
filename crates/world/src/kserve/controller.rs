//! The loop: an InferenceService changes, or one of its children does, and the
//! children and the status are brought in line with it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::children::{self, Workload};
use super::isvc::{self, FINALIZER, OWNER_LABEL, meta};
use super::routes::{self, Share};
use super::select::{Catalogue, NoRuntime, Selected, select};
use super::server::{MANAGER, Server, path};
use super::settings::{CONFIG_MAP, NAMESPACE, Settings};
use super::status::{self, Ingress, Seen};
use super::{Error, crash, gateway};

/// How many services are worked on at once in one cluster.
const CONCURRENCY: u16 = 16;
/// A service that waits for something nobody announces is looked at again.
const RETRY: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_millis(50);

struct Context {
    server: Server,
    clock: fn() -> String,
}

fn kind() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("serving.kserve.io", "v1beta1", "InferenceService"),
        "inferenceservices",
    )
}

/// Runs until `shutdown` is cancelled. `routes` says whether the API server
/// has HTTPRoutes to watch.
pub async fn run(client: Client, clock: fn() -> String, routes: bool, shutdown: CancellationToken) {
    let services: Api<DynamicObject> = Api::all_with(client.clone(), &kind());
    let served = watcher::Config::default().labels(OWNER_LABEL);
    let mut controller = Controller::new_with(services, watcher::Config::default(), kind())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .owns(Api::<Deployment>::all(client.clone()), served.clone())
        .watches(Api::<Pod>::all(client.clone()), served, |pod| {
            let name = pod.labels().get(OWNER_LABEL)?.clone();
            let namespace = pod.namespace()?;
            Some(ObjectRef::new_with(&name, kind()).within(&namespace))
        });
    if routes {
        controller = controller.owns_with(
            Api::<DynamicObject>::all_with(client.clone(), &gateway::kind()),
            gateway::kind(),
            watcher::Config::default(),
        );
    }
    let context = Arc::new(Context {
        server: Server::new(client),
        clock,
    });
    controller
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, on_error, context)
        .for_each(|_| async {})
        .await;
}

fn on_error(service: Arc<DynamicObject>, error: &Error, _: Arc<Context>) -> Action {
    tracing::debug!(service = %service.name_any(), %error, "a service waits for another try");
    Action::requeue(if error.is_conflict() {
        SOON
    } else {
        Duration::from_millis(500)
    })
}

async fn reconcile(service: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    let name = service.name_any();
    let namespace = service.namespace().unwrap_or_default();
    let Some(isvc) = context.server.get(&path::isvc(&namespace, &name)).await? else {
        return Ok(Action::await_change());
    };
    Round {
        server: &context.server,
        now: (context.clock)(),
        isvc,
        name,
        namespace,
    }
    .run()
    .await
}

/// One look at one service.
struct Round<'a> {
    server: &'a Server,
    now: String,
    isvc: Value,
    name: String,
    namespace: String,
}

impl Round<'_> {
    async fn run(mut self) -> Result<Action, Error> {
        let finalizers = self.isvc["metadata"]["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ours = finalizers.iter().any(|entry| entry == FINALIZER);
        if !self.isvc["metadata"]["deletionTimestamp"].is_null() {
            if ours {
                // The children go with their owner, by garbage collection.
                self.set_finalizers(finalizers, false).await?;
            }
            return Ok(Action::await_change());
        }
        if !ours {
            self.set_finalizers(finalizers, true).await?;
            return Ok(Action::await_change());
        }
        let settings = self.settings().await?;
        if isvc::deployment_mode(&self.isvc, &settings) != "Standard" {
            self.event(
                "Warning",
                "ServerlessModeRejected",
                "It is not possible to use Knative deployment mode when Knative Services are not available",
            )
            .await?;
            return Ok(Action::await_change());
        }
        let predictor = self.isvc["spec"]["predictor"].clone();
        let runtime = match self.runtime_of(&predictor).await? {
            Ok(runtime) => runtime,
            Err(none) => {
                let next = status::without_runtime(&self.isvc, &none, &self.now);
                if self.write_status(next).await? {
                    self.event("Warning", "InternalError", &none.event).await?;
                }
                return Ok(Action::requeue(RETRY));
            }
        };
        if isvc::stopped(&self.isvc) {
            self.take_down().await?;
            let next = status::stopped(&self.isvc, runtime.as_ref(), &self.now);
            self.write_status(next).await?;
            return Ok(Action::await_change());
        }
        self.serve(runtime, &settings).await
    }

    async fn serve(
        &mut self,
        runtime: Option<Selected>,
        settings: &Settings,
    ) -> Result<Action, Error> {
        let stable = children::stable(&self.isvc, runtime.as_ref(), settings);
        let deployment = match self.make(&stable).await? {
            Ok(deployment) => deployment,
            Err(message) => {
                let next =
                    status::reconcile_failed(&self.isvc, runtime.as_ref(), &message, &self.now);
                if self.write_status(next).await? {
                    let event = format!("fails to reconcile predictor: {message}");
                    self.event("Warning", "InternalError", &event).await?;
                }
                return Ok(Action::requeue(RETRY));
            }
        };
        let mut wanted = vec![stable.name.clone()];
        let mut ready = Vec::new();
        let mut canaries_ready = Vec::new();
        for entry in isvc::canaries(&self.isvc).to_vec() {
            // A canary without a runtime is never ready; the rest goes on.
            let Ok(own) = self.runtime_of(&entry["predictor"]).await? else {
                canaries_ready.push(false);
                continue;
            };
            let canary = children::canary(&self.isvc, &entry, own.as_ref(), settings);
            let up = match self.make(&canary).await? {
                Ok(deployment) => status::available(&deployment),
                Err(_) => false,
            };
            canaries_ready.push(up);
            if up {
                ready.push(Share {
                    service: canary.name.clone(),
                    percent: entry["trafficPercent"].as_i64().unwrap_or(0),
                });
            }
            wanted.push(canary.name);
        }
        let available = status::available(&deployment);
        let ingress = self.open(&stable.name, &ready, available, settings).await?;
        let pods = self.pods(&stable.name).await?;
        let next = status::running(
            &self.isvc,
            &Seen {
                runtime: runtime.as_ref(),
                deployment: &deployment,
                service: &stable.name,
                pods: &pods,
                canaries_ready: &canaries_ready,
                ingress,
            },
            settings,
            &self.now,
        );
        let changed = self.write_status(next).await?;
        if available {
            // What no longer is wanted goes once there is something in its place.
            self.remove_others(&wanted).await?;
        }
        if !changed {
            self.crash(&wanted).await?;
        }
        Ok(Action::await_change())
    }

    /// Applies a workload's objects; the inner error is what KServe shows as
    /// `ReconcileFailed`: an object that the API server refuses, or KEDA being
    /// asked for and absent.
    async fn make(&self, workload: &Workload) -> Result<Result<Value, String>, Error> {
        match self.try_make(workload).await {
            Err(error) => match error.refusal() {
                Some(message) => Ok(Err(message.to_owned())),
                None => Err(error),
            },
            made => made,
        }
    }

    async fn try_make(&self, workload: &Workload) -> Result<Result<Value, String>, Error> {
        let (namespace, name) = (&self.namespace, &workload.name);
        let deployment = self
            .server
            .apply(
                &path::deployment(namespace, name),
                &workload.deployment,
                MANAGER,
            )
            .await?;
        self.server
            .apply(&path::service(namespace, name), &workload.service, MANAGER)
            .await?;
        if let Some(autoscaler) = &workload.autoscaler {
            let keda = autoscaler["kind"] == "ScaledObject";
            if keda && self.server.get("/apis/keda.sh/v1alpha1").await?.is_none() {
                return Ok(Err(
                    "failed to get existing KEDA autoscaler: no matches for kind \
                     \"ScaledObject\" in version \"keda.sh/v1alpha1\""
                        .into(),
                ));
            }
            let autoscaler_path = if keda {
                path::scaled_object(namespace, name)
            } else {
                path::hpa(namespace, name)
            };
            self.server
                .apply(&autoscaler_path, autoscaler, MANAGER)
                .await?;
        } else {
            self.server.delete(&path::hpa(namespace, name)).await?;
        }
        Ok(Ok(deployment))
    }

    /// Makes the way in, as far as the predictor is ready, and reads it.
    async fn open(
        &self,
        stable: &str,
        ready: &[Share],
        available: bool,
        settings: &Settings,
    ) -> Result<Ingress, Error> {
        let (namespace, name) = (&self.namespace, &self.name);
        if !settings.gateway_api {
            let ingress_path = path::ingress(namespace, name);
            if available {
                let ingress = routes::ingress(&self.isvc, stable, settings);
                self.server.apply(&ingress_path, &ingress, MANAGER).await?;
            }
            let present = self.server.get(&ingress_path).await?.is_some();
            return Ok(Ingress::Ingress { present });
        }
        let mut seen = Vec::new();
        for route in routes::routes(&self.isvc, stable, ready, settings) {
            let route_path = path::route(namespace, meta(&route, "name"));
            if available {
                seen.push(self.server.apply(&route_path, &route, MANAGER).await?);
            } else if let Some(current) = self.server.get(&route_path).await? {
                seen.push(current);
            }
        }
        // The predictor's own route is asked before the top level's.
        seen.reverse();
        Ok(Ingress::Routes(seen))
    }

    async fn take_down(&self) -> Result<(), Error> {
        let (namespace, name) = (&self.namespace, &self.name);
        self.remove_others(&[]).await?;
        for route in [name.clone(), format!("{name}-predictor")] {
            self.server.delete(&path::route(namespace, &route)).await?;
        }
        self.server.delete(&path::ingress(namespace, name)).await
    }

    /// Deletes the workloads of this service that are not in the list.
    async fn remove_others(&self, wanted: &[String]) -> Result<(), Error> {
        let namespace = &self.namespace;
        let labels = format!("{OWNER_LABEL}={}", self.name);
        let collection = path::deployment(namespace, "");
        for deployment in self.server.list(&collection, Some(&labels)).await? {
            let name = meta(&deployment, "name");
            if wanted.iter().any(|known| known == name)
                || !deployment["metadata"]["deletionTimestamp"].is_null()
            {
                continue;
            }
            self.server.delete(&path::hpa(namespace, name)).await?;
            self.server
                .delete(&path::scaled_object(namespace, name))
                .await?;
            self.server.delete(&path::service(namespace, name)).await?;
            self.server
                .delete(&path::deployment(namespace, name))
                .await?;
        }
        Ok(())
    }

    async fn pods(&self, workload: &str) -> Result<Vec<Value>, Error> {
        let labels = format!("app=isvc.{workload}");
        self.server
            .list(&path::pod(&self.namespace, ""), Some(&labels))
            .await
    }

    /// Plays the kubelet for pods that are to crash.
    async fn crash(&self, workloads: &[String]) -> Result<(), Error> {
        let active = &self.isvc["status"]["modelStatus"]["states"]["activeModelState"];
        for name in workloads {
            let pods = self.pods(name).await?;
            crash::play(self.server, &pods, active == "Loaded", &self.now).await?;
        }
        Ok(())
    }

    async fn settings(&self) -> Result<Settings, Error> {
        let config_path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{CONFIG_MAP}");
        Ok(match self.server.get(&config_path).await? {
            Some(config_map) => Settings::from_config_map(&config_map),
            None => Settings::default(),
        })
    }

    /// The runtime of a predictor: none is needed without a model.
    async fn runtime_of(
        &self,
        predictor: &Value,
    ) -> Result<Result<Option<Selected>, NoRuntime>, Error> {
        let model = &predictor["model"];
        if !model.is_object() {
            return Ok(Ok(None));
        }
        let group = "/apis/serving.kserve.io/v1alpha1";
        let own = format!("{group}/namespaces/{}/servingruntimes", self.namespace);
        let cluster = format!("{group}/clusterservingruntimes");
        let catalogue = match model["runtime"].as_str() {
            Some(name) => {
                let namespaced = self.server.get(&format!("{own}/{name}")).await?;
                let shared = self.server.get(&format!("{cluster}/{name}")).await?;
                Catalogue {
                    namespaced: namespaced.into_iter().collect(),
                    cluster: shared.into_iter().collect(),
                }
            }
            None => Catalogue {
                namespaced: self.server.list(&own, None).await?,
                cluster: self.server.list(&cluster, None).await?,
            },
        };
        Ok(select(predictor, &catalogue).map(Some))
    }

    async fn set_finalizers(&self, mut finalizers: Vec<Value>, present: bool) -> Result<(), Error> {
        if present {
            finalizers.push(json!(FINALIZER));
        } else {
            finalizers.retain(|entry| entry != FINALIZER);
        }
        let mut next = self.isvc.clone();
        next["metadata"]["finalizers"] = Value::Array(finalizers);
        self.server
            .replace(&path::isvc(&self.namespace, &self.name), &next)
            .await
            .map(|_| ())
    }

    /// Writes a status that differs from the one that is there, with the
    /// events that go with a change of `Ready`. Says whether it wrote.
    async fn write_status(&mut self, next: Value) -> Result<bool, Error> {
        if self.isvc["status"] == next {
            return Ok(false);
        }
        let ready = |status: &Value| {
            super::conditions::Conditions::read(&status["conditions"]).is_true("Ready")
        };
        let (before, after) = (ready(&self.isvc["status"]), ready(&next));
        let failing = super::conditions::Conditions::read(&next["conditions"]).failing();
        self.isvc["status"] = next;
        let status_path = format!("{}/status", path::isvc(&self.namespace, &self.name));
        self.isvc = self.server.replace(&status_path, &self.isvc).await?;
        let name = &self.name;
        if after && !before {
            let message = format!("InferenceService [{name}] is Ready");
            self.event("Normal", "InferenceServiceReady", &message)
                .await?;
        } else if before && !after {
            let message = format!(
                "InferenceService [{name}] is no longer Ready because of: {}",
                failing.join(", ")
            );
            self.event("Warning", "InferenceServiceNotReady", &message)
                .await?;
        }
        Ok(true)
    }

    async fn event(&self, kind: &str, reason: &str, message: &str) -> Result<(), Error> {
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": format!("{}.", self.name), "namespace": self.namespace},
            "involvedObject": {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "name": self.name,
                "namespace": self.namespace,
                "uid": self.isvc["metadata"]["uid"],
                "resourceVersion": self.isvc["metadata"]["resourceVersion"],
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": self.now,
            "lastTimestamp": self.now,
            "source": {"component": "v1beta1Controllers"},
            "reportingComponent": "v1beta1Controllers",
            "reportingInstance": "",
        });
        let collection = format!("/api/v1/namespaces/{}/events", self.namespace);
        match self.server.create(&collection, &event).await {
            // A namespace that is going away takes no more events.
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
