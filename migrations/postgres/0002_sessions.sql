-- Sessions of ours: the cookie is stored as its hash only, tokens are encrypted before they come here.
CREATE TABLE sessions (
    id_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    public_id TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" REFERENCES accounts (id),
    issuer TEXT COLLATE "C",
    subject TEXT COLLATE "C",
    sid TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    absolute_until BIGINT NOT NULL,
    ended_at BIGINT,
    tokens BYTEA,
    tokens_expire_at BIGINT,
    -- One refresh at a time: nobody else may refresh until then.
    refresh_until BIGINT,
    data BYTEA NOT NULL
);
CREATE INDEX sessions_sid ON sessions (issuer, sid);
CREATE INDEX sessions_subject ON sessions (issuer, subject);
CREATE INDEX sessions_account ON sessions (account_id, seen_at);
CREATE INDEX sessions_idle ON sessions (idle_until);

-- Logout tokens that were used: each counts once.
CREATE TABLE logout_tokens (
    jti TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX logout_tokens_expiry ON logout_tokens (expires_at);
