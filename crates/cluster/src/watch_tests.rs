//! The watch against an API server that says exactly what each test needs.

use super::*;
use crate::{
    config::{ClusterConfig, Labels, Timing},
    pack::Packed,
};
use domain::Micros;
use http::{Request, Response, StatusCode};
use kube::{
    Client,
    client::Body,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use services::ports::Clock;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use tokio::sync::mpsc;

struct Still;
impl Clock for Still {
    fn now(&self) -> Micros {
        Micros(1)
    }
}

/// One answer of the API server.
enum Say {
    List(&'static [&'static str]),
    /// An error instead of a list or a watch.
    Error(u16),
    /// A watch that ends at once: the place in the history is too old.
    Gone,
    /// A watch in which these are deleted, and then nothing happens.
    Deleted(&'static [&'static str]),
    /// A watch in which nothing happens.
    Quiet,
}

fn object(name: &str) -> Value {
    json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": name, "namespace": "x", "resourceVersion": "1"}, "spec": {}})
}

/// Runs a watch against the script. Answers what the cache held, and how the watch stood, at each
/// request: everything that was said before has been taken in by then.
async fn play(script: Vec<Say>) -> Vec<(usize, Option<Watching>)> {
    play_and_tell(script).await.0
}

/// As [`play`], and at each request whether the watch had been answered before.
async fn play_and_tell(script: Vec<Say>) -> (Vec<(usize, Option<Watching>)>, Vec<bool>) {
    let config = ClusterConfig {
        name: "c".into(),
        kubeconfig: None,
        context: None,
        user_prefix: String::new(),
        group_prefix: String::new(),
        kserve_namespace: "kserve".into(),
        known_group: None,
    };
    let moment = Duration::from_millis(1);
    let timing = Timing {
        probe_again: moment,
        watch_backoff: moment,
        absent_again: moment,
        ..Timing::default()
    };
    let cluster = Arc::new(Cluster::new(
        config,
        Labels::default(),
        timing,
        Arc::new(Still),
    ));
    let requests = script.len();
    let script = Arc::new(Mutex::new(VecDeque::from(script)));
    let (seen, mut log) = mpsc::unbounded_channel();
    let at_server = cluster.clone();
    let service = tower::service_fn(move |_: Request<Body>| {
        let held = at_server.data().count();
        let state = at_server.standing().watches.get("kind").cloned();
        let say = script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let told = at_server.standing().told.contains_key("kind");
        let _ = seen.send(((held, state), told));
        async move {
            let answer = |code: u16, body: String| {
                Ok::<_, std::convert::Infallible>(
                    Response::builder()
                        .status(StatusCode::from_u16(code).unwrap())
                        .body(Body::from(body.into_bytes()))
                        .unwrap(),
                )
            };
            match say {
                Some(Say::List(names)) => {
                    let items: Vec<Value> = names.iter().map(|n| object(n)).collect();
                    answer(200, json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}).to_string())
                }
                Some(Say::Error(code)) => {
                    answer(code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "m", "reason": "R"}).to_string())
                }
                Some(Say::Gone) => {
                    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "message": "too old", "reason": "Expired"});
                    answer(200, format!("{}\n", json!({"type": "ERROR", "object": status})))
                }
                Some(Say::Deleted(names)) => {
                    let lines: String = names.iter().map(|n| format!("{}\n", json!({"type": "DELETED", "object": object(n)}))).collect();
                    answer(200, lines)
                }
                Some(Say::Quiet) | None => std::future::pending().await,
            }
        }
    });
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "serving.kserve.io",
        "v1beta1",
        "InferenceService",
    ));
    let watch = Watch {
        kind: "kind",
        api: Api::<DynamicObject>::all_with(
            noted(&Client::new(service, "default"), &cluster, "kind"),
            &resource,
        ),
        config: Config::default(),
        read: |o: &DynamicObject| serde_json::to_value(o).ok().map(|v| Packed::new(&v)),
        put: |c: &Cluster, change| c.data_mut().objects(change),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(watch.run(cluster, stop.clone()));
    let mut held = (Vec::new(), Vec::new());
    for _ in 0..requests {
        held.extend([log.recv().await.expect("the watch goes on")]);
    }
    stop.cancel();
    running.await.expect("a watch ends when it is told to");
    held
}

#[tokio::test]
async fn only_an_answer_tells_that_a_watch_is_alive() {
    let (_, told) = play_and_tell(vec![
        Say::Error(500),
        Say::Error(403),
        Say::List(&[]),
        Say::Gone,
        Say::Quiet,
    ])
    .await;
    assert_eq!(told, [false, false, false, true, true]);
}

fn counts(held: &[(usize, Option<Watching>)]) -> Vec<usize> {
    held.iter().map(|(n, _)| *n).collect()
}

#[tokio::test]
async fn an_empty_list_is_believed_only_when_it_comes_twice() {
    let held = play(vec![
        Say::List(&["a", "b"]),
        Say::Gone,
        Say::List(&[]),
        Say::List(&["a", "b"]),
        Say::Quiet,
    ])
    .await;
    assert_eq!(counts(&held), [0, 2, 2, 2, 2], "a hiccup empties nothing");
    let held = play(vec![
        Say::List(&["a"]),
        Say::Gone,
        Say::List(&[]),
        Say::List(&[]),
        Say::Quiet,
    ])
    .await;
    assert_eq!(counts(&held), [0, 1, 1, 1, 0], "what is really gone goes");
}

#[tokio::test]
async fn a_failed_list_empties_nothing_and_is_told_when_it_lasts() {
    let held = play(vec![
        Say::List(&["a"]),
        Say::Gone,
        Say::Error(500),
        Say::Error(500),
        Say::Error(500),
        Say::Error(500),
        Say::List(&["a", "b"]),
        Say::Quiet,
    ])
    .await;
    assert_eq!(counts(&held), [0, 1, 1, 1, 1, 1, 1, 2]);
    assert_eq!(
        held[3].1,
        Some(Watching::Running),
        "one failure is a hiccup"
    );
    assert!(
        matches!(&held[6].1, Some(Watching::Broken { problem, .. }) if problem.contains("does not answer")),
        "{:?}",
        held[6].1
    );
    assert_eq!(held[7].1, Some(Watching::Running));
}

#[tokio::test]
async fn a_kind_that_was_never_there_is_absent_and_one_that_vanishes_is_missed() {
    let held = play(vec![
        Say::Error(404),
        Say::Error(404),
        Say::List(&["a"]),
        Say::Gone,
        Say::Error(404),
        Say::Error(403),
        Say::List(&["a"]),
        Say::Quiet,
    ])
    .await;
    assert_eq!(held[1].1, Some(Watching::Absent));
    assert_eq!(held[2].1, Some(Watching::Absent));
    assert_eq!(held[3].1, Some(Watching::Running));
    assert!(
        matches!(&held[5].1, Some(Watching::Broken { problem, .. }) if problem.contains("any more")),
        "{:?}",
        held[5].1
    );
    assert!(
        matches!(&held[6].1, Some(Watching::Broken { problem, .. }) if problem.contains("may not")),
        "{:?}",
        held[6].1
    );
    assert_eq!(held[7], (1, Some(Watching::Running)));
}

#[tokio::test]
async fn a_deletion_that_is_told_counts_at_once() {
    let held = play(vec![
        Say::List(&["a", "b"]),
        Say::Deleted(&["a"]),
        Say::Quiet,
    ])
    .await;
    assert_eq!(counts(&held), [0, 2, 1]);
}
