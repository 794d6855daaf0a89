//! What the log hands out is checked as a stranger would: with the public key from `/log/keys` alone.

use super::house::*;
use ::http::StatusCode;
use audit::{
    checkpoint,
    evidence::{Checked, Reader},
};

async fn keys(b: &mut Browser<'_>) -> Vec<String> {
    let answer = b.get("/log/keys").await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.body.lines().map(str::to_owned).collect()
}

fn checked(keys: &[String], text: &str) -> domain::Result<Checked> {
    let mut reader = Reader::new(keys);
    for line in text.lines() {
        reader.line(line)?;
    }
    reader.end()
}

#[tokio::test]
async fn evidence_is_checked_with_the_public_key_alone() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    let keys = keys(&mut b).await;

    // Whoever signed in reads what they did themselves: filtered, and said to be.
    let all = b.get("/audit/evidence").await;
    assert_eq!(all.status, StatusCode::OK);
    assert!(
        all.header("content-disposition")
            .contains("gatehouse-evidence.jsonl")
    );
    let found = checked(&keys, &all.body).expect("as the log has it");
    assert!(found.records >= 2, "{}", all.body);
    assert!(!found.heading.filter.is_null());
    assert!(all.body.contains("\"who\":{"), "people can read who it was");

    // A checkpoint that was fetched says the same of the log.
    let note = b.get("/log/checkpoint").await.body;
    let head = checkpoint::open(&note, &keys).expect("signed");
    assert!(head.size >= found.head.size);
    assert_eq!(head.origin, found.head.origin);

    // One record by itself is complete evidence.
    let one = b.get("/audit/1/evidence").await;
    let found = checked(&keys, &one.body).expect("as the log has it");
    assert_eq!(
        (found.records, found.heading.first, found.heading.last),
        (1, 1, 1)
    );
    assert!(found.heading.filter.is_null());
    let forged = one.body.replacen("session.start", "session.stars", 1);
    let error = checked(&keys, &forged).expect_err("it was changed");
    assert_eq!(
        error.message,
        "record 1 was changed: it is not what the log has"
    );

    for (path, status) in [
        ("/audit/999999/evidence", StatusCode::NOT_FOUND),
        ("/audit/x/evidence", StatusCode::NOT_FOUND),
        (
            "/audit/evidence?from=yesterday",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        assert_eq!(b.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn anybody_may_watch_the_tree_and_nobody_the_records() {
    let house = House::new().await;
    let mut stranger = house.browser();
    assert_eq!(
        stranger.get("/log/checkpoint").await.status,
        StatusCode::NOT_FOUND
    );
    let mut b = house.browser();
    b.sign_in().await;
    b.get("/audit/evidence").await;

    let note = stranger.get("/log/checkpoint").await;
    let size = checkpoint::claimed(&note.body).expect("a note").size;
    let tile = stranger.get(&format!("/log/tile/0/000.p/{size}")).await;
    assert_eq!(tile.status, StatusCode::OK);
    assert_eq!(tile.header("content-type"), "application/octet-stream");
    let beyond = stranger
        .get(&format!("/log/tile/0/000.p/{}", size + 100))
        .await;
    assert_eq!(beyond.status, StatusCode::NOT_FOUND);
    for path in ["/audit/evidence", "/audit/1/evidence"] {
        let answer = stranger.get(path).await;
        assert_ne!(answer.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_log_that_was_changed_is_not_signed_again() {
    let house = House::new().await;
    let mut b = house.browser();
    b.sign_in().await;
    assert_eq!(b.get("/audit/evidence").await.status, StatusCode::OK);
    // Another history under the same positions: the hashes that were signed are of the old one.
    house
        .db
        .execute_for_test("UPDATE audit_tiles SET hashes = zeroblob(length(hashes))")
        .await
        .expect("done");
    let refused = b.get("/audit/evidence").await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    let last = house.state.services.checkpoints.last().await.expect("read");
    assert!(last.is_some(), "what was signed stays");
}
