use crate::given::*;
use domain::{Kind, change::*};
use services::ports::*;
use store::{Db, testing::TestDatabase};

crate::stories!(
    a_job_is_done_once,
    urgent_ones_go_first_and_none_to_a_busy_cluster,
    whoever_lost_a_job_writes_nothing
);

/// A queued change with one job, due at 200 s.
async fn queued(db: &Db) -> (Change, Item) {
    let who = person(db, 1).await;
    let (mut c, r, i) = change(1, "llama", who);
    c.state = ChangeState::Queued;
    db.change_create(&c, &r, std::slice::from_ref(&i), &[job(1, &i)], None, &[])
        .await
        .unwrap();
    (c, i)
}

async fn claim(db: &Db, worker: &str, now: i64) -> Option<Job> {
    db.job_claim(&[JobKind::Apply], worker, at(now), at(now + 30), &[])
        .await
        .unwrap()
}

async fn a_job_is_done_once(t: &TestDatabase) {
    let db = t.open().await;
    let (_, i) = queued(&db).await;
    assert_eq!(claim(&db, "a", 199).await, None);
    assert_eq!(
        db.job_claim(&[], "a", at(200), at(230), &[]).await.unwrap(),
        None
    );
    let mine = claim(&db, "a", 200).await.unwrap();
    assert_eq!(
        (mine.key.as_str(), mine.attempts, mine.fence.epoch),
        (job(1, &i).key.as_str(), 1, 1)
    );
    assert_eq!(claim(&db, "b", 229).await, None);
    assert!(db.job_extend(&mine.fence, at(300)).await.unwrap());
    assert_eq!(claim(&db, "b", 299).await, None);
    assert!(
        db.job_retry(&mine.fence, at(400), "the cluster is away")
            .await
            .unwrap()
    );
    assert_eq!(claim(&db, "b", 399).await, None);
    let theirs = claim(&db, "b", 400).await.unwrap();
    assert_eq!(theirs.attempts, 2);
    assert!(
        !db.job_done(&mine.fence, at(401), &[record(1, "x", "y")])
            .await
            .unwrap()
    );
    assert!(
        db.job_done(&theirs.fence, at(401), &[record(2, "x", "y")])
            .await
            .unwrap()
    );
    assert!(!db.job_done(&theirs.fence, at(402), &[]).await.unwrap());
    assert_eq!(claim(&db, "c", 9999).await, None);
    assert_eq!(
        db.count_for_test("SELECT count(*) AS n FROM audit_records")
            .await
            .unwrap(),
        1
    );
}

async fn urgent_ones_go_first_and_none_to_a_busy_cluster(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    for (n, cluster, urgent) in [(1, "a", false), (2, "b", true), (3, "a", true)] {
        let (mut c, r, i) = change(n, &format!("llama-{n}"), who);
        c.state = ChangeState::Queued;
        let job = NewJob {
            cluster: cluster.into(),
            urgent,
            ..job(n, &i)
        };
        db.change_create(&c, &r, &[i], &[job], None, &[])
            .await
            .unwrap();
    }
    let claim = async |except: &[&str]| {
        let except: Vec<String> = except.iter().map(|c| (*c).into()).collect();
        let job = db
            .job_claim(&[JobKind::Apply], "w", at(200), at(230), &except)
            .await
            .unwrap();
        job.map(|j| (j.id, j.cluster))
    };
    let id = |n: u128| domain::ids::JobId(uuid(5000 + n));
    assert_eq!(claim(&["a", "b"]).await, None);
    assert_eq!(claim(&[]).await, Some((id(2), "b".into())));
    assert_eq!(claim(&["a"]).await, None);
    assert_eq!(claim(&["b"]).await, Some((id(3), "a".into())));
    assert_eq!(claim(&[]).await, Some((id(1), "a".into())));
}

async fn whoever_lost_a_job_writes_nothing(t: &TestDatabase) {
    let db = t.open().await;
    let (c, mut i) = queued(&db).await;
    let old = claim(&db, "a", 200).await.unwrap();
    let new = claim(&db, "b", 230).await.unwrap();
    assert!(!db.job_extend(&old.fence, at(999)).await.unwrap());
    i.state = ItemState::Applying;
    let applying = to(c.id, 1, ChangeState::Applying);
    assert_eq!(
        kind(
            db.item_update(
                &i,
                &old.fence,
                Some(&applying),
                &[record(1, "item.apply", "x")]
            )
            .await
        ),
        Kind::Conflict
    );
    assert_eq!(
        db.item_get(i.id).await.unwrap().unwrap().state,
        ItemState::Queued
    );
    // The log broken: no intent, so no step and no state.
    db.break_audit().await.unwrap();
    assert_eq!(
        kind(
            db.item_update(
                &i,
                &new.fence,
                Some(&applying),
                &[record(2, "item.apply", "x")]
            )
            .await
        ),
        Kind::Internal
    );
    assert_eq!(
        db.change_get(c.id).await.unwrap().unwrap().state,
        ChangeState::Queued
    );
    db.mend_audit().await.unwrap();
    db.item_update(
        &i,
        &new.fence,
        Some(&applying),
        &[record(2, "item.apply", "x")],
    )
    .await
    .unwrap();
    i.state = ItemState::Failed;
    i.message = Some("refused".into());
    // From applying to queued there is no step: nothing of it is written.
    assert_eq!(
        kind(
            db.item_update(
                &i,
                &new.fence,
                Some(&to(c.id, 2, ChangeState::Withdrawn)),
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
    assert_eq!(
        db.item_get(i.id).await.unwrap().unwrap().state,
        ItemState::Applying
    );
    db.item_update(&i, &new.fence, Some(&to(c.id, 2, ChangeState::Failed)), &[])
        .await
        .unwrap();
    // An end is an end.
    i.state = ItemState::Applied;
    i.applied_at = Some(at(300));
    assert_eq!(
        kind(db.item_update(&i, &new.fence, None, &[]).await),
        Kind::Conflict
    );
    assert_eq!(
        db.items(c.id).await.unwrap()[0].message.as_deref(),
        Some("refused")
    );
}
