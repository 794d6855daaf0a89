-- Certificates to trust for a registry, the token of its notifications (encrypted before it comes
-- here), and what was asked to be looked at again: an empty repository means all of them.
ALTER TABLE registries ADD COLUMN ca_pem TEXT COLLATE "C";
ALTER TABLE registries ADD COLUMN notification_secret BYTEA;

CREATE TABLE registry_wanted (
    registry_id TEXT COLLATE "C" NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (registry_id, repository)
);
