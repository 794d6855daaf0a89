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
    /// Ends one. Its tokens are forgotten, unless a change that its account asked for is on its way:
    /// then they stay, for the worker alone, until [`SessionStore::session_sweep`] finds no such change.
    async fn session_end(&self, id_hash: &str, now: Micros, audit: &[NewRecord]) -> Result<bool>;
    /// The provider refused its tokens: it ends, and they are forgotten in any case. The records are
    /// written if it was live.
    async fn session_refused(
        &self,
        id_hash: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<bool>;
    /// What the provider's logout token names ends, as in [`SessionStore::session_end`], in one
    /// transaction with the memory that the token was used. `None`: it was used before.
    async fn session_logout(
        &self,
        token: &LogoutToken,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<Option<u64>>;
    /// One refresh even with many tabs: `true` for the one who may, until `until`. Only where there
    /// are tokens; whether the session is live does not matter.
    async fn session_refresh_lease(
        &self,
        id_hash: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool>;
    /// The lease is free again at this time.
    async fn session_refresh_free(&self, id_hash: &str, at: Micros) -> Result<()>;
    /// New tokens in place of those that are there; the lease goes on.
    async fn session_put_tokens(
        &self,
        id_hash: &str,
        tokens: &[u8],
        expire_at: Option<Micros>,
    ) -> Result<()>;
    /// A session with tokens, live or not.
    async fn session_with_tokens(&self, id_hash: &str) -> Result<Option<SessionRow>>;
    /// The sessions of an account that have tokens, live or not, newest first: by one of them its
    /// groups can be asked for.
    async fn sessions_with_tokens_of(&self, account: AccountId) -> Result<Vec<SessionRow>>;
    /// Forgets the tokens of sessions that are over and that no change on its way needs, then removes
    /// sessions without tokens that were over before `before`; answers how many.
    async fn session_sweep(&self, now: Micros, before: Micros) -> Result<u64>;
}

/// A back-channel logout token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    pub jti: String,
    /// Until then its `jti` is remembered.
    pub expires: Micros,
    pub issuer: String,
    pub whose: LoggedOut,
}

/// What a logout token ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoggedOut {
    /// One session, by the provider's `sid`.
    Session(String),
    /// All sessions of this subject.
    Subject(String),
}
