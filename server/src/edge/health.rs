//! `/healthz`, `/readyz` and `/metrics`.

use super::{context::RequestContext, metrics::Gauge, state::AppState};
use crate::oidc::jose::same;
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use services::ports::ChangeFilter;
use std::time::Duration;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers. Clusters, registries and the provider do not count: without them the console
/// still shows what it knows.
pub async fn readyz(State(state): State<AppState>) -> Response {
    match tokio::time::timeout(Duration::from_secs(2), (state.ping)()).await {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(e)) => {
            tracing::warn!(problem = e.for_log(), "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
                .into_response()
        }
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database takes longer than 2 s\n",
        )
            .into_response(),
    }
}

/// Figures for Prometheus: with the configured bearer token, or from loopback where none is configured.
pub async fn metrics(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
) -> Response {
    let allowed = match &state.config.metrics.token {
        Some(token) => {
            bearer(&headers).is_some_and(|t| same(t.as_bytes(), token.expose().as_bytes()))
        }
        None => from_this_machine(&state, &context, &headers),
    };
    if !allowed {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            "give the metrics token\n",
        )
            .into_response();
    }
    let text = state.metrics.render(&gauges(&state).await);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

/// A program of this machine, and nobody whom a proxy on this machine brings: behind one that is not
/// told of in `server.trusted_proxies`, every connection comes from a loopback address.
fn from_this_machine(state: &AppState, context: &RequestContext, headers: &HeaderMap) -> bool {
    let believed = state.config.server.trusted_proxies.contains(&context.peer);
    let forwarded = headers.contains_key("forwarded")
        || headers.contains_key("x-real-ip")
        || (headers.contains_key("x-forwarded-for") && !believed);
    context.address.is_loopback() && !forwarded
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn gauges(state: &AppState) -> Vec<Gauge> {
    let ctx = &state.services.ctx;
    let now = ctx.clock.now();
    let health = ctx.clusters.health(now);
    let cluster = |f: &dyn Fn(&domain::observed::ClusterHealth) -> Option<f64>| -> Vec<_> {
        health
            .iter()
            .filter_map(|h| Some((vec![("cluster", h.name.clone())], f(h)?)))
            .collect()
    };
    let mut gauges = vec![
        Gauge {
            name: "gatehouse_cluster_reachable",
            help: "Does the cluster answer?",
            values: cluster(&|h| Some(if h.reachable { 1.0 } else { 0.0 })),
        },
        Gauge {
            name: "gatehouse_cluster_age_seconds",
            help: "Age of what is known of the cluster.",
            values: cluster(&|h| h.as_of.map(|t| now.since(t) as f64 / 1e6)),
        },
        Gauge {
            name: "gatehouse_cluster_deployments",
            help: "InferenceServices in the watch cache.",
            values: cluster(&|h| Some(h.deployments as f64)),
        },
        Gauge {
            name: "gatehouse_provider_reachable",
            help: "Did the OpenID provider answer the last time?",
            values: vec![(vec![], if state.provider.reachable() { 1.0 } else { 0.0 })],
        },
    ];
    let mut waiting = Vec::new();
    for s in domain::change::ChangeState::ALL
        .into_iter()
        .filter(|s| !s.is_end())
    {
        let filter = ChangeFilter {
            states: vec![s],
            scopes: vec![(vec!["*".into()], vec!["*".into()])],
            ..Default::default()
        };
        if let Ok(n) = ctx.store.change_count(&filter, 10_000).await {
            waiting.push((vec![("state", s.name().to_owned())], n as f64));
        }
    }
    gauges.push(Gauge {
        name: "gatehouse_open_changes",
        help: "Changes that have not ended, by state (at most 10000).",
        values: waiting,
    });
    if let Ok(registries) = ctx.store.registries().await {
        gauges.push(Gauge {
            name: "gatehouse_registry_sync_age_seconds",
            help: "Time since the last successful sync.",
            values: registries
                .iter()
                .filter_map(|r| {
                    Some((
                        vec![("registry", r.name.clone())],
                        now.since(r.status.last_success?) as f64 / 1e6,
                    ))
                })
                .collect(),
        });
    }
    gauges
}
