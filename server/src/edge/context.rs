//! What surrounds every request: its id, the caller's address, the page's nonce, the security
//! headers, the log line and the metrics.

use super::state::AppState;
use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};
use tracing::Instrument as _;

/// Facts of one request; in its extensions, and for [`current`] in its task.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// UUIDv7, made here: a client cannot choose what stands in our log.
    pub id: String,
    pub address: IpAddr,
    /// Where the connection itself comes from: the caller's address, or a proxy's.
    pub peer: IpAddr,
    /// For the scripts of this one page (Content Security Policy).
    pub nonce: String,
}

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// Id of the request that this task serves; empty outside of one.
pub fn request_id() -> String {
    CURRENT.try_with(|c| c.id.clone()).unwrap_or_default()
}

/// The outermost layer.
pub async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let entropy = &state.services.ctx.entropy;
    let peer = peer(&request);
    let proxies = &state.config.server.trusted_proxies;
    let context = RequestContext {
        id: entropy.uuid().to_string(),
        address: forwarded(peer, request.headers(), proxies),
        peer,
        nonce: crate::system::token(&**entropy),
    };
    let method = request.method().clone();
    // A pattern, never the path: paths have names in them and no bound.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    request.extensions_mut().insert(context.clone());
    let span = tracing::info_span!("request", id = context.id, %method, route);
    let mut response = CURRENT
        .scope(context.clone(), next.run(request).instrument(span.clone()))
        .await;
    let took = began.elapsed();
    state
        .metrics
        .request(&route, &method, response.status().as_u16(), took);
    span.in_scope(|| {
        let ms = took.as_secs_f64() * 1000.0;
        tracing::info!(status = response.status().as_u16(), ms, address = %context.address, "answered");
    });
    secure(&state, &context, response.headers_mut());
    response
}

fn peer(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |c| c.0.ip().to_canonical())
}

/// The address of whoever asks: the last one in `X-Forwarded-For` that is no proxy of ours, if the
/// connection itself comes from such a proxy; else the connection's. Anybody can write that header.
fn forwarded(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .collect();
    let mut found = peer;
    for hop in hops.into_iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(a) => found = a.to_canonical(),
            // Something that is no address: nobody further out is believed.
            Err(_) => break,
        }
        if !proxies.contains(&found) {
            break;
        }
    }
    found
}

/// Security headers, on every answer.
fn secure(state: &AppState, context: &RequestContext, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let forms = state.provider.form_origins().join(" ");
    set(
        header::CONTENT_SECURITY_POLICY,
        &format!(
            "default-src 'self'; script-src 'self' 'nonce-{}' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' {forms}",
            context.nonce
        ),
    );
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Addresses hold names of deployments: other sites do not get them.
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    );
    set(HeaderName::from_static("x-request-id"), &context.id);
    if state.config.https() {
        set(
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
    // Pages and answers are for one person; files say for themselves how they may be kept.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, header: &str, proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", header.parse().expect("header"));
        let proxies: Vec<IpAddr> = proxies
            .iter()
            .map(|p| p.parse().expect("address"))
            .collect();
        forwarded(peer.parse().expect("address"), &headers, &proxies).to_string()
    }

    #[test]
    fn only_our_proxies_are_believed() {
        assert_eq!(from("203.0.113.9", "198.51.100.1", &[]), "203.0.113.9");
        assert_eq!(
            from("10.0.0.1", "198.51.100.1", &["10.0.0.1"]),
            "198.51.100.1"
        );
        // What the client itself wrote stands further left and does not count.
        assert_eq!(
            from(
                "10.0.0.1",
                "1.1.1.1, 198.51.100.1, 10.0.0.2",
                &["10.0.0.1", "10.0.0.2"]
            ),
            "198.51.100.1"
        );
        assert_eq!(
            from("10.0.0.1", "1.1.1.1, nonsense", &["10.0.0.1"]),
            "10.0.0.1"
        );
    }
}
