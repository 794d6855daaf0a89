//! What a registry holds, as facts: which kind of artifact a digest is, what model lies in it,
//! whether it is signed and scanned, and how it can be served.
//!
//! Everything here is pure: bytes in, facts out. Every parser takes untrusted bytes, has a limit
//! on everything that it allocates or counts, and answers a malformed input with [`Malformed`],
//! whose text is ours (never a library's) and safe to show. A field that is `None` means "unknown".

mod card;
mod config_json;
mod events;
mod facts;
mod format;
mod gguf;
mod image_config;
mod kind;
mod malformed;
mod manifest;
mod names;
mod packaging;
mod packed;
mod pickle;
mod safetensors;
mod scan;
mod servability;
mod signature;
mod trivy;

pub use card::{Card, CardMeta, MAX_CARD_BYTES};
pub use config_json::{ConfigJson, Quantization};
pub use events::{EventAction, MAX_EVENTS, MAX_EVENTS_BYTES, RegistryEvent, parse_events};
pub use facts::{DtypeTotal, FileLayer, ModelFacts, Sources, TensorSummary};
pub use format::{FileEntry, FileListing, ModelFormat};
pub use gguf::{GgufHeader, MAX_GGUF_HEADER_BYTES};
pub use image_config::{ImageConfig, ServingHint};
pub use kind::{ArtifactKind, detect};
pub use malformed::Malformed;
pub use manifest::{
    Descriptor, Document, Index, MAX_MANIFEST_BYTES, Manifest, Platform, digest_tag, media_types,
};
pub use names::{is_repository_name, is_tag};
pub use packaging::{PackagingFacts, parse_packaging};
pub use pickle::{
    PickleFact, PickleFinding, PickleScan, PickleState, is_pickle_name, scan_model_file,
};
pub use safetensors::{
    MAX_INDEX_BYTES, MAX_SAFETENSORS_HEADER_BYTES, header_length, index_total, parse_header,
};
pub use scan::{
    Finding, STALE_AFTER_MICROS, ScanFact, ScanReport, ScanState, Severity, SeveritySummary,
};
pub use servability::{ArtifactAddress, Obstacle, Scheme, Servability, Way, WayOut, servability};
pub use signature::{SignatureFact, TrustedKey, VerifiedBy};
pub use trivy::{MAX_REPORT_BYTES, is_trivy, parse_trivy};
