//! What the rules look at.

use crate::{
    artifact::ArtifactKind,
    isvc::{Mode, Placement, View},
    observed::{ClusterFacts, LimitRange, Node, Quota, Runtime},
    pods::Pods,
    references::Referred,
    runtime::{self, Resolved},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of the place where the manifest shall go.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub facts: &'a ClusterFacts,
    /// The cluster's runtimes and the namespace's own; empty: unknown.
    pub runtimes: &'a [Runtime],
    /// Empty: unknown.
    pub nodes: &'a [Node],
    /// Of the namespace.
    pub quotas: &'a [Quota],
    /// Of the namespace.
    pub limit_ranges: &'a [LimitRange],
    /// The object that is there now, where there is one.
    pub live: Option<&'a Value>,
    /// The pods of it that there are.
    pub running: &'a [Pods],
    /// Names of the namespace's secrets, where the person may list them.
    pub secrets: Option<&'a [String]>,
    /// What was looked for in the namespace and is not there.
    pub absent: &'a [(Referred, String)],
    /// What the source is, where the catalogue knows it.
    pub artifact: Option<ArtifactKind>,
}

/// A manifest beside its target, with what several rules need worked out once.
pub struct Checked<'a> {
    pub view: View<'a>,
    pub target: &'a Target<'a>,
    pub mode: Option<Mode>,
    pub runtime: Resolved<'a>,
    /// Where the pod may go, with the runtime's own wishes merged in.
    pub placement: Placement,
    /// Per pod, with the runtime's own amounts merged in and those of limit ranges filled in.
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
    /// Path of the container that carries arguments, environment and resources.
    pub container_path: String,
    pub container: &'a Value,
}

impl<'a> Checked<'a> {
    pub fn new(manifest: &'a Value, target: &'a Target<'a>) -> Self {
        static NULL: Value = Value::Null;
        let view = View::new(manifest);
        let resolved = runtime::resolve(manifest, target.runtimes);
        let (container_path, container) = view
            .container()
            .unwrap_or_else(|| ("spec.predictor.model".to_owned(), &NULL));
        Self {
            mode: view.mode(target.facts.default_mode.as_deref()),
            placement: view.placement_with(resolved.runtime()),
            requests: view.requests_with(resolved.runtime(), target.limit_ranges),
            limits: view.limits_with(resolved.runtime(), target.limit_ranges),
            runtime: resolved,
            container_path,
            container,
            view,
            target,
        }
    }

    pub fn standard(&self) -> bool {
        self.mode == Some(Mode::Standard)
    }

    /// Pods that start at once: `minReplicas`, at least one in Standard mode.
    pub fn replicas(&self) -> u32 {
        u32::try_from(self.view.replicas_wished(self.mode)).unwrap_or(0)
    }

    /// Kubernetes' minor version: 34 of `v1.34.4`.
    pub fn kubernetes_minor(&self) -> Option<u32> {
        let text = self.target.facts.kubernetes_version.trim_start_matches('v');
        let mut parts = text.split(['.', '+', '-']);
        let major: u32 = parts.next()?.parse().ok()?;
        let minor: u32 = parts.next()?.parse().ok()?;
        Some(if major > 1 { u32::MAX } else { minor })
    }
}
