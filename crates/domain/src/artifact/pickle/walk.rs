//! The opcodes of one pickle (Python's `pickletools`, protocols 0 to 5), read and never run.

use std::{collections::HashMap, rc::Rc};

/// Most imports of one file that are kept.
const KEPT_IMPORTS: usize = 200;
/// Most opcodes of one pickle that are read.
const MAX_OPCODES: usize = 4_000_000;
/// Most remembered values of one pickle.
const MAX_MEMO: usize = 500_000;

/// What is said of bytes that are no pickle.
pub(super) const BROKEN: &str = "It is not a pickle that can be read to its end.";
/// What is said of a file that is larger than is read.
pub(super) const CUT: &str = "Only its beginning was read.";

/// What a value on the pickle machine's stack is, as far as imports need it.
#[derive(Clone)]
enum Pushed {
    Text(Rc<str>),
    Other,
}

/// What was seen so far in the pickles of one file.
#[derive(Default)]
pub(super) struct Walk {
    /// Module and name of each import.
    pub(super) imports: std::collections::BTreeSet<(String, String)>,
    /// A name was imported that could not be seen.
    pub(super) hidden: bool,
}

/// One pickle from its beginning to its STOP; its length.
pub(super) fn scan_one(bytes: &[u8], walk: &mut Walk) -> Result<usize, &'static str> {
    let mut at = 0;
    // The last two values pushed are what STACK_GLOBAL takes.
    let mut last: [Pushed; 2] = [Pushed::Other, Pushed::Other];
    let mut memo: HashMap<u64, Pushed> = HashMap::new();
    let mut next_memo = 0u64;
    for _ in 0..MAX_OPCODES {
        if memo.len() > MAX_MEMO {
            break;
        }
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
            Pushed::Text(t.into())
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
