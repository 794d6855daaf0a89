-- Certificates to trust for a registry, the token of its notifications (encrypted before it comes
-- here), and what was asked to be looked at again: an empty repository means all of them.
ALTER TABLE registries ADD COLUMN ca_pem TEXT;
ALTER TABLE registries ADD COLUMN notification_secret BLOB;

CREATE TABLE registry_wanted (
    registry_id TEXT NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (registry_id, repository)
) STRICT;
