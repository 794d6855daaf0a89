//! **A stand-in for KServe's controller.** This is not KServe: KServe's own
//! module cannot be built here, so this room writes the resource definitions
//! of group `serving.kserve.io`, answers as KServe's webhooks answer and makes
//! the children and the status steps that the real controller (0.20) was
//! recorded to make; the recordings lie in `testdata/observed` and are what
//! the tests compare with. A real controller can take its place: then
//! [`install`] and [`run`] are simply not called.
//!
//! Known differences: Standard mode only (Knative is refused as KServe
//! refuses it where Knative is absent); one node per replica; transformers,
//! explainers, InferenceGraphs, TrainedModels and LLMInferenceServices are
//! defined and not acted upon. Pods that are to crash ([`CRASH`]) are the
//! world's own addition.

mod children;
mod conditions;
mod controller;
mod crash;
mod defaulter;
mod gateway;
mod install;
mod isvc;
mod pod_template;
mod routes;
mod runtimes;
mod schema;
mod select;
mod server;
mod settings;
mod status;
mod validator;
mod webhook;

#[cfg(test)]
mod recorded;

use std::fmt;

use kube::Client;
use tokio_util::sync::CancellationToken;

pub use install::install;
pub use isvc::{CRASH, CRASH_ENV};
pub use webhook::WebhookEndpoint;

/// What went wrong, in a sentence, and the API server's code where it was one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    code: Option<u16>,
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// How the stand-in runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it also accepts HTTPRoutes, as a Gateway controller would.
    /// Without one `IngressReady` stays `False`.
    pub gateway: bool,
    /// The time, RFC 3339 in UTC with whole seconds, as statuses carry it.
    pub clock: fn() -> String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gateway: true,
            clock: || {
                k8s_openapi::jiff::Timestamp::now()
                    .strftime("%Y-%m-%dT%H:%M:%SZ")
                    .to_string()
            },
        }
    }
}

/// Runs the controller (and the Gateway controller, if wanted) against one
/// cluster until `shutdown` is cancelled.
///
/// # Errors
/// When the API server cannot be asked what it serves.
pub async fn run(
    client: Client,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let routes = server::Server::new(client.clone())
        .get("/apis/gateway.networking.k8s.io/v1")
        .await?
        .is_some();
    let gateway = async {
        if options.gateway && routes {
            gateway::run(client.clone(), options.clock, shutdown.clone()).await;
        }
    };
    let controller = controller::run(client.clone(), options.clock, routes, shutdown.clone());
    tokio::join!(controller, gateway);
    Ok(())
}
