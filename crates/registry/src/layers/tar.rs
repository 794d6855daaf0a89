//! Headers of a tar archive (POSIX ustar and pax, GNU long names), read and never unpacked to a
//! disk. Names that climb or hide are refused.

use super::source::{Source, Stop};

/// Largest extended header.
const MAX_EXTENDED: u64 = 128 * 1024;
/// Longest name.
const MAX_NAME: usize = 4096;
/// Most entries of one archive.
const MAX_ENTRIES: u32 = 500_000;
const BLOCK: usize = 512;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// A hard or symbolic link, a device or something else without a content of its own.
    Other,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path without a leading slash; empty when the name is one that nobody should have.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) kind: EntryKind,
}

/// An archive under way.
pub(crate) struct Tar<'a, 'b> {
    source: &'a mut Source<'b>,
    /// Bytes of the current entry that were not read.
    body_left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    entries: u32,
}

impl<'a, 'b> Tar<'a, 'b> {
    pub(crate) fn new(source: &'a mut Source<'b>) -> Self {
        Self {
            source,
            body_left: 0,
            padding: 0,
            entries: 0,
        }
    }

    /// The next entry; `None` at the end. What was not read of the last one is passed over.
    pub(crate) async fn next(&mut self) -> Result<Option<Entry>, Stop> {
        let mut long_name: Option<String> = None;
        let mut pax_size: Option<u64> = None;
        loop {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(Stop::Limit);
            }
            if self.body_left > 0 {
                self.source.skip(self.body_left).await?;
            }
            if self.padding > 0 {
                match self.source.skip(self.padding).await {
                    Ok(()) => {}
                    // Some archives do not fill their last block.
                    Err(Stop::End) => return Ok(None),
                    Err(stop) => return Err(stop),
                }
            }
            (self.body_left, self.padding) = (0, 0);
            let mut header = [0u8; BLOCK];
            match self.source.read_exact(&mut header).await {
                Ok(()) => {}
                // Archives should end with two empty blocks; many end with the last file.
                Err(Stop::End) => return Ok(None),
                Err(stop) => return Err(stop),
            }
            if header.iter().all(|b| *b == 0) {
                return Ok(None);
            }
            check_sum(&header)?;
            let size = pax_size
                .take()
                .map_or_else(|| number(&header[124..136]), Ok)?;
            self.body_left = size;
            self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
            match header[156] {
                b'L' => {
                    let body = self.extended(size).await?;
                    long_name = Some(text(&body));
                }
                b'x' => {
                    let body = self.extended(size).await?;
                    let (path, new_size) = pax(&body)?;
                    long_name = path.or(long_name);
                    pax_size = new_size;
                }
                b'K' | b'g' => {
                    self.extended(size).await?;
                }
                flag => {
                    let name = long_name.unwrap_or_else(|| short_name(&header));
                    let kind = match flag {
                        b'0' | 0 | b'7' if name.ends_with('/') => EntryKind::Directory,
                        b'0' | 0 | b'7' => EntryKind::File,
                        b'5' => EntryKind::Directory,
                        _ => EntryKind::Other,
                    };
                    // Links and devices say a size at times and have no body.
                    if matches!(flag, b'1'..=b'6') {
                        (self.body_left, self.padding) = (0, 0);
                    }
                    return Ok(Some(Entry {
                        path: clean_path(&name).unwrap_or_default(),
                        size,
                        kind,
                    }));
                }
            }
        }
    }

    /// Reads the beginning of the current entry's content, from where it was left, into a buffer of
    /// at most what is there.
    pub(crate) async fn read(&mut self, length: u64) -> Result<Vec<u8>, Stop> {
        let length = length.min(self.body_left);
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| Stop::Limit)?];
        self.source.read_exact(&mut buffer).await?;
        self.body_left -= length;
        Ok(buffer)
    }

    async fn extended(&mut self, size: u64) -> Result<Vec<u8>, Stop> {
        if size > MAX_EXTENDED {
            return Err(Stop::Malformed(
                "has an extended header that is far too long",
            ));
        }
        self.read(size).await
    }
}

fn check_sum(header: &[u8; BLOCK]) -> Result<(), Stop> {
    let expected = number(&header[148..156])?;
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                u64::from(b' ')
            } else {
                u64::from(*byte)
            }
        })
        .sum();
    if sum == expected {
        Ok(())
    } else {
        Err(Stop::Malformed("is not a tar archive"))
    }
}

/// A number in octal digits, or in base 256 where the first bit is set (GNU).
fn number(field: &[u8]) -> Result<u64, Stop> {
    const WRONG: Stop = Stop::Malformed("holds a number in a tar header that cannot be read");
    if field.first().is_some_and(|b| b & 0x80 != 0) {
        let mut value = u64::from(field[0] & 0x7f);
        for byte in &field[1..] {
            value = value
                .checked_mul(256)
                .and_then(|v| v.checked_add(u64::from(*byte)))
                .ok_or(WRONG)?;
        }
        return if value <= i64::MAX as u64 {
            Ok(value)
        } else {
            Err(WRONG)
        };
    }
    let digits = field
        .iter()
        .skip_while(|b| **b == b' ')
        .take_while(|b| !matches!(**b, 0 | b' '));
    let mut value = 0u64;
    for digit in digits {
        if !(b'0'..=b'7').contains(digit) {
            return Err(WRONG);
        }
        value = value.checked_mul(8).ok_or(WRONG)? + u64::from(digit - b'0');
    }
    Ok(value)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn short_name(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    let prefix = if &header[257..262] == b"ustar" {
        text(&header[345..500])
    } else {
        String::new()
    };
    if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    }
}

/// Path and size of a pax header: records of `length key=value` and a line end.
fn pax(body: &[u8]) -> Result<(Option<String>, Option<u64>), Stop> {
    const WRONG: Stop = Stop::Malformed("holds a pax header that cannot be read");
    let (mut path, mut size) = (None, None);
    let mut rest = body;
    while !rest.is_empty() && rest[0] != 0 {
        let space = rest.iter().take(12).position(|b| *b == b' ').ok_or(WRONG)?;
        let length: usize = std::str::from_utf8(&rest[..space])
            .ok()
            .and_then(|n| n.parse().ok())
            .ok_or(WRONG)?;
        let record = rest.get(space + 1..length).ok_or(WRONG)?;
        rest = &rest[length..];
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let equals = record.iter().position(|b| *b == b'=').ok_or(WRONG)?;
        let value = &record[equals + 1..];
        match &record[..equals] {
            // Such a file has another name and size than its header says.
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(Stop::Malformed("holds a sparse file, which is not read"));
            }
            b"path" => path = Some(String::from_utf8_lossy(value).into_owned()),
            b"size" => {
                let number: u64 = std::str::from_utf8(value)
                    .ok()
                    .and_then(|n| n.parse().ok())
                    .ok_or(WRONG)?;
                size = Some(number).filter(|n| *n <= i64::MAX as u64);
            }
            _ => {}
        }
    }
    Ok((path, size))
}

/// A path without leading slash and dots; `None` for one that climbs, is too long or holds
/// characters that could deceive a reader.
pub(crate) fn clean_path(name: &str) -> Option<String> {
    if name.len() > MAX_NAME
        || name.chars().any(|c| {
            c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        })
    {
        return None;
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            other => parts.push(other),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::BLOCK;

    /// A header with a right checksum, and the body in whole blocks.
    pub(crate) fn entry(name: &str, flag: u8, size: &str, body: &[u8]) -> Vec<u8> {
        let mut header = [0u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..124 + size.len()].copy_from_slice(size.as_bytes());
        header[156] = flag;
        header[257..262].copy_from_slice(b"ustar");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut out = header.to_vec();
        out.extend(body);
        out.resize(out.len().div_ceil(BLOCK) * BLOCK, 0);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::entry;
    use super::*;
    use crate::layers::source::Streamed;

    /// All entries of an archive, each with what its first four bytes are.
    fn entries(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut source = Source::Stream(Streamed::of_bytes(bytes, 1 << 20));
            let mut tar = Tar::new(&mut source);
            let mut out = Vec::new();
            while let Some(entry) = tar.next().await? {
                let head = tar.read(4).await?;
                out.push((entry, head));
            }
            Ok(out)
        })
    }

    #[test]
    fn long_names_of_both_kinds_are_read() {
        let long = format!("models/{}", "x".repeat(200));
        let pax = format!("217 path={long}\n");
        assert_eq!(pax.len(), 217);
        let archive = [
            entry(
                "./././@LongLink",
                b'L',
                "00000000320",
                format!("{long}\0").as_bytes(),
            ),
            entry("short", b'0', "00000000003", b"abc"),
            entry("pax", b'x', &format!("{:011o}", pax.len()), pax.as_bytes()),
            entry("short", b'0', "00000000002", b"de"),
            entry("models/link", b'2', "00000000000", b""),
            entry("models/", b'5', "00000000000", b""),
            entry("last", b'0', "00000000006", b"ghijkl"),
            vec![0; 1024],
        ]
        .concat();
        let found = entries(&archive).unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|(e, head)| (e.path.as_str(), e.kind, head.as_slice()))
            .collect();
        assert_eq!(
            seen,
            [
                (long.as_str(), EntryKind::File, &b"abc"[..]),
                (long.as_str(), EntryKind::File, b"de"),
                ("models/link", EntryKind::Other, b""),
                ("models", EntryKind::Directory, b""),
                ("last", EntryKind::File, b"ghij"),
            ]
        );
    }

    #[test]
    fn lies_about_sizes_end_in_a_limit_or_an_end() {
        assert!(matches!(
            entries(&entry("a", b'0', "77777777777", b"x")),
            Err(Stop::Limit | Stop::End)
        ));
        assert!(matches!(
            entries(&entry("a", b'L', "77777777777", b"x")),
            Err(Stop::Malformed(_))
        ));
        assert!(matches!(entries(&[1; BLOCK]), Err(Stop::Malformed(_))));
        assert!(entries(&[0; 100]).unwrap().is_empty());
    }

    #[test]
    fn names_that_climb_or_hide_are_refused() {
        assert_eq!(clean_path("./models//a/./b").as_deref(), Some("models/a/b"));
        assert_eq!(clean_path("/models/a").as_deref(), Some("models/a"));
        for name in [
            "../a",
            "a/../../b",
            "",
            "/",
            "a\nb",
            "a\u{202e}b",
            &"a".repeat(5000),
        ] {
            assert_eq!(clean_path(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_are_read_in_both_forms() {
        assert_eq!(number(b"0000755\0").ok(), Some(0o755));
        assert_eq!(
            number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]).ok(),
            Some(256)
        );
        assert!(number(&[0xff; 12]).is_err());
        assert!(number(b"8").is_err());
        assert!(number(&[b'7'; 30]).is_err());
    }

    #[test]
    fn pax_headers_are_read() {
        assert_eq!(
            pax(b"14 path=a/b/c\n9 size=7\n").ok(),
            Some((Some("a/b/c".into()), Some(7)))
        );
        assert!(pax(b"28 GNU.sparse.name=model.pkl\n").is_err());
        assert!(pax(b"99 path=a\n").is_err());
        assert!(pax(b"0 path=a\n").is_err());
        assert!(pax(b"x").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_behind_a_header_are_answered(flag in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let _ = entries(&[entry("a", flag, "00000000100", &[]), bytes].concat());
        }

        #[test]
        fn any_pax_header_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = pax(&bytes);
        }

        #[test]
        fn any_number_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..13)) {
            let _ = number(&bytes);
        }

        #[test]
        fn no_path_climbs(name in "[a./\\\\]{0,30}") {
            if let Some(path) = clean_path(&name) {
                prop_assert!(path.split('/').all(|part| part != ".." && part != "."));
            }
        }
    }
}
