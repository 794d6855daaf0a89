//! `/events`: tells an open page that what it shows has changed (server-sent events). It carries no
//! data, only "look again" and a cursor, so that what somebody may see is decided in one place: the
//! page's own load.

use super::{
    auth::Signed,
    page::Fault,
    recent::{Recent, Since},
    state::AppState,
};
use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{Error, Result, ids::ChangeId, place::DeploymentKey};
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use services::Caller;
use std::{convert::Infallible, sync::atomic::Ordering, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// What is not pushed by a cluster is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Whether a cluster is there is looked at so often.
const CLUSTERS_EVERY: Duration = Duration::from_secs(5);
/// A session that has ended ends its streams at the next look.
const SESSION_EVERY: Duration = Duration::from_secs(10);
/// So often an open stream counts as a sign of life; a minute without one means closed.
const OPEN_EVERY: Duration = Duration::from_secs(20);
/// Bursts are told once.
const QUIET: Duration = Duration::from_millis(300);
/// Open streams of one process.
const MAX_STREAMS: u64 = 2000;

#[derive(Deserialize)]
pub struct Asked {
    topic: String,
    /// Of the page's own load; a full navigation sends no `Last-Event-ID`.
    cursor: Option<String>,
}

/// What a stream may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Topic {
    Deployment(DeploymentKey),
    Deployments,
    Queue,
    Change(ChangeId),
    Registries,
}

impl Topic {
    fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid("there is no such topic").remedy("Topics are deployments, deployment:<cluster>/<namespace>/<name>, queue, change:<id> and registries.")
        };
        match text.split_once(':') {
            None if text == "deployments" => Ok(Self::Deployments),
            None if text == "queue" => Ok(Self::Queue),
            None if text == "registries" => Ok(Self::Registries),
            Some(("change", id)) => Ok(Self::Change(id.parse()?)),
            Some(("deployment", key)) => {
                let parts: Vec<&str> = key.split('/').collect();
                match parts[..] {
                    [c, ns, n]
                        if !c.is_empty() && !ns.is_empty() && !n.is_empty() && key.len() <= 400 =>
                    {
                        Ok(Self::Deployment(DeploymentKey::new(c, ns, n)))
                    }
                    _ => Err(bad()),
                }
            }
            _ => Err(bad()),
        }
    }

    /// May this caller look at it?
    async fn check(&self, state: &AppState, caller: &Caller) -> Result<()> {
        match self {
            Self::Deployment(key) => state.services.deployments.may_view(caller, key).await,
            Self::Change(id) => state.services.changes.may_view(caller, *id).await,
            Self::Registries => state.services.registries.mark(caller).await.map(|_| ()),
            // Only what the caller may see is told of.
            Self::Deployments | Self::Queue => Ok(()),
        }
    }

    fn live(&self) -> bool {
        matches!(self, Self::Deployment(_) | Self::Deployments)
    }

    fn concerns(&self, state: &AppState, caller: &Caller, changed: &DeploymentKey) -> bool {
        match self {
            Self::Deployment(key) => changed == key,
            Self::Deployments => state.services.deployments.sees(caller, changed),
            _ => false,
        }
    }
}

pub async fn stream(
    State(state): State<AppState>,
    signed: Signed,
    Query(asked): Query<Asked>,
    headers: http::HeaderMap,
) -> Response {
    let topic = match Topic::parse(&asked.topic) {
        Ok(t) => t,
        Err(e) => {
            return Fault::from(e)
                .status(http::StatusCode::BAD_REQUEST)
                .into_response();
        }
    };
    if let Err(e) = topic.check(&state, &signed.caller).await {
        return Fault::from(e).into_response();
    }
    if state.metrics.streams.load(Ordering::Relaxed) >= MAX_STREAMS {
        let e = Error::unavailable("too many pages are open at once")
            .remedy("Reload this page to see what changed.");
        return Fault::from(e).into_response();
    }
    // After a reconnection the browser knows better where it was than the page's address does.
    let cursor = headers
        .get("last-event-id")
        .and_then(|v| v.to_str().ok())
        .map(String::from)
        .or(asked.cursor);
    let events = run(state, signed, topic, cursor);
    Sse::new(events)
        .keep_alive(
            KeepAlive::new()
                .interval(Duration::from_secs(15))
                .text("alive"),
        )
        .into_response()
}

/// Remembers what the clusters tell, until it is told to stop.
pub async fn remember(state: AppState) {
    let mut events = state.services.deployments.subscribe();
    let recent: &Recent = &state.recent;
    loop {
        tokio::select! {
            () = state.stop.cancelled() => return,
            event = events.recv() => match event {
                Ok(e) => recent.push(e),
                Err(RecvError::Lagged(_)) => recent.forget(state.services.deployments.cursor()),
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// One open stream, counted while it lives.
struct Counted(AppState);

impl Counted {
    fn new(state: &AppState) -> Self {
        state.metrics.streams.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run(
    state: AppState,
    signed: Signed,
    topic: Topic,
    cursor: Option<String>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let (send, receive) = mpsc::channel::<Event>(4);
    tokio::spawn(async move {
        let _counted = Counted::new(&state);
        let work = async {
            if topic.live() {
                live(
                    &state,
                    &signed,
                    &topic,
                    cursor.and_then(|c| c.parse().ok()),
                    &send,
                )
                .await
            } else {
                looked_at(&state, &signed, &topic, cursor, &send).await
            }
        };
        tokio::select! {
            () = state.stop.cancelled() => {}
            () = send.closed() => {}
            () = session_over(&state, &signed) => {
                let _ = send.try_send(Event::default().event("ended").data("session"));
            }
            () = work => {}
        }
    });
    ReceiverStream::new(receive).map(Ok)
}

/// Comes back when the session is no more.
async fn session_over(state: &AppState, signed: &Signed) {
    loop {
        tokio::time::sleep(SESSION_EVERY).await;
        let ctx = &state.services.ctx;
        match ctx
            .store
            .session_load(&signed.session.id_hash, ctx.clock.now())
            .await
        {
            Ok(Some(_)) => {}
            Ok(None) => return,
            // Not knowing is no reason to keep telling.
            Err(e) => {
                super::page::log(&e);
                return;
            }
        }
    }
}

fn named(name: &str, cursor: &str) -> Event {
    Event::default().event(name).id(cursor).data(cursor)
}

/// Topics that the clusters' watches push. What happened between the page's load and now is told from
/// memory; where memory does not reach back so far, the page is told to load itself again.
async fn live(
    state: &AppState,
    signed: &Signed,
    topic: &Topic,
    cursor: Option<u64>,
    send: &mpsc::Sender<Event>,
) {
    // Subscribed before memory is asked: what comes in between is told twice rather than not at all.
    let mut events = state.services.deployments.subscribe();
    let now = state.services.deployments.cursor();
    let concerns = |key: &DeploymentKey| topic.concerns(state, &signed.caller, key);
    // A cursor from before this process began says nothing.
    let missed = cursor.map(|c| {
        if c > now {
            Since::TooOld
        } else {
            state.recent.since(c, concerns)
        }
    });
    let first = match missed {
        None | Some(Since::Nothing) => named("ready", &now.to_string()),
        Some(Since::Changed(cursor)) => named("changed", &cursor.to_string()),
        Some(Since::TooOld) => named("reload", &now.to_string()),
    };
    if send.send(first).await.is_err() {
        return;
    }
    let mut there = reachable(state);
    let mut look = tokio::time::interval(CLUSTERS_EVERY);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            // A cluster that goes away tells nothing itself.
            _ = look.tick() => {
                let now = reachable(state);
                if now == there {
                    continue;
                }
                there = now;
                let cursor = state.services.deployments.cursor().to_string();
                if send.send(named("changed", &cursor)).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let event = match event {
            Ok(e) if concerns(&e.key) => {
                let mut latest = e.cursor;
                // What follows at once is told together.
                tokio::time::sleep(QUIET).await;
                while let Ok(e) = events.try_recv() {
                    latest = latest.max(e.cursor);
                }
                named("changed", &latest.to_string())
            }
            Ok(_) => continue,
            Err(RecvError::Lagged(_)) => {
                named("reload", &state.services.deployments.cursor().to_string())
            }
            Err(RecvError::Closed) => return,
        };
        if send.send(event).await.is_err() {
            return;
        }
    }
}

/// Which clusters answer.
fn reachable(state: &AppState) -> Vec<(String, bool)> {
    let ctx = &state.services.ctx;
    ctx.clusters
        .health(ctx.clock.now())
        .into_iter()
        .map(|c| (c.name, c.reachable))
        .collect()
}

/// Topics of the database: their state is looked at, for other replicas write too.
async fn looked_at(
    state: &AppState,
    signed: &Signed,
    topic: &Topic,
    cursor: Option<String>,
    send: &mpsc::Sender<Event>,
) {
    let mut last = cursor;
    let mut open_since: Option<tokio::time::Instant> = None;
    loop {
        // An open stream is an open page: whoever else looks at the change is told.
        if let Topic::Change(id) = topic
            && open_since.is_none_or(|t| t.elapsed() >= OPEN_EVERY)
        {
            open_since = Some(tokio::time::Instant::now());
            if let Err(e) = state.services.changes.seen_by(&signed.caller, *id).await {
                super::page::log(&e);
            }
        }
        match fingerprint(state, &signed.caller, topic).await {
            Ok(now) => {
                if last.as_ref() != Some(&now) {
                    // Without a cursor nobody knows what the page shows.
                    let event = named(if last.is_none() { "ready" } else { "changed" }, &now);
                    if send.send(event).await.is_err() {
                        return;
                    }
                    last = Some(now);
                }
            }
            Err(e) => {
                super::page::log(&e);
                if e.kind != domain::Kind::Unavailable {
                    return;
                }
            }
        }
        let woken = state.wake.changes.notified();
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = woken => tokio::time::sleep(QUIET).await,
        }
    }
}

/// Another text whenever the topic looks different to this caller; pages are rendered with the same.
async fn fingerprint(state: &AppState, caller: &Caller, topic: &Topic) -> Result<String> {
    let services = &state.services;
    match topic {
        Topic::Change(id) => services.changes.mark(caller, *id).await,
        Topic::Queue => services.changes.queue_mark(caller).await,
        Topic::Registries => services.registries.mark(caller).await,
        Topic::Deployment(_) | Topic::Deployments => Ok(services.deployments.cursor().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        assert_eq!(Topic::parse("queue").expect("topic"), Topic::Queue);
        assert_eq!(
            Topic::parse("registries").expect("topic"),
            Topic::Registries
        );
        assert_eq!(
            Topic::parse("deployment:onprem-1/retail-prod/llama").expect("topic"),
            Topic::Deployment(DeploymentKey::new("onprem-1", "retail-prod", "llama"))
        );
        for bad in [
            "",
            "queue:x",
            "deployment:a/b",
            "deployment:a//c",
            "change:1",
            "secrets",
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad}");
        }
    }
}
