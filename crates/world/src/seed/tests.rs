//! The seed is the same each time, and says of its models what their authors say.

use super::architectures::{Precision, bert, whisper_large};
use super::artifact::digest;
use super::language_models as models;
use super::weights::{Tensor, safetensors};
use super::{Shelf, artifacts, services};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

fn parameters(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(Tensor::elements).sum()
}

/// Numbers as the models' cards on Hugging Face give them (safetensors, "total").
#[test]
fn models_have_as_many_parameters_as_published() {
    let whole = |d: &super::architectures::Decoder| parameters(&d.tensors(Precision::Bf16));
    assert_eq!(whole(&models::LLAMA_8B), 8_030_261_248);
    assert_eq!(whole(&models::QWEN3_32B), 32_762_123_264);
    assert_eq!(whole(&models::MISTRAL_7B), 7_248_023_552);
    assert_eq!(whole(&models::MIXTRAL_8X7B), 46_702_792_704);
    assert_eq!(whole(&models::GEMMA2_9B), 9_241_705_984);
    assert_eq!(whole(&models::PHI35_MINI), 3_821_079_552);
    assert_eq!(whole(&models::DEEPSEEK_V2_LITE), 15_706_484_224);
    assert_eq!(parameters(&bert(1024, 24, 30_522)), 335_141_888);
    assert_eq!(parameters(&whisper_large()), 1_543_490_560);
}

#[test]
fn the_registry_is_the_same_each_time() {
    let sum = || {
        let mut hasher = Sha256::new();
        for artifact in artifacts() {
            hasher.update(artifact.repository.as_bytes());
            hasher.update(artifact.tags.join(" ").as_bytes());
            hasher.update(&artifact.manifest);
            for blob in &artifact.blobs {
                hasher.update(digest(blob).as_bytes());
            }
        }
        hex::encode(hasher.finalize())
    };
    assert_eq!(sum(), sum());
}

#[test]
fn shards_are_those_that_their_index_names() {
    let (shards, index) = safetensors(&models::MIXTRAL_8X7B.tensors(Precision::Bf16));
    let index: serde_json::Value =
        serde_json::from_slice(&index.expect("it has many shards")).expect("it is JSON");
    assert_eq!(index["metadata"]["total_size"], 93_405_585_408u64);
    let named: BTreeSet<&str> = index["weight_map"]
        .as_object()
        .expect("it maps names")
        .values()
        .filter_map(|v| v.as_str())
        .collect();
    let made: BTreeSet<&str> = shards.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(named, made);
    let largest = shards.iter().map(|s| s.size).max();
    assert!(largest < Some(5_100_000_000), "{largest:?}");
}

#[test]
fn every_service_deploys_what_is_pushed_under_a_name_of_its_own() {
    let artifacts = artifacts();
    let shelf = Shelf::new("127.0.0.1:5000", &artifacts);
    let services = services::all(&shelf);
    assert!(services.len() >= 20);
    let names: BTreeSet<String> = services
        .iter()
        .map(|s| {
            let metadata = &s.object["metadata"];
            format!("{}{}{}", s.cluster, metadata["namespace"], metadata["name"])
        })
        .collect();
    assert_eq!(names.len(), services.len());
}
