-- Who: a person is not an account, and an account's groups are snapshots with a source and an age.
-- Instants are integer microseconds UTC; ids are UUIDv7 as text, so that both databases order them alike.

-- One row per statement about the database itself (the fingerprint of its key ring).
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE persons (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- Issuer and value of the configured person claim: accounts with the same one are one person.
    key_issuer TEXT,
    key_value TEXT,
    created_at INTEGER NOT NULL,
    -- Set when two persons turned out to be one; everything of this one then belongs to the other.
    merged_into TEXT REFERENCES persons (id)
) STRICT;
CREATE UNIQUE INDEX persons_key ON persons (key_issuer, key_value);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES persons (id),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    created_at INTEGER NOT NULL,
    signed_in_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, subject);
CREATE INDEX accounts_person ON accounts (person_id);

-- The same groups from the same source again only move taken_at; anything else is a new row.
CREATE TABLE group_snapshots (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    first_taken_at INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    groups_json TEXT NOT NULL,
    PRIMARY KEY (account_id, first_taken_at)
) STRICT;
CREATE INDEX group_snapshots_newest ON group_snapshots (account_id, taken_at);
