//! The short steps: what it is for, and where it goes.

use super::{beside, form};
use crate::components::*;
use domain::change::Attested;
use leptos::prelude::*;
use services::wizard::WizardView;

fn value(a: &Option<Attested>) -> String {
    a.as_ref().map(|a| a.value.clone()).unwrap_or_default()
}

/// The words to choose from, and the chosen one where it is another (a program may have stated it).
fn options(chosen: &Option<Attested>, words: &[&str]) -> Vec<(String, String)> {
    let chosen = value(chosen);
    let other = (!chosen.is_empty() && !words.contains(&chosen.as_str())).then_some(chosen);
    std::iter::once((String::new(), "not stated".to_owned()))
        .chain(words.iter().map(|w| ((*w).to_owned(), (*w).to_owned())))
        .chain(other.map(|w| (w.clone(), w)))
        .collect()
}

pub fn usage(v: &WizardView) -> AnyView {
    let u = v.draft.usage.clone();
    let fields = view! {
        <TextArea name="purpose" label="Purpose" value=u.purpose.clone() required=true rows=2 help="What the model is used for; who decides reads it." />
        <TextField name="owner" label="Owner" value=u.owner.clone() required=true help="The person or team that answers for the deployment." />
        <SelectField name="risk_tier" label="Risk tier" value=value(&u.risk_tier) options=options(&u.risk_tier, &["low", "medium", "high"]) />
        <SelectField name="data_class" label="Data class" value=value(&u.data_class) options=options(&u.data_class, &["public", "internal", "confidential", "restricted"]) />
        <SelectField name="exposure" label="Exposure" value=value(&u.exposure) options=options(&u.exposure, &["one team", "whole organisation", "customers", "public"]) />
    };
    form(v, "use", fields.into_any())
}

pub fn target(v: &WizardView) -> AnyView {
    let chosen = format!("{}/{}", v.form.cluster, v.form.namespace);
    let fixed = v.draft.kind != domain::change::ChangeKind::Create;
    let mut choices: Vec<(String, String)> = v
        .targets
        .iter()
        .map(|t| {
            let away = if t.away { " — away" } else { "" };
            (
                format!("{}/{}", t.cluster, t.namespace),
                format!(
                    "{} / {} ({}, {}){away}",
                    t.cluster, t.namespace, t.scope.unit, t.scope.environment
                ),
            )
        })
        .collect();
    if fixed {
        choices.retain(|(k, _)| *k == chosen);
    }
    if !choices.iter().any(|(k, _)| *k == chosen) {
        choices.insert(0, (String::new(), "Choose…".into()));
    }
    let stages: Vec<String> = v
        .stages
        .iter()
        .filter(|s| s.count > 0)
        .map(|s| format!("{} × {}", s.count, s.role.name()))
        .collect();
    let agree = if stages.is_empty() {
        "Nobody has to approve changes here.".to_owned()
    } else {
        format!("Changes here wait for: {}.", stages.join(", then "))
    };
    let fields = view! {
        <SelectField name="target" label="Cluster and namespace" value=chosen options=choices required=true remarks=beside(v, "target")
            help="Namespaces in which you may ask for changes." />
        <TextField name="name" label="Name" value=v.form.name.clone() required=true remarks=beside(v, "name") help="Lower-case letters, digits and hyphens; it becomes part of the address." />
        <p class="gh-muted">{agree}</p>
    };
    form(v, "target", fields.into_any())
}
