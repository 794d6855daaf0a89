use crate::given::*;
use domain::{Kind, ids::*};
use services::ports::*;
use store::{Db, testing::TestDatabase};

crate::stories!(
    what_ended_never_comes_back,
    limits_hold,
    one_tab_refreshes,
    logout_tokens_count_once,
    a_broken_log_keeps_a_session_alive
);

fn session(id: &str, account: AccountId) -> SessionRow {
    SessionRow {
        id_hash: id.into(),
        public_id: format!("public-{id}"),
        account: Some(account),
        issuer: Some("iss".into()),
        subject: Some("sub".into()),
        sid: Some(format!("sid-{id}")),
        created_at: at(0),
        seen_at: at(0),
        idle_until: at(1800),
        absolute_until: at(7200),
        ended_at: None,
        tokens: Some(vec![0, 255, 1]),
        tokens_expire_at: Some(at(300)),
        data: b"{}".to_vec(),
    }
}

async fn given(t: &TestDatabase) -> (std::sync::Arc<Db>, AccountId) {
    let db = t.open().await;
    let (_, account) = person(&db, 1).await;
    for id in ["a", "b"] {
        db.session_create(&session(id, account)).await.unwrap();
    }
    (db, account)
}

async fn what_ended_never_comes_back(t: &TestDatabase) {
    let (db, account) = given(t).await;
    assert_eq!(
        kind(db.session_create(&session("a", account)).await),
        Kind::Conflict
    );
    assert_eq!(
        db.session_load("a", at(1)).await.unwrap(),
        Some(session("a", account))
    );
    assert!(db.session_save("a", b"{\"x\":1}", at(1)).await.unwrap());
    assert_eq!(
        db.session_load("a", at(1)).await.unwrap().unwrap().data,
        b"{\"x\":1}"
    );
    assert!(
        db.session_end("a", at(2), &[record(1, "session.end", "session:a")])
            .await
            .unwrap()
    );
    assert!(
        !db.session_end("a", at(3), &[record(2, "session.end", "session:a")])
            .await
            .unwrap()
    );
    assert!(!db.session_save("a", b"late", at(3)).await.unwrap());
    db.session_put_tokens("a", b"late", None).await.unwrap();
    db.session_touch("a", at(3), at(9999)).await.unwrap();
    assert_eq!(db.session_load("a", at(3)).await.unwrap(), None);
    assert_eq!(
        db.count_for_test(
            "SELECT count(*) AS n FROM sessions WHERE ended_at IS NOT NULL AND tokens IS NULL"
        )
        .await
        .unwrap(),
        1
    );
    assert_eq!(db.audit_list(&all(), None, 10).await.unwrap().rows.len(), 1);
    assert_eq!(
        db.session_end_by_sid("iss", "sid-b", at(4), &[])
            .await
            .unwrap(),
        1
    );
    db.session_create(&session("c", account)).await.unwrap();
    assert_eq!(
        db.session_end_by_subject("other", "sub", at(4), &[])
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        db.session_end_by_subject("iss", "sub", at(4), &[])
            .await
            .unwrap(),
        1
    );
    assert_eq!(db.session_sweep(at(3)).await.unwrap(), 1);
    assert_eq!(db.session_sweep(at(5)).await.unwrap(), 2);
}

fn all() -> AuditFilter {
    AuditFilter {
        scopes: vec![(vec!["*".into()], vec!["*".into()])],
        ..AuditFilter::default()
    }
}

async fn limits_hold(t: &TestDatabase) {
    let (db, account) = given(t).await;
    assert!(db.session_load("a", at(1799)).await.unwrap().is_some());
    assert!(db.session_load("a", at(1800)).await.unwrap().is_none());
    db.session_touch("a", at(60), at(1860)).await.unwrap();
    assert!(db.session_load("a", at(1800)).await.unwrap().is_some());
    // Too late to move the limit.
    db.session_touch("b", at(1800), at(9000)).await.unwrap();
    assert!(db.session_load("b", at(1801)).await.unwrap().is_none());
    db.session_touch("a", at(1800), at(9000)).await.unwrap();
    assert!(db.session_load("a", at(7199)).await.unwrap().is_some());
    assert!(db.session_load("a", at(7200)).await.unwrap().is_none());
    assert_eq!(
        db.session_latest_of(account, at(100))
            .await
            .unwrap()
            .unwrap()
            .id_hash,
        "a"
    );
}

async fn one_tab_refreshes(t: &TestDatabase) {
    let (db, account) = given(t).await;
    assert!(db.session_refresh_lease("a", at(1), at(11)).await.unwrap());
    assert!(!db.session_refresh_lease("a", at(2), at(12)).await.unwrap());
    db.session_put_tokens("a", b"new", Some(at(600)))
        .await
        .unwrap();
    assert!(db.session_refresh_lease("a", at(3), at(13)).await.unwrap());
    // Whoever took it died: it runs out.
    assert!(db.session_refresh_lease("a", at(13), at(23)).await.unwrap());
    let row = db.session_load("a", at(13)).await.unwrap().unwrap();
    assert_eq!(
        (row.tokens.as_deref(), row.tokens_expire_at),
        (Some(&b"new"[..]), Some(at(600)))
    );
    db.session_create(&SessionRow {
        tokens: None,
        seen_at: at(99),
        ..session("c", account)
    })
    .await
    .unwrap();
    assert_ne!(
        db.session_latest_of(account, at(100))
            .await
            .unwrap()
            .unwrap()
            .id_hash,
        "c"
    );
}

async fn logout_tokens_count_once(t: &TestDatabase) {
    let db = t.open().await;
    assert!(db.logout_token_once("jti", at(10)).await.unwrap());
    assert!(!db.logout_token_once("jti", at(10)).await.unwrap());
    db.session_sweep(at(11)).await.unwrap();
    assert!(db.logout_token_once("jti", at(30)).await.unwrap());
}

async fn a_broken_log_keeps_a_session_alive(t: &TestDatabase) {
    let (db, _) = given(t).await;
    db.break_audit().await.unwrap();
    assert_eq!(
        kind(
            db.session_end("a", at(2), &[record(1, "session.end", "session:a")])
                .await
        ),
        Kind::Internal
    );
    assert!(db.session_load("a", at(3)).await.unwrap().is_some());
    db.mend_audit().await.unwrap();
    assert!(
        db.session_end("a", at(2), &[record(1, "session.end", "session:a")])
            .await
            .unwrap()
    );
}
