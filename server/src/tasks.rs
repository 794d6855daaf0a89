//! Background tasks: each may run at any time and on several replicas, takes no input, finds its work
//! in the database and says how it went.

use crate::edge::AppState;
use domain::Micros;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Wakes a task before its time.
#[derive(Default)]
pub struct Wake {
    /// A registry should be synced.
    pub sync: Notify,
    /// A change may have become due: decided, queued, expired.
    pub changes: Notify,
}

/// A task that fails waits so long, at most, before its next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many changes are applied at once, each to another cluster.
const APPLIERS: usize = 4;
/// How often it is looked whether a registry's sync is due.
const SYNC_EVERY: Duration = Duration::from_secs(15);
/// How long ended sessions are kept before they are removed.
const KEEP_SESSIONS: i64 = 7 * Micros::DAY;

/// Starts all of them. They end when `stop` is cancelled, after the step that they are in.
pub fn start(state: &AppState, worker: &str, stop: &CancellationToken) -> JoinSet<()> {
    let mut set = JoinSet::new();
    let worker: Arc<str> = worker.into();
    let wake = state.wake.clone();

    set.spawn(sync_registries(state.clone(), worker.clone(), stop.clone()));

    let s = state.clone();
    let signal = wake.clone();
    // Holds are seconds long: they are looked at every second.
    set.spawn(run(
        "decisions",
        state.clone(),
        stop.clone(),
        Duration::from_secs(1),
        move || signal.clone(),
        |w| &w.changes,
        move || {
            let s = s.clone();
            async move {
                let moved = s.services.changes.sweep().await?;
                if moved > 0 {
                    s.wake.changes.notify_waiters();
                }
                Ok(moved > 0)
            }
        },
    ));

    for n in 0..APPLIERS {
        let (s, w) = (state.clone(), worker.clone());
        let signal = wake.clone();
        // The first looks every second; the others are there for when it waits for a cluster.
        let every = Duration::from_secs(if n == 0 { 1 } else { 3 });
        set.spawn(run(
            "apply",
            state.clone(),
            stop.clone(),
            every,
            move || signal.clone(),
            |w| &w.changes,
            move || {
                let (s, w) = (s.clone(), w.clone());
                async move { s.services.apply.run_once(&w).await }
            },
        ));
    }

    let s = state.clone();
    let signal = Arc::new(Wake::default());
    set.spawn(run(
        "housekeeping",
        state.clone(),
        stop.clone(),
        Duration::from_secs(600),
        move || signal.clone(),
        |w| &w.sync,
        move || {
            let s = s.clone();
            async move {
                let ctx = &s.services.ctx;
                let now = ctx.clock.now();
                s.services.audit.reconcile().await?;
                ctx.store
                    .session_sweep(now, now.plus(-KEEP_SESSIONS))
                    .await
                    .map(|_| false)
            }
        },
    ));

    set.spawn(crate::checkpoints::run(state.clone(), stop.clone()));
    set.spawn(crate::edge::remember(state.clone()));
    let (provider, stop) = (state.provider.clone(), stop.clone());
    set.spawn(async move { provider.keep_current(stop).await });
    set
}

/// Syncs registries that are due, each in a task of its own: one that answers slowly keeps none of
/// the others waiting. When it is told to stop, those under way are broken off and given back.
async fn sync_registries(state: AppState, worker: Arc<str>, stop: CancellationToken) {
    const NAME: &str = "registry-sync";
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        // Asked before the look: what wakes during it is not missed.
        let woken = state.wake.sync.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let state = &state;
        let pause = match state.services.registries.claim_due(&worker).await {
            Ok(claims) => {
                state
                    .metrics
                    .job(NAME, if claims.is_empty() { "idle" } else { "worked" });
                for claim in claims {
                    let registries = state.services.registries.clone();
                    running.spawn(async move {
                        let name = claim.name().to_owned();
                        if let Err(e) = registries.sync(claim).await {
                            tracing::warn!(registry = name, problem = e.for_log(), "a sync failed");
                        }
                    });
                }
                SYNC_EVERY
            }
            Err(e) => {
                state.metrics.job(NAME, "failed");
                tracing::warn!(
                    task = NAME,
                    problem = e.for_log(),
                    "a background task failed"
                );
                LONGEST_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
            () = &mut woken => {}
            // Somebody may have asked for another sync of it meanwhile.
            Some(_) = running.join_next() => {}
        }
    }
    running.shutdown().await;
    if let Err(e) = state.services.registries.release(&worker).await {
        tracing::warn!(
            task = NAME,
            problem = e.for_log(),
            "leases run out by themselves"
        );
    }
}

/// Runs one task until it is told to stop: again at once while it finds work, else after `every` or
/// when it is woken; slower while it fails.
async fn run<F, Fut>(
    name: &'static str,
    state: AppState,
    stop: CancellationToken,
    every: Duration,
    wake: impl Fn() -> Arc<Wake> + Send,
    signal: fn(&Wake) -> &Notify,
    step: F,
) where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = domain::Result<bool>> + Send,
{
    let wake = wake();
    let mut failed = 0u32;
    loop {
        // Asked before the step: what wakes during the step is not missed.
        let woken = signal(&wake).notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let pause = match step().await {
            Ok(more) => {
                failed = 0;
                state
                    .metrics
                    .job(name, if more { "worked" } else { "idle" });
                if more { Duration::ZERO } else { every }
            }
            Err(e) => {
                failed = (failed + 1).min(6);
                state.metrics.job(name, "failed");
                tracing::warn!(
                    task = name,
                    problem = e.for_log(),
                    "a background task failed"
                );
                (every.max(Duration::from_secs(1)) * 2u32.pow(failed)).min(LONGEST_PAUSE.max(every))
            }
        };
        if stop.is_cancelled() {
            return;
        }
        if pause.is_zero() {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = &mut woken => {}
        }
    }
}
