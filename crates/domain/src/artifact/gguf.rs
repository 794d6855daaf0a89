//! The header of a GGUF file: key-value pairs about the model, then a list of its tensors
//! (ggml's `docs/gguf.md`, versions 2 and 3).

use std::collections::BTreeMap;

use super::{
    facts::TensorSummary,
    malformed::{Malformed, clean, shown},
};

/// Most bytes of a file's beginning that are read: vocabularies of 250,000 entries fit.
pub const MAX_GGUF_HEADER_BYTES: usize = 24 * 1024 * 1024;
/// Most key-value pairs of one file.
const MAX_PAIRS: u64 = 10_000;
/// Most tensors of one file.
const MAX_TENSORS: u64 = 200_000;
/// Longest key or tensor name, as the format limits it (65,535), and longest text that is kept.
const MAX_KEY: u64 = 65_535;
const MAX_KEPT_TEXT: usize = 2_000;

/// One value that is kept.
#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Unsigned(u64),
    Text(String),
}

/// What a GGUF header says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgufHeader {
    values: BTreeMap<String, Scalar>,
    /// Tensors by type. Its `complete` is false when the bytes that were given end before the list does.
    pub tensors: TensorSummary,
    /// Number of tensors that the file announces.
    pub tensor_count: u64,
}

/// Why reading stopped.
enum Stop {
    /// The bytes given end here; the file goes on.
    Truncated,
    Malformed(Malformed),
}

impl From<Malformed> for Stop {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

fn wrong(problem: impl Into<String>) -> Malformed {
    Malformed::new("The GGUF header", problem)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], Stop> {
        let length = usize::try_from(length).map_err(|_| Stop::Truncated)?;
        let end = self.at.checked_add(length).ok_or(Stop::Truncated)?;
        let slice = self.bytes.get(self.at..end).ok_or(Stop::Truncated)?;
        self.at = end;
        Ok(slice)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().expect("take(4) gives four bytes"),
        ))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(
            bytes.try_into().expect("take(8) gives eight bytes"),
        ))
    }

    fn text(&mut self, limit: u64) -> Result<&'a str, Stop> {
        let length = self.u64()?;
        if length > limit {
            return Err(wrong(format!(
                "holds a text of {length} bytes where at most {limit} are allowed"
            ))
            .into());
        }
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| wrong("holds a name that is not UTF-8").into())
    }
}

/// Bytes of one number of a value type, `None` for texts and arrays.
fn fixed_width(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// A tensor type: its name, elements of a block, bytes of a block (ggml's `ggml_type`).
fn tensor_type(id: u32) -> Option<(&'static str, u64, u64)> {
    Some(match id {
        0 => ("F32", 1, 4),
        1 => ("F16", 1, 2),
        2 => ("Q4_0", 32, 18),
        3 => ("Q4_1", 32, 20),
        6 => ("Q5_0", 32, 22),
        7 => ("Q5_1", 32, 24),
        8 => ("Q8_0", 32, 34),
        9 => ("Q8_1", 32, 36),
        10 => ("Q2_K", 256, 84),
        11 => ("Q3_K", 256, 110),
        12 => ("Q4_K", 256, 144),
        13 => ("Q5_K", 256, 176),
        14 => ("Q6_K", 256, 210),
        15 => ("Q8_K", 256, 292),
        16 => ("IQ2_XXS", 256, 66),
        17 => ("IQ2_XS", 256, 74),
        18 => ("IQ3_XXS", 256, 98),
        19 => ("IQ1_S", 256, 50),
        20 => ("IQ4_NL", 32, 18),
        21 => ("IQ3_S", 256, 110),
        22 => ("IQ2_S", 256, 82),
        23 => ("IQ4_XS", 256, 136),
        24 => ("I8", 1, 1),
        25 => ("I16", 1, 2),
        26 => ("I32", 1, 4),
        27 => ("I64", 1, 8),
        28 => ("F64", 1, 8),
        29 => ("IQ1_M", 256, 56),
        30 => ("BF16", 1, 2),
        34 => ("TQ1_0", 256, 54),
        35 => ("TQ2_0", 256, 66),
        39 => ("MXFP4", 32, 17),
        _ => return None,
    })
}

/// The name of a file type (llama.cpp's `llama_ftype`): how most of the tensors are quantised.
fn file_type(id: u64) -> Option<&'static str> {
    Some(match id {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        _ => return None,
    })
}

impl GgufHeader {
    /// Reads the beginning of a GGUF file. What lies behind the bytes given is unknown, not wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor { bytes, at: 0 };
        let mut header = Self::default();
        match header.read(&mut cursor) {
            Ok(()) => header.tensors.complete = true,
            Err(Stop::Truncated) if cursor.at >= 24 => {}
            Err(Stop::Truncated) => return Err(wrong("is cut off")),
            Err(Stop::Malformed(error)) => return Err(error),
        }
        Ok(header)
    }

    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        if cursor.take(4)? != b"GGUF" {
            return Err(wrong("does not begin with “GGUF”").into());
        }
        match cursor.u32()? {
            2 | 3 => {}
            other if other.swap_bytes() <= 3 => {
                return Err(
                    wrong("is in big-endian order, which no server that we know reads").into(),
                );
            }
            other => {
                return Err(
                    wrong(format!("is of version {other}; versions 2 and 3 are read")).into(),
                );
            }
        }
        self.tensor_count = cursor.u64()?;
        let pairs = cursor.u64()?;
        if pairs > MAX_PAIRS || self.tensor_count > MAX_TENSORS {
            return Err(wrong(format!(
                "announces {pairs} values and {} tensors; at most {MAX_PAIRS} and {MAX_TENSORS} are read",
                self.tensor_count
            ))
            .into());
        }
        for _ in 0..pairs {
            let key = cursor.text(MAX_KEY)?;
            let kind = cursor.u32()?;
            if let Some(value) = read_value(cursor, kind, key)? {
                self.values.insert(key.to_owned(), value);
            }
        }
        for _ in 0..self.tensor_count {
            self.read_tensor(cursor)?;
        }
        Ok(())
    }

    fn read_tensor(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let name = cursor.text(MAX_KEY)?;
        let dimensions = cursor.u32()?;
        if dimensions > 8 {
            return Err(wrong(format!(
                "gives “{}” {dimensions} dimensions",
                shown(name, 80)
            ))
            .into());
        }
        let mut elements = 1u64;
        for _ in 0..dimensions {
            elements = elements
                .checked_mul(cursor.u64()?)
                .ok_or_else(|| wrong(format!("gives “{}” an impossible shape", shown(name, 80))))?;
        }
        let id = cursor.u32()?;
        cursor.u64()?; // where it lies in the file
        match tensor_type(id) {
            Some((dtype, block, bytes)) => {
                let size = elements.div_ceil(block).saturating_mul(bytes);
                self.tensors.add(dtype, elements, size);
            }
            None => self.tensors.add(&format!("type {id}"), elements, 0),
        }
        Ok(())
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Scalar::Text(text) => Some(text),
            Scalar::Unsigned(_) => None,
        }
    }

    /// A number by its whole key.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Scalar::Unsigned(number) => Some(*number),
            Scalar::Text(_) => None,
        }
    }

    /// A number by the part of its key that follows the architecture: `context_length`.
    pub fn of_architecture(&self, rest: &str) -> Option<u64> {
        self.number(&format!("{}.{rest}", self.architecture()?))
    }

    /// `general.architecture`: `llama`, `qwen2`.
    pub fn architecture(&self) -> Option<&str> {
        self.text("general.architecture")
    }

    /// `general.name`.
    pub fn name(&self) -> Option<&str> {
        self.text("general.name")
    }

    /// `general.license`.
    pub fn licence(&self) -> Option<&str> {
        self.text("general.license")
    }

    /// `general.size_label`: `7B`.
    pub fn size_label(&self) -> Option<&str> {
        self.text("general.size_label")
    }

    /// How most of the tensors are quantised: `Q4_K_M`.
    pub fn quantisation(&self) -> Option<&'static str> {
        self.number("general.file_type").and_then(file_type)
    }
}

/// Reads one value; keeps whole numbers and short texts and passes over the rest.
fn read_value(cursor: &mut Cursor<'_>, kind: u32, key: &str) -> Result<Option<Scalar>, Stop> {
    if let Some(width) = fixed_width(kind) {
        let bytes = cursor.take(width)?;
        let mut wide = [0u8; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let number = u64::from_le_bytes(wide);
        // Signed numbers are kept where they are not negative; fractions are not kept.
        let sign = 1u64 << (8 * width - 1);
        return Ok(match kind {
            6 | 12 => None,
            1 | 3 | 5 | 11 if number & sign != 0 => None,
            _ => Some(Scalar::Unsigned(number)),
        });
    }
    match kind {
        8 => {
            let length = cursor.u64()?;
            let bytes = cursor.take(length)?;
            Ok(std::str::from_utf8(bytes)
                .ok()
                .filter(|text| text.len() <= MAX_KEPT_TEXT)
                .and_then(|text| clean(text, MAX_KEPT_TEXT))
                .map(Scalar::Text))
        }
        9 => {
            let item = cursor.u32()?;
            let count = cursor.u64()?;
            pass_over_array(cursor, item, count, key)?;
            Ok(None)
        }
        other => Err(wrong(format!(
            "gives “{}” a value of unknown type {other}",
            shown(key, 80)
        ))
        .into()),
    }
}

fn pass_over_array(cursor: &mut Cursor<'_>, item: u32, count: u64, key: &str) -> Result<(), Stop> {
    if let Some(width) = fixed_width(item) {
        let length = count
            .checked_mul(width)
            .ok_or_else(|| wrong(format!("gives “{}” an impossible length", shown(key, 80))))?;
        cursor.take(length)?;
        return Ok(());
    }
    if item != 8 {
        // The format allows lists of lists; nobody writes them, and they would let a few bytes ask
        // for endless work.
        return Err(wrong(format!(
            "gives “{}” a list of a kind that is not read",
            shown(key, 80)
        ))
        .into());
    }
    // Each text takes at least eight bytes, so this ends with the bytes given.
    for _ in 0..count {
        let length = cursor.u64()?;
        cursor.take(length)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn example() -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        out.extend(5u64.to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8u32.to_le_bytes());
        text(&mut out, "llama");
        text(&mut out, "llama.context_length");
        out.extend(4u32.to_le_bytes());
        out.extend(8192u32.to_le_bytes());
        text(&mut out, "general.file_type");
        out.extend(4u32.to_le_bytes());
        out.extend(15u32.to_le_bytes());
        text(&mut out, "tokenizer.ggml.tokens");
        out.extend(9u32.to_le_bytes());
        out.extend(8u32.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        text(&mut out, "a");
        text(&mut out, "b");
        text(&mut out, "llama.rope.freq_base");
        out.extend(6u32.to_le_bytes());
        out.extend(10000f32.to_le_bytes());
        for (name, kind) in [("token_embd.weight", 12u32), ("output_norm.weight", 0)] {
            text(&mut out, name);
            out.extend(2u32.to_le_bytes());
            out.extend(256u64.to_le_bytes());
            out.extend(4u64.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(0u64.to_le_bytes());
        }
        out
    }

    #[test]
    fn a_header_is_read() {
        let header = GgufHeader::parse(&example()).unwrap();
        assert_eq!(header.architecture(), Some("llama"));
        assert_eq!(header.of_architecture("context_length"), Some(8192));
        assert_eq!(header.quantisation(), Some("Q4_K_M"));
        assert!(header.tensors.complete);
        assert_eq!(header.tensors.by_dtype["Q4_K"].bytes, 4 * 144);
        assert_eq!(header.tensors.by_dtype["F32"].bytes, 4096);
    }

    #[test]
    fn a_cut_header_says_what_it_said() {
        let whole = example();
        for length in 0..whole.len() {
            match GgufHeader::parse(&whole[..length]) {
                Ok(header) => assert!(!header.tensors.complete),
                Err(_) => assert!(length < 24, "{length}"),
            }
        }
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(GgufHeader::parse(&bytes).is_err());
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        text(&mut bytes, "list");
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(10u32.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(GgufHeader::parse(&bytes).is_err());
        assert!(GgufHeader::parse(b"PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaa").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = GgufHeader::parse(&bytes);
        }

        #[test]
        fn any_flipped_byte_is_answered(at in 0usize..300, with in any::<u8>()) {
            let mut bytes = example();
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = GgufHeader::parse(&bytes);
        }
    }
}
