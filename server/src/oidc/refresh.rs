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
    Error, Kind, Micros, Result,
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
use std::{sync::Arc, time::Duration};
use tracing::Instrument as _;

/// For how long one request may refresh while all others wait for what it finds: discovery, the
/// exchange, keys and userinfo may take 8 s each.
const LEASE: i64 = 60 * Micros::SECOND;

/// After a provider that does not answer, nobody asks for so long.
const PAUSE: i64 = 2 * Micros::SECOND;

/// After an answer that says nothing of groups, nobody asks for so long: the next one will not either.
const LONG_PAUSE: i64 = Micros::MINUTE;

/// Whoever needs the groups waits so long, at most, for another one's refresh.
const WAIT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(100);

/// Groups so young are not asked for again.
const JUST_NOW: i64 = 10 * Micros::SECOND;

/// What came of asking for new tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The groups as the provider has them now.
    Fresh(GroupSnapshot),
    /// There is no refresh token, or the provider's answer says nothing of groups.
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

/// What the exchange of a refresh token brought, not verified yet.
pub struct Exchanged {
    /// The new ones; the ID token is the old one, until a new one is verified.
    pub tokens: Tokens,
    pub expire_at: Option<Micros>,
    id_token: Option<String>,
}

/// What a verified refresh says.
#[derive(Debug)]
pub struct Refreshed {
    /// The new ID token, where there is one.
    pub id: Option<String>,
    /// `None`: neither the ID token nor userinfo has the claim.
    pub groups: Option<Vec<String>>,
}

impl Provider {
    /// Exchanges the refresh token. Whoever calls this keeps what it brings before anything else: the
    /// old token may be spent.
    pub async fn exchange_refresh(
        &self,
        tokens: &Tokens,
        refresh: &str,
    ) -> Result<Exchanged, RefreshError> {
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
        Ok(Exchanged {
            expire_at: response.expires_in().map(|d| {
                self.clock
                    .now()
                    .plus(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
            }),
            tokens: Tokens {
                access: response.access_token().secret().clone(),
                refresh: response
                    .refresh_token()
                    .map(|t| t.secret().clone())
                    .or_else(|| Some(refresh.to_owned())),
                id: tokens.id.clone(),
                nonce: tokens.nonce.clone(),
            },
            id_token: response.id_token().map(ToString::to_string),
        })
    }

    /// Verifies what an exchange brought. A new ID token has to name the same issuer and subject
    /// (OpenID Connect Core 12.2); userinfo fills in what it does not say.
    pub async fn refreshed(
        &self,
        new: &Exchanged,
        subject: &str,
    ) -> Result<Refreshed, SignInError> {
        let metadata = self.metadata().await.map_err(SignInError::Unavailable)?;
        let access = &new.tokens.access;
        let id_claims = match &new.id_token {
            None => Map::new(),
            Some(text) => {
                let verified = self.verify(&metadata, text).await?;
                // The nonce may be left away; another one is refused.
                let nonce = verified
                    .text("nonce")
                    .is_some()
                    .then_some(new.tokens.nonce.as_str());
                if verified.id_token(&self.expect(), nonce, access)? != subject {
                    return Err(Refused::Subject.into());
                }
                verified.claims
            }
        };
        let wanted = [self.config.groups_claim.as_str()];
        let userinfo = self
            .userinfo_if_needed(&metadata, &id_claims, &wanted, access, subject)
            .await?;
        let claims = Claims {
            id: &id_claims,
            userinfo: userinfo.as_ref(),
        };
        Ok(Refreshed {
            id: new.id_token.clone(),
            groups: claims.groups(&self.config.groups_claim)?,
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
#[derive(Clone)]
pub struct ProviderIdentity {
    pub provider: Arc<Provider>,
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl ProviderIdentity {
    /// Do this session's tokens hold a refresh token?
    pub fn refreshable(&self, row: &SessionRow) -> bool {
        self.open(row)
            .ok()
            .flatten()
            .is_some_and(|t| t.refresh.is_some())
    }

    /// Refreshes this session's tokens and its account's groups, once for many tabs and replicas.
    /// Errors: `Forbidden` when the provider ended it (the session is ended here too), `Unavailable`.
    ///
    /// It runs in a task of its own: a request that is given up half-way must not lose the token that
    /// the provider has just given out in exchange for the last one.
    pub async fn refresh_session(&self, id_hash: &str) -> Result<Refresh> {
        let (me, id_hash) = (self.clone(), id_hash.to_owned());
        tokio::spawn(async move { me.refresh(&id_hash).await }.in_current_span())
            .await
            .map_err(Error::internal)?
    }

    async fn refresh(&self, id_hash: &str) -> Result<Refresh> {
        let now = self.clock.now();
        // The lease first, then the row: whoever reads the tokens under the lease reads those that the
        // last refresh left. A provider that rotates refresh tokens takes a spent one for theft.
        if !self
            .store
            .session_refresh_lease(id_hash, now, now.plus(LEASE))
            .await?
        {
            // Taken, or there is nothing to refresh.
            return Ok(
                if self.store.session_with_tokens(id_hash).await?.is_some() {
                    Refresh::Busy
                } else {
                    Refresh::Impossible
                },
            );
        }
        let outcome = self.under_lease(id_hash, now).await;
        let pause = match &outcome {
            Ok(Refresh::Impossible) => LONG_PAUSE,
            Err(e) if e.kind == Kind::Unavailable => PAUSE,
            _ => 0,
        };
        self.store
            .session_refresh_free(id_hash, self.clock.now().plus(pause))
            .await?;
        outcome
    }

    async fn under_lease(&self, id_hash: &str, now: Micros) -> Result<Refresh> {
        let Some(row) = self.store.session_with_tokens(id_hash).await? else {
            return Ok(Refresh::Impossible);
        };
        let (Some(account), Some(subject)) = (row.account, &row.subject) else {
            return Ok(Refresh::Impossible);
        };
        if let Some(snapshot) = self.store.groups(account).await?
            && snapshot.source == GroupSource::Refresh
            && now.since(snapshot.taken_at) < JUST_NOW
        {
            return Ok(Refresh::Fresh(snapshot));
        }
        let Some(tokens) = self.open(&row)? else {
            return Ok(Refresh::Impossible);
        };
        let Some(refresh) = tokens.refresh.clone() else {
            return Ok(Refresh::Impossible);
        };
        let mut new = match self.provider.exchange_refresh(&tokens, &refresh).await {
            Ok(new) => new,
            Err(e) => return self.refused(&row, e).await,
        };
        self.keep(id_hash, &new.tokens, new.expire_at).await?;
        let said = match self.provider.refreshed(&new, subject).await {
            Ok(said) => said,
            Err(SignInError::TooManyGroups) => return Ok(Refresh::Impossible),
            Err(e) => return self.refused(&row, e.into()).await,
        };
        if let Some(id) = said.id {
            new.tokens.id = id;
            self.keep(id_hash, &new.tokens, new.expire_at).await?;
        }
        let Some(groups) = said.groups else {
            // Silence is not "no groups": what is known stays as old as it is.
            tracing::warn!(
                session = row.public_id,
                "the provider's answer to a refresh has no groups claim"
            );
            return Ok(Refresh::Impossible);
        };
        let snapshot = GroupSnapshot {
            groups,
            source: GroupSource::Refresh,
            taken_at: self.clock.now(),
        };
        self.store.record_groups(account, &snapshot, &[]).await?;
        Ok(Refresh::Fresh(snapshot))
    }

    fn open(&self, row: &SessionRow) -> Result<Option<Tokens>> {
        let Some(sealed) = &row.tokens else {
            return Ok(None);
        };
        let bytes = self.vault.open(&tokens_purpose(&row.id_hash), sealed)?;
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }

    async fn keep(&self, id_hash: &str, tokens: &Tokens, expire_at: Option<Micros>) -> Result<()> {
        let bytes = serde_json::to_vec(tokens).map_err(Error::internal)?;
        let sealed = self
            .vault
            .seal(&*self.entropy, &tokens_purpose(id_hash), &bytes)?;
        self.store
            .session_put_tokens(id_hash, &sealed, expire_at)
            .await
    }

    /// A session ends when the provider takes its token back or answers for somebody else. All else is
    /// the provider's trouble, and says nothing about the person.
    async fn refused(&self, row: &SessionRow, e: RefreshError) -> Result<Refresh> {
        let over = matches!(
            e,
            RefreshError::Ended(_)
                | RefreshError::Refused(SignInError::Refused(Refused::Subject | Refused::Issuer))
        );
        let reason = match e {
            RefreshError::Refused(SignInError::Unavailable(e)) => return Err(e),
            e => e.to_string(),
        };
        if !over {
            return Err(super::unavailable().caused_by(reason));
        }
        tracing::warn!(
            session = row.public_id,
            reason,
            "a session could not be refreshed and was ended"
        );
        let record = self.ended(row, &reason);
        self.store
            .session_refused(&row.id_hash, self.clock.now(), &[record])
            .await?;
        Err(
            Error::forbidden("the OpenID provider no longer vouches for this session")
                .remedy("Sign in again.")
                .caused_by(reason),
        )
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
        let mut refused = None;
        for row in self.store.sessions_with_tokens_of(account).await? {
            if !self.refreshable(&row) {
                continue;
            }
            let mut waited = Duration::ZERO;
            loop {
                match self.refresh_session(&row.id_hash).await {
                    Ok(Refresh::Fresh(snapshot)) => return Ok(Some(snapshot)),
                    Ok(Refresh::Impossible) => break,
                    Ok(Refresh::Busy) if waited < WAIT => {
                        waited += STEP;
                        tokio::time::sleep(STEP).await;
                    }
                    Ok(Refresh::Busy) => {
                        return Err(Error::unavailable(
                            "the account's groups are being refreshed just now",
                        )
                        .remedy("Try again in a moment."));
                    }
                    // This one is spent; another session's may not be.
                    Err(e) if e.kind == Kind::Forbidden => {
                        refused = Some(e);
                        break;
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        refused.map_or(Ok(None), Err)
    }
}
