use crate::{
    catalog::{found, given, put},
    given::*,
};
use domain::{Kind, artifact::*, ids::*};
use services::ports::*;
use store::testing::TestDatabase;

crate::stories!(search_and_facets, a_nul_is_nobodys_fault_but_the_askers);

async fn search_and_facets(t: &TestDatabase) {
    let db = given(t).await;
    let mut all: Vec<FoundVersion> = (1..=5)
        .map(|n| found(&format!("models/m{n}"), &n.to_string(), &["v1"], n))
        .collect();
    all[1].kind = ArtifactKind::ServingImage;
    all[1].facts.task = Some("embeddings".into());
    all[1].facts.parameters = None;
    all[2].facts.licence = None;
    all[2].signature = SignatureFact::Verified { by: vec![] };
    all[3].facts.size_bytes = Some(99_000_000_000);
    all[3].scan = Some(ScanFact::not_scannable("trivy", "no package list", None));
    all[4].card = Some("Strong at 100%_certain Ärger".into());
    for (n, f) in all.iter().enumerate() {
        put(&db, n as u128, f).await;
    }
    let check = async |filter: CatalogFilter, expected: &[&str]| {
        let (mut seen, mut after) = (vec![], None);
        loop {
            let page = db.model_list(&filter, after.as_deref(), 2).await.unwrap();
            seen.extend(page.rows.iter().map(|m| m.name.clone()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{filter:?}");
    };
    let f = CatalogFilter::default;
    check(f(), &["m1", "m2", "m3", "m4", "m5"]).await;
    check(
        CatalogFilter {
            sort: CatalogSort::Newest,
            ..f()
        },
        &["m5", "m4", "m3", "m2", "m1"],
    )
    .await;
    check(
        CatalogFilter {
            sort: CatalogSort::Size,
            ..f()
        },
        &["m4", "m5", "m3", "m2", "m1"],
    )
    .await;
    check(
        CatalogFilter {
            sort: CatalogSort::Parameters,
            ..f()
        },
        &["m5", "m4", "m3", "m1", "m2"],
    )
    .await;
    check(
        CatalogFilter {
            text: Some("POETRY m3".into()),
            ..f()
        },
        &["m3"],
    )
    .await;
    check(
        CatalogFilter {
            text: Some("100%_c ärger".into()),
            ..f()
        },
        &["m5"],
    )
    .await;
    check(
        CatalogFilter {
            text: Some("m_".into()),
            ..f()
        },
        &[],
    )
    .await;
    check(
        CatalogFilter {
            tasks: vec!["embeddings".into()],
            ..f()
        },
        &["m2"],
    )
    .await;
    check(
        CatalogFilter {
            licences: vec!["unknown".into()],
            ..f()
        },
        &["m3"],
    )
    .await;
    check(
        CatalogFilter {
            kinds: vec![ArtifactKind::ServingImage],
            ..f()
        },
        &["m2"],
    )
    .await;
    check(
        CatalogFilter {
            signatures: vec!["verified".into(), "untrusted".into()],
            ..f()
        },
        &["m3"],
    )
    .await;
    check(
        CatalogFilter {
            scans: vec!["not-scannable".into()],
            ..f()
        },
        &["m4"],
    )
    .await;
    check(
        CatalogFilter {
            formats: vec!["Hugging Face".into()],
            registries: vec![RegistryId(uuid(1))],
            scans: vec!["unknown".into()],
            ..f()
        },
        &["m1", "m2", "m3", "m5"],
    )
    .await;
    check(
        CatalogFilter {
            registries: vec![RegistryId(uuid(7))],
            ..f()
        },
        &[],
    )
    .await;

    let facets = db
        .model_facets(&CatalogFilter {
            tasks: vec!["text-generation".into()],
            ..f()
        })
        .await
        .unwrap();
    // A facet's own choice does not hide its other values.
    assert_eq!(
        facets.tasks,
        [
            ("text-generation".to_owned(), 4),
            ("embeddings".to_owned(), 1)
        ]
    );
    assert_eq!(facets.kinds, [("model_image".to_owned(), 4)]);
    assert_eq!(
        facets.licences,
        [("apache-2.0".to_owned(), 3), ("unknown".to_owned(), 1)]
    );
    assert_eq!(
        facets.signatures,
        [("unsigned".to_owned(), 3), ("verified".to_owned(), 1)]
    );
    assert_eq!(
        facets.scans,
        [("unknown".to_owned(), 3), ("not-scannable".to_owned(), 1)]
    );
    assert_eq!(
        facets.registries,
        [(RegistryId(uuid(1)), "registry-1".to_owned(), 4)]
    );
    // A cursor of one order is no use in another.
    let next = db.model_list(&f(), None, 2).await.unwrap().next;
    assert_eq!(
        kind(
            db.model_list(
                &CatalogFilter {
                    sort: CatalogSort::Size,
                    ..f()
                },
                next.as_deref(),
                2
            )
            .await
        ),
        Kind::Invalid
    );
}

/// PostgreSQL keeps no NUL in a text and says so; SQLite finds nothing.
async fn a_nul_is_nobodys_fault_but_the_askers(t: &TestDatabase) {
    let db = given(t).await;
    let filter = CatalogFilter {
        tasks: vec!["a\0b".into()],
        ..CatalogFilter::default()
    };
    match db.model_list(&filter, None, 2).await {
        Ok(page) => assert!(page.rows.is_empty()),
        Err(e) => assert_eq!(e.kind, Kind::Invalid, "{}", e.for_log()),
    }
}
