//! `/events`: tells an open page that what it shows has changed (server-sent events). It carries no
//! data, only "look again" and a cursor, so that what somebody may see is decided in one place: the
//! page's own load.

use super::{
    auth::Signed,
    page::Fault,
    recent::{Recent, Since},
    state::AppState,
    streams::Open,
    topic::Topic,
};
use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{Kind, Result, place::DeploymentKey};
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use services::{Caller, people::RequestInfo};
use std::{convert::Infallible, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

/// What is not pushed by a cluster is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Whether a cluster is there is looked at so often.
const CLUSTERS_EVERY: Duration = Duration::from_secs(5);
/// A session that has ended, and a right that is gone, end their streams at the next look.
const STANDING_EVERY: Duration = Duration::from_secs(10);
/// So often an open stream counts as a sign of life; a minute without one means closed.
const OPEN_EVERY: Duration = Duration::from_secs(20);
/// Bursts are told once.
const QUIET: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
pub struct Asked {
    topic: String,
    /// Of the page's own load; a full navigation sends no `Last-Event-ID`.
    cursor: Option<String>,
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
    let open = match state.metrics.streams.open(signed.caller.account) {
        Ok(open) => open,
        Err(e) => return Fault::from(e).into_response(),
    };
    // After a reconnection the browser knows better where it was than the page's address does.
    let cursor = headers
        .get("last-event-id")
        .and_then(|v| v.to_str().ok())
        .map(String::from)
        .or(asked.cursor);
    let events = run(state, signed, topic, cursor, open);
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

fn run(
    state: AppState,
    signed: Signed,
    topic: Topic,
    cursor: Option<String>,
    open: Open,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let (send, receive) = mpsc::channel::<Event>(4);
    tokio::spawn(async move {
        let _open = open;
        let (callers, caller) = watch::channel(signed.caller.clone());
        let work = async {
            if topic.live() {
                let cursor = cursor.and_then(|c| c.parse().ok());
                live(&state, &caller, &topic, cursor, &send).await
            } else {
                looked_at(&state, &caller, &topic, cursor, &send).await
            }
        };
        tokio::select! {
            () = state.stop.cancelled() => {}
            () = send.closed() => {}
            last = over(&state, &signed, &topic, &callers) => {
                if let Some(event) = last {
                    let _ = send.try_send(event);
                }
            }
            () = work => {}
        }
    });
    ReceiverStream::new(receive).map(Ok)
}

/// Whether a stream may go on.
#[derive(Debug)]
pub(super) enum Standing {
    /// It may, for who the person is by now.
    Good(Box<Caller>),
    /// The session is no more.
    Over,
    /// What it tells of may no longer be seen.
    Unseen,
}

/// Looks whether the session is there and the person may look at the topic, by the groups that they
/// have now. Errors: it cannot be known.
pub(super) async fn standing(state: &AppState, signed: &Signed, topic: &Topic) -> Result<Standing> {
    let ctx = &state.services.ctx;
    let id = &signed.session.id_hash;
    if ctx.store.session_load(id, ctx.clock.now()).await?.is_none() {
        return Ok(Standing::Over);
    }
    let then = &signed.caller;
    let info = RequestInfo {
        session: then.session.clone(),
        request_id: then.request_id.clone(),
        address: then.address.clone(),
        zone: then.zone.clone(),
    };
    let people = &state.services.people;
    let Some(caller) = people.of_account(then.account, &info).await? else {
        return Ok(Standing::Over);
    };
    match topic.check(state, &caller).await {
        Ok(()) => Ok(Standing::Good(caller.into())),
        Err(e) if matches!(e.kind, Kind::Forbidden | Kind::NotFound) => Ok(Standing::Unseen),
        Err(e) => Err(e),
    }
}

/// Looks so from time to time, and passes on who the person is. Comes back when the stream may not go
/// on, with the last thing to tell the page.
async fn over(
    state: &AppState,
    signed: &Signed,
    topic: &Topic,
    callers: &watch::Sender<Caller>,
) -> Option<Event> {
    loop {
        tokio::time::sleep(STANDING_EVERY).await;
        match standing(state, signed, topic).await {
            Ok(Standing::Good(caller)) => drop(callers.send_replace(*caller)),
            Ok(Standing::Over) => return Some(Event::default().event("ended").data("session")),
            // The page asks for itself again, and is told as everybody is.
            Ok(Standing::Unseen) => return Some(Event::default().event("reload").data("unseen")),
            // Not knowing is no reason to keep telling; the browser comes back by itself.
            Err(e) => {
                super::page::log(&e);
                return None;
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
    caller: &watch::Receiver<Caller>,
    topic: &Topic,
    cursor: Option<u64>,
    send: &mpsc::Sender<Event>,
) {
    // Subscribed before memory is asked: what comes in between is told twice rather than not at all.
    let mut events = state.services.deployments.subscribe();
    let now = state.services.deployments.cursor();
    let concerns = |key: &DeploymentKey| topic.concerns(state, &caller.borrow(), key);
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
    caller: &watch::Receiver<Caller>,
    topic: &Topic,
    cursor: Option<String>,
    send: &mpsc::Sender<Event>,
) {
    let mut last = cursor;
    let mut open_since: Option<tokio::time::Instant> = None;
    loop {
        let caller = caller.borrow().clone();
        // An open stream is an open page: whoever else looks at the change is told.
        if let Topic::Change(id) = topic
            && open_since.is_none_or(|t| t.elapsed() >= OPEN_EVERY)
        {
            open_since = Some(tokio::time::Instant::now());
            if let Err(e) = state.services.changes.seen_by(&caller, *id).await {
                super::page::log(&e);
            }
        }
        match topic.mark(state, &caller).await {
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
                if e.kind != Kind::Unavailable {
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
