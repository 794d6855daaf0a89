//! From a manifest to content: place, rights, preflight, dry run, closure, facts. Review, submit,
//! rollback, scale and the rest all go through here, so that what is shown is what is decided.

mod closure;
mod kept;

pub use closure::closure;

use crate::{
    Caller, Ctx,
    authz::Action as Right,
    facts,
    ports::*,
    references,
    secrets::{self, Secrets},
};
use domain::{
    Error, Result,
    capacity::quota_effect,
    change::{ChangeKind, Seen},
    content::{Action, Content, canonical, clean, unknown_at_top},
    finding::{Finding, Severity},
    ids::{ClusterId, Digest},
    isvc::View,
    place::{DeploymentKey, Place},
    pods, preflight,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A manifest with everything that can be said about it before it is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    pub place: Place,
    /// As the person wrote it, with the namespace filled in.
    pub manifest: Value,
    /// What would be approved; `None` where the API server refused or did not answer.
    pub content: Option<Content>,
    pub hash: Option<Digest>,
    pub seen: Seen,
    /// The API server's answer where it did not agree, for people.
    pub refusal: Option<String>,
    /// Those of the findings that the API server and its webhooks made.
    pub said: Vec<Finding>,
}

impl Prepared {
    /// Nothing stands in the way of submitting.
    pub fn submittable(&self) -> bool {
        self.content.is_some() && preflight::passes(&self.seen.findings)
    }
}

/// The place of a namespace, by the names in an address. "Not found" also where the caller sees nothing.
pub async fn place(ctx: &Ctx, caller: &Caller, cluster: &str, namespace: &str) -> Result<Place> {
    let unknown = crate::context::unseen;
    let id = cluster_id(ctx, cluster).ok_or_else(unknown)?;
    let ns = ctx
        .clusters
        .namespaces(cluster)
        .into_iter()
        .find(|n| n.name == namespace)
        .ok_or_else(unknown)?;
    if !ctx.policy.may(caller, Right::ViewDeployment, &ns.scope) {
        ctx.require(
            caller,
            Right::ViewDeployment,
            &ns.scope,
            &format!("namespace:{cluster}/{namespace}"),
        )
        .await?;
    }
    Ok(Place {
        cluster: id,
        cluster_name: cluster.into(),
        namespace: ns.name,
        namespace_uid: ns.uid,
        scope: ns.scope,
    })
}

/// A cluster's identity by its configured name; `None` until it was reached once.
pub fn cluster_id(ctx: &Ctx, cluster: &str) -> Option<ClusterId> {
    ctx.clusters
        .health(ctx.clock.now())
        .into_iter()
        .find(|h| h.name == cluster)?
        .id
}

/// The right that a kind of change needs.
pub fn right_for(kind: ChangeKind) -> Right {
    if kind == ChangeKind::Stop {
        Right::StopDeployment
    } else {
        Right::RequestChange
    }
}

/// Prepares a manifest for a place. Errors: only what makes the question itself senseless (no such
/// place, no right, not an InferenceService); everything else stands in the answer.
pub async fn prepare(
    ctx: &Ctx,
    caller: &Caller,
    cluster: &str,
    namespace: &str,
    kind: ChangeKind,
    manifest: &Value,
) -> Result<Prepared> {
    let place = place(ctx, caller, cluster, namespace).await?;
    ctx.require(
        caller,
        right_for(kind),
        &place.scope,
        &format!("namespace:{cluster}/{namespace}"),
    )
    .await?;
    let manifest = addressed(manifest, namespace)?;
    let view = View::new(&manifest);
    let key = DeploymentKey::new(cluster, namespace, view.name());
    let now = ctx.clock.now();
    let live = ctx.clusters.live(&key, now);
    let facts_of = ctx.clusters.facts(cluster).unwrap_or_default();
    let runtimes = ctx.clusters.runtimes(cluster, namespace);
    let nodes = ctx.clusters.nodes(cluster);
    let quotas = ctx.clusters.quotas(cluster, namespace);
    let limit_ranges = ctx.clusters.limit_ranges(cluster, namespace);
    let version = facts::version_of(ctx, &view).await?;

    let default_mode = facts_of.default_mode.as_deref();
    let running = live.as_ref().map_or_else(Vec::new, |l| {
        pods::running(l, &runtimes, &limit_ranges, default_mode)
    });

    let mut findings = existence(kind, &key, live.is_some());
    if kind != ChangeKind::Stop && kind != ChangeKind::Delete {
        // Only where something is named is it worth a call to the cluster.
        let secrets = async {
            if domain::references::any_secret(&manifest, &runtimes) {
                secrets::of(ctx, caller, &place).await
            } else {
                Secrets::NotAsked
            }
        };
        let (secrets, referred) = tokio::join!(
            secrets,
            references::look(ctx, caller, &place, &manifest, &runtimes)
        );
        let names = secrets.names();
        findings.extend(preflight::check(
            &manifest,
            &preflight::Target {
                facts: &facts_of,
                runtimes: &runtimes,
                nodes: &nodes,
                quotas: &quotas,
                limit_ranges: &limit_ranges,
                live: live.as_ref().map(|l| &l.object),
                running: &running,
                secrets: names.as_deref(),
                absent: &referred.absent,
                artifact: version.as_ref().map(|(_, v)| v.kind),
            },
        ));
        if let Secrets::Unknown { why } = &secrets {
            findings.push(finding("secrets-unchecked", Severity::Info, "", why, ""));
        }
        if let Some(why) = &referred.unchecked {
            findings.push(finding("references-unchecked", Severity::Info, "", why, ""));
        }
    }

    let who = ctx
        .clusters
        .identity(cluster, &caller.username, &caller.groups.groups)?;
    let mut said = Vec::new();
    let (stored, refusal) = if kind == ChangeKind::Delete {
        (live.as_ref().map(|l| l.object.clone()), None)
    } else if let Some(why) = ctx.away(cluster) {
        (None, Some(format!("{why} Try again when it is back.")))
    } else {
        match ctx.clusters.dry_run(cluster, &who, &clean(&manifest)).await {
            Ok(s) => {
                said.extend(
                    s.warnings
                        .iter()
                        .map(|w| finding("api-server-warning", Severity::Warning, "", w, "")),
                );
                if let Some(live) = &live {
                    findings.extend(kept::findings(kind, &live.object, &manifest, &s.object));
                }
                (Some(s.object), None)
            }
            Err(r) => {
                let (message, more) = refused(r);
                said.extend(more);
                (None, Some(message))
            }
        }
    };
    let content = stored.map(|object| Content {
        action: if kind == ChangeKind::Delete {
            Action::Delete
        } else {
            Action::Apply
        },
        cluster: place.cluster.clone(),
        namespace: namespace.into(),
        namespace_uid: place.namespace_uid.clone(),
        closure: closure(&object, &runtimes),
        object: clean(&object),
    });
    findings.extend(said.iter().cloned());
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let mut after = if kind == ChangeKind::Delete {
        Vec::new()
    } else {
        pods::of(&manifest, &runtimes, &limit_ranges, default_mode)
    };
    pods::keep(&mut after, &View::new(&manifest), default_mode, &running);
    let quota = quota_effect(&quotas, &pods::on_top(&running, &after));
    let live_view = live.as_ref().map(|l| View::new(&l.object));
    Ok(Prepared {
        seen: Seen {
            live: live.as_ref().map(|l| clean(&l.object)),
            live_hash: live
                .as_ref()
                .map(|l| Digest::of(&canonical(&clean(&l.object)))),
            live_version: live_view
                .as_ref()
                .and_then(|v| v.resource_version())
                .map(Into::into),
            live_uid: live_view.as_ref().and_then(|v| v.uid()).map(Into::into),
            findings,
            facts: facts::seen(version.as_ref(), now),
            quota,
        },
        hash: content.as_ref().map(Content::hash),
        content,
        refusal,
        said,
        place,
        manifest,
    })
}

/// The manifest with its namespace; refuses what is no InferenceService or names another namespace.
/// Keys at its top that nobody knows stay, so that they are named and not lost.
fn addressed(manifest: &Value, namespace: &str) -> Result<Value> {
    let view = View::new(manifest);
    if view.kind() != "InferenceService" || view.api_version() != "serving.kserve.io/v1beta1" {
        return Err(Error::field(
            "kind",
            "The manifest has to be an InferenceService of serving.kserve.io/v1beta1.",
        ));
    }
    if view.name().is_empty() {
        return Err(Error::field(
            "metadata.name",
            "The deployment needs a name.",
        ));
    }
    if !view.namespace().is_empty() && view.namespace() != namespace {
        return Err(Error::field(
            "metadata.namespace",
            format!(
                "The manifest names the namespace “{}”, the target is “{namespace}”: change one of them.",
                view.namespace()
            ),
        ));
    }
    let mut out = clean(manifest);
    out["metadata"]["namespace"] = json!(namespace);
    for (key, value) in unknown_at_top(manifest) {
        out[key.as_str()] = value.clone();
    }
    Ok(out)
}

fn existence(kind: ChangeKind, key: &DeploymentKey, exists: bool) -> Vec<Finding> {
    match (kind, exists) {
        (ChangeKind::Create, true) => vec![finding(
            "name-taken",
            Severity::Error,
            "metadata.name",
            &format!(
                "There is a deployment “{}” in this namespace already.",
                key.name
            ),
            "Choose another name, or open that deployment and update it.",
        )],
        (ChangeKind::Create, false) => vec![],
        (_, false) => vec![finding(
            "not-there",
            Severity::Error,
            "metadata.name",
            &format!(
                "There is no deployment “{}” in this namespace any more.",
                key.name
            ),
            "Create it anew.",
        )],
        (_, true) => vec![],
    }
}

/// Words and findings for a refusal.
pub fn refused(refusal: Refusal) -> (String, Vec<Finding>) {
    match refusal {
        Refusal::Rejected { findings, message } => (message, findings),
        Refusal::Conflict { managers, message } => {
            let findings = managers
                .iter()
                .map(|(who, field)| {
                    finding("field-conflict", Severity::Error, field, &format!("“{who}” set this field to another value and still owns it."),
                        "Agree with whoever runs it, take its value over, or let it give the field up; the console never forces.")
                })
                .collect();
            (message, findings)
        }
        Refusal::Forbidden { message } => (
            message.clone(),
            vec![finding(
                "no-cluster-right",
                Severity::Error,
                "",
                &message,
                "Ask for the right in the cluster (RBAC); the console acts with your rights, not its own.",
            )],
        ),
        Refusal::Precondition { message } | Refusal::Changed { message } => (message, vec![]),
        Refusal::Unavailable { message, .. } => (
            format!("It does not answer now: {message}. Try again when it is back."),
            vec![],
        ),
    }
}

fn finding(rule: &str, severity: Severity, field: &str, message: &str, remedy: &str) -> Finding {
    Finding {
        rule: rule.into(),
        severity,
        field: field.into(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_nobody_knows_stays_in_the_manifest_and_is_not_content() {
        let written = json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "llama"}, "spec": {}, "status": {"url": "x"}, "metdata": {"a": 1}
        });
        let manifest = addressed(&written, "retail-dev").expect("an InferenceService");
        assert_eq!(manifest["metdata"], json!({"a": 1}));
        assert_eq!(manifest["metadata"]["namespace"], "retail-dev");
        assert!(manifest.get("status").is_none());
        assert!(clean(&manifest).get("metdata").is_none());
    }
}
