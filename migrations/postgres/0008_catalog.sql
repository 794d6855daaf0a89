-- The catalogue: registries, models (one repository each), versions (one digest each), tags with
-- their history, and facts. Facet columns repeat the facts so that filters and counts run in SQL.
CREATE TABLE registries (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    username TEXT COLLATE "C",
    -- Encrypted before it comes here.
    secret BYTEA,
    source TEXT COLLATE "C" NOT NULL,
    rules_json TEXT COLLATE "C" NOT NULL,
    sync_minutes BIGINT NOT NULL,
    version BIGINT NOT NULL,
    running_since BIGINT,
    done BIGINT NOT NULL,
    total BIGINT,
    last_success BIGINT,
    last_error TEXT COLLATE "C",
    last_error_at BIGINT,
    wanted_since BIGINT,
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT NOT NULL
);
CREATE UNIQUE INDEX registries_name ON registries (name);

CREATE TABLE models (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    registry_id TEXT COLLATE "C" NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- Versions that are in the registry now.
    versions BIGINT NOT NULL,
    -- The newest version, and what is known of it.
    latest TEXT COLLATE "C" NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    newest_at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    format TEXT COLLATE "C" NOT NULL,
    licence TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL,
    scan TEXT COLLATE "C" NOT NULL,
    -- -1 where unknown, so that it can be ordered by.
    size_bytes BIGINT NOT NULL,
    parameters BIGINT NOT NULL,
    -- Name, repository, task and the beginning of the card in lower case.
    search TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX models_repository ON models (registry_id, repository);
CREATE INDEX models_by_name ON models (name_key, id);
CREATE INDEX models_by_newest ON models (newest_at, id);
CREATE INDEX models_by_size ON models (size_bytes, id);
CREATE INDEX models_by_parameters ON models (parameters, id);
CREATE INDEX models_facets ON models (versions, kind, task, format, licence, signature, scan, registry_id);

CREATE TABLE versions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    model_id TEXT COLLATE "C" NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    created_at BIGINT,
    first_seen BIGINT NOT NULL,
    observed_at BIGINT NOT NULL,
    gone_at BIGINT,
    -- 1 while it is in the registry; with sort_at this is the order of versions.
    live BIGINT NOT NULL,
    sort_at BIGINT NOT NULL,
    platforms_json TEXT COLLATE "C" NOT NULL,
    signature_json TEXT COLLATE "C" NOT NULL,
    scan_json TEXT COLLATE "C",
    pickle_json TEXT COLLATE "C",
    -- Without the list of files, which may be long and stands in version_files.
    facts_json TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX versions_digest ON versions (model_id, digest);
CREATE INDEX versions_by_digest ON versions (digest);
CREATE INDEX versions_newest ON versions (model_id, live, sort_at, id);

CREATE TABLE version_files (
    version_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    files_json TEXT COLLATE "C" NOT NULL,
    card TEXT COLLATE "C"
);

-- Tags: a row for each time a tag pointed somewhere. moved_at is NULL for where it points now;
-- moved_to is NULL when the tag was removed.
CREATE TABLE tags (
    model_id TEXT COLLATE "C" NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version_id TEXT COLLATE "C" NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    moved_at BIGINT,
    moved_to TEXT COLLATE "C",
    moved_from TEXT COLLATE "C",
    PRIMARY KEY (version_id, name, since)
);
CREATE UNIQUE INDEX tags_current ON tags (model_id, name) WHERE moved_at IS NULL;

-- What is known about a digest, from whom and since when, one row for each kind and source.
CREATE TABLE facts (
    version_id TEXT COLLATE "C" NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    observed_at BIGINT NOT NULL,
    report_json TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (version_id, kind, source)
);
CREATE INDEX facts_digest ON facts (digest, kind);
