use super::*;
use serde_json::json;

fn status(v: Value) -> Failure {
    Failure::Refused(Box::new(serde_json::from_value(v).unwrap()))
}

fn said(failure: Failure) -> Refusal {
    let object = json!({"spec": {"predictor": {"minReplicas": 5, "maxReplicas": 3}}});
    refusal(
        failure,
        Doing {
            cluster: "onprem-1",
            effect: true,
            object: &object,
        },
    )
}

fn findings(r: Refusal) -> Vec<(String, String)> {
    match r {
        Refusal::Rejected { findings, message } => {
            assert!(!message.is_empty());
            findings.into_iter().map(|f| (f.rule, f.field)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.into(), b.into())
}

#[test]
fn a_webhooks_words_stand_beside_their_field() {
    let r = said(status(
        json!({"kind": "Status", "code": 403, "reason": "Forbidden",
        "message": "admission webhook \"inferenceservice.kserve-webhook-server.validator\" denied the request: 'MinReplicas' cannot be greater than MaxReplicas"}),
    ));
    assert_eq!(
        findings(r),
        [pair(
            "kserve-min-above-max-replicas",
            "spec.predictor.minReplicas"
        )]
    );
}

#[test]
fn a_webhooks_unknown_words_are_quoted_and_bounded() {
    let r = said(status(
        json!({"code": 403, "message": format!("admission webhook \"x.example\" denied the request: brand new\n\u{1b}[31m rule {}", "y".repeat(5000))}),
    ));
    let Refusal::Rejected { findings, .. } = r else {
        panic!()
    };
    assert!(findings[0].message.contains("x.example") && findings[0].message.contains("brand new"));
    assert!(findings[0].message.len() < 800 && !findings[0].message.contains('\u{1b}'));
}

#[test]
fn a_panic_of_the_defaulter_is_an_empty_predictor() {
    let r = said(status(
        json!({"code": 400, "message": "admission webhook \"inferenceservice.kserve-webhook-server.defaulter\" denied the request: panic: runtime error: index out of range [0] with length 0 [recovered]"}),
    ));
    assert_eq!(
        findings(r),
        [pair("kserve-empty-predictor", "spec.predictor")]
    );
}

#[test]
fn a_policy_of_the_cluster_is_named() {
    let r = said(status(
        json!({"code": 422, "reason": "Invalid", "message": "inferenceservices.serving.kserve.io \"x\" is forbidden: ValidatingAdmissionPolicy 'approved-content' with binding 'b' denied request: the spec differs"}),
    ));
    let Refusal::Rejected { findings, .. } = r else {
        panic!()
    };
    assert!(
        findings[0].message.contains("approved-content")
            && findings[0].message.contains("the spec differs")
    );
}

#[test]
fn schema_errors_name_each_field() {
    let one = "failed to create typed patch object (retail-dev/x; serving.kserve.io/v1beta1, Kind=InferenceService): .spec.predictor.foo: field not declared in schema";
    assert_eq!(
        findings(said(status(json!({"code": 500, "message": one})))),
        [pair("unknown-field", "spec.predictor.foo")]
    );
    let two = "failed to create typed patch object (retail-dev/x; serving.kserve.io/v1beta1, Kind=InferenceService): errors:\n  .spec.predictor.foo: field not declared in schema\n  .spec.bar: field not declared in schema";
    assert_eq!(
        findings(said(status(json!({"code": 500, "message": two})))).len(),
        2
    );
    let kind = "failed to create typed patch object (retail-dev/x; serving.kserve.io/v1beta1, Kind=InferenceService): .spec.predictor.minReplicas: expected numeric (int or float), got string";
    assert_eq!(
        findings(said(status(json!({"code": 500, "message": kind})))),
        [pair("schema", "spec.predictor.minReplicas")]
    );
    let strict =
        "strict decoding error: unknown field \"spec.foo\", unknown field \"spec.predictor.bar\"";
    assert_eq!(
        findings(said(status(
            json!({"code": 400, "reason": "BadRequest", "message": strict})
        ))),
        [
            pair("unknown-field", "spec.foo"),
            pair("unknown-field", "spec.predictor.bar")
        ]
    );
}

#[test]
fn causes_of_an_invalid_object_have_words_of_ours() {
    let r = said(status(
        json!({"code": 422, "reason": "Invalid", "message": "InferenceService.serving.kserve.io \"x\" is invalid", "details": {"causes": [
        {"reason": "FieldValueNotSupported", "field": "spec.predictor.scaleMetric", "message": "Unsupported value: \"x\": supported values: \"cpu\", \"memory\""},
        {"reason": "FieldValueInvalid", "field": "metadata.name", "message": "Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of …"},
        {"reason": "FieldValueRequired", "field": "<nil>", "message": "Required value"},
        {"reason": "FieldValueInvalid", "field": "spec.canary[0].trafficPercent", "message": "Invalid value: 110: spec.canary[0].trafficPercent in body should be less than or equal to 100"}]}}),
    ));
    let Refusal::Rejected { findings, .. } = r else {
        panic!()
    };
    let fields: Vec<_> = findings.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.predictor.scaleMetric",
            "metadata.name",
            "",
            "spec.canary[0].trafficPercent"
        ]
    );
    assert_eq!(findings[0].remedy, "Use one of \"cpu\", \"memory\".");
    assert!(!findings[1].message.contains("RFC"));
    assert_eq!(
        findings[3].message,
        "the value should be less than or equal to 100"
    );
}

#[test]
fn a_conflict_names_managers_and_fields() {
    let r = said(status(
        json!({"code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict: conflict with \"kubectl-edit\": .spec.predictor.minReplicas",
        "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using serving.kserve.io/v1beta1", "field": ".spec.predictor.minReplicas"}]}}),
    ));
    let Refusal::Conflict { managers, message } = r else {
        panic!("{r:?}")
    };
    assert_eq!(
        managers,
        [pair("kubectl-edit", "spec.predictor.minReplicas")]
    );
    assert!(message.contains("kubectl-edit"));
}

#[test]
fn another_object_than_decided_is_a_precondition() {
    for text in [
        "Operation cannot be fulfilled on inferenceservices.serving.kserve.io \"x\": Precondition failed: UID in precondition: a, UID in object meta: b",
        "Operation cannot be fulfilled on InferenceService.serving.kserve.io \"x\": the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated",
        "Operation cannot be fulfilled on inferenceservices.serving.kserve.io \"x\": uid mismatch: the provided object specified uid a, and no existing object was found",
    ] {
        assert!(
            matches!(
                said(status(
                    json!({"code": 409, "reason": "Conflict", "message": text})
                )),
                Refusal::Precondition { .. }
            ),
            "{text}"
        );
    }
    assert!(matches!(
        said(status(
            json!({"code": 409, "reason": "AlreadyExists", "message": "x"})
        )),
        Refusal::Precondition { .. }
    ));
    for text in [
        "Operation cannot be fulfilled on inferenceservices.serving.kserve.io \"x\": the object has been modified; please apply your changes to the latest version and try again",
        "Operation cannot be fulfilled on inferenceservices.serving.kserve.io \"x\": Precondition failed: ResourceVersion in precondition: 7, ResourceVersion in object meta: 8",
    ] {
        assert!(
            matches!(
                said(status(
                    json!({"code": 409, "reason": "Conflict", "message": text})
                )),
                Refusal::Changed { .. }
            ),
            "{text}"
        );
    }
}

#[test]
fn rights_and_quotas_are_told_apart_from_webhooks() {
    let r = said(status(
        json!({"code": 403, "reason": "Forbidden", "message": "inferenceservices.serving.kserve.io \"x\" is forbidden: User \"oidc:ai\" cannot patch resource \"inferenceservices\" in API group \"serving.kserve.io\" in the namespace \"retail-prod\""}),
    ));
    let Refusal::Forbidden { message } = r else {
        panic!()
    };
    assert!(
        message.contains("change") && message.contains("retail-prod"),
        "{message}"
    );
    let r = said(status(
        json!({"code": 403, "message": "users \"oidc:ai\" is forbidden: User \"gatehouse-console\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"}),
    ));
    let Refusal::Forbidden { message } = r else {
        panic!()
    };
    assert!(message.contains("impersonate"), "{message}");
    let r = said(status(
        json!({"code": 403, "message": "inferenceservices.serving.kserve.io \"x\" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=4, used: requests.nvidia.com/gpu=6, limited: requests.nvidia.com/gpu=8"}),
    ));
    let Refusal::Rejected { message, .. } = r else {
        panic!()
    };
    assert!(
        message.contains("gpus") && message.contains("=4") && message.contains("=8"),
        "{message}"
    );
}

#[test]
fn what_may_have_happened_is_said() {
    let maybe = |f: Failure| match said(f) {
        Refusal::Unavailable { maybe_done, .. } => maybe_done,
        other => panic!("{other:?}"),
    };
    assert!(!maybe(Failure::NotConnected));
    assert!(maybe(Failure::Timeout));
    assert!(maybe(Failure::Lost));
    assert!(!maybe(status(
        json!({"code": 429, "reason": "TooManyRequests"})
    )));
    assert!(maybe(status(json!({"code": 504, "reason": "Timeout"}))));
    assert!(!maybe(status(
        json!({"code": 500, "message": "Internal error occurred: failed calling webhook \"x\": connect refused"})
    )));
    let dry = refusal(
        Failure::Timeout,
        Doing {
            cluster: "c",
            effect: false,
            object: &Value::Null,
        },
    );
    assert!(matches!(
        dry,
        Refusal::Unavailable {
            maybe_done: false,
            ..
        }
    ));
}

#[test]
fn a_missing_kind_and_a_missing_namespace_are_findings() {
    assert_eq!(
        findings(said(status(
            json!({"code": 404, "reason": "NotFound", "message": "the server could not find the requested resource", "details": {}})
        ))),
        [pair("kind-unknown", "kind")]
    );
    assert_eq!(
        findings(said(status(
            json!({"code": 404, "reason": "NotFound", "message": "namespaces \"x\" not found", "details": {"name": "x", "kind": "namespaces"}})
        ))),
        [pair("namespace-gone", "metadata.namespace")]
    );
    assert!(matches!(
        said(status(
            json!({"code": 404, "reason": "NotFound", "message": "inferenceservices.serving.kserve.io \"x\" not found", "details": {"name": "x", "kind": "inferenceservices"}})
        )),
        Refusal::Precondition { .. }
    ));
}

#[test]
fn a_uid_that_cannot_be_changed_is_another_object() {
    let r = said(status(json!({"code": 422, "reason": "Invalid",
        "message": "InferenceService.serving.kserve.io \"x\" is invalid: metadata.uid: Invalid value: \"u\": field is immutable",
        "details": {"causes": [{"reason": "FieldValueInvalid", "message": "Invalid value: \"u\": field is immutable", "field": "metadata.uid"}]}})));
    assert!(matches!(r, Refusal::Precondition { .. }), "{r:?}");
}
