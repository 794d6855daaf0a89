//! Small model files written by hand: Python pickles (protocol 4, PEP 3154) and UBJSON.
//!
//! A pickle is a program, and these are assembled opcode by opcode so that no Python has to run.

use serde_json::Value;

/// A pickle under way.
#[derive(Debug)]
pub(super) struct Pickle {
    bytes: Vec<u8>,
}

impl Pickle {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0x80, 4],
        }
    }

    /// `SHORT_BINUNICODE` and `MEMOIZE`.
    fn text(&mut self, text: &str) {
        let length = u8::try_from(text.len()).expect("texts here are short");
        self.bytes.extend([0x8c, length]);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0x94);
    }

    /// `STACK_GLOBAL`: an import.
    fn import(&mut self, module: &str, name: &str) {
        self.text(module);
        self.text(name);
        self.bytes.extend([0x93, 0x94]);
    }

    /// An object made without its constructor (`EMPTY_TUPLE`, `NEWOBJ`), whose settings follow:
    /// `EMPTY_DICT`, `MARK`.
    pub(super) fn object(&mut self, module: &str, name: &str) {
        self.import(module, name);
        self.bytes.extend([b')', 0x81, 0x94, b'}', 0x94, b'(']);
    }

    /// Settings that are texts.
    pub(super) fn settings(&mut self, settings: &[(&str, &str)]) {
        for (name, value) in settings {
            self.text(name);
            self.text(value);
        }
    }

    /// A setting that is a number (`BININT2`).
    pub(super) fn number(&mut self, name: &str, value: u16) {
        self.text(name);
        self.bytes.push(b'M');
        self.bytes.extend(value.to_le_bytes());
    }

    /// `SETITEMS`, `BUILD`.
    pub(super) fn end_settings(&mut self) {
        self.bytes.extend([b'u', b'b']);
    }

    /// A call with one text (`TUPLE1`, `REDUCE`).
    pub(super) fn call(&mut self, module: &str, name: &str, argument: &str) {
        self.import(module, name);
        self.text(argument);
        self.bytes.extend([0x85, 0x94, b'R', 0x94]);
    }

    /// `STOP`.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'.');
        self.bytes
    }
}

/// A JSON value as Universal Binary JSON (draft 12), which XGBoost calls `ubj`.
pub(super) fn ubjson(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(b'Z'),
        Value::Bool(true) => out.push(b'T'),
        Value::Bool(false) => out.push(b'F'),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => int(out, whole),
            None => {
                out.push(b'D');
                out.extend(number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => {
            out.push(b'S');
            name(out, text);
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write(out, item);
            }
            out.push(b']');
        }
        Value::Object(entries) => {
            out.push(b'{');
            for (key, value) in entries {
                name(out, key);
                write(out, value);
            }
            out.push(b'}');
        }
    }
}

fn name(out: &mut Vec<u8>, text: &str) {
    int(out, text.len() as i64);
    out.extend(text.as_bytes());
}

fn int(out: &mut Vec<u8>, number: i64) {
    out.push(b'L');
    out.extend(number.to_be_bytes());
}
