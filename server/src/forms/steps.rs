//! What the wizard's steps send, read into the form that the draft has. What came back as the page showed
//! it stays as it was, even where a page cannot show all of it.

use super::{Pairs, field, fields};
use domain::{
    FieldError,
    form::{Env, EnvFrom, Form as Deploy, Source},
};

/// A line of text: what its page showed of `old` is `old`, blanks and line ends included; anything else
/// is what was typed.
fn line(typed: &Pairs, name: &str, old: &str) -> String {
    let text = field(typed, name);
    if text == old.replace(['\r', '\n'], "") {
        old.to_owned()
    } else {
        text.trim().to_owned()
    }
}

pub fn source(typed: &Pairs, form: &mut Deploy, wrong: &mut Vec<FieldError>) {
    let (uri, image, port) = match &form.source {
        Source::Storage { uri } => (uri.as_str(), "", None),
        Source::Image { image, port } => ("", image.as_str(), *port),
    };
    form.source = if field(typed, "source_kind") == "image" {
        Source::Image {
            image: line(typed, "image", image),
            port: number(typed, "port", port, wrong),
        }
    } else {
        Source::Storage {
            uri: line(typed, "uri", uri),
        }
    };
    let format = line(typed, "format", &form.format);
    if form.format != format {
        form.format_version = String::new();
    }
    form.format = format;
    form.runtime = line(typed, "runtime", &form.runtime);
    form.protocol = line(typed, "protocol", &form.protocol);
    form.deployment_mode = line(typed, "deployment_mode", &form.deployment_mode);
    // The page has no field for them where they cannot be written one a line: then they stay.
    if let Some((_, text)) = typed.iter().find(|(n, _)| n == "args") {
        form.args = text
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(str::to_owned)
            .collect();
    }
    form.pull_secrets = field(typed, "pull_secrets")
        .split(',')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect();
    form.env = variables(typed, &form.env, wrong);
}

/// The rows of the table of variables; one without anything in it is left out.
fn variables(typed: &Pairs, old: &[Env], wrong: &mut Vec<FieldError>) -> Vec<Env> {
    let columns = ["env_name", "env_value", "env_secret", "env_key"].map(|c| fields(typed, c));
    let mut rows: Vec<Env> = Vec::new();
    for i in 0..columns[0].len() {
        let [name, value, secret, key] =
            [0, 1, 2, 3].map(|c: usize| columns[c].get(i).copied().unwrap_or_default());
        let (secret, key) = (secret.trim(), key.trim());
        if name.trim().is_empty() && value.is_empty() && secret.is_empty() && key.is_empty() {
            continue;
        }
        let known = old.iter().any(|e| e.name == name);
        let name = if known { name } else { name.trim() };
        let by_secret = !secret.is_empty() || !key.is_empty();
        if by_secret && !value.is_empty() {
            wrong.push(FieldError {
                field: format!("env[{}].value", rows.len()),
                message: "A variable has a value or a secret, not both: empty one of them.".into(),
            });
        }
        let source = if by_secret {
            EnvFrom::Secret {
                secret: secret.to_owned(),
                key: key.to_owned(),
            }
        } else {
            EnvFrom::Value {
                value: value_kept(name, value, old),
            }
        };
        rows.push(Env {
            name: name.to_owned(),
            source,
        });
    }
    rows
}

/// A page shows carriage returns as plain line ends: a value that came back as it was shown is the old one.
fn value_kept(name: &str, value: &str, old: &[Env]) -> String {
    let shown = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    old.iter()
        .filter(|e| e.name == name)
        .find_map(|e| match &e.source {
            EnvFrom::Value { value: old } if shown(old) == value => Some(old.clone()),
            _ => None,
        })
        .unwrap_or_else(|| value.to_owned())
}

pub fn target(typed: &Pairs, form: &mut Deploy) {
    let (cluster, namespace) = field(typed, "target").split_once('/').unwrap_or_default();
    form.cluster = cluster.to_owned();
    form.namespace = namespace.to_owned();
    form.name = line(typed, "name", &form.name);
}

pub fn resources(typed: &Pairs, form: &mut Deploy, wrong: &mut Vec<FieldError>) {
    form.min_replicas = number(typed, "min_replicas", form.min_replicas, wrong);
    form.max_replicas = number(typed, "max_replicas", form.max_replicas, wrong);
    form.gpus = number(typed, "gpus", Some(form.gpus), wrong).unwrap_or(0);
    form.timeout = number(typed, "timeout", form.timeout, wrong);
    if !field(typed, "gpu_resource").trim().is_empty() {
        form.gpu_resource = line(typed, "gpu_resource", &form.gpu_resource);
    }
    form.gpu_product = line(typed, "gpu_product", &form.gpu_product);
    form.tolerate_gpu_taint = field(typed, "tolerate") == "yes";
    form.cpu = line(typed, "cpu", &form.cpu);
    form.cpu_limit = line(typed, "cpu_limit", &form.cpu_limit);
    form.memory = line(typed, "memory", &form.memory);
    form.memory_limit = line(typed, "memory_limit", &form.memory_limit);
}

/// A whole number, or nothing; what is neither is named, and the old number stays in the draft.
fn number<T: std::str::FromStr>(
    typed: &Pairs,
    name: &str,
    old: Option<T>,
    wrong: &mut Vec<FieldError>,
) -> Option<T> {
    let text = field(typed, name).trim();
    if text.is_empty() {
        return None;
    }
    text.parse().ok().or_else(|| {
        wrong.push(FieldError {
            field: name.into(),
            message: format!("“{text}” is not a whole number that can be used here."),
        });
        old
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser sends of the Source step's page for this form.
    fn sent(form: &Deploy) -> Pairs {
        let plain = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        let one = |name: &str, value: &str| (name.to_owned(), value.replace(['\r', '\n'], ""));
        let mut out = match &form.source {
            Source::Storage { uri } => vec![one("source_kind", "storage"), one("uri", uri)],
            Source::Image { image, port } => vec![
                one("source_kind", "image"),
                one("image", image),
                one("port", &port.map(|p| p.to_string()).unwrap_or_default()),
            ],
        };
        for (name, value) in [
            ("format", &form.format),
            ("runtime", &form.runtime),
            ("protocol", &form.protocol),
            ("deployment_mode", &form.deployment_mode),
            ("pull_secrets", &form.pull_secrets.join(", ")),
        ] {
            out.push(one(name, value));
        }
        if form.args_are_lines() {
            out.push(("args".into(), form.args.join("\n")));
        }
        for e in &form.env {
            let (value, secret, key) = match &e.source {
                EnvFrom::Value { value } => (plain(value), "", ""),
                EnvFrom::Secret { secret, key } => (String::new(), secret.as_str(), key.as_str()),
            };
            out.push(one("env_name", &e.name));
            out.push(("env_value".into(), value));
            out.push(one("env_secret", secret));
            out.push(one("env_key", key));
        }
        out
    }

    fn saved(typed: &Pairs, form: &Deploy) -> (Deploy, Vec<FieldError>) {
        let (mut after, mut wrong) = (form.clone(), vec![]);
        source(typed, &mut after, &mut wrong);
        (after, wrong)
    }

    fn value(name: &str, value: &str) -> Env {
        Env {
            name: name.into(),
            source: EnvFrom::Value {
                value: value.into(),
            },
        }
    }

    #[test]
    fn what_a_page_cannot_show_as_it_is_survives_a_save() {
        let form = Deploy {
            source: Source::Image {
                image: " server:1 ".into(),
                port: Some(8000),
            },
            args: vec!["-c".into(), "set -e\nserve\n".into(), String::new()],
            env: vec![
                value("CA", "-----BEGIN CERTIFICATE-----\r\nMII=\r\n"),
                value("JSON", "{\n  \"a\": 1\n}\n"),
                value("PADDED", "\n  two blanks  "),
                Env {
                    name: "TOKEN".into(),
                    source: EnvFrom::Secret {
                        secret: String::new(),
                        key: "k".into(),
                    },
                },
                value("CA", "once more"),
            ],
            pull_secrets: vec!["a".into(), "b".into()],
            deployment_mode: "RawDeployment".into(),
            ..Deploy::default()
        };
        assert_eq!(saved(&sent(&form), &form), (form, vec![]));
    }

    #[test]
    fn arguments_of_a_line_each_are_edited_and_others_kept() {
        let lines = Deploy {
            args: vec!["--a=1".into(), "  --b two ".into()],
            ..Deploy::default()
        };
        let (after, _) = saved(&vec![("args".into(), "--c\n\n --d \n".into())], &lines);
        assert_eq!(after.args, ["--c", " --d "]);
        let script = Deploy {
            args: vec!["-c".into(), "a\nb".into()],
            ..Deploy::default()
        };
        assert_eq!(saved(&vec![], &script).0.args, script.args);
    }

    #[test]
    fn nothing_typed_is_dropped_without_a_word() {
        let row = |value: &str, secret: &str, key: &str| -> Pairs {
            [
                ("env_name", "A"),
                ("env_value", value),
                ("env_secret", secret),
                ("env_key", key),
            ]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .to_vec()
        };
        let (after, wrong) = saved(&row("x", "s", "k"), &Deploy::default());
        assert_eq!(
            (after.env.len(), wrong[0].field.as_str()),
            (1, "env[0].value")
        );
        let (after, wrong) = saved(&row("", "", "k"), &Deploy::default());
        assert!(
            wrong.is_empty()
                && matches!(&after.env[0].source, EnvFrom::Secret { key, .. } if key == "k")
        );
        // What is no number leaves the one that was there.
        let mut wrong = vec![];
        assert_eq!(
            number(
                &vec![("port".into(), "80a".into())],
                "port",
                Some(8000u16),
                &mut wrong
            ),
            Some(8000)
        );
        assert_eq!(wrong.len(), 1);
    }
}
