//! Paging by key: a page knows where it ends, never how many came before.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Rows of one page and where the next one begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Opaque; give it back as `after`. `None`: this is the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// No rows, and none after.
    pub fn empty() -> Self {
        Self {
            rows: Vec::new(),
            next: None,
        }
    }

    /// Builds a page from one row more than asked for: the surplus row only says that there is more.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more {
            rows.last().map(|r| encode(&key(r)))
        } else {
            None
        };
        Self { rows, next }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(f).collect(),
            next: self.next,
        }
    }
}

/// The most rows a page may have.
pub const MAX_LIMIT: usize = 200;
/// The rows a page has unless told otherwise.
pub const DEFAULT_LIMIT: usize = 50;

/// A key as an opaque text that is safe in a URL.
pub fn encode<K: Serialize>(key: &K) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode(serde_json::to_vec(key).expect("keys are plain data"))
}

/// Reads a key back. Errors: `Invalid` when somebody edited the address.
pub fn decode<K: DeserializeOwned>(cursor: &str) -> crate::Result<K> {
    use base64::Engine as _;
    let bad = || {
        crate::Error::invalid("this page address was cut or edited")
            .remedy("Start again from the first page.")
    };
    if cursor.len() > 2048 {
        return Err(bad());
    }
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| bad())?;
    serde_json::from_slice(&bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_names_its_last_row() {
        let p = Page::cut(vec![1, 2, 3], 2, |n| *n);
        assert_eq!(p.rows, [1, 2]);
        assert_eq!(decode::<i32>(&p.next.expect("more")).expect("ours"), 2);
        assert_eq!(Page::cut(vec![1, 2], 2, |n| *n).next, None);
    }

    #[test]
    fn an_edited_cursor_is_refused() {
        assert!(decode::<i32>("%%%").is_err());
        assert!(decode::<i32>("bm90IGpzb24").is_err());
    }
}
