-- Sessions of ours: the cookie is stored as its hash only, tokens are encrypted before they come here.
CREATE TABLE sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    public_id TEXT NOT NULL,
    account_id TEXT REFERENCES accounts (id),
    issuer TEXT,
    subject TEXT,
    sid TEXT,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    absolute_until INTEGER NOT NULL,
    ended_at INTEGER,
    tokens BLOB,
    tokens_expire_at INTEGER,
    -- One refresh at a time: nobody else may refresh until then.
    refresh_until INTEGER,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX sessions_sid ON sessions (issuer, sid);
CREATE INDEX sessions_subject ON sessions (issuer, subject);
CREATE INDEX sessions_account ON sessions (account_id, seen_at);
CREATE INDEX sessions_idle ON sessions (idle_until);

-- Logout tokens that were used: each counts once.
CREATE TABLE logout_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX logout_tokens_expiry ON logout_tokens (expires_at);
