//! Puts the rooms together: store, clusters, registries, provider, services, edge and tasks.

use crate::{
    config::Config,
    edge::{self, AppState, Inner, limit::RateLimit, metrics::Metrics, recent::Recent},
    oidc::{self, Provider, ProviderIdentity},
    session::Backend,
    system::{SystemClock, SystemEntropy},
    tasks::{self, Wake},
};
use cluster::{ClusterConfig, Fleet, Labels};
use domain::{Error, Micros, Result, artifact::TrustedKey};
use leptos::prelude::LeptosOptions;
use registry::{AddressPolicy, Limits, OciRegistries};
use services::{
    Ctx, Services,
    authz::Policy,
    ports::{Clock, Entropy, Store},
    registries::RegistryInput,
    vault::Vault,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests and tasks that are under way may take after the process was asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the console until `stop` is cancelled. `boundary` is told of each boundary between decided
/// and applied as it is passed, so that tests can kill the process there.
/// Errors: what keeps it from starting, in words for whoever runs it.
pub async fn serve(
    config: Config,
    boundary: fn(&'static str),
    stop: CancellationToken,
) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let key = config.secret_key();
    let vault = Arc::new(Vault::new(&key));

    let options = store::Options::new(audit::Keyring::new(&key), entropy.clone());
    let db = store::connect(&config.database.url, options).await?;
    let store: Arc<dyn Store> = db.clone();

    let fleet = Arc::new(Fleet::new(
        clusters(&config),
        labels(&config),
        clock.clone(),
    )?);
    let registries = Arc::new(
        OciRegistries::new(
            AddressPolicy {
                loopback: config.registries_policy.loopback,
                private: config.registries_policy.private,
                link_local: config.registries_policy.link_local,
            },
            trusted(&config),
            Limits::default(),
        )
        .map_err(|e| {
            Error::invalid("the registries' client cannot be set up").caused_by(e.to_string())
        })?,
    );

    let http = oidc::http::client(config.oidc.ca_file.as_deref()).map_err(|e| {
        Error::invalid("oidc.ca_file holds no certificates that can be used")
            .remedy("It has to be PEM, with its BEGIN and END lines.")
            .caused_by(e)
    })?;
    let provider = Arc::new(Provider::new(
        config.oidc.clone(),
        config.public_origin(),
        http,
        clock.clone(),
    ));
    let identity = Arc::new(ProviderIdentity {
        provider: provider.clone(),
        store: store.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    });

    let services = Services::new(Ctx {
        store: store.clone(),
        clusters: fleet.clone(),
        registries,
        identity: identity.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        policy: Arc::new(Policy::built_in()?),
        settings: Arc::new(config.settings()),
        vault: vault.clone(),
        log_keys: Arc::new(config.log_keys()?),
        boundary,
    });
    services
        .registries
        .from_file(&registries_of(&config))
        .await?;

    let listen = config.server.listen;
    let ping = db.clone();
    let recent = Recent::new(services.deployments.cursor());
    let state = AppState::new(Inner {
        services,
        options: options_of(&config),
        config,
        provider,
        identity,
        ping: Box::new(move || {
            let db = ping.clone();
            Box::pin(async move { db.ping().await })
        }),
        metrics: Metrics::default(),
        // A browser signs in with two requests; a hundred people may sit behind one address.
        sign_in_limit: RateLimit::new(200, Micros::SECOND / 5),
        hook_limit: RateLimit::new(200, Micros::SECOND / 20),
        recent,
        wake: Arc::new(Wake::default()),
        stop: stop.clone(),
    });
    let backend = Backend {
        store,
        vault,
        clock,
        entropy: entropy.clone(),
        limits: state.limits(),
    };
    let router = edge::router(state.clone(), backend);

    let listener = TcpListener::bind(listen).await.map_err(|e| {
        Error::unavailable(format!("server.listen: {listen} cannot be listened on"))
            .remedy("Another program may have the port; choose another.")
            .caused_by(e)
    })?;
    let worker = entropy.uuid().to_string();
    let mut tasks = tasks::start(&state, &worker, &stop);
    let (watched, watch_stop) = (fleet.clone(), stop.clone());
    tasks.spawn(async move { watched.run(watch_stop).await });
    tracing::info!(address = %listener.local_addr().unwrap_or(listen), "listening");

    let asked = stop.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = tokio::spawn(
        axum::serve(listener, service)
            .with_graceful_shutdown(async move { asked.cancelled().await })
            .into_future(),
    );
    let ended = tokio::select! {
        ended = &mut server => ended,
        () = async { stop.cancelled().await; tokio::time::sleep(GRACE).await } => {
            server.abort();
            server.await
        }
    };
    stop.cancel();
    if let Ok(Err(e)) = ended {
        return Err(Error::unavailable("the HTTP server ended").caused_by(e));
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!(
            "background tasks did not end in time; what they were at is resumed at the next start"
        );
        tasks.shutdown().await;
    }
    db.close().await;
    Ok(())
}

fn clusters(config: &Config) -> Vec<ClusterConfig> {
    config
        .clusters
        .iter()
        .map(|c| ClusterConfig {
            name: c.name.clone(),
            kubeconfig: c.kubeconfig.clone(),
            context: c.context.clone(),
            user_prefix: c.user_prefix.clone(),
            group_prefix: c.group_prefix.clone(),
            kserve_namespace: c.kserve_namespace.clone(),
            known_group: config.grants.first().map(|g| g.group.clone()),
        })
        .collect()
}

fn labels(config: &Config) -> Labels {
    Labels {
        business_unit: config.labels.business_unit.clone(),
        environment: config.labels.environment.clone(),
    }
}

fn trusted(config: &Config) -> Vec<TrustedKey> {
    config
        .trust
        .cosign_keys
        .iter()
        .map(|k| TrustedKey {
            name: k.name.clone(),
            pem: k.pem.clone(),
        })
        .collect()
}

fn registries_of(config: &Config) -> Vec<(RegistryInput, Option<String>)> {
    config
        .registries
        .iter()
        .map(|r| {
            let input = RegistryInput {
                name: r.name.clone(),
                url: r.url.to_string().trim_end_matches('/').to_owned(),
                username: r.username.clone().unwrap_or_default(),
                password: String::new(),
                sync_minutes: r.sync_minutes,
                rules: r.rules.clone(),
                ca_pem: r.ca_pem.clone(),
            };
            (input, r.password.as_ref().map(|p| p.expose().to_owned()))
        })
        .collect()
}

fn options_of(config: &Config) -> LeptosOptions {
    let site = config
        .server
        .site
        .as_ref()
        .map(|p| p.display().to_string())
        .or_else(|| std::env::var("LEPTOS_SITE_ROOT").ok())
        .unwrap_or_else(|| "target/site".into());
    LeptosOptions::builder()
        .output_name("gatehouse")
        .site_root(site)
        .site_pkg_dir("pkg")
        .site_addr(config.server.listen)
        .build()
}
