use crate::given::*;
use domain::{Kind, artifact::*, ids::*};
use services::ports::*;
use std::sync::Arc;
use store::{Db, testing::TestDatabase};

crate::stories!(
    registries_keep_their_place,
    a_version_comes_back_as_found,
    a_tag_that_moved_is_shown_as_moved,
    what_a_listing_lacks_is_gone,
    syncs_are_leased,
    what_is_wanted_is_not_lost
);

fn registry(n: u128, source: Source) -> RegistryRow {
    RegistryRow {
        id: RegistryId(uuid(n)),
        name: format!("registry-{n}"),
        url: "http://127.0.0.1:5000".into(),
        username: Some("gatehouse".into()),
        secret: Some(vec![1, 0, 255]),
        source,
        rules: vec![SyncRule {
            repository: "models/**".into(),
            tag: Some(TagFilter::Prefix("v".into())),
            enabled: true,
        }],
        sync_minutes: 10,
        ca_pem: None,
        notification_secret: None,
        version: 1,
        status: SyncStatus::default(),
    }
}

pub async fn given(t: &TestDatabase) -> Arc<Db> {
    let db = t.open().await;
    db.registry_put(&registry(1, Source::File), None, &[])
        .await
        .unwrap();
    db
}

pub fn found(repository: &str, content: &str, tags: &[&str], observed: i64) -> FoundVersion {
    FoundVersion {
        registry: RegistryId(uuid(1)),
        repository: repository.into(),
        digest: Digest::of(content.as_bytes()),
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        kind: ArtifactKind::ModelImage,
        facts: ModelFacts {
            format: Some(ModelFormat::HuggingFace),
            task: Some("text-generation".into()),
            parameters: Some(8_000_000_000),
            licence: Some("apache-2.0".into()),
            size_bytes: Some(16_000_000_000),
            files: FileListing {
                entries: vec![FileEntry::new("models/config.json", 700)],
                complete: true,
            },
            ..ModelFacts::default()
        },
        card: Some("# Card\nGood at *poetry*".into()),
        created_at: None,
        platforms: vec!["linux/amd64".into()],
        signature: SignatureFact::Unsigned,
        scan: None,
        pickle: None,
        observed_at: at(observed),
    }
}

pub async fn put(db: &Db, n: u128, f: &FoundVersion) -> VersionId {
    db.version_put(f, ModelId(uuid(100 + n)), VersionId(uuid(200 + n)))
        .await
        .unwrap()
}

async fn registries_keep_their_place(t: &TestDatabase) {
    let db = given(t).await;
    let file = registry(1, Source::File);
    assert_eq!(db.registries().await.unwrap(), vec![file.clone()]);
    // The file says the same again at the next start, under a new id.
    db.registry_put(
        &RegistryRow {
            id: RegistryId(uuid(9)),
            ..file.clone()
        },
        None,
        &[],
    )
    .await
    .unwrap();
    assert_eq!(db.registries().await.unwrap(), vec![file.clone()]);
    assert_eq!(
        kind(
            db.registry_put(
                &RegistryRow {
                    source: Source::Console,
                    ..file.clone()
                },
                Some(1),
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
    let mut mine = registry(2, Source::Console);
    mine.status.wanted_since = Some(at(5));
    db.registry_put(&mine, None, &[record(1, "registry.add", "registry:2")])
        .await
        .unwrap();
    assert_eq!(
        kind(
            db.registry_put(
                &RegistryRow {
                    id: RegistryId(uuid(3)),
                    ..mine.clone()
                },
                None,
                &[]
            )
            .await
        ),
        Kind::Conflict
    );
    let changed = RegistryRow {
        url: "http://127.0.0.1:5001".into(),
        name: "renamed".into(),
        ..mine.clone()
    };
    db.registry_put(&changed, Some(1), &[]).await.unwrap();
    assert_eq!(
        kind(db.registry_put(&changed, Some(1), &[]).await),
        Kind::Conflict
    );
    assert_eq!(
        db.registry(mine.id).await.unwrap(),
        Some(RegistryRow {
            version: 2,
            ..changed.clone()
        })
    );
    // Of those who change it at once from the same page, one does.
    let other = RegistryRow {
        sync_minutes: 20,
        ..changed.clone()
    };
    let third = RegistryRow {
        sync_minutes: 30,
        ..changed
    };
    let (one, two) = tokio::join!(
        db.registry_put(&other, Some(2), &[]),
        db.registry_put(&third, Some(2), &[])
    );
    assert_ne!(one.is_ok(), two.is_ok());
    put(
        &db,
        1,
        &FoundVersion {
            registry: mine.id,
            ..found("models/a", "1", &["v1"], 0)
        },
    )
    .await;
    db.registry_delete(mine.id, &[record(2, "registry.remove", "registry:2")])
        .await
        .unwrap();
    assert_eq!(db.registry(mine.id).await.unwrap(), None);
    assert_eq!(
        db.count_for_test(
            "SELECT (SELECT count(*) FROM versions) + (SELECT count(*) FROM tags) AS n"
        )
        .await
        .unwrap(),
        0
    );
    assert_eq!(kind(db.registry_delete(mine.id, &[]).await), Kind::NotFound);
}

async fn a_version_comes_back_as_found(t: &TestDatabase) {
    let db = given(t).await;
    let f = FoundVersion {
        created_at: Some(at(-500)),
        ..found("models/llama", "1", &["v1", "latest"], 10)
    };
    let id = put(&db, 1, &f).await;
    let (model, version) = db.version(id).await.unwrap().unwrap();
    assert_eq!(
        (
            model.name.as_str(),
            model.repository.as_str(),
            model.versions,
            model.latest.id
        ),
        ("llama", "models/llama", 1, id)
    );
    assert_eq!(
        (
            &version.digest,
            version.kind,
            &version.facts,
            version.created_at
        ),
        (&f.digest, f.kind, &f.facts, f.created_at)
    );
    assert_eq!(
        (
            version.first_seen,
            version.observed_at,
            version.gone_at,
            &version.signature
        ),
        (at(10), at(10), None, &f.signature)
    );
    assert_eq!(
        version
            .tags
            .iter()
            .map(|t| t.name.as_str())
            .collect::<Vec<_>>(),
        ["latest", "v1"]
    );
    assert_eq!(db.version_card(id).await.unwrap(), f.card);
    // Looked at again, it is the same version with newer facts.
    let again = FoundVersion {
        signature: SignatureFact::default(),
        observed_at: at(50),
        ..f.clone()
    };
    assert_eq!(put(&db, 2, &again).await, id);
    let (_, version) = db.version(id).await.unwrap().unwrap();
    assert_eq!(
        (
            version.first_seen,
            version.observed_at,
            version.signature.name()
        ),
        (at(10), at(50), "unknown")
    );
    assert_eq!(
        db.version_known(f.registry, "models/llama", at(50))
            .await
            .unwrap(),
        vec![KnownVersion {
            digest: f.digest.clone(),
            tags: vec!["latest".into(), "v1".into()],
        }]
    );
    assert_eq!(
        db.version_known(f.registry, "models/llama", at(51))
            .await
            .unwrap(),
        []
    );
    let elsewhere = put(&db, 3, &found("models/copy", "1", &[], 20)).await;
    let both = db.versions_by_digest(&f.digest).await.unwrap();
    assert_eq!(
        both.iter().map(|(_, v)| v.id).collect::<Vec<_>>(),
        [id, elsewhere]
    );
    assert_eq!(db.version(VersionId(uuid(999))).await.unwrap(), None);
    assert_eq!(
        db.count_for_test("SELECT count(*) AS n FROM facts")
            .await
            .unwrap(),
        2
    );
}

async fn a_tag_that_moved_is_shown_as_moved(t: &TestDatabase) {
    let db = given(t).await;
    let (one, two) = (
        found("models/a", "1", &["v1", "latest"], 10),
        found("models/a", "2", &["v2", "latest"], 20),
    );
    let (old, new) = (put(&db, 1, &one).await, put(&db, 2, &two).await);
    let of = async |id| db.version(id).await.unwrap().unwrap().1.tags;
    let tags = of(old).await;
    assert_eq!(tags[0].name, "v1");
    assert_eq!(
        (
            tags[1].name.as_str(),
            tags[1].moved_at,
            tags[1].moved_to.as_ref()
        ),
        ("latest", Some(at(20)), Some(&two.digest))
    );
    let tags = of(new).await;
    assert_eq!(
        (
            tags[0].name.as_str(),
            tags[0].moved_at,
            tags[0].moved_from.as_ref()
        ),
        ("latest", None, Some(&one.digest))
    );
    let page = db.versions(ModelId(uuid(101)), None, 1).await.unwrap();
    assert_eq!(page.rows[0].id, new);
    let rest = db
        .versions(ModelId(uuid(101)), page.next.as_deref(), 5)
        .await
        .unwrap();
    assert_eq!(
        (rest.rows.len(), rest.rows[0].id, rest.next),
        (1, old, None)
    );
    // And back again.
    put(
        &db,
        3,
        &FoundVersion {
            observed_at: at(30),
            ..one
        },
    )
    .await;
    let tags = of(old).await;
    assert_eq!(
        tags.iter()
            .filter(|t| t.name == "latest" && t.moved_at.is_none())
            .count(),
        1
    );
    assert_eq!(tags.len(), 3);
    assert_eq!(
        db.model(ModelId(uuid(101)))
            .await
            .unwrap()
            .unwrap()
            .versions,
        2
    );
}

async fn what_a_listing_lacks_is_gone(t: &TestDatabase) {
    let db = given(t).await;
    let (one, two) = (
        found("models/a", "1", &["v1"], 10),
        found("models/a", "2", &["v2"], 20),
    );
    let (old, new) = (put(&db, 1, &one).await, put(&db, 2, &two).await);
    let registry = RegistryId(uuid(1));
    assert_eq!(
        db.version_mark_gone(registry, "models/none", &[], at(30))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        db.version_mark_gone(
            registry,
            "models/a",
            &[
                ("v1".into(), one.digest.clone()),
                ("v2".into(), two.digest.clone())
            ],
            at(30)
        )
        .await
        .unwrap(),
        0
    );
    assert_eq!(
        db.version_mark_gone(
            registry,
            "models/a",
            &[("v1".into(), one.digest.clone())],
            at(40)
        )
        .await
        .unwrap(),
        2
    );
    let (model, gone) = db.version(new).await.unwrap().unwrap();
    assert_eq!(
        (
            gone.gone_at,
            gone.tags[0].moved_at,
            gone.tags[0].moved_to.clone()
        ),
        (Some(at(40)), Some(at(40)), None)
    );
    assert_eq!((model.versions, model.latest.id), (1, old));
    assert_eq!(
        db.version_known(registry, "models/a", at(0)).await.unwrap(),
        vec![KnownVersion {
            digest: one.digest.clone(),
            tags: one.tags.clone(),
        }]
    );
    assert_eq!(
        db.version_repositories(registry).await.unwrap(),
        ["models/a"]
    );
    // It is back.
    put(
        &db,
        3,
        &FoundVersion {
            observed_at: at(50),
            ..two
        },
    )
    .await;
    let (model, back) = db.version(new).await.unwrap().unwrap();
    assert_eq!(
        (back.gone_at, model.versions, model.latest.id),
        (None, 2, new)
    );
    // Nothing left: not listed, but still there for whoever has the address.
    db.version_mark_gone(registry, "models/a", &[], at(60))
        .await
        .unwrap();
    assert_eq!(
        db.model_list(&CatalogFilter::default(), None, 10)
            .await
            .unwrap()
            .rows,
        []
    );
    assert_eq!(
        db.model(ModelId(uuid(101)))
            .await
            .unwrap()
            .unwrap()
            .versions,
        0
    );
}

async fn syncs_are_leased(t: &TestDatabase) {
    let db = given(t).await;
    let id = RegistryId(uuid(1));
    assert!(
        db.registry_sync_lease(id, "a", at(0), at(60))
            .await
            .unwrap()
    );
    assert!(
        !db.registry_sync_lease(id, "b", at(59), at(99))
            .await
            .unwrap()
    );
    assert!(
        db.registry_sync_lease(id, "a", at(50), at(110))
            .await
            .unwrap()
    );
    let running = SyncStatus {
        running_since: Some(at(0)),
        done: 3,
        total: Some(7),
        ..SyncStatus::default()
    };
    assert!(db.registry_status(id, "a", &running).await.unwrap());
    assert_eq!(db.registry(id).await.unwrap().unwrap().status, running);
    assert!(
        !db.registry_sync_lease(id, "b", at(60), at(99))
            .await
            .unwrap()
    );
    let done = SyncStatus {
        last_success: Some(at(61)),
        ..SyncStatus::default()
    };
    assert!(db.registry_status(id, "a", &done).await.unwrap());
    assert!(
        db.registry_sync_lease(id, "b", at(62), at(99))
            .await
            .unwrap()
    );
    // Whoever lost the lease changes nothing any more, least of all whose it is now.
    assert!(!db.registry_status(id, "a", &running).await.unwrap());
    assert_eq!(db.registry_sync_start(id, "a", at(63)).await.unwrap(), None);
    assert_eq!(db.registry(id).await.unwrap().unwrap().status, done);
    assert!(
        !db.registry_sync_lease(id, "a", at(64), at(99))
            .await
            .unwrap()
    );
}

/// What is asked for during a sync is there for the next one.
async fn what_is_wanted_is_not_lost(t: &TestDatabase) {
    let db = given(t).await;
    let id = RegistryId(uuid(1));
    let wanted = async || db.registry(id).await.unwrap().unwrap().status.wanted_since;
    let only = |names: &[&str]| Some(Wanted::Only(names.iter().map(|n| (*n).into()).collect()));
    db.registry_want(id, &["models/a".into()], at(1))
        .await
        .unwrap();
    db.registry_want(id, &["models/b".into()], at(2))
        .await
        .unwrap();
    assert_eq!(wanted().await, Some(at(1)));
    assert!(
        db.registry_sync_lease(id, "w", at(3), at(60))
            .await
            .unwrap()
    );
    let started = db.registry_sync_start(id, "w", at(3)).await.unwrap();
    assert_eq!(started, only(&["models/a", "models/b"]));
    assert_eq!(wanted().await, None);
    // A push during the sync, then how the sync goes.
    db.registry_want(id, &["models/b".into()], at(4))
        .await
        .unwrap();
    let status = SyncStatus {
        running_since: Some(at(3)),
        ..SyncStatus::default()
    };
    assert!(db.registry_status(id, "w", &status).await.unwrap());
    assert_eq!(wanted().await, Some(at(4)));
    db.registry_wanted_done(id, at(3)).await.unwrap();
    let started = db.registry_sync_start(id, "w", at(5)).await.unwrap();
    assert_eq!(started, only(&["models/b"]));
    // Without a name all are meant, and so they are when too many are named.
    db.registry_want(id, &[], at(6)).await.unwrap();
    let started = db.registry_sync_start(id, "w", at(7)).await.unwrap();
    assert_eq!(started, Some(Wanted::All));
    db.registry_wanted_done(id, at(7)).await.unwrap();
    let many: Vec<String> = (0..1001).map(|n| format!("models/{n}")).collect();
    db.registry_want(id, &many, at(8)).await.unwrap();
    let started = db.registry_sync_start(id, "w", at(9)).await.unwrap();
    assert_eq!(started, Some(Wanted::All));
}
