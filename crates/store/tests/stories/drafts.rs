use crate::given::*;
use domain::{Kind, change::*, ids::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(a_draft_keeps_all_that_was_typed, lists_are_paged_by_key);

fn draft(n: u128, owner: PersonId) -> Draft {
    Draft {
        id: DraftId(uuid(n)),
        owner,
        kind: ChangeKind::Create,
        title: format!("Draft {n}"),
        version_id: Some(VersionId(uuid(77))),
        change: None,
        cluster: Some("onprem-1".into()),
        namespace: None,
        usage: Use {
            risk_tier: Some(Attested {
                value: "high".into(),
                by: owner,
            }),
            ..Use::default()
        },
        comment: "it's \"quoted\" \u{1F600} %_\\".into(),
        manifest_yaml: "a: 1\n".into(),
        broken_yaml: Some("a: [".into()),
        said: vec![],
        step: "source".into(),
        version: 1,
        created_at: at(n as i64),
        updated_at: at(n as i64),
    }
}

async fn a_draft_keeps_all_that_was_typed(t: &TestDatabase) {
    let db = t.open().await;
    let (owner, _) = person(&db, 1).await;
    let d = draft(1, owner);
    db.draft_create(&d).await.unwrap();
    assert_eq!(db.draft_get(d.id).await.unwrap(), Some(d.clone()));
    let saved = Draft {
        title: "Other".into(),
        broken_yaml: None,
        updated_at: at(9),
        ..d.clone()
    };
    assert_eq!(db.draft_save(&saved).await.unwrap(), 2);
    assert_eq!(
        db.draft_get(d.id).await.unwrap(),
        Some(Draft {
            version: 2,
            ..saved.clone()
        })
    );
    // What the cluster said is kept beside it, for the version that it was asked about only.
    let said = Said {
        finding: domain::finding::Finding {
            rule: "schema".into(),
            severity: domain::finding::Severity::Error,
            field: "spec.predictor.timeout".into(),
            message: "the value does not fit".into(),
            remedy: String::new(),
        },
        of: Digest::of(b"soon"),
    };
    db.draft_said(d.id, 1, &[]).await.unwrap();
    db.draft_said(d.id, 2, std::slice::from_ref(&said))
        .await
        .unwrap();
    db.draft_said(d.id, 1, &[]).await.unwrap();
    let read = db.draft_get(d.id).await.unwrap().unwrap();
    assert_eq!((read.version, read.said), (2, vec![said]));
    // A second tab still has version 1.
    assert_eq!(kind(db.draft_save(&d).await), Kind::Conflict);
    // Somebody else has no such draft.
    let (other, _) = person(&db, 2).await;
    assert_eq!(
        kind(
            db.draft_save(&Draft {
                owner: other,
                version: 2,
                ..d.clone()
            })
            .await
        ),
        Kind::NotFound
    );
    db.draft_delete(d.id).await.unwrap();
    assert_eq!(
        kind(
            db.draft_save(&Draft {
                version: 2,
                ..saved
            })
            .await
        ),
        Kind::NotFound
    );
    assert_eq!(db.draft_get(d.id).await.unwrap(), None);
}

async fn lists_are_paged_by_key(t: &TestDatabase) {
    let db = t.open().await;
    let (owner, _) = person(&db, 1).await;
    let (other, _) = person(&db, 2).await;
    for n in 1..=5 {
        db.draft_create(&draft(n, owner)).await.unwrap();
    }
    db.draft_create(&draft(6, other)).await.unwrap();
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = db.draft_list(owner, after.as_deref(), 2).await.unwrap();
        seen.extend(page.rows.iter().map(|d| d.title.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        ["Draft 5", "Draft 4", "Draft 3", "Draft 2", "Draft 1"]
    );
}
