//! The short steps: what it is for, and where it goes.

use super::{beside, form};
use crate::components::*;
use domain::{access::Stage, change::Attested};
use leptos::prelude::*;
use services::wizard::{TargetChoice, WizardView};

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

/// How many approvals a change waits for: short enough for an option, so that what is chosen says it
/// before it is saved.
fn approvals(stages: &[Stage]) -> String {
    match stages.iter().map(|s| s.count).sum::<u32>() {
        0 => "no approval".to_owned(),
        1 => "1 approval".to_owned(),
        n => format!("{n} approvals"),
    }
}

/// YAML may name any place: one that may not be used is no choice, and its field says so.
fn out_of_reach(v: &WizardView) -> Option<String> {
    let (cluster, namespace) = (&v.form.cluster, &v.form.namespace);
    let known = |t: &TargetChoice| t.cluster == *cluster && t.namespace == *namespace;
    let named = !cluster.is_empty() && !namespace.is_empty();
    (named && !v.targets.iter().any(known)).then(|| {
        format!(
            "You may not ask for deployments in {cluster} / {namespace}, or there is no such namespace: choose another place."
        )
    })
}

pub fn target(v: &WizardView) -> AnyView {
    let mut chosen = format!("{}/{}", v.form.cluster, v.form.namespace);
    let fixed = v.draft.kind != domain::change::ChangeKind::Create;
    let mut choices: Vec<(String, String)> = v
        .targets
        .iter()
        .map(|t| {
            let away = if t.away { " — away" } else { "" };
            (
                format!("{}/{}", t.cluster, t.namespace),
                format!(
                    "{} / {} ({}, {}) · {}{away}",
                    t.cluster,
                    t.namespace,
                    t.scope.unit,
                    t.scope.environment,
                    approvals(&t.stages)
                ),
            )
        })
        .collect();
    if fixed {
        choices.retain(|(k, _)| *k == chosen);
    }
    if !choices.iter().any(|(k, _)| *k == chosen) {
        choices.insert(0, (String::new(), "Choose…".into()));
        chosen.clear();
    }
    let saved = v
        .targets
        .iter()
        .find(|t| t.cluster == v.form.cluster && t.namespace == v.form.namespace);
    let agree = saved.map(|t| {
        let stages: Vec<String> = t
            .stages
            .iter()
            .filter(|s| s.count > 0)
            .map(|s| format!("{} × {}", s.count, s.role.name()))
            .collect();
        let whom = if stages.is_empty() {
            "nobody's approval".to_owned()
        } else {
            stages.join(", then ")
        };
        let text = format!(
            "Saved is {} / {}: changes there wait for {whom}.",
            t.cluster, t.namespace
        );
        view! { <p class="gh-muted">{text}</p> }
    });
    let fields = view! {
        <SelectField name="target" label="Cluster and namespace" value=chosen options=choices required=true problem=out_of_reach(v) remarks=beside(v, "target")
            help="Namespaces in which you may ask for changes." />
        <TextField name="name" label="Name" value=v.form.name.clone() required=true remarks=beside(v, "name") help="Lower-case letters, digits and hyphens; it becomes part of the address." />
        {agree}
    };
    form(v, "target", fields.into_any())
}
