//! Sessions: what ended never comes back, and only one tab refreshes tokens. Tokens outlive a session
//! as long as a change that its account asked for is on its way.

use crate::{
    Db,
    arg::{Arg, args},
    conn::Conn,
    row::Row,
};
use async_trait::async_trait;
use domain::{Error, Micros, Result, ids::*};
use services::ports::{LoggedOut, LogoutToken, NewRecord, SessionRow, SessionStore};

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

/// Accounts that asked for a change which is on its way: the worker will want their groups.
const WAITED_FOR: &str = "SELECT requester_account FROM changes WHERE state IN ('waiting', 'held', 'queued', 'applying')";

/// Sessions of one account that a refresh tries, at most.
const TRIED: usize = 20;

impl Db {
    /// Ends the sessions that a condition names (`$1` is the time). The records are written only when
    /// a session ended: they say that one did.
    async fn end(
        &self,
        tx: &mut Conn,
        condition: &'static str,
        args: Vec<Arg>,
        audit: &[NewRecord],
    ) -> Result<u64> {
        let sql = format!(
            "UPDATE sessions SET ended_at = $1, tokens = CASE WHEN account_id IN ({WAITED_FOR}) THEN tokens END, tokens_expire_at = NULL
             WHERE ended_at IS NULL AND {condition}"
        );
        let ended = tx.exec(sql, args).await?;
        if ended > 0 {
            self.append(tx, audit).await?;
        }
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
        let mut tx = self.begin().await?;
        let args = args![now, id_hash];
        let ended = self.end(&mut tx, "id_hash = $2", args, audit).await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    async fn session_refused(
        &self,
        id_hash: &str,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET ended_at = $2
                   WHERE id_hash = $1 AND ended_at IS NULL AND idle_until > $2 AND absolute_until > $2";
        let ended = tx.exec(sql, args![id_hash, now]).await?;
        if ended > 0 {
            self.append(&mut tx, audit).await?;
        }
        let sql = "UPDATE sessions SET tokens = NULL, tokens_expire_at = NULL WHERE id_hash = $1";
        tx.exec(sql, args![id_hash]).await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    async fn session_logout(
        &self,
        token: &LogoutToken,
        now: Micros,
        audit: &[NewRecord],
    ) -> Result<Option<u64>> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO logout_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING";
        let args = args![&token.jti, token.expires];
        if tx.exec(sql, args).await? == 0 {
            return Ok(None);
        }
        let (condition, name) = match &token.whose {
            LoggedOut::Session(sid) => ("issuer = $2 AND sid = $3", sid),
            LoggedOut::Subject(subject) => ("issuer = $2 AND subject = $3", subject),
        };
        let args = args![now, &token.issuer, name];
        let ended = self.end(&mut tx, condition, args, audit).await?;
        tx.commit().await?;
        Ok(Some(ended))
    }

    async fn session_refresh_lease(
        &self,
        id_hash: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET refresh_until = $3
                   WHERE id_hash = $1 AND tokens IS NOT NULL AND (refresh_until IS NULL OR refresh_until <= $2)";
        let taken = tx.exec(sql, args![id_hash, now, until]).await?;
        tx.commit().await?;
        Ok(taken > 0)
    }

    async fn session_refresh_free(&self, id_hash: &str, at: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET refresh_until = $2 WHERE id_hash = $1";
        tx.exec(sql, args![id_hash, at]).await?;
        tx.commit().await
    }

    async fn session_put_tokens(
        &self,
        id_hash: &str,
        tokens: &[u8],
        expire_at: Option<Micros>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE sessions SET tokens = $2, tokens_expire_at = $3 WHERE id_hash = $1 AND tokens IS NOT NULL";
        tx.exec(sql, args![id_hash, tokens, expire_at]).await?;
        tx.commit().await
    }

    async fn session_with_tokens(&self, id_hash: &str) -> Result<Option<SessionRow>> {
        let sql = format!("{SESSION} WHERE id_hash = $1 AND tokens IS NOT NULL");
        let row = self.read().await?.one(sql, args![id_hash]).await?;
        row.map(|r| session(&r)).transpose()
    }

    async fn sessions_with_tokens_of(&self, account: AccountId) -> Result<Vec<SessionRow>> {
        let sql = format!(
            "{SESSION} WHERE account_id = $1 AND tokens IS NOT NULL ORDER BY seen_at DESC, id_hash LIMIT {TRIED}"
        );
        let found = self.read().await?.all(sql, args![account]).await?;
        found.iter().map(session).collect()
    }

    async fn session_sweep(&self, now: Micros, before: Micros) -> Result<u64> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE sessions SET tokens = NULL, tokens_expire_at = NULL
             WHERE tokens IS NOT NULL AND (ended_at IS NOT NULL OR idle_until <= $1 OR absolute_until <= $1)
                 AND (account_id IS NULL OR account_id NOT IN ({WAITED_FOR}))"
        );
        tx.exec(sql, args![now]).await?;
        let sql = "DELETE FROM sessions WHERE tokens IS NULL AND (ended_at < $1 OR idle_until < $1 OR absolute_until < $1)";
        let swept = tx.exec(sql, args![before]).await?;
        tx.exec(
            "DELETE FROM logout_tokens WHERE expires_at < $1",
            args![before],
        )
        .await?;
        tx.commit().await?;
        Ok(swept)
    }
}
