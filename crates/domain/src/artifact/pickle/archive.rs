//! The pickles in an archive: PyTorch since 1.6 stores them without compression in a ZIP file. What
//! its readers take is what the directory at the end names, so that is what is read here; an
//! archive in which another reader could find something else is not scannable (PKWARE,
//! "APPNOTE.TXT", 4.3).

use std::{collections::BTreeSet, ops::Range};

use super::{
    scan_pickles,
    walk::{CUT, Walk, scan_one},
};

/// How a file in an archive begins.
pub(super) const FILE: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
/// Lengths of the records' fixed parts.
const FILE_LENGTH: usize = 30;
const ENTRY_LENGTH: usize = 46;
const END_LENGTH: usize = 22;

const ODD: &str = "The archive's directory cannot be relied on.";
const COMPRESSED: &str = "The pickle in the archive is compressed or encrypted.";

/// All pickles that the directory names. Of a file that was only read in part the directory is not
/// seen: what can be seen from the beginning on is looked at, and is no pass.
pub(super) fn scan_archive(
    bytes: &[u8],
    walk: &mut Walk,
    complete: bool,
) -> Result<(), &'static str> {
    if !complete {
        scan_beginning(bytes, walk);
        return Err(CUT);
    }
    let mut at = directory(bytes)?;
    let mut names = BTreeSet::new();
    let mut found = false;
    let mut scanned = 0;
    while at.start < at.end {
        let record = bytes.get(at.clone()).ok_or(ODD)?;
        if !record.starts_with(ENTRY) {
            return Err(ODD);
        }
        let flags = number(record, 8, 2)?;
        let method = number(record, 10, 2)?;
        let size = number(record, 20, 4)?;
        let name_length = number(record, 28, 2)?;
        let (extra, comment) = (number(record, 30, 2)?, number(record, 32, 2)?);
        let offset = number(record, 42, 4)?;
        let name = record
            .get(ENTRY_LENGTH..ENTRY_LENGTH + name_length)
            .ok_or(ODD)?;
        // Which of two files of one name is taken is each reader's own choice.
        if !names.insert(name) {
            return Err(ODD);
        }
        if is_pickle(name) {
            if method != 0 || flags & 1 != 0 {
                return Err(COMPRESSED);
            }
            let file = bytes.get(offset..).ok_or(ODD)?;
            let own_length = number(file, 26, 2)?;
            let data = FILE_LENGTH + own_length + number(file, 28, 2)?;
            if !file.starts_with(FILE)
                || file.get(FILE_LENGTH..FILE_LENGTH + own_length) != Some(name)
            {
                return Err(ODD);
            }
            let body = file.get(data..data.saturating_add(size)).ok_or(ODD)?;
            // Files that overlap are none of a writer's, and would be scanned over and over.
            scanned += body.len();
            if scanned > bytes.len() {
                return Err(ODD);
            }
            scan_pickles(body, walk, true)?;
            found = true;
        }
        at.start += ENTRY_LENGTH + name_length + extra + comment;
    }
    if at.start != at.end {
        return Err(ODD);
    }
    if found {
        Ok(())
    } else {
        Err("No pickle was found in the archive.")
    }
}

/// Where the directory lies: right before the records that end the archive, which end the file.
fn directory(bytes: &[u8]) -> Result<Range<usize>, &'static str> {
    let mut end = bytes.len().checked_sub(END_LENGTH).ok_or(ODD)?;
    let record = &bytes[end..];
    if !record.starts_with(END) || number(record, 20, 2)? != 0 {
        return Err(ODD);
    }
    let (mut size, mut start) = (number(record, 12, 4)?, number(record, 16, 4)?);
    let locator = end.checked_sub(20).map(|from| &bytes[from..end]);
    if let Some(locator) = locator.filter(|l| l.starts_with(LOCATOR_64)) {
        let from = number(locator, 8, 8)?;
        let wide = bytes.get(from..end - 20).ok_or(ODD)?;
        let (wide_size, wide_start) = (number(wide, 40, 8)?, number(wide, 48, 8)?);
        let same = |narrow: usize, wide: usize| narrow == wide || narrow == u32::MAX as usize;
        if !wide.starts_with(END_64)
            || number(wide, 4, 8)?.checked_add(12) != Some(wide.len())
            || !same(size, wide_size)
            || !same(start, wide_start)
        {
            return Err(ODD);
        }
        (size, start, end) = (wide_size, wide_start, from);
    }
    // Were there something in between, readers would shift every place by it.
    if start.checked_add(size) == Some(end) {
        Ok(start..end)
    } else {
        Err(ODD)
    }
}

/// The files from the beginning of the archive on, as far as they follow each other. What is found
/// can be a finding; what is not found says nothing.
fn scan_beginning(bytes: &[u8], walk: &mut Walk) {
    let mut rest = bytes;
    // Each turn moves at least 30 bytes on.
    while rest.starts_with(FILE) {
        let (Ok(flags), Ok(method), Ok(mut size), Ok(name_length), Ok(extra)) = (
            number(rest, 6, 2),
            number(rest, 8, 2),
            number(rest, 18, 4),
            number(rest, 26, 2),
            number(rest, 28, 2),
        ) else {
            return;
        };
        let data = FILE_LENGTH + name_length + extra;
        let (Some(name), Some(body)) = (
            rest.get(FILE_LENGTH..FILE_LENGTH + name_length),
            rest.get(data..),
        ) else {
            return;
        };
        if is_pickle(name) && method == 0 && flags & 1 == 0 {
            match scan_one(body, walk) {
                Ok(length) => size = size.max(length),
                Err(_) => return,
            }
        }
        let mut next = body.get(size..).unwrap_or_default();
        if flags & 8 != 0 {
            // Sizes stand behind the data: look for the next file.
            let found = next.windows(4).position(|w| w == FILE);
            next = found.map_or(&[], |offset| &next[offset..]);
        }
        rest = next;
    }
}

fn is_pickle(name: &[u8]) -> bool {
    name.ends_with(b".pkl") || name.ends_with(b".pickle")
}

/// A little-endian number of a record.
fn number(record: &[u8], at: usize, length: usize) -> Result<usize, &'static str> {
    let bytes = record.get(at..at + length).ok_or(ODD)?;
    let value = bytes
        .iter()
        .rev()
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(value).map_err(|_| ODD)
}

#[cfg(test)]
pub(super) mod testing {
    //! Archives as PyTorch writes them.

    use super::{END, ENTRY, FILE};

    /// A file as it stands in an archive.
    pub fn file(name: &str, body: &[u8], method: u16) -> Vec<u8> {
        let length = (body.len() as u32).to_le_bytes();
        let name_length = (name.len() as u16).to_le_bytes();
        [
            FILE,
            &[20, 0, 0, 0],
            &method.to_le_bytes(),
            &[0; 8],
            &length,
            &length,
            &name_length,
            &[0, 0],
            name.as_bytes(),
            body,
        ]
        .concat()
    }

    /// The records that end an archive which holds one file, at a place.
    pub fn end(name: &str, body: &[u8], method: u16, offset: usize, directory: usize) -> Vec<u8> {
        let length = (body.len() as u32).to_le_bytes();
        let name_length = (name.len() as u16).to_le_bytes();
        let entry = [
            ENTRY,
            &[20, 0, 20, 0, 0, 0],
            &method.to_le_bytes(),
            &[0; 8],
            &length,
            &length,
            &name_length,
            &[0; 12],
            &(offset as u32).to_le_bytes(),
            name.as_bytes(),
        ]
        .concat();
        let size = (entry.len() as u32).to_le_bytes();
        let start = (directory as u32).to_le_bytes();
        let last = [END, &[0, 0, 0, 0, 1, 0, 1, 0], &size, &start, &[0, 0]].concat();
        [entry, last].concat()
    }

    /// An archive of one file.
    pub fn zip(name: &str, body: &[u8], method: u16) -> Vec<u8> {
        let file = file(name, body, method);
        let end = end(name, body, method, 0, file.len());
        [file, end].concat()
    }
}
