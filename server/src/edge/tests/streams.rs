//! Streams of news: for whom, how many, and until when.

use super::house::*;
use crate::{
    edge::{
        Signed,
        events::{Standing, standing},
        topic::Topic,
    },
    session::{self, COOKIE},
};
use ::http::{StatusCode, header};
use axum::{body::Body, extract::Request, response::Response};
use domain::person::{GroupSnapshot, GroupSource};
use services::people::RequestInfo;
use std::{sync::Arc, time::Duration};
use tower::ServiceExt as _;

/// Opens a stream and leaves it open until the answer is dropped.
async fn open(b: &Browser<'_>) -> Response {
    let request = Request::builder()
        .uri("/events?topic=queue")
        .header("host", "127.0.0.1:1")
        .header("accept", "text/event-stream")
        .header("cookie", format!("{COOKIE}={}", b.cookies[COOKIE]))
        .body(Body::empty())
        .expect("request");
    let router = b.house.router.clone();
    router.oneshot(request).await.expect("answered")
}

#[tokio::test]
async fn one_account_has_no_more_than_its_share_of_streams() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let answer = open(&b).await;
        assert_eq!(answer.status(), StatusCode::OK);
        streams.push(answer);
    }
    let refused = open(&b).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(house.state.metrics.streams.count(), 20);
    drop(streams);
    let all_gone = async {
        while house.state.metrics.streams.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_gone)
        .await
        .expect("whoever goes gives theirs back");
    assert_eq!(open(&b).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_stream_ends_with_the_right_and_with_the_session() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let id = session::id_hash(&b.cookies[COOKIE].parse().expect("an id"));
    let now = house.state.now();
    let row = house.store.session_load(&id, now).await.expect("asked");
    let session = Arc::new(row.expect("there"));
    let account = session.account.expect("an account");
    let people = &house.state.services.people;
    let caller = people.of_account(account, &RequestInfo::default()).await;
    let caller = caller.expect("asked").expect("there");
    let signed = Signed { caller, session };
    let topic = Topic::parse("registries").expect("a topic");
    let look = async || {
        standing(&house.state, &signed, &topic)
            .await
            .expect("known")
    };
    let Standing::Good(caller) = look().await else {
        panic!("nothing happened yet")
    };
    assert_eq!(caller.grants, signed.caller.grants);

    // The provider says that the groups are others now.
    let groups = GroupSnapshot {
        groups: vec!["gh-none".into()],
        source: GroupSource::Refresh,
        taken_at: house.state.now().plus(1),
    };
    house
        .store
        .record_groups(account, &groups, &[])
        .await
        .expect("kept");
    assert!(matches!(look().await, Standing::Unseen));
    // What everybody may follow goes on, with the rights of now.
    let queue = standing(&house.state, &signed, &Topic::Queue).await;
    let Ok(Standing::Good(caller)) = queue else {
        panic!("the queue is for all: {queue:?}")
    };
    assert!(caller.grants.is_empty());

    house
        .store
        .session_end(&id, house.state.now(), &[])
        .await
        .expect("ended");
    assert!(matches!(look().await, Standing::Over));
}
