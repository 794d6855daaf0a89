//! Sessions: tower-sessions keeps the cookie, our store keeps the rows.
//!
//! The cookie is `__Host-gatehouse`, Secure, HttpOnly and SameSite=Lax. Lax and not Strict: a link
//! in a mail or a ticket must open the page for somebody who is signed in, and the redirect back from
//! the provider is a cross-site navigation too, on which a Strict cookie is not sent. What Strict
//! would add is covered: nothing changes by GET, and every POST passes the CSRF layer.

use crate::oidc::{Tokens, refresh::tokens_purpose};
use async_trait::async_trait;
use domain::{Error, Kind, Micros, ids::AccountId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use services::{
    ports::{Clock, Entropy, SessionRow, Store},
    vault::Vault,
};
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, sync::Arc};
use tower_sessions::{
    Expiry, SessionManagerLayer,
    cookie::{SameSite, time::OffsetDateTime},
    session::{Id, Record},
    session_store,
};

/// Name of the session cookie.
pub const COOKIE: &str = "__Host-gatehouse";
/// Under this key a sign-in hands its facts to [`Backend::create`]; it never reaches the database as data.
pub const SIGN_IN: &str = "sign_in";
/// Under this key the data holds the public id, so that it is never empty (tower-sessions takes the
/// cookie of an empty session away).
const PUBLIC: &str = "public";

/// What a sign-in puts into a new session.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewSession {
    pub public_id: String,
    pub account: AccountId,
    pub issuer: String,
    pub subject: String,
    pub sid: Option<String>,
    pub tokens: Tokens,
    pub tokens_expire_at: Option<Micros>,
}

/// How long sessions last, microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub idle: i64,
    pub absolute: i64,
}

/// Our store behind tower-sessions.
#[derive(Clone)]
pub struct Backend {
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub limits: Limits,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// SHA-256 of a cookie's value, in hex: what the database knows a session by.
pub fn id_hash(id: &Id) -> String {
    hex::encode(Sha256::digest(id.to_string()))
}

/// The layer that reads and sets the cookie.
pub fn layer(backend: Backend) -> SessionManagerLayer<Backend> {
    SessionManagerLayer::new(backend)
        .with_name(COOKIE)
        .with_secure(true)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        // The limits are the server's; the cookie ends with the browser.
        .with_expiry(Expiry::OnSessionEnd)
}

impl Backend {
    fn row(
        &self,
        id_hash: String,
        data: &HashMap<String, Value>,
        new: Option<NewSession>,
        now: Micros,
    ) -> Result<SessionRow, Error> {
        let tokens = match &new {
            Some(n) => {
                let bytes = serde_json::to_vec(&n.tokens).map_err(Error::internal)?;
                Some(
                    self.vault
                        .seal(&*self.entropy, &tokens_purpose(&id_hash), &bytes)?,
                )
            }
            None => None,
        };
        Ok(SessionRow {
            id_hash,
            public_id: new
                .as_ref()
                .map_or_else(|| self.entropy.uuid().to_string(), |n| n.public_id.clone()),
            account: new.as_ref().map(|n| n.account),
            issuer: new.as_ref().map(|n| n.issuer.clone()),
            subject: new.as_ref().map(|n| n.subject.clone()),
            sid: new.as_ref().and_then(|n| n.sid.clone()),
            created_at: now,
            seen_at: now,
            idle_until: now.plus(self.limits.idle),
            absolute_until: now.plus(self.limits.absolute),
            ended_at: None,
            tokens,
            tokens_expire_at: new.and_then(|n| n.tokens_expire_at),
            data: serde_json::to_vec(data).map_err(Error::internal)?,
        })
    }
}

fn backend(e: Error) -> session_store::Error {
    session_store::Error::Backend(e.for_log())
}

#[async_trait]
impl session_store::SessionStore for Backend {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let new = match record.data.remove(SIGN_IN) {
            Some(v) => Some(
                serde_json::from_value::<NewSession>(v)
                    .map_err(|e| session_store::Error::Encode(e.to_string()))?,
            ),
            None => None,
        };
        if let Some(n) = &new {
            // Whatever id the browser came with: a sign-in never takes one over (session fixation).
            record.id = Id::default();
            record.data.insert(PUBLIC.into(), json!(n.public_id));
        }
        // 128 random bits do not collide; should they, another id is drawn.
        for _ in 0..3 {
            let now = self.clock.now();
            let row = self
                .row(id_hash(&record.id), &record.data, new.clone(), now)
                .map_err(backend)?;
            match self.store.session_create(&row).await {
                Ok(()) => return Ok(()),
                Err(e) if e.kind == Kind::Conflict => record.id = Id::default(),
                Err(e) => return Err(backend(e)),
            }
        }
        Err(session_store::Error::Backend(
            "three session ids in a row were taken".into(),
        ))
    }

    /// Only updates: a request that outlives a sign-out must not bring the session back.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let data = serde_json::to_vec(&record.data)
            .map_err(|e| session_store::Error::Encode(e.to_string()))?;
        self.store
            .session_save(&id_hash(&record.id), &data, self.clock.now())
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(row) = self
            .store
            .session_load(&id_hash(id), self.clock.now())
            .await
            .map_err(backend)?
        else {
            return Ok(None);
        };
        let data = serde_json::from_slice(&row.data)
            .map_err(|e| session_store::Error::Decode(e.to_string()))?;
        let until = row.idle_until.min(row.absolute_until);
        let expiry_date = OffsetDateTime::from_unix_timestamp(until.0 / Micros::SECOND)
            .map_err(|e| session_store::Error::Decode(e.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data,
            expiry_date,
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.store
            .session_end(&id_hash(id), self.clock.now(), &[])
            .await
            .map_err(backend)?;
        Ok(())
    }
}
