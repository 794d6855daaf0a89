//! The edge of Gatehouse: configuration, sign-in, sessions, HTTP, background tasks and the wiring.

// Rendered views are deep types.
#![recursion_limit = "512"]

pub mod api;
mod checkpoints;
pub mod config;
pub mod edge;
pub mod forms;
pub mod oidc;
pub mod session;
pub mod system;
pub mod tasks;
pub mod verify;
pub mod wire;
