//! Asking the provider again, without the person: new tokens and groups by refresh token.

use super::{
    Provider,
    claims::{Claims, Tokens},
    flow::SignInError,
    http,
    jose::Refused,
};
use async_trait::async_trait;
use domain::{
    Error, Micros, Result,
    ids::{AccountId, RecordId},
    person::{GroupSnapshot, GroupSource},
};
use openidconnect::{
    OAuth2TokenResponse as _, RefreshToken, RequestTokenError, TokenResponse as _,
    core::CoreErrorResponseType,
};
use serde_json::{Map, json};
use services::{
    ports::{
        Clock, Entropy, IdentityProvider, NewRecord, Phase, RecordOutcome, Retention, SessionRow,
        Store,
    },
    vault::Vault,
};
use std::sync::Arc;

/// For how long one request may refresh while all others wait for what it finds.
const LEASE: i64 = 20 * Micros::SECOND;

/// Why tokens could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The provider says that this session may no longer.
    #[error("the provider refused the refresh token: {0}")]
    Ended(String),
    /// Its answer is not to be believed.
    #[error(transparent)]
    Refused(#[from] SignInError),
}

/// What a refresh brought.
pub struct Refreshed {
    pub tokens: Tokens,
    pub expire_at: Option<Micros>,
    pub groups: Vec<String>,
}

impl Provider {
    /// Exchanges the refresh token. A new ID token has to name the same issuer and subject
    /// (OpenID Connect Core 12.2); userinfo fills in what it does not say.
    pub async fn refresh(
        &self,
        tokens: &Tokens,
        refresh: &str,
        subject: &str,
    ) -> Result<Refreshed, RefreshError> {
        let metadata = self.metadata().await.map_err(SignInError::Unavailable)?;
        let client = self.client(&metadata).map_err(SignInError::Unavailable)?;
        let http = |request| http::send(self.http.clone(), request);
        let refresh_token = RefreshToken::new(refresh.to_owned());
        let response = client
            .exchange_refresh_token(&refresh_token)
            .map_err(|e| SignInError::Unreadable(e.to_string()))?
            .request_async(&http)
            .await
            .map_err(|e| match e {
                RequestTokenError::ServerResponse(r)
                    if matches!(r.error(), CoreErrorResponseType::InvalidGrant) =>
                {
                    RefreshError::Ended(r.error().to_string())
                }
                RequestTokenError::ServerResponse(r) => {
                    SignInError::Provider(r.error().to_string()).into()
                }
                RequestTokenError::Request(e) => {
                    SignInError::Unavailable(super::unavailable().caused_by(e)).into()
                }
                RequestTokenError::Parse(e, _) => {
                    SignInError::Unreadable(format!("token answer at `{}`", e.path())).into()
                }
                RequestTokenError::Other(_) => {
                    SignInError::Unreadable("token answer".into()).into()
                }
            })?;
        let access = response.access_token().secret().clone();
        let (id, id_claims) = match response.id_token() {
            None => (tokens.id.clone(), Map::new()),
            Some(token) => {
                let text = token.to_string();
                let verified = self.verify(&metadata, &text).await?;
                // The nonce may be left away; another one is refused.
                let nonce = verified
                    .text("nonce")
                    .is_some()
                    .then_some(tokens.nonce.as_str());
                let found = verified
                    .id_token(&self.expect(), nonce, &access)
                    .map_err(SignInError::from)?;
                if found != subject {
                    return Err(SignInError::from(Refused::Subject).into());
                }
                (text, verified.claims)
            }
        };
        let userinfo = self
            .userinfo_if_needed(&metadata, &id_claims, &access, subject)
            .await?;
        let claims = Claims {
            id: &id_claims,
            userinfo: userinfo.as_ref(),
        };
        let groups = claims.groups(&self.config.groups_claim)?;
        Ok(Refreshed {
            expire_at: response.expires_in().map(|d| {
                self.clock
                    .now()
                    .plus(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
            }),
            tokens: Tokens {
                access,
                refresh: response
                    .refresh_token()
                    .map(|t| t.secret().clone())
                    .or_else(|| Some(refresh.to_owned())),
                id,
                nonce: tokens.nonce.clone(),
            },
            groups,
        })
    }
}

/// Purpose under which a session's tokens are sealed: they open for no other session.
pub fn tokens_purpose(id_hash: &str) -> String {
    format!("session-tokens:{id_hash}")
}

/// The provider as the use cases know it, and the one place where a session's tokens are refreshed.
pub struct ProviderIdentity {
    pub provider: Arc<Provider>,
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl ProviderIdentity {
    /// Refreshes this session's tokens and its account's groups. `Ok(None)`: there is no refresh
    /// token, or another request is at it. Errors: `Forbidden` when the provider ended it (the session
    /// is ended here too), `Unavailable`.
    pub async fn refresh_session(&self, row: &SessionRow) -> Result<Option<GroupSnapshot>> {
        let (Some(account), Some(sealed), Some(subject)) = (row.account, &row.tokens, &row.subject)
        else {
            return Ok(None);
        };
        let tokens: Tokens =
            serde_json::from_slice(&self.vault.open(&tokens_purpose(&row.id_hash), sealed)?)
                .map_err(Error::internal)?;
        let Some(refresh) = tokens.refresh.clone() else {
            return Ok(None);
        };
        let now = self.clock.now();
        if !self
            .store
            .session_refresh_lease(&row.id_hash, now, now.plus(LEASE))
            .await?
        {
            return Ok(None);
        }
        match self.provider.refresh(&tokens, &refresh, subject).await {
            Ok(new) => {
                let bytes = serde_json::to_vec(&new.tokens).map_err(Error::internal)?;
                let sealed =
                    self.vault
                        .seal(&*self.entropy, &tokens_purpose(&row.id_hash), &bytes)?;
                self.store
                    .session_put_tokens(&row.id_hash, &sealed, new.expire_at)
                    .await?;
                let snapshot = GroupSnapshot {
                    groups: new.groups,
                    source: GroupSource::Refresh,
                    taken_at: self.clock.now(),
                };
                self.store.record_groups(account, &snapshot, &[]).await?;
                Ok(Some(snapshot))
            }
            Err(RefreshError::Refused(SignInError::Unavailable(e))) => Err(e),
            Err(e) => {
                // The provider took it back, or answers for somebody else: the session is over.
                let reason = e.to_string();
                tracing::warn!(
                    session = row.public_id,
                    reason,
                    "a session could not be refreshed and was ended"
                );
                let record = self.ended(row, &reason);
                self.store
                    .session_end(&row.id_hash, self.clock.now(), &[record])
                    .await?;
                Err(
                    Error::forbidden("the OpenID provider no longer vouches for this session")
                        .remedy("Sign in again.")
                        .caused_by(reason),
                )
            }
        }
    }

    fn ended(&self, row: &SessionRow, reason: &str) -> NewRecord {
        NewRecord {
            id: RecordId(self.entropy.uuid()),
            at: self.clock.now(),
            phase: Phase::Event,
            intent: None,
            action: "session.end".into(),
            actor: None,
            object: format!("session:{}", row.public_id),
            unit: String::new(),
            environment: String::new(),
            change: None,
            reason: None,
            outcome: Some(RecordOutcome::Success),
            detail: json!({ "by": "provider", "account": row.account, "reason": reason }),
            retention: Retention::Access,
        }
    }
}

#[async_trait]
impl IdentityProvider for ProviderIdentity {
    async fn refresh_groups(&self, account: AccountId) -> Result<Option<GroupSnapshot>> {
        match self
            .store
            .session_latest_of(account, self.clock.now())
            .await?
        {
            Some(row) => self.refresh_session(&row).await,
            None => Ok(None),
        }
    }
}
