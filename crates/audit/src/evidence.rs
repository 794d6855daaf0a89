//! Evidence: records of the log in a file, with what it takes to check them without the console.
//!
//! A file is JSON Lines, each line canonical JSON (RFC 8785). The first says what it is evidence of and
//! holds the checkpoint. Then come records in the log's order, each after the *tile* that it belongs to:
//! the hashes of 256 records in a row, and what leads from them to the checkpoint's root. The last line
//! says how many records there were, so that a file that was cut off is seen to be one.

mod read;
mod write;

pub use read::{Checked, Reader};
pub use write::{closing, heading, record_line, tile_line};

use crate::tree::Hash;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of this form, in the first line.
pub const FORMAT: &str = "gatehouse-audit-evidence/1";

/// The longest line that is looked at: a record of the largest size, with who acted.
pub const MAX_LINE_BYTES: usize = crate::MAX_RECORD_BYTES + 64 * 1024;

/// What the file is evidence of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heading {
    pub format: String,
    /// The signed head of the log's tree (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// Positions, from 1 and inclusive, between which records were looked for.
    pub first: u64,
    pub last: u64,
    /// Which of them are here; `Null` for all.
    pub filter: Value,
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Evidence(Heading),
    Tile(Tile),
    Record(Box<Entry>),
    End(End),
}

/// The leaves of up to 256 records in a row, from a multiple of 256.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tile {
    index: u64,
    leaves: Vec<Encoded>,
    /// Of a full tile: the hashes from its root to the checkpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up: Option<Vec<Encoded>>,
    /// Of the last tile, which is not full: the full subtrees before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<Vec<Encoded>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The record itself: its canonical form is the leaf's content.
    stored: Value,
    /// The opened personal part, for people who read this; what stands in the log is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    who: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    records: u64,
}

/// A hash in base64.
#[derive(Clone, Copy, PartialEq)]
struct Encoded(Hash);

impl Serialize for Encoded {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(self.0.0))
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(|bytes| Self(Hash(bytes)))
            .ok_or_else(|| serde::de::Error::custom("32 bytes in base64 are expected"))
    }
}

#[cfg(test)]
mod tests;
