use super::NewRecord;
use async_trait::async_trait;
use domain::{Micros, Result, ids::*};

/// A session of ours. The cookie's value is never stored: `id_hash` is its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id_hash: String,
    /// Shown in lists and the log.
    pub public_id: String,
    /// Empty until somebody is signed in.
    pub account: Option<AccountId>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    /// The provider's session id (`sid` claim), for back-channel logout.
    pub sid: Option<String>,
    pub created_at: Micros,
    pub seen_at: Micros,
    pub idle_until: Micros,
    pub absolute_until: Micros,
    pub ended_at: Option<Micros>,
    /// Access, refresh and ID token, encrypted.
    pub tokens: Option<Vec<u8>>,
    /// When the access token runs out.
    pub tokens_expire_at: Option<Micros>,
    /// What tower-sessions keeps, as JSON.
    pub data: Vec<u8>,
}

#[async_trait]
pub trait SessionStore {
    /// Fails with `Conflict` when the id exists.
    async fn session_create(&self, row: &SessionRow) -> Result<()>;
    /// Only a session that is neither ended nor past its limits.
    async fn session_load(&self, id_hash: &str, now: Micros) -> Result<Option<SessionRow>>;
    /// Updates `data`, never anything else, and only of a session that is not ended: a late save must
    /// not bring a signed-out session back. Answers whether there was one.
    async fn session_save(&self, id_hash: &str, data: &[u8], now: Micros) -> Result<bool>;
    /// Moves the idle limit; call at most once a minute for a session.
    async fn session_touch(&self, id_hash: &str, now: Micros, idle_until: Micros) -> Result<()>;
    async fn session_end(&self, id_hash: &str, now: Micros, audit: &[NewRecord]) -> Result<bool>;
    /// Ends by the provider's `sid`; answers how many.
    async fn session_end_by_sid(
        &self,
        issuer: &str,
        sid: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<u64>;
    async fn session_end_by_subject(
        &self,
        issuer: &str,
        subject: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<u64>;
    /// One refresh even with many tabs: `true` for the one who may, until `until`.
    async fn session_refresh_lease(
        &self,
        id_hash: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool>;
    /// New tokens; ends the refresh lease.
    async fn session_put_tokens(
        &self,
        id_hash: &str,
        tokens: &[u8],
        expire_at: Option<Micros>,
    ) -> Result<()>;
    /// The newest live session of an account that has tokens: the worker refreshes groups by it.
    async fn session_latest_of(
        &self,
        account: AccountId,
        now: Micros,
    ) -> Result<Option<SessionRow>>;
    /// Removes what ended or ran out before this; answers how many.
    async fn session_sweep(&self, before: Micros) -> Result<u64>;
    /// Remembers a logout token's `jti` until it expires; `false` when it was seen before.
    async fn logout_token_once(&self, jti: &str, expires: Micros) -> Result<bool>;
}
