//! The clusters outside: watch caches that answer every read at once, and the few calls that go out
//! as a person. Implements [`services::ports::Clusters`] with kube.
//!
//! [`Fleet::new`] makes the caches (empty, every cluster "not reached yet"), [`Fleet::run`] fills
//! them until it is told to stop. Nothing that only reads ever waits for a cluster: a cluster that
//! is away is shown as it last was, with its age.

mod cache;
mod calls;
mod config;
mod connect;
mod decode;
mod facts;
mod few;
mod fleet;
mod identity;
mod link;
mod names;
mod pack;
mod permissions;
mod query;
mod refusal;
mod rest;
mod rules;
mod shown;
mod supervise;
mod usage;
mod watch;

pub use config::{ClusterConfig, Labels, Timing};
pub use fleet::Fleet;
