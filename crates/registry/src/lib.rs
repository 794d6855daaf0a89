//! Registries of the OCI distribution specification 1.1, read for the catalogue: what lies in them,
//! what is known of it, whether it is signed and scanned.
//!
//! A registry is an untrusted program: every answer has a limit on its size and on its time, what
//! is fetched by digest is checked against it, addresses that only a confused deputy would call are
//! refused, credentials are never sent to another host than the registry (or the token service that
//! it names), and what could not be found out is "unknown", never "no".

mod address;
mod auth;
mod client;
mod config;
mod cosign;
mod error;
mod http;
mod inspect;
mod layers;
mod port;
mod referrers;
mod scans;

pub use address::AddressPolicy;
pub use client::{Client, Page, Validated};
pub use config::{Limits, RegistryConfig, Secret};
pub use cosign::is_usable_key;
pub use error::{Problem, RegistryError};
pub use http::Transport;
pub use inspect::{Inspection, LayerFact};
// What a registry sends by itself is read by a pure parser.
pub use domain::artifact::{RegistryEvent, parse_events};
pub use port::OciRegistries;
