//! What each step shows: the form, what can be chosen, and what would come of it.

use super::Wizard;
use crate::{
    Caller,
    authz::Action,
    facts,
    ports::*,
    prepare::{self, Prepared},
};
use domain::{
    Error, Result,
    access::{Scope, Stage, stages_for},
    artifact::Servability,
    capacity::{Fit, GpuProduct, fit, gpus_by_product, quota_effect},
    change::QuotaEffect,
    diff::{FieldChange, Line, diff, lines},
    finding::Finding,
    form::Form,
    ids::*,
    isvc::{Format, View},
    preflight,
    runtime::{Support, resolve, supports},
    sizing::Estimate,
    yaml::{parse_manifest, to_yaml},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A namespace that could be the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetChoice {
    pub cluster: String,
    pub namespace: String,
    pub scope: Scope,
    /// The cluster does not answer now.
    pub away: bool,
}

/// A runtime and whether it can serve the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeChoice {
    pub name: String,
    pub cluster_wide: bool,
    pub formats: Vec<String>,
    pub protocols: Vec<String>,
    /// `None`: it does; otherwise why not.
    pub not: Option<String>,
    /// KServe would choose it by itself.
    pub automatic: bool,
}

/// Everything that a step of the wizard shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WizardView {
    pub draft: Draft,
    pub form: Form,
    /// Fields of the manifest that the form does not know; they are kept.
    pub unknown: Vec<String>,
    pub version: Option<(ModelRow, VersionRow)>,
    pub serving: Option<Servability>,
    pub targets: Vec<TargetChoice>,
    /// All formats that runtimes of the target name.
    pub formats: Vec<String>,
    pub runtimes: Vec<RuntimeChoice>,
    pub gpus: Vec<GpuProduct>,
    pub sizing: Option<Estimate>,
    pub fit: Option<Fit>,
    pub quota: Vec<QuotaEffect>,
    /// Preflight only; Review adds what the API server says.
    pub findings: Vec<Finding>,
    /// Form fields that cannot stay as they are.
    pub errors: Vec<domain::FieldError>,
    /// Who has to agree there.
    pub stages: Vec<Stage>,
}

/// What Review adds: the dry run with the person's rights, and the difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    pub view: WizardView,
    /// `None`: something typed keeps it from being asked at all; `view.errors` and `problem` say what.
    pub prepared: Option<Prepared>,
    pub problem: Option<String>,
    pub yaml: String,
    pub differences: Vec<FieldChange>,
    pub difference_text: Vec<Line>,
    pub submittable: bool,
}

impl Wizard {
    pub async fn view(&self, caller: &Caller, id: DraftId) -> Result<WizardView> {
        let draft = self.draft(caller, id).await?;
        self.view_of(caller, draft).await
    }

    async fn view_of(&self, caller: &Caller, draft: Draft) -> Result<WizardView> {
        let ctx = &self.0;
        let manifest = self.manifest(&draft)?;
        let (mut form, unknown) = Form::from_manifest(&manifest);
        form.cluster = draft.cluster.clone().unwrap_or_default();
        form.namespace = draft.namespace.clone().unwrap_or_default();
        let version = match draft.version_id {
            Some(id) => ctx.store.version(id).await?,
            None => facts::version_of(ctx, &View::new(&manifest)).await?,
        };
        let health = ctx.clusters.health(ctx.clock.now());
        let targets: Vec<TargetChoice> = health
            .iter()
            .flat_map(|h| {
                ctx.clusters
                    .namespaces(&h.name)
                    .into_iter()
                    .map(move |n| (h, n))
            })
            .filter(|(_, n)| ctx.policy.may(caller, Action::RequestChange, &n.scope))
            .map(|(h, n)| TargetChoice {
                cluster: h.name.clone(),
                namespace: n.name,
                scope: n.scope,
                away: !h.reachable,
            })
            .collect();
        let scope = targets
            .iter()
            .find(|t| t.cluster == form.cluster && t.namespace == form.namespace)
            .map(|t| t.scope.clone());
        let cluster_facts = ctx.clusters.facts(&form.cluster).unwrap_or_default();
        let runtimes = ctx.clusters.runtimes(&form.cluster, &form.namespace);
        let nodes = ctx.clusters.nodes(&form.cluster);
        let quotas = if scope.is_some() {
            ctx.clusters.quotas(&form.cluster, &form.namespace)
        } else {
            vec![]
        };
        let live = match (&draft.cluster, &draft.namespace, form.name.as_str()) {
            (Some(c), Some(n), name) if !name.is_empty() && scope.is_some() => ctx.clusters.live(
                &domain::place::DeploymentKey::new(c, n, name),
                ctx.clock.now(),
            ),
            _ => None,
        };
        let serving = match &version {
            Some((m, v)) => {
                let url = ctx
                    .store
                    .registry(m.registry)
                    .await?
                    .map(|r| r.url)
                    .unwrap_or_default();
                Some(facts::serving(m, v, &url, Some(&*cluster_facts)))
            }
            None => None,
        };
        let view = View::new(&manifest);
        let gpus = gpus_by_product(&nodes);
        let runtime = resolve(&manifest, &runtimes).runtime().cloned();
        let requests = view.requests_with(runtime.as_ref());
        let limits = view.limits_with(runtime.as_ref());
        let replicas = form
            .max_replicas
            .or(form.min_replicas)
            .unwrap_or(1)
            .clamp(0, 1000);
        let running = live
            .as_ref()
            .map_or(0, |l| View::new(&l.object).replicas_wished(None));
        let findings = match &scope {
            Some(_) => preflight::check(
                &manifest,
                &preflight::Target {
                    facts: &cluster_facts,
                    runtimes: &runtimes,
                    nodes: &nodes,
                    quotas: &quotas,
                    live: live.as_ref().map(|l| &l.object),
                    secrets: None,
                    artifact: version.as_ref().map(|(_, v)| v.kind),
                },
            ),
            None => vec![],
        };
        Ok(WizardView {
            sizing: version
                .as_ref()
                .and_then(|(_, v)| crate::sizing::for_form(&v.facts, &form, &gpus)),
            fit: (!nodes.is_empty()).then(|| {
                fit(
                    &requests,
                    replicas as u32,
                    &view.tolerations(),
                    &view.node_selector(),
                    &nodes,
                )
            }),
            quota: quota_effect(&quotas, &requests, &limits, replicas - running),
            formats: formats(&runtimes),
            runtimes: choices(&runtimes, &form),
            stages: scope
                .map(|s| stages_for(&ctx.settings.approvals, &s))
                .unwrap_or_default(),
            errors: form.errors(),
            findings,
            gpus,
            serving,
            version,
            targets,
            unknown,
            form,
            draft,
        })
    }

    /// The last step: what would be stored, asked of the API server as this person.
    pub async fn review(&self, caller: &Caller, id: DraftId) -> Result<Review> {
        let draft = self.draft(caller, id).await?;
        let view = self.view_of(caller, draft.clone()).await?;
        let yaml = draft
            .broken_yaml
            .clone()
            .unwrap_or_else(|| draft.manifest_yaml.clone());
        let blocked = |view: WizardView, problem: String, yaml: String| Review {
            view,
            prepared: None,
            problem: Some(problem),
            yaml,
            differences: vec![],
            difference_text: vec![],
            submittable: false,
        };
        if let Some(broken) = &draft.broken_yaml {
            let why = parse_manifest(broken)
                .err()
                .map(|e| super::words(&e))
                .unwrap_or_else(|| "The YAML cannot be read.".into());
            return Ok(blocked(view, why, yaml));
        }
        let (cluster, namespace) = match super::target(&draft) {
            Ok(t) => t,
            Err(e) => {
                return Ok(blocked(
                    view,
                    e.fields
                        .first()
                        .map(|f| f.message.clone())
                        .unwrap_or(e.message),
                    yaml,
                ));
            }
        };
        let manifest = self.manifest(&draft)?;
        let prepared =
            match prepare::prepare(&self.0, caller, &cluster, &namespace, draft.kind, &manifest)
                .await
            {
                Ok(p) => p,
                Err(e)
                    if matches!(
                        e.kind,
                        domain::Kind::Invalid | domain::Kind::Forbidden | domain::Kind::NotFound
                    ) =>
                {
                    return Ok(blocked(view, super::words(&e), yaml));
                }
                Err(e) => return Err(e),
            };
        let null = Value::Null;
        let before = prepared.seen.live.as_ref().unwrap_or(&null);
        let after = prepared
            .content
            .as_ref()
            .map_or(&prepared.manifest, |c| &c.object);
        let text = |v: &Value| {
            if v.is_null() {
                String::new()
            } else {
                to_yaml(v)
            }
        };
        Ok(Review {
            differences: diff(before, after),
            difference_text: lines(&text(before), &text(after)),
            submittable: prepared.submittable() && view.errors.is_empty(),
            problem: prepared.refusal.clone(),
            prepared: Some(prepared),
            yaml,
            view,
        })
    }

    /// Names of secrets and of their keys in the target, read as the caller; never values.
    pub async fn secrets(
        &self,
        caller: &Caller,
        id: DraftId,
    ) -> Result<Vec<(String, Vec<String>)>> {
        let draft = self.draft(caller, id).await?;
        let (cluster, namespace) = super::target(&draft)?;
        let who = self
            .0
            .clusters
            .identity(&cluster, &caller.username, &caller.groups.groups)?;
        self.0
            .clusters
            .secrets(&cluster, &who, &namespace)
            .await
            .map_err(|r| Error::unavailable(prepare::refused(r).0))
    }
}

fn formats(runtimes: &[domain::observed::Runtime]) -> Vec<String> {
    let mut names: Vec<String> = runtimes
        .iter()
        .filter(|r| !r.disabled)
        .flat_map(|r| r.formats.iter().map(|f| f.name.clone()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn choices(runtimes: &[domain::observed::Runtime], form: &Form) -> Vec<RuntimeChoice> {
    let format = Format {
        name: form.format.clone(),
        version: (!form.format_version.is_empty()).then(|| form.format_version.clone()),
    };
    let protocol = (!form.protocol.is_empty()).then_some(form.protocol.as_str());
    let automatic = domain::runtime::auto_select(runtimes, &form.namespace, &format, protocol)
        .map(|r| (&r.name, &r.namespace));
    let mut out: Vec<RuntimeChoice> = runtimes
        .iter()
        .map(|r| RuntimeChoice {
            name: r.name.clone(),
            cluster_wide: r.namespace.is_none(),
            formats: r.formats.iter().map(|f| f.name.clone()).collect(),
            protocols: r.protocols.clone(),
            not: if r.disabled {
                Some("It is disabled.".into())
            } else if form.format.is_empty() {
                None
            } else {
                match supports(r, &format, protocol) {
                    Support::Yes => None,
                    other => Some(unsupported(&other, &form.format)),
                }
            },
            automatic: automatic == Some((&r.name, &r.namespace)),
        })
        .collect();
    out.sort_by_key(|c| (c.not.is_some(), !c.automatic, c.name.clone()));
    out
}

fn unsupported(support: &Support, format: &str) -> String {
    match support {
        Support::Yes => String::new(),
        Support::OtherCase { name } => {
            format!("It writes the format “{name}”; KServe compares with case.")
        }
        Support::OtherVersion { versions } => format!(
            "It has {format} in other versions: {}.",
            versions.join(", ")
        ),
        Support::OtherProtocol { protocols } => format!("It speaks {}.", protocols.join(", ")),
        Support::No => format!("It does not support the format {format}."),
    }
}
