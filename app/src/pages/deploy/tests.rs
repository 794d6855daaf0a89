//! What is said of a field stands beside it, and links lead to elements that are there.

use super::*;
use domain::{
    FieldError, Micros,
    access::{Role, Scope, Stage},
    change::{ChangeKind, Use},
    finding::Finding,
    form::{Env, EnvFrom, Form},
};
use services::{
    ports::Draft,
    secrets::Secrets,
    wizard::{Broken, Placed, Review, Spot, TargetChoice},
};

fn view() -> WizardView {
    let id = |n: u32| format!("00000000-0000-7000-8000-{n:012}");
    WizardView {
        draft: Draft {
            id: id(1).parse().expect("id"),
            owner: id(2).parse().expect("id"),
            kind: ChangeKind::Create,
            title: "llama".into(),
            version_id: None,
            change: None,
            cluster: None,
            namespace: None,
            usage: Use::default(),
            comment: String::new(),
            manifest_yaml: String::new(),
            broken_yaml: None,
            said: vec![],
            step: "use".into(),
            version: 1,
            created_at: Micros(0),
            updated_at: Micros(0),
        },
        form: Form::starting(),
        unknown: vec![],
        version: None,
        serving: None,
        targets: vec![],
        formats: vec![],
        runtimes: vec![],
        modes: vec!["Standard".into(), "Knative".into()],
        gpus: vec![],
        sizing: None,
        fit: None,
        quota: vec![],
        findings: vec![],
        errors: vec![],
        stages: vec![],
        secrets: Secrets::NotAsked,
    }
}

fn found(severity: Severity, field: &str, step: &str, id: &str, message: &str) -> Placed {
    Placed {
        finding: Finding {
            rule: "test".into(),
            severity,
            field: field.into(),
            message: message.into(),
            remedy: String::new(),
        },
        spot: (!id.is_empty()).then(|| Spot {
            step: step.into(),
            id: id.into(),
        }),
    }
}

fn html(page: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| page().to_html())
}

/// The opening tag of the element with this id.
fn tag<'a>(html: &'a str, id: &str) -> &'a str {
    let at = html
        .find(&format!("id=\"{id}\""))
        .unwrap_or_else(|| panic!("no {id} in {html}"));
    let from = html[..at].rfind('<').expect("a tag");
    &html[from..at + html[at..].find('>').expect("its end")]
}

#[test]
fn a_finding_describes_its_field() {
    let v = WizardView {
        findings: vec![
            found(
                Severity::Error,
                "spec.predictor.minReplicas",
                "resources",
                "min_replicas",
                "nothing scales to zero",
            ),
            found(
                Severity::Warning,
                "spec.predictor.timeout",
                "resources",
                "timeout",
                "that is long",
            ),
        ],
        ..view()
    };
    let html = html(|| resources::page(&v));
    let field = tag(&html, "min_replicas");
    assert!(
        field.contains("aria-invalid=\"true\"")
            && field.contains("aria-describedby=\"min_replicas-help\""),
        "{field}"
    );
    let words = &html[html.find("id=\"min_replicas-help\"").expect("described")..];
    assert!(
        words.find("Nothing scales to zero.") < words.find("id=\"max_replicas\""),
        "{words}"
    );
    let field = tag(&html, "timeout");
    assert!(
        field.contains("aria-invalid=\"false\"")
            && field.contains("aria-describedby=\"timeout-help\""),
        "{field}"
    );
    // Nothing is described by an element that is not there.
    assert!(!tag(&html, "gpus").contains("describedby"), "{html}");
}

#[test]
fn a_variables_cell_has_its_own_and_secrets_are_offered() {
    let v = WizardView {
        form: Form {
            env: vec![Env {
                name: "TOKEN".into(),
                source: EnvFrom::Secret {
                    secret: "hub".into(),
                    key: "token".into(),
                },
            }],
            ..Form::starting()
        },
        findings: vec![found(
            Severity::Error,
            "spec.predictor.model.env[0].valueFrom.secretKeyRef.name",
            "source",
            "env-0-secret",
            "no such Secret",
        )],
        secrets: Secrets::Listed(vec![("other".into(), vec!["password".into()])]),
        ..view()
    };
    let html = html(|| source::page(&v));
    let cell = tag(&html, "env-0-secret");
    assert!(
        cell.contains("aria-invalid=\"true\"")
            && cell.contains("aria-describedby=\"env-0-help\"")
            && cell.contains("list=\"secret-names\""),
        "{cell}"
    );
    assert!(
        tag(&html, "env-0-name").contains("aria-invalid=\"false\""),
        "{html}"
    );
    assert!(html.contains("No such Secret.") && html.contains("<option value=\"other\""));
    assert!(tag(&html, "pull_secrets").contains("list=\"secret-names\""));
}

#[test]
fn what_has_several_lines_is_shown_so_that_it_survives() {
    let value = |name: &str, value: &str| Env {
        name: name.into(),
        source: EnvFrom::Value {
            value: value.into(),
        },
    };
    let mut v = WizardView {
        form: Form {
            args: vec!["-c".into(), "a\nb".into()],
            env: vec![value("CA", "one\ntwo\n"), value("LEADING", "\nx")],
            deployment_mode: "RawDeployment".into(),
            protocol: "v9".into(),
            ..Form::starting()
        },
        ..view()
    };
    let page = html(|| source::page(&v));
    assert!(tag(&page, "env-0-value").starts_with("<textarea"), "{page}");
    assert!(page.contains(">one\ntwo\n</textarea>"), "{page}");
    // The first line end after the tag is not part of the text.
    assert!(page.contains(">\n\nx</textarea>"), "{page}");
    assert!(!page.contains("name=\"args\""), "{page}");
    assert!(tag(&page, "args").starts_with("<fieldset"), "{page}");
    // Neither is replaced by the first of the usual ones.
    for written in ["RawDeployment", "v9"] {
        let option = &page[page
            .find(&format!("<option value=\"{written}\""))
            .expect("there")..];
        assert!(
            option[..option.find('>').expect("its end")].contains("selected"),
            "{option}"
        );
    }
    v.form.args = vec!["--a".into(), "--b".into()];
    let page = html(|| source::page(&v));
    assert!(tag(&page, "args").starts_with("<textarea") && page.contains(">--a\n--b</textarea>"));
}

#[test]
fn review_links_each_finding_to_its_field() {
    let v = view();
    let id = v.draft.id;
    let review = Review {
        findings: vec![
            found(
                Severity::Error,
                "spec.predictor.minReplicas",
                "resources",
                "min_replicas",
                "no",
            ),
            found(
                Severity::Error,
                "spec.predictor.sheduler",
                "review",
                "yaml",
                "no such field",
            ),
            found(Severity::Warning, "", "", "", "of the whole"),
        ],
        view: v,
        prepared: None,
        problem: Some("the cluster does not accept this".into()),
        broken: None,
        yaml: "a: 1\n".into(),
        differences: vec![],
        difference_text: vec![],
        submittable: false,
    };
    let html = html(|| review::page(review));
    assert!(
        html.contains(&format!("href=\"/deploy/{id}/resources#min_replicas\"")),
        "{html}"
    );
    assert!(html.contains("href=\"#yaml\"") && html.contains("Of the whole"));
    assert!(html.contains("The cluster does not accept this."));
    tag(&html, "yaml");
}

#[test]
fn broken_yaml_is_said_once_above_and_beside_its_text() {
    let message = "line 2, column 7: The brackets do not match. Close each `[` with `]`.";
    let review = Review {
        findings: vec![],
        view: view(),
        prepared: None,
        problem: None,
        broken: Some(Broken {
            message: message.into(),
            at: Some((2, 7)),
        }),
        yaml: "a: 1\nb: [1, 2\n".into(),
        differences: vec![],
        difference_text: vec![],
        submittable: false,
    };
    let html = html(|| review::page(review));
    assert_eq!(html.matches("It cannot be submitted yet").count(), 1);
    assert!(tag(&html, "yaml").contains("aria-invalid=\"true\""));
    assert!(
        html.contains("<a href=\"#yaml\">Line 2, column 7:"),
        "{html}"
    );
}

#[test]
fn the_line_that_breaks_is_shown_with_a_mark() {
    let text = review::excerpt("a: 1\nb: [1, 2\nc: 3\n", 2, 4).expect("lines");
    assert_eq!(text, "    1 a: 1\n    2 b: [1, 2\n         ^");
    assert!(review::excerpt("a", 9, 900).is_some());
    assert_eq!(review::excerpt("", 1, 1), None);
}

#[test]
fn a_refused_form_links_to_fields_wherever_they_stand() {
    let v = WizardView {
        errors: vec![FieldError {
            field: "source".into(),
            message: "Say where.".into(),
        }],
        ..view()
    };
    let id = v.draft.id;
    assert_eq!(href(&v, "source", "source").as_deref(), Some("#uri"));
    assert_eq!(
        href(&v, "review", "max_replicas"),
        Some(format!("/deploy/{id}/resources#max_replicas"))
    );
    assert_eq!(href(&v, "review", "purpose").as_deref(), Some("#purpose"));
    assert_eq!(href(&v, "review", ""), None);
    assert_eq!(beside(&v, "uri").len(), 1);
}

#[test]
fn each_place_says_how_many_approvals_it_waits_for() {
    let place = |namespace: &str, counts: &[u32]| TargetChoice {
        cluster: "cloud-1".into(),
        namespace: namespace.into(),
        scope: Scope {
            unit: "retail".into(),
            environment: "development".into(),
        },
        away: false,
        stages: counts
            .iter()
            .map(|&count| Stage {
                role: Role::Approver,
                count,
            })
            .collect(),
    };
    let mut v = WizardView {
        targets: vec![
            place("retail-dev", &[1]),
            place("retail-test", &[]),
            place("retail-prod", &[1, 2]),
        ],
        ..view()
    };
    let nowhere = html(|| steps::target(&v));
    assert!(
        nowhere.contains("Choose…") && !nowhere.contains("Saved is"),
        "{nowhere}"
    );
    v.form.cluster = "cloud-1".into();
    v.form.namespace = "retail-prod".into();
    let html = html(|| steps::target(&v));
    for words in [
        "cloud-1 / retail-dev (retail, development) · 1 approval<",
        "cloud-1 / retail-test (retail, development) · no approval<",
        "cloud-1 / retail-prod (retail, development) · 3 approvals<",
        "Saved is cloud-1 / retail-prod: changes there wait for 1 × approver, then 2 × approver.",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[test]
fn a_place_out_of_reach_is_no_choice_and_said_so() {
    let mut v = view();
    (v.form.cluster, v.form.namespace) = ("cloud-1".into(), "theirs".into());
    let html = html(|| steps::target(&v));
    assert!(tag(&html, "target").contains("aria-invalid=\"true\""));
    assert!(html.contains("You may not ask for deployments in cloud-1 / theirs"));
    // Chosen is nothing, so that saving the step asks for a place.
    assert!(!html.contains("<option value=\"cloud-1/theirs\""), "{html}");
}
