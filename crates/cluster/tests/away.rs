//! A cluster that is away, slow or half broken: what was seen stays, says how old it is, and comes
//! back by itself. Needs a world with proxies (`gatehouse-world start --proxies`). One test: the
//! faults are for the whole cluster.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod support;

use serde_json::json;
use services::ports::{Clusters as _, ObjectVersion, Refusal};
use std::time::Duration;
use support::{World, manifest};

#[tokio::test]
async fn a_cluster_that_is_away_is_shown_as_it_was() {
    let Some(w) = World::join().await else { return };
    if !w.fault(None).await {
        return;
    }
    let name = "c-away";
    w.clear(name).await;
    let made = w
        .fleet
        .apply(&w.cluster, &w.ai(), &manifest(name), None)
        .await
        .unwrap();
    w.until("its row is there", || w.row(name).is_some_and(|r| !r.stale))
        .await;
    let deployments = w.fleet.health(w.now())[0].deployments;

    let mut events = w.fleet.subscribe();
    // Connections are closed.
    w.fault(Some(json!({"cut": true}))).await;
    w.until("the cluster is away", || !w.health().0).await;
    assert!(
        w.health().1.is_some_and(|p| p.contains("old")),
        "{:?}",
        w.health()
    );
    let told = tokio::time::timeout(Duration::from_secs(10), async {
        while events.recv().await.is_ok_and(|e| e.key != w.key(name)) {}
    });
    assert!(told.await.is_ok(), "readers are told");
    let stale = w.row(name).expect("what was seen stays");
    assert!(stale.stale);
    assert!(w.fleet.live(&w.key(name), w.now()).is_some_and(|l| l.stale));
    assert!(matches!(
        w.fleet.read(&w.cluster, &w.key(name)).await,
        Err(Refusal::Unavailable {
            maybe_done: false,
            ..
        })
    ));
    w.fault(None).await;
    w.until("it is back", || w.health() == (true, None)).await;
    w.until("its rows are fresh", || {
        w.row(name)
            .is_some_and(|r| !r.stale && r.as_of > stale.as_of)
    })
    .await;

    // It takes requests and never answers: nobody knows what an apply did.
    w.fault(Some(json!({"hang": true, "methods": ["PATCH"]})))
        .await;
    let made = ObjectVersion::of(&made.object);
    let lost = w
        .fleet
        .apply(&w.cluster, &w.ai(), &manifest(name), made.as_ref())
        .await;
    assert!(
        matches!(
            lost,
            Err(Refusal::Unavailable {
                maybe_done: true,
                ..
            })
        ),
        "{lost:?}"
    );
    let dry = w.fleet.dry_run(&w.cluster, &w.ai(), &manifest(name)).await;
    assert!(
        matches!(
            dry,
            Err(Refusal::Unavailable {
                maybe_done: false,
                ..
            })
        ),
        "{dry:?}"
    );

    // Only deployments cannot be listed: that is no empty list.
    w.fault(Some(json!({"status": 500, "path": "inferenceservices"})))
        .await;
    w.drop_watches().await;
    w.until("the list is marked", || {
        w.row(name).is_some_and(|r| r.stale)
    })
    .await;
    assert_eq!(w.fleet.health(w.now())[0].deployments, deployments);
    assert!(w.health().0, "the cluster itself is there");
    w.fault(Some(json!({"status": 404, "path": "inferenceservices"})))
        .await;
    w.until("the kind is missed", || {
        w.health()
            .1
            .is_some_and(|p| p.contains("does not know this kind any more"))
    })
    .await;
    assert!(w.row(name).is_some_and(|r| r.stale));
    w.fault(None).await;
    w.until("all is well", || {
        w.health() == (true, None) && w.row(name).is_some_and(|r| !r.stale)
    })
    .await;
    w.clear(name).await;
    w.until("its row is gone", || w.row(name).is_none()).await;
}
