//! The calls that go out: dry run, apply, delete, read, rights, secrets' names and what else is there.

use crate::{
    identity,
    link::Cluster,
    refusal::{Doing, refusal},
    rest::{Answer, Ask, Failure, ask},
};
use domain::{
    finding::{Finding, Severity},
    person::ClusterIdentity,
    place::DeploymentKey,
    references::Referred,
};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use services::ports::{FIELD_MANAGER as MANAGER, ObjectVersion, Refusal, Stored};
use std::collections::BTreeMap;

const GROUP: &str = "serving.kserve.io";

/// The kinds that the console may write, and their resources.
const WRITABLE: &[(&str, &str, &str)] = &[
    (
        "serving.kserve.io/v1beta1",
        "InferenceService",
        "inferenceservices",
    ),
    (
        "serving.kserve.io/v1alpha1",
        "ServingRuntime",
        "servingruntimes",
    ),
];

/// Where an object is: the path of its resource's list, and its name.
struct Target {
    list: String,
    name: String,
}

impl Target {
    fn path(&self) -> String {
        format!("{}/{}", self.list, self.name)
    }
}

/// A DNS-1123 subdomain, which every name here is: it goes into a path.
fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && name.bytes().next().is_some_and(|b| b != b'.' && b != b'-')
}

fn target(object: &Value) -> Result<Target, Refusal> {
    let text = |p: &str| {
        object
            .pointer(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("/apiVersion"), text("/kind"));
    let Some((_, _, resource)) = WRITABLE
        .iter()
        .find(|(v, k, _)| *v == version && *k == kind)
    else {
        return Err(wrong(
            "kind",
            "kind",
            "the console does not write objects of this kind",
            "Use an InferenceService (`serving.kserve.io/v1beta1`).",
        ));
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    if !plain_name(namespace) {
        return Err(wrong(
            "namespace",
            "metadata.namespace",
            "the manifest needs a namespace",
            "Choose one.",
        ));
    }
    if !plain_name(name) {
        return Err(wrong(
            "name",
            "metadata.name",
            "a name consists of lower-case letters, digits and `-`, and begins and ends with a letter or digit",
            "Choose such a name, for example `my-model-2`.",
        ));
    }
    Ok(Target {
        list: format!("/apis/{version}/namespaces/{namespace}/{resource}"),
        name: name.to_owned(),
    })
}

fn wrong(rule: &str, field: &str, message: &str, remedy: &str) -> Refusal {
    let found = Finding {
        rule: format!("manifest-{rule}"),
        severity: Severity::Error,
        field: field.into(),
        message: message.into(),
        remedy: remedy.into(),
    };
    Refusal::Rejected {
        findings: vec![found],
        message: message.into(),
    }
}

impl Cluster {
    async fn send(&self, what: Ask<'_>) -> Result<Answer, Failure> {
        let Some(connection) = self.connection() else {
            return Err(Failure::NotConnected);
        };
        // Writing to a cluster that is another one than before would put things where nobody decided.
        if self.standing().id.is_none() {
            return Err(Failure::NotConnected);
        }
        ask(&connection.call, what).await
    }

    fn person(&self, who: &ClusterIdentity) -> Result<HeaderMap, Refusal> {
        identity::headers(who).map_err(|message| Refusal::Forbidden { message })
    }

    fn refuse(&self, failure: Failure, effect: bool, object: &Value) -> Refusal {
        refusal(
            failure,
            Doing {
                cluster: self.name(),
                effect,
                object,
            },
        )
    }

    pub async fn dry_run(&self, who: &ClusterIdentity, object: &Value) -> Result<Stored, Refusal> {
        let at = target(object)?;
        let answer = self.patch(&at, who, object, true).await?;
        self.stored(&answer, false)
    }

    pub async fn apply_as(
        &self,
        who: &ClusterIdentity,
        object: &Value,
        over: Option<&ObjectVersion>,
    ) -> Result<Stored, Refusal> {
        let at = target(object)?;
        let mut object = object.clone();
        match over {
            None => {
                // Server-side apply has no "only create". Looking first leaves a moment in which
                // somebody else may create it; then their fields make a conflict, or the answer says
                // "changed" and not "created" and is reported below.
                let seen = self
                    .send(Ask::get(&at.path(), self.timing.call).with_person(self.person(who)?))
                    .await;
                match seen {
                    Ok(_) => {
                        return Err(Refusal::Precondition {
                            message: "there is an object of this name now".into(),
                        });
                    }
                    Err(Failure::Refused(s)) if s.code == 404 => {}
                    Err(e) => return Err(self.refuse(e, false, &object)),
                }
            }
            // The API server refuses an apply whose UID is not that of the object, and one whose
            // version is not the object's: somebody wrote to it since, a stop perhaps, which an apply
            // by the same manager would take away without a conflict.
            Some(v) => {
                object["metadata"]["uid"] = json!(v.uid);
                object["metadata"]["resourceVersion"] = json!(v.resource_version);
            }
        }
        let answer = self.patch(&at, who, &object, false).await?;
        if over.is_none() && answer.status != StatusCode::CREATED {
            return Err(Refusal::Precondition { message: "somebody created an object of this name at the same moment; the manifest was merged into it: compare it with what was decided".into() });
        }
        self.stored(&answer, true)
    }

    async fn patch(
        &self,
        at: &Target,
        who: &ClusterIdentity,
        object: &Value,
        dry: bool,
    ) -> Result<Answer, Refusal> {
        let query = format!(
            "{}?fieldManager={MANAGER}&fieldValidation=Strict&force=false{}",
            at.path(),
            if dry { "&dryRun=All" } else { "" }
        );
        let request = Ask {
            method: Method::PATCH,
            content_type: "application/apply-patch+yaml",
            body: object.to_string().into_bytes(),
            ..Ask::get(&query, self.timing.call)
        };
        self.send(request.with_person(self.person(who)?))
            .await
            .map_err(|e| self.refuse(e, !dry, object))
    }

    fn stored(&self, answer: &Answer, effect: bool) -> Result<Stored, Refusal> {
        let object = answer
            .json()
            .map_err(|e| self.refuse(e, effect, &Value::Null))?;
        Ok(Stored {
            object,
            warnings: answer.warnings.clone(),
        })
    }

    pub async fn delete_as(
        &self,
        who: &ClusterIdentity,
        object: &Value,
        what: &ObjectVersion,
    ) -> Result<(), Refusal> {
        let at = target(object)?;
        let path = at.path();
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1",
            "preconditions": {"uid": what.uid, "resourceVersion": what.resource_version}});
        let request = Ask {
            method: Method::DELETE,
            body: body.to_string().into_bytes(),
            ..Ask::get(&path, self.timing.call)
        };
        match self.send(request.with_person(self.person(who)?)).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(s))
                if s.code == 404 && s.details.as_ref().is_some_and(|d| d.name == at.name) =>
            {
                Ok(())
            }
            Err(e) => Err(self.refuse(e, true, object)),
        }
    }

    pub async fn read_now(&self, key: &DeploymentKey) -> Result<Option<Value>, Refusal> {
        if !plain_name(&key.namespace) || !plain_name(&key.name) {
            return Ok(None);
        }
        let path = format!(
            "/apis/{GROUP}/v1beta1/namespaces/{}/inferenceservices/{}",
            key.namespace, key.name
        );
        match self.send(Ask::get(&path, self.timing.call)).await {
            Ok(answer) => answer
                .json()
                .map(Some)
                .map_err(|e| self.refuse(e, false, &Value::Null)),
            Err(Failure::Refused(s)) if s.code == 404 => Ok(None),
            Err(e) => Err(self.refuse(e, false, &Value::Null)),
        }
    }

    pub async fn may(
        &self,
        who: &ClusterIdentity,
        verb: &str,
        namespace: &str,
    ) -> Result<bool, Refusal> {
        self.person(who)?;
        // What the API server adds to every person whom it knows; roles may be bound to it.
        let mut groups = who.groups.clone();
        groups.push("system:authenticated".into());
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": who.user, "groups": groups,
            "resourceAttributes": {"group": GROUP, "resource": "inferenceservices", "verb": verb, "namespace": namespace}}});
        let answer = self
            .send(Ask::post(
                "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                &review,
                self.timing.call,
            ))
            .await;
        let answer = answer
            .and_then(|a| a.json::<Value>())
            .map_err(|e| self.refuse(e, false, &Value::Null))?;
        Ok(answer
            .pointer("/status/allowed")
            .and_then(Value::as_bool)
            .unwrap_or(false))
    }

    /// Names and the names of keys. Kubernetes has no way to ask for these alone, so the values come
    /// with the answer: they are skipped while reading and the bytes are overwritten at once.
    pub async fn secret_names(
        &self,
        who: &ClusterIdentity,
        namespace: &str,
    ) -> Result<Vec<(String, Vec<String>)>, Refusal> {
        #[derive(Deserialize)]
        struct List {
            #[serde(default)]
            metadata: Page,
            items: Vec<Secret>,
        }
        #[derive(Default, Deserialize)]
        struct Page {
            #[serde(default, rename = "continue")]
            next: Option<String>,
        }
        #[derive(Deserialize)]
        struct Secret {
            metadata: Named,
            #[serde(default)]
            data: Option<BTreeMap<String, IgnoredAny>>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        if !plain_name(namespace) {
            return Ok(Vec::new());
        }
        let path = format!("/api/v1/namespaces/{namespace}/secrets?limit=1000");
        let mut answer = self
            .send(Ask::get(&path, self.timing.call).with_person(self.person(who)?))
            .await
            .map_err(|e| self.refuse(e, false, &Value::Null))?;
        let list = serde_json::from_slice::<List>(&answer.body);
        answer.body.fill(0);
        let Ok(list) = list else {
            return Err(self.refuse(Failure::Lost, false, &Value::Null));
        };
        if list.metadata.next.is_some_and(|next| !next.is_empty()) {
            // A part of them would make the rest look missing.
            return Err(Refusal::Unavailable {
                message: format!("{namespace} holds more than 1,000 Secrets"),
                maybe_done: false,
            });
        }
        Ok(list
            .items
            .into_iter()
            .map(|s| {
                (
                    s.metadata.name,
                    s.data.unwrap_or_default().into_keys().collect(),
                )
            })
            .collect())
    }

    /// Is there an object of this name? Only its metadata is asked for.
    pub async fn is_there(
        &self,
        who: &ClusterIdentity,
        namespace: &str,
        kind: Referred,
        name: &str,
    ) -> Result<bool, Refusal> {
        // No object can have another name.
        if !plain_name(namespace) || !plain_name(name) {
            return Ok(false);
        }
        let path = format!("/api/v1/namespaces/{namespace}/{}/{name}", kind.resource());
        let request = Ask {
            accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            ..Ask::get(&path, self.timing.call)
        };
        match self.send(request.with_person(self.person(who)?)).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused(s)) if s.code == 404 => Ok(false),
            Err(e) => Err(self.refuse(e, false, &Value::Null)),
        }
    }

    /// May the console itself do this? Everywhere without a namespace, to all without a name;
    /// `None`: the cluster did not say.
    pub async fn own_right(
        &self,
        group: &str,
        resource: &str,
        verb: &str,
        namespace: &str,
        name: &str,
    ) -> Option<bool> {
        let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let mut attributes = json!({"group": group, "resource": resource, "verb": verb});
        if !sub.is_empty() {
            attributes["subresource"] = json!(sub);
        }
        if !namespace.is_empty() {
            attributes["namespace"] = json!(namespace);
        }
        if !name.is_empty() {
            attributes["name"] = json!(name);
        }
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
        let answer = self
            .send(Ask::post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                &review,
                self.timing.call,
            ))
            .await;
        answer
            .ok()?
            .json::<Value>()
            .ok()?
            .pointer("/status/allowed")?
            .as_bool()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serving_kinds_with_plain_names_are_written() {
        let object = |kind: &str, ns: &str, name: &str| json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": kind, "metadata": {"namespace": ns, "name": name}});
        let ok = target(&object("InferenceService", "retail-dev", "llama"))
            .ok()
            .map(|t| t.path());
        assert_eq!(
            ok.as_deref(),
            Some("/apis/serving.kserve.io/v1beta1/namespaces/retail-dev/inferenceservices/llama")
        );
        for (kind, ns, name, field) in [
            ("Secret", "retail-dev", "x", "kind"),
            ("InferenceService", "", "x", "metadata.namespace"),
            ("InferenceService", "a/../b", "x", "metadata.namespace"),
            (
                "InferenceService",
                "retail-dev",
                "x?force=true",
                "metadata.name",
            ),
            ("InferenceService", "retail-dev", "X", "metadata.name"),
            ("InferenceService", "retail-dev", "..", "metadata.name"),
        ] {
            let Err(Refusal::Rejected { findings, .. }) = target(&object(kind, ns, name)) else {
                panic!("{kind} {ns} {name}")
            };
            assert_eq!(findings[0].field, field);
        }
    }
}
