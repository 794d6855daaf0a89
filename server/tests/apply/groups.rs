//! Nobody asks or decides by groups that are older than the limit.

use crate::setup::Setup;
use domain::{Kind, Micros, Result, change::Outcome, ids::*};
use store::testing::Kind as Database;

crate::setup::stories!(
    a_decision_needs_groups_of_now,
    a_decision_goes_through_once_the_provider_vouches,
    asking_for_a_change_needs_groups_of_now,
);

async fn decided(setup: &Setup, change: ChangeId) -> Result<DecisionId> {
    let hash = setup.hash(change).await;
    let changes = &setup.services.changes;
    changes
        .decide(&setup.approver, change, Outcome::Approve, "ok", 1, &hash)
        .await
}

async fn a_decision_needs_groups_of_now(on: Database) {
    let setup = Setup::new(on).await;
    let change = setup.submitted().await;
    setup.clock.forward(16 * Micros::MINUTE);
    // The provider tells nothing without the person.
    setup.provider.cannot_be_asked();
    let e = decided(&setup, change).await.expect_err("too old");
    assert_eq!(e.kind, Kind::SignInAgain);
    assert!(e.message.contains("nothing was done"), "{}", e.message);
    // It says that the role is gone.
    setup.provider.set_groups(&["gh-somebody-else"]);
    let e = decided(&setup, change).await.expect_err("no approver");
    assert!(matches!(e.kind, Kind::NotFound | Kind::Forbidden));
    assert!(
        setup
            .services
            .ctx
            .store
            .decisions(change)
            .await
            .expect("reads")
            .is_empty()
    );
}

async fn a_decision_goes_through_once_the_provider_vouches(on: Database) {
    let setup = Setup::new(on).await;
    let change = setup.submitted().await;
    setup.clock.forward(16 * Micros::MINUTE);
    setup.provider.set_groups(&["gh-approve"]);
    decided(&setup, change)
        .await
        .map_err(|e| e.for_log())
        .expect("decides");
}

async fn asking_for_a_change_needs_groups_of_now(on: Database) {
    let setup = Setup::new(on).await;
    setup.clock.forward(16 * Micros::MINUTE);
    setup.provider.cannot_be_asked();
    let e = setup.try_submit().await.expect_err("too old");
    assert_eq!(e.kind, Kind::SignInAgain);
    setup.provider.set_groups(&["gh-ai"]);
    setup
        .try_submit()
        .await
        .map_err(|e| e.for_log())
        .expect("submits");
}
