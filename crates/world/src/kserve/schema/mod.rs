//! Our own definitions of the kinds of group `serving.kserve.io`. Every field
//! that KServe 0.20 declares on the way to a served model is declared here
//! too, so that the API server refuses the unknown ones as it would there.

mod container;
mod definition;
mod dsl;
mod inference_service;
mod other_kinds;
mod pod;
mod runtime;

use serde_json::Value;

pub use definition::names_of;

/// The custom resource definitions of the stand-in, one object each, as
/// `apiextensions.k8s.io/v1`.
pub fn definitions() -> Vec<Value> {
    vec![
        inference_service::definition(),
        runtime::serving_runtime(),
        runtime::cluster_serving_runtime(),
        other_kinds::cluster_storage_container(),
        other_kinds::local_model_cache(),
        other_kinds::inference_graph(),
        other_kinds::trained_model(),
        other_kinds::llm_inference_service(),
    ]
}
