//! The port `Clusters` against a real API server with KServe's webhooks in front.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod support;

use domain::{person::ClusterIdentity, references::Referred};
use k8s_openapi::api::{
    core::v1::{LimitRange, Secret, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use services::ports::{Clusters as _, ObjectVersion, Refusal};
use support::{NAMESPACE, World, manifest};

/// Each test leaves where there is no world.
macro_rules! world {
    () => {
        match World::join().await {
            Some(w) => w,
            None => return,
        }
    };
}

fn findings(r: Refusal) -> Vec<(String, String)> {
    match r {
        Refusal::Rejected { findings, .. } => {
            findings.into_iter().map(|f| (f.rule, f.field)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The object's version with this UID in its place.
fn another(object: &Value, uid: &str) -> ObjectVersion {
    ObjectVersion {
        uid: uid.into(),
        ..ObjectVersion::of(object).unwrap()
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"]
        .as_str()
        .expect("a stored object has a UID")
        .to_owned()
}

#[tokio::test]
async fn the_cache_knows_what_the_cluster_is() {
    let w = world!();
    let health = w.fleet.health(w.now()).remove(0);
    assert_eq!(
        health.id.map(|i| i.0).as_deref(),
        w.json["clusters"][0]["uid"].as_str()
    );
    let facts = w.fleet.facts(&w.cluster).unwrap();
    assert!(facts.kubernetes_version.starts_with("v1."), "{facts:?}");
    assert!(facts.groups.iter().any(|g| g == "serving.kserve.io"));
    w.until("the settings are read", || {
        w.fleet
            .facts(&w.cluster)
            .is_some_and(|f| f.default_mode.as_deref() == Some("Standard"))
    })
    .await;
    let facts = w.fleet.facts(&w.cluster).unwrap();
    assert!(
        facts.canary_field && facts.gateway_api.is_some() && facts.modelcar == Some(true),
        "{facts:?}"
    );
    let namespace = w
        .fleet
        .namespaces(&w.cluster)
        .into_iter()
        .find(|n| n.name == NAMESPACE)
        .unwrap();
    assert_eq!(
        (
            namespace.scope.unit.as_str(),
            namespace.scope.environment.as_str()
        ),
        ("retail", "development")
    );
    assert!(!namespace.uid.is_empty());
    w.until("nodes and runtimes are there", || {
        !w.fleet.nodes(&w.cluster).is_empty() && !w.fleet.runtimes(&w.cluster, NAMESPACE).is_empty()
    })
    .await;
    assert!(
        w.fleet
            .nodes(&w.cluster)
            .iter()
            .any(|n| n.allocatable.contains_key("nvidia.com/gpu"))
    );
    assert!(
        w.fleet
            .runtimes(&w.cluster, NAMESPACE)
            .iter()
            .any(|r| r.formats.iter().any(|f| f.name == "vLLM"))
    );
}

#[tokio::test]
async fn the_console_has_what_it_needs_and_no_more() {
    let w = world!();
    let answer = w.fleet.permissions(&w.cluster).await;
    assert_eq!(answer.problem, None);
    assert!(answer.as_of.is_some());
    let permissions = answer.all;
    assert!(permissions.len() > 15);
    let missing: Vec<_> = permissions
        .iter()
        .filter(|p| p.allowed != Some(true))
        .map(|p| p.what.as_str())
        .collect();
    // The version of KServe is read where its controller may be seen; nothing depends on it.
    assert!(
        missing
            .iter()
            .all(|m| *m == "get deployments.apps in kserve"),
        "{missing:?}"
    );
    assert!(
        !permissions.iter().any(|p| p.why.starts_with("not needed")),
        "{permissions:?}"
    );
}

#[tokio::test]
async fn rights_are_the_persons_and_never_the_consoles() {
    let w = world!();
    let reader = w.who("appdev", &["gh-appdev"]);
    let r = w
        .fleet
        .dry_run(&w.cluster, &reader, &manifest("c-rights"))
        .await
        .unwrap_err();
    let Refusal::Forbidden { message } = r else {
        panic!("{r:?}")
    };
    assert!(message.contains(NAMESPACE), "{message}");
    let stranger = w.who("nobody", &[]);
    assert!(matches!(
        w.fleet
            .apply(&w.cluster, &stranger, &manifest("c-rights"), None)
            .await,
        Err(Refusal::Forbidden { .. })
    ));
    assert!(matches!(
        w.fleet
            .delete(
                &w.cluster,
                &reader,
                &manifest("c-rights"),
                &ObjectVersion {
                    uid: "some-uid".into(),
                    resource_version: "1".into()
                }
            )
            .await,
        Err(Refusal::Forbidden { .. })
    ));
    assert!(
        !w.fleet
            .can(&w.cluster, &reader, "create", NAMESPACE)
            .await
            .unwrap()
    );
    assert!(
        w.fleet
            .can(&w.cluster, &reader, "get", NAMESPACE)
            .await
            .unwrap()
    );
    assert!(
        w.fleet
            .can(&w.cluster, &w.ai(), "create", NAMESPACE)
            .await
            .unwrap()
    );
    assert!(
        !w.fleet
            .can(&w.cluster, &w.ai(), "create", "kube-system")
            .await
            .unwrap()
    );
    assert!(
        w.fleet
            .dry_run(&w.cluster, &w.ai(), &manifest("c-rights"))
            .await
            .is_ok()
    );
    assert_eq!(
        w.fleet.read(&w.cluster, &w.key("c-rights")).await.unwrap(),
        None,
        "a dry run leaves nothing"
    );
}

#[tokio::test]
async fn reserved_names_are_never_sent() {
    let w = world!();
    for (user, groups) in [
        ("system:admin", vec![]),
        ("oidc:ai", vec!["system:masters"]),
        ("oidc:ai", vec![" system:masters"]),
        ("", vec![]),
    ] {
        let who = ClusterIdentity {
            user: user.into(),
            groups: groups.into_iter().map(str::to_owned).collect(),
        };
        assert!(
            matches!(
                w.fleet.dry_run(&w.cluster, &who, &manifest("c-x")).await,
                Err(Refusal::Forbidden { .. })
            ),
            "{user}"
        );
        assert!(
            matches!(
                w.fleet.can(&w.cluster, &who, "create", NAMESPACE).await,
                Err(Refusal::Forbidden { .. })
            ),
            "{user}"
        );
        assert!(
            matches!(
                w.fleet.secrets(&w.cluster, &who, NAMESPACE).await,
                Err(Refusal::Forbidden { .. })
            ),
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_says_what_the_webhooks_say_beside_the_field() {
    let w = world!();
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut object = manifest("c-dry");
        change(&mut object);
        findings(
            w.fleet
                .dry_run(&w.cluster, &w.ai(), &object)
                .await
                .expect_err("this is not valid"),
        )
    };
    let one = |rule: &str, field: &str| vec![(rule.to_owned(), field.to_owned())];
    assert_eq!(
        refused(&|o| o["spec"]["predictor"]["minReplicas"] = json!(9)).await,
        one(
            "kserve-min-above-max-replicas",
            "spec.predictor.minReplicas"
        )
    );
    assert_eq!(
        refused(&|o| o["spec"]["predictor"]["minReplicas"] = json!(-1)).await,
        one("kserve-min-replicas-negative", "spec.predictor.minReplicas")
    );
    assert_eq!(
        refused(&|o| o["spec"]["predictor"]["foo"] = json!(1)).await,
        one("unknown-field", "spec.predictor.foo")
    );
    assert_eq!(
        refused(
            &|o| o["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] = json!("foo")
        )
        .await,
        one(
            "kserve-autoscaler-class",
            "metadata.annotations.serving.kserve.io/autoscalerClass"
        )
    );
    assert_eq!(
        refused(&|o| o["spec"]["predictor"]["scaleMetric"] = json!("foo")).await,
        one("api-server", "spec.predictor.scaleMetric")
    );
    assert_eq!(
        refused(
            &|o| o["spec"]["predictor"]["model"]["resources"]["limits"]["memory"] = json!("2Gib")
        )
        .await,
        one(
            "kserve-quantity",
            "spec.predictor.model.resources.limits.memory"
        )
    );
    let mut elsewhere = manifest("c-dry");
    elsewhere["metadata"]["namespace"] = json!("not-there");
    let platform = w.who("platform", &["gh-platform"]);
    let gone = w
        .fleet
        .dry_run(&w.cluster, &platform, &elsewhere)
        .await
        .unwrap_err();
    assert_eq!(findings(gone), one("namespace-gone", "metadata.namespace"));
    let stored = w
        .fleet
        .dry_run(&w.cluster, &w.ai(), &manifest("c-dry"))
        .await
        .unwrap()
        .object;
    assert_eq!(
        stored["metadata"]["annotations"]["modelFormat"], "vLLM",
        "the webhooks' additions come with the answer"
    );
}

#[tokio::test]
async fn an_object_is_changed_only_when_it_is_the_one_that_was_meant() {
    let w = world!();
    let (name, who) = ("c-uid", w.ai());
    w.clear(name).await;
    let object = manifest(name);
    const OTHER: &str = "0b5e9f62-0000-4000-8000-000000000000";
    let apply =
        async |over: Option<&ObjectVersion>| w.fleet.apply(&w.cluster, &who, &object, over).await;
    let nowhere = ObjectVersion {
        uid: OTHER.into(),
        resource_version: "1".into(),
    };
    assert!(
        matches!(
            apply(Some(&nowhere)).await,
            Err(Refusal::Precondition { .. })
        ),
        "it is not there"
    );
    let made = apply(None).await.unwrap().object;
    assert!(
        matches!(apply(None).await, Err(Refusal::Precondition { .. })),
        "it is there already"
    );
    let managers: Vec<_> = made["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["manager"].clone())
        .collect();
    assert!(managers.contains(&json!("gatehouse")), "{managers:?}");
    let read = async || {
        let live = w.fleet.read(&w.cluster, &w.key(name)).await;
        live.unwrap().unwrap()
    };
    // Its controller writes too: whoever was overtaken looks again.
    let meant = async |with: &dyn Fn(&Value) -> ObjectVersion| {
        for _ in 0..20 {
            match apply(Some(&with(&read().await))).await {
                Err(Refusal::Changed { .. }) => {}
                end => return end,
            }
        }
        panic!("it changes all the time")
    };
    assert!(
        matches!(
            meant(&|o| another(o, OTHER)).await,
            Err(Refusal::Precondition { .. })
        ),
        "it is another one"
    );
    assert!(meant(&|o| another(o, &uid(o))).await.is_ok());
    // A stop, written by the same manager: what was looked at before it is not written over it.
    let before = ObjectVersion::of(&read().await).unwrap();
    let mut stopped = object.clone();
    stopped["metadata"]["annotations"]["serving.kserve.io/stop"] = json!("true");
    let params = PatchParams::apply("gatehouse");
    w.services()
        .patch(name, &params, &Patch::Apply(stopped))
        .await
        .unwrap();
    let late = apply(Some(&before)).await;
    assert!(matches!(late, Err(Refusal::Changed { .. })), "{late:?}");
    let live = read().await;
    assert_eq!(
        live["metadata"]["annotations"]["serving.kserve.io/stop"],
        "true"
    );
    assert_eq!(uid(&live), uid(&made));

    let delete = async |what: &ObjectVersion| w.fleet.delete(&w.cluster, &who, &object, what).await;
    assert!(matches!(
        delete(&another(&live, OTHER)).await,
        Err(Refusal::Precondition { .. })
    ));
    let late = delete(&before).await;
    assert!(matches!(late, Err(Refusal::Changed { .. })), "{late:?}");
    let mut gone = Err(Refusal::Changed {
        message: String::new(),
    });
    for _ in 0..20 {
        if matches!(gone, Err(Refusal::Changed { .. })) {
            gone = delete(&ObjectVersion::of(&read().await).unwrap()).await;
        }
    }
    assert_eq!(gone, Ok(()));
    w.clear(name).await;
    assert_eq!(delete(&before).await, Ok(()), "gone already is done");
}

#[tokio::test]
async fn a_field_of_somebody_else_is_a_conflict_with_their_name() {
    let w = world!();
    let name = "c-conflict";
    w.clear(name).await;
    w.fleet
        .apply(&w.cluster, &w.ai(), &manifest(name), None)
        .await
        .unwrap();
    let theirs = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"predictor": {"minReplicas": 2}}});
    w.services()
        .patch(
            name,
            &PatchParams::apply("kubectl-edit").force(),
            &Patch::Apply(theirs),
        )
        .await
        .unwrap();
    let live = w.fleet.read(&w.cluster, &w.key(name)).await.unwrap();
    let seen = live.as_ref().and_then(ObjectVersion::of);
    for refused in [
        w.fleet.dry_run(&w.cluster, &w.ai(), &manifest(name)).await,
        w.fleet
            .apply(&w.cluster, &w.ai(), &manifest(name), seen.as_ref())
            .await,
    ] {
        let Err(Refusal::Conflict { managers, message }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            managers,
            [(
                "kubectl-edit".to_owned(),
                "spec.predictor.minReplicas".to_owned()
            )]
        );
        assert!(message.contains("kubectl-edit"), "{message}");
    }
    let live = w
        .fleet
        .read(&w.cluster, &w.key(name))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(live["spec"]["predictor"]["minReplicas"], 2, "never forced");
    w.clear(name).await;
}

#[tokio::test]
async fn a_deployment_comes_up_before_the_readers_eyes() {
    let w = world!();
    let name = "c-live";
    w.clear(name).await;
    let mut events = w.fleet.subscribe();
    let before = w.fleet.cursor();
    let made = w
        .fleet
        .apply(&w.cluster, &w.ai(), &manifest(name), None)
        .await
        .unwrap()
        .object;
    let event = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            let e = events.recv().await.expect("the fleet runs");
            if e.key == w.key(name) {
                return e;
            }
        }
    });
    assert!(event.await.expect("the change is told").cursor > before);
    w.until("its row is there", || w.row(name).is_some()).await;
    w.until("its children are there", || {
        w.fleet.live(&w.key(name), w.now()).is_some_and(|l| {
            !l.workloads.is_empty() && !l.pods.is_empty() && l.pods[0].node.is_some()
        })
    })
    .await;
    let live = w.fleet.live(&w.key(name), w.now()).unwrap();
    assert_eq!(uid(&live.object), uid(&made));
    assert_eq!(
        (live.pods[0].workload.as_str(), live.stale),
        (live.workloads[0].name.as_str(), false)
    );
    assert!(live.pods[0].requests.iter().any(|(k, _)| k == "memory"));
    w.until("it has replicas", || {
        w.row(name).is_some_and(|r| r.replicas_ready == 1)
    })
    .await;
    let node = live.pods[0].node.clone().unwrap();
    assert!(
        w.fleet
            .nodes(&w.cluster)
            .iter()
            .any(|n| n.name == node && n.requested.contains_key("cpu"))
    );
    w.clear(name).await;
    w.until("its row is gone", || w.row(name).is_none()).await;
}

#[tokio::test]
async fn a_limit_range_is_followed_and_what_a_manifest_names_is_looked_up_as_the_person() {
    let w = world!();
    let ranges: Api<LimitRange> = Api::namespaced(w.admin.clone(), NAMESPACE);
    // Of a kind that changes nothing for the pods of other tests.
    let range = json!({"metadata": {"name": "c-range"}, "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Pi"}}]}});
    let _ = ranges
        .create(
            &PostParams::default(),
            &serde_json::from_value(range).unwrap(),
        )
        .await;
    w.until("the limit range is there", || {
        w.fleet
            .limit_ranges(&w.cluster, NAMESPACE)
            .iter()
            .any(|r| r.name == "c-range")
    })
    .await;
    let _ = ranges.delete("c-range", &DeleteParams::default()).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(w.admin.clone(), NAMESPACE);
    let account = json!({"metadata": {"name": "c-account"}});
    let _ = accounts
        .create(
            &PostParams::default(),
            &serde_json::from_value(account).unwrap(),
        )
        .await;
    let there = async |who: &ClusterIdentity, kind, name: &str| {
        w.fleet.exists(&w.cluster, who, NAMESPACE, kind, name).await
    };
    let reader = w.who("appdev", &["gh-appdev"]);
    assert_eq!(
        there(&reader, Referred::ServiceAccount, "c-account").await,
        Ok(true)
    );
    assert_eq!(
        there(&reader, Referred::VolumeClaim, "c-gone").await,
        Ok(false)
    );
    let stranger = w.who("nobody", &[]);
    assert!(matches!(
        there(&stranger, Referred::VolumeClaim, "c-gone").await,
        Err(Refusal::Forbidden { .. })
    ));
    let _ = accounts.delete("c-account", &DeleteParams::default()).await;
}

#[tokio::test]
async fn secrets_are_named_and_nothing_more() {
    let w = world!();
    let who = w.who("devops", &["gh-devops"]);
    assert!(
        matches!(
            w.fleet.secrets(&w.cluster, &who, NAMESPACE).await,
            Err(Refusal::Forbidden { .. })
        ),
        "the console's own rights do not count"
    );
    let secrets: Api<Secret> = Api::namespaced(w.admin.clone(), NAMESPACE);
    let roles: Api<Role> = Api::namespaced(w.admin.clone(), NAMESPACE);
    let bindings: Api<RoleBinding> = Api::namespaced(w.admin.clone(), NAMESPACE);
    let (post, gone) = (PostParams::default(), DeleteParams::default());
    let object = |v: Value| v;
    let secret = object(
        json!({"metadata": {"name": "c-secret"}, "stringData": {"token": "hidden-value", "user": "x"}}),
    );
    let role = object(
        json!({"metadata": {"name": "c-secrets"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]}),
    );
    let binding = object(
        json!({"metadata": {"name": "c-secrets"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "c-secrets"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "oidc:secret-reader"}]}),
    );
    let _ = secrets
        .create(&post, &serde_json::from_value(secret).unwrap())
        .await;
    let _ = roles
        .create(&post, &serde_json::from_value(role).unwrap())
        .await;
    let _ = bindings
        .create(&post, &serde_json::from_value(binding).unwrap())
        .await;
    let reader = w.who("secret-reader", &[]);
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
    // The API server learns of a new role within moments.
    let seen = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            tick.tick().await;
            if let Ok(list) = w.fleet.secrets(&w.cluster, &reader, NAMESPACE).await {
                return list;
            }
        }
    })
    .await
    .expect("the role takes effect");
    assert!(
        seen.contains(&(
            "c-secret".to_owned(),
            vec!["token".to_owned(), "user".to_owned()]
        )),
        "{seen:?}"
    );
    assert!(!format!("{seen:?}").contains("hidden"));
    let _ = tokio::join!(
        secrets.delete("c-secret", &gone),
        roles.delete("c-secrets", &gone),
        bindings.delete("c-secrets", &gone)
    );
}
