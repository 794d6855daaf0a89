//! A load generator: keep-alive HTTP/1.1 connections, each asking again as soon as it is answered.

use crate::Result;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a page's requests took.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Half of the answers took at most this.
    pub p50: Duration,
    /// 99 of 100 took at most this.
    pub p99: Duration,
    /// Answers in a second, over all connections.
    pub per_second: f64,
    /// Size of the page, uncompressed.
    pub bytes: usize,
}

/// Asks for `path` over `connections` for `duration`. The first answers on each connection warm
/// up and are not counted.
///
/// # Errors
/// When an answer is not 200: a wrong page must not be measured as a fast one.
pub fn measure(
    listen: &str,
    path: &str,
    cookie: &str,
    connections: usize,
    duration: Duration,
) -> Result<Load> {
    let start = Instant::now();
    let results: Vec<Result<(Vec<Duration>, usize)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| worker(listen, path, cookie, start + duration)))
            .collect();
        workers
            .into_iter()
            .map(|w| {
                w.join()
                    .unwrap_or_else(|_| Err("the load generator panicked".into()))
            })
            .collect()
    });
    let (mut times, mut bytes) = (Vec::new(), 0);
    for result in results {
        let (some, size) = result?;
        times.extend(some);
        bytes = size;
    }
    times.sort_unstable();
    if times.is_empty() {
        return Err(format!("{path}: no answer in {} s", duration.as_secs()));
    }
    Ok(Load {
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
        per_second: times.len() as f64 / start.elapsed().as_secs_f64(),
        bytes,
    })
}

/// The value that a share `q` of sorted `times` does not exceed (nearest rank).
fn quantile(times: &[Duration], q: f64) -> Duration {
    let rank = (q * times.len() as f64).ceil() as usize;
    times[rank.clamp(1, times.len()) - 1]
}

/// One page's text.
///
/// # Errors
/// When it is not answered with 200.
pub fn page(listen: &str, path: &str, cookie: &str) -> Result<String> {
    let (_, body) = asked(listen, path, cookie, 0, Instant::now())?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn worker(listen: &str, path: &str, cookie: &str, end: Instant) -> Result<(Vec<Duration>, usize)> {
    let (times, body) = asked(listen, path, cookie, 3, end)?;
    Ok((times, body.len()))
}

/// Asks over one connection until `end`, at least once after warming up: what the answers took, and the last one.
fn asked(
    listen: &str,
    path: &str,
    cookie: &str,
    warm: usize,
    end: Instant,
) -> Result<(Vec<Duration>, Vec<u8>)> {
    let fail = |e: std::io::Error| format!("{path}: {e}");
    let stream = TcpStream::connect(listen).map_err(fail)?;
    stream.set_nodelay(true).map_err(fail)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(fail)?;
    let mut writer = stream.try_clone().map_err(fail)?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {listen}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
    );
    let (mut times, mut body) = (Vec::new(), Vec::new());
    let mut warm = warm;
    while Instant::now() < end || times.is_empty() {
        let asked = Instant::now();
        writer.write_all(request.as_bytes()).map_err(fail)?;
        let status = answer(&mut reader, &mut body).map_err(fail)?;
        if status != 200 {
            return Err(format!("{path} was answered with {status}"));
        }
        if warm > 0 {
            warm -= 1;
        } else {
            times.push(asked.elapsed());
        }
    }
    Ok((times, body))
}

/// Reads one answer: its status, and its body into `body`.
fn answer(reader: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<u16> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    let mut next = |reader: &mut dyn BufRead| -> std::io::Result<String> {
        line.clear();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = next(reader)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| bad("no status line"))?;
    let (mut length, mut chunked) = (0usize, false);
    loop {
        let header = next(reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| bad("a header without a colon"))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| bad("content-length"))?;
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding")
            && value.trim().eq_ignore_ascii_case("chunked");
    }
    body.clear();
    if !chunked {
        body.resize(length, 0);
        reader.read_exact(body)?;
        return Ok(status);
    }
    loop {
        let size = usize::from_str_radix(next(reader)?.split(';').next().unwrap_or(""), 16)
            .map_err(|_| bad("chunk size"))?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        next(reader)?;
        if size == 0 {
            return Ok(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_answers_of_both_kinds_from_one_connection() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n\
            4\r\nwiki\r\n2\r\n!!\r\n0\r\n\r\n";
        let mut reader = BufReader::new(&text[..]);
        let mut body = Vec::new();
        assert_eq!(answer(&mut reader, &mut body).unwrap(), 200);
        assert_eq!(body, b"abc");
        assert_eq!(answer(&mut reader, &mut body).unwrap(), 422);
        assert_eq!(body, b"wiki!!");
        assert!(answer(&mut reader, &mut body).is_err());
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&times, 0.5), Duration::from_millis(50));
        assert_eq!(quantile(&times, 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&times[..1], 0.99), Duration::from_millis(1));
    }
}
