use super::{Encoded, Heading, Line, MAX_LINE_BYTES, Tile};
use crate::{
    checkpoint::{self, Head},
    tree::{Frontier, Hash, TILE_WIDTH, is_included, leaf},
};
use domain::{Error, Result};
use serde_json::Value;

/// What was found to be true of a file.
#[derive(Debug, PartialEq)]
pub struct Checked {
    pub head: Head,
    pub heading: Heading,
    /// So many records, each as the log has it.
    pub records: u64,
}

/// Checks a file line by line; what it keeps does not grow with the file.
pub struct Reader<'a> {
    keys: &'a [String],
    /// Lines that were read.
    lines: u64,
    heading: Option<(Heading, Head)>,
    /// The tile that was read last: its number and its leaves, which are the checkpoint's.
    tile: Option<(u64, Vec<Hash>)>,
    /// The position of the last record; 0 before the first.
    at: u64,
    records: u64,
    /// The last line was read.
    ended: bool,
}

impl<'a> Reader<'a> {
    /// `keys`: the log's public keys, any of which may have signed.
    pub fn new(keys: &'a [String]) -> Self {
        Self {
            keys,
            lines: 0,
            heading: None,
            tile: None,
            at: 0,
            records: 0,
            ended: false,
        }
    }

    /// The next line, without its line feed. Gives a record's content where it is one.
    ///
    /// Errors: `Invalid`: the line, the record that it is about, and what is wrong with it.
    pub fn line(&mut self, text: &str) -> Result<Option<Value>> {
        self.lines += 1;
        if self.ended {
            return Err(self.wrong("stands after the end of the evidence: it was added later"));
        }
        if text.len() > MAX_LINE_BYTES {
            return Err(self.wrong("is longer than any line of evidence"));
        }
        let line: Line = serde_json::from_str(text)
            .map_err(|_| self.wrong("is no line of evidence: it was changed"))?;
        if serde_json_canonicalizer::to_string(&line).ok().as_deref() != Some(text) {
            return Err(self.wrong("is not as it was written: a byte of it was changed"));
        }
        match (line, self.heading.is_some()) {
            (Line::Evidence(heading), false) => self.begin(heading).map(|()| None),
            (_, false) => {
                Err(self.wrong("is not the beginning of evidence: the beginning is missing"))
            }
            (Line::Evidence(_), true) => Err(self.wrong("begins other evidence")),
            (Line::Tile(tile), true) => self.tile(&tile).map(|()| None),
            (Line::Record(entry), true) => self.record(&entry.stored).map(|()| Some(entry.stored)),
            (Line::End(end), true) => {
                if end.records != self.records {
                    return Err(self.wrong(&format!(
                        "says that there were {} records, and there are {}: some are missing or were added",
                        end.records, self.records
                    )));
                }
                self.all_there(self.last())?;
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// After the last line.
    ///
    /// Errors: `Invalid` when the file was cut off.
    pub fn end(self) -> Result<Checked> {
        match self.heading {
            Some((heading, head)) if self.ended => Ok(Checked {
                head,
                heading,
                records: self.records,
            }),
            Some(_) => Err(Error::invalid(format!(
                "the evidence ends after record {}: what followed is missing",
                self.at
            ))),
            None => Err(Error::invalid("the file is empty")),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::invalid(format!("line {} {what}", self.lines))
    }

    fn begin(&mut self, heading: Heading) -> Result<()> {
        if heading.format != super::FORMAT {
            return Err(self.wrong("is of a form that this program does not know"));
        }
        let head = checkpoint::open(&heading.checkpoint, self.keys)?;
        let covered =
            heading.last <= head.size && heading.first.checked_sub(1) <= Some(heading.last);
        if heading.first == 0 || !covered {
            return Err(self.wrong("names records that its checkpoint does not cover"));
        }
        self.at = heading.first - 1;
        self.heading = Some((heading, head));
        Ok(())
    }

    fn head(&self) -> &Head {
        &self.heading.as_ref().expect("the heading was read").1
    }

    fn last(&self) -> u64 {
        self.heading.as_ref().expect("the heading was read").0.last
    }

    /// Of evidence without a filter every record has to be there.
    fn all_there(&self, until: u64) -> Result<()> {
        let all = self
            .heading
            .as_ref()
            .is_some_and(|(h, _)| h.filter.is_null());
        if all && self.at < until {
            return Err(Error::invalid(format!("record {} is missing", self.at + 1)));
        }
        Ok(())
    }

    fn tile(&mut self, tile: &Tile) -> Result<()> {
        let head = self.head().clone();
        let first = tile.index.checked_mul(TILE_WIDTH as u64);
        let rest = first
            .and_then(|first| head.size.checked_sub(first))
            .unwrap_or(0);
        let width = rest.min(TILE_WIDTH as u64);
        if width == 0 || tile.leaves.len() as u64 != width {
            return Err(self.wrong("has not as many hashes as the log has records there"));
        }
        if self
            .tile
            .as_ref()
            .is_some_and(|(last, _)| *last >= tile.index)
        {
            return Err(self.wrong("stands where it does not belong: lines changed places"));
        }
        let leaves: Vec<Hash> = tile.leaves.iter().map(|e| e.0).collect();
        if !leads_to(&head, tile, &leaves) {
            let first = first.unwrap_or_default();
            return Err(Error::invalid(format!(
                "the hashes of records {} to {} were changed: they do not lead to the checkpoint's root",
                first + 1,
                first + width
            )));
        }
        self.tile = Some((tile.index, leaves));
        Ok(())
    }

    fn record(&mut self, stored: &Value) -> Result<()> {
        let seq = stored.get("seq").and_then(Value::as_u64).unwrap_or(0);
        if seq == 0 {
            return Err(self.wrong("holds no record of the log"));
        }
        if seq <= self.at {
            return Err(Error::invalid(format!(
                "record {seq} stands after record {}: records changed places, or one is there twice",
                self.at
            )));
        }
        if seq > self.last() {
            return Err(Error::invalid(format!(
                "record {seq} is not one of those that this is evidence of"
            )));
        }
        self.all_there(seq - 1)?;
        let index = seq - 1;
        let width = TILE_WIDTH as u64;
        let known = self
            .tile
            .as_ref()
            .filter(|(tile, _)| *tile == index / width)
            .and_then(|(_, leaves)| leaves.get(usize::try_from(index % width).ok()?));
        let Some(known) = known else {
            return Err(Error::invalid(format!(
                "the hashes that record {seq} belongs to are missing"
            )));
        };
        let bytes = serde_json_canonicalizer::to_vec(stored)
            .map_err(|_| self.wrong("holds no record of the log"))?;
        if leaf(&bytes) != *known {
            return Err(Error::invalid(format!(
                "record {seq} was changed: it is not what the log has"
            )));
        }
        self.at = seq;
        self.records += 1;
        Ok(())
    }
}

/// Do these leaves lead to the root?
fn leads_to(head: &Head, tile: &Tile, leaves: &[Hash]) -> bool {
    let first = tile.index * TILE_WIDTH as u64;
    let decoded = |hashes: &[Encoded]| hashes.iter().map(|e| e.0).collect::<Vec<_>>();
    match (&tile.up, &tile.left) {
        (Some(up), None) if leaves.len() == TILE_WIDTH => {
            let mut proof = inside(leaves);
            proof.extend(decoded(up));
            is_included(&proof, head.size, head.root, first, leaves[0])
        }
        (None, Some(left)) if leaves.len() < TILE_WIDTH => Frontier::new(first, decoded(left))
            .is_ok_and(|mut frontier| {
                leaves.iter().for_each(|l| frontier.append(*l));
                frontier.size() == head.size && frontier.root() == head.root
            }),
        _ => false,
    }
}

/// From the first leaf of a full tile to the tile's root: the other half at each level.
fn inside(leaves: &[Hash]) -> Vec<Hash> {
    let mut halves = Vec::new();
    let mut width = 1;
    while width < leaves.len() {
        let mut half = Frontier::empty();
        leaves[width..2 * width]
            .iter()
            .for_each(|l| half.append(*l));
        halves.push(half.root());
        width *= 2;
    }
    halves
}
