//! What a service and its runtimes refer to by name in its namespace, and what would not start without
//! it: volume claims, service accounts, Secrets.

use crate::{
    isvc::{EnvSource, View, env_source},
    observed::Runtime,
    runtime::{all_of, resolve},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of object that a pod needs before it can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Referred {
    VolumeClaim,
    ServiceAccount,
}

impl Referred {
    /// Its name in the API: `persistentvolumeclaims`.
    pub fn resource(self) -> &'static str {
        match self {
            Self::VolumeClaim => "persistentvolumeclaims",
            Self::ServiceAccount => "serviceaccounts",
        }
    }
}

/// A name in a manifest or its runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub kind: Referred,
    pub name: String,
    /// Where it stands; of what a runtime names, the field that chooses the runtime.
    pub field: String,
}

/// Every part of the service that has pods of its own, with its path.
fn parts<'a>(view: &View<'a>) -> Vec<(String, &'a Value)> {
    let mut out = Vec::new();
    for part in ["predictor", "transformer", "explainer"] {
        out.push((format!("spec.{part}"), view.at(&format!("/spec/{part}"))));
    }
    out.push((
        "spec.predictor.workerSpec".into(),
        view.at("/spec/predictor/workerSpec"),
    ));
    for (i, canary) in view.canaries().iter().enumerate() {
        out.push((format!("spec.canary[{i}].predictor"), canary.predictor));
    }
    out
}

fn claims_of_volumes(spec: &Value) -> impl Iterator<Item = (usize, &str)> {
    let volumes = spec["volumes"].as_array().into_iter().flatten().enumerate();
    volumes.filter_map(|(i, v)| Some((i, v.pointer("/persistentVolumeClaim/claimName")?.as_str()?)))
}

/// A name as it stands; one that KServe fills in from the service (`{{.Name}}`) is not known here.
fn plain(name: &str) -> bool {
    !name.is_empty() && !name.contains("{{")
}

/// The volume claims and service accounts that the service and its runtimes name.
pub fn named(manifest: &Value, runtimes: &[Runtime]) -> Vec<Reference> {
    let view = View::new(manifest);
    let mut out = Vec::new();
    let mut add = |kind, name: &str, field: String| {
        if plain(name) {
            out.push(Reference {
                kind,
                name: name.to_owned(),
                field,
            });
        }
    };
    for (field, uri) in view.storage_uris() {
        if let Some(rest) = uri.strip_prefix("pvc://") {
            let claim = rest.split('/').next().unwrap_or(rest);
            add(Referred::VolumeClaim, claim, field);
        }
    }
    for (path, part) in parts(&view) {
        for (i, claim) in claims_of_volumes(part) {
            let field = format!("{path}.volumes[{i}].persistentVolumeClaim.claimName");
            add(Referred::VolumeClaim, claim, field);
        }
        if let Some(account) = part["serviceAccountName"].as_str() {
            let field = format!("{path}.serviceAccountName");
            add(Referred::ServiceAccount, account, field);
        }
    }
    let mut of_runtime = |runtime: Option<&Runtime>, path: &str| {
        for (_, claim) in runtime.into_iter().flat_map(|r| claims_of_volumes(&r.spec)) {
            add(
                Referred::VolumeClaim,
                claim,
                format!("{path}.model.runtime"),
            );
        }
    };
    of_runtime(resolve(manifest, runtimes).runtime(), "spec.predictor");
    for (i, canary) in view.canaries().iter().enumerate() {
        let alone = view.with_predictor_of(canary);
        of_runtime(
            resolve(&alone, runtimes).runtime(),
            &format!("spec.canary[{i}].predictor"),
        );
    }
    out
}

/// The Secrets without which a container of the runtime would not start, but for variables that the
/// predictor sets itself. (A pull secret that is not there keeps no pod from starting.)
pub fn secrets_of_runtime<'a>(predictor: &Value, runtime: &'a Runtime) -> Vec<&'a str> {
    fn list<'v>(v: &'v Value, key: &str) -> &'v [Value] {
        v[key].as_array().map_or(&[], Vec::as_slice)
    }
    let own = &predictor["model"];
    let overridden = |e: &Value| list(own, "env").iter().any(|o| o["name"] == e["name"]);
    let mut out = Vec::new();
    for container in list(&runtime.spec, "containers") {
        for e in list(container, "env").iter().filter(|e| !overridden(e)) {
            let optional = e.pointer("/valueFrom/secretKeyRef/optional");
            if let EnvSource::Secret { name, .. } = env_source(e)
                && optional != Some(&Value::Bool(true))
            {
                out.push(name);
            }
        }
        for from in list(container, "envFrom") {
            if let Some(name) = from["secretRef"]["name"].as_str()
                && from["secretRef"]["optional"] != true
            {
                out.push(name);
            }
        }
    }
    for volume in list(&runtime.spec, "volumes") {
        if let Some(name) = volume["secret"]["secretName"].as_str()
            && volume["secret"]["optional"] != true
        {
            out.push(name);
        }
    }
    out.retain(|name| plain(name));
    out.sort_unstable();
    out.dedup();
    out
}

/// Does the service, one of its canaries or a runtime of theirs name a Secret at all?
pub fn any_secret(manifest: &Value, runtimes: &[Runtime]) -> bool {
    let view = View::new(manifest);
    let of_canary = |canary: &_| {
        !View::new(&view.with_predictor_of(canary))
            .secrets()
            .is_empty()
    };
    !view.secrets().is_empty()
        || view.canaries().iter().any(of_canary)
        || all_of(manifest, runtimes)
            .iter()
            .any(|r| !secrets_of_runtime(&Value::Null, r).is_empty())
}
