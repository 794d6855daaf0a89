-- Changes, their immutable revisions, the items of a revision, and decisions on it. Where a thing
-- lives is told by identity (cluster_id is the UID of its kube-system namespace) with names beside it.
CREATE TABLE changes (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    cluster_id TEXT NOT NULL,
    cluster_name TEXT NOT NULL,
    namespace TEXT NOT NULL,
    namespace_uid TEXT NOT NULL,
    unit TEXT NOT NULL,
    environment TEXT NOT NULL,
    api_version TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_name TEXT NOT NULL,
    usage_json TEXT NOT NULL,
    requester TEXT NOT NULL REFERENCES persons (id),
    requester_account TEXT NOT NULL REFERENCES accounts (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    current_revision TEXT NOT NULL,
    -- Raised by each write; whoever writes says which one was read.
    version INTEGER NOT NULL,
    -- When the decision that holds it takes effect.
    hold_until INTEGER,
    end_reason TEXT,
    ended_at INTEGER,
    -- Name, namespace and purpose in lower case.
    search TEXT NOT NULL
) STRICT;
CREATE INDEX changes_order ON changes (created_at, id);
CREATE INDEX changes_state ON changes (state, created_at, id);
CREATE INDEX changes_requester ON changes (requester, created_at, id);
CREATE INDEX changes_unit ON changes (unit, environment, created_at, id);
CREATE INDEX changes_deployment ON changes (cluster_name, namespace, object_name, created_at, id);
CREATE INDEX changes_hold ON changes (hold_until) WHERE state = 'held';
CREATE INDEX changes_expiry ON changes (expires_at) WHERE state = 'waiting';

CREATE TABLE revisions (
    id TEXT NOT NULL PRIMARY KEY,
    change_id TEXT NOT NULL REFERENCES changes (id),
    number INTEGER NOT NULL,
    -- The canonical JSON that content_hash is over, byte for byte.
    content BLOB NOT NULL,
    content_hash TEXT NOT NULL,
    manifest_yaml TEXT NOT NULL,
    comment TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES persons (id),
    author_account TEXT NOT NULL REFERENCES accounts (id),
    created_at INTEGER NOT NULL,
    seen_json TEXT NOT NULL,
    stages_json TEXT NOT NULL,
    -- How many agreements the stages ask for in all.
    needed INTEGER NOT NULL,
    policy_version TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX revisions_number ON revisions (change_id, number);

CREATE TABLE items (
    id TEXT NOT NULL PRIMARY KEY,
    change_id TEXT NOT NULL REFERENCES changes (id),
    revision_id TEXT NOT NULL REFERENCES revisions (id),
    cluster_id TEXT NOT NULL,
    cluster_name TEXT NOT NULL,
    namespace TEXT NOT NULL,
    namespace_uid TEXT NOT NULL,
    unit TEXT NOT NULL,
    environment TEXT NOT NULL,
    api_version TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_name TEXT NOT NULL,
    -- `apply` or `delete`, and the hash, as in the revision's content.
    action TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    applied_uid TEXT,
    applied_generation INTEGER,
    applied_at INTEGER,
    attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX items_change ON items (change_id, id);
CREATE INDEX items_revision ON items (revision_id);
CREATE INDEX items_applied ON items (cluster_name, namespace, object_name, applied_at, id) WHERE state = 'applied';

CREATE TABLE decisions (
    id TEXT NOT NULL PRIMARY KEY,
    change_id TEXT NOT NULL REFERENCES changes (id),
    revision_id TEXT NOT NULL REFERENCES revisions (id),
    stage INTEGER NOT NULL,
    role TEXT NOT NULL,
    outcome TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES persons (id),
    account TEXT NOT NULL REFERENCES accounts (id),
    acting_for TEXT REFERENCES persons (id),
    reason TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    undone_at INTEGER,
    voided_at INTEGER
) STRICT;
CREATE INDEX decisions_change ON decisions (change_id, decided_at, id);
CREATE INDEX decisions_person ON decisions (person, decided_at);
-- A person has one say on a revision, whatever account they use.
CREATE UNIQUE INDEX decisions_once ON decisions (revision_id, person) WHERE undone_at IS NULL AND voided_at IS NULL;

-- Who has a change's page open.
CREATE TABLE presence (
    change_id TEXT NOT NULL REFERENCES changes (id),
    person TEXT NOT NULL REFERENCES persons (id),
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (change_id, person)
) STRICT;
CREATE INDEX presence_seen ON presence (seen_at);
