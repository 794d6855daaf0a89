-- Wizard drafts: whatever was typed, valid or not. version_id and change_id name things that may be
-- gone by now, so they are not references.
CREATE TABLE drafts (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES persons (id),
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    version_id TEXT,
    change_id TEXT,
    cluster TEXT,
    namespace TEXT,
    usage_json TEXT NOT NULL,
    comment TEXT NOT NULL,
    manifest_yaml TEXT NOT NULL,
    broken_yaml TEXT,
    step TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX drafts_owner ON drafts (owner, updated_at, id);
