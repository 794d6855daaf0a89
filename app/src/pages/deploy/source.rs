//! What is served and by which runtime, with which arguments and environment.

use super::{beside, form};
use crate::{components::*, load::form_state};
use domain::form::{EnvFrom, Source};
use leptos::prelude::*;
use services::{
    secrets::Secrets,
    wizard::{RuntimeChoice, WizardView},
};

/// Empty lines for further variables.
const SPARE: usize = 2;

pub fn page(v: &WizardView) -> AnyView {
    let f = v.form.clone();
    let (kind, uri, image, port) = match &f.source {
        Source::Storage { uri } => ("storage", uri.clone(), String::new(), String::new()),
        Source::Image { image, port } => (
            "image",
            String::new(),
            image.clone(),
            port.map(|p| p.to_string()).unwrap_or_default(),
        ),
    };
    let kinds = vec![
        (
            "storage".to_owned(),
            "A model’s files, served by a runtime".to_owned(),
        ),
        (
            "image".to_owned(),
            "An image that serves by itself".to_owned(),
        ),
    ];
    let mut formats: Vec<(String, String)> = std::iter::once((String::new(), "Choose…".to_owned()))
        .chain(v.formats.iter().map(|n| (n.clone(), n.clone())))
        .collect();
    if !f.format.is_empty() && !v.formats.contains(&f.format) {
        formats.push((
            f.format.clone(),
            format!("{} (no runtime here names it)", f.format),
        ));
    }
    let mut runtimes: Vec<(String, String)> = vec![(String::new(), "KServe chooses".to_owned())];
    runtimes.extend(
        v.runtimes
            .iter()
            .map(|r| (r.name.clone(), runtime_words(r))),
    );
    if !f.runtime.is_empty() && !v.runtimes.iter().any(|r| r.name == f.runtime) {
        runtimes.push((
            f.runtime.clone(),
            format!("{} (not in this place)", f.runtime),
        ));
    }
    let own = |words: &str| (String::new(), words.to_owned());
    let mut protocols = vec![own("the runtime’s own")];
    protocols.extend(["v1", "v2", "grpc-v1", "grpc-v2"].map(same));
    let protocols = with_written(protocols, &f.protocol);
    let mut modes: Vec<(String, String)> = v.modes.iter().map(|m| same(m)).collect();
    if f.deployment_mode.is_empty() {
        modes.insert(0, own("the cluster’s default"));
    }
    let modes = with_written(modes, &f.deployment_mode);
    let env: Vec<AnyView> = rows(v)
        .into_iter()
        .chain((0..SPARE).map(|_| Variable::default()))
        .enumerate()
        .map(|(i, e)| env_row(v, i, e))
        .collect();
    let (env_remarks, env_described) = remarks("env", &beside(v, "env"));
    let fields = view! {
        {serving(v)}
        {f.source_elsewhere.then(|| view! { <p class="gh-muted">"What is served is written in a field that this form does not have; it stays as it is. The model address may stay empty."</p> })}
        <SelectField name="source_kind" label="What is served" value=kind options=kinds />
        <TextField name="uri" label="Model address (storageUri)" value=uri remarks=beside(v, "uri") help="For a model’s files: oci+native://, oci://, s3://, pvc:// …; pinned by digest where there is one." />
        <TextField name="image" label="Serving image" value=image remarks=beside(v, "image") help="Only for an image that serves by itself." />
        <TextField name="port" label="Port of the serving image" value=port kind="number" remarks=beside(v, "port") help="Empty: 8080." />
        <SelectField name="format" label="Format" value=f.format.clone() options=formats remarks=beside(v, "format") />
        <SelectField name="runtime" label="Runtime" value=f.runtime.clone() options=runtimes remarks=beside(v, "runtime") help="Those that support the format come first." />
        {arguments(v)}
        <fieldset class="gh-fieldset" id="env" tabindex="-1" aria-describedby=env_described>
            <legend>"Environment"</legend>
            <p class="gh-muted">"A value, or a secret and its key. Secrets are named here, never written out. A value may have several lines."</p>
            {secret_lists(&v.secrets)}
            {env}
            {env_remarks}
        </fieldset>
        <TextField name="pull_secrets" label="Pull secrets" value=f.pull_secrets.join(", ") remarks=beside(v, "pull_secrets") help="Names, separated by commas." list=NAMES />
        <SelectField name="protocol" label="Protocol" value=f.protocol.clone() options=protocols remarks=beside(v, "protocol") />
        <SelectField name="deployment_mode" label="Deployment mode" value=f.deployment_mode.clone() options=modes remarks=beside(v, "deployment_mode") />
    };
    form(v, "source", fields.into_any())
}

fn same(name: &str) -> (String, String) {
    (name.to_owned(), name.to_owned())
}

/// The options, and what the manifest says where it is none of them: left out, saving the step would
/// quietly write the first one.
fn with_written(mut options: Vec<(String, String)>, written: &str) -> Vec<(String, String)> {
    if !options.iter().any(|(value, _)| value == written) {
        options.push(same(written));
    }
    options
}

/// A field with an argument a line, or where they cannot be written so, how they are.
fn arguments(v: &WizardView) -> AnyView {
    let args = &v.form.args;
    if v.form.args_are_lines() {
        return view! { <TextArea name="args" label="Arguments, one a line" value=args.join("\n") rows=3 code=true remarks=beside(v, "args") /> }.into_any();
    }
    let (said, described) = remarks("args", &beside(v, "args"));
    let text = serde_json::to_string_pretty(args).unwrap_or_default();
    let review = format!("/deploy/{}/review#yaml", v.draft.id);
    view! {
        <fieldset class="gh-fieldset" id="args" tabindex="-1" aria-describedby=described>
            <legend>"Arguments"</legend>
            <p>"One of them is empty or has several lines, so they cannot be written one a line. They stay as they are; "<a href=review>"change them in the YAML"</a>"."</p>
            <Code text=text label="Arguments" />
            {said}
        </fieldset>
    }
    .into_any()
}

fn runtime_words(r: &RuntimeChoice) -> String {
    match (&r.not, r.automatic) {
        (Some(why), _) => format!("{} — cannot: {why}", r.name),
        (None, true) => format!("{} (KServe’s choice)", r.name),
        (None, false) => r.name.clone(),
    }
}

/// Id of the list of Secrets' names.
const NAMES: &str = "secret-names";
/// Id of the list of all their keys; a row whose Secret is known has a list of its own.
const KEYS: &str = "secret-keys";

/// The names to choose from, or why there are none.
fn secret_lists(secrets: &Secrets) -> AnyView {
    match secrets {
        Secrets::NotAsked => ().into_any(),
        Secrets::Unknown { why } => {
            let why = sentence(why);
            view! { <p class="gh-muted">{why}</p> }.into_any()
        }
        Secrets::Listed(all) => {
            let names = all.iter().map(|(n, _)| n.clone());
            let mut keys: Vec<String> = all.iter().flat_map(|(_, k)| k.clone()).collect();
            keys.sort();
            keys.dedup();
            view! { {datalist(NAMES.into(), names)}{datalist(KEYS.into(), keys)} }.into_any()
        }
    }
}

fn datalist(id: String, values: impl IntoIterator<Item = String>) -> AnyView {
    let options: Vec<AnyView> = values
        .into_iter()
        .map(|v| view! { <option value=v></option> }.into_any())
        .collect();
    view! { <datalist id=id>{options}</datalist> }.into_any()
}

/// A row of the table of variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Variable {
    name: String,
    value: String,
    secret: String,
    key: String,
}

/// What was typed into a form that was refused, else what the draft has.
fn rows(v: &WizardView) -> Vec<Variable> {
    let typed = form_state();
    let column = |name: &str, i: usize| typed.all(name).get(i).cloned().unwrap_or_default();
    if !typed.all("env_name").is_empty() {
        return (0..typed.all("env_name").len())
            .map(|i| Variable {
                name: column("env_name", i),
                value: column("env_value", i),
                secret: column("env_secret", i),
                key: column("env_key", i),
            })
            // The server left the empty ones out too.
            .filter(|r| {
                !(r.name.trim().is_empty()
                    && r.value.is_empty()
                    && r.secret.trim().is_empty()
                    && r.key.trim().is_empty())
            })
            .collect();
    }
    v.form
        .env
        .iter()
        .map(|e| match e.source.clone() {
            EnvFrom::Value { value } => Variable {
                name: e.name.clone(),
                value,
                ..Variable::default()
            },
            EnvFrom::Secret { secret, key } => Variable {
                name: e.name.clone(),
                secret,
                key,
                ..Variable::default()
            },
        })
        .collect()
}

fn env_row(v: &WizardView, i: usize, row: Variable) -> AnyView {
    let parts = ["name", "value", "secret", "key"];
    let said = parts.map(|part| beside(v, &format!("env-{i}-{part}")));
    let (below, described) = remarks(&format!("env-{i}"), &said.concat());
    let own_keys = match &v.secrets {
        Secrets::Listed(all) => all
            .iter()
            .find(|(n, _)| *n == row.secret)
            .map(|(_, k)| k.clone()),
        _ => None,
    };
    let own_list = own_keys.is_some().then(|| format!("env-{i}-keys"));
    let listed = matches!(v.secrets, Secrets::Listed(_));
    let cell = |at: usize,
                field: &'static str,
                label: &'static str,
                value: String,
                list: Option<String>| {
        let bad = said[at].iter().any(|r| r.tone == Tone::Bad);
        let described = described.clone().filter(|_| !said[at].is_empty());
        let id = format!("env-{i}-{}", parts[at]);
        let class = if bad {
            "pf-v6-c-form-control pf-m-error"
        } else {
            "pf-v6-c-form-control"
        };
        let control = if field == "env_value" {
            // A browser takes line ends out of a line of text.
            let lines = match value.lines().count() {
                0 | 1 => 1,
                // Lines that are long wrap; one more shows that there is an end.
                n => (n + 1).min(10),
            };
            let lines = lines.to_string();
            view! {
                <span class=format!("{class} pf-m-resize-vertical")>
                    <textarea id=id name=field rows=lines spellcheck="false" aria-invalid=bad.to_string() aria-describedby=described>{text_content(value)}</textarea>
                </span>
            }
            .into_any()
        } else {
            view! {
                <span class=class>
                    <input type="text" id=id name=field value=value autocomplete="off" list=list aria-invalid=bad.to_string() aria-describedby=described />
                </span>
            }
            .into_any()
        };
        view! { <label class="gh-env-cell"><span class="pf-v6-c-form__label-text">{label}</span>{control}</label> }
    };
    let names = listed.then(|| NAMES.to_owned());
    let keys = own_list.clone().or(listed.then(|| KEYS.to_owned()));
    view! {
        <div class="gh-env-row">
            {cell(0, "env_name", "Name", row.name, None)}
            {cell(1, "env_value", "Value", row.value, None)}
            {cell(2, "env_secret", "or secret", row.secret, names)}
            {cell(3, "env_key", "its key", row.key, keys)}
            {own_list.zip(own_keys).map(|(id, keys)| datalist(id, keys))}
            <div class="gh-env-said">{below}</div>
        </div>
    }
    .into_any()
}

/// How the catalogue says that it can be served here, or why not.
fn serving(v: &WizardView) -> AnyView {
    let Some(s) = v.serving.clone() else {
        return ().into_any();
    };
    if !s.ways.is_empty() {
        return ().into_any();
    }
    let items: Vec<AnyView> = s
        .obstacles
        .into_iter()
        .map(|o| {
            let out = o.way_out.map(|w| view! { <p>{w.text}</p>{w.snippet.map(|s| view! { <Code text=s label="Way out" /> })} });
            view! { <li>{o.reason}{out}</li> }.into_any()
        })
        .collect();
    alert(
        Tone::Bad,
        "This version cannot be served here as it is",
        view! { <ul class="pf-v6-c-list">{items}</ul> },
    )
}
