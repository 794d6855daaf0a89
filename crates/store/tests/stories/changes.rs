use crate::given::*;
use domain::{Kind, change::*, content::Action, ids::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(
    a_change_comes_back_as_it_was,
    a_decision_holds_and_can_be_undone,
    anothers_rejection_holds_when_an_approval_is_undone,
    an_edit_voids_what_was_decided,
    only_steps_that_there_are,
    nothing_is_decided_without_a_record,
);

async fn a_change_comes_back_as_it_was(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    let (mut c, r, i) = change(1, "llama", who);
    c.usage.risk_tier = Some(Attested {
        value: "high".into(),
        by: who.0,
    });
    db.change_create(
        &c,
        &r,
        std::slice::from_ref(&i),
        &[],
        None,
        &[record(1, "change.submit", "change:1")],
    )
    .await
    .unwrap();
    assert_eq!(db.change_get(c.id).await.unwrap(), Some(c.clone()));
    assert_eq!(db.revision_get(r.id).await.unwrap(), Some(r.clone()));
    assert_eq!(db.revisions(c.id).await.unwrap(), vec![r.clone()]);
    assert_eq!(db.items(c.id).await.unwrap(), vec![i.clone()]);
    assert_eq!(db.item_get(i.id).await.unwrap(), Some(i.clone()));
    assert_eq!(db.change_get(ChangeId(uuid(1))).await.unwrap(), None);
    let both = [ChangeId(uuid(1)), c.id];
    assert_eq!(db.changes_get(&both).await.unwrap(), [c.clone()]);
    assert_eq!(db.changes_get(&[]).await.unwrap(), []);
    // A hash that is not the content's is never stored.
    let (c2, r2, i2) = change(2, "other", who);
    let forged = Revision {
        content_hash: Digest::of(b"other"),
        ..r2
    };
    assert_eq!(
        kind(db.change_create(&c2, &forged, &[i2], &[], None, &[]).await),
        Kind::Internal
    );
    assert_eq!(db.change_get(c2.id).await.unwrap(), None);
}

async fn a_decision_holds_and_can_be_undone(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver, other) = (
        person(&db, 1).await,
        person(&db, 2).await,
        person(&db, 3).await,
    );
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, std::slice::from_ref(&i), &[], None, &[])
        .await
        .unwrap();
    let d = approval(1, &r, approver);
    db.decide(
        &d,
        Some(&to(c.id, 1, ChangeState::Held)),
        1,
        &[record(1, "change.approve", "change:1")],
    )
    .await
    .unwrap();
    assert_eq!(db.decisions(c.id).await.unwrap(), vec![d.clone()]);
    let held = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!((held.state, held.version), (ChangeState::Held, 2));
    // The second approver had version 1 on the page.
    let late = db.decide(&approval(2, &r, other), None, 1, &[]).await;
    assert_eq!(kind(late), Kind::Conflict);
    assert_eq!(db.holds_over(at(109), 10).await.unwrap(), []);
    assert_eq!(db.holds_over(at(110), 10).await.unwrap(), [c.id]);
    assert_eq!(
        kind(db.undo_decision(d.id, at(110), 2, &[]).await),
        Kind::Conflict
    );
    db.undo_decision(d.id, at(109), 2, &[]).await.unwrap();
    assert_eq!(
        db.change_get(c.id).await.unwrap().unwrap().state,
        ChangeState::Waiting
    );
    assert_eq!(
        kind(db.undo_decision(d.id, at(109), 3, &[]).await),
        Kind::Conflict
    );
    assert!(!db.decisions(c.id).await.unwrap()[0].counts());
    assert_eq!(db.approvals(&[r.id]).await.unwrap(), []);
    // Having taken it back, they may decide again; but only once at a time, and on what was shown.
    let again = Decision {
        id: DecisionId(uuid(4009)),
        ..d.clone()
    };
    db.decide(&again, None, 3, &[]).await.unwrap();
    assert_eq!(db.approvals(&[r.id]).await.unwrap(), [again]);
    assert_eq!(db.approvals(&[]).await.unwrap(), []);
    assert_eq!(
        kind(
            db.decide(
                &Decision {
                    id: DecisionId(uuid(4010)),
                    ..d.clone()
                },
                None,
                4,
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
    let other_content = Decision {
        content_hash: Digest::of(b"else"),
        ..approval(3, &r, other)
    };
    assert_eq!(
        kind(db.decide(&other_content, None, 4, &[]).await),
        Kind::Conflict
    );
    assert_eq!(db.decisions(c.id).await.unwrap().len(), 2);
    assert_eq!(db.waiting_over(at(3599), 10).await.unwrap(), []);
    assert_eq!(db.waiting_over(at(3600), 10).await.unwrap(), [c.id]);
}

async fn anothers_rejection_holds_when_an_approval_is_undone(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver, other) = (
        person(&db, 1).await,
        person(&db, 2).await,
        person(&db, 3).await,
    );
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, &[i], &[], None, &[])
        .await
        .unwrap();
    let approved = approval(1, &r, approver);
    db.decide(&approved, None, 1, &[]).await.unwrap();
    let rejected = Decision {
        outcome: Outcome::Reject,
        effective_at: at(120),
        ..approval(2, &r, other)
    };
    db.decide(&rejected, Some(&to(c.id, 2, ChangeState::Held)), 2, &[])
        .await
        .unwrap();
    db.undo_decision(approved.id, at(109), 3, &[])
        .await
        .unwrap();
    let held = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!((held.state, held.version), (ChangeState::Held, 4));
    assert_eq!(db.holds_over(at(119), 10).await.unwrap(), []);
    assert_eq!(db.holds_over(at(120), 10).await.unwrap(), [c.id]);
    // Without the rejection it waits again.
    db.undo_decision(rejected.id, at(119), 4, &[])
        .await
        .unwrap();
    let waits = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!(waits.state, ChangeState::Waiting);
    assert_eq!(db.holds_over(at(9999), 10).await.unwrap(), []);
}

async fn an_edit_voids_what_was_decided(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver) = (person(&db, 1).await, person(&db, 2).await);
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, std::slice::from_ref(&i), &[], None, &[])
        .await
        .unwrap();
    db.decide(
        &approval(1, &r, approver),
        Some(&to(c.id, 1, ChangeState::Held)),
        1,
        &[],
    )
    .await
    .unwrap();
    let edited = Change {
        current_revision: RevisionId(uuid(2009)),
        usage: Use {
            purpose: "Something else".into(),
            ..Use::default()
        },
        ..c.clone()
    };
    let (r2, i2) = revision(&edited, 9, 2, Action::Apply);
    assert_eq!(
        kind(
            db.change_revise(1, &edited, &r2, std::slice::from_ref(&i2), &[], None, &[])
                .await
        ),
        Kind::Conflict
    );
    db.change_revise(2, &edited, &r2, std::slice::from_ref(&i2), &[], None, &[])
        .await
        .unwrap();
    let now = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!(
        (now.state, now.version, now.current_revision),
        (ChangeState::Waiting, 3, r2.id)
    );
    assert_eq!(now.usage.purpose, "Something else");
    assert_eq!(
        db.decisions(c.id).await.unwrap()[0].voided_at,
        Some(r2.created_at)
    );
    assert_eq!(
        db.items(c.id)
            .await
            .unwrap()
            .iter()
            .map(|i| i.state)
            .collect::<Vec<_>>(),
        [ItemState::Superseded, ItemState::Queued]
    );
    assert_eq!(db.holds_over(at(9999), 10).await.unwrap(), []);
    // A decision on the old revision is told so.
    assert_eq!(
        kind(
            db.decide(
                &Decision {
                    id: DecisionId(uuid(4005)),
                    ..approval(1, &r, approver)
                },
                None,
                3,
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
    db.decide(
        &approval(2, &r2, approver),
        Some(&to(c.id, 3, ChangeState::Held)),
        3,
        &[],
    )
    .await
    .unwrap();
    db.transition(&to(c.id, 4, ChangeState::Queued), &[job(2, &i2)], &[])
        .await
        .unwrap();
    let (r3, i3) = revision(&edited, 10, 3, Action::Apply);
    assert_eq!(
        kind(
            db.change_revise(
                5,
                &Change {
                    current_revision: r3.id,
                    ..edited
                },
                &r3,
                &[i3],
                &[],
                None,
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
}

async fn only_steps_that_there_are(t: &TestDatabase) {
    let db = t.open().await;
    let who = person(&db, 1).await;
    let (c, r, i) = change(1, "llama", who);
    db.change_create(&c, &r, &[i], &[], None, &[])
        .await
        .unwrap();
    for state in [
        ChangeState::Applying,
        ChangeState::Applied,
        ChangeState::Failed,
        ChangeState::Waiting,
    ] {
        assert_eq!(
            kind(db.transition(&to(c.id, 1, state), &[], &[]).await),
            Kind::Conflict,
            "{state:?}"
        );
    }
    let withdrawn = Transition {
        end_reason: Some("not needed".into()),
        ..to(c.id, 1, ChangeState::Withdrawn)
    };
    db.transition(&withdrawn, &[], &[]).await.unwrap();
    let end = db.change_get(c.id).await.unwrap().unwrap();
    assert_eq!(
        (end.state, end.end_reason.as_deref(), end.ended_at),
        (ChangeState::Withdrawn, Some("not needed"), Some(at(200)))
    );
    assert_eq!(
        db.items(c.id).await.unwrap()[0].state,
        ItemState::Superseded
    );
    assert_eq!(
        kind(
            db.transition(&to(c.id, 2, ChangeState::Queued), &[], &[])
                .await
        ),
        Kind::Conflict
    );
    assert_eq!(
        kind(
            db.transition(&to(ChangeId(uuid(5)), 1, ChangeState::Queued), &[], &[])
                .await
        ),
        Kind::NotFound
    );
}

async fn nothing_is_decided_without_a_record(t: &TestDatabase) {
    let db = t.open().await;
    let (who, approver) = (person(&db, 1).await, person(&db, 2).await);
    let (c, r, i) = change(1, "llama", who);
    db.break_audit().await.unwrap();
    let said = [record(1, "x", "y")];
    assert_eq!(
        kind(
            db.change_create(&c, &r, std::slice::from_ref(&i), &[], None, &said)
                .await
        ),
        Kind::Internal
    );
    assert_eq!(db.change_get(c.id).await.unwrap(), None);
    db.change_create(&c, &r, std::slice::from_ref(&i), &[], None, &[])
        .await
        .unwrap();
    assert_eq!(
        kind(
            db.decide(
                &approval(1, &r, approver),
                Some(&to(c.id, 1, ChangeState::Held)),
                1,
                &said
            )
            .await
        ),
        Kind::Internal
    );
    assert_eq!(
        kind(
            db.transition(&to(c.id, 1, ChangeState::Queued), &[job(1, &i)], &said)
                .await
        ),
        Kind::Internal
    );
    assert_eq!(db.change_get(c.id).await.unwrap(), Some(c.clone()));
    assert_eq!(db.decisions(c.id).await.unwrap(), []);
    assert_eq!(
        db.job_claim(&[JobKind::Apply], "w", at(999), at(1999), &[])
            .await
            .unwrap(),
        None
    );
    db.mend_audit().await.unwrap();
    db.transition(&to(c.id, 1, ChangeState::Queued), &[job(1, &i)], &said)
        .await
        .unwrap();
}
