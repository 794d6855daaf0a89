//! The wizard over the same store and cluster: what its steps say, and an update from the first page to
//! its effect.

use crate::setup::Setup;
use domain::{
    Kind, Micros, Result,
    access::Grant,
    access::Role,
    change::{ChangeKind, ChangeState},
    finding::{Finding, Severity},
    form::{Env, EnvFrom, Form, Source},
    ids::{ChangeId, Digest, DraftId},
    place::DeploymentKey,
    yaml::to_yaml,
};
use services::{
    Caller,
    ports::*,
    secrets::Secrets,
    wizard::{Edit, NewChange, Start, UseInput, WizardView},
};
use store::testing::Kind as Database;

crate::setup::stories!(
    an_update_shows_only_its_difference_and_is_applied_to_the_object_that_it_began_with,
    what_the_cluster_says_stands_beside_its_field_until_that_is_another,
    a_secret_that_is_not_there_is_said_where_the_person_may_list_them,
    a_volume_claim_that_is_not_there_is_said_where_the_person_may_look,
    nothing_of_another_units_place_is_shown,
    broken_yaml_has_a_place_and_a_saved_step_goes_on_from_the_form,
    what_only_the_form_minds_can_be_asked_for,
    a_save_without_a_change_keeps_the_text,
    a_program_asks_as_the_wizard_does,
);

/// A result, or a test that says what went wrong.
pub trait Worked<T> {
    fn worked(self) -> T;
}
impl<T> Worked<T> for Result<T> {
    fn worked(self) -> T {
        self.unwrap_or_else(|e| panic!("{} {:?}", e.for_log(), e.fields))
    }
}

fn key() -> DeploymentKey {
    DeploymentKey::new("one", "retail-prod", "llama")
}

fn purpose() -> UseInput {
    UseInput {
        purpose: "chat".into(),
        owner: "team".into(),
        ..Default::default()
    }
}

/// A draft of the requester's with a form that every check accepts.
async fn draft(setup: &Setup, edit: impl FnOnce(&mut Form)) -> DraftId {
    let wizard = &setup.services.wizard;
    let caller = &setup.requester;
    let id = wizard.start(caller, &Start::Blank).await.worked();
    let mut form = Setup::form();
    form.cluster = "one".into();
    edit(&mut form);
    save(setup, id, "resources", Some(form), None)
        .await
        .worked();
    id
}

async fn save(
    setup: &Setup,
    id: DraftId,
    step: &str,
    form: Option<Form>,
    yaml: Option<String>,
) -> Result<i64> {
    let wizard = &setup.services.wizard;
    let version = wizard.draft(&setup.requester, id).await?.version;
    let edit = Edit {
        usage: Some(purpose()),
        form,
        yaml,
        step: step.into(),
        ..Default::default()
    };
    wizard.save(&setup.requester, id, version, edit).await
}

/// What stands beside an element of a step.
fn said(view: &WizardView, step: &str, id: &str) -> Vec<String> {
    view.findings
        .iter()
        .filter(|p| {
            p.spot
                .as_ref()
                .is_some_and(|s| s.step == step && s.id == id)
        })
        .map(|p| p.finding.rule.clone())
        .collect()
}

async fn applied(setup: &Setup, change: ChangeId) {
    setup.approve(change).await;
    setup.clock.forward(11 * Micros::SECOND);
    setup.work_until_quiet().await;
    let change = setup.db.change_get(change).await.worked().expect("there");
    assert_eq!(change.state, ChangeState::Applied);
}

async fn an_update_shows_only_its_difference_and_is_applied_to_the_object_that_it_began_with(
    on: Database,
) {
    let setup = Setup::new(on).await;
    let first = setup.submitted().await;
    applied(&setup, first).await;

    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = wizard
        .start(caller, &Start::Deployment(key()))
        .await
        .worked();
    let mut form = wizard.form(caller, id).await.worked();
    assert_eq!((form.name.as_str(), form.max_replicas), ("llama", Some(1)));
    form.max_replicas = Some(3);
    save(&setup, id, "resources", Some(form), None)
        .await
        .worked();
    let review = wizard.review(caller, id).await.worked();
    let paths: Vec<&str> = review.differences.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["spec.predictor.maxReplicas"]);
    assert!(review.submittable, "{:?}", review.findings);
    let hash = review
        .prepared
        .expect("asked")
        .hash
        .expect("the cluster agreed");
    let change = wizard.submit(caller, id, hash, "more of it").await.worked();

    let view = setup.services.changes.get(caller, change).await.worked();
    assert_eq!(view.change.kind, ChangeKind::Update);
    assert_eq!(view.revision.seen.live_uid.as_deref(), Some("uid-1"));
    assert_eq!(view.differences.len(), 1);
    let gone = wizard.draft(caller, id).await.expect_err("submitted");
    assert_eq!(gone.kind, Kind::NotFound);

    applied(&setup, change).await;
    assert_eq!(
        setup.cluster.generations(),
        [2],
        "the same object, once more"
    );
}

async fn what_the_cluster_says_stands_beside_its_field_until_that_is_another(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |_| {}).await;
    let finding = |field: &str, message: &str| Finding {
        rule: "schema".into(),
        severity: Severity::Error,
        field: field.into(),
        message: message.into(),
        remedy: String::new(),
    };
    setup.cluster.refuse_dry_runs(Some(Refusal::Rejected {
        findings: vec![
            finding("spec.predictor.maxReplicas", "too many"),
            finding("spec.predictor.model.storageUri", "not from there"),
            finding("spec.predictor.sheduler", "no such field"),
        ],
        message: "the cluster does not accept this".into(),
    }));
    let before = wizard.view(caller, id, "resources").await.worked();
    assert!(said(&before, "resources", "max_replicas").is_empty());

    let review = wizard.review(caller, id).await.worked();
    assert!(!review.submittable);
    let spots: Vec<String> = review
        .findings
        .iter()
        .filter(|p| p.finding.rule == "schema")
        .filter_map(|p| p.spot.as_ref().map(|s| format!("{}#{}", s.step, s.id)))
        .collect();
    for spot in ["resources#max_replicas", "source#uri", "review#yaml"] {
        assert!(spots.iter().any(|s| s == spot), "{spot} in {spots:?}");
    }
    let view = wizard.view(caller, id, "resources").await.worked();
    assert_eq!(said(&view, "resources", "max_replicas"), ["schema"]);
    assert_eq!(said(&view, "source", "uri"), ["schema"]);

    // Another value: what was said of the old one is over, what was said of others is not.
    let mut form = view.form.clone();
    form.max_replicas = Some(2);
    save(&setup, id, "resources", Some(form), None)
        .await
        .worked();
    let view = wizard.view(caller, id, "resources").await.worked();
    let still = said(&view, "resources", "max_replicas");
    assert!(!still.iter().any(|rule| rule == "schema"), "{still:?}");
    assert_eq!(said(&view, "source", "uri"), ["schema"]);

    // A submit that is refused names the form's fields, so that links lead to them.
    let refused = wizard
        .submit(caller, id, Digest::of(b"x"), "")
        .await
        .expect_err("refused");
    let fields: Vec<&str> = refused.fields.iter().map(|f| f.field.as_str()).collect();
    assert!(
        fields.contains(&"max_replicas") && fields.contains(&"source"),
        "{fields:?}"
    );
}

async fn a_secret_that_is_not_there_is_said_where_the_person_may_list_them(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |form| {
        form.env = vec![Env {
            name: "TOKEN".into(),
            source: EnvFrom::Secret {
                secret: "hub".into(),
                key: "token".into(),
            },
        }];
    })
    .await;
    let keys: &[&str] = &["token"];

    setup.cluster.set_secrets(Some(&[("other", keys)]));
    let view = wizard.view(caller, id, "source").await.worked();
    assert_eq!(said(&view, "source", "env-0-secret"), ["secret-missing"]);
    assert_eq!(
        view.secrets,
        Secrets::Listed(vec![("other".into(), vec!["token".into()])])
    );
    assert!(!wizard.review(caller, id).await.worked().submittable);

    setup.cluster.set_secrets(Some(&[("hub", keys)]));
    assert!(wizard.review(caller, id).await.worked().submittable);

    // Who may not list them is told so, and nothing is concluded from it.
    setup.cluster.set_secrets(None);
    let view = wizard.view(caller, id, "source").await.worked();
    assert!(said(&view, "source", "env-0-secret").is_empty());
    let Secrets::Unknown { why } = view.secrets else {
        panic!("{:?}", view.secrets)
    };
    assert!(why.contains("may not list"), "{why}");
    let review = wizard.review(caller, id).await.worked();
    assert!(review.submittable);
    assert!(
        review
            .findings
            .iter()
            .any(|p| p.finding.rule == "secrets-unchecked")
    );
}

async fn a_volume_claim_that_is_not_there_is_said_where_the_person_may_look(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |form| {
        form.source = Source::Storage {
            uri: "pvc://models/llama".into(),
        };
    })
    .await;
    let rules = async || -> (bool, Vec<String>) {
        let review = wizard.review(caller, id).await.worked();
        let found = review.findings.into_iter().map(|p| p.finding.rule);
        let mine = found.filter(|r| r == "volume-claim-missing" || r == "references-unchecked");
        (review.submittable, mine.collect())
    };
    assert_eq!(rules().await, (false, vec!["volume-claim-missing".into()]));
    setup.cluster.set_claims(Some(&["models"]));
    assert_eq!(rules().await, (true, vec![]));
    // Who may not look is told so, and nothing is concluded from it.
    setup.cluster.set_claims(None);
    assert_eq!(rules().await, (true, vec!["references-unchecked".into()]));
}

async fn nothing_of_another_units_place_is_shown(on: Database) {
    let setup = Setup::new(on).await;
    let retail_only = Caller {
        grants: vec![Grant {
            role: Role::AiEngineer,
            units: vec!["retail".into()],
            environments: vec!["*".into()],
        }],
        ..setup.requester.clone()
    };
    let wizard = &setup.services.wizard;
    let id = draft(&setup, |_| {}).await;
    let own = wizard.view(&retail_only, id, "source").await.worked();
    assert!(!own.runtimes.is_empty());

    // YAML may name any namespace; a form could be posted with any.
    let mut form = Setup::form();
    (form.cluster, form.namespace) = ("one".into(), "research-prod".into());
    let yaml = to_yaml(&form.new_manifest());
    save(&setup, id, "review", None, Some(yaml)).await.worked();
    setup.cluster.set_secrets(Some(&[("theirs", &[])]));
    let view = wizard.view(&retail_only, id, "source").await.worked();
    assert_eq!(view.form.namespace, "research-prod");
    assert!(view.runtimes.is_empty() && view.formats.is_empty());
    assert_eq!(view.secrets, Secrets::NotAsked);
    let refused = wizard.secrets(&retail_only, id).await;
    assert_eq!(refused.expect_err("not theirs").kind, Kind::NotFound);

    // Which place it is, and where else it may go: nobody here has an address to check.
    let review = wizard.review(&retail_only, id).await.worked();
    let said = review.problem.expect("said");
    assert!(
        said.contains("“research-prod”") && said.contains("you may use: one / retail-prod"),
        "{said}"
    );
    let refused = wizard
        .submit(&retail_only, id, Digest::of(b"any"), "")
        .await;
    let e = refused.expect_err("not theirs");
    assert_eq!(
        (e.kind, e.fields[0].field.as_str()),
        (Kind::Invalid, "namespace")
    );
}

async fn broken_yaml_has_a_place_and_a_saved_step_goes_on_from_the_form(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |_| {}).await;
    let broken = "apiVersion: serving.kserve.io/v1beta1\nkind: [InferenceService\n";
    let refused = save(&setup, id, "review", None, Some(broken.into())).await;
    assert_eq!(refused.expect_err("broken").fields[0].field, "yaml");
    let review = wizard.review(caller, id).await.worked();
    let said = review.broken.expect("said");
    assert!(said.at.is_some_and(|(line, _)| line >= 2), "{said:?}");
    assert_eq!(
        (review.problem, review.yaml.as_str()),
        (None, broken),
        "said once, and kept"
    );

    let mut form = wizard.form(caller, id).await.worked();
    form.max_replicas = Some(4);
    save(&setup, id, "resources", Some(form), None)
        .await
        .worked();
    let review = wizard.review(caller, id).await.worked();
    assert_eq!(review.broken, None);
    assert!(review.yaml.contains("maxReplicas: 4"), "{}", review.yaml);
}

async fn what_only_the_form_minds_can_be_asked_for(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |_| {}).await;
    let mut form = Setup::form();
    // More than the form takes, and nothing to KServe.
    form.args = vec![format!("--chat-template={}", "x".repeat(9_000))];
    let yaml = to_yaml(&form.new_manifest());
    save(&setup, id, "review", None, Some(yaml)).await.worked();
    let review = wizard.review(caller, id).await.worked();
    assert_eq!(review.view.errors[0].field, "args[0]");
    assert!(
        review.submittable,
        "{:?} {:?}",
        review.problem, review.findings
    );
    // Its own step still says so.
    let form = wizard.form(caller, id).await.worked();
    let refused = save(&setup, id, "source", Some(form), None).await;
    assert_eq!(refused.expect_err("too long").fields[0].field, "args[0]");
}

async fn a_save_without_a_change_keeps_the_text(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let id = draft(&setup, |_| {}).await;
    let text = format!("# why\n{}", to_yaml(&Setup::form().new_manifest()));
    save(&setup, id, "review", None, Some(text.clone()))
        .await
        .worked();
    let form = wizard.form(caller, id).await.worked();
    save(&setup, id, "resources", Some(form), None)
        .await
        .worked();
    let draft = wizard.draft(caller, id).await.worked();
    assert_eq!(draft.manifest_yaml, text);
}

async fn a_program_asks_as_the_wizard_does(on: Database) {
    let setup = Setup::new(on).await;
    let (wizard, caller) = (&setup.services.wizard, &setup.requester);
    let new = |manifest| NewChange {
        kind: ChangeKind::Create,
        cluster: "one".into(),
        namespace: "retail-prod".into(),
        usage: purpose(),
        comment: String::new(),
        manifest,
        expected: None,
    };
    let good = Setup::form().new_manifest();
    let mut bad = good.clone();
    bad["spec"]["predictor"]["minReplicas"] = serde_json::json!(0);
    let refused = wizard.submit_whole(caller, new(bad)).await;
    let fields = refused.expect_err("nothing scales to zero").fields;
    assert!(
        fields
            .iter()
            .any(|f| f.field == "spec.predictor.minReplicas"),
        "{fields:?}"
    );
    let text = serde_json::Value::String(to_yaml(&good));
    let change = wizard.submit_whole(caller, new(text)).await.worked();
    let view = setup.services.changes.get(caller, change).await.worked();
    assert_eq!(view.change.state, ChangeState::Waiting);
    assert_eq!(view.change.usage.purpose, "chat");
}
