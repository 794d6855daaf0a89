//! Signing in: authorization code with PKCE, state and nonce (OpenID Connect Core 3.1, RFC 7636,
//! RFC 9207).

use super::{
    Metadata, Provider,
    claims::{self, Claims, Tokens},
    http,
    jose::{Refused, same},
};
use crate::system::token;
use domain::{Error, Micros};
use openidconnect::{
    AuthorizationCode, CsrfToken, HttpRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, RequestTokenError, Scope, TokenResponse as _,
    core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreTokenResponse},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use services::ports::{Entropy, SignIn};
use url::Url;

/// What the browser keeps, sealed, while the person is at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    /// Local path to go to afterwards.
    pub return_to: String,
    pub at: Micros,
}

/// The query of the provider's answer (`/oidc/callback`).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    pub code: Option<String>,
    pub state: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// Somebody who has been verified.
#[derive(Debug)]
pub struct SignedIn {
    pub sign_in: SignIn,
    pub sid: Option<String>,
    pub tokens: Tokens,
    /// When the access token runs out, if the provider says.
    pub tokens_expire_at: Option<Micros>,
}

/// Why a sign-in did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// An answer or a token that cannot be believed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The answer's state is not the one that we sent, or it names another issuer.
    #[error("{0}")]
    Mixed(&'static str),
    /// The provider said no.
    #[error("the provider answered `{0}`")]
    Provider(String),
    #[error("the provider sends no user name")]
    NoUsername,
    #[error("the provider does not send the person claim `{0}`")]
    NoPerson(String),
    #[error("the provider says that the e-mail address is not verified")]
    UnverifiedEmail,
    #[error("the account has more groups than the provider puts into a token")]
    TooManyGroups,
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(String),
    #[error("{}", .0.for_log())]
    Unavailable(Error),
}

impl SignInError {
    /// A short word for metrics and the audit record.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Mixed(_) => "mixed-up",
            Self::Provider(_) => "provider-refused",
            Self::NoUsername => "no-username",
            Self::NoPerson(_) => "no-person",
            Self::UnverifiedEmail => "unverified-email",
            Self::TooManyGroups => "too-many-groups",
            Self::Unreadable(_) => "unreadable",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// What the person reads.
    pub fn into_error(self) -> Error {
        match self {
            Self::Unavailable(e) => e,
            Self::Provider(code) if code == "access_denied" => Error::forbidden("the sign-in was cancelled, or the provider does not let this account in")
                .remedy("Sign in again, or ask whoever manages the OpenID provider for access."),
            Self::Provider(_) => Error::forbidden("the OpenID provider refused the sign-in")
                .remedy("Sign in again. If it happens again, tell whoever runs this console: the log has the reason."),
            Self::Mixed(_) => Error::invalid("this sign-in was used already, took too long or began in another browser")
                .remedy("Sign in again."),
            Self::NoUsername => Error::forbidden("the OpenID provider does not say what this account is called")
                .remedy("Whoever runs this console should check oidc.username_claim and the scopes."),
            Self::NoPerson(claim) => Error::forbidden(format!("the OpenID provider does not send “{claim}” for this account, by which the console knows which accounts are one person’s"))
                .remedy("Whoever manages the OpenID provider should fill it in for this account; whoever runs this console should check oidc.person_claim and the scopes."),
            Self::UnverifiedEmail => Error::forbidden("the OpenID provider has not verified this account’s e-mail address, which is its user name here")
                .remedy("Verify the address at the provider and sign in again."),
            Self::TooManyGroups => Error::forbidden("the OpenID provider sent too many groups to list: it only says where they could be asked for")
                .remedy("Whoever manages the OpenID provider should let it send only the groups that are assigned to this application, or app roles; oidc.groups_claim names the claim."),
            e @ (Self::Refused(_) | Self::Unreadable(_)) => {
                Error::forbidden("the OpenID provider's answer could not be verified, so nobody was signed in")
                    .remedy("Sign in again. If it happens again, tell whoever runs this console: the log has the reason.")
                    .caused_by(e.to_string())
            }
        }
    }
}

impl Provider {
    /// Begins a sign-in: where to send the browser, and what it has to keep.
    /// Errors: `Unavailable` while the provider does not answer.
    pub async fn begin(
        &self,
        return_to: &str,
        entropy: &dyn Entropy,
    ) -> Result<(Url, LoginState), Error> {
        let metadata = self.metadata().await?;
        self.probe(&metadata).await?;
        let keep = LoginState {
            state: token(entropy),
            nonce: token(entropy),
            verifier: token(entropy),
            return_to: return_to.to_owned(),
            at: self.clock.now(),
        };
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
            keep.verifier.clone(),
        ));
        let (state, nonce) = (keep.state.clone(), keep.nonce.clone());
        let client = self.client(&metadata)?;
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(challenge);
        // openidconnect adds `openid` by itself.
        for scope in self.config.scopes.iter().filter(|s| *s != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        for prompt in self.config.prompt.iter() {
            request = request.add_prompt(CoreAuthPrompt::Extension(prompt.clone()));
        }
        Ok((request.url().0, keep))
    }

    /// Ends a sign-in: exchanges the code and verifies everything that came back.
    pub async fn finish(
        &self,
        keep: &LoginState,
        answer: &Answer,
    ) -> Result<SignedIn, SignInError> {
        if !answer
            .state
            .as_ref()
            .is_some_and(|s| same(s.as_bytes(), keep.state.as_bytes()))
        {
            return Err(SignInError::Mixed("the state is another"));
        }
        let metadata = self.metadata().await.map_err(SignInError::Unavailable)?;
        // RFC 9207: an answer that names another issuer comes from a mix-up attack; one that should
        // name its issuer and does not is no better.
        match &answer.iss {
            Some(iss) if *iss != self.config.issuer => {
                return Err(SignInError::Mixed("the answer names another issuer"));
            }
            None if metadata
                .additional_metadata()
                .authorization_response_iss_parameter_supported =>
            {
                return Err(SignInError::Mixed("the answer does not name its issuer"));
            }
            _ => {}
        }
        if let Some(error) = &answer.error {
            return Err(SignInError::Provider(
                error
                    .chars()
                    .filter(|c| c.is_ascii_graphic())
                    .take(60)
                    .collect(),
            ));
        }
        let code = answer
            .code
            .clone()
            .filter(|c| !c.is_empty() && c.len() <= 4096);
        let code = code.ok_or(SignInError::Mixed("the answer has no code"))?;
        let response = self
            .exchange(&metadata, code, keep.verifier.clone())
            .await?;
        let id_token = response
            .id_token()
            .ok_or(Refused::Malformed("there is no ID token"))?
            .to_string();
        let access = response.access_token().secret().clone();
        let verified = self.verify(&metadata, &id_token).await?;
        let subject = verified
            .id_token(&self.expect(), Some(&keep.nonce), &access)?
            .to_owned();
        let c = &self.config;
        let wanted: Vec<&str> = [&c.groups_claim, &c.username_claim]
            .into_iter()
            .chain(&c.person_claim)
            .map(String::as_str)
            .collect();
        let userinfo = self
            .userinfo_if_needed(&metadata, &verified.claims, &wanted, &access, &subject)
            .await?;
        let claims = Claims {
            id: &verified.claims,
            userinfo: userinfo.as_ref(),
        };
        let now = self.clock.now();
        Ok(SignedIn {
            sign_in: claims.sign_in(&self.config, &subject, now)?,
            sid: verified.text("sid").map(String::from),
            tokens_expire_at: response
                .expires_in()
                .map(|d| now.plus(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))),
            tokens: Tokens {
                access,
                refresh: response.refresh_token().map(|t| t.secret().clone()),
                id: id_token,
                nonce: keep.nonce.clone(),
            },
        })
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        code: String,
        verifier: String,
    ) -> Result<CoreTokenResponse, SignInError> {
        let http = |request| http::send(self.http.clone(), request);
        let client = self.client(metadata).map_err(SignInError::Unavailable)?;
        client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| SignInError::Unreadable(e.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&http)
            .await
            .map_err(|e| match e {
                RequestTokenError::ServerResponse(r) => {
                    SignInError::Provider(r.error().to_string())
                }
                RequestTokenError::Request(e) => {
                    SignInError::Unavailable(super::unavailable().caused_by(e))
                }
                // The parse error's text may hold part of the answer: only the path is kept.
                RequestTokenError::Parse(e, _) => {
                    SignInError::Unreadable(format!("token answer at `{}`", e.path()))
                }
                RequestTokenError::Other(_) => SignInError::Unreadable("token answer".into()),
            })
    }

    /// The userinfo answer, where the ID token does not say all that is wanted. What it says of
    /// another subject is refused, with the sign-in (OpenID Connect Core 5.3.2).
    pub(super) async fn userinfo_if_needed(
        &self,
        metadata: &Metadata,
        id_claims: &Map<String, Value>,
        wanted: &[&str],
        access: &str,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>, SignInError> {
        if wanted
            .iter()
            .all(|claim| claims::find(id_claims, claim).is_some())
        {
            return Ok(None);
        }
        let Some(url) = metadata.userinfo_endpoint() else {
            return Ok(None);
        };
        let request: HttpRequest = ::http::Request::get(url.as_str())
            .header(::http::header::AUTHORIZATION, format!("Bearer {access}"))
            .header(::http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| SignInError::Unreadable("access token".into()))?;
        let response = http::send(self.http.clone(), request)
            .await
            .map_err(|e| SignInError::Unavailable(super::unavailable().caused_by(e)))?;
        let status = response.status();
        if status.is_server_error() || status == ::http::StatusCode::TOO_MANY_REQUESTS {
            let cause = format!("userinfo answered {}", status.as_u16());
            return Err(SignInError::Unavailable(
                super::unavailable().caused_by(cause),
            ));
        }
        if !status.is_success() {
            return Err(SignInError::Unreadable(format!(
                "userinfo answered {}",
                status.as_u16()
            )));
        }
        let claims: Map<String, Value> = serde_json::from_slice(response.body())
            .map_err(|_| SignInError::Unreadable("userinfo".into()))?;
        if claims.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(Refused::Subject.into());
        }
        Ok(Some(claims))
    }
}
