//! Tar archives, byte for byte the same each time.
//!
//! Weights are the one thing that the seed does not store: a layer with weights ends behind the
//! weight file's header, where the tensors' bytes would begin. Names, sizes and headers are those
//! of the whole file, so whoever reads headers sees the real model, and terabytes of numbers that
//! nothing here would load need not lie on a laptop's disk. An unpacker reports such a layer as
//! cut off, which it is.

/// Size of a tar block.
const BLOCK: usize = 512;
/// The time of every file: 2026-01-01T00:00:00Z, in seconds.
const MODIFIED: u64 = 1_767_225_600;

/// An archive under way.
#[derive(Debug, Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// Adds a whole file.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.header(path, content.len() as u64);
        self.bytes.extend_from_slice(content);
        let whole = self.bytes.len().div_ceil(BLOCK) * BLOCK;
        self.bytes.resize(whole, 0);
    }

    /// The archive, with its end marks.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    /// The archive, cut off in one last file of `size` bytes of which only `head` is there.
    pub(super) fn cut_off(mut self, path: &str, size: u64, head: &[u8]) -> Vec<u8> {
        self.header(path, size);
        self.bytes.extend_from_slice(head);
        self.bytes
    }

    /// A POSIX ustar header. Paths here are shorter than 100 bytes and files smaller than 8 GiB.
    fn header(&mut self, path: &str, size: u64) {
        let mut header = [0u8; BLOCK];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, path);
        put(100, "0000644\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{size:011o}\0"));
        put(136, &format!("{MODIFIED:011o}\0"));
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        put(265, "root");
        put(297, "root");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
    }
}
