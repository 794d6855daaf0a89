//! Requests to one registry: credentials on demand, redirects by hand, a limit on each answer.

use std::{collections::HashMap, error::Error as StdError, sync::Arc, time::Duration};

use futures::StreamExt;
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE, WWW_AUTHENTICATE},
};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use crate::{
    address::{AddressPolicy, GuardedResolver, Refused, Unresolved, addresses, parse_base},
    auth::{Challenge, read_token},
    config::RegistryConfig,
    error::{Problem, RegistryError, Result},
};

/// Most redirects that are followed for one blob.
const MAX_REDIRECTS: usize = 3;
/// Largest answer of a token service.
const MAX_TOKEN_ANSWER: u64 = 64 * 1024;
/// Longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of all registries: one pool, one resolver, one address policy.
///
/// A proxy of the environment is not used: it would resolve names itself, behind the address policy.
#[derive(Debug, Clone)]
pub struct Transport {
    http: reqwest::Client,
    policy: AddressPolicy,
    authorities: Vec<reqwest::Certificate>,
}

impl Transport {
    /// A pool that trusts the machine's certificate authorities and those given as PEM.
    ///
    /// # Errors
    /// When a certificate cannot be read or TLS cannot be set up.
    pub fn new(policy: AddressPolicy, extra_authorities: &[Vec<u8>]) -> Result<Self> {
        let mut authorities = Vec::new();
        for pem in extra_authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| {
                RegistryError::caused_by(
                    Problem::Tls("the certificates given for it cannot be read".into()),
                    e,
                )
            })?;
            authorities.extend(certificates);
        }
        Ok(Self {
            http: pool(policy, &authorities)?,
            policy,
            authorities,
        })
    }
}

/// Connections to what the policy allows.
fn pool(policy: AddressPolicy, authorities: &[reqwest::Certificate]) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .tls_certs_merge(authorities.iter().cloned())
        .dns_resolver(Arc::new(GuardedResolver(policy)))
        .build()
        .map_err(|e| {
            RegistryError::caused_by(
                Problem::Tls("the console's own settings for secure connections are wrong".into()),
                e,
            )
        })
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Path and query behind the host: `/v2/…`.
    pub(crate) path: &'a str,
    /// Media types that are wanted.
    pub(crate) accept: &'a str,
    /// First and last byte that are wanted.
    pub(crate) range: Option<(u64, u64)>,
    /// What a token must allow.
    pub(crate) scope: &'a str,
    /// Whether to go where the registry sends us (blobs often lie in an object store).
    pub(crate) follow: bool,
    /// Limit on the whole request; `None` for a stream, which the caller limits.
    pub(crate) timeout: Option<Duration>,
}

/// A registry with the tokens that it gave us.
pub(crate) struct Connection {
    transport: Transport,
    pub(crate) base: Url,
    pub(crate) config: RegistryConfig,
    /// Connections to the other hosts that the registry sends us to, under their own policy.
    abroad: OnceCell<(AddressPolicy, reqwest::Client)>,
    /// `Authorization` by scope.
    authorizations: Mutex<HashMap<String, HeaderValue>>,
}

impl Connection {
    pub(crate) fn new(transport: &Transport, config: RegistryConfig) -> Result<Self> {
        let base = parse_base(&config.url)?;
        transport.policy.check(&base)?;
        Ok(Self {
            transport: transport.clone(),
            base,
            config,
            abroad: OnceCell::new(),
            authorizations: Mutex::default(),
        })
    }

    /// Sends a request, answering the registry's demand for credentials once. The status is the
    /// caller's to judge, except for what credentials decide.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Response> {
        let known = self.authorizations.lock().await.get(ask.scope).cloned();
        let had_one = known.is_some();
        let (response, home) = self.attempt(ask, known).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return self.allowed(response);
        }
        if !home {
            return Err(elsewhere(&response));
        }
        // A token that we had may have run out: ask once more.
        let authorization = self.authorize(response.headers(), ask.scope).await?;
        self.authorizations
            .lock()
            .await
            .insert(ask.scope.to_owned(), authorization.clone());
        let (response, home) = self.attempt(ask, Some(authorization)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            if !home {
                return Err(elsewhere(&response));
            }
            self.authorizations.lock().await.remove(ask.scope);
            let problem = if self.config.password.is_some() || had_one {
                Problem::CredentialsRefused
            } else {
                Problem::CredentialsNeeded
            };
            return Err(RegistryError::new(problem));
        }
        self.allowed(response)
    }

    /// What to call this address with, when it may be called.
    async fn connections(&self, url: &Url) -> Result<&reqwest::Client> {
        if url.origin() == self.base.origin() {
            self.transport.policy.check(url)?;
            return Ok(&self.transport.http);
        }
        let (policy, http) = self
            .abroad
            .get_or_try_init(|| async {
                let here = addresses(&self.base).await?;
                let policy = self.transport.policy.beside(&here);
                let http = pool(policy, &self.transport.authorities)?;
                Ok::<_, RegistryError>((policy, http))
            })
            .await?;
        policy.check(url)?;
        Ok(http)
    }

    fn allowed(&self, response: Response) -> Result<Response> {
        match response.status() {
            StatusCode::FORBIDDEN => Err(RegistryError::new(Problem::Forbidden)),
            StatusCode::TOO_MANY_REQUESTS => Err(RegistryError::new(Problem::RateLimited)),
            _ => Ok(response),
        }
    }

    /// One request and the redirects that follow from it, and whether what answered in the end is
    /// the registry itself: only then may its demand for credentials be met.
    async fn attempt(
        &self,
        ask: &Ask<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<(Response, bool)> {
        let mut url = self.base.join(ask.path).map_err(|e| {
            RegistryError::caused_by(Problem::Address("it cannot be put together".into()), e)
        })?;
        for _ in 0..=MAX_REDIRECTS {
            let home = url.origin() == self.base.origin();
            let http = self.connections(&url).await?;
            let mut request = http.request(ask.method.clone(), url.clone());
            if !ask.accept.is_empty() {
                request = request.header(ACCEPT, ask.accept);
            }
            if let Some((first, last)) = ask.range {
                request = request.header(RANGE, format!("bytes={first}-{last}"));
            }
            // Credentials stay at home.
            if let Some(value) = authorization.as_ref().filter(|_| home) {
                request = request.header(AUTHORIZATION, value.clone());
            }
            if let Some(timeout) = ask.timeout {
                request = request.timeout(timeout);
            }
            let response = request.send().await.map_err(explain)?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok((response, home));
            }
            let next = self.redirect(&url, response.headers())?;
            if !ask.follow {
                let host = next.host_str().unwrap_or("an unknown one").to_owned();
                return Err(RegistryError::new(Problem::Redirected(host)));
            }
            url = next;
        }
        Err(RegistryError::new(Problem::NotARegistry(
            "it sends us from place to place".into(),
        )))
    }

    /// Where a redirect leads, when it may be followed.
    fn redirect(&self, from: &Url, headers: &HeaderMap) -> Result<Url> {
        let wrong = || RegistryError::new(Problem::NotARegistry("it redirects to nowhere".into()));
        let location = headers
            .get(LOCATION)
            .and_then(|v| v.to_str().ok())
            .ok_or_else(wrong)?;
        let next = from.join(location).map_err(|_| wrong())?;
        if from.scheme() == "https" && next.scheme() != "https" {
            return Err(RegistryError::new(Problem::Refused(
                "the registry sends us from a secure to an insecure address".into(),
            )));
        }
        Ok(next)
    }

    /// What to put into `Authorization`, after the registry asked for it.
    async fn authorize(&self, headers: &HeaderMap, scope: &str) -> Result<HeaderValue> {
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok().and_then(Challenge::parse))
            .collect();
        let bearer = challenges
            .iter()
            .find(|c| matches!(c, Challenge::Bearer { .. }));
        match bearer.or_else(|| challenges.first()) {
            Some(Challenge::Bearer {
                realm,
                service,
                scope: asked,
            }) => {
                let scope = asked.as_deref().unwrap_or(scope);
                self.fetch_token(realm, service.as_deref(), scope).await
            }
            Some(Challenge::Basic) => self
                .basic()
                .ok_or_else(|| RegistryError::new(Problem::CredentialsNeeded)),
            None => Err(RegistryError::new(Problem::NotARegistry(
                "it wants to be signed in to in a way that no registry uses".into(),
            ))),
        }
    }

    /// Name and password as a header value.
    fn basic(&self) -> Option<HeaderValue> {
        use base64::Engine as _;
        let password = self.config.password.as_ref()?;
        let pair = format!(
            "{}:{}",
            self.config.username.as_deref().unwrap_or_default(),
            password.expose()
        );
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    async fn fetch_token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<HeaderValue> {
        let wrong = |why: &str| RegistryError::new(Problem::NotARegistry(why.into()));
        let mut url = self
            .base
            .join(realm)
            .map_err(|_| wrong("it names a token service whose address is no URL"))?;
        let http = self.connections(&url).await?;
        if self.base.scheme() == "https" && url.scheme() != "https" {
            return Err(RegistryError::new(Problem::Refused(
                "the registry names a token service that is not secure".into(),
            )));
        }
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            if !scope.is_empty() {
                query.append_pair("scope", scope);
            }
        }
        let mut request = http.get(url).timeout(self.config.limits.request);
        if let Some(basic) = self.basic() {
            request = request.header(AUTHORIZATION, basic);
        }
        let response = request.send().await.map_err(explain)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                return Err(RegistryError::new(if self.config.password.is_some() {
                    Problem::CredentialsRefused
                } else {
                    Problem::CredentialsNeeded
                }));
            }
            status if status.is_redirection() => {
                return Err(wrong("its token service redirects"));
            }
            status => return Err(RegistryError::new(Problem::Status(status.as_u16()))),
        }
        let body = read_body(response, MAX_TOKEN_ANSWER, "The token service's answer").await?;
        let token = read_token(&body).ok_or_else(|| wrong("its token service gives no token"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| wrong("its token service gives no token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Sends a request for a small thing and reads it whole; what is not a success is an error,
    /// with `what` in its words.
    pub(crate) async fn fetch(
        &self,
        ask: &Ask<'_>,
        limit: u64,
        what: &str,
    ) -> Result<(HeaderMap, Vec<u8>)> {
        let response = success(self.send(ask).await?, what)?;
        let headers = response.headers().clone();
        let body = read_body(response, limit, what).await?;
        Ok((headers, body))
    }
}

/// Where the registry sent us wants credentials: the registry's are not for it, whatever it names.
fn elsewhere(response: &Response) -> RegistryError {
    let host = response.url().host_str().unwrap_or("an unknown one");
    RegistryError::new(Problem::RefusedElsewhere(host.to_owned()))
}

/// Lets a successful answer through.
pub(crate) fn success(response: Response, what: &str) -> Result<Response> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND => Err(RegistryError::new(Problem::NotFound(lower_first(what)))),
        status => Err(RegistryError::new(Problem::Status(status.as_u16()))),
    }
}

/// "The manifest" in the middle of a sentence.
fn lower_first(what: &str) -> String {
    what.strip_prefix("The ")
        .map_or_else(|| what.to_owned(), |rest| format!("the {rest}"))
}

/// Reads an answer of at most `limit` bytes.
pub(crate) async fn read_body(response: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
    let too_large = || RegistryError::new(Problem::TooLarge(what.into()));
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(explain)?;
        if body.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Says what a failed request means for the person who gave the address.
pub(crate) fn explain(error: reqwest::Error) -> RegistryError {
    let problem = if error.is_timeout() {
        Problem::TimedOut
    } else if let Some(problem) = cause(&error) {
        problem
    } else if error.is_connect() {
        Problem::Unreachable
    } else {
        Problem::Broken
    };
    RegistryError::caused_by(problem, error.without_url())
}

/// Looks through the chain of causes for one that we have words for.
fn cause(error: &reqwest::Error) -> Option<Problem> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        // An I/O error keeps its own cause beside the chain.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref())
            .map(|inner| inner as &(dyn StdError + 'static));
        for candidate in [Some(error), inner].into_iter().flatten() {
            if let Some(refused) = candidate.downcast_ref::<Refused>() {
                return Some(Problem::Refused(refused.0.into()));
            }
            if candidate.is::<Unresolved>() {
                return Some(Problem::UnknownHost);
            }
            if let Some(tls) = candidate.downcast_ref::<rustls::Error>() {
                return Some(Problem::Tls(tls_words(tls).into()));
            }
        }
        next = inner.or_else(|| error.source());
    }
    None
}

fn tls_words(error: &rustls::Error) -> &'static str {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::UnknownIssuer) => {
            "its certificate is signed by an authority that is not trusted here"
        }
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet"
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another host"
        }
        E::InvalidCertificate(C::Revoked) => "its certificate has been revoked",
        E::InvalidCertificate(_) => "its certificate is not valid",
        E::InvalidMessage(_) => "it does not speak TLS there; an address with http:// may be meant",
        _ => "the handshake failed",
    }
}
