use crate::given::*;
use domain::{Kind, change::*};
use services::ports::*;
use std::collections::BTreeSet;
use store::testing::TestDatabase;

crate::stories!(
    of_many_approvers_one_wins,
    jobs_are_shared_out,
    of_one_object_one_worker_has_a_job,
    the_log_has_no_gaps
);

async fn of_many_approvers_one_wins(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, &[i], &[], None, &[])
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 2..10u128 {
        let approver = person(&db, n).await;
        let (db, d, t) = (
            db.clone(),
            approval(n, &r, approver),
            to(c.id, 1, ChangeState::Held),
        );
        tasks.spawn(async move {
            db.decide(&d, Some(&t), 1, &[record(n, "change.approve", "c")])
                .await
                .map_err(|e| e.kind)
        });
    }
    let ends = tasks.join_all().await;
    assert_eq!(ends.iter().filter(|e| e.is_ok()).count(), 1, "{ends:?}");
    assert_eq!(
        ends.iter().filter(|e| **e == Err(Kind::Conflict)).count(),
        7,
        "{ends:?}"
    );
    assert_eq!(db.decisions(c.id).await.unwrap().len(), 1);
    assert_eq!(
        db.count_for_test("SELECT count(*) AS n FROM audit_records")
            .await
            .unwrap(),
        1
    );
}

async fn jobs_are_shared_out(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    for n in 1..=8 {
        let (mut c, r, i) = change(n, &format!("llama-{n}"), who);
        c.state = ChangeState::Queued;
        db.change_create(&c, &r, std::slice::from_ref(&i), &[job(n, &i)], None, &[])
            .await
            .unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..4 {
        let db = db.clone();
        tasks.spawn(async move {
            let mut mine = vec![];
            while let Some(job) = db
                .job_claim(
                    &[JobKind::Apply],
                    &format!("w{worker}"),
                    at(300),
                    at(400),
                    &[],
                )
                .await
                .unwrap()
            {
                mine.push(job.key);
            }
            mine
        });
    }
    let claimed: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 8);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 8);
}

async fn of_one_object_one_worker_has_a_job(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    for n in 1..=8 {
        let (mut c, r, i) = change(n, "llama", who);
        c.state = ChangeState::Queued;
        db.change_create(&c, &r, std::slice::from_ref(&i), &[job(n, &i)], None, &[])
            .await
            .unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let db = db.clone();
        tasks.spawn(async move {
            let who = format!("w{worker}");
            db.job_claim(&[JobKind::Apply], &who, at(300), at(400), &[])
                .await
                .unwrap()
        });
    }
    let claimed: Vec<Job> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    assert!(db.job_done(&claimed[0].fence, at(301), &[]).await.unwrap());
    let next = db.job_claim(&[JobKind::Apply], "w", at(301), at(401), &[]);
    let next = next.await.unwrap().unwrap();
    // The lease of a worker that died keeps nobody for ever.
    let dead = db.job_claim(&[JobKind::Apply], "w", at(401), at(501), &[]);
    assert_ne!(next.fence, dead.await.unwrap().unwrap().fence);
}

async fn the_log_has_no_gaps(t: &TestDatabase) {
    let db = t.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24u128 {
        let db = db.clone();
        // Every third writes a record that is there already, and fails.
        let id = if n % 3 == 0 { 1000 } else { n };
        tasks.spawn(async move {
            db.audit_append(&[record(2000 + n, "a", "b"), record(id, "a", "b")])
                .await
                .is_ok()
        });
    }
    let written = tasks.join_all().await.into_iter().filter(|ok| *ok).count() as i64;
    assert_eq!(written, 17);
    assert_eq!(
        db.count_for_test("SELECT count(*) AS n FROM audit_records")
            .await
            .unwrap(),
        written * 2
    );
    assert_eq!(
        db.count_for_test("SELECT max(seq) AS n FROM audit_records")
            .await
            .unwrap(),
        written * 2
    );
}
