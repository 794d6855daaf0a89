-- Wizard drafts: whatever was typed, valid or not. version_id and change_id name things that may be
-- gone by now, so they are not references.
CREATE TABLE drafts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    kind TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    version_id TEXT COLLATE "C",
    change_id TEXT COLLATE "C",
    cluster TEXT COLLATE "C",
    namespace TEXT COLLATE "C",
    usage_json TEXT COLLATE "C" NOT NULL,
    comment TEXT COLLATE "C" NOT NULL,
    manifest_yaml TEXT COLLATE "C" NOT NULL,
    broken_yaml TEXT COLLATE "C",
    step TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX drafts_owner ON drafts (owner, updated_at, id);
