//! The wizard's way for programs: everything at once, nothing kept when it is refused.

use super::{UseInput, Wizard, check_use, usage};
use crate::{
    Caller,
    changes::{Changes, Submission},
};
use domain::{
    Error, Result,
    change::{ChangeKind, Use},
    ids::{ChangeId, Digest},
    yaml::{parse_manifest, to_yaml},
};
use serde_json::Value;

/// A manifest, where to, and what for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChange {
    pub kind: ChangeKind,
    pub cluster: String,
    pub namespace: String,
    pub usage: UseInput,
    pub comment: String,
    /// An object, or its text as YAML or JSON.
    pub manifest: Value,
    /// The content hash that is expected; another one is refused.
    pub expected: Option<Digest>,
}

impl Wizard {
    /// Checks as the steps and Review do, dry run included, and submits.
    /// Errors: `Invalid` with the manifest's paths for findings that stand in the way.
    pub async fn submit_whole(&self, caller: &Caller, mut new: NewChange) -> Result<ChangeId> {
        if !matches!(new.kind, ChangeKind::Create | ChangeKind::Update) {
            return Err(Error::field(
                "kind",
                "A manifest creates a deployment or updates one: `create` or `update`.",
            ));
        }
        if new.usage.owner.trim().is_empty() {
            new.usage.owner.clone_from(&caller.name);
        }
        let mut fields = check_use(&new.usage);
        for (field, value) in [("cluster", &new.cluster), ("namespace", &new.namespace)] {
            if value.trim().is_empty() {
                fields.push(domain::FieldError {
                    field: field.into(),
                    message: "Name it.".into(),
                });
            }
        }
        if !fields.is_empty() {
            let mut e = Error::invalid("the change cannot be submitted like this");
            e.fields = fields;
            return Err(e);
        }
        let (manifest, manifest_yaml) = match new.manifest {
            Value::String(text) => (parse_manifest(&text)?, text),
            object @ Value::Object(_) => {
                let text = super::readable(to_yaml(&object))?;
                (object, text)
            }
            _ => {
                return Err(Error::field(
                    "manifest",
                    "The manifest is an object, or its text as YAML or JSON.",
                ));
            }
        };
        Changes(self.0.clone())
            .submit(
                caller,
                Submission {
                    kind: new.kind,
                    cluster: new.cluster,
                    namespace: new.namespace,
                    manifest,
                    manifest_yaml,
                    usage: usage(&Use::default(), &new.usage, caller.person),
                    comment: new.comment,
                    expected: new.expected,
                    revises: None,
                    draft: None,
                },
            )
            .await
    }
}
