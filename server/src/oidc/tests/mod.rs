//! The OpenID Foundation's relying-party cases, by their names, against a provider that can misbehave.

mod backchannel;
mod claims;
mod code;
pub(crate) mod op;
mod refresh;
