//! Model files that run code when they are loaded. A pickle is a program; the names that it imports
//! show what it can do. This reads the opcodes (Python's `pickletools`, protocols 0 to 5) and never
//! runs them.

use serde::{Deserialize, Serialize};

use super::malformed::clean;

/// Most imports of one file that are kept.
const KEPT_IMPORTS: usize = 200;
/// Most opcodes of one file that are read.
const MAX_OPCODES: usize = 4_000_000;
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

/// What a value on the pickle machine's stack is, as far as imports need it.
#[derive(Clone)]
enum Pushed {
    Text(String),
    Other,
}

#[derive(Default)]
struct Walk {
    imports: std::collections::BTreeSet<(String, String)>,
    /// A name was imported that could not be seen.
    hidden: bool,
}

const BROKEN: &str = "It is not a pickle that can be read to its end.";
const CUT: &str = "Only its beginning was read.";

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

/// One pickle from its beginning to its STOP; its length.
fn scan_one(bytes: &[u8], walk: &mut Walk) -> Result<usize, &'static str> {
    let mut at = 0;
    // The last two values pushed are what STACK_GLOBAL takes.
    let mut last: [Pushed; 2] = [Pushed::Other, Pushed::Other];
    let mut memo: std::collections::HashMap<u64, Pushed> = std::collections::HashMap::new();
    let mut next_memo = 0u64;
    for _ in 0..MAX_OPCODES {
        let opcode = *bytes.get(at).ok_or(BROKEN)?;
        at += 1;
        let mut take = |length: u64| -> Result<&[u8], &'static str> {
            let end = usize::try_from(length)
                .ok()
                .and_then(|l| at.checked_add(l))
                .ok_or(BROKEN)?;
            let slice = bytes.get(at..end).ok_or(BROKEN)?;
            at = end;
            Ok(slice)
        };
        let mut push = |value: Pushed| {
            last.swap(0, 1);
            last[1] = value;
        };
        match opcode {
            b'.' => return Ok(at),
            // Texts.
            b'X' | b'T' => {
                let length = little(take(4)?);
                push(text(take(length)?));
            }
            b'U' | 0x8c => {
                let length = little(take(1)?);
                push(text(take(length)?));
            }
            0x8d => {
                let length = little(take(8)?);
                push(text(take(length)?));
            }
            b'V' | b'S' => {
                let (line, length) = line(bytes, at)?;
                at += length;
                push(text(
                    line.trim_matches(|c| c == '\'' || c == '"').as_bytes(),
                ));
            }
            // Bytes.
            b'B' | 0x8e | 0x96 => {
                let length = little(take(if opcode == b'B' { 4 } else { 8 })?);
                take(length)?;
                push(Pushed::Other);
            }
            b'C' => {
                let length = little(take(1)?);
                take(length)?;
                push(Pushed::Other);
            }
            // Numbers.
            b'I' | b'L' | b'F' => {
                at += line(bytes, at)?.1;
                push(Pushed::Other);
            }
            b'J' => {
                take(4)?;
                push(Pushed::Other);
            }
            b'K' => {
                take(1)?;
                push(Pushed::Other);
            }
            b'M' => {
                take(2)?;
                push(Pushed::Other);
            }
            b'G' => {
                take(8)?;
                push(Pushed::Other);
            }
            0x8a | 0x8b => {
                let length = little(take(if opcode == 0x8a { 1 } else { 4 })?);
                take(length)?;
                push(Pushed::Other);
            }
            // The memo.
            b'q' | b'r' => {
                let index = little(take(if opcode == b'q' { 1 } else { 4 })?);
                memo.insert(index, last[1].clone());
            }
            b'p' => {
                let (number, length) = line(bytes, at)?;
                memo.insert(number.parse().map_err(|_| BROKEN)?, last[1].clone());
                at += length;
            }
            0x94 => {
                memo.insert(next_memo, last[1].clone());
                next_memo += 1;
            }
            b'h' | b'j' => {
                let index = little(take(if opcode == b'h' { 1 } else { 4 })?);
                push(memo.get(&index).cloned().unwrap_or(Pushed::Other));
            }
            b'g' => {
                let (number, length) = line(bytes, at)?;
                let value = number
                    .parse()
                    .ok()
                    .and_then(|index: u64| memo.get(&index).cloned());
                push(value.unwrap_or(Pushed::Other));
                at += length;
            }
            // Imports.
            b'c' | b'i' => {
                let (module, first) = line(bytes, at)?;
                let (name, second) = line(bytes, at + first)?;
                walk.import(module, name);
                at += first + second;
                push(Pushed::Other);
            }
            0x93 => {
                match &last {
                    [Pushed::Text(module), Pushed::Text(name)] => walk.import(module, name),
                    _ => walk.hidden = true,
                }
                last = [Pushed::Other, Pushed::Other];
            }
            0x82..=0x84 => {
                // Names registered in the reader's own process: nobody uses them, nothing to see.
                take([1, 2, 4][usize::from(opcode - 0x82)])?;
                walk.hidden = true;
                push(Pushed::Other);
            }
            b'P' => {
                at += line(bytes, at)?.1;
                push(Pushed::Other);
            }
            // Frame and protocol.
            0x80 => {
                if little(take(1)?) > 5 {
                    return Err(BROKEN);
                }
            }
            0x95 => {
                take(8)?;
            }
            // What pushes or pops without an argument. Popping forgets the texts, which can only
            // turn a visible import into a hidden one.
            b'('
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'R'
            | b'Q'
            | b'a'
            | b'b'
            | b'd'
            | b'e'
            | b'l'
            | b'o'
            | b's'
            | b't'
            | b'u'
            | b'}'
            | b']'
            | b')'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x92
            | 0x97
            | 0x98 => push(Pushed::Other),
            _ => return Err(BROKEN),
        }
    }
    Err("It is longer than is read.")
}

impl Walk {
    fn import(&mut self, module: &str, name: &str) {
        if self.imports.len() < KEPT_IMPORTS {
            self.imports.insert((module.to_owned(), name.to_owned()));
        } else {
            self.hidden = true;
        }
    }
}

/// A little-endian number of at most eight bytes.
fn little(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(bytes: &[u8]) -> Pushed {
    std::str::from_utf8(bytes).map_or(Pushed::Other, |t| {
        if t.len() <= 500 {
            Pushed::Text(t.to_owned())
        } else {
            Pushed::Other
        }
    })
}

/// A line from `at` on, and its length with the line end.
fn line(bytes: &[u8], at: usize) -> Result<(&str, usize), &'static str> {
    let rest = bytes.get(at..).ok_or(BROKEN)?;
    let end = rest
        .iter()
        .take(10_000)
        .position(|b| *b == b'\n')
        .ok_or(BROKEN)?;
    let text = std::str::from_utf8(&rest[..end]).map_err(|_| BROKEN)?;
    Ok((text, end + 1))
}

/// `None`: harmless. `Some(false)`: not known. `Some(true)`: dangerous.
fn danger(module: &str, name: &str) -> Option<bool> {
    let root = module.split('.').next().unwrap_or(module);
    const DANGEROUS_ROOTS: &[&str] = &[
        "os",
        "posix",
        "nt",
        "sys",
        "subprocess",
        "socket",
        "shutil",
        "pty",
        "runpy",
        "webbrowser",
        "importlib",
        "ctypes",
        "code",
        "codeop",
        "commands",
        "requests",
        "urllib",
        "urllib2",
        "urllib3",
        "http",
        "httplib",
        "aiohttp",
        "httpx",
        "ftplib",
        "smtplib",
        "asyncio",
        "bdb",
        "pdb",
        "pip",
        "pydoc",
        "timeit",
        "marshal",
        "multiprocessing",
        "signal",
        "threading",
        "tempfile",
        "pathlib",
        "glob",
        "platform",
        "profile",
        "cProfile",
        "pkgutil",
        "zipimport",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "distutils",
        "setuptools",
        "paramiko",
        "dill",
        "cloudpickle",
        "pickle",
        "_pickle",
        "joblib",
        "inspect",
        "types",
        "gc",
        "builtins",
        "__builtin__",
        "operator",
        "_operator",
        "functools",
        "_io",
        "io",
        "torch.hub",
        "linecache",
        "trace",
        "venv",
        "ssl",
        "telnetlib",
        "xmlrpc",
        "cffi",
        "numba",
    ];
    let safe = match module {
        "collections" | "_codecs" | "datetime" | "decimal" | "fractions" | "uuid" | "enum"
        | "array" | "copyreg" | "copy_reg" => !matches!(name, "lookup" | "register" | "open"),
        "builtins" | "__builtin__" => matches!(
            name,
            "set"
                | "frozenset"
                | "list"
                | "dict"
                | "tuple"
                | "int"
                | "float"
                | "str"
                | "bytes"
                | "bytearray"
                | "bool"
                | "complex"
                | "object"
                | "slice"
                | "range"
        ),
        "functools" => false,
        "torch" => {
            name.ends_with("Storage")
                || matches!(
                    name,
                    "Size"
                        | "Tensor"
                        | "device"
                        | "dtype"
                        | "float16"
                        | "float32"
                        | "float64"
                        | "bfloat16"
                        | "int8"
                        | "int16"
                        | "int32"
                        | "int64"
                        | "uint8"
                        | "bool"
                )
        }
        "torch._utils" => name.starts_with("_rebuild_"),
        "torch.nn.parameter" => matches!(name, "Parameter" | "Buffer"),
        "torch.storage" => matches!(name, "UntypedStorage" | "TypedStorage" | "_load_from_bytes"),
        "torch.serialization" => name == "_get_layout",
        "numpy" => matches!(
            name,
            "dtype" | "ndarray" | "float32" | "float64" | "int32" | "int64" | "bool_" | "generic"
        ),
        "numpy.core.multiarray" | "numpy._core.multiarray" => {
            matches!(name, "_reconstruct" | "scalar")
        }
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "joblib.numpy_pickle" => name == "NumpyArrayWrapper",
        "scipy.sparse._csr" | "scipy.sparse._csc" => true,
        _ => false,
    };
    if safe {
        return None;
    }
    let dangerous = DANGEROUS_ROOTS.contains(&root)
        || DANGEROUS_ROOTS.contains(&module)
        || name.contains("__import__")
        || name.contains("system");
    Some(dangerous)
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
