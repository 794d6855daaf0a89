//! The nouns and rules of Gatehouse: pure, without I/O, the same on the server and in the browser.

pub mod access;
pub mod artifact;
pub mod change;
pub mod content;
pub mod diff;
pub mod error;
pub mod finding;
pub mod ids;
pub mod observed;
pub mod page;
pub mod person;
pub mod place;
pub mod state;
pub mod time;

pub use error::{Error, FieldError, Kind, Result};
pub use time::Micros;
