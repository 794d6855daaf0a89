-- Changes, their immutable revisions, the items of a revision, and decisions on it. Where a thing
-- lives is told by identity (cluster_id is the UID of its kube-system namespace) with names beside it.
CREATE TABLE changes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    cluster_id TEXT COLLATE "C" NOT NULL,
    cluster_name TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    namespace_uid TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    api_version TEXT COLLATE "C" NOT NULL,
    object_kind TEXT COLLATE "C" NOT NULL,
    object_name TEXT COLLATE "C" NOT NULL,
    usage_json TEXT COLLATE "C" NOT NULL,
    requester TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    requester_account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    current_revision TEXT COLLATE "C" NOT NULL,
    -- Raised by each write; whoever writes says which one was read.
    version BIGINT NOT NULL,
    -- When the decision that holds it takes effect.
    hold_until BIGINT,
    end_reason TEXT COLLATE "C",
    ended_at BIGINT,
    -- Name, namespace and purpose in lower case.
    search TEXT COLLATE "C" NOT NULL
);
CREATE INDEX changes_order ON changes (created_at, id);
CREATE INDEX changes_state ON changes (state, created_at, id);
CREATE INDEX changes_requester ON changes (requester, created_at, id);
CREATE INDEX changes_unit ON changes (unit, environment, created_at, id);
CREATE INDEX changes_deployment ON changes (cluster_name, namespace, object_name, created_at, id);
CREATE INDEX changes_hold ON changes (hold_until) WHERE state = 'held';
CREATE INDEX changes_expiry ON changes (expires_at) WHERE state = 'waiting';

CREATE TABLE revisions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    change_id TEXT COLLATE "C" NOT NULL REFERENCES changes (id),
    number BIGINT NOT NULL,
    -- The canonical JSON that content_hash is over, byte for byte.
    content BYTEA NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    manifest_yaml TEXT COLLATE "C" NOT NULL,
    comment TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    author_account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    seen_json TEXT COLLATE "C" NOT NULL,
    stages_json TEXT COLLATE "C" NOT NULL,
    -- How many agreements the stages ask for in all.
    needed BIGINT NOT NULL,
    policy_version TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX revisions_number ON revisions (change_id, number);

CREATE TABLE items (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    change_id TEXT COLLATE "C" NOT NULL REFERENCES changes (id),
    revision_id TEXT COLLATE "C" NOT NULL REFERENCES revisions (id),
    cluster_id TEXT COLLATE "C" NOT NULL,
    cluster_name TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    namespace_uid TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    api_version TEXT COLLATE "C" NOT NULL,
    object_kind TEXT COLLATE "C" NOT NULL,
    object_name TEXT COLLATE "C" NOT NULL,
    -- `apply` or `delete`, and the hash, as in the revision's content.
    action TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C",
    applied_uid TEXT COLLATE "C",
    applied_generation BIGINT,
    applied_at BIGINT,
    attempts BIGINT NOT NULL
);
CREATE INDEX items_change ON items (change_id, id);
CREATE INDEX items_revision ON items (revision_id);
CREATE INDEX items_applied ON items (cluster_name, namespace, object_name, applied_at, id) WHERE state = 'applied';

CREATE TABLE decisions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    change_id TEXT COLLATE "C" NOT NULL REFERENCES changes (id),
    revision_id TEXT COLLATE "C" NOT NULL REFERENCES revisions (id),
    stage BIGINT NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    acting_for TEXT COLLATE "C" REFERENCES persons (id),
    reason TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    policy_version TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    undone_at BIGINT,
    voided_at BIGINT
);
CREATE INDEX decisions_change ON decisions (change_id, decided_at, id);
CREATE INDEX decisions_person ON decisions (person, decided_at);
-- A person has one say on a revision, whatever account they use.
CREATE UNIQUE INDEX decisions_once ON decisions (revision_id, person) WHERE undone_at IS NULL AND voided_at IS NULL;

-- Who has a change's page open.
CREATE TABLE presence (
    change_id TEXT COLLATE "C" NOT NULL REFERENCES changes (id),
    person TEXT COLLATE "C" NOT NULL REFERENCES persons (id),
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (change_id, person)
);
CREATE INDEX presence_seen ON presence (seen_at);
