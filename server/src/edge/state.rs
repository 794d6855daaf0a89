//! What handlers share.

use super::{limit::RateLimit, metrics::Metrics, recent::Recent};
use crate::{
    config::Config,
    oidc::{Provider, ProviderIdentity},
    session::Limits,
    tasks::Wake,
};
use axum::extract::FromRef;
use domain::Micros;
use futures::future::BoxFuture;
use leptos::prelude::LeptosOptions;
use services::Services;
use std::{ops::Deref, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Is the store there? Answers for readiness.
pub type Ping = Box<dyn Fn() -> BoxFuture<'static, domain::Result<()>> + Send + Sync>;

pub struct Inner {
    pub services: Services,
    pub config: Config,
    pub provider: Arc<Provider>,
    pub identity: Arc<ProviderIdentity>,
    pub ping: Ping,
    pub metrics: Metrics,
    /// Sign-ins by address.
    pub sign_in_limit: RateLimit,
    /// Notifications and back-channel logouts by address.
    pub hook_limit: RateLimit,
    /// What the clusters told lately.
    pub recent: Recent,
    pub options: LeptosOptions,
    /// Wakes background tasks at once, after something that gives them work.
    pub wake: Arc<Wake>,
    /// Cancelled when the process is asked to end: streams close, so that it can.
    pub stop: CancellationToken,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

impl AppState {
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub fn now(&self) -> Micros {
        self.services.ctx.clock.now()
    }

    pub fn limits(&self) -> Limits {
        Limits {
            idle: self.config.session.idle_minutes * Micros::MINUTE,
            absolute: self.config.session.absolute_hours * Micros::HOUR,
        }
    }
}

impl Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.options.clone()
    }
}
