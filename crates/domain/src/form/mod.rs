//! What the wizard's form knows of an InferenceService. The manifest is the truth: the form reads
//! the fields it knows from it and writes only those back, so that everything else survives.

mod apply;
pub mod check;
mod field;
mod read;

pub use field::{field_for, value_at};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A model's files: `predictor.model.storageUri`, served by a runtime.
    Storage { uri: String },
    /// An image that serves by itself: `predictor.containers`.
    Image {
        image: String,
        /// The port it listens on; absent: KServe's default, 8080.
        port: Option<u16>,
    },
}

impl Default for Source {
    fn default() -> Self {
        Self::Storage { uri: String::new() }
    }
}

/// An environment variable: a plain value, or a reference to a secret. Never a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Env {
    pub name: String,
    #[serde(flatten)]
    pub source: EnvFrom,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum EnvFrom {
    Value { value: String },
    Secret { secret: String, key: String },
}

/// The form. Empty text means "not written".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    pub name: String,
    /// The cluster's name in the configuration: where to, and not part of the manifest.
    pub cluster: String,
    pub namespace: String,
    pub format: String,
    pub format_version: String,
    /// Empty: KServe chooses.
    pub runtime: String,
    pub source: Source,
    /// What is served is written in a field that the form does not have (`predictor.model.storage`,
    /// `storageUris`, an older framework's field, an argument of the server). Read, never written.
    pub source_elsewhere: bool,
    pub args: Vec<String>,
    pub env: Vec<Env>,
    pub pull_secrets: Vec<String>,
    pub min_replicas: Option<i64>,
    pub max_replicas: Option<i64>,
    /// `nvidia.com/gpu` unless another is asked for; means nothing while `gpus` is 0.
    pub gpu_resource: String,
    pub gpus: u32,
    pub cpu: String,
    pub memory: String,
    pub cpu_limit: String,
    pub memory_limit: String,
    /// Tolerate the taint that keeps other pods off nodes with GPUs.
    pub tolerate_gpu_taint: bool,
    /// `nvidia.com/gpu.product` in the node selector.
    pub gpu_product: String,
    /// As written: `Standard` or `Knative`, before KServe 0.16 `RawDeployment` or `Serverless`.
    pub deployment_mode: String,
    pub protocol: String,
    /// Seconds that a request may take.
    pub timeout: Option<i64>,
    pub stop: bool,
}

/// The label by which GPU feature discovery names a node's GPUs.
pub const GPU_PRODUCT: &str = "nvidia.com/gpu.product";
pub const DEFAULT_GPU: &str = "nvidia.com/gpu";

impl Form {
    /// A form to begin with: one replica with one GPU in Standard mode.
    pub fn starting() -> Self {
        Self {
            min_replicas: Some(1),
            max_replicas: Some(1),
            gpu_resource: DEFAULT_GPU.into(),
            gpus: 1,
            cpu: "4".into(),
            memory: "32Gi".into(),
            cpu_limit: "4".into(),
            memory_limit: "32Gi".into(),
            tolerate_gpu_taint: true,
            deployment_mode: "Standard".into(),
            ..Self::default()
        }
    }

    /// The form that a manifest amounts to, and the paths of the fields that it does not know: they
    /// stay as they are, and can be edited as YAML only.
    pub fn from_manifest(manifest: &Value) -> (Self, Vec<String>) {
        read::form(manifest)
    }

    /// Writes the form's fields into a manifest and leaves all others alone.
    pub fn apply_to(&self, manifest: &mut Value) {
        apply::apply(self, manifest);
    }

    /// A whole manifest from nothing but the form.
    pub fn new_manifest(&self) -> Value {
        let mut manifest =
            json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"});
        self.apply_to(&mut manifest);
        manifest
    }

    /// Can the arguments be written one a line and read back the same? An empty one cannot, nor one that
    /// has lines of its own (`sh -c` with a script).
    pub fn args_are_lines(&self) -> bool {
        self.args
            .iter()
            .all(|a| !a.trim().is_empty() && !a.contains(['\n', '\r']))
    }

    /// What cannot stay as it is, each beside its field (`name`, `env[2].name`, …).
    pub fn errors(&self) -> Vec<crate::FieldError> {
        check::errors(self)
    }

    /// The taint that nodes with this form's GPUs carry: the vendor's `…/gpu`.
    pub(crate) fn gpu_taint(&self) -> String {
        gpu_taint(&self.gpu_resource)
    }
}

pub(crate) fn gpu_taint(resource: &str) -> String {
    match resource.split_once('/') {
        Some((vendor, _)) if !vendor.is_empty() => format!("{vendor}/gpu"),
        _ => DEFAULT_GPU.to_owned(),
    }
}

#[cfg(test)]
mod tests;
