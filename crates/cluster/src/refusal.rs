//! What an API server's refusal means, in words and beside the fields it concerns. The texts of
//! libraries never get here; those of KServe's webhooks are quoted where the table has no words.

use crate::{rest::Failure, rules};
use domain::finding::{Finding, Severity};
use kube::core::{Status, response::StatusCause};
use serde_json::Value;
use services::ports::Refusal;

/// What was being done.
#[derive(Clone, Copy)]
pub(crate) struct Doing<'a> {
    pub cluster: &'a str,
    /// Would it have changed something? Then a lost answer is a question, not a no.
    pub effect: bool,
    /// The object that was sent; `Null` for none.
    pub object: &'a Value,
}

/// The refusal for a failure.
pub(crate) fn refusal(failure: Failure, doing: Doing<'_>) -> Refusal {
    let cluster = doing.cluster;
    match failure {
        Failure::NotConnected => Refusal::Unavailable {
            message: format!("the cluster {cluster} cannot be reached"),
            maybe_done: false,
        },
        Failure::Timeout => Refusal::Unavailable {
            message: format!("the cluster {cluster} did not answer in time"),
            maybe_done: doing.effect,
        },
        Failure::Lost => Refusal::Unavailable {
            message: format!("the connection to the cluster {cluster} broke"),
            maybe_done: doing.effect,
        },
        Failure::TooLarge => Refusal::Unavailable {
            message: format!("the cluster {cluster} answered with more than the console takes"),
            maybe_done: doing.effect,
        },
        Failure::Refused(status) => refused(&status, doing),
    }
}

fn refused(status: &Status, doing: Doing<'_>) -> Refusal {
    let text = status.message.as_str();
    let cluster = doing.cluster;
    if let Some(rejected) = admission(text, doing) {
        return rejected;
    }
    match status.code {
        401 => Refusal::Unavailable {
            message: format!("the cluster {cluster} does not accept the console's credentials"),
            maybe_done: false,
        },
        403 => forbidden(text, doing),
        404 => not_found(status, doing),
        409 => conflict(status, doing),
        400 | 422 => invalid(status, doing),
        413 => reject(
            vec![],
            "the manifest is larger than the cluster takes; shorten it",
        ),
        429 => Refusal::Unavailable {
            message: format!("the cluster {cluster} has too much to do just now"),
            maybe_done: false,
        },
        500 if text.contains("failed to create typed patch object")
            || text.contains("not declared in schema") =>
        {
            schema(text)
        }
        500 if text.contains("failed calling webhook") => Refusal::Unavailable {
            message: format!(
                "a webhook that checks manifests in the cluster {cluster} does not answer (is KServe's controller running?)"
            ),
            maybe_done: false,
        },
        // The request may have got through before the failure.
        500..=599 => Refusal::Unavailable {
            message: format!(
                "the cluster {cluster} is failing just now (HTTP {})",
                status.code
            ),
            maybe_done: doing.effect,
        },
        code => Refusal::Unavailable {
            message: format!(
                "the cluster {cluster} answered in a way that the console does not know (HTTP {code})"
            ),
            maybe_done: doing.effect,
        },
    }
}

fn reject(findings: Vec<Finding>, message: impl Into<String>) -> Refusal {
    Refusal::Rejected {
        findings,
        message: message.into(),
    }
}

fn finding(
    rule: &str,
    field: impl Into<String>,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        field: field.into(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

/// What a webhook or an admission policy says; both may come with 400, 403, 422 or 500.
fn admission(text: &str, doing: Doing<'_>) -> Option<Refusal> {
    if let Some(rest) = text.split_once("admission webhook \"").map(|(_, r)| r) {
        let (name, rest) = rest.split_once('"')?;
        let said = rest
            .split_once("denied the request: ")
            .map_or(rest, |(_, s)| s);
        let found = rules::known(said, doing.object).unwrap_or_else(|| {
            finding(
                "webhook",
                "",
                format!("the check `{name}` says: {}", quote(said)),
                "Change what it names, or ask the cluster's administrators.",
            )
        });
        let message = format!(
            "the cluster {} does not accept this manifest: {}",
            doing.cluster, found.message
        );
        return Some(reject(vec![found], message));
    }
    if let Some(rest) = text
        .split_once("ValidatingAdmissionPolicy '")
        .map(|(_, r)| r)
    {
        let (name, rest) = rest.split_once('\'')?;
        let said = rest.split_once("denied request: ").map_or(rest, |(_, s)| s);
        let found = finding(
            "admission-policy",
            "",
            format!("the policy `{name}` of the cluster says: {}", quote(said)),
            "Change what it names, or ask the cluster's administrators.",
        );
        let message = format!(
            "a policy of the cluster {} does not allow this",
            doing.cluster
        );
        return Some(reject(vec![found], message));
    }
    None
}

/// Text of the cluster for people: one paragraph, bounded, without control characters.
fn quote(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(600)
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn forbidden(text: &str, doing: Doing<'_>) -> Refusal {
    let cluster = doing.cluster;
    if let Some(at) = text.find("exceeded quota: ") {
        return quota(&text[at + "exceeded quota: ".len()..]);
    }
    if text.contains("cannot impersonate") {
        return Refusal::Forbidden {
            message: format!(
                "the console may not act for people in the cluster {cluster}: its role lacks the verb `impersonate`. Its administrators can see this on the page Clusters"
            ),
        };
    }
    if text.contains("is being terminated") || text.contains("being terminated") {
        return reject(
            vec![finding(
                "namespace-terminating",
                "metadata.namespace",
                "the namespace is being deleted",
                "Choose another namespace.",
            )],
            "the namespace is being deleted",
        );
    }
    if text.contains(" cannot ") {
        let verb = text
            .split_once(" cannot ")
            .and_then(|(_, r)| r.split(' ').next())
            .unwrap_or("change");
        let namespace = text
            .split_once("in the namespace \"")
            .and_then(|(_, r)| r.split('"').next());
        let place = namespace
            .map(|n| format!(" in the namespace {}", quote(n)))
            .unwrap_or_default();
        return Refusal::Forbidden {
            message: format!(
                "you have no right to {} this kind of object{place} of the cluster {cluster}",
                verb_words(verb)
            ),
        };
    }
    Refusal::Forbidden {
        message: format!("the cluster {cluster} does not allow this"),
    }
}

fn verb_words(verb: &str) -> &'static str {
    match verb {
        "create" => "create",
        "patch" | "update" => "change",
        "delete" => "delete",
        "get" | "list" | "watch" => "read",
        _ => "do this with",
    }
}

/// `team, requested: requests.nvidia.com/gpu=4, used: …=6, limited: …=8`
fn quota(text: &str) -> Refusal {
    let name = text.split(',').next().unwrap_or_default();
    let part = |key: &str| {
        text.split_once(key).map(|(_, r)| {
            r.split(", used:")
                .next()
                .unwrap_or(r)
                .split(", limited:")
                .next()
                .unwrap_or(r)
                .trim()
                .to_owned()
        })
    };
    let (asked, used, limit) = (part("requested: "), part("used: "), part("limited: "));
    let words = match (asked, used, limit) {
        (Some(a), Some(u), Some(l)) => format!(
            "the quota `{}` of the namespace is exceeded: asked for {}, in use {}, limit {}",
            quote(name),
            quote(&a),
            quote(&u),
            quote(&l)
        ),
        _ => format!("the quota `{}` of the namespace is exceeded", quote(name)),
    };
    reject(
        vec![finding(
            "quota",
            "spec.predictor",
            words.clone(),
            "Ask for less, free something in this namespace, or have the quota raised.",
        )],
        words,
    )
}

fn not_found(status: &Status, doing: Doing<'_>) -> Refusal {
    let cluster = doing.cluster;
    let kind = status
        .details
        .as_ref()
        .map(|d| d.kind.as_str())
        .unwrap_or_default();
    if kind == "namespaces" || status.message.starts_with("namespaces \"") {
        return reject(
            vec![finding(
                "namespace-gone",
                "metadata.namespace",
                "this namespace is not there (any more)",
                "Choose another namespace.",
            )],
            "the namespace is not there (any more)",
        );
    }
    if status
        .message
        .contains("could not find the requested resource")
        || status.details.is_none()
        || status.message.contains("page not found")
    {
        return reject(
            vec![finding(
                "kind-unknown",
                "kind",
                format!("the cluster {cluster} does not know this kind of object"),
                "Have KServe installed there, or choose another cluster.",
            )],
            format!("KServe is not installed in the cluster {cluster}"),
        );
    }
    Refusal::Precondition {
        message: "the object is not there any more".into(),
    }
}

fn conflict(status: &Status, doing: Doing<'_>) -> Refusal {
    let causes = status
        .details
        .as_ref()
        .map(|d| d.causes.as_slice())
        .unwrap_or_default();
    let managers: Vec<(String, String)> = causes
        .iter()
        .filter(|c| c.reason == "FieldManagerConflict")
        .map(|c| (manager(&c.message), field(&c.field)))
        .collect();
    if !managers.is_empty() {
        let list = managers
            .iter()
            .take(5)
            .map(|(m, f)| format!("`{f}` ({m})"))
            .collect::<Vec<_>>()
            .join(", ");
        let more = if managers.len() > 5 {
            format!(" and {} more", managers.len() - 5)
        } else {
            String::new()
        };
        return Refusal::Conflict {
            managers,
            message: format!(
                "somebody else manages fields that this would change: {list}{more}. The console never takes fields away from others"
            ),
        };
    }
    let text = &status.message;
    if text.contains("ResourceVersion in precondition") {
        return changed(doing);
    }
    // Said of deletions and of applies in different words; each names the UID.
    if text.contains("Precondition failed")
        || text.contains("uid mismatch")
        || text.contains("UID in ")
    {
        return another();
    }
    if status.reason == "AlreadyExists" {
        return Refusal::Precondition {
            message: "there is an object of this name now".into(),
        };
    }
    if text.contains("being terminated") {
        return reject(
            vec![finding(
                "namespace-terminating",
                "metadata.namespace",
                "the namespace is being deleted",
                "Choose another namespace.",
            )],
            "the namespace is being deleted",
        );
    }
    changed(doing)
}

fn changed(doing: Doing<'_>) -> Refusal {
    Refusal::Changed {
        message: format!(
            "somebody changed the object in the cluster {} at the same moment",
            doing.cluster
        ),
    }
}

fn another() -> Refusal {
    Refusal::Precondition {
        message: "it is not the object that was decided on: it was deleted or made anew in between"
            .into(),
    }
}

/// `conflict with "kubectl-edit" using serving.kserve.io/v1beta1` → `kubectl-edit`
fn manager(text: &str) -> String {
    text.split_once('"')
        .and_then(|(_, r)| r.split_once('"'))
        .map_or_else(|| quote(text), |(m, _)| quote(m))
}

/// `.spec.predictor.env[name="A"]` → `spec.predictor.env[name="A"]`
fn field(path: &str) -> String {
    let path = quote(path.trim_start_matches('.'));
    if path == "<nil>" { String::new() } else { path }
}

fn invalid(status: &Status, doing: Doing<'_>) -> Refusal {
    let text = status.message.as_str();
    if text.contains("not declared in schema")
        || text.contains("failed to create typed patch object")
    {
        return schema(text);
    }
    let causes = status
        .details
        .as_ref()
        .map(|d| d.causes.as_slice())
        .unwrap_or_default();
    // An apply with the UID that was decided on, over an object with another one.
    if causes.iter().any(|c| c.field == "metadata.uid") {
        return another();
    }
    let mut findings: Vec<Finding> = causes
        .iter()
        .take(50)
        .map(|c| cause(c, doing.object))
        .collect();
    if findings.is_empty() {
        findings.extend(strict(text));
    }
    if findings.is_empty() {
        findings.push(rules::known(text, doing.object).unwrap_or_else(|| {
            finding(
                "api-server",
                "",
                format!("the API server says: {}", quote(text)),
                "Change what it names.",
            )
        }));
    }
    let message = format!(
        "the cluster {} does not accept this manifest: {}",
        doing.cluster, findings[0].message
    );
    reject(findings, message)
}

/// One cause of a 422: the API server's reasons are few and have words of ours.
fn cause(c: &StatusCause, object: &Value) -> Finding {
    let at = field(&c.field);
    if let Some(mut known) = rules::known(&c.message, object) {
        if !at.is_empty() {
            known.field = at;
        }
        return known;
    }
    let said = quote(&c.message);
    let (message, remedy) = match c.reason.as_str() {
        "FieldValueRequired" => ("this field is needed".to_owned(), "Fill it in.".to_owned()),
        "FieldValueNotSupported" => {
            let allowed = said.split_once("supported values: ").map(|(_, v)| format!("Use one of {}.", v.trim_end_matches('.')));
            ("this value is not among those that are allowed".to_owned(), allowed.unwrap_or_else(|| "Choose another value.".to_owned()))
        }
        "FieldValueTypeInvalid" => (format!("the value is of the wrong type: {said}"), "Write it as the type that is asked for.".to_owned()),
        "FieldValueDuplicate" => ("this value is there twice".to_owned(), "Remove one of them.".to_owned()),
        "FieldValueTooLong" | "FieldValueTooMany" => (format!("there is too much here: {said}"), "Shorten it.".to_owned()),
        "FieldValueForbidden" => (format!("this cannot be set here: {said}"), "Remove it.".to_owned()),
        _ if said.contains(" in body should ") => (
            format!(
                "the value should {}",
                said.rsplit(" in body should ").next().unwrap_or_default()
            ),
            "Correct it.".to_owned(),
        ),
        _ if said.contains("RFC 1123") => (
            "a name consists of lower-case letters, digits and `-`, and begins and ends with a letter or digit".to_owned(),
            "Choose such a name, for example `my-model-2`.".to_owned(),
        ),
        _ => (format!("the value is not valid: {said}"), "Correct it.".to_owned()),
    };
    finding("api-server", at, message, remedy)
}

/// `strict decoding error: unknown field "spec.foo", unknown field "spec.bar"`
fn strict(text: &str) -> Vec<Finding> {
    let unknown = text
        .match_indices("unknown field \"")
        .filter_map(|(at, m)| text[at + m.len()..].split('"').next())
        .map(unknown_field);
    let twice = text
        .match_indices("duplicate field \"")
        .filter_map(|(at, m)| text[at + m.len()..].split('"').next())
        .map(|f| {
            finding(
                "duplicate-field",
                field(f),
                "this field is there twice",
                "Remove one of them.",
            )
        });
    unknown.chain(twice).take(50).collect()
}

fn unknown_field(path: &str) -> Finding {
    finding(
        "unknown-field",
        field(path),
        "the InferenceService of this cluster has no such field",
        "Remove it, check its spelling, or use a cluster with a newer KServe.",
    )
}

/// `failed to create typed patch object (ns/n; …): .spec.predictor.foo: field not declared in schema`,
/// or several lines after `errors:`.
fn schema(text: &str) -> Refusal {
    let body = text.split_once("): ").map_or(text, |(_, r)| r);
    let mut findings: Vec<Finding> = body
        .lines()
        .filter_map(|l| l.trim().strip_suffix(": field not declared in schema"))
        .take(50)
        .map(unknown_field)
        .collect();
    if findings.is_empty() {
        findings = body
            .lines()
            .filter_map(|l| l.trim().split_once(": "))
            .filter(|(path, _)| path.starts_with('.'))
            .take(50)
            .map(|(path, what)| {
                finding(
                    "schema",
                    field(path),
                    format!("the value does not fit: {}", quote(what)),
                    "Write it as the type that is asked for.",
                )
            })
            .collect();
    }
    if findings.is_empty() {
        findings.push(finding(
            "schema",
            "",
            format!("the API server says: {}", quote(body)),
            "Change what it names.",
        ));
    }
    let message = findings[0].field.clone();
    reject(
        findings,
        if message.is_empty() {
            "the manifest does not fit the cluster's schema".to_owned()
        } else {
            format!("the manifest does not fit the cluster's schema at `{message}`")
        },
    )
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
