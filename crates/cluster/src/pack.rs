//! Objects at rest: compact JSON, deflated where it pays. A page unpacks the few that it shows.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{Read as _, Write as _},
    marker::PhantomData,
    sync::Arc,
};

/// No object of an API server is larger (etcd's own limit is 1.5 MiB).
const MAX_UNPACKED: u64 = 8 * 1024 * 1024;
/// Below this, deflating costs more than it saves.
const WORTH_DEFLATING: usize = 300;

/// A value as bytes. Cloning shares them.
pub(crate) struct Packed<T> {
    bytes: Arc<[u8]>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            kind: PhantomData,
        }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T: Serialize + DeserializeOwned> Packed<T> {
    pub fn new(value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("plain data with text keys is always JSON");
        let mut bytes = vec![b'j'];
        if json.len() < WORTH_DEFLATING {
            bytes.extend_from_slice(&json);
        } else {
            bytes[0] = b'z';
            let mut deflate =
                flate2::write::DeflateEncoder::new(bytes, flate2::Compression::default());
            deflate
                .write_all(&json)
                .expect("writing to memory does not fail");
            bytes = deflate.finish().expect("writing to memory does not fail");
        }
        Self {
            bytes: bytes.into(),
            kind: PhantomData,
        }
    }

    /// The value again. `None` cannot happen for what [`Packed::new`] made.
    pub fn get(&self) -> Option<T> {
        let (kind, rest) = self.bytes.split_first()?;
        match kind {
            b'j' => serde_json::from_slice(rest).ok(),
            _ => {
                let mut json = Vec::with_capacity(rest.len() * 4);
                flate2::read::DeflateDecoder::new(rest)
                    .take(MAX_UNPACKED)
                    .read_to_end(&mut json)
                    .ok()?;
                serde_json::from_slice(&json).ok()
            }
        }
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_packed_comes_out_again() {
        let small = json!({"a": 1});
        let large = json!({"list": (0..500).map(|i| format!("item {i}")).collect::<Vec<_>>()});
        for value in [small, large] {
            assert_eq!(Packed::new(&value).get(), Some(value));
        }
    }

    #[test]
    fn repetition_costs_little() {
        let v = json!(
            (0..200)
                .map(|_| json!({"lastTransitionTime": "2026-11-24T05:43:24Z"}))
                .collect::<Vec<_>>()
        );
        assert!(Packed::new(&v).size() < 500);
    }
}
