//! The world's Kubernetes: control planes, and what each cluster holds before anything is served.

mod apply;
mod content;
pub(crate) mod kubeconfig;
mod nodes;
mod plane;

pub use apply::{Applier, apply_yaml, parse_yaml};
pub use content::{UNITS, content_hash, install, namespaces, show_kserve};
pub use plane::{CONSOLE_USER, CONTROLLER_USER, Plane, port_names, server_url};
