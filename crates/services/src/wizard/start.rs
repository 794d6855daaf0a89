//! Beginning a draft, with everything filled in that is known.

use super::Wizard;
use crate::{
    Caller,
    authz::Action,
    changes::{Changes, not_yours},
    facts,
    ports::*,
    prepare,
};
use domain::{
    Error, Result,
    artifact::{ModelFormat, Scheme, Way},
    capacity::gpus_by_product,
    change::{ChangeKind, Use},
    content::clean,
    form::{Form, Source},
    ids::*,
    isvc::{Format, Mode, View},
    observed::Namespace,
    place::DeploymentKey,
    runtime,
    sizing::Verdict,
    yaml::to_yaml,
};
use serde::{Deserialize, Serialize};

/// What a draft begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    Blank,
    /// A version of the catalogue.
    Version(VersionId),
    /// An update of what runs.
    Deployment(DeploymentKey),
    /// A new revision of a change that waits.
    Change(ChangeId),
}

impl Wizard {
    pub async fn start(&self, caller: &Caller, start: &Start) -> Result<DraftId> {
        self.may_begin(caller).await?;
        let now = self.0.clock.now();
        let mut draft = Draft {
            id: DraftId(self.0.entropy.uuid()),
            owner: caller.person,
            kind: ChangeKind::Create,
            title: String::new(),
            version_id: None,
            change: None,
            cluster: None,
            namespace: None,
            usage: Use {
                owner: caller.name.clone(),
                ..Default::default()
            },
            comment: String::new(),
            manifest_yaml: String::new(),
            broken_yaml: None,
            said: vec![],
            step: "use".into(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        match start {
            Start::Blank => {
                let form = self.targeted(caller, Form::starting(), &mut draft);
                draft.manifest_yaml = to_yaml(&form.new_manifest());
            }
            Start::Version(id) => self.fill_from_version(caller, *id, &mut draft).await?,
            Start::Deployment(key) => self.fill_from_deployment(caller, key, &mut draft).await?,
            Start::Change(id) => self.fill_from_change(caller, *id, &mut draft).await?,
        }
        draft.title = super::title(&draft);
        self.0.store.draft_create(&draft).await?;
        Ok(draft.id)
    }

    /// The first place where the caller may deploy: development before anything else.
    fn targeted(&self, caller: &Caller, mut form: Form, draft: &mut Draft) -> Form {
        let ctx = &self.0;
        let mut places: Vec<(String, Namespace)> = ctx
            .clusters
            .names()
            .into_iter()
            .flat_map(|c| {
                ctx.clusters
                    .namespaces(&c)
                    .into_iter()
                    .map(move |n| (c.clone(), n))
            })
            .filter(|(_, n)| ctx.policy.may(caller, Action::RequestChange, &n.scope))
            .collect();
        places.sort_by_key(|(c, n)| {
            (
                !n.scope.environment.starts_with("dev"),
                c.clone(),
                n.name.clone(),
            )
        });
        // Where an account belongs to one unit, that one; where to all, the first.
        if let Some((cluster, ns)) = places.into_iter().next() {
            let facts = ctx.clusters.facts(&cluster).unwrap_or_default();
            form.deployment_mode = Mode::Standard.name_in(&facts).into();
            form.cluster = cluster.clone();
            form.namespace = ns.name.clone();
            draft.cluster = Some(cluster);
            draft.namespace = Some(ns.name);
        }
        form
    }

    async fn fill_from_version(
        &self,
        caller: &Caller,
        id: VersionId,
        draft: &mut Draft,
    ) -> Result<()> {
        let ctx = &self.0;
        let (model, version) = ctx
            .store
            .version(id)
            .await?
            .ok_or_else(|| Error::not_found("the catalogue has no such version"))?;
        let mut form = self.targeted(caller, Form::starting(), draft);
        draft.version_id = Some(id);
        form.name = self.free_name(&dns_name(&model.name), &form);
        let registry_url = ctx
            .store
            .registry(model.registry)
            .await?
            .map(|r| r.url)
            .unwrap_or_default();
        let cluster_facts = ctx.clusters.facts(&form.cluster);
        let ways = facts::serving(&model, &version, &registry_url, cluster_facts.as_deref());
        if let Some(way) = ways.best() {
            form.source = source(way, version.facts.port);
            let runtimes = ctx.clusters.runtimes(&form.cluster, &form.namespace);
            let choice = way.formats.iter().find_map(|f| {
                let format = Format {
                    name: f.clone(),
                    version: None,
                };
                let r = runtime::auto_select(&runtimes, &form.namespace, &format, None, false)
                    .or_else(|| {
                        runtime::supporting(&runtimes, &form.namespace, &format, None)
                            .into_iter()
                            .find(|r| !r.multi_node)
                    })?;
                Some((f.clone(), r.name.clone()))
            });
            match choice {
                Some((format, name)) => (form.format, form.runtime) = (format, name),
                None => form.format = way.formats.first().cloned().unwrap_or_default(),
            }
        }
        self.size(&version, &mut form);
        draft.manifest_yaml = to_yaml(&form.new_manifest());
        Ok(())
    }

    /// GPUs by what the model needs and the target has; none for classical models.
    fn size(&self, version: &VersionRow, form: &mut Form) {
        let classical = matches!(
            version.facts.format,
            Some(
                ModelFormat::Sklearn
                    | ModelFormat::XgBoost
                    | ModelFormat::LightGbm
                    | ModelFormat::Onnx
                    | ModelFormat::Pmml
            )
        );
        if classical {
            form.gpus = 0;
            form.tolerate_gpu_taint = false;
            (form.cpu, form.memory) = ("1".into(), "2Gi".into());
            (form.cpu_limit, form.memory_limit) = (form.cpu.clone(), form.memory.clone());
            return;
        }
        let gpus = gpus_by_product(&self.0.clusters.nodes(&form.cluster));
        let whole: Vec<_> = gpus
            .iter()
            .filter(|g| g.resource == form.gpu_resource)
            .cloned()
            .collect();
        if let Some(e) = crate::sizing::for_form(&version.facts, form, &whole) {
            let enough = |v: &Verdict| !matches!(v, Verdict::DoesNotFit);
            let one = e.fits.iter().any(|f| enough(&f.verdict));
            if let Some(n) = e
                .fits
                .iter()
                .filter_map(|f| f.gpus_needed)
                .min()
                .filter(|_| !one)
            {
                form.gpus = n;
            }
        }
    }

    fn free_name(&self, wished: &str, form: &Form) -> String {
        let taken = |name: &str| {
            let key = DeploymentKey::new(&form.cluster, &form.namespace, name);
            self.0.clusters.live(&key, self.0.clock.now()).is_some()
        };
        if !taken(wished) {
            return wished.to_owned();
        }
        (2..100)
            .map(|n| format!("{wished}-{n}"))
            .find(|n| !taken(n))
            .unwrap_or_else(|| wished.to_owned())
    }

    async fn fill_from_deployment(
        &self,
        caller: &Caller,
        key: &DeploymentKey,
        draft: &mut Draft,
    ) -> Result<()> {
        let ctx = &self.0;
        let place = prepare::place(ctx, caller, &key.cluster, &key.namespace).await?;
        ctx.require(
            caller,
            Action::RequestChange,
            &place.scope,
            &format!("deployment:{key}"),
        )
        .await?;
        let live = ctx
            .clusters
            .live(key, ctx.clock.now())
            .ok_or_else(|| Error::not_found("there is no such deployment any more"))?;
        draft.kind = ChangeKind::Update;
        (draft.cluster, draft.namespace) = (Some(key.cluster.clone()), Some(key.namespace.clone()));
        let object = clean(&live.object);
        if let Some((m, v)) = facts::version_of(ctx, &View::new(&object)).await? {
            let _ = m;
            draft.version_id = Some(v.id);
        }
        draft.manifest_yaml = super::readable(to_yaml(&object))?;
        if let Some((change, ..)) = ctx.store.approved(key, &live.namespace_uid).await? {
            draft.usage = change.usage;
        }
        Ok(())
    }

    async fn fill_from_change(
        &self,
        caller: &Caller,
        id: ChangeId,
        draft: &mut Draft,
    ) -> Result<()> {
        let view = Changes(self.0.clone()).get(caller, id).await?;
        if view.change.requester != caller.person {
            return Err(not_yours());
        }
        if !view.may_edit {
            return Err(Error::conflict(format!(
                "this change is {}; it can no longer be edited",
                view.change.state.name()
            )));
        }
        draft.kind = view.change.kind;
        draft.change = Some(id);
        draft.cluster = Some(view.change.place.cluster_name.clone());
        draft.namespace = Some(view.change.place.namespace.clone());
        draft.usage = view.change.usage.clone();
        draft.comment = view.revision.comment.clone();
        draft.manifest_yaml = view.revision.manifest_yaml.clone();
        Ok(())
    }
}

/// Where the model comes from. An image is asked on the port that it says it listens on: left out,
/// KServe would ask 8080 and never find a server that listens elsewhere.
fn source(way: &Way, port: Option<u16>) -> Source {
    match way.scheme {
        Scheme::ServingImage => Source::Image {
            image: way.uri.clone(),
            port,
        },
        _ => Source::Storage {
            uri: way.uri.clone(),
        },
    }
}

/// A model's name as a name that Kubernetes accepts and that leaves room for `-predictor`.
fn dns_name(text: &str) -> String {
    let last = text.rsplit('/').next().unwrap_or(text);
    let mapped: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let name = mapped
        .trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned();
    let name: String = name
        .split('-')
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let name = if name.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("model-{name}")
    };
    name[..name.len().min(40)].trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_asked_on_its_own_port() {
        let way = |scheme| Way {
            scheme,
            uri: "registry.example/nim/llama".into(),
            how: String::new(),
            needs: vec![],
            formats: vec![],
        };
        assert_eq!(
            source(&way(Scheme::ServingImage), Some(8000)),
            Source::Image {
                image: "registry.example/nim/llama".into(),
                port: Some(8000)
            }
        );
        assert!(matches!(
            source(&way(Scheme::OciNative), Some(8000)),
            Source::Storage { .. }
        ));
    }

    #[test]
    fn names_become_kubernetes_names() {
        assert_eq!(dns_name("models/Llama-3.1_8B"), "llama-3-1-8b");
        assert_eq!(dns_name("7b"), "model-7b");
        assert_eq!(dns_name("--"), "model");
        assert!(dns_name(&"x".repeat(99)).len() <= 40);
    }
}
