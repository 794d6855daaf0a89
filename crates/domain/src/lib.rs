//! The nouns and rules of Gatehouse: pure, without I/O, the same on the server and in the browser.

pub mod access;
pub mod artifact;
pub mod capacity;
pub mod change;
pub mod content;
pub mod diff;
pub mod endpoints;
pub mod error;
pub mod finding;
pub mod form;
pub mod ids;
pub mod isvc;
pub mod observed;
pub mod page;
pub mod person;
pub mod place;
pub mod pods;
pub mod preflight;
pub mod quantity;
pub mod references;
pub mod runtime;
pub mod sizing;
pub mod state;
pub mod time;
pub mod yaml;

pub use error::{Error, FieldError, Kind, Result};
pub use time::Micros;
