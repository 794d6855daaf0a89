//! The deployment wizard: Use → Source → Target → Resources → Review, over a saved draft.
//!
//! The manifest is the truth. The form is read from it and written back into it, so that form and
//! YAML stay in step and fields that the form does not know survive.

mod ask;
mod reach;
mod review;
mod spot;
mod start;
mod view;

pub use ask::NewChange;
pub use review::{Broken, Review};
pub use spot::{Spot, spot, step_of};
pub use start::Start;
pub use view::{Placed, RuntimeChoice, TargetChoice, WizardView};

use crate::{
    Caller, Ctx,
    authz::Action,
    changes::{Changes, Submission},
    ports::*,
};
use domain::{
    Error, FieldError, Result,
    change::{Attested, Use},
    form::Form,
    ids::*,
    page::Page,
    yaml::{MAX_BYTES, parse_manifest, to_yaml},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone)]
pub struct Wizard(pub(crate) Ctx);

/// The steps, in their order.
pub const STEPS: [&str; 5] = ["use", "source", "target", "resources", "review"];

/// What one step's form carried. Absent parts stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    pub usage: Option<UseInput>,
    pub form: Option<Form>,
    pub yaml: Option<String>,
    pub comment: Option<String>,
    /// The step that this came from.
    pub step: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseInput {
    pub purpose: String,
    pub owner: String,
    pub risk_tier: String,
    pub data_class: String,
    pub exposure: String,
}

/// How many drafts one person may keep.
const MAX_DRAFTS: usize = 200;

impl Wizard {
    /// The caller's draft; somebody else's is not found.
    pub async fn draft(&self, caller: &Caller, id: DraftId) -> Result<Draft> {
        self.0
            .store
            .draft_get(id)
            .await?
            .filter(|d| d.owner == caller.person)
            .ok_or_else(|| {
                Error::not_found("there is no such draft of yours")
                    .remedy("It may have been submitted; look under “My requests”.")
            })
    }

    pub async fn drafts(&self, caller: &Caller, after: Option<&str>) -> Result<Page<Draft>> {
        self.0
            .store
            .draft_list(caller.person, after, domain::page::DEFAULT_LIMIT)
            .await
    }

    pub async fn discard(&self, caller: &Caller, id: DraftId) -> Result<()> {
        self.draft(caller, id).await?;
        self.0.store.draft_delete(id).await
    }

    /// Saves what was typed, valid or not, and then says what is wrong with it. Errors: `Invalid` with
    /// the fields (the draft is saved all the same), `Conflict` when another tab saved first.
    pub async fn save(
        &self,
        caller: &Caller,
        id: DraftId,
        expected_version: i64,
        edit: Edit,
    ) -> Result<i64> {
        let mut draft = self.draft(caller, id).await?;
        draft.version = expected_version;
        let mut fields = Vec::new();
        if let Some(u) = edit.usage {
            fields.extend(check_use(&u));
            draft.usage = usage(&draft.usage, &u, caller.person);
        }
        if let Some(comment) = edit.comment {
            draft.comment = cut(comment, crate::changes::MAX_COMMENT * 4);
        }
        if let Some(yaml) = edit.yaml {
            match parse_manifest(&yaml) {
                Ok(manifest) => {
                    let (form, _) = Form::from_manifest(&manifest);
                    if !form.namespace.is_empty() && draft.change.is_none() {
                        draft.namespace = Some(form.namespace);
                    }
                    draft.manifest_yaml = yaml;
                    draft.broken_yaml = None;
                }
                Err(e) => {
                    fields.push(FieldError {
                        field: "yaml".into(),
                        message: words(&e),
                    });
                    draft.broken_yaml = Some(cut(yaml, 256 * 1024));
                }
            }
        }
        if let Some(form) = edit.form {
            let before = self.manifest(&draft)?;
            let mut manifest = before.clone();
            if draft.change.is_none() || draft.cluster.is_none() {
                draft.cluster = (!form.cluster.is_empty()).then(|| form.cluster.clone());
                draft.namespace = (!form.namespace.is_empty()).then(|| form.namespace.clone());
            }
            form.apply_to(&mut manifest);
            // Text that says the same already stays as it was typed, with its comments.
            if manifest != before || draft.manifest_yaml.trim().is_empty() {
                draft.manifest_yaml = readable(to_yaml(&manifest))?;
            }
            // The form goes on from the last YAML that could be read (its page says so): from here on
            // Review shows what the form says, not text that nobody can read.
            draft.broken_yaml = None;
            fields.extend(
                form.errors()
                    .into_iter()
                    .filter(|e| belongs(&edit.step, &e.field)),
            );
        }
        if STEPS.iter().position(|s| *s == edit.step) > STEPS.iter().position(|s| *s == draft.step)
        {
            draft.step = edit.step;
        }
        draft.title = title(&draft);
        draft.updated_at = self.0.clock.now();
        let version = self.0.store.draft_save(&draft).await?;
        if fields.is_empty() {
            return Ok(version);
        }
        let mut e = Error::invalid("saved, but some of it cannot stay as it is");
        e.fields = fields;
        Err(e)
    }

    /// Submits what Review showed. The draft goes with it: a second submission finds it gone.
    pub async fn submit(
        &self,
        caller: &Caller,
        id: DraftId,
        expected: Digest,
        comment: &str,
    ) -> Result<ChangeId> {
        let draft = self.draft(caller, id).await?;
        if draft.broken_yaml.is_some() {
            return Err(Error::field(
                "yaml",
                "The YAML cannot be read yet: mend it on the Review step first.",
            ));
        }
        let (cluster, namespace) = target(&draft)?;
        let manifest = self.manifest(&draft)?;
        Changes(self.0.clone())
            .submit(
                caller,
                Submission {
                    kind: draft.kind,
                    cluster: cluster.clone(),
                    namespace: namespace.clone(),
                    manifest: manifest.clone(),
                    manifest_yaml: draft.manifest_yaml.clone(),
                    usage: draft.usage.clone(),
                    comment: comment.into(),
                    expected: Some(expected),
                    revises: draft.change,
                    draft: Some(DraftUsed {
                        id,
                        version: draft.version,
                    }),
                },
            )
            .await
            .map_err(|e| {
                self.out_of_reach(caller, &cluster, &namespace, beside_fields(e, &manifest))
            })
    }

    /// The form as it stands in the draft.
    pub async fn form(&self, caller: &Caller, id: DraftId) -> Result<Form> {
        let draft = self.draft(caller, id).await?;
        self.form_of(&draft)
    }

    fn form_of(&self, draft: &Draft) -> Result<Form> {
        let (mut form, _) = Form::from_manifest(&self.manifest(draft)?);
        form.cluster = draft.cluster.clone().unwrap_or_default();
        form.namespace = draft.namespace.clone().unwrap_or_default();
        Ok(form)
    }

    fn manifest(&self, draft: &Draft) -> Result<Value> {
        if draft.manifest_yaml.trim().is_empty() {
            return Ok(Form::starting().new_manifest());
        }
        parse_manifest(&draft.manifest_yaml)
    }

    async fn may_begin(&self, caller: &Caller) -> Result<()> {
        self.0
            .require_anywhere(caller, Action::RequestChange, "draft")
            .await?;
        if self
            .0
            .store
            .draft_list(caller.person, None, MAX_DRAFTS)
            .await?
            .rows
            .len()
            >= MAX_DRAFTS
        {
            return Err(
                Error::invalid(format!("you keep {MAX_DRAFTS} drafts already"))
                    .remedy("Discard some of them first."),
            );
        }
        Ok(())
    }
}

/// A manifest that is short enough to be read again; a draft with a longer one could not be opened.
fn readable(yaml: String) -> Result<String> {
    if yaml.len() <= MAX_BYTES {
        return Ok(yaml);
    }
    Err(Error::invalid(format!(
        "with this the manifest would be {} KiB long, and at most {} KiB are read; nothing was saved",
        yaml.len().div_ceil(1024),
        MAX_BYTES / 1024
    ))
    .remedy("Take out what is long, such as files in the values of variables: a ConfigMap or a Secret can hold them."))
}

/// What was said of paths of the manifest, said of the form's fields where it has them.
fn beside_fields(mut e: Error, manifest: &Value) -> Error {
    for f in &mut e.fields {
        if let Some(field) = domain::form::field_for(manifest, &f.field) {
            f.field = field;
        }
    }
    e
}

/// Cluster and namespace of a draft. Errors: `Invalid` where they are not chosen yet.
fn target(draft: &Draft) -> Result<(String, String)> {
    match (&draft.cluster, &draft.namespace) {
        (Some(c), Some(n)) => Ok((c.clone(), n.clone())),
        _ => Err(Error::field(
            "namespace",
            "Choose a cluster and a namespace on the Target step.",
        )),
    }
}

fn usage(old: &Use, u: &UseInput, by: PersonId) -> Use {
    let attested = |old: &Option<Attested>, value: &str| match (old, value.trim()) {
        (_, "") => None,
        (Some(o), v) if o.value == v => Some(o.clone()),
        (_, v) => Some(Attested {
            value: v.into(),
            by,
        }),
    };
    Use {
        purpose: cut(u.purpose.trim().into(), 4000),
        owner: cut(u.owner.trim().into(), 4000),
        risk_tier: attested(&old.risk_tier, &u.risk_tier),
        data_class: attested(&old.data_class, &u.data_class),
        exposure: attested(&old.exposure, &u.exposure),
    }
}

fn check_use(u: &UseInput) -> Vec<FieldError> {
    use crate::changes::{MAX_OWNER, MAX_PURPOSE};
    let mut out = Vec::new();
    for (field, value, max, what) in [
        (
            "purpose",
            &u.purpose,
            MAX_PURPOSE,
            "Say what the model is for: who decides needs to know it.",
        ),
        (
            "owner",
            &u.owner,
            MAX_OWNER,
            "Name the person or team that answers for it.",
        ),
    ] {
        let n = value.trim().chars().count();
        if n == 0 {
            out.push(FieldError {
                field: field.into(),
                message: what.into(),
            });
        } else if n > max {
            out.push(FieldError {
                field: field.into(),
                message: format!("At most {max} characters; these are {n}."),
            });
        }
    }
    for (field, value) in [
        ("risk_tier", &u.risk_tier),
        ("data_class", &u.data_class),
        ("exposure", &u.exposure),
    ] {
        if value.chars().count() > 100 {
            out.push(FieldError {
                field: field.into(),
                message: "At most 100 characters.".into(),
            });
        }
    }
    out
}

fn belongs(step: &str, field: &str) -> bool {
    step == "review" || step_of(field) == step
}

fn title(draft: &Draft) -> String {
    let name = parse_manifest(&draft.manifest_yaml)
        .map(|m| Form::from_manifest(&m).0.name)
        .unwrap_or_default();
    if name.is_empty() {
        "Unnamed deployment".into()
    } else {
        cut(name, 100)
    }
}

fn cut(text: String, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if end == text.len() {
        text
    } else {
        text[..end].to_owned()
    }
}

fn words(e: &Error) -> String {
    match &e.remedy {
        Some(r) => format!("{} {r}", e.message),
        None => e.message.clone(),
    }
}
