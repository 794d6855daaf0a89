use crate::given::*;
use domain::{change::*, content::Action, ids::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(
    lists_show_what_may_be_seen,
    what_is_approved_to_run,
    presence_is_short
);

async fn lists_show_what_may_be_seen(t: &TestDatabase) {
    let db = t.open().await;
    let (one, two) = (person(&db, 1).await, person(&db, 2).await);
    for n in 1..=5 {
        let (mut c, r, i) = change(
            n,
            if n == 5 { "mistral" } else { "llama" },
            if n == 4 { two } else { one },
        );
        if n == 3 {
            c.place.scope.unit = "logistics".into();
            c.place.scope.environment = "staging".into();
        }
        db.change_create(&c, &r, &[i], &[], None, &[])
            .await
            .unwrap();
    }
    let ids = |n: &[u128]| {
        n.iter()
            .map(|n| ChangeId(uuid(1000 + n)))
            .collect::<Vec<_>>()
    };
    let check = async |filter: ChangeFilter, expected: &[u128]| {
        let found = db.change_list(&filter, None, 50).await.unwrap();
        assert_eq!(
            found.rows.iter().map(|r| r.change.id).collect::<Vec<_>>(),
            ids(expected),
            "{filter:?}"
        );
        assert_eq!(db.change_count(&filter, 100).await.unwrap(), expected.len());
    };
    let scope = |units: &[&str], environments: &[&str]| {
        (
            units.iter().map(|s| (*s).to_owned()).collect(),
            environments.iter().map(|s| (*s).to_owned()).collect(),
        )
    };
    check(ChangeFilter::default(), &[]).await;
    check(everywhere(), &[5, 4, 3, 2, 1]).await;
    check(
        ChangeFilter {
            oldest_first: true,
            ..everywhere()
        },
        &[1, 2, 3, 4, 5],
    )
    .await;
    check(
        ChangeFilter {
            scopes: vec![scope(&["retail"], &["production"])],
            ..ChangeFilter::default()
        },
        &[5, 4, 2, 1],
    )
    .await;
    check(
        ChangeFilter {
            scopes: vec![scope(&["retail"], &["staging"])],
            ..ChangeFilter::default()
        },
        &[],
    )
    .await;
    check(
        ChangeFilter {
            scopes: vec![
                scope(&["logistics"], &["staging"]),
                scope(&["reta"], &["*"]),
            ],
            ..ChangeFilter::default()
        },
        &[3],
    )
    .await;
    check(
        ChangeFilter {
            requester: Some(two.0),
            ..everywhere()
        },
        &[4],
    )
    .await;
    check(
        ChangeFilter {
            not_requester: Some(one.0),
            ..everywhere()
        },
        &[4],
    )
    .await;
    check(
        ChangeFilter {
            text: Some("QUESTIONS mist".into()),
            ..everywhere()
        },
        &[5],
    )
    .await;
    check(
        ChangeFilter {
            text: Some("l%a".into()),
            ..everywhere()
        },
        &[],
    )
    .await;
    check(
        ChangeFilter {
            deployment: Some(key("mistral")),
            ..everywhere()
        },
        &[5],
    )
    .await;
    check(
        ChangeFilter {
            states: vec![ChangeState::Held],
            ..everywhere()
        },
        &[],
    )
    .await;
    check(
        ChangeFilter {
            kinds: vec![ChangeKind::Create, ChangeKind::Stop],
            states: vec![ChangeState::Waiting],
            ..everywhere()
        },
        &[5, 4, 3, 2, 1],
    )
    .await;
    assert_eq!(db.change_count(&everywhere(), 3).await.unwrap(), 3);

    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = db
            .change_list(&everywhere(), after.as_deref(), 2)
            .await
            .unwrap();
        seen.extend(page.rows.iter().map(|r| r.change.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids(&[5, 4, 3, 2, 1]));

    db.presence_put(ChangeId(uuid(1005)), two.0, at(50))
        .await
        .unwrap();
    let revision = db.revisions(ChangeId(uuid(1005))).await.unwrap().remove(0);
    db.decide(&approval(1, &revision, two), None, 1, &[])
        .await
        .unwrap();
    let row = db
        .change_list(
            &ChangeFilter {
                open_since: Some(at(0)),
                ..everywhere()
            },
            None,
            1,
        )
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!(
        (
            row.requester_name.as_str(),
            row.open_by,
            row.agreed,
            row.needed
        ),
        ("Person 1", vec!["Person 2".to_owned()], 1, 1)
    );
    assert_eq!(
        (row.revision_number, row.comment.as_str(), row.content_hash),
        (1, "please", revision.content_hash)
    );
}

async fn what_is_approved_to_run(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver) = (person(&db, 1).await, person(&db, 2).await);
    assert_eq!(db.approved(&key("llama")).await.unwrap(), None);
    applied(&db, 1, "llama", who, approver, Action::Apply, at(300)).await;
    applied(&db, 2, "llama", who, approver, Action::Apply, at(400)).await;
    applied(&db, 3, "mistral", who, approver, Action::Apply, at(350)).await;
    let (c, r, i) = db.approved(&key("llama")).await.unwrap().unwrap();
    assert_eq!(
        (c.id, r.id, i.id, c.state),
        (
            ChangeId(uuid(1002)),
            RevisionId(uuid(2002)),
            ItemId(uuid(3002)),
            ChangeState::Applied
        )
    );
    let page = db.applied_revisions(&key("llama"), None, 1).await.unwrap();
    assert_eq!(page.rows[0].1.id, r.id);
    let rest = db
        .applied_revisions(&key("llama"), page.next.as_deref(), 1)
        .await
        .unwrap();
    assert_eq!(
        (rest.rows[0].1.id, rest.next),
        (RevisionId(uuid(2001)), None)
    );
    let hashes = db
        .approved_fingerprints(&[key("llama"), key("mistral"), key("none")])
        .await
        .unwrap();
    assert_eq!(hashes.len(), 2);
    assert_eq!(
        hashes[&key("llama")],
        domain::content::fingerprint(&r.content.object)
    );
    assert_eq!(
        db.last_approved_by(&key("llama"), approver.0)
            .await
            .unwrap()
            .map(|r| r.id),
        Some(r.id)
    );
    assert_eq!(
        db.last_approved_by(&key("llama"), who.0).await.unwrap(),
        None
    );
    // After a deletion nothing is approved to run; the history stays.
    applied(&db, 4, "llama", who, approver, Action::Delete, at(500)).await;
    assert_eq!(db.approved(&key("llama")).await.unwrap(), None);
    assert!(
        !db.approved_fingerprints(&[key("llama")])
            .await
            .unwrap()
            .contains_key(&key("llama"))
    );
    assert_eq!(
        db.applied_revisions(&key("llama"), None, 10)
            .await
            .unwrap()
            .rows
            .len(),
        2
    );
}

async fn presence_is_short(t: &TestDatabase) {
    let db = t.open().await;
    let (who, other) = (person(&db, 1).await, person(&db, 2).await);
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, &[i], &[], None, &[])
        .await
        .unwrap();
    db.presence_put(c.id, who.0, at(0)).await.unwrap();
    db.presence_put(c.id, other.0, at(10)).await.unwrap();
    db.presence_put(c.id, who.0, at(20)).await.unwrap();
    assert_eq!(
        db.presence(c.id, at(70)).await.unwrap(),
        [(who.0, at(20)), (other.0, at(10))]
    );
    assert_eq!(db.presence(c.id, at(75)).await.unwrap(), [(who.0, at(20))]);
    assert_eq!(db.presence(c.id, at(81)).await.unwrap(), []);
}
