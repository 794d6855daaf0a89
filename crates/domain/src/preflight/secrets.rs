//! Environment and secrets: never a secret's value in a manifest, never a reference into nothing.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::{Error, Warning},
    form::check::env_name,
    isvc::{EnvSource, env_source, kind_of},
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "secret-in-env",
        severity: Error,
        check: secret_in_env,
    },
    Rule {
        name: "secret-in-args",
        severity: Error,
        check: secret_in_args,
    },
    Rule {
        name: MISSING,
        severity: Error,
        check: secret_missing,
    },
    Rule {
        name: "env-name",
        severity: Error,
        check: name,
    },
    Rule {
        name: "env-twice",
        severity: Warning,
        check: twice,
    },
    Rule {
        name: "env-not-text",
        severity: Error,
        check: not_text,
    },
    Rule {
        name: "args-not-text",
        severity: Error,
        check: args_not_text,
    },
    Rule {
        name: "env-set-by-kserve",
        severity: Warning,
        check: set_by_kserve,
    },
    Rule {
        name: "trust-remote-code",
        severity: Warning,
        check: remote_code,
    },
];

pub(super) const MISSING: &str = "secret-missing";

/// Every container of predictor, transformer and canaries, with its path.
fn containers<'a>(c: &Checked<'a>) -> Vec<(String, &'a Value)> {
    let mut out = Vec::new();
    let mut part = |path: String, p: &'a Value| {
        if p["model"].is_object() {
            out.push((format!("{path}.model"), &p["model"]));
        }
        for list in ["initContainers", "containers"] {
            for (i, x) in p[list].as_array().into_iter().flatten().enumerate() {
                out.push((format!("{path}.{list}[{i}]"), x));
            }
        }
    };
    part("spec.predictor".into(), c.view.predictor());
    part("spec.transformer".into(), c.view.at("/spec/transformer"));
    for (i, canary) in c.view.canaries().iter().enumerate() {
        part(format!("spec.canary[{i}].predictor"), canary.predictor);
    }
    out
}

fn entries<'a>(c: &Checked<'a>) -> Vec<(String, &'a Value)> {
    let all = containers(c).into_iter();
    all.flat_map(|(path, x)| {
        x["env"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(i, e)| (format!("{path}.env[{i}]"), e))
            .collect::<Vec<_>>()
    })
    .collect()
}

/// What a name that speaks of a secret may end with when it does not hold one: `SECRET_NAME`.
const ABOUT: [&str; 18] = [
    "PATH", "FILE", "DIR", "NAME", "URL", "ID", "ENABLED", "TTL", "LIMIT", "COUNT", "LENGTH",
    "SIZE", "BUDGET", "TYPE", "REF", "WINDOW", "RATE", "IDS",
];
/// Tokens of a language model's vocabulary, which are no secrets: `EOS_TOKEN`.
const VOCABULARY: [&str; 16] = [
    "EOS", "BOS", "PAD", "UNK", "SEP", "CLS", "MASK", "STOP", "START", "END", "SPECIAL", "IMAGE",
    "AUDIO", "VIDEO", "MAX", "MIN",
];

/// Does a variable of this name hold a secret? `MAX_TOKENS`, `TOKENIZER` and `EOS_TOKEN` do not.
pub(crate) fn secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let words: Vec<&str> = upper.split('_').collect();
    let has = |all: &[&str]| words.iter().any(|w| all.contains(w));
    if words.last().is_some_and(|w| ABOUT.contains(w)) {
        return false;
    }
    has(&[
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
    ]) || (has(&["TOKEN"]) && !has(&VOCABULARY))
        || [
            "API_KEY",
            "ACCESS_KEY",
            "PRIVATE_KEY",
            "SECRET_KEY",
            "AUTH_KEY",
        ]
        .iter()
        .any(|end| upper.ends_with(end))
}

/// Does this text look like a secret by itself? Prefixes that providers give their tokens, keys, and
/// addresses with a password in them.
pub(crate) fn secret_value(value: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, usize, &str); 14] = [
        ("hf_", 30, "a Hugging Face token"),
        ("nvapi-", 40, "an NVIDIA API key"),
        ("sk-", 32, "an API key"),
        ("ghp_", 36, "a GitHub token"),
        ("github_pat_", 40, "a GitHub token"),
        ("glpat-", 20, "a GitLab token"),
        ("xoxb-", 30, "a Slack token"),
        ("AKIA", 20, "an AWS access key"),
        ("ASIA", 20, "an AWS access key"),
        ("AIza", 35, "a Google API key"),
        ("ya29.", 30, "a Google token"),
        ("dckr_pat_", 20, "a Docker token"),
        ("npm_", 36, "an npm token"),
        ("eyJhbGciOi", 40, "a signed token"),
    ];
    let value = value.trim();
    let plain = |v: &str| {
        v.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'+' | b'/')
        })
    };
    if let Some((.., what)) = PREFIXES
        .iter()
        .find(|(p, len, _)| value.starts_with(p) && value.len() >= *len && plain(value))
    {
        return Some(what);
    }
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let authority = value
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    if authority
        .and_then(|a| a.rsplit_once('@'))
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
    {
        return Some("an address with a password in it");
    }
    None
}

fn refer(name: &str) -> String {
    format!(
        "Put the value into a Secret of the namespace and refer to it: `valueFrom: {{secretKeyRef: {{name: …, key: {name}}}}}`."
    )
}

fn secret_in_env(c: &Checked<'_>, out: &mut Out) {
    for (path, e) in entries(c) {
        let (EnvSource::Value(value), Some(name)) = (env_source(e), e["name"].as_str()) else {
            continue;
        };
        // `$(OTHER)` takes the value of another variable, which may come from a Secret.
        let reference = value.starts_with("$(") && value.ends_with(')');
        if value.is_empty() || reference {
            continue;
        }
        // The value itself is never repeated.
        if let Some(what) = secret_value(value) {
            out.push(said(format!("{path}.value"), format!("The value of `{name}` looks like {what}: everybody who may read the service could read it."), refer(name)));
        } else if secret_name(name)
            && !matches!(
                value,
                "true" | "false" | "0" | "1" | "none" | "None" | "EMPTY" | "empty"
            )
        {
            out.push(said(format!("{path}.value"), format!("By its name `{name}` holds a secret: everybody who may read the service could read it."), refer(name)));
        }
    }
}

fn secret_in_args(c: &Checked<'_>, out: &mut Out) {
    for (path, x) in containers(c) {
        for list in ["command", "args"] {
            let all: Vec<&str> = x[list]
                .as_array()
                .into_iter()
                .flatten()
                .map(|a| a.as_str().unwrap_or_default())
                .collect();
            for (i, arg) in all.iter().enumerate() {
                let (flag, value) = match arg.split_once('=') {
                    Some((f, v)) if f.starts_with('-') => (f, v),
                    _ if arg.starts_with("--") => (
                        *arg,
                        all.get(i + 1)
                            .copied()
                            .filter(|n| !n.starts_with('-'))
                            .unwrap_or_default(),
                    ),
                    _ => ("", *arg),
                };
                let by_name = secret_name(flag.trim_start_matches('-'))
                    && !value.is_empty()
                    && !value.starts_with("$(");
                if by_name || secret_value(value).is_some() {
                    out.push(said(format!("{path}.{list}[{i}]"), format!("The argument{} holds a secret: everybody who may read the service could read it.", if flag.is_empty() { String::new() } else { format!(" `{flag}`") }), "Set an environment variable from a Secret and write `$(NAME)` here."));
                }
            }
        }
    }
}

fn secret_missing(c: &Checked<'_>, out: &mut Out) {
    let Some(there) = c.target.secrets else {
        return;
    };
    let optional = |field: &str| {
        let parent = field.rsplit_once('.').map(|(p, _)| p).unwrap_or_default();
        let pointer = parent.replace('[', "/").replace(']', "").replace('.', "/");
        c.view.at(&format!("/{pointer}/optional")) == &Value::Bool(true)
    };
    for (field, name) in c.view.secrets() {
        if !there.iter().any(|s| s == name) && !optional(&field) {
            out.push(said(
                field,
                format!("The namespace has no Secret `{name}`: the pod would not start."),
                "Create it there, or name one that is there.",
            ));
        }
    }
}

fn name(c: &Checked<'_>, out: &mut Out) {
    for (path, e) in entries(c) {
        match e["name"].as_str() {
            Some(n) if env_name(n) => {}
            Some(n) => out.push(said(
                format!("{path}.name"),
                format!("`{n}` cannot name a variable."),
                "Use letters, digits and `_`, and do not begin with a digit.",
            )),
            None => out.push(said(
                format!("{path}.name"),
                "A variable has no name.",
                "Name it, or remove the entry.",
            )),
        }
    }
}

fn twice(c: &Checked<'_>, out: &mut Out) {
    for (path, x) in containers(c) {
        let names: Vec<&str> = x["env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["name"].as_str())
            .collect();
        for (i, n) in names
            .iter()
            .enumerate()
            .filter(|(i, n)| names[..*i].contains(n))
        {
            out.push(said(
                format!("{path}.env[{i}].name"),
                format!("`{n}` is set twice; only the last counts."),
                "Remove one.",
            ));
        }
    }
}

fn not_text(c: &Checked<'_>, out: &mut Out) {
    for (path, e) in entries(c) {
        if let Some(v) = e.get("value").filter(|v| !v.is_string() && !v.is_null()) {
            out.push(said(
                format!("{path}.value"),
                format!(
                    "The value is {}, and Kubernetes takes text only.",
                    kind_of(v)
                ),
                format!("Put it in quotes: `value: \"{v}\"`."),
            ));
        }
        if e.get("value").is_some_and(|v| v.is_string() && v != "")
            && e.get("valueFrom").is_some_and(|v| !v.is_null())
        {
            out.push(said(
                path,
                "The variable has a value and a reference.",
                "Keep one of them.",
            ));
        }
    }
}

fn args_not_text(c: &Checked<'_>, out: &mut Out) {
    for (path, x) in containers(c) {
        for list in ["command", "args"] {
            match &x[list] {
                Value::Null => {}
                Value::Array(items) => {
                    for (i, v) in items.iter().enumerate().filter(|(_, v)| !v.is_string()) {
                        out.push(said(
                            format!("{path}.{list}[{i}]"),
                            format!(
                                "The item is {}, and Kubernetes takes text only.",
                                kind_of(v)
                            ),
                            "Put it in quotes.",
                        ));
                    }
                }
                other => out.push(said(
                    format!("{path}.{list}"),
                    format!("This is {}, and Kubernetes takes a list.", kind_of(other)),
                    "Write each argument as an item of a list.",
                )),
            }
        }
    }
}

fn set_by_kserve(c: &Checked<'_>, out: &mut Out) {
    for (path, e) in entries(c) {
        if let Some(n) = e["name"].as_str().filter(|n| {
            matches!(
                *n,
                "STORAGE_URI" | "INFERENCE_SERVICE_NAME" | "K_REVISION" | "K_SERVICE"
            )
        }) {
            out.push(said(
                format!("{path}.name"),
                format!("KServe or Knative sets `{n}` itself."),
                "Remove it.",
            ));
        }
    }
}

/// Code from the model's repository would run in the pod.
fn remote_code(c: &Checked<'_>, out: &mut Out) {
    for (path, x) in containers(c) {
        for (i, a) in x["args"].as_array().into_iter().flatten().enumerate() {
            let text = a.as_str().unwrap_or_default().replace('_', "-");
            if text == "--trust-remote-code"
                || text == "--trust-remote-code=true"
                || text == "--trust-remote-code=True"
            {
                out.push(said(
                    format!("{path}.args[{i}]"),
                    "The server would run code that comes with the model.",
                    "Remove it, unless the model needs it and its code has been looked at.",
                ));
            }
        }
    }
}
