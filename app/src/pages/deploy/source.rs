//! What is served and by which runtime, with which arguments and environment.

use super::{findings_for, form, problem};
use crate::components::*;
use domain::form::{EnvFrom, Source};
use leptos::prelude::*;
use services::wizard::{RuntimeChoice, WizardView};

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
    let protocols = ["", "v1", "v2", "grpc-v1", "grpc-v2"]
        .map(|p| {
            (
                p.to_owned(),
                if p.is_empty() {
                    "the runtime’s own".to_owned()
                } else {
                    p.to_owned()
                },
            )
        })
        .to_vec();
    let modes = ["Standard", "Knative"]
        .map(|m| (m.to_owned(), m.to_owned()))
        .to_vec();
    let env: Vec<AnyView> = f
        .env
        .iter()
        .map(|e| match &e.source {
            EnvFrom::Value { value } => {
                (e.name.clone(), value.clone(), String::new(), String::new())
            }
            EnvFrom::Secret { secret, key } => {
                (e.name.clone(), String::new(), secret.clone(), key.clone())
            }
        })
        .chain((0..SPARE).map(|_| Default::default()))
        .enumerate()
        .map(|(i, e)| env_row(v, i, e))
        .collect();
    let fields = view! {
        {serving(v)}
        <SelectField name="source_kind" label="What is served" value=kind options=kinds />
        <TextField name="uri" label="Model address (storageUri)" value=uri problem=problem(v, "source.uri").or(problem(v, "source")) help="For a model’s files: oci+native://, oci://, s3://, pvc:// …; pinned by digest where there is one." />
        <TextField name="image" label="Serving image" value=image problem=problem(v, "source.image") help="Only for an image that serves by itself." />
        <TextField name="port" label="Port of the serving image" value=port kind="number" problem=problem(v, "source.port") help="Empty: 8080." />
        {findings_for(v, &["storageUri", "containers", "image"])}
        <SelectField name="format" label="Format" value=f.format.clone() options=formats problem=problem(v, "format") />
        <SelectField name="runtime" label="Runtime" value=f.runtime.clone() options=runtimes problem=problem(v, "runtime") help="Those that support the format come first." />
        {findings_for(v, &["modelFormat", "runtime"])}
        <TextArea name="args" label="Arguments, one a line" value=f.args.join("\n") rows=3 code=true problem=problem(v, "args") />
        <fieldset class="gh-fieldset" id="env">
            <legend>"Environment"</legend>
            <p class="gh-muted">"A value, or a secret and its key. Secrets are named here, never written out."</p>
            {env}
        </fieldset>
        {findings_for(v, &["env"])}
        <TextField name="pull_secrets" label="Pull secrets" value=f.pull_secrets.join(", ") problem=problem(v, "pull_secrets") help="Names, separated by commas." />
        <SelectField name="protocol" label="Protocol" value=f.protocol.clone() options=protocols />
        <SelectField name="deployment_mode" label="Deployment mode" value=f.deployment_mode.clone() options=modes />
        {findings_for(v, &["deploymentMode", "protocol"])}
    };
    form(v, "source", fields.into_any())
}

fn runtime_words(r: &RuntimeChoice) -> String {
    match (&r.not, r.automatic) {
        (Some(why), _) => format!("{} — cannot: {why}", r.name),
        (None, true) => format!("{} (KServe’s choice)", r.name),
        (None, false) => r.name.clone(),
    }
}

fn env_row(
    v: &WizardView,
    i: usize,
    (name, value, secret, key): (String, String, String, String),
) -> AnyView {
    let wrong = problem(v, &format!("env[{i}].name"))
        .or(problem(v, &format!("env[{i}].value")))
        .or(problem(v, &format!("env[{i}]")));
    let cell = |field: &'static str, label: &'static str, value: String| {
        view! {
            <label class="gh-env-cell">
                <span class="pf-v6-c-form__label-text">{label}</span>
                <span class="pf-v6-c-form-control"><input type="text" name=field value=value autocomplete="off" /></span>
            </label>
        }
    };
    view! {
        <div class="gh-env-row">
            {cell("env_name", "Name", name)}{cell("env_value", "Value", value)}{cell("env_secret", "or secret", secret)}{cell("env_key", "its key", key)}
            {wrong.map(|w| view! { <p class="gh-problem">{w}</p> })}
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
