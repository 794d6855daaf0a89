use domain::Kind;
use store::{Options, connect, testing::*};

crate::stories!(
    a_database_opens_again,
    another_key_is_refused,
    a_newer_schema_is_refused
);

async fn a_database_opens_again(t: &TestDatabase) {
    let db = t.open().await;
    db.ping().await.unwrap();
    db.close().await;
    assert_eq!(db.ping().await.unwrap_err().kind, Kind::Unavailable);
    t.open().await.ping().await.unwrap();
}

async fn another_key_is_refused(t: &TestDatabase) {
    t.open().await.close().await;
    let other = Options {
        keyring: ::audit::Keyring::new(&[1; 32]),
        ..options()
    };
    let e = connect(&t.url, other).await.err().unwrap();
    assert_eq!(e.kind, Kind::Invalid);
    assert!(e.message.contains("server.secret_key"), "{}", e.message);
}

async fn a_newer_schema_is_refused(t: &TestDatabase) {
    let db = t.open().await;
    // As a later version would have left it.
    db.execute_for_test("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 8")
        .await
        .unwrap();
    db.close().await;
    let e = connect(&t.url, options()).await.err().unwrap();
    assert_eq!(e.kind, Kind::Invalid);
    assert!(
        e.message.contains("newer Gatehouse") && e.remedy.is_some(),
        "{}",
        e.message
    );
}

#[tokio::test]
async fn a_wrong_address_says_what_to_write() {
    for url in [
        "",
        "mysql://x",
        "gatehouse.db",
        "sqlite::memory:",
        "postgres://user:hunter2@[bad",
    ] {
        let e = connect(url, options()).await.err().unwrap();
        assert_eq!(e.kind, Kind::Invalid, "{url}");
        assert!(
            e.remedy.is_some() && !e.message.contains("hunter2"),
            "{}",
            e.message
        );
    }
    let e = connect("sqlite:/nonexistent-folder/gatehouse.db", options())
        .await
        .err()
        .unwrap();
    assert_eq!(e.kind, Kind::Unavailable);
    assert!(e.message.contains("/nonexistent-folder/gatehouse.db"));
}
