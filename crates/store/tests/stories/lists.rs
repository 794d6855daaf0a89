use crate::given::*;
use domain::{
    access::{Grant, Role, Stage},
    change::*,
    content::Action,
    ids::*,
    place::DeploymentKey,
};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(
    lists_show_what_may_be_seen,
    the_queue_is_what_a_person_may_decide,
    what_is_approved_to_run,
    a_namespace_that_was_made_anew_is_another,
    presence_is_short
);

/// The namespace of [`change`].
const HERE: &str = "uid-of-namespace";

fn here(names: &[&str]) -> Vec<(DeploymentKey, String)> {
    names.iter().map(|n| (key(n), HERE.to_owned())).collect()
}

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

/// Two stages: whose turn it is, and nobody else's. The query must agree with the rule in every case.
async fn the_queue_is_what_a_person_may_decide(t: &TestDatabase) {
    let db = t.open().await;
    let mut people = Vec::new();
    for n in 1..=5 {
        people.push(person(&db, n).await);
    }
    let grant = |role, units: &[&str]| Grant {
        role,
        units: units.iter().map(|u| (*u).to_owned()).collect(),
        environments: vec!["production".into()],
    };
    let grants: [Vec<Grant>; 5] = [
        vec![grant(Role::Approver, &["*"])],
        vec![grant(Role::SecurityEngineer, &["retail"])],
        vec![grant(Role::Approver, &["retail/fraud"])],
        vec![
            grant(Role::SecurityEngineer, &["logistics"]),
            grant(Role::Approver, &["retail"]),
        ],
        vec![grant(Role::SecurityEngineer, &["*"])],
    ];
    // Three changes of person 1; person 3 wrote the second revision of the third.
    for n in 1..=3 {
        let (c, mut r, i) = change(n, "llama", people[0]);
        r.stages = vec![
            Stage {
                role: Role::SecurityEngineer,
                count: 1,
            },
            Stage {
                role: Role::Approver,
                count: 2,
            },
        ];
        db.change_create(&c, &r, &[i], &[], None, &[])
            .await
            .unwrap();
        if n == 3 {
            let (mut r2, i2) = revision(&c, 13, 2, Action::Apply);
            r2.stages = r.stages.clone();
            (r2.author, r2.author_account) = people[2];
            let c2 = Change {
                current_revision: r2.id,
                ..c
            };
            db.change_revise(1, &c2, &r2, &[i2], &[], None, &[])
                .await
                .unwrap();
        }
    }
    let ids = [1001, 1002, 1003].map(|n| ChangeId(uuid(n)));
    let check = async |now, expected: [&[usize]; 5]| {
        for (n, (who, grants)) in people.iter().zip(&grants).enumerate() {
            let filter = ChangeFilter {
                oldest_first: true,
                decider: Some(Decider {
                    person: who.0,
                    grants: grants.clone(),
                    now,
                }),
                ..everywhere()
            };
            let mut ruled = Vec::new();
            for (i, id) in ids.iter().enumerate() {
                let c = db.change_get(*id).await.unwrap().unwrap();
                let r = db.revision_get(c.current_revision).await.unwrap().unwrap();
                let all = db.decisions(*id).await.unwrap();
                let roles: Vec<Role> = grants
                    .iter()
                    .filter(|g| g.covers(&c.place.scope))
                    .map(|g| g.role)
                    .collect();
                if may_decide(&c, &r, &all, who.0, &roles, now).is_ok() {
                    ruled.push(i + 1);
                }
            }
            assert_eq!(ruled, expected[n], "the rule, person {}", n + 1);
            // Page by page, one row each: keys stay right while the filter leaves rows out.
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = db.change_list(&filter, after.as_deref(), 1).await.unwrap();
                seen.extend(page.rows.iter().map(|r| r.change.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = ruled.iter().map(|i| ids[i - 1]).collect();
            assert_eq!(seen, wanted, "the query, person {}", n + 1);
            let count = db.change_count(&filter, 100).await.unwrap();
            assert_eq!(count, wanted.len());
        }
    };
    // It waits for security first.
    check(at(50), [&[], &[1, 2, 3], &[], &[], &[1, 2, 3]]).await;
    let agree = async |n: u128, change: u128, stage, role, who| {
        let c = db
            .change_get(ChangeId(uuid(change)))
            .await
            .unwrap()
            .unwrap();
        let r = db.revision_get(c.current_revision).await.unwrap().unwrap();
        let d = Decision {
            stage,
            role,
            ..approval(n, &r, who)
        };
        db.decide(&d, None, c.version, &[]).await.unwrap();
    };
    agree(1, 1001, 0, Role::SecurityEngineer, people[1]).await;
    agree(2, 1003, 0, Role::SecurityEngineer, people[4]).await;
    // Then for approvers, and no longer for whoever agreed; not for the author of the revision.
    check(at(50), [&[], &[2], &[1], &[1, 3], &[2]]).await;
    agree(3, 1001, 1, Role::Approver, people[2]).await;
    check(at(50), [&[], &[2], &[], &[1, 3], &[2]]).await;
    // What was taken back counts no more.
    db.undo_decision(DecisionId(uuid(4001)), at(101), 3, &[])
        .await
        .unwrap();
    check(at(50), [&[], &[1, 2], &[], &[3], &[1, 2]]).await;
    // Nothing waits for anybody after its time.
    check(at(3600), [&[]; 5]).await;
}

async fn what_is_approved_to_run(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver) = (person(&db, 1).await, person(&db, 2).await);
    assert_eq!(db.approved(&key("llama"), HERE).await.unwrap(), None);
    applied(&db, 1, "llama", who, approver, Action::Apply, at(300)).await;
    applied(&db, 2, "llama", who, approver, Action::Apply, at(400)).await;
    applied(&db, 3, "mistral", who, approver, Action::Apply, at(350)).await;
    let (c, r, i) = db.approved(&key("llama"), HERE).await.unwrap().unwrap();
    assert_eq!(
        (c.id, r.id, i.id, c.state),
        (
            ChangeId(uuid(1002)),
            RevisionId(uuid(2002)),
            ItemId(uuid(3002)),
            ChangeState::Applied
        )
    );
    let page = db
        .applied_revisions(&key("llama"), HERE, None, 1)
        .await
        .unwrap();
    assert_eq!(page.rows[0].1.id, r.id);
    let rest = db
        .applied_revisions(&key("llama"), HERE, page.next.as_deref(), 1)
        .await
        .unwrap();
    assert_eq!(
        (rest.rows[0].1.id, rest.next),
        (RevisionId(uuid(2001)), None)
    );
    let hashes = db
        .approved_fingerprints(&here(&["llama", "mistral", "none"]))
        .await
        .unwrap();
    assert_eq!(hashes.len(), 2);
    assert_eq!(
        hashes[&key("llama")],
        Approved {
            fingerprint: domain::content::fingerprint(&r.content.object),
            stopped: false
        }
    );
    assert_eq!(
        db.last_approved_by(&key("llama"), HERE, approver.0)
            .await
            .unwrap()
            .map(|r| r.id),
        Some(r.id)
    );
    assert_eq!(
        db.last_approved_by(&key("llama"), HERE, who.0)
            .await
            .unwrap(),
        None
    );
    // A stop carries what nobody approved: what was approved before it stays what counts.
    stopped(&db, 5, "llama", who, approver, at(450)).await;
    assert_eq!(
        db.approved(&key("llama"), HERE)
            .await
            .unwrap()
            .map(|(c, ..)| c.id),
        Some(ChangeId(uuid(1002)))
    );
    let last = db
        .last_applied(&key("llama"), Some(HERE))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.0.id, ChangeId(uuid(1005)));
    let up_to = async |i: &Item| {
        let until = (i.applied_at, i.id);
        db.applied_count(&key("llama"), HERE, until).await.unwrap()
    };
    assert_eq!((up_to(&last.2).await, up_to(&i).await), (3, 2));
    let marks = db.approved_fingerprints(&here(&["llama"])).await.unwrap();
    assert_eq!(
        marks[&key("llama")],
        Approved {
            stopped: true,
            ..hashes[&key("llama")].clone()
        }
    );
    // After a deletion nothing is approved to run; the history stays.
    applied(&db, 4, "llama", who, approver, Action::Delete, at(500)).await;
    assert_eq!(db.approved(&key("llama"), HERE).await.unwrap(), None);
    assert!(
        !db.approved_fingerprints(&here(&["llama"]))
            .await
            .unwrap()
            .contains_key(&key("llama"))
    );
    assert_eq!(
        db.applied_revisions(&key("llama"), HERE, None, 10)
            .await
            .unwrap()
            .rows
            .len(),
        3
    );
    // Nor does a stop after it bring the baseline back.
    stopped(&db, 6, "llama", who, approver, at(600)).await;
    assert_eq!(db.approved(&key("llama"), HERE).await.unwrap(), None);
    let marks = db.approved_fingerprints(&here(&["llama"])).await.unwrap();
    assert!(marks.is_empty());
    let last = db
        .last_applied(&key("llama"), Some(HERE))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.0.id, ChangeId(uuid(1006)));
}

/// What was approved, asked for and done in a namespace that is gone is neither shown nor counted in
/// one that was made under its name, for another unit.
async fn a_namespace_that_was_made_anew_is_another(t: &TestDatabase) {
    const NOW: &str = "uid-of-the-new-one";
    let db = t.open().await;
    let (who, approver) = (person(&db, 1).await, person(&db, 2).await);
    applied(&db, 1, "llama", who, approver, Action::Apply, at(300)).await;
    let llama = key("llama");
    let both = |uid: &str| vec![(llama.clone(), uid.to_owned())];
    assert_eq!(db.approved(&llama, NOW).await.unwrap(), None);
    assert!(
        db.approved_fingerprints(&both(NOW))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(db.last_applied(&llama, Some(NOW)).await.unwrap(), None);
    let revisions = db.applied_revisions(&llama, NOW, None, 10).await.unwrap();
    assert!(revisions.rows.is_empty());
    let mine = db.last_approved_by(&llama, NOW, approver.0).await.unwrap();
    assert_eq!(mine, None);
    let listed = async |uid: &str| {
        let filter = ChangeFilter {
            deployment: Some(llama.clone()),
            namespace_uid: Some(uid.to_owned()),
            ..everywhere()
        };
        db.change_list(&filter, None, 10).await.unwrap().rows.len()
    };
    assert_eq!((listed(NOW).await, listed(HERE).await), (0, 1));

    // What comes there takes nothing from what was approved before, nor is it numbered after it.
    let (mut c, _, _) = change(2, "llama", who);
    c.place.namespace_uid = NOW.into();
    applied_change(&db, 2, c, approver, Action::Apply, at(400)).await;
    for (uid, n) in [(HERE, 1), (NOW, 2)] {
        let (c, _, i) = db.approved(&llama, uid).await.unwrap().unwrap();
        assert_eq!(c.id, ChangeId(uuid(1000 + n)));
        let until = (i.applied_at, i.id);
        assert_eq!(db.applied_count(&llama, uid, until).await.unwrap(), 1);
        assert_eq!(db.approved_fingerprints(&both(uid)).await.unwrap().len(), 1);
    }
    let last = db.last_applied(&llama, None).await.unwrap().unwrap();
    assert_eq!(last.0.place.namespace_uid, NOW);
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
