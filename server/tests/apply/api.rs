//! Views as JSON are what the API's document says: nothing is left out, and nothing more gets out.

use crate::{schema::wrong, setup::Setup, wizard::Worked as _};
use domain::{
    Micros,
    artifact::{ArtifactKind, ModelFacts, SignatureFact},
    ids::*,
    place::DeploymentKey,
};
use services::ports::*;
use store::testing::Kind as Database;

crate::setup::stories!(
    changes_and_deployments_are_as_the_document_says,
    the_catalogue_is_as_the_document_says_and_keeps_its_secrets,
);

fn fits(schema: &str, value: impl serde::Serialize) {
    let value = serde_json::to_value(value).unwrap();
    let said = wrong(&server::api::document(), schema, &value);
    assert!(said.is_empty(), "{schema}: {said:#?}\n{value:#}");
}

async fn changes_and_deployments_are_as_the_document_says(on: Database) {
    let setup = Setup::new(on).await;
    let (s, caller) = (&setup.services, &setup.requester);
    let change = setup.submitted().await;
    fits("Change", s.changes.get(caller, change).await.worked());
    setup.approve(change).await;
    fits(
        "Change",
        s.changes.get(&setup.approver, change).await.worked(),
    );
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    fits("Change", s.changes.get(caller, change).await.worked());

    let page = s
        .changes
        .list(caller, &ChangeFilter::default(), None, 50)
        .await
        .worked();
    assert_eq!(page.rows.len(), 1);
    fits("ChangePage", page);
    let key = DeploymentKey::new("one", "retail-prod", "llama");
    fits("Deployment", s.deployments.get(caller, &key).await.worked());
    let list = s
        .deployments
        .list(caller, &RowFilter::default(), None, 50)
        .await;
    fits("DeploymentList", list.worked());
    // A row of the list is the deployment's with its approval.
    let view = s.deployments.get(caller, &key).await.worked();
    let row = services::deployments::DeploymentRow {
        row: view.row,
        approval: view.approval,
    };
    fits("DeploymentRow", row);
    let log = s
        .audit
        .list(caller, &AuditFilter::default(), None, 50)
        .await
        .worked();
    assert!(!log.rows.is_empty(), "what they did themselves");
    fits("RecordPage", log);
}

async fn the_catalogue_is_as_the_document_says_and_keeps_its_secrets(on: Database) {
    let setup = Setup::new(on).await;
    let uuid = |n: u128| uuid::Uuid::from_u128(n + (7 << 76));
    let registry = RegistryRow {
        id: RegistryId(uuid(1)),
        name: "main".into(),
        url: "https://registry.example".into(),
        username: Some("reader".into()),
        secret: Some(b"sealed".to_vec()),
        ca_pem: None,
        notification_secret: Some(b"sealed too".to_vec()),
        source: Source::Console,
        rules: vec![],
        sync_minutes: 10,
        version: 1,
        status: SyncStatus::default(),
    };
    setup.db.registry_put(&registry, None, &[]).await.worked();
    let read = setup
        .db
        .registry(registry.id)
        .await
        .worked()
        .expect("there");
    assert!(read.secret.is_some(), "it is there, and does not get out");
    fits("Registry", &read);

    let found = FoundVersion {
        registry: registry.id,
        repository: "models/llama".into(),
        digest: Digest::of(b"llama"),
        tags: vec!["v1".into()],
        kind: ArtifactKind::ModelImage,
        facts: ModelFacts::default(),
        card: Some("# Llama".into()),
        created_at: None,
        platforms: vec!["linux/amd64".into()],
        signature: SignatureFact::Unsigned,
        scan: None,
        pickle: None,
        observed_at: setup.clock.now(),
    };
    let version = setup
        .db
        .version_put(&found, ModelId(uuid(2)), VersionId(uuid(3)))
        .await
        .worked();
    let (catalog, caller) = (&setup.services.catalog, &setup.requester);
    let models = catalog
        .list(caller, &CatalogFilter::default(), None, 50)
        .await
        .worked();
    let model = models.rows[0].id;
    fits("ModelPage", models);
    fits("Model", catalog.model(caller, model, None).await.worked());
    fits("Version", catalog.version(caller, version).await.worked());
}
