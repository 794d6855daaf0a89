//! The predictor's pod: its containers and volumes.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::{Error, Warning},
    isvc::MAIN_CONTAINER,
};
use serde_json::Value;

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "container-name",
        severity: Warning,
        check: container_name,
    },
    Rule {
        name: "volume-missing",
        severity: Error,
        check: volume_missing,
    },
    Rule {
        name: "privileged",
        severity: Warning,
        check: privileged,
    },
];

fn containers<'a>(c: &Checked<'a>) -> impl Iterator<Item = (usize, &'a Value)> {
    c.view.predictor()["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
}

fn container_name(c: &Checked<'_>, out: &mut Out) {
    let all: Vec<_> = containers(c).collect();
    if !c.view.model().is_object()
        && all.len() > 1
        && !all.iter().any(|(_, x)| x["name"] == MAIN_CONTAINER)
    {
        out.push(said("spec.predictor.containers[0].name", format!("Of several containers KServe takes the one called `{MAIN_CONTAINER}` for the server; here none is."), format!("Call the server's container `{MAIN_CONTAINER}`.")));
    }
}

/// The webhooks do not look; the Deployment is refused then, and nothing starts.
fn volume_missing(c: &Checked<'_>, out: &mut Out) {
    let runtime = c.runtime.runtime();
    if c.view.model().is_object() && runtime.is_none() {
        return;
    }
    let names = |v: &Value| -> Vec<String> {
        v["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|x| x["name"].as_str().map(str::to_owned))
            .collect()
    };
    let mut there = names(c.view.predictor());
    there.extend(runtime.map(|r| names(&r.spec)).unwrap_or_default());
    let model = c.view.model();
    let all = containers(c).map(|(i, x)| (format!("spec.predictor.containers[{i}]"), x));
    for (path, x) in all.chain(
        model
            .is_object()
            .then(|| ("spec.predictor.model".to_owned(), model)),
    ) {
        for (i, mount) in x["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Some(name) = mount["name"]
                .as_str()
                .filter(|n| !there.iter().any(|t| t == n))
            {
                out.push(said(format!("{path}.volumeMounts[{i}].name"), format!("There is no volume `{name}`: the Deployment would be refused, and nothing would start."), "Define it under `spec.predictor.volumes`, or remove the mount."));
            }
        }
    }
}

fn privileged(c: &Checked<'_>, out: &mut Out) {
    let model = c.view.model();
    let all = containers(c).map(|(i, x)| (format!("spec.predictor.containers[{i}]"), x));
    for (path, x) in all.chain(
        model
            .is_object()
            .then(|| ("spec.predictor.model".to_owned(), model)),
    ) {
        for field in ["privileged", "allowPrivilegeEscalation"] {
            if x["securityContext"][field] == true {
                out.push(said(
                    format!("{path}.securityContext.{field}"),
                    "The container could take over its node.",
                    "Remove it; a model server needs no such right.",
                ));
            }
        }
        if x["securityContext"]["runAsUser"] == 0 {
            out.push(said(
                format!("{path}.securityContext.runAsUser"),
                "The container would run as root.",
                "Run it as another user, if the image allows it.",
            ));
        }
    }
    let p = c.view.predictor();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if p[field] == true {
            out.push(said(
                format!("spec.predictor.{field}"),
                "The pod would share this with its node.",
                "Remove it.",
            ));
        }
    }
    for (i, v) in p["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, v)| !v["hostPath"].is_null())
    {
        let path = v["hostPath"]["path"].as_str().unwrap_or_default();
        out.push(said(
            format!("spec.predictor.volumes[{i}].hostPath"),
            format!("The pod would read the node's own files under `{path}`."),
            "Use a volume claim or an image.",
        ));
    }
}
