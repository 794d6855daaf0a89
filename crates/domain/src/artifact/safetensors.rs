//! The header of a safetensors file: an eight-byte little-endian length, then that many bytes of
//! JSON that name each tensor's type, shape and place (safetensors format, README "Format").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    facts::TensorSummary,
    malformed::{Malformed, clean, shown},
};

/// Largest header that is read. The reference implementation allows 100 MB; the largest published
/// ones are below 4 MiB.
pub const MAX_SAFETENSORS_HEADER_BYTES: u64 = 16 * 1024 * 1024;
/// Most tensors of one file.
const MAX_TENSORS: usize = 200_000;
/// Most dimensions of one tensor.
const MAX_DIMENSIONS: usize = 16;

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Either a tensor or the free-form `__metadata__`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Tensor(Tensor),
    Other(serde::de::IgnoredAny),
}

/// Bits of one element; `None` for a type we do not know.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

fn wrong(problem: impl Into<String>) -> Malformed {
    Malformed::new("The safetensors header", problem)
}

/// The length of the JSON that follows the first eight bytes.
///
/// `file_size` is the whole file's size in bytes, where it is known.
pub fn header_length(first_eight: [u8; 8], file_size: Option<u64>) -> Result<u64, Malformed> {
    let length = u64::from_le_bytes(first_eight);
    if length < 2 {
        return Err(wrong("is empty"));
    }
    if length > MAX_SAFETENSORS_HEADER_BYTES {
        return Err(wrong(format!(
            "claims {length} bytes; more than {} MiB is not read",
            MAX_SAFETENSORS_HEADER_BYTES / (1024 * 1024)
        )));
    }
    if file_size.is_some_and(|size| length.saturating_add(8) > size) {
        return Err(wrong("claims to be longer than the file"));
    }
    Ok(length)
}

/// Reads the header's JSON (without the eight bytes before it).
///
/// `file_size` is the whole file's size in bytes, where it is known; tensors that lie outside are
/// refused, as are those whose shape and place contradict each other.
pub fn parse_header(json: &[u8], file_size: Option<u64>) -> Result<TensorSummary, Malformed> {
    if json.len() as u64 > MAX_SAFETENSORS_HEADER_BYTES {
        return Err(wrong("is larger than is read"));
    }
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(json).map_err(|e| {
        wrong(format!(
            "is not the JSON object it should be (near column {})",
            e.column()
        ))
    })?;
    if entries.len() > MAX_TENSORS {
        return Err(wrong(format!("names more than {MAX_TENSORS} tensors")));
    }
    let room = file_size.map(|size| size.saturating_sub(8 + json.len() as u64));
    let mut summary = TensorSummary {
        complete: true,
        ..TensorSummary::default()
    };
    for (name, entry) in entries {
        let tensor = match entry {
            Entry::Tensor(tensor) => tensor,
            Entry::Other(_) if name == "__metadata__" => continue,
            Entry::Other(_) => {
                return Err(wrong(format!(
                    "describes “{}” without type, shape and place",
                    shown(&name, 80)
                )));
            }
        };
        let (elements, bytes) = check(&name, &tensor, room)?;
        let dtype = clean(&tensor.dtype, 16).unwrap_or_else(|| "unknown".into());
        summary.add(&dtype, elements, bytes);
    }
    Ok(summary)
}

/// The number of elements and bytes of one tensor, when it is consistent.
fn check(name: &str, tensor: &Tensor, room: Option<u64>) -> Result<(u64, u64), Malformed> {
    let named = || shown(name, 80);
    if tensor.shape.len() > MAX_DIMENSIONS {
        return Err(wrong(format!(
            "gives “{}” more than {MAX_DIMENSIONS} dimensions",
            named()
        )));
    }
    let (begin, end) = tensor.data_offsets;
    if begin > end || room.is_some_and(|room| end > room) {
        return Err(wrong(format!("places “{}” outside the file", named())));
    }
    let elements = tensor
        .shape
        .iter()
        .try_fold(1u64, |product, side| product.checked_mul(*side))
        .ok_or_else(|| wrong(format!("gives “{}” an impossible shape", named())))?;
    if let Some(bits) = bits(&tensor.dtype) {
        let expected = elements.checked_mul(bits).map(|total| total.div_ceil(8));
        if expected != Some(end - begin) {
            return Err(wrong(format!(
                "gives “{}” a shape that does not fit its place",
                named()
            )));
        }
    }
    Ok((elements, end - begin))
}

/// Largest index of a model in several files that is read.
pub const MAX_INDEX_BYTES: u64 = 16 * 1024 * 1024;

/// The bytes of all tensors of a model in several files, as its `model.safetensors.index.json`
/// says (`metadata.total_size`); `None` where it does not.
pub fn index_total(json: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Index {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        total_size: serde_json::Number,
    }
    let index: Index = serde_json::from_slice(json).ok()?;
    let total = index.metadata.total_size;
    // Some tools write a number with a fraction.
    total
        .as_u64()
        .or_else(|| total.as_f64().filter(|n| *n > 0.0).map(|n| n as u64))
        .filter(|n| *n > 0)
}

impl TensorSummary {
    /// Adds one tensor.
    pub(crate) fn add(&mut self, dtype: &str, elements: u64, bytes: u64) {
        let total = self.by_dtype.entry(dtype.to_owned()).or_default();
        total.tensors += 1;
        total.elements = total.elements.saturating_add(elements);
        total.bytes = total.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::DtypeTotal;

    #[test]
    fn types_are_counted() {
        let json = br#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},
            "c":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}}"#;
        let summary = parse_header(json, Some(8 + json.len() as u64 + 18)).unwrap();
        assert_eq!(
            summary.by_dtype["BF16"],
            DtypeTotal {
                tensors: 2,
                elements: 7,
                bytes: 14
            }
        );
        assert_eq!(summary.bytes(), 18);
        assert_eq!(summary.elements(), 8);
        assert!(parse_header(json, Some(8 + json.len() as u64 + 17)).is_err());
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        assert!(header_length(u64::MAX.to_le_bytes(), None).is_err());
        assert!(header_length(100u64.to_le_bytes(), Some(107)).is_err());
        assert_eq!(header_length(100u64.to_le_bytes(), Some(108)), Ok(100));
        assert!(header_length([0; 8], None).is_err());
        for json in [
            r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
            r#"{"a":1}"#,
            r#"[]"#,
            r#"{"a":"#,
        ] {
            assert!(parse_header(json.as_bytes(), None).is_err(), "{json}");
        }
    }

    #[test]
    fn an_index_says_the_bytes_of_all() {
        let json = br#"{"metadata":{"total_size":16060522496},"weight_map":{"a":"model-00001-of-00004.safetensors"}}"#;
        assert_eq!(index_total(json), Some(16_060_522_496));
        assert_eq!(
            index_total(br#"{"metadata":{"total_size":160.0}}"#),
            Some(160)
        );
        for json in [
            r#"{"metadata":{}}"#,
            r#"{"metadata":{"total_size":-1}}"#,
            "[]",
        ] {
            assert_eq!(index_total(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn a_type_of_tomorrow_is_counted_by_its_place() {
        let summary = parse_header(
            br#"{"a":{"dtype":"F2","shape":[8],"data_offsets":[0,2]}}"#,
            None,
        )
        .unwrap();
        assert_eq!(summary.by_dtype["F2"].bytes, 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..500), size in any::<Option<u64>>()) {
            let _ = parse_header(&bytes, size);
        }

        #[test]
        fn every_length_is_answered(first in any::<[u8; 8]>(), size in any::<Option<u64>>()) {
            if let Ok(length) = header_length(first, size) {
                prop_assert!(length <= MAX_SAFETENSORS_HEADER_BYTES);
            }
        }

        #[test]
        fn any_shape_and_place_are_answered(shape in proptest::collection::vec(any::<u64>(), 0..6), a in any::<u64>(), b in any::<u64>()) {
            let json = serde_json::json!({"t": {"dtype": "F16", "shape": shape, "data_offsets": [a, b]}});
            let _ = parse_header(json.to_string().as_bytes(), Some(1 << 40));
        }
    }
}
