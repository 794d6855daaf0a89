use crate::given::*;
use domain::{Kind, change::ChangeState, ids::*};
use services::ports::*;
use store::{Db, testing::TestDatabase};

crate::stories!(
    what_ended_never_comes_back,
    limits_hold,
    one_tab_refreshes,
    logout_tokens_count_once,
    a_broken_log_loses_no_logout,
    tokens_stay_while_a_change_needs_them,
    refused_tokens_are_gone,
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
    let by = |jti: &str, issuer: &str, whose| LogoutToken {
        jti: jti.into(),
        expires: at(10),
        issuer: issuer.into(),
        whose,
    };
    let sub = || LoggedOut::Subject("sub".into());
    let ended = db
        .session_logout(
            &by("1", "iss", LoggedOut::Session("sid-b".into())),
            at(4),
            &[],
        )
        .await;
    assert_eq!(ended.unwrap(), Some(1));
    db.session_create(&session("c", account)).await.unwrap();
    let ended = db
        .session_logout(&by("2", "other", sub()), at(4), &[])
        .await;
    assert_eq!(ended.unwrap(), Some(0));
    let ended = db.session_logout(&by("3", "iss", sub()), at(4), &[]).await;
    assert_eq!(ended.unwrap(), Some(1));
    assert_eq!(db.session_sweep(at(5), at(3)).await.unwrap(), 1);
    assert_eq!(db.session_sweep(at(5), at(5)).await.unwrap(), 2);
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
    // Out of time is not out of tokens: the last one seen comes first.
    let found = db.sessions_with_tokens_of(account).await.unwrap();
    let names: Vec<&str> = found.iter().map(|s| s.id_hash.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

async fn one_tab_refreshes(t: &TestDatabase) {
    let (db, account) = given(t).await;
    assert!(db.session_refresh_lease("a", at(1), at(11)).await.unwrap());
    assert!(!db.session_refresh_lease("a", at(2), at(12)).await.unwrap());
    db.session_put_tokens("a", b"new", Some(at(600)))
        .await
        .unwrap();
    assert!(!db.session_refresh_lease("a", at(3), at(13)).await.unwrap());
    db.session_refresh_free("a", at(3)).await.unwrap();
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
    let found = db.sessions_with_tokens_of(account).await.unwrap();
    assert!(found.iter().all(|s| s.id_hash != "c"));
    assert!(
        !db.session_refresh_lease("c", at(99), at(109))
            .await
            .unwrap()
    );
}

async fn logout_tokens_count_once(t: &TestDatabase) {
    let db = t.open().await;
    let token = of_session("a");
    assert_eq!(
        db.session_logout(&token, at(1), &[]).await.unwrap(),
        Some(0)
    );
    assert_eq!(db.session_logout(&token, at(2), &[]).await.unwrap(), None);
    db.session_sweep(at(11), at(11)).await.unwrap();
    assert_eq!(
        db.session_logout(&token, at(12), &[]).await.unwrap(),
        Some(0)
    );
}

fn of_session(id: &str) -> LogoutToken {
    LogoutToken {
        jti: "jti".into(),
        expires: at(10),
        issuer: "iss".into(),
        whose: LoggedOut::Session(format!("sid-{id}")),
    }
}

/// What could not be done is not remembered as done: the provider sends the token again.
async fn a_broken_log_loses_no_logout(t: &TestDatabase) {
    let (db, _) = given(t).await;
    let records = [record(1, "session.end", "session:by-sid")];
    db.break_audit().await.unwrap();
    assert_eq!(
        kind(db.session_logout(&of_session("a"), at(2), &records).await),
        Kind::Internal
    );
    assert!(db.session_load("a", at(3)).await.unwrap().is_some());
    db.mend_audit().await.unwrap();
    let again = db.session_logout(&of_session("a"), at(3), &records).await;
    assert_eq!(again.unwrap(), Some(1));
    assert!(db.session_load("a", at(3)).await.unwrap().is_none());
}

async fn with_tokens(db: &Db, account: AccountId) -> Vec<String> {
    let found = db.sessions_with_tokens_of(account).await.unwrap();
    found.into_iter().map(|s| s.id_hash).collect()
}

async fn tokens_stay_while_a_change_needs_them(t: &TestDatabase) {
    let (db, account) = given(t).await;
    let (other, others) = person(&db, 2).await;
    for id in ["c", "d"] {
        db.session_create(&session(id, others)).await.unwrap();
    }
    let (change, revision, item) = change(1, "llama", (other, others));
    db.change_create(&change, &revision, &[item], &[], None, &[])
        .await
        .unwrap();
    // Signed out here, ended by the provider, run out of time.
    for id in ["a", "c"] {
        assert!(db.session_end(id, at(2), &[]).await.unwrap());
    }
    assert_eq!(with_tokens(&db, account).await, ["b"]);
    db.session_logout(&of_session("d"), at(3), &[])
        .await
        .unwrap();
    db.session_sweep(at(9000), at(8000)).await.unwrap();
    assert!(with_tokens(&db, account).await.is_empty());
    assert_eq!(with_tokens(&db, others).await, ["c", "d"]);
    // The worker refreshes by them; nobody signs in by them.
    assert!(db.session_load("c", at(3)).await.unwrap().is_none());
    assert!(
        db.session_refresh_lease("c", at(9000), at(9060))
            .await
            .unwrap()
    );
    db.session_put_tokens("c", b"rotated", None).await.unwrap();
    let row = db.session_with_tokens("c").await.unwrap().unwrap();
    assert_eq!(row.tokens.as_deref(), Some(&b"rotated"[..]));
    // The change ends: nothing needs them any more.
    db.transition(&to(change.id, 1, ChangeState::Withdrawn), &[], &[])
        .await
        .unwrap();
    assert_eq!(db.session_sweep(at(9001), at(8000)).await.unwrap(), 2);
    assert!(with_tokens(&db, others).await.is_empty());
}

async fn refused_tokens_are_gone(t: &TestDatabase) {
    let (db, account) = given(t).await;
    let who = (PersonId(uuid(1)), account);
    let (change, revision, item) = change(1, "llama", who);
    db.change_create(&change, &revision, &[item], &[], None, &[])
        .await
        .unwrap();
    let records = [record(1, "session.end", "session:a")];
    assert!(db.session_refused("a", at(2), &records).await.unwrap());
    assert!(db.session_load("a", at(2)).await.unwrap().is_none());
    // One that was over already ends without a record.
    db.session_end("b", at(2), &[]).await.unwrap();
    assert!(!db.session_refused("b", at(3), &records).await.unwrap());
    assert!(with_tokens(&db, account).await.is_empty());
    assert_eq!(db.audit_list(&all(), None, 10).await.unwrap().rows.len(), 1);
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
