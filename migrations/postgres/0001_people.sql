-- Who: a person is not an account, and an account's groups are snapshots with a source and an age.
-- Instants are integer microseconds UTC; ids are UUIDv7 as text, so that both databases order them alike.

-- One row per statement about the database itself (the fingerprint of its key ring).
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE persons (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    -- Issuer and value of the configured person claim: accounts with the same one are one person.
    key_issuer TEXT COLLATE "C",
    key_value TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    -- Set when two persons turned out to be one; everything of this one then belongs to the other.
    merged_into TEXT COLLATE "C" REFERENCES persons (id)
);
CREATE UNIQUE INDEX persons_key ON persons (key_issuer, key_value);

CREATE TABLE accounts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    username TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    signed_in_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, subject);
CREATE INDEX accounts_person ON accounts (person_id);

-- The same groups from the same source again only move taken_at; anything else is a new row.
CREATE TABLE group_snapshots (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    first_taken_at BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    groups_json TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, first_taken_at)
);
CREATE INDEX group_snapshots_newest ON group_snapshots (account_id, taken_at);
