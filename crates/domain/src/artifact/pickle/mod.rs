//! Model files that run code when they are loaded. A pickle is a program; the names that it imports
//! show what it can do. This reads the opcodes (Python's `pickletools`, protocols 0 to 5) and never
//! runs them.

mod archive;
mod names;
mod walk;

use serde::{Deserialize, Serialize};

use self::{
    archive::scan_archive,
    names::danger,
    walk::{BROKEN, CUT, Walk, scan_one},
};
use super::malformed::clean;

/// Most pickles in one file, one behind the other.
const MAX_PICKLES: usize = 64;
/// How the first pickle of a file of `torch.save` before 1.6 ends: the number that marks such a file
/// (torch/serialization.py, `MAGIC_NUMBER`), and STOP.
const TORCH_MAGIC: [u8; 13] = *b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// Pickles in such a file: magic number, protocol, system, objects, keys of the storages.
const TORCH_PICKLES: usize = 5;

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
    /// The worst of the files; no pass where not all files are known.
    pub state: PickleState,
    /// The files.
    pub files: Vec<PickleScan>,
}

impl PickleFact {
    /// Puts the files together; `None` when there are none. `complete` says whether these are all
    /// that the artifact holds.
    pub fn of(files: Vec<PickleScan>, complete: bool) -> Option<Self> {
        let least = if complete {
            PickleState::Pass
        } else {
            PickleState::NotScannable
        };
        let state = files.iter().map(|f| f.state).max()?.max(least);
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
    let outcome = if head.starts_with(archive::FILE) {
        scan_archive(head, &mut walk, complete)
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

/// Pickles one behind the other, to the end of the file. `torch.save`, before it used archives,
/// wrote five and then the tensors' bytes, which no reader takes for pickles.
fn scan_pickles(bytes: &[u8], walk: &mut Walk, complete: bool) -> Result<(), &'static str> {
    let broken = if complete { BROKEN } else { CUT };
    let mut at = 0;
    let mut torch = false;
    for pickle in 0..MAX_PICKLES {
        if pickle == TORCH_PICKLES && torch {
            return Ok(());
        }
        if at >= bytes.len() {
            return if complete { Ok(()) } else { Err(CUT) };
        }
        // Protocols 0 and 1 begin with no mark of theirs: whatever follows may be a program.
        let length = scan_one(&bytes[at..], walk).map_err(|_| broken)?;
        if pickle == 0 {
            torch = bytes[..length].ends_with(&TORCH_MAGIC) && !is_tar(bytes);
        }
        at += length;
    }
    Err("It holds more pickles than are read.")
}

/// Whether Python's `tarfile` would take this for an archive: torch asks that first, and would read
/// other pickles than those that the file begins with. Only the checksum decides.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..512) else {
        return false;
    };
    let field = &header[148..156];
    let said = if matches!(field[0], 0x80 | 0xff) {
        let digits = field[1..].iter().fold(0i64, |n, b| n << 8 | i64::from(*b));
        Some(if field[0] == 0xff {
            digits - (1 << 56)
        } else {
            digits
        })
    } else {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        std::str::from_utf8(&field[..end])
            .ok()
            .and_then(|text| i64::from_str_radix(text.trim(), 8).ok())
    };
    let sum = |of: fn(u8) -> i64| -> i64 {
        let all: i64 = header.iter().map(|b| of(*b)).sum();
        all - field.iter().map(|b| of(*b)).sum::<i64>() + 8 * i64::from(b' ')
    };
    said == Some(sum(i64::from)) || said == Some(sum(|b| i64::from(b.cast_signed())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        archive::testing::{end, file, zip},
        *,
    };

    /// `pickle.dumps` of an object whose `__reduce__` gives `os.system("id")`, protocol 0 and 4.
    const PROTOCOL_0: &[u8] = b"cposix\nsystem\np0\n(Vid\np1\ntp2\nRp3\n.";
    const PROTOCOL_4: &[u8] = b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";
    const HARMLESS: &[u8] = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01.";

    #[test]
    fn commands_are_found_in_every_wrapping() {
        for (bytes, what) in [
            (PROTOCOL_0.to_vec(), "protocol 0"),
            (PROTOCOL_4.to_vec(), "protocol 4"),
            (zip("archive/data.pkl", PROTOCOL_4, 0), "archive"),
            ([HARMLESS, PROTOCOL_4].concat(), "second of two"),
            ([HARMLESS, PROTOCOL_0].concat(), "second of two, unmarked"),
        ] {
            let scan = scan_model_file("m.pt", &bytes, true);
            assert_eq!(scan.state, PickleState::Fail, "{what}");
            assert_eq!(scan.findings[0].import, "posix.system", "{what}");
        }
    }

    /// A file of `torch.save` before 1.6: these objects, then a tensor's bytes.
    fn torch(objects: &[u8]) -> Vec<u8> {
        let magic: &[u8] = &[b"\x80\x02", TORCH_MAGIC.as_slice()].concat();
        let keys: &[u8] = b"\x80\x02]q\x00.";
        [
            magic,
            b"\x80\x02M\xe9\x03.",
            b"\x80\x02}q\x00.",
            objects,
            keys,
            &[1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        ]
        .concat()
    }

    #[test]
    fn only_what_torch_wrote_may_end_in_something_else() {
        let state = |bytes: &[u8], complete| scan_model_file("m.pt", bytes, complete).state;
        let harmless = torch(HARMLESS);
        assert_eq!(state(&harmless, true), PickleState::Pass);
        assert_eq!(state(&harmless, false), PickleState::Pass);
        assert_eq!(state(&torch(PROTOCOL_0), true), PickleState::Fail);
        let junk = [HARMLESS, &[0xff, 0xff]].concat();
        assert_eq!(state(&junk, true), PickleState::NotScannable);
        // The same file as an archive of tar, which torch would read instead.
        let mut tar = harmless;
        tar.resize(512, 0);
        tar[148..156].copy_from_slice(b"        ");
        let sum: u32 = tar.iter().map(|b| u32::from(*b)).sum();
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(state(&tar, true), PickleState::NotScannable);
    }

    #[test]
    fn an_archive_is_what_its_directory_names() {
        let state = |bytes: &[u8], complete| scan_model_file("m.pt", bytes, complete).state;
        let name = "archive/data.pkl";
        let harmless = zip(name, HARMLESS, 0);
        assert_eq!(state(&harmless, true), PickleState::Pass);
        // Its directory was not seen.
        assert_eq!(state(&harmless, false), PickleState::NotScannable);
        assert_eq!(state(&zip(name, PROTOCOL_4, 0), false), PickleState::Fail);
        // A harmless pickle that the directory does not name, a byte, and the real one.
        let decoy = [file(name, HARMLESS, 0), vec![0]].concat();
        let real = file(name, PROTOCOL_4, 0);
        let both = [decoy.clone(), real].concat();
        let last = end(name, PROTOCOL_4, 0, decoy.len(), both.len());
        assert_eq!(state(&[both, last].concat(), true), PickleState::Fail);
        // Something behind the end, or places that are shifted by what stands before.
        for odd in [
            [harmless.clone(), vec![0]].concat(),
            [decoy, harmless].concat(),
        ] {
            assert_eq!(state(&odd, true), PickleState::NotScannable);
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
        let fact = PickleFact::of(
            vec![
                scan_model_file("a", HARMLESS, true),
                scan_model_file("b", PROTOCOL_0, true),
            ],
            true,
        )
        .unwrap();
        assert_eq!(fact.state, PickleState::Fail);
        assert_eq!(fact.dangerous().count(), 1);
        assert_eq!(PickleFact::of(vec![], true), None);
        // Where there may be more files, harmless ones are no pass.
        for (complete, state) in [
            (true, PickleState::Pass),
            (false, PickleState::NotScannable),
        ] {
            let files = vec![scan_model_file("a", HARMLESS, true)];
            assert_eq!(PickleFact::of(files, complete).unwrap().state, state);
        }
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
