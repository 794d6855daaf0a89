//! The use cases: one file an area. Each call takes a [`Caller`], decides whether they may, writes
//! the audit record and then acts. Knows the outside only by its ports.

pub mod authz;
mod caller;
mod context;
pub mod people;
pub mod ports;
pub mod vault;

pub use caller::{Caller, GroupGrant, grants_of};
pub use context::{Ctx, Settings};
