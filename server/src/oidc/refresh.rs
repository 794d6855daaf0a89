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

/// Groups so young are not asked for again.
const JUST_NOW: i64 = 10 * Micros::SECOND;

/// What came of asking for new tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The groups as the provider has them now.
    Fresh(GroupSnapshot),
    /// There is no refresh token.
    Impossible,
    /// Another request or replica is at it.
    Busy,
}

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
                // Anything else is the provider's or the configuration's trouble and says nothing
                // about the person: the session goes on.
                RequestTokenError::ServerResponse(r) => {
                    away(format!("it answered `{}`", r.error()))
                }
                RequestTokenError::Request(e) => away(e.to_string()),
                // The parse error's text may hold part of the answer: only the path is kept.
                RequestTokenError::Parse(e, _) => {
                    away(format!("its answer cannot be read at `{}`", e.path()))
                }
                RequestTokenError::Other(_) => away("its answer cannot be read".into()),
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

fn away(cause: String) -> RefreshError {
    SignInError::Unavailable(super::unavailable().caused_by(cause)).into()
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
    /// Refreshes this session's tokens and its account's groups, once for many tabs and replicas.
    /// Errors: `Forbidden` when the provider ended it (the session is ended here too), `Unavailable`.
    pub async fn refresh_session(&self, id_hash: &str) -> Result<Refresh> {
        let now = self.clock.now();
        // The lease first, then the row: whoever reads the tokens under the lease reads those that the
        // last refresh left. A provider that rotates refresh tokens takes a spent one for theft.
        if !self
            .store
            .session_refresh_lease(id_hash, now, now.plus(LEASE))
            .await?
        {
            return Ok(Refresh::Busy);
        }
        let Some(row) = self.store.session_load(id_hash, now).await? else {
            return Ok(Refresh::Impossible);
        };
        let (Some(account), Some(sealed), Some(subject)) = (row.account, &row.tokens, &row.subject)
        else {
            return Ok(Refresh::Impossible);
        };
        if let Some(snapshot) = self.store.groups(account).await?
            && snapshot.source == GroupSource::Refresh
            && now.since(snapshot.taken_at) < JUST_NOW
        {
            return Ok(Refresh::Fresh(snapshot));
        }
        let tokens: Tokens =
            serde_json::from_slice(&self.vault.open(&tokens_purpose(id_hash), sealed)?)
                .map_err(Error::internal)?;
        let Some(refresh) = tokens.refresh.clone() else {
            return Ok(Refresh::Impossible);
        };
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
                Ok(Refresh::Fresh(snapshot))
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
                let record = self.ended(&row, &reason);
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
        let Some(row) = self
            .store
            .session_latest_of(account, self.clock.now())
            .await?
        else {
            return Ok(None);
        };
        match self.refresh_session(&row.id_hash).await? {
            Refresh::Fresh(snapshot) => Ok(Some(snapshot)),
            Refresh::Impossible => Ok(None),
            Refresh::Busy => Err(Error::unavailable(
                "the account's groups are being refreshed just now",
            )
            .remedy("Try again in a moment.")),
        }
    }
}
