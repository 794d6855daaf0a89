//! The records of the audit log as exact bytes.
//!
//! A record is canonical JSON (RFC 8785) with a version number, so that one record has one form and
//! one hash for ever. The personal part of who acted is sealed with a key of that person, and the
//! person appears in clear only as a keyed pseudonym: destroying the person's key makes their part
//! unreadable and leaves every byte and hash of the log as they are.
//!
//! Nothing here stores anything or asks for the time or for randomness.

mod bytes;
pub mod checkpoint;
pub mod evidence;
mod keyring;
mod record;
pub mod tree;

pub use bytes::{MAX_RECORD_BYTES, Seal, VERSION, decode, encode};
pub use keyring::{Keyring, PersonKey};
pub use record::{Actor, NewRecord, Phase, Record, RecordOutcome, Retention};
