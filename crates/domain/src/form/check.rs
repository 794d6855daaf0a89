//! What the form may hold.

use super::{EnvFrom, Form, Source};
use crate::{FieldError, isvc::Mode, quantity::Quantity};

pub const MAX_NAME: usize = 63;
pub const MAX_TEXT: usize = 1024;
pub const MAX_ARGS: usize = 100;
pub const MAX_ENV: usize = 100;
pub const MAX_VALUE: usize = 8 * 1024;
pub const MAX_SECRETS: usize = 10;
pub const MAX_REPLICAS: i64 = 1000;
pub const MAX_GPUS: u32 = 64;

struct Out(Vec<FieldError>);

impl Out {
    fn say(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }
    /// Length, and no control characters.
    fn text(&mut self, field: &str, text: &str, max: usize, what: &str) -> bool {
        if text.len() > max {
            self.say(
                field,
                format!(
                    "{what} may have at most {max} bytes; this has {}.",
                    text.len()
                ),
            );
        } else if text
            .chars()
            .any(|c| c.is_control() && !(max == MAX_VALUE && matches!(c, '\n' | '\r' | '\t')))
        {
            self.say(field, format!("{what} may not hold control characters."));
        } else {
            return true;
        }
        false
    }
    fn quantity(&mut self, field: &str, text: &str, what: &str, example: &str) -> Option<Quantity> {
        if text.is_empty() {
            return None;
        }
        match Quantity::parse(text) {
            Some(q) if q.milli() > 0 => Some(q),
            Some(_) => {
                self.say(field, format!("{what} has to be more than nothing."));
                None
            }
            None => {
                self.say(
                    field,
                    format!(
                        "{what} is not an amount that Kubernetes reads; write it like {example}."
                    ),
                );
                None
            }
        }
    }
}

/// Lower-case letters, digits and `-`, beginning with a letter (a Service is named after it), ending
/// with a letter or digit.
pub fn dns_label(text: &str) -> bool {
    let b = text.as_bytes();
    !b.is_empty()
        && b.len() <= MAX_NAME
        && b[0].is_ascii_lowercase()
        && b[b.len() - 1] != b'-'
        && b.iter()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-')
}

/// A name of an object that may have dots, such as a Secret's.
pub fn dns_subdomain(text: &str) -> bool {
    let part = |p: &str| {
        let alnum = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let b = p.as_bytes();
        !b.is_empty()
            && alnum(b[0])
            && alnum(b[b.len() - 1])
            && b.iter().all(|c| alnum(*c) || *c == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// A variable's name as the API server wants it, without the exotic ones that shells cannot set.
pub fn env_name(text: &str) -> bool {
    let b = text.as_bytes();
    !b.is_empty()
        && b.len() <= 253
        && !b[0].is_ascii_digit()
        && b.iter()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'))
}

pub(super) fn errors(f: &Form) -> Vec<FieldError> {
    let mut out = Out(Vec::new());
    names(f, &mut out);
    source(f, &mut out);
    lists(f, &mut out);
    numbers(f, &mut out);
    out.0
}

fn names(f: &Form, out: &mut Out) {
    let max = MAX_NAME - "isvc.-predictor".len();
    if f.name.is_empty() {
        out.say("name", "Give the deployment a name.");
    } else if !dns_label(&f.name) {
        out.say("name", "A name has lower-case letters, digits and `-`, begins with a letter and ends with a letter or digit, such as `llama-3-8b`.");
    } else if f.name.len() > max {
        out.say("name", format!("KServe labels the pods `isvc.{}-predictor`, which may have {MAX_NAME} characters: use at most {max} for the name.", f.name));
    }
    if f.namespace.is_empty() {
        out.say("namespace", "Choose where to deploy it.");
    } else if !dns_subdomain(&f.namespace)
        || f.namespace.contains('.')
        || f.namespace.len() > MAX_NAME
    {
        out.say("namespace", "This is not a namespace's name.");
    }
    if !f.deployment_mode.is_empty() && Mode::parse(&f.deployment_mode).is_none() {
        out.say("deployment_mode", "The mode is `Standard` or `Knative`; KServe would take anything else as its default without a word.");
    }
    if !matches!(
        f.protocol.as_str(),
        "" | "v1" | "v2" | "grpc-v1" | "grpc-v2"
    ) {
        out.say(
            "protocol",
            "The protocol is one of v1, v2, grpc-v1 and grpc-v2.",
        );
    }
    if !f.runtime.is_empty() && !dns_subdomain(&f.runtime) {
        out.say("runtime", "This is not a runtime's name.");
    }
    if f.gpu_product.len() > MAX_NAME
        || f.gpu_product
            .contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
    {
        out.say(
            "gpu_product",
            "This is not the value of a node's label; choose one of the listed products.",
        );
    }
}

fn source(f: &Form, out: &mut Out) {
    match &f.source {
        Source::Storage { uri } => {
            if uri.is_empty() {
                if !f.source_elsewhere {
                    out.say("source", "Say where the model's files are, such as `oci+native://registry/models/name@sha256:…`.");
                }
            } else if out.text("source", uri, MAX_TEXT, "The address")
                && (uri.contains(char::is_whitespace) || !uri.contains("://"))
            {
                out.say("source", "The address has a scheme and no blanks, such as `oci+native://registry/models/name@sha256:…`.");
            }
            if f.format.is_empty() && !f.source_elsewhere {
                out.say(
                    "format",
                    "Choose the model's format: it decides which runtimes can serve it.",
                );
            }
            out.text("format", &f.format, 100, "The format");
            out.text(
                "format_version",
                &f.format_version,
                100,
                "The format's version",
            );
        }
        Source::Image { image, .. } => {
            if image.is_empty() {
                out.say(
                    "source",
                    "Say which image serves, such as `registry/nim/llama@sha256:…`.",
                );
            } else if out.text("source", image, MAX_TEXT, "The image")
                && (image.contains(char::is_whitespace) || image.contains("://"))
            {
                out.say("source", "An image is written without a scheme and without blanks, such as `registry/nim/llama@sha256:…`.");
            }
        }
    }
}

fn lists(f: &Form, out: &mut Out) {
    if f.args.len() > MAX_ARGS {
        out.say(
            "args",
            format!(
                "At most {MAX_ARGS} arguments are taken; these are {}.",
                f.args.len()
            ),
        );
    }
    for (i, arg) in f.args.iter().enumerate().take(MAX_ARGS) {
        out.text(&format!("args[{i}]"), arg, MAX_VALUE, "An argument");
    }
    if f.env.len() > MAX_ENV {
        out.say(
            "env",
            format!(
                "At most {MAX_ENV} variables are taken; these are {}.",
                f.env.len()
            ),
        );
    }
    for (i, e) in f.env.iter().enumerate().take(MAX_ENV) {
        let at = format!("env[{i}]");
        if !env_name(&e.name) {
            out.say(
                format!("{at}.name"),
                "A variable's name has letters, digits and `_`, and does not begin with a digit.",
            );
        } else if f.env[..i].iter().any(|o| o.name == e.name) {
            out.say(
                format!("{at}.name"),
                format!("`{}` is set twice; only the last would count.", e.name),
            );
        }
        match &e.source {
            EnvFrom::Value { value } => {
                out.text(&format!("{at}.value"), value, MAX_VALUE, "A value");
            }
            EnvFrom::Secret { secret, key } => {
                if !dns_subdomain(secret) {
                    out.say(
                        format!("{at}.secret"),
                        "Name the Secret that holds the value.",
                    );
                }
                if key.is_empty()
                    || key.len() > 253
                    || !key
                        .bytes()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
                {
                    out.say(format!("{at}.key"), "Name the key in the Secret.");
                }
            }
        }
    }
    if f.pull_secrets.len() > MAX_SECRETS {
        out.say(
            "pull_secrets",
            format!("At most {MAX_SECRETS} pull secrets are taken."),
        );
    }
    for (i, s) in f.pull_secrets.iter().enumerate().take(MAX_SECRETS) {
        if !dns_subdomain(s) {
            out.say(format!("pull_secrets[{i}]"), "This is not a Secret's name.");
        }
    }
}

fn numbers(f: &Form, out: &mut Out) {
    for (field, n) in [
        ("min_replicas", f.min_replicas),
        ("max_replicas", f.max_replicas),
    ] {
        if n.is_some_and(|n| !(0..=MAX_REPLICAS).contains(&n)) {
            out.say(field, format!("Replicas are between 0 and {MAX_REPLICAS}."));
        }
    }
    if let (Some(min), Some(max)) = (f.min_replicas, f.max_replicas)
        && max < min
        && max != 0
    {
        out.say(
            "max_replicas",
            format!("The most ({max}) is less than the least ({min})."),
        );
    }
    if f.timeout.is_some_and(|t| !(1..=86_400).contains(&t)) {
        out.say(
            "timeout",
            "The time limit of a request is between 1 and 86,400 seconds.",
        );
    }
    if f.gpus > MAX_GPUS {
        out.say(
            "gpus",
            format!("A pod takes at most {MAX_GPUS} GPUs here; no node has more."),
        );
    }
    if f.gpus > 0 && !f.gpu_resource.is_empty() && !crate::isvc::gpu_resource(&f.gpu_resource) {
        out.say(
            "gpu_resource",
            "This is not a GPU's resource name, such as `nvidia.com/gpu`.",
        );
    }
    let pairs = [
        (
            "cpu",
            &f.cpu,
            "cpu_limit",
            &f.cpu_limit,
            "CPU",
            "`4` or `500m`",
        ),
        (
            "memory",
            &f.memory,
            "memory_limit",
            &f.memory_limit,
            "Memory",
            "`32Gi`",
        ),
    ];
    for (field, text, limit_field, limit_text, what, example) in pairs {
        let request = out.quantity(field, text, what, example);
        let limit = out.quantity(
            limit_field,
            limit_text,
            &format!("The limit of {what}"),
            example,
        );
        if let (Some(r), Some(l)) = (request, limit)
            && l < r
        {
            out.say(
                limit_field,
                format!("The limit ({limit_text}) is less than what is requested ({text})."),
            );
        }
    }
}
