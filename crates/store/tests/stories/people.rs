use crate::given::*;
use domain::{Kind, Micros, change::ChangeState, ids::*, person::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(
    an_account_is_found_again_by_issuer_and_subject,
    accounts_with_one_claim_are_one_person,
    a_claim_that_comes_later_joins_people,
    groups_are_snapshots
);

async fn an_account_is_found_again_by_issuer_and_subject(t: &TestDatabase) {
    let db = t.open().await;
    let (p, a) = db
        .sign_in(
            &sign_in_of(1, None),
            PersonId(uuid(1)),
            AccountId(uuid(101)),
        )
        .await
        .unwrap();
    let later = SignIn {
        name: "New Name".into(),
        username: "renamed".into(),
        email: None,
        at: at(60),
        ..sign_in_of(1, None)
    };
    let (p2, a2) = db
        .sign_in(&later, PersonId(uuid(8)), AccountId(uuid(108)))
        .await
        .unwrap();
    assert_eq!((p2.id, a2.id), (p.id, a.id));
    assert_eq!((a2.username.as_str(), a2.email), ("renamed", None));
    assert_eq!(db.person(p.id).await.unwrap().unwrap().name, "New Name");
    assert_eq!(db.person(PersonId(uuid(8))).await.unwrap(), None);
    assert_eq!(
        db.account(a.id).await.unwrap(),
        db.account_by_subject("http://localhost:9000", "sub-1")
            .await
            .unwrap()
    );
    // The same subject at another provider is somebody else, and a name is never a key.
    let other = SignIn {
        issuer: "https://other".into(),
        ..sign_in_of(1, None)
    };
    let (p3, _) = db
        .sign_in(&other, PersonId(uuid(3)), AccountId(uuid(103)))
        .await
        .unwrap();
    assert_ne!(p3.id, p.id);
    let names = db
        .person_names(&[p.id, p3.id, PersonId(uuid(99))])
        .await
        .unwrap();
    assert_eq!(
        names.into_values().collect::<Vec<_>>(),
        ["New Name", "Person 1"]
    );
}

async fn accounts_with_one_claim_are_one_person(t: &TestDatabase) {
    let db = t.open().await;
    let (p, a) = db
        .sign_in(
            &sign_in_of(1, Some("E-7")),
            PersonId(uuid(1)),
            AccountId(uuid(101)),
        )
        .await
        .unwrap();
    let (q, b) = db
        .sign_in(
            &sign_in_of(2, Some("E-7")),
            PersonId(uuid(2)),
            AccountId(uuid(102)),
        )
        .await
        .unwrap();
    assert_eq!(p.id, q.id);
    assert_ne!(a.id, b.id);
    // The same value from another provider says nothing.
    let other = SignIn {
        issuer: "https://other".into(),
        ..sign_in_of(3, Some("E-7"))
    };
    assert_ne!(
        db.sign_in(&other, PersonId(uuid(3)), AccountId(uuid(103)))
            .await
            .unwrap()
            .0
            .id,
        p.id
    );
    // An account whose claim changes stays with its person while that person has another account.
    let moved = db
        .sign_in(
            &sign_in_of(2, Some("E-8")),
            PersonId(uuid(4)),
            AccountId(uuid(104)),
        )
        .await
        .unwrap();
    assert_eq!(moved.0.id, p.id);
}

async fn a_claim_that_comes_later_joins_people(t: &TestDatabase) {
    let db = t.open().await;
    let (known, _) = db
        .sign_in(
            &sign_in_of(1, Some("E-7")),
            PersonId(uuid(1)),
            AccountId(uuid(101)),
        )
        .await
        .unwrap();
    let second = person(&db, 2).await;
    let (c, r, i) = change(1, "llama", second);
    db.change_create(&c, &r, &[i], &[], None, &[])
        .await
        .unwrap();
    db.decide(
        &approval(1, &r, (known.id, AccountId(uuid(101)))),
        Some(&to(c.id, 1, ChangeState::Held)),
        1,
        &[],
    )
    .await
    .unwrap();
    // And something else of theirs waits, which nobody has decided.
    let (other, r2, i2) = change(2, "other", second);
    db.change_create(&other, &r2, &[i2], &[], None, &[])
        .await
        .unwrap();
    // Now the provider says that the second account is the first person too: what it asked for is theirs.
    let (p, _) = db
        .sign_in(
            &sign_in_of(2, Some("E-7")),
            PersonId(uuid(5)),
            AccountId(uuid(105)),
        )
        .await
        .unwrap();
    assert_eq!(p.id, known.id);
    let theirs = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!((theirs.requester, theirs.version), (known.id, 3));
    let log = AuditFilter {
        action: Some("person.merge".into()),
        scopes: everywhere().scopes,
        ..AuditFilter::default()
    };
    let log = db.audit_list(&log, None, 10).await.unwrap().rows;
    assert_eq!(log.len(), 1);
    assert_eq!(
        log[0].record.detail,
        serde_json::json!({ "from": second.0, "into": known.id })
    );
    // Whoever read the other one before, when they were two, decides nothing with that.
    let read = db.change_get(other.id).await.unwrap().unwrap();
    assert_eq!(read.version, 2);
    let first = approval(2, &r2, (known.id, AccountId(uuid(101))));
    assert_eq!(kind(db.decide(&first, None, 1, &[]).await), Kind::Conflict);
    let as_before = approval(2, &r2, second);
    let late = db.decide(&as_before, None, 2, &[]).await;
    assert_eq!(kind(late), Kind::Conflict);
    assert_eq!(db.decisions(other.id).await.unwrap(), []);
    // And what they approved of their own does not count.
    assert!(!db.decisions(c.id).await.unwrap()[0].counts());
    assert_eq!(
        db.revision_get(r.id).await.unwrap().unwrap().author,
        known.id
    );
    // A claim that nobody has yet becomes the person's own.
    let third = person(&db, 3).await;
    let (same, _) = db
        .sign_in(
            &sign_in_of(3, Some("E-9")),
            PersonId(uuid(6)),
            AccountId(uuid(106)),
        )
        .await
        .unwrap();
    assert_eq!(same.id, third.0);
    let (again, _) = db
        .sign_in(
            &sign_in_of(4, Some("E-9")),
            PersonId(uuid(7)),
            AccountId(uuid(107)),
        )
        .await
        .unwrap();
    assert_eq!(again.id, third.0);
}

async fn groups_are_snapshots(t: &TestDatabase) {
    let db = t.open().await;
    let (_, account) = person(&db, 1).await;
    let of = |groups: &[&str], source, taken_at: Micros| GroupSnapshot {
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        source,
        taken_at,
    };
    assert_eq!(
        db.groups(account).await.unwrap(),
        Some(of(&["gh-ai"], GroupSource::SignIn, at(0)))
    );
    let newer = of(&["gh-ai", "gh-audit"], GroupSource::Refresh, at(60));
    db.record_groups(account, &newer, &[record(1, "session.refresh", "account")])
        .await
        .unwrap();
    assert_eq!(db.groups(account).await.unwrap(), Some(newer.clone()));
    // The same again is only younger; an answer that was overtaken changes nothing.
    db.record_groups(
        account,
        &GroupSnapshot {
            taken_at: at(90),
            ..newer.clone()
        },
        &[],
    )
    .await
    .unwrap();
    db.record_groups(account, &of(&[], GroupSource::Refresh, at(30)), &[])
        .await
        .unwrap();
    assert_eq!(
        db.groups(account).await.unwrap(),
        Some(GroupSnapshot {
            taken_at: at(90),
            ..newer
        })
    );
    assert_eq!(
        db.count_for_test("SELECT count(*) AS n FROM group_snapshots")
            .await
            .unwrap(),
        2
    );
    assert_eq!(db.groups(AccountId(uuid(9))).await.unwrap(), None);
}
