//! A laptop-sized world of real programs for Gatehouse to run and be tested against.
//!
//! Two Kubernetes control planes, an OCI registry, Prometheus and an OpenID provider are built
//! from their own sources ([`programs`]) and started on loopback ports ([`World::start`]). Three
//! things are stand-ins, because the real ones need machines or are not to be had: KServe's
//! controller, the metrics that model servers export, and the kubelets (KWOK).

pub mod accounts;
pub mod addresses;
mod console_config;
pub mod detached;
pub mod error;
mod exporter;
pub mod faults;
pub mod kserve;
pub mod kubernetes;
pub mod layout;
pub mod pki;
pub mod process;
pub mod programs;
mod prometheus;
mod provider;
mod registry;
pub mod seed;
mod world;

pub use addresses::WorldAddresses;
pub use error::{Error, Result};
pub use layout::{CLUSTERS, Options};
pub use world::{Prepared, World, prepare};
