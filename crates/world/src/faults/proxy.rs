//! One proxy: HTTP/1.1 in, the part's own protocol out, bodies streamed both ways.

use super::{Fault, State};
use crate::error::{Error, Result};
use crate::pki::Pki;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

// One concrete type: the compiler cannot see through a boxed one inside spawned tasks.
type Failure = std::io::Error;
type Body = UnsyncBoxBody<Bytes, Failure>;

struct Proxy {
    upstream: String,
    client: reqwest::Client,
    state: Arc<State>,
}

/// Listens on `port` and forwards to `upstream`; with `pki`, speaks TLS on both sides.
pub(super) async fn start(
    port: u16,
    upstream: &str,
    pki: Option<&Pki>,
    state: Arc<State>,
    shutdown: CancellationToken,
) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| Error::other(format!("the proxy's port {port}: {e}")))?;
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pki) = pki {
        let pem = std::fs::read(pki.ca()).map_err(Error::file(pki.ca()))?;
        let certificate = reqwest::Certificate::from_pem(&pem).map_err(Error::other)?;
        client = client.tls_certs_only([certificate]);
    }
    let acceptor = pki.map(acceptor).transpose()?;
    let proxy = Arc::new(Proxy {
        upstream: upstream.to_owned(),
        client: client.build().map_err(Error::other)?,
        state,
    });
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                let proxy = proxy.clone();
                let acceptor = acceptor.clone();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let ended = proxy.state.connection();
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = ended.cancelled() => {}
                        () = proxy.connection(stream, acceptor) => {}
                    }
                });
            }
        }
    });
    Ok(())
}

fn acceptor(pki: &Pki) -> Result<TlsAcceptor> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let pair = pki.proxy();
    let certificate = CertificateDer::from_pem_file(&pair.cert).map_err(Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(Error::other)?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Proxy {
    async fn connection(self: Arc<Self>, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let proxy = self.clone();
            async move { proxy.answer(request).await }
        });
        // A connection that breaks is the client's to notice: there is nobody to tell.
        let server = hyper::server::conn::http1::Builder::new();
        match acceptor {
            None => {
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            }
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let fault = self
            .state
            .take(request.method().as_str(), &path)
            .unwrap_or_default();
        if fault.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        }
        if fault.hang {
            std::future::pending::<()>().await;
        }
        if fault.cut {
            return Err(Failure::other("planned: the connection is cut"));
        }
        if let Some(status) = fault.status {
            return planned(status);
        }
        self.forward(request, &path, &fault).await
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        path: &str,
        fault: &Fault,
    ) -> Result<Response<Body>, Failure> {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        let has_body = headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        remove_hop_by_hop(&mut headers);
        let mut forwarded = self
            .client
            .request(parts.method, format!("{}{path}", self.upstream))
            .headers(headers);
        if has_body {
            forwarded = forwarded.body(reqwest::Body::wrap(body));
        }
        let answer = match forwarded.send().await {
            Ok(answer) => answer,
            // The part itself is away: so is its proxy.
            Err(error) => return Err(Failure::other(error)),
        };
        let mut response = Response::builder().status(answer.status());
        let mut headers = answer.headers().clone();
        remove_hop_by_hop(&mut headers);
        if let Some(all) = response.headers_mut() {
            *all = headers;
        }
        let stream = limited(answer, self.state.stream(), fault.truncate);
        response
            .body(BodyExt::boxed_unsync(StreamBody::new(stream)))
            .map_err(Failure::other)
    }
}

/// The answer's body until it ends, is cut by `dropped`, or `truncate` bytes have passed: then
/// the connection breaks, as it does when the other side dies.
fn limited(
    answer: reqwest::Response,
    dropped: CancellationToken,
    truncate: Option<u64>,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, Failure>> + Send {
    let mut left = truncate;
    answer
        .bytes_stream()
        .take_until(dropped.cancelled_owned())
        .flat_map(move |chunk| {
            let mut items = Vec::with_capacity(2);
            match chunk {
                Err(error) => items.push(Err(Failure::other(error))),
                Ok(mut chunk) => {
                    let limit = left.map(|left| usize::try_from(left).unwrap_or(usize::MAX));
                    let cut = limit.filter(|limit| *limit < chunk.len());
                    chunk.truncate(cut.unwrap_or(chunk.len()));
                    left = left.map(|left| left.saturating_sub(chunk.len() as u64));
                    items.push(Ok(Frame::data(chunk)));
                    if cut.is_some() {
                        items.push(Err(Failure::other("planned: the answer is cut short")));
                    }
                }
            }
            futures::stream::iter(items)
        })
}

fn planned(status: u16) -> Result<Response<Body>, Failure> {
    let text = Full::new(Bytes::from_static(b"planned by the world's proxy\n"));
    Response::builder()
        .status(StatusCode::from_u16(status).map_err(Failure::other)?)
        .header(header::CONTENT_TYPE, "text/plain")
        .body(text.map_err(|never| match never {}).boxed_unsync())
        .map_err(Failure::other)
}

/// What concerns one connection only (RFC 9110, 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const NAMES: [HeaderName; 7] = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
    ];
    for name in NAMES {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}
