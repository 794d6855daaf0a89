//! Bytes of a layer, from its beginning on: downloaded as a stream (and unpacked on the way), or
//! fetched part by part where the layer is stored as it is, so that weights are passed over
//! without being downloaded.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_compression::tokio::bufread::GzipDecoder;
use domain::{artifact::Descriptor, ids::Digest};
use futures::{StreamExt, TryStreamExt};
use reqwest::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio_util::io::StreamReader;

use crate::{
    client::Client,
    error::RegistryError,
    http::{explain, read_body},
};

/// Bytes that are fetched at once when only a few are needed.
const CHUNK: u64 = 128 * 1024;
/// Smaller gaps are read through instead of being passed over by a new request.
const WORTH_A_REQUEST: u64 = 64 * 1024;

/// Why no more bytes come.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The layer ends here.
    End,
    /// A limit of ours is reached; the layer goes on.
    Limit,
    /// What comes is not what it should be; says what.
    Malformed(&'static str),
    /// The registry failed.
    Failed(RegistryError),
}

/// Where bytes come from.
pub(crate) enum Source<'a> {
    Stream(Streamed),
    Ranged(Ranged<'a>),
}

impl Source<'_> {
    /// Fills the buffer.
    pub(crate) async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Stop> {
        match self {
            Self::Stream(stream) => stream.read_exact(buffer).await,
            Self::Ranged(ranged) => ranged.read_exact(buffer).await,
        }
    }

    /// Passes over bytes.
    pub(crate) async fn skip(&mut self, length: u64) -> Result<(), Stop> {
        match self {
            Self::Stream(stream) => stream.skip(length).await,
            Self::Ranged(ranged) => ranged.skip(length).await,
        }
    }

    /// Bytes that were downloaded.
    pub(crate) fn downloaded(&self) -> u64 {
        match self {
            Self::Stream(stream) => stream.downloaded.load(Ordering::Relaxed),
            Self::Ranged(ranged) => ranged.downloaded,
        }
    }
}

/// A layer as a stream.
pub(crate) struct Streamed {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    /// Unpacked bytes that may still be read.
    unpacked_left: u64,
    downloaded: Arc<AtomicU64>,
    /// The download is cut off before the layer's end.
    cut: bool,
    /// The layer is unpacked on the way.
    compressed: bool,
}

impl Streamed {
    /// A stream over a blob's response, of at most `download` bytes as stored and `unpacked` bytes
    /// as read.
    pub(crate) fn new(
        response: Response,
        size: u64,
        gzip: bool,
        download: u64,
        unpacked: u64,
    ) -> Self {
        let downloaded = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&downloaded);
        let bytes = response
            .bytes_stream()
            .inspect_ok(move |chunk| {
                counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            })
            .map(|chunk| chunk.map_err(|e| std::io::Error::other(explain(e))));
        let limited = BufReader::new(StreamReader::new(bytes).take(download));
        let reader: Pin<Box<dyn AsyncRead + Send>> = if gzip {
            let mut decoder = GzipDecoder::new(limited);
            decoder.multiple_members(true);
            Box::pin(decoder)
        } else {
            Box::pin(limited)
        };
        Self {
            reader,
            unpacked_left: unpacked,
            downloaded,
            cut: size > download,
            compressed: gzip,
        }
    }

    /// A stream over bytes in memory.
    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: &[u8], unpacked: u64) -> Self {
        Self {
            reader: Box::pin(std::io::Cursor::new(bytes.to_vec())),
            unpacked_left: unpacked,
            downloaded: Arc::default(),
            cut: false,
            compressed: false,
        }
    }

    async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Stop> {
        if buffer.len() as u64 > self.unpacked_left {
            return Err(Stop::Limit);
        }
        self.unpacked_left -= buffer.len() as u64;
        match self.reader.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.stop(error)),
        }
    }

    async fn skip(&mut self, length: u64) -> Result<(), Stop> {
        if length > self.unpacked_left {
            return Err(Stop::Limit);
        }
        self.unpacked_left -= length;
        let mut limited = (&mut self.reader).take(length);
        match tokio::io::copy(&mut limited, &mut tokio::io::sink()).await {
            Ok(copied) if copied == length => Ok(()),
            Ok(_) => Err(if self.cut { Stop::Limit } else { Stop::End }),
            Err(error) => Err(self.stop(error)),
        }
    }

    /// What an error of the stream means.
    fn stop(&self, error: std::io::Error) -> Stop {
        if error
            .get_ref()
            .is_some_and(|inner| inner.is::<RegistryError>())
        {
            let inner = error
                .into_inner()
                .and_then(|e| e.downcast::<RegistryError>().ok());
            return inner.map_or(Stop::End, |e| Stop::Failed(*e));
        }
        match error.kind() {
            _ if self.cut => Stop::Limit,
            std::io::ErrorKind::UnexpectedEof => Stop::End,
            _ if self.compressed => Stop::Malformed("is not gzip although its media type says so"),
            _ => Stop::End,
        }
    }
}

/// A layer that is stored as it is, fetched part by part.
pub(crate) struct Ranged<'a> {
    client: &'a Client,
    repository: &'a str,
    digest: &'a Digest,
    size: u64,
    at: u64,
    /// Fetched bytes, and where they begin.
    held: Vec<u8>,
    held_from: u64,
    requests_left: u32,
    download_left: u64,
    downloaded: u64,
}

impl<'a> Ranged<'a> {
    /// Begins to read; `Ok(Err(response))` when the registry does not do parts and answered with
    /// the whole, which is still to be read.
    pub(crate) async fn open(
        client: &'a Client,
        repository: &'a str,
        layer: &'a Descriptor,
        download: u64,
    ) -> Result<Result<Self, Response>, Stop> {
        let mut ranged = Self {
            client,
            repository,
            digest: &layer.digest,
            size: layer.size,
            at: 0,
            held: Vec::new(),
            held_from: 0,
            requests_left: client.limits().range_requests,
            download_left: download,
            downloaded: 0,
        };
        match ranged.fetch(1).await? {
            None => Ok(Ok(ranged)),
            Some(response) => Ok(Err(response)),
        }
    }

    /// Fetches at least `length` bytes from where we are; gives the response back when the registry
    /// answered with the whole blob.
    async fn fetch(&mut self, length: u64) -> Result<Option<Response>, Stop> {
        let end = self.at.saturating_add(length.max(CHUNK)).min(self.size);
        let wanted = end.saturating_sub(self.at);
        if wanted < length || wanted == 0 {
            return Err(Stop::End);
        }
        if self.requests_left == 0 || wanted > self.download_left {
            return Err(Stop::Limit);
        }
        self.requests_left -= 1;
        let range = Some((self.at, end - 1));
        let response = self
            .client
            .blob_response(self.repository, self.digest, range, "The layer")
            .await
            .map_err(Stop::Failed)?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(Some(response));
        }
        let body = read_body(response, wanted, "The layer's part")
            .await
            .map_err(Stop::Failed)?;
        self.downloaded += body.len() as u64;
        self.download_left = self.download_left.saturating_sub(body.len() as u64);
        if (body.len() as u64) < length {
            return Err(Stop::Malformed("is shorter than its manifest says"));
        }
        self.held = body;
        self.held_from = self.at;
        Ok(None)
    }

    async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Stop> {
        if buffer.is_empty() {
            return Ok(());
        }
        let length = buffer.len() as u64;
        let held_to = self.held_from + self.held.len() as u64;
        let elsewhere = self.at < self.held_from || self.at + length > held_to;
        if elsewhere && self.fetch(length).await?.is_some() {
            return Err(Stop::Malformed("comes whole where a part was asked for"));
        }
        let offset = usize::try_from(self.at - self.held_from).map_err(|_| Stop::Limit)?;
        buffer.copy_from_slice(&self.held[offset..offset + buffer.len()]);
        self.at += length;
        Ok(())
    }

    async fn skip(&mut self, length: u64) -> Result<(), Stop> {
        let target = self
            .at
            .checked_add(length)
            .filter(|t| *t <= self.size)
            .ok_or(Stop::End)?;
        let held_to = self.held_from + self.held.len() as u64;
        // A small gap costs less to read than another request.
        if target > held_to
            && target - held_to < WORTH_A_REQUEST
            && held_to > self.at
            && target < self.size
        {
            self.at = held_to;
            if self.fetch(target - held_to).await?.is_some() {
                return Err(Stop::Malformed("comes whole where a part was asked for"));
            }
        }
        self.at = target;
        Ok(())
    }
}
