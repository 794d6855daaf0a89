//! What the manifest is: kind, predictor, annotations, deployment mode.

use super::{Checked, Rule, Said, annotation, said};
use crate::{
    content::{TOP_LEVEL, unknown_at_top},
    finding::Severity::{Error, Info, Warning},
    isvc::{DEPLOYMENT_MODE, Mode, STOP, View},
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "not-an-inference-service",
        severity: Error,
        check: kind,
    },
    Rule {
        name: "top-level-unknown",
        severity: Error,
        check: top_level_unknown,
    },
    Rule {
        name: "predictor-missing",
        severity: Error,
        check: predictor_missing,
    },
    Rule {
        name: "predictor-twice",
        severity: Error,
        check: predictor_twice,
    },
    Rule {
        name: "predictor-older-form",
        severity: Warning,
        check: predictor_older_form,
    },
    Rule {
        name: "model-name",
        severity: Error,
        check: model_name,
    },
    Rule {
        name: "annotation-not-text",
        severity: Error,
        check: annotation_not_text,
    },
    Rule {
        name: "mode-unknown",
        severity: Error,
        check: mode_unknown,
    },
    Rule {
        name: "mode-deprecated",
        severity: Warning,
        check: mode_deprecated,
    },
    Rule {
        name: "mode-not-written",
        severity: Warning,
        check: mode_not_written,
    },
    Rule {
        name: "mode-changed",
        severity: Error,
        check: mode_changed,
    },
    Rule {
        name: "stop-not-true",
        severity: Warning,
        check: stop_not_true,
    },
    Rule {
        name: "created-stopped",
        severity: Info,
        check: created_stopped,
    },
    Rule {
        name: "annotation-misspelt",
        severity: Warning,
        check: misspelt,
    },
    Rule {
        name: "visibility",
        severity: Warning,
        check: visibility,
    },
];

fn kind(c: &Checked<'_>, out: &mut Out) {
    let (api, kind) = (c.view.api_version(), c.view.kind());
    if api != "serving.kserve.io/v1beta1" || kind != "InferenceService" {
        out.push(said(
            if kind == "InferenceService" {
                "apiVersion"
            } else {
                "kind"
            },
            format!("This is `{kind}` of `{api}`."),
            "Write `apiVersion: serving.kserve.io/v1beta1` and `kind: InferenceService`.",
        ));
    }
}

/// The parts of a service, which stand under `spec`.
const OF_SPEC: [&str; 4] = ["predictor", "transformer", "explainer", "canary"];

/// Kubernetes refuses such a key or drops it, by version: here it is named and nothing is dropped.
fn top_level_unknown(c: &Checked<'_>, out: &mut Out) {
    for (key, _) in unknown_at_top(c.view.value()) {
        let shown: String = key.chars().take(60).collect();
        // Nobody writes a status.
        let meant = near(key, &TOP_LEVEL[..4]);
        let (question, remedy) = match meant {
            _ if OF_SPEC.contains(&key.as_str()) => {
                (String::new(), "Put it under `spec`.".to_owned())
            }
            Some(meant) if c.view.value().get(meant).is_none() => (
                format!(" Did you mean `{meant}`?"),
                format!("Write `{meant}`, or remove the key."),
            ),
            Some(meant) => (
                format!(" Did you mean `{meant}`, which is there as well?"),
                format!("Put what it holds under `{meant}`, or remove it."),
            ),
            None => (
                String::new(),
                "Remove it, or put it under `spec` where it belongs to what is served.".to_owned(),
            ),
        };
        out.push(said(
            shown.clone(),
            format!(
                "An InferenceService has no key `{shown}` at its top: nothing would come of it.{question}"
            ),
            remedy,
        ));
    }
}

fn predictor_missing(c: &Checked<'_>, out: &mut Out) {
    if !c.view.model().is_object() && c.view.image().is_none() && c.view.older_framework().is_none()
    {
        out.push(said("spec.predictor", "The predictor serves nothing: it has neither a model nor a container with an image. (KServe's webhook answers this with an internal error.)", "Write `spec.predictor.model` with a format and a `storageUri`, or `spec.predictor.containers`."));
    }
}

fn predictor_twice(c: &Checked<'_>, out: &mut Out) {
    if let Some(old) = c
        .view
        .older_framework()
        .filter(|_| c.view.model().is_object())
    {
        out.push(said(
            format!("spec.predictor.{old}"),
            format!("The predictor has a `model` and a `{old}`; KServe takes exactly one."),
            "Keep `model`.",
        ));
    }
}

fn predictor_older_form(c: &Checked<'_>, out: &mut Out) {
    if let Some(old) = c
        .view
        .older_framework()
        .filter(|_| !c.view.model().is_object())
    {
        out.push(said(
            format!("spec.predictor.{old}"),
            format!("`predictor.{old}` is the older form; the console cannot check its runtime."),
            format!("Write `predictor.model` with `modelFormat: {{name: {old}}}`."),
        ));
    }
}

fn model_name(c: &Checked<'_>, out: &mut Out) {
    if c.view.model()["name"]
        .as_str()
        .is_some_and(|n| !n.is_empty())
    {
        out.push(said("spec.predictor.model.name", "KServe refuses a name in `predictor.model`: the container's name is its own.", "Remove `name`; to name the served model, use the server's argument, such as `--served-model-name=…`."));
    }
}

fn annotation_not_text(c: &Checked<'_>, out: &mut Out) {
    for map in ["annotations", "labels"] {
        for (k, v) in c
            .view
            .at(&format!("/metadata/{map}"))
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, v)| !v.is_string())
        {
            out.push(said(
                format!("metadata.{map}.{k}"),
                format!(
                    "The value is {}, and Kubernetes takes text only.",
                    crate::isvc::kind_of(v)
                ),
                format!("Put it in quotes: `{k}: \"{v}\"`."),
            ));
        }
    }
}

fn mode_unknown(c: &Checked<'_>, out: &mut Out) {
    let Some(written) = c.view.mode_written() else {
        return;
    };
    let facts = c.target.facts;
    match Mode::parse(written) {
        None => out.push(said(
            annotation(DEPLOYMENT_MODE),
            format!("`{written}` is no deployment mode. KServe would accept it and quietly use its default."),
            format!("Write `{}` or `{}`.", Mode::Standard.name_in(facts), Mode::Knative.name_in(facts)),
        )),
        // `Standard` and `Knative` are names since 0.16.
        Some(mode) if facts.older_mode_names && written != mode.older_name() => out.push(said(
            annotation(DEPLOYMENT_MODE),
            format!("The KServe of this cluster does not know the name `{written}` yet. It would accept it and quietly use its default."),
            format!("Write `{}`.", mode.older_name()),
        )),
        Some(_) => {}
    }
}

fn mode_deprecated(c: &Checked<'_>, out: &mut Out) {
    let Some(written) = c.view.mode_written() else {
        return;
    };
    if c.target.facts.older_mode_names {
        return;
    }
    if let Some(mode) = Mode::parse(written).filter(|m| m.name() != written) {
        out.push(said(
            annotation(DEPLOYMENT_MODE),
            format!("`{written}` is the deprecated name; KServe's webhook rewrites it."),
            format!("Write `{}`.", mode.name()),
        ));
    }
}

fn mode_not_written(c: &Checked<'_>, out: &mut Out) {
    if c.view.mode_written().is_none() {
        let now = match (c.mode, &c.target.facts.default_mode) {
            (Some(m), _) => format!("now that would be {}", m.name()),
            (None, _) => "which is not known here".to_owned(),
        };
        out.push(said(annotation(DEPLOYMENT_MODE), format!("No deployment mode is written, so the cluster's default decides ({now}), and it may change under the service."), format!("Write the annotation `{DEPLOYMENT_MODE}: {}`.", Mode::Standard.name_in(c.target.facts))));
    }
}

fn mode_changed(c: &Checked<'_>, out: &mut Out) {
    let Some(live) = c.target.live else { return };
    let before = View::new(live).mode(None);
    if let (Some(before), Some(after)) = (before, c.mode)
        && before != after
    {
        out.push(said(
            annotation(DEPLOYMENT_MODE),
            format!(
                "It runs in {} mode; KServe does not move a service to {} mode.",
                before.name(),
                after.name()
            ),
            "Keep the mode, or delete the service and deploy it anew.",
        ));
    }
}

fn stop_not_true(c: &Checked<'_>, out: &mut Out) {
    if let Some(v) = c
        .view
        .annotation(STOP)
        .filter(|v| !matches!(*v, "true" | "false"))
    {
        out.push(said(
            annotation(STOP),
            format!("`{v}` stops nothing: KServe looks for `true`."),
            "Write `\"true\"`, or remove the annotation.",
        ));
    }
}

fn created_stopped(c: &Checked<'_>, out: &mut Out) {
    if c.view.stop_wished() && c.target.live.is_none() {
        out.push(said(
            annotation(STOP),
            "It would be created stopped: no pod starts.",
            "Remove the annotation, if it is to serve.",
        ));
    }
}

/// Annotations that KServe reads; of others only those are noticed that look like one of these.
const KNOWN: [&str; 12] = [
    DEPLOYMENT_MODE,
    STOP,
    crate::isvc::AUTOSCALER_CLASS,
    "serving.kserve.io/enable-prometheus-scraping",
    "serving.kserve.io/enable-metric-aggregation",
    "serving.kserve.io/enable-tag-routing",
    "serving.kserve.io/gpu-resource-types",
    "serving.kserve.io/metrics",
    "serving.kserve.io/targetUtilizationPercentage",
    VISIBILITY,
    "prometheus.kserve.io/port",
    "prometheus.kserve.io/path",
];
const VISIBILITY: &str = "networking.kserve.io/visibility";

/// How many letters have to be changed, added or removed to make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

/// The known name that was probably meant, apart from case, `-` and `_`.
fn near<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    if written.len() > 100 {
        return None;
    }
    let plain = |k: &str| k.to_ascii_lowercase().replace(['-', '_'], "");
    let from = plain(written);
    known
        .iter()
        .copied()
        .find(|k| distance(&from, &plain(k)) <= 2)
}

fn misspelt(c: &Checked<'_>, out: &mut Out) {
    for key in c
        .view
        .at("/metadata/annotations")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, _)| k)
    {
        if KNOWN.contains(&key.as_str()) || !key.contains("kserve") {
            continue;
        }
        if let Some(near) = near(key, &KNOWN) {
            out.push(said(
                annotation(key),
                format!("KServe does not know `{key}` and ignores it; did you mean `{near}`?"),
                format!("Write `{near}`."),
            ));
        }
    }
}

fn visibility(c: &Checked<'_>, out: &mut Out) {
    for map in ["annotations", "labels"] {
        if let Some(v) = c.view.at(&format!("/metadata/{map}"))[VISIBILITY]
            .as_str()
            .filter(|v| *v != "cluster-local")
        {
            out.push(said(
                format!("metadata.{map}.{VISIBILITY}"),
                format!("`{v}` hides nothing: the service would be reachable from outside."),
                "Write `cluster-local`, or remove it.",
            ));
        }
    }
}
