use super::*;
use crate::{
    checkpoint::{Head, SigningKey, sign},
    tree::{Edge, Plan, TILE_WIDTH, Tiles, frontier_of, inclusion, leaf},
};
use serde_json::json;
use std::collections::BTreeMap;

const ORIGIN: &str = "gatehouse.example/audit";

fn key() -> SigningKey {
    SigningKey::new(ORIGIN, &[1; 32]).unwrap()
}

fn stored(seq: u64) -> Vec<u8> {
    let record = json!({"seq": seq, "action": if seq.is_multiple_of(3) { "change.submit" } else { "session.start" }, "v": 1});
    serde_json_canonicalizer::to_vec(&record).unwrap()
}

struct Log {
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
    head: Head,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut edge = Edge::new(0, |_| None).unwrap();
        (1..=size).for_each(|seq| edge.append(leaf(&stored(seq))));
        Self {
            head: Head {
                origin: ORIGIN.into(),
                size,
                root: edge.frontier().root(),
            },
            tiles: edge
                .changed()
                .into_iter()
                .map(|(level, index, bytes)| ((level, index), bytes))
                .collect(),
        }
    }

    fn answered<T>(&self, ask: impl Fn(&Tiles) -> Result<Plan<T>, domain::Error>) -> T {
        let mut have = Tiles::new();
        loop {
            match ask(&have).unwrap() {
                Plan::Done(t) => return t,
                Plan::Read(ids) => have.extend(
                    ids.into_iter()
                        .map(|id| (id, self.tiles[&(id.level, id.index)][..id.bytes()].to_vec())),
                ),
            }
        }
    }

    /// Evidence of the records from `first` to `last` that `wanted` picks.
    fn evidence(
        &self,
        first: u64,
        last: u64,
        filter: Value,
        wanted: impl Fn(u64) -> bool,
    ) -> Vec<String> {
        let (size, root) = (self.head.size, self.head.root);
        let note = sign(&self.head, &[key()]).unwrap();
        let mut lines = vec![heading(&note, first, last, filter).unwrap()];
        let (mut tile, mut records) = (None, 0);
        for seq in (first..=last).filter(|s| wanted(*s)) {
            let index = (seq - 1) / TILE_WIDTH as u64;
            if tile.replace(index) != Some(index) {
                let begin = index * TILE_WIDTH as u64;
                let end = size.min(begin + TILE_WIDTH as u64);
                let leaves: Vec<Hash> = (begin..end).map(|i| leaf(&stored(i + 1))).collect();
                let proof = self.answered(|have| inclusion(size, root, begin, have));
                let before = self.answered(|have| frontier_of(size, root, begin, have));
                lines.push(tile_line(index, &leaves, &proof, &before).unwrap());
            }
            lines.push(record_line(&stored(seq), None).unwrap());
            records += 1;
        }
        lines.push(closing(records).unwrap());
        lines
    }
}

fn read(lines: &[String]) -> Result<Checked, domain::Error> {
    let keys = [key().verifier_key().to_owned()];
    let mut reader = Reader::new(&keys);
    for line in lines {
        reader.line(line.trim_end_matches('\n'))?;
    }
    reader.end()
}

fn refused(lines: &[String]) -> String {
    read(lines).expect_err("it was changed").message
}

#[test]
fn evidence_is_what_the_log_has() {
    for size in [1, 5, 256, 257, 600, 1024] {
        let log = Log::of(size);
        for (first, last) in [(1, size), (size, size), (size / 2 + 1, size)] {
            let lines = log.evidence(first, last, Value::Null, |_| true);
            let checked =
                read(&lines).unwrap_or_else(|e| panic!("{size} {first} {last}: {}", e.message));
            assert_eq!(checked.records, last - first + 1);
            assert_eq!(checked.head, log.head);
        }
    }
    let none = Log::of(7).evidence(3, 2, Value::Null, |_| true);
    assert_eq!(read(&none).unwrap().records, 0);
}

#[test]
fn what_is_missing_changed_or_foreign_is_named() {
    let log = Log::of(600);
    let lines = log.evidence(250, 400, Value::Null, |_| true);
    let at = |seq: u64| {
        let text = format!("\"seq\":{seq},");
        lines.iter().position(|l| l.contains(&text)).unwrap()
    };

    let mut missing = lines.clone();
    missing.remove(at(300));
    assert_eq!(refused(&missing), "record 300 is missing");

    let mut swapped = lines.clone();
    swapped.swap(at(301), at(302));
    assert_eq!(refused(&swapped), "record 301 is missing");

    let mut changed = lines.clone();
    changed[at(310)] = changed[at(310)].replace("session.start", "session.stop");
    assert_eq!(
        refused(&changed),
        "record 310 was changed: it is not what the log has"
    );

    let mut foreign = lines.clone();
    foreign.insert(at(320), lines[at(319)].clone());
    assert!(refused(&foreign).starts_with("record 319 stands after record 319"));

    let mut cut = lines.clone();
    cut.truncate(at(350));
    assert_eq!(
        refused(&cut),
        "the evidence ends after record 349: what followed is missing"
    );

    let mut shorter = lines.clone();
    shorter.remove(at(400));
    assert!(
        refused(&shorter).contains("some are missing"),
        "{}",
        refused(&shorter)
    );

    let mut more = lines.clone();
    more.push(lines[at(260)].clone());
    assert!(refused(&more).contains("added later"));

    let mut hashes = lines.clone();
    hashes.remove(at(257) - 1);
    assert!(refused(&hashes).contains("the hashes that record 257 belongs to are missing"));
}

#[test]
fn a_record_that_was_changed_with_its_hash_does_not_lead_to_the_root() {
    let log = Log::of(600);
    let forged =
        serde_json_canonicalizer::to_vec(&json!({"seq": 3, "action": "nothing", "v": 1})).unwrap();
    let coded = |hash: Hash| STANDARD.encode(hash.0);
    let lines: Vec<String> = log
        .evidence(1, 600, Value::Null, |_| true)
        .into_iter()
        .map(|l| {
            if l.contains("\"seq\":3,") {
                record_line(&forged, None).unwrap()
            } else {
                l.replace(&coded(leaf(&stored(3))), &coded(leaf(&forged)))
            }
        })
        .collect();
    assert!(refused(&lines).starts_with("the hashes of records 1 to 256 were changed"));
}

#[test]
fn positions_that_no_log_has_are_refused() {
    let log = Log::of(3);
    let note = sign(&log.head, &[key()]).unwrap();
    for (first, last) in [(0, 3), (1, 1 << 53), (1 << 53, 1 << 53), (5, 3), (1, 4)] {
        let lines = [heading(&note, first, last, Value::Null).unwrap()];
        let message = refused(&lines);
        assert!(
            message.contains("does not cover"),
            "{first} {last}: {message}"
        );
    }
}

#[test]
fn a_filter_leaves_out_and_proves_the_rest() {
    let log = Log::of(600);
    let lines = log.evidence(1, 600, json!({"action": "change.submit"}), |s| {
        s.is_multiple_of(3)
    });
    assert_eq!(read(&lines).unwrap().records, 200);
}

#[test]
fn no_byte_of_a_file_can_be_changed() {
    let lines = Log::of(3).evidence(1, 3, Value::Null, |_| true);
    for (n, line) in lines.iter().enumerate() {
        for at in 0..line.len() - 1 {
            for flip in [1, 0x20] {
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                let mut file = lines.clone();
                file[n] = changed;
                assert!(read(&file).is_err(), "line {n}, byte {at} of {line}");
            }
        }
    }
}

#[test]
fn another_logs_key_proves_nothing() {
    let lines = Log::of(3).evidence(1, 3, Value::Null, |_| true);
    let keys = [SigningKey::new(ORIGIN, &[2; 32])
        .unwrap()
        .verifier_key()
        .to_owned()];
    let mut reader = Reader::new(&keys);
    assert!(reader.line(lines[0].trim_end()).is_err());
    assert!(read(&[]).is_err());
    assert!(refused(&lines[1..]).contains("the beginning is missing"));
}
