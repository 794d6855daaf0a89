//! The face of Gatehouse: pages and components, rendered on the server, and the few islands that
//! become WebAssembly. Pages exist on the server only; a browser gets complete HTML.

// Views are deep types.
#![recursion_limit = "512"]

pub mod forms;
pub mod islands;

#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod load;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod query;
#[cfg(feature = "ssr")]
mod shell;

#[cfg(feature = "ssr")]
pub use shell::{App, Theme, shell};
