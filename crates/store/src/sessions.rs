//! Sessions: what ended never comes back, and only one tab refreshes tokens.

use crate::{
    Db,
    arg::{Arg, args},
    row::Row,
};
use async_trait::async_trait;
use domain::{Error, Micros, Result, ids::*};
use services::ports::{NewRecord, SessionRow, SessionStore};

const SESSION: &str = "SELECT id_hash, public_id, account_id, issuer, subject, sid, created_at, seen_at, idle_until, absolute_until,
    ended_at, tokens, tokens_expire_at, data FROM sessions";

fn session(row: &Row) -> Result<SessionRow> {
    Ok(SessionRow {
        id_hash: row.text("id_hash")?,
        public_id: row.text("public_id")?,
        account: row.opt_id("account_id")?,
        issuer: row.opt_text("issuer")?,
        subject: row.opt_text("subject")?,
        sid: row.opt_text("sid")?,
        created_at: row.at("created_at")?,
        seen_at: row.at("seen_at")?,
        idle_until: row.at("idle_until")?,
        absolute_until: row.at("absolute_until")?,
        ended_at: row.opt_at("ended_at")?,
        tokens: row.opt_bytes("tokens")?,
        tokens_expire_at: row.opt_at("tokens_expire_at")?,
        data: row.bytes("data")?,
    })
}

impl Db {
    /// Ends the sessions that a condition names (`$1` is the time) and forgets their tokens. The
    /// records are written only when a session ended: they say that one did.
    async fn end(
        &self,
        condition: &'static str,
        args: Vec<Arg>,
        audit: &[NewRecord],
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE sessions SET ended_at = $1, tokens = NULL, tokens_expire_at = NULL WHERE ended_at IS NULL AND {condition}"
        );
        let ended = tx.exec(sql, args).await?;
        if ended > 0 {
            self.append(&mut tx, audit).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }
}

#[async_trait]
impl SessionStore for Db {
    async fn session_create(&self, s: &SessionRow) -> Result<()> {
        let mut tx = self.begin().await?;
        let made = tx
            .exec(
                "INSERT INTO sessions (id_hash, public_id, account_id, issuer, subject, sid, created_at, seen_at, idle_until, absolute_until,
                     ended_at, tokens, tokens_expire_at, data)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id_hash) DO NOTHING",
                args![
                    &s.id_hash,
                    &s.public_id,
                    s.account,
                    s.issuer.as_deref(),
                    s.subject.as_deref(),
                    s.sid.as_deref(),
                    s.created_at,
                    s.seen_at,
                    s.idle_until,
                    s.absolute_until,
                    s.ended_at,
                    s.tokens.as_deref(),
                    s.tokens_expire_at,
                    &s.data
                ],
            )
            .await?;
        if made == 0 {
            return Err(Error::conflict("a session with this id exists already"));
        }
        tx.commit().await
    }

    async fn session_load(&self, id_hash: &str, now: Micros) -> Result<Option<SessionRow>> {
        let sql = format!(
            "{SESSION} WHERE id_hash = $1 AND ended_at IS NULL AND idle_until > $2 AND absolute_until > $2"
        );
        let row = self.read().await?.one(sql, args![id_hash, now]).await?;
        row.map(|r| session(&r)).transpose()
    }

    async fn session_save(&self, id_hash: &str, data: &[u8], now: Micros) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET data = $2 WHERE id_hash = $1 AND ended_at IS NULL AND idle_until > $3 AND absolute_until > $3";
        let saved = tx.exec(sql, args![id_hash, data, now]).await?;
        tx.commit().await?;
        Ok(saved > 0)
    }

    async fn session_touch(&self, id_hash: &str, now: Micros, idle_until: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET seen_at = $2, idle_until = $3
                   WHERE id_hash = $1 AND ended_at IS NULL AND idle_until > $2 AND absolute_until > $2";
        tx.exec(sql, args![id_hash, now, idle_until]).await?;
        tx.commit().await
    }

    async fn session_end(&self, id_hash: &str, now: Micros, audit: &[NewRecord]) -> Result<bool> {
        Ok(self.end("id_hash = $2", args![now, id_hash], audit).await? > 0)
    }

    async fn session_end_by_sid(
        &self,
        issuer: &str,
        sid: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<u64> {
        self.end("issuer = $2 AND sid = $3", args![now, issuer, sid], audit)
            .await
    }

    async fn session_end_by_subject(
        &self,
        issuer: &str,
        subject: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<u64> {
        self.end(
            "issuer = $2 AND subject = $3",
            args![now, issuer, subject],
            audit,
        )
        .await
    }

    async fn session_refresh_lease(
        &self,
        id_hash: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET refresh_until = $3
                   WHERE id_hash = $1 AND ended_at IS NULL AND (refresh_until IS NULL OR refresh_until <= $2)";
        let taken = tx.exec(sql, args![id_hash, now, until]).await?;
        tx.commit().await?;
        Ok(taken > 0)
    }

    async fn session_put_tokens(
        &self,
        id_hash: &str,
        tokens: &[u8],
        expire_at: Option<Micros>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET tokens = $2, tokens_expire_at = $3, refresh_until = NULL WHERE id_hash = $1 AND ended_at IS NULL";
        tx.exec(sql, args![id_hash, tokens, expire_at]).await?;
        tx.commit().await
    }

    async fn session_latest_of(
        &self,
        account: AccountId,
        now: Micros,
    ) -> Result<Option<SessionRow>> {
        let sql = format!(
            "{SESSION} WHERE account_id = $1 AND tokens IS NOT NULL AND ended_at IS NULL AND idle_until > $2 AND absolute_until > $2
             ORDER BY seen_at DESC, id_hash LIMIT 1"
        );
        let row = self.read().await?.one(sql, args![account, now]).await?;
        row.map(|r| session(&r)).transpose()
    }

    async fn session_sweep(&self, before: Micros) -> Result<u64> {
        let mut tx = self.begin().await?;
        let sql =
            "DELETE FROM sessions WHERE ended_at < $1 OR idle_until < $1 OR absolute_until < $1";
        let swept = tx.exec(sql, args![before]).await?;
        tx.exec(
            "DELETE FROM logout_tokens WHERE expires_at < $1",
            args![before],
        )
        .await?;
        tx.commit().await?;
        Ok(swept)
    }

    async fn logout_token_once(&self, jti: &str, expires: Micros) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO logout_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING";
        let new = tx.exec(sql, args![jti, expires]).await?;
        tx.commit().await?;
        Ok(new > 0)
    }
}
