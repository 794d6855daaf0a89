//! `gatehouse verify`: checks evidence and checkpoints with the log's public key alone, offline.

use audit::{
    checkpoint::{self, Head},
    evidence::{Checked, MAX_LINE_BYTES, Reader},
};
use domain::{Error, Result};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// What is to be checked, and by what.
#[derive(clap::Args)]
pub struct Verify {
    /// Evidence, as the Audit page hands it out.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A public key of the log (name+id+key), as the Audit page and /log/keys show it; or a file with
    /// one in each line. May be given more than once.
    #[arg(long, required = true)]
    key: Vec<String>,
    /// A checkpoint that you keep yourself: the note alone, or the file that the console appends to.
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
}

/// Prints what is so. False when something is not as it should be.
pub fn verify(args: &Verify) -> bool {
    let keys = match keys(&args.key) {
        Ok(keys) => keys,
        Err(e) => return failed("--key", &e),
    };
    let mut held = Vec::new();
    for file in &args.checkpoint {
        match checkpoints(file, &keys) {
            Ok(heads) => held.extend(heads),
            Err(e) => return failed(&file.display().to_string(), &e),
        }
    }
    let mut good = true;
    for file in &args.files {
        match evidence(file, &keys, &held) {
            Ok(checked) => println!("{}", words(file, &checked, &held)),
            Err(e) => good = failed(&file.display().to_string(), &e),
        }
    }
    good
}

fn failed(what: &str, e: &Error) -> bool {
    eprintln!("{what}: {}.", e.message);
    if let Some(remedy) = &e.remedy {
        eprintln!("{remedy}");
    }
    false
}

fn keys(given: &[String]) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for text in given {
        let file = Path::new(text);
        let lines = if file.is_file() {
            read(file)?
        } else {
            text.clone()
        };
        for line in lines.lines().filter(|l| !l.trim().is_empty()) {
            checkpoint::check_key(line)?;
            keys.push(line.trim().to_owned());
        }
    }
    Ok(keys)
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|f| f.take(64 * 1024 * 1024).read_to_string(&mut text))
        .map_err(|_| Error::invalid("it cannot be read as text"))?;
    Ok(text)
}

/// The heads of a note, or of each line of the console's file.
fn checkpoints(file: &Path, keys: &[String]) -> Result<Vec<Head>> {
    let text = read(file)?;
    if !text.starts_with('{') {
        return Ok(vec![checkpoint::open(&text, keys)?]);
    }
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line)
                .map_err(|_| Error::invalid("a line of it is no checkpoint"))?;
            checkpoint::open(line["checkpoint"].as_str().unwrap_or_default(), keys)
        })
        .collect()
}

fn evidence(file: &Path, keys: &[String], held: &[Head]) -> Result<Checked> {
    let open = File::open(file).map_err(|_| Error::invalid("it cannot be opened"))?;
    let mut lines = BufReader::new(open);
    let mut reader = Reader::new(keys);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE_BYTES as u64 + 2;
        let n = (&mut lines)
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|_| Error::invalid("it cannot be read"))?;
        if n == 0 {
            break;
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| Error::invalid("a line of it is no text: it was changed"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or_else(|| Error::invalid("its last line was cut off"))?;
        reader.line(text)?;
    }
    let checked = reader.end()?;
    for head in held.iter().filter(|h| h.origin == checked.head.origin) {
        if head.size == checked.head.size && head.root != checked.head.root {
            return Err(Error::invalid(format!(
                "it is of another log than the checkpoint of {} records that you keep: the log was rewritten",
                head.size
            )));
        }
    }
    Ok(checked)
}

fn words(file: &Path, c: &Checked, held: &[Head]) -> String {
    let (heading, head) = (&c.heading, &c.head);
    let what = if heading.filter.is_null() {
        format!(
            "records {} to {} ({}) are all there and as the log has them",
            heading.first, heading.last, c.records
        )
    } else {
        format!(
            "{} records between {} and {} are as the log has them; whether the filter {} left any out is not proven",
            c.records, heading.first, heading.last, heading.filter
        )
    };
    let end = if held
        .iter()
        .any(|h| h.origin == head.origin && h.size == head.size)
    {
        "It ends where the checkpoint that you keep does."
    } else {
        "End not proven: no checkpoint that you keep says how long the log was."
    };
    format!(
        "{}: {what}, under the checkpoint of {} records of {}. {end}",
        file.display(),
        head.size,
        head.origin
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::{
        checkpoint::SigningKey,
        evidence::{closing, heading, record_line, tile_line},
        tree::{Frontier, leaf},
    };

    const ORIGIN: &str = "gatehouse.example/audit";

    fn key(seed: u8) -> SigningKey {
        SigningKey::new(ORIGIN, &[seed; 32]).unwrap()
    }

    fn head(records: &[&[u8]]) -> Head {
        let mut frontier = Frontier::empty();
        records.iter().for_each(|r| frontier.append(leaf(r)));
        Head {
            origin: ORIGIN.into(),
            size: frontier.size(),
            root: frontier.root(),
        }
    }

    fn args(dir: &Path, text: &str, held: Option<&str>) -> Verify {
        std::fs::write(dir.join("e.jsonl"), text).unwrap();
        Verify {
            files: vec![dir.join("e.jsonl")],
            key: vec![key(1).verifier_key().into()],
            checkpoint: held
                .map(|note| {
                    std::fs::write(dir.join("held"), note).unwrap();
                    dir.join("held")
                })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn a_file_is_what_the_log_has_or_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let records: [&[u8]; 2] = [br#"{"seq":1}"#, br#"{"seq":2}"#];
        let head = head(&records);
        let note = checkpoint::sign(&head, &[key(1)]).unwrap();
        let leaves = records.map(leaf);
        let text = [
            heading(&note, 1, 2, serde_json::Value::Null).unwrap(),
            tile_line(0, &leaves, &[], &Frontier::empty()).unwrap(),
            record_line(records[0], None).unwrap(),
            record_line(records[1], None).unwrap(),
            closing(2).unwrap(),
        ]
        .concat();
        let dir = dir.path();
        assert!(verify(&args(dir, &text, None)));
        assert!(verify(&args(dir, &text, Some(&note))));
        let file = format!("{}\n", serde_json::json!({ "checkpoint": note }));
        assert!(verify(&args(dir, &text, Some(&file))));
        assert!(!verify(&args(
            dir,
            &text.replace("\"seq\":2", "\"seq\":3"),
            None
        )));
        assert!(!verify(&args(dir, text.trim_end(), None)));
        assert!(!verify(&args(dir, "", None)));

        // The console's own key over another history of the same length.
        let other = self::head(&[records[1], records[0]]);
        let forged = checkpoint::sign(&other, &[key(1)]).unwrap();
        assert!(!verify(&args(dir, &text, Some(&forged))));
        let strangers = checkpoint::sign(&head, &[key(2)]).unwrap();
        assert!(!verify(&args(dir, &text, Some(&strangers))));
    }
}
