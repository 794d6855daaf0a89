//! The console's own rights, asked of an API server that answers as each test needs.

use super::*;
use crate::{
    config::{ClusterConfig, Labels, Timing},
    connect::Connection,
};
use domain::ids::ClusterId;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use services::ports::Clock;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

struct At(i64);
impl Clock for At {
    fn now(&self) -> Micros {
        Micros(self.0)
    }
}

/// Answers with what `say` makes of a question's attributes; `None`: never.
fn cluster(say: fn(&Value) -> Option<bool>) -> (Cluster, Arc<AtomicUsize>) {
    let config = ClusterConfig {
        name: "c".into(),
        kubeconfig: None,
        context: None,
        user_prefix: "oidc:".into(),
        group_prefix: "oidc:".into(),
        kserve_namespace: "redhat-ods-applications".into(),
        known_group: Some("gh-ai".into()),
    };
    let cluster = Cluster::new(
        config,
        Labels::default(),
        Timing::default(),
        Arc::new(At(7)),
    );
    cluster.standing_mut().id = Some(ClusterId("id".into()));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let review: Value = serde_json::from_slice(&body).unwrap();
            match say(&review["spec"]["resourceAttributes"]) {
                Some(allowed) => {
                    let answer = json!({"status": {"allowed": allowed}}).to_string();
                    Ok::<_, std::convert::Infallible>(Response::new(Body::from(
                        answer.into_bytes(),
                    )))
                }
                None => std::future::pending().await,
            }
        }
    });
    let client = Client::new(service, "default");
    cluster.set_connection(Some(Connection {
        watch: client.clone(),
        call: client,
        server: "http://c".into(),
    }));
    (cluster, asked)
}

fn writes(a: &Value) -> bool {
    matches!(
        a["verb"].as_str(),
        Some("create" | "patch" | "update" | "delete")
    ) && a["resource"] == "inferenceservices"
}

#[tokio::test]
async fn a_cluster_that_hangs_is_waited_for_once_and_what_it_said_before_is_shown() {
    let (silent, _) = cluster(|_| None);
    let moment = Duration::from_millis(1);
    let answer = silent.ask_within(moment, None).await;
    assert!(!answer.all.is_empty() && answer.all.iter().all(|p| p.allowed.is_none()));
    assert_eq!(
        (answer.as_of, answer.problem.as_deref()),
        (None, Some(SILENT))
    );
    let before = Permissions {
        all: vec![],
        as_of: Some(Micros(3)),
        problem: None,
    };
    let answer = silent.ask_within(moment, Some(before)).await;
    assert_eq!(
        (answer.as_of, answer.problem.as_deref()),
        (Some(Micros(3)), Some(SILENT))
    );
}

#[tokio::test]
async fn a_good_answer_is_kept_and_one_with_gaps_is_asked_for_again() {
    let (good, asked) = cluster(|a| Some(!writes(a)));
    let answer = good.own_permissions().await;
    assert_eq!((answer.as_of, &answer.problem), (Some(Micros(7)), &None));
    assert!(answer.all.iter().all(|p| p.allowed == Some(true)));
    let once = asked.load(Ordering::Relaxed);
    assert_eq!(good.own_permissions().await, answer);
    assert_eq!(asked.load(Ordering::Relaxed), once);
    let (poor, asked) = cluster(|a| Some(a["resource"] != "pods" && !writes(a)));
    let _ = poor.own_permissions().await;
    let once = asked.load(Ordering::Relaxed);
    let _ = poor.own_permissions().await;
    assert_eq!(asked.load(Ordering::Relaxed), 2 * once);
}

#[tokio::test]
async fn a_right_that_is_given_by_names_is_asked_for_by_one() {
    let (c, _) = cluster(|a| Some(a["resource"] != "groups" || a["name"] == "oidc:gh-ai"));
    let answer = c.own_permissions().await;
    let groups = answer
        .all
        .iter()
        .find(|p| p.what.contains("impersonate groups"))
        .unwrap();
    assert_eq!(groups.allowed, Some(true));
    assert!(groups.what.contains("oidc:gh-ai"), "{}", groups.what);
    let (c, _) = cluster(|a| Some(a["resource"] != "groups"));
    let answer = c.own_permissions().await;
    assert!(
        answer
            .all
            .iter()
            .any(|p| p.what == "impersonate groups" && p.allowed == Some(false))
    );
}

#[tokio::test]
async fn kserves_own_settings_are_asked_for_where_it_runs() {
    let (c, _) = cluster(|a| {
        Some(a["resource"] != "configmaps" || a["namespace"] == "redhat-ods-applications")
    });
    let answer = c.own_permissions().await;
    let line = answer
        .all
        .iter()
        .find(|p| p.what.starts_with("list configmaps"))
        .unwrap();
    assert_eq!(line.what, "list configmaps in redhat-ods-applications");
    assert_eq!(line.allowed, Some(true));
}
