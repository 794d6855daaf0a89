use crate::given::*;
use ::audit::{NewRecord, Phase, RecordOutcome};
use domain::{Kind, ids::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(
    records_come_back_in_one_order,
    filters_show_what_may_be_seen,
    a_unit_is_asked_for_with_those_below,
    units_are_told_apart_by_case,
    a_story_is_of_the_object_and_its_changes,
    people_are_found_by_name,
    names_beyond_ascii_are_found_in_any_case,
    intents_stay_open_until_an_outcome,
    nothing_in_the_log_changes,
    an_erased_person_stays_unreadable,
    a_record_is_written_once
);

fn units(units: &[&str]) -> AuditFilter {
    places(&[(units, &["*"])])
}

fn places(places: &[(&[&str], &[&str])]) -> AuditFilter {
    let own = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
    AuditFilter {
        scopes: places.iter().map(|(u, e)| (own(u), own(e))).collect(),
        ..AuditFilter::default()
    }
}

async fn records_come_back_in_one_order(t: &TestDatabase) {
    let db = t.open().await;
    let written: Vec<NewRecord> = (1..=5)
        .map(|n| record(n, "session.start", "session:x"))
        .collect();
    db.audit_append(&written[..2]).await.unwrap();
    db.audit_append(&written[2..]).await.unwrap();
    let first = db.audit_list(&units(&["*"]), None, 2).await.unwrap();
    assert_eq!(first.rows.iter().map(|r| r.seq).collect::<Vec<_>>(), [5, 4]);
    let second = db
        .audit_list(&units(&["*"]), first.next.as_deref(), 3)
        .await
        .unwrap();
    assert_eq!(
        second.rows.iter().map(|r| r.seq).collect::<Vec<_>>(),
        [3, 2, 1]
    );
    assert_eq!(second.next, None);
    for (n, expected) in written.iter().enumerate() {
        let found = db.audit_get(n as i64 + 1).await.unwrap().unwrap();
        assert_eq!(&found.record, expected);
        let bytes = db.audit_bytes(found.seq).await.unwrap().unwrap();
        assert_eq!(Digest::of(&bytes), found.hash);
        assert!(!String::from_utf8(bytes).unwrap().contains("Person 1"));
    }
    assert_eq!(db.audit_get(6).await.unwrap(), None);
    assert_eq!(
        kind(db.audit_list(&units(&["*"]), Some("edited"), 2).await),
        Kind::Invalid
    );
}

async fn filters_show_what_may_be_seen(t: &TestDatabase) {
    let db = t.open().await;
    let other = |r: NewRecord| {
        let mut actor = r.actor.clone().unwrap();
        actor.person = PersonId(uuid(2));
        NewRecord {
            actor: Some(actor),
            ..r
        }
    };
    db.audit_append(&[
        record(1, "change.submit", "change:a"),
        NewRecord {
            unit: "retail/fraud".into(),
            change: Some(ChangeId(uuid(7))),
            outcome: Some(RecordOutcome::Denied),
            ..record(2, "change.decide", "change:a")
        },
        NewRecord {
            unit: "retailer".into(),
            ..other(record(3, "change.decide", "change:b"))
        },
        NewRecord {
            unit: String::new(),
            environment: String::new(),
            ..record(4, "session.start", "session:x")
        },
        NewRecord {
            unit: String::new(),
            environment: String::new(),
            actor: None,
            ..record(5, "changes.sweep", "x")
        },
    ])
    .await
    .unwrap();
    let check = async |filter: AuditFilter, expected: &[i64]| {
        let found = db.audit_list(&filter, None, 50).await.unwrap();
        assert_eq!(
            found.rows.iter().map(|r| r.seq).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
    };
    check(units(&[]), &[]).await;
    check(units(&["*"]), &[5, 4, 3, 2, 1]).await;
    check(units(&["retail"]), &[2, 1]).await;
    check(units(&["r%"]), &[]).await;
    // A grant is for units in environments; what has no place is for those who see all of both.
    check(places(&[(&["retail"], &["staging"])]), &[]).await;
    check(
        places(&[(&["retail"], &["staging", "production"])]),
        &[2, 1],
    )
    .await;
    check(places(&[(&["*"], &["production"])]), &[3, 2, 1]).await;
    check(
        places(&[(&["retail"], &["staging"]), (&["retailer"], &["*"])]),
        &[3],
    )
    .await;
    check(
        AuditFilter {
            own: Some(PersonId(uuid(1))),
            ..units(&[])
        },
        &[4, 2, 1],
    )
    .await;
    check(
        AuditFilter {
            own: Some(PersonId(uuid(2))),
            ..units(&["retail"])
        },
        &[3, 2, 1],
    )
    .await;
    check(
        AuditFilter {
            person: Some(PersonId(uuid(2))),
            ..units(&["*"])
        },
        &[3],
    )
    .await;
    check(
        AuditFilter {
            action: Some("change.".into()),
            ..units(&["*"])
        },
        &[3, 2, 1],
    )
    .await;
    check(
        AuditFilter {
            action: Some("change.decide".into()),
            ..units(&["*"])
        },
        &[3, 2],
    )
    .await;
    check(
        AuditFilter {
            object: Some("change:a".into()),
            ..units(&["*"])
        },
        &[2, 1],
    )
    .await;
    check(
        AuditFilter {
            change: Some(ChangeId(uuid(7))),
            ..units(&["*"])
        },
        &[2],
    )
    .await;
    check(
        AuditFilter {
            outcome: Some(RecordOutcome::Denied),
            ..units(&["*"])
        },
        &[2],
    )
    .await;
    check(
        AuditFilter {
            from: Some(at(2)),
            until: Some(at(4)),
            ..units(&["*"])
        },
        &[3, 2],
    )
    .await;
}

async fn a_unit_is_asked_for_with_those_below(t: &TestDatabase) {
    let db = t.open().await;
    let of = |n, unit: &str| NewRecord {
        unit: unit.into(),
        ..record(n, "change.submit", "change:x")
    };
    db.audit_append(&[of(1, "retail"), of(2, "retail/shops"), of(3, "retailers")])
        .await
        .unwrap();
    let filter = AuditFilter {
        unit: Some("retail".into()),
        ..units(&["*"])
    };
    let found = db.audit_list(&filter, None, 10).await.unwrap();
    assert_eq!(found.rows.iter().map(|r| r.seq).collect::<Vec<_>>(), [2, 1]);
}

async fn units_are_told_apart_by_case(t: &TestDatabase) {
    let db = t.open().await;
    let of = |n, unit: &str| NewRecord {
        unit: unit.into(),
        ..record(n, "change.submit", "change:a")
    };
    let names = [
        "retail/fraud",
        "Retail/fraud",
        "RETAIL",
        "retail0",
        "retail-x/y",
    ];
    let records: Vec<NewRecord> = (1..).zip(names).map(|(n, unit)| of(n, unit)).collect();
    db.audit_append(&records).await.unwrap();
    for (unit, expected) in [
        ("retail", vec![1]),
        ("Retail", vec![2]),
        ("RETAIL", vec![3]),
    ] {
        let page = db.audit_list(&units(&[unit]), None, 50).await.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|r| r.seq).collect();
        assert_eq!(found, expected, "{unit}");
    }
}

async fn a_story_is_of_the_object_and_its_changes(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    for n in 1..=2 {
        let (c, r, i) = change(n, if n == 1 { "llama" } else { "mistral" }, who);
        db.change_create(&c, &r, &[i], &[], None, &[])
            .await
            .unwrap();
    }
    let llama = ChangeId(uuid(1001));
    let of = |n, action: &str, object: String, change| NewRecord {
        change,
        ..record(n, action, &object)
    };
    let deployment = "deployment:onprem-1/retail-prod/llama".to_owned();
    let about = format!("change:{llama}");
    db.audit_append(&[
        of(1, "change.submit", deployment.clone(), Some(llama)),
        of(2, "change.approve", about.clone(), Some(llama)),
        of(
            3,
            "change.approve",
            "change:x".into(),
            Some(ChangeId(uuid(1002))),
        ),
        of(4, "change.undo", about.clone(), Some(llama)),
        of(5, "denied.view-deployment", deployment.clone(), None),
    ])
    .await
    .unwrap();
    for (object, expected) in [(deployment, vec![5, 4, 2, 1]), (about, vec![4, 2, 1])] {
        let filter = AuditFilter {
            object: Some(object),
            ..units(&["*"])
        };
        let page = db.audit_list(&filter, None, 50).await.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|r| r.seq).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn people_are_found_by_name(t: &TestDatabase) {
    let db = t.open().await;
    person(&db, 1).await;
    person(&db, 2).await;
    let mut other = record(2, "session.start", "x");
    if let Some(actor) = &mut other.actor {
        actor.person = PersonId(uuid(2));
    }
    db.audit_append(&[record(1, "session.start", "x"), other])
        .await
        .unwrap();
    for (who, expected) in [
        ("person 1", vec![1]),
        ("USER2", vec![2]),
        ("person", vec![2, 1]),
        ("nobody", vec![]),
        ("user%", vec![]),
    ] {
        let filter = AuditFilter {
            who: Some(who.into()),
            ..units(&["*"])
        };
        let page = db.audit_list(&filter, None, 50).await.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|r| r.seq).collect();
        assert_eq!(found, expected, "{who}");
    }
}

async fn names_beyond_ascii_are_found_in_any_case(t: &TestDatabase) {
    let db = t.open().await;
    for (n, name, username) in [(1, "Émilie Roux", "emilie"), (2, "Ünal Öz", "ünal")] {
        let s = SignIn {
            name: name.into(),
            username: username.into(),
            ..sign_in_of(n, None)
        };
        db.sign_in(&s, PersonId(uuid(n)), AccountId(uuid(100 + n)))
            .await
            .unwrap();
    }
    let of = |n: u128| {
        let mut record = record(n, "session.start", "x");
        if let Some(actor) = &mut record.actor {
            actor.person = PersonId(uuid(n));
        }
        record
    };
    db.audit_append(&[of(1), of(2)]).await.unwrap();
    // As a version before the column left them; the next start fills them.
    let emptied = db.execute_for_test("UPDATE persons SET search = ''").await;
    assert_eq!(emptied.unwrap(), 2);
    db.close().await;
    let db = t.open().await;
    for (who, expected) in [
        ("Émilie", vec![1]),
        ("émilie ROUX", vec![1]),
        ("ÜNAL", vec![2]),
        ("öz", vec![2]),
        ("ü", vec![2]),
        ("Ö", vec![2]),
    ] {
        let filter = AuditFilter {
            who: Some(who.into()),
            ..units(&["*"])
        };
        let page = db.audit_list(&filter, None, 50).await.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|r| r.seq).collect();
        assert_eq!(found, expected, "{who}");
    }
    // A new name takes the place of the old one.
    let renamed = SignIn {
        name: "Zoë Roux".into(),
        username: "emilie".into(),
        at: at(60),
        ..sign_in_of(1, None)
    };
    db.sign_in(&renamed, PersonId(uuid(8)), AccountId(uuid(108)))
        .await
        .unwrap();
    for (who, expected) in [("ZOË", 1), ("Émilie", 0)] {
        let filter = AuditFilter {
            who: Some(who.into()),
            ..units(&["*"])
        };
        let page = db.audit_list(&filter, None, 50).await.unwrap();
        assert_eq!(page.rows.len(), expected, "{who}");
    }
}

async fn intents_stay_open_until_an_outcome(t: &TestDatabase) {
    let db = t.open().await;
    let intent = |n| NewRecord {
        phase: Phase::Intent,
        ..record(n, "item.apply", "deployment:x")
    };
    let outcome = |n, of: u128| NewRecord {
        phase: Phase::Outcome,
        intent: Some(RecordId(uuid(of))),
        outcome: Some(RecordOutcome::Success),
        ..record(n, "item.apply", "deployment:x")
    };
    db.audit_append(&[intent(1), intent(2), intent(30)])
        .await
        .unwrap();
    db.audit_append(&[outcome(3, 1)]).await.unwrap();
    let open = db.audit_open_intents(None, at(30), 10).await.unwrap();
    assert_eq!(
        open.iter().map(|r| r.record.id).collect::<Vec<_>>(),
        [RecordId(uuid(2))]
    );
    assert_eq!(
        db.audit_open_intents(None, at(31), 10).await.unwrap().len(),
        2
    );
    // Whoever comes second finds that it has an outcome.
    assert!(db.audit_end(&outcome(4, 2)).await.unwrap());
    assert!(!db.audit_end(&outcome(5, 2)).await.unwrap());
    assert!(!db.audit_end(&outcome(6, 1)).await.unwrap());
    assert_eq!(
        db.audit_open_intents(None, at(31), 10).await.unwrap().len(),
        1
    );
}

async fn nothing_in_the_log_changes(t: &TestDatabase) {
    let db = t.open().await;
    db.audit_append(&[record(1, "a", "b")]).await.unwrap();
    assert!(
        db.execute_for_test("UPDATE audit_records SET action = 'x'")
            .await
            .is_err()
    );
    assert!(
        db.execute_for_test("DELETE FROM audit_records")
            .await
            .is_err()
    );
    assert_eq!(db.audit_get(1).await.unwrap().unwrap().record.action, "a");
}

async fn an_erased_person_stays_unreadable(t: &TestDatabase) {
    let db = t.open().await;
    db.audit_append(&[record(1, "a", "b")]).await.unwrap();
    let before = db.audit_bytes(1).await.unwrap();
    db.execute_for_test("UPDATE person_keys SET wrapped = NULL")
        .await
        .unwrap();
    let found = db.audit_get(1).await.unwrap().unwrap();
    assert!(found.record.actor.unwrap().is_erased());
    assert_eq!(db.audit_bytes(1).await.unwrap(), before);
    assert_eq!(
        kind(db.audit_append(&[record(2, "a", "b")]).await),
        Kind::Forbidden
    );
}

async fn a_record_is_written_once(t: &TestDatabase) {
    let db = t.open().await;
    db.audit_append(&[record(1, "a", "b")]).await.unwrap();
    assert!(
        db.audit_append(&[record(2, "a", "b"), record(1, "a", "b")])
            .await
            .is_err()
    );
    db.audit_append(&[record(3, "a", "b")]).await.unwrap();
    // What failed left no gap.
    assert_eq!(
        db.audit_list(&units(&["*"]), None, 10)
            .await
            .unwrap()
            .rows
            .iter()
            .map(|r| r.seq)
            .collect::<Vec<_>>(),
        [2, 1]
    );
}
