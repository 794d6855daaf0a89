//! The last step: what would be stored, asked of the API server as this person.

use super::{
    Placed, Wizard, WizardView,
    view::{fingerprint, placed},
};
use crate::{
    Caller,
    ports::*,
    prepare::{self, Prepared},
};
use domain::{
    Kind, Result,
    diff::{FieldChange, Line, diff, lines},
    ids::*,
    yaml::{location, parse_manifest, to_yaml},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What Review adds: the dry run with the person's rights, and the difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    pub view: WizardView,
    /// `None`: something typed keeps it from being asked at all; `broken` and `problem` say what.
    pub prepared: Option<Prepared>,
    pub problem: Option<String>,
    /// The YAML cannot be read.
    pub broken: Option<Broken>,
    /// All findings, the cluster's among them, worst first.
    pub findings: Vec<Placed>,
    pub yaml: String,
    pub differences: Vec<FieldChange>,
    pub difference_text: Vec<Line>,
    pub submittable: bool,
}

/// A mistake in the YAML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    pub message: String,
    /// Line and column, from 1, where the parser says them.
    pub at: Option<(usize, usize)>,
}

impl Wizard {
    pub async fn review(&self, caller: &Caller, id: DraftId) -> Result<Review> {
        let draft = self.draft(caller, id).await?;
        let view = self.view_of(caller, draft.clone(), "review").await?;
        let yaml = draft
            .broken_yaml
            .clone()
            .unwrap_or_else(|| draft.manifest_yaml.clone());
        let blocked = |view: WizardView, problem, broken| Review {
            findings: view.findings.clone(),
            view,
            prepared: None,
            problem,
            broken,
            yaml: yaml.clone(),
            differences: vec![],
            difference_text: vec![],
            submittable: false,
        };
        if let Some(broken) = &draft.broken_yaml {
            let message = parse_manifest(broken)
                .err()
                .map(|e| super::words(&e))
                .unwrap_or_else(|| {
                    "The YAML could not be read when it was saved: save it again.".into()
                });
            let broken = Broken {
                at: location(&message),
                message,
            };
            return Ok(blocked(view, None, Some(broken)));
        }
        let (cluster, namespace) = match super::target(&draft) {
            Ok(t) => t,
            Err(e) => {
                let why = e.fields.first().map(|f| f.message.clone());
                return Ok(blocked(view, Some(why.unwrap_or(e.message)), None));
            }
        };
        let manifest = self.manifest(&draft)?;
        let prepared =
            match prepare::prepare(&self.0, caller, &cluster, &namespace, draft.kind, &manifest)
                .await
            {
                Ok(p) => p,
                Err(e) if matches!(e.kind, Kind::Invalid | Kind::Forbidden | Kind::NotFound) => {
                    let e = self.out_of_reach(caller, &cluster, &namespace, e);
                    return Ok(blocked(view, Some(super::words(&e)), None));
                }
                Err(e) => return Err(e),
            };
        self.keep_said(&draft, &manifest, &prepared).await?;
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
            // The form's own complaints stand on its steps. What is asked for is the manifest, which may
            // say more than the form has words for: checks and the cluster judge that.
            submittable: prepared.submittable(),
            problem: prepared.refusal.clone(),
            findings: placed(prepared.seen.findings.clone(), &manifest, &view.form),
            prepared: Some(prepared),
            broken: None,
            yaml,
            view,
        })
    }

    /// What the cluster said is kept with the draft: the steps show it beside their fields, and need not
    /// wait for the cluster to do so.
    async fn keep_said(&self, draft: &Draft, manifest: &Value, prepared: &Prepared) -> Result<()> {
        let said: Vec<Said> = prepared
            .said
            .iter()
            .map(|finding| Said {
                of: fingerprint(manifest, &finding.field),
                finding: finding.clone(),
            })
            .collect();
        if said == draft.said {
            return Ok(());
        }
        self.0
            .store
            .draft_said(draft.id, draft.version, &said)
            .await
    }
}
