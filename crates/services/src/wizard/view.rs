//! What each step shows: the form, what can be chosen, and what would come of it.

use super::{Spot, Wizard, spot};
use crate::{
    Caller,
    authz::Action,
    facts,
    ports::*,
    prepare,
    secrets::{self, Secrets},
};
use domain::{
    Result,
    access::{Scope, Stage, stages_for},
    artifact::Servability,
    capacity::{Fit, GpuProduct, fit, gpus_by_product, quota_effect},
    change::QuotaEffect,
    content::canonical,
    finding::Finding,
    form::{Form, field_for, value_at},
    ids::*,
    isvc::{Format, Mode, View},
    pods, preflight,
    runtime::{Support, resolve, supports},
    sizing::Estimate,
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
    /// Who has to agree there.
    pub stages: Vec<Stage>,
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
    /// The deployment modes, as the target's KServe calls them.
    pub modes: Vec<String>,
    pub gpus: Vec<GpuProduct>,
    pub sizing: Option<Estimate>,
    pub fit: Option<Fit>,
    pub quota: Vec<QuotaEffect>,
    /// Preflight's, and what the cluster said when it was last asked, as far as it holds still.
    pub findings: Vec<Placed>,
    /// Form fields that their step does not take like this. Nothing that a check or the cluster has to
    /// say: a manifest may hold more than the form has fields for.
    pub errors: Vec<domain::FieldError>,
    /// Who has to agree where the draft goes.
    pub stages: Vec<Stage>,
    /// Those of the target; asked for on the step that names them.
    pub secrets: Secrets,
}

/// A finding and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub finding: Finding,
    /// `None`: it concerns the whole.
    pub spot: Option<Spot>,
}

/// Findings with their places in the form that was read from this manifest.
pub(super) fn placed(findings: Vec<Finding>, manifest: &Value, form: &Form) -> Vec<Placed> {
    findings
        .into_iter()
        .map(|finding| {
            let field = field_for(manifest, &finding.field);
            Placed {
                spot: spot(field.as_deref().unwrap_or(&finding.field), form),
                finding,
            }
        })
        .collect()
}

/// What a value has to be for something that was said of it to hold still.
pub(super) fn fingerprint(manifest: &Value, field: &str) -> Digest {
    Digest::of(&canonical(
        value_at(manifest, field).unwrap_or(&Value::Null),
    ))
}

impl Wizard {
    pub async fn view(&self, caller: &Caller, id: DraftId, step: &str) -> Result<WizardView> {
        let draft = self.draft(caller, id).await?;
        self.view_of(caller, draft, step).await
    }

    pub(super) async fn view_of(
        &self,
        caller: &Caller,
        draft: Draft,
        step: &str,
    ) -> Result<WizardView> {
        let ctx = &self.0;
        let manifest = self.manifest(&draft)?;
        let (_, unknown) = Form::from_manifest(&manifest);
        let form = self.form_of(&draft)?;
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
                stages: stages_for(&ctx.settings.approvals, &n.scope),
                scope: n.scope,
                away: !h.reachable,
            })
            .collect();
        let scope = targets
            .iter()
            .find(|t| t.cluster == form.cluster && t.namespace == form.namespace)
            .map(|t| t.scope.clone());
        // YAML may name any place: of one that the caller has no right to, nothing is shown.
        let (cluster_facts, runtimes, nodes, quotas, limit_ranges) = if scope.is_some() {
            (
                ctx.clusters.facts(&form.cluster).unwrap_or_default(),
                ctx.clusters.runtimes(&form.cluster, &form.namespace),
                ctx.clusters.nodes(&form.cluster),
                ctx.clusters.quotas(&form.cluster, &form.namespace),
                ctx.clusters.limit_ranges(&form.cluster, &form.namespace),
            )
        } else {
            Default::default()
        };
        let secrets = if scope.is_some() && step == "source" {
            self.secrets(caller, draft.id).await?
        } else {
            Secrets::NotAsked
        };
        let names = secrets.names();
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
        let requests = view.requests_with(runtime.as_ref(), &limit_ranges);
        let replicas = form
            .max_replicas
            .or(form.min_replicas)
            .unwrap_or(1)
            .clamp(0, 1000);
        // What the namespace is asked for at the most, with all that runs beside the predictor.
        let default_mode = cluster_facts.default_mode.as_deref();
        let mut at_most = pods::of(&manifest, &runtimes, &limit_ranges, default_mode);
        if let Some(predictor) = at_most.first_mut() {
            predictor.replicas = replicas;
        }
        let running = live.as_ref().map_or_else(Vec::new, |l| {
            pods::running(l, &runtimes, &limit_ranges, default_mode)
        });
        let mut findings = match &scope {
            Some(_) => preflight::check(
                &manifest,
                &preflight::Target {
                    facts: &cluster_facts,
                    runtimes: &runtimes,
                    nodes: &nodes,
                    quotas: &quotas,
                    limit_ranges: &limit_ranges,
                    live: live.as_ref().map(|l| &l.object),
                    running: &running,
                    secrets: names.as_deref(),
                    absent: &[],
                    artifact: version.as_ref().map(|(_, v)| v.kind),
                },
            ),
            None => vec![],
        };
        findings.extend(
            draft
                .said
                .iter()
                .filter(|s| fingerprint(&manifest, &s.finding.field) == s.of)
                .map(|s| s.finding.clone()),
        );
        let findings = placed(findings, &manifest, &form);
        Ok(WizardView {
            sizing: version
                .as_ref()
                .and_then(|(_, v)| crate::sizing::for_form(&v.facts, &form, &gpus)),
            fit: (!nodes.is_empty()).then(|| {
                fit(
                    &requests,
                    replicas as u32,
                    &view.placement_with(runtime.as_ref()),
                    &nodes,
                )
            }),
            quota: quota_effect(&quotas, &pods::on_top(&running, &at_most)),
            formats: formats(&runtimes),
            runtimes: choices(&runtimes, &form, view.multi_node()),
            modes: [Mode::Standard, Mode::Knative]
                .map(|m| m.name_in(&cluster_facts).to_owned())
                .to_vec(),
            stages: scope
                .map(|s| stages_for(&ctx.settings.approvals, &s))
                .unwrap_or_default(),
            errors: form.errors(),
            findings,
            secrets,
            gpus,
            serving,
            version,
            targets,
            unknown,
            form,
            draft,
        })
    }

    /// The target's Secrets, read as the caller.
    pub async fn secrets(&self, caller: &Caller, id: DraftId) -> Result<Secrets> {
        let draft = self.draft(caller, id).await?;
        let (cluster, namespace) = super::target(&draft)?;
        let place = prepare::place(&self.0, caller, &cluster, &namespace).await?;
        self.0
            .require(
                caller,
                Action::RequestChange,
                &place.scope,
                &format!("namespace:{cluster}/{namespace}"),
            )
            .await?;
        Ok(secrets::of(&self.0, caller, &place).await)
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

fn choices(
    runtimes: &[domain::observed::Runtime],
    form: &Form,
    multi_node: bool,
) -> Vec<RuntimeChoice> {
    let format = Format {
        name: form.format.clone(),
        version: (!form.format_version.is_empty()).then(|| form.format_version.clone()),
    };
    let protocol = (!form.protocol.is_empty()).then_some(form.protocol.as_str());
    let automatic =
        domain::runtime::auto_select(runtimes, &form.namespace, &format, protocol, multi_node)
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
            } else if r.multi_model() {
                Some("It is for ModelMesh, which serves many models from one pod.".into())
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
