//! The OpenID provider: what it says of itself, its keys, and the conversation with it.

mod claims;
mod flow;
pub mod http;
pub mod jose;
pub mod refresh;
#[cfg(test)]
pub(crate) mod tests;

pub use claims::Tokens;
pub use flow::{Answer, LoginState, SignInError, SignedIn};
pub use refresh::{ProviderIdentity, RefreshError};

use crate::config;
use domain::{Error, Micros};
use jose::{Expect, Refused, Unverified, Verified};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, JsonWebKeySet, ProviderMetadata, RedirectUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreGrantType, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use services::ports::Clock;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// What discovery says beyond OpenID Connect Core.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Extra {
    /// RP-Initiated Logout 1.0.
    end_session_endpoint: Option<Url>,
    /// RFC 9207: the answer to a sign-in names its issuer.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// How long a failed attempt at discovery stands, so that many sign-ins make one request.
const RETRY_AFTER: i64 = 2 * Micros::SECOND;
/// The least time between two fetches of the keys: a token with an invented key id must not make
/// the console hammer the provider.
const KEYS_AFTER: i64 = 10 * Micros::SECOND;
/// Whoever is sent to the provider to sign in is sent to one that answered within this time.
const SEEN_WITHIN: i64 = 2 * Micros::SECOND;
/// How long that is waited for: a person waits.
const PROBE: Duration = Duration::from_millis(1500);
/// How often the background task looks again when all is well.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What is known of the provider; replaced as a whole.
#[derive(Clone, Default)]
struct Known {
    metadata: Option<Arc<Metadata>>,
    keys: Option<Arc<CoreJsonWebKeySet>>,
    keys_at: Option<Micros>,
    /// When it answered last, as far as [`Provider::probe`] and discovery know.
    seen_at: Option<Micros>,
    failed_at: Option<Micros>,
}

/// The one provider that this console trusts.
pub struct Provider {
    config: config::Oidc,
    /// The console's own address, without a slash at the end.
    origin: String,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// One conversation about metadata or keys at a time.
    gate: tokio::sync::Mutex<()>,
    /// One probe at a time.
    probing: tokio::sync::Mutex<()>,
}

impl Provider {
    pub fn new(
        config: config::Oidc,
        origin: String,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            config,
            origin,
            http,
            clock,
            known: RwLock::default(),
            gate: tokio::sync::Mutex::default(),
            probing: tokio::sync::Mutex::default(),
        }
    }

    /// The issuer, exactly as configured.
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Where a form of ours may lead besides the console: the provider's end-session endpoint is the
    /// target of the sign-out form's redirect, which browsers hold against `form-action` too.
    pub fn form_origins(&self) -> Vec<String> {
        let known = self.known();
        let issuer = Url::parse(&self.config.issuer).ok();
        let end = known
            .metadata
            .and_then(|m| m.additional_metadata().end_session_endpoint.clone());
        let mut origins: Vec<String> = [issuer, end]
            .into_iter()
            .flatten()
            .map(|u| u.origin().ascii_serialization())
            .collect();
        origins.dedup();
        origins
    }

    /// Did the provider answer, the last time that it was asked?
    pub fn reachable(&self) -> bool {
        let known = self.known();
        known.metadata.is_some() && known.failed_at.is_none()
    }

    fn known(&self) -> Known {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn learn(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the provider says of itself, asked for now when it is not known yet.
    /// Errors: `Unavailable`.
    async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        if let Some(m) = self.known().metadata {
            return Ok(m);
        }
        let _gate = self.gate.lock().await;
        let known = self.known();
        if let Some(m) = known.metadata {
            return Ok(m);
        }
        if known
            .failed_at
            .is_some_and(|at| self.clock.now().since(at) < RETRY_AFTER)
        {
            return Err(unavailable());
        }
        self.discover().await
    }

    /// Discovery and keys (OpenID Connect Discovery 1.0). The document's issuer has to be the
    /// configured one to the letter, and with an https issuer every endpoint has to be https.
    async fn discover(&self) -> Result<Arc<Metadata>, Error> {
        let http = |request| http::send(self.http.clone(), request);
        let found = async {
            let issuer = IssuerUrl::new(self.config.issuer.clone())?;
            let metadata = Metadata::discover_async(issuer, &http).await?;
            safe_endpoints(&metadata)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(metadata)
        }
        .await;
        let now = self.clock.now();
        match found {
            Ok(metadata) => {
                let keys = Arc::new(metadata.jwks().clone());
                let metadata = Arc::new(metadata);
                self.learn(|k| {
                    *k = Known {
                        metadata: Some(metadata.clone()),
                        keys: Some(keys),
                        keys_at: Some(now),
                        seen_at: Some(now),
                        failed_at: None,
                    };
                });
                Ok(metadata)
            }
            Err(e) => {
                self.learn(|k| k.failed_at = Some(now));
                Err(unavailable().caused_by(e))
            }
        }
    }

    /// Does the provider answer at this moment? Before a browser is sent there: it would show its own
    /// error page, with no way back.
    /// Errors: `Unavailable`.
    async fn probe(&self, metadata: &Metadata) -> Result<(), Error> {
        let _probing = self.probing.lock().await;
        let (known, now) = (self.known(), self.clock.now());
        if known
            .failed_at
            .is_some_and(|at| now.since(at) < RETRY_AFTER)
        {
            return Err(unavailable());
        }
        if known.seen_at.is_some_and(|at| now.since(at) < SEEN_WITHIN) {
            return Ok(());
        }
        let issuer = metadata.issuer().as_str().trim_end_matches('/');
        let asked = self
            .http
            .get(format!("{issuer}/.well-known/openid-configuration"))
            .timeout(PROBE)
            .send()
            .await;
        let problem = match asked {
            // A gateway in front of a provider that is away answers too.
            Ok(r) if r.status().is_server_error() => format!("it answered {}", r.status()),
            Ok(_) => {
                self.learn(|k| (k.seen_at, k.failed_at) = (Some(now), None));
                return Ok(());
            }
            Err(e) => e.to_string(),
        };
        self.learn(|k| k.failed_at = Some(now));
        Err(unavailable().caused_by(problem))
    }

    /// The provider's keys, fetched anew when that was not done just now.
    async fn fresh_keys(&self, metadata: &Metadata) -> Result<Arc<CoreJsonWebKeySet>, Error> {
        let _gate = self.gate.lock().await;
        let known = self.known();
        if let (Some(keys), Some(at)) = (&known.keys, known.keys_at)
            && self.clock.now().since(at) < KEYS_AFTER
        {
            return Ok(keys.clone());
        }
        let http = |request| http::send(self.http.clone(), request);
        let keys = JsonWebKeySet::fetch_async(metadata.jwks_uri(), &http)
            .await
            .map_err(|e| unavailable().caused_by(e.to_string()))?;
        let keys = Arc::new(keys);
        let now = self.clock.now();
        self.learn(|k| (k.keys, k.keys_at) = (Some(keys.clone()), Some(now)));
        Ok(keys)
    }

    /// Verifies a token's signature; an unknown key leads to one look at the provider's key set, for
    /// it may have been rotated.
    async fn verify(&self, metadata: &Metadata, token: &str) -> Result<Verified, SignInError> {
        let advertised: Vec<CoreJwsSigningAlgorithm> =
            metadata.id_token_signing_alg_values_supported().clone();
        let keys = self
            .known()
            .keys
            .unwrap_or_else(|| Arc::new(metadata.jwks().clone()));
        match Unverified::parse(token)?.verify(&keys, &advertised) {
            Err(Refused::NoKey | Refused::Signature) => {
                let keys = self
                    .fresh_keys(metadata)
                    .await
                    .map_err(SignInError::Unavailable)?;
                Ok(Unverified::parse(token)?.verify(&keys, &advertised)?)
            }
            other => Ok(other?),
        }
    }

    fn expect(&self) -> Expect<'_> {
        Expect {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            now: self.clock.now().0 / Micros::SECOND,
            skew: self.config.clock_skew_seconds,
        }
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, Error> {
        let secret = self
            .config
            .client_secret
            .as_ref()
            .map(|s| ClientSecret::new(s.expose().to_owned()));
        let redirect =
            RedirectUrl::new(format!("{}/oidc/callback", self.origin)).map_err(Error::internal)?;
        let mut client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.config.client_id.clone()),
            secret,
        )
        .set_redirect_uri(redirect);
        // `client_secret_basic` is the default (OpenID Connect Discovery 1.0, section 3).
        if let Some(methods) = metadata.token_endpoint_auth_methods_supported()
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
            && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        Ok(client)
    }

    /// Where to send the person to sign out at the provider too (RP-Initiated Logout 1.0), or `None`
    /// when the provider has no such place or is not known.
    pub fn end_session_url(&self, id_token: Option<&str>, state: &str) -> Option<Url> {
        let mut url = self
            .known()
            .metadata?
            .additional_metadata()
            .end_session_endpoint
            .clone()?;
        {
            let mut query = url.query_pairs_mut();
            if let Some(token) = id_token {
                query.append_pair("id_token_hint", token);
            }
            query
                .append_pair("client_id", &self.config.client_id)
                .append_pair(
                    "post_logout_redirect_uri",
                    &format!("{}/signed-out", self.origin),
                )
                .append_pair("state", state);
        }
        Some(url)
    }

    /// Verifies a back-channel logout token, all but its `jti`.
    pub async fn logout_token(&self, token: &str) -> Result<jose::Logout, SignInError> {
        let metadata = self.metadata().await.map_err(SignInError::Unavailable)?;
        Ok(self
            .verify(&metadata, token)
            .await?
            .logout_token(&self.expect())?)
    }

    /// Keeps metadata and keys current until it is told to stop; retries soon while the provider is
    /// away, so that the console starts without it and finds it by itself.
    pub async fn keep_current(&self, stop: CancellationToken) {
        let mut wait = Duration::from_secs(1);
        loop {
            let found = {
                let _gate = self.gate.lock().await;
                self.discover().await
            };
            let pause = match found {
                Ok(_) => {
                    wait = Duration::from_secs(1);
                    LOOK_AGAIN
                }
                Err(e) => {
                    tracing::warn!(problem = e.for_log(), "the OpenID provider does not answer");
                    wait = (wait * 2).min(Duration::from_secs(30));
                    wait
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// With an https issuer, no endpoint may be plain http: a secret or a token would travel in clear.
fn safe_endpoints(m: &Metadata) -> Result<(), String> {
    let https = m.issuer().url().scheme() == "https";
    let endpoints = [
        Some(m.authorization_endpoint().url()),
        m.token_endpoint().map(|u| u.url()),
        m.userinfo_endpoint().map(|u| u.url()),
        Some(m.jwks_uri().url()),
        m.additional_metadata().end_session_endpoint.as_ref(),
    ];
    match endpoints
        .into_iter()
        .flatten()
        .find(|u| u.scheme() != "https" && (https || u.scheme() != "http"))
    {
        Some(u) => Err(format!("the endpoint {u} is not https")),
        None => Ok(()),
    }
}

fn unavailable() -> Error {
    Error::unavailable("the OpenID provider does not answer")
        .remedy("Try again in a moment. Whoever is signed in already can go on.")
}
