//! Model files that run code when they are loaded. A pickle is a program; the names that it imports
//! show what it can do. This reads the opcodes (Python's `pickletools`, protocols 0 to 5) and never
//! runs them.

mod names;
mod walk;

use serde::{Deserialize, Serialize};

use self::{
    names::danger,
    walk::{CUT, Walk, scan_one},
};
use super::malformed::clean;

/// Most pickles in one file, one behind the other.
const MAX_PICKLES: usize = 64;

/// How a file, or all of them, came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PickleState {
    /// Read to the end; every import is on the list of harmless ones.
    Pass,
    /// Read to the end; something is imported that we do not know.
    Unknown,
    /// Could not be read to the end.
    NotScannable,
    /// Imports something that can run commands, read files or reach the network.
    Fail,
}

impl PickleState {
    /// The name in URLs, SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::NotScannable => "not-scannable",
            Self::Fail => "fail",
        }
    }
}

/// One name that a pickle imports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PickleFinding {
    /// The file.
    pub file: String,
    /// The import: `os.system`.
    pub import: String,
    /// Whether it is on the list of dangerous ones.
    pub dangerous: bool,
}

/// What came out of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickleScan {
    /// The file.
    pub file: String,
    /// How it came out.
    pub state: PickleState,
    /// Why, where it is not a pass.
    pub reason: Option<String>,
    /// Imports that are dangerous or unknown.
    pub findings: Vec<PickleFinding>,
}

/// What came out of all files that run code when they are loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickleFact {
    /// The worst of the files.
    pub state: PickleState,
    /// The files.
    pub files: Vec<PickleScan>,
}

impl PickleFact {
    /// Puts the files together; `None` when there are none.
    pub fn of(files: Vec<PickleScan>) -> Option<Self> {
        let state = files.iter().map(|f| f.state).max()?;
        Some(Self { state, files })
    }

    /// The dangerous imports.
    pub fn dangerous(&self) -> impl Iterator<Item = &PickleFinding> {
        self.files
            .iter()
            .flat_map(|f| &f.findings)
            .filter(|f| f.dangerous)
    }
}

/// Whether a file of this name is, or may hold, a pickle.
pub fn is_pickle_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, end)| end);
    match extension {
        "pkl" | "pickle" | "pt" | "pth" | "ckpt" | "joblib" | "dill" | "pck" => true,
        // `.bin` is used for much; PyTorch's are named so.
        "bin" => {
            name.contains("pytorch")
                || name.contains("model") && !name.contains("openvino")
                || name.contains("optimizer")
        }
        _ => false,
    }
}

/// Scans a file's beginning. `complete` says whether `head` is the whole file.
pub fn scan_model_file(path: &str, head: &[u8], complete: bool) -> PickleScan {
    let mut walk = Walk::default();
    let outcome = if head.starts_with(b"PK\x03\x04") {
        scan_zip(head, &mut walk)
    } else {
        scan_pickles(head, &mut walk, complete)
    };
    let findings: Vec<PickleFinding> = walk
        .imports
        .into_iter()
        .filter_map(|(module, name)| {
            let danger = danger(&module, &name)?;
            Some(PickleFinding {
                file: path.to_owned(),
                import: clean(&format!("{module}.{name}"), 200)
                    .unwrap_or_else(|| "a nameless import".into()),
                dangerous: danger,
            })
        })
        .collect();
    let dangerous = findings.iter().filter(|f| f.dangerous).count();
    let (state, reason) = if dangerous > 0 {
        (
            PickleState::Fail,
            Some("It imports what can run commands, read files or reach the network.".to_owned()),
        )
    } else if let Err(reason) = outcome {
        (PickleState::NotScannable, Some(reason.to_owned()))
    } else if walk.hidden {
        (
            PickleState::NotScannable,
            Some("It computes the names that it imports, so they cannot be seen.".to_owned()),
        )
    } else if findings.is_empty() {
        (PickleState::Pass, None)
    } else {
        (
            PickleState::Unknown,
            Some("It imports names that are not on the list of harmless ones.".to_owned()),
        )
    };
    PickleScan {
        file: path.to_owned(),
        state,
        reason,
        findings,
    }
}

/// Pickles one behind the other, as `torch.save` wrote them before it used archives.
fn scan_pickles(bytes: &[u8], walk: &mut Walk, complete: bool) -> Result<(), &'static str> {
    let mut at = 0;
    for pickle in 0..MAX_PICKLES {
        if pickle > 0 && bytes.get(at) != Some(&0x80) {
            // Raw tensor bytes follow, or nothing.
            return Ok(());
        }
        match scan_one(&bytes[at..], walk) {
            Ok(length) => at += length,
            Err(_) if !complete => return Err(CUT),
            Err(reason) => return Err(reason),
        }
        if at >= bytes.len() {
            return if complete { Ok(()) } else { Err(CUT) };
        }
    }
    Err("It holds more pickles than are read.")
}

/// The pickles in an archive (PyTorch since 1.6 stores them without compression, the program first).
fn scan_zip(bytes: &[u8], walk: &mut Walk) -> Result<(), &'static str> {
    let u16_at = |at: usize| {
        bytes
            .get(at..at + 2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
    };
    let u32_at = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    };
    let mut at = 0;
    let mut found = false;
    // Each turn moves at least 30 bytes on.
    while bytes.get(at..at + 4) == Some(b"PK\x03\x04") {
        let (Some(flags), Some(method), Some(size), Some(name_length), Some(extra_length)) = (
            u16_at(at + 6),
            u16_at(at + 8),
            u32_at(at + 18),
            u16_at(at + 26),
            u16_at(at + 28),
        ) else {
            return Err(CUT);
        };
        let data = at + 30 + usize::from(name_length) + usize::from(extra_length);
        let Some(name) = bytes.get(at + 30..at + 30 + usize::from(name_length)) else {
            return Err(CUT);
        };
        let is_pickle = name.ends_with(b".pkl") || name.ends_with(b".pickle");
        let mut next = data.saturating_add(size as usize);
        if is_pickle {
            if method != 0 || flags & 1 != 0 {
                return Err("The pickle in the archive is compressed or encrypted.");
            }
            let body = bytes.get(data..).ok_or(CUT)?;
            let length = scan_one(body, walk)?;
            found = true;
            next = next.max(data + length);
        }
        if flags & 8 != 0 && size == 0 {
            // Sizes stand behind the data: look for the next entry.
            let rest = bytes.get(next..).unwrap_or_default();
            match rest
                .windows(4)
                .position(|w| w == b"PK\x03\x04" || w == b"PK\x01\x02")
            {
                Some(offset) => next += offset,
                None => break,
            }
        }
        at = next;
    }
    if found {
        Ok(())
    } else {
        Err("No pickle was found in the part of the archive that was read.")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `pickle.dumps` of an object whose `__reduce__` gives `os.system("id")`, protocol 0 and 4.
    const PROTOCOL_0: &[u8] = b"cposix\nsystem\np0\n(Vid\np1\ntp2\nRp3\n.";
    const PROTOCOL_4: &[u8] = b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";
    const HARMLESS: &[u8] = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01.";

    fn zip(name: &str, body: &[u8], method: u16) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\x00\x00\x00".to_vec();
        out.extend(method.to_le_bytes());
        out.extend([0; 8]);
        out.extend((body.len() as u32).to_le_bytes());
        out.extend((body.len() as u32).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out.extend(name.as_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn commands_are_found_in_every_wrapping() {
        for (bytes, what) in [
            (PROTOCOL_0.to_vec(), "protocol 0"),
            (PROTOCOL_4.to_vec(), "protocol 4"),
            (zip("archive/data.pkl", PROTOCOL_4, 0), "archive"),
            ([HARMLESS, PROTOCOL_4].concat(), "second of two"),
        ] {
            let scan = scan_model_file("m.pt", &bytes, true);
            assert_eq!(scan.state, PickleState::Fail, "{what}");
            assert_eq!(scan.findings[0].import, "posix.system", "{what}");
        }
    }

    #[test]
    fn a_name_from_the_memo_is_seen_and_a_computed_one_is_not_trusted() {
        // "posix" and "system" are pushed, memoised, popped, and fetched again.
        let memo = b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x9400h\x00h\x01\x93.";
        assert_eq!(
            scan_model_file("m.pkl", memo, true).state,
            PickleState::Fail
        );
        let computed = b"\x80\x04\x8c\x05posixN\x93.";
        assert_eq!(
            scan_model_file("m.pkl", computed, true).state,
            PickleState::NotScannable
        );
    }

    #[test]
    fn the_states_are_told_apart() {
        assert_eq!(
            scan_model_file("m.pkl", HARMLESS, true).state,
            PickleState::Pass
        );
        assert_eq!(
            scan_model_file("m.pkl", b"csklearn.tree\nTree\n.", true).state,
            PickleState::Unknown
        );
        assert_eq!(
            scan_model_file("m.pkl", HARMLESS, false).state,
            PickleState::NotScannable
        );
        assert_eq!(
            scan_model_file("m.pkl", b"\x78\x9cxxxx", true).state,
            PickleState::NotScannable
        );
        assert_eq!(
            scan_model_file("m.pt", &zip("a/data.pkl", HARMLESS, 8), true).state,
            PickleState::NotScannable
        );
        assert_eq!(
            scan_model_file("m.pt", &zip("a/data.bin", HARMLESS, 0), true).state,
            PickleState::NotScannable
        );
        assert_eq!(
            scan_model_file("m.pkl", b"cbuiltins\neval\n.", true).state,
            PickleState::Fail
        );
    }

    #[test]
    fn the_worst_file_decides() {
        let fact = PickleFact::of(vec![
            scan_model_file("a", HARMLESS, true),
            scan_model_file("b", PROTOCOL_0, true),
        ])
        .unwrap();
        assert_eq!(fact.state, PickleState::Fail);
        assert_eq!(fact.dangerous().count(), 1);
        assert_eq!(PickleFact::of(vec![]), None);
    }

    #[test]
    fn names_of_files_that_run_code() {
        for name in [
            "models/model.pkl",
            "x.PT",
            "pytorch_model-00001-of-00002.bin",
            "models/model.joblib",
        ] {
            assert!(is_pickle_name(name), "{name}");
        }
        for name in [
            "model.safetensors",
            "openvino_model.bin",
            "vocab.bin",
            "config.json",
            "pkl",
        ] {
            assert!(!is_pickle_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400), complete in any::<bool>()) {
            let _ = scan_model_file("m.pkl", &bytes, complete);
        }

        #[test]
        fn any_archive_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan_model_file("m.pt", &[b"PK\x03\x04", bytes.as_slice()].concat(), true);
        }

        #[test]
        fn any_lengths_are_answered(opcode in prop::sample::select(vec![b'X', b'T', 0x8d, 0x8e, 0x96, b'B', 0x8b]), length in any::<u64>()) {
            let mut bytes = vec![opcode];
            bytes.extend(length.to_le_bytes());
            let _ = scan_model_file("m.pkl", &bytes, true);
        }
    }
}
