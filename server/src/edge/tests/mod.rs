//! The whole edge over a real database, against the provider of the OpenID tests.

mod api;
mod effects;
mod evidence;
mod house;
mod http;
mod refresh;
mod session;
mod streams;
