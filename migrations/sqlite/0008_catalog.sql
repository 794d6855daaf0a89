-- The catalogue: registries, models (one repository each), versions (one digest each), tags with
-- their history, and facts. Facet columns repeat the facts so that filters and counts run in SQL.
CREATE TABLE registries (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    username TEXT,
    -- Encrypted before it comes here.
    secret BLOB,
    source TEXT NOT NULL,
    rules_json TEXT NOT NULL,
    sync_minutes INTEGER NOT NULL,
    version INTEGER NOT NULL,
    running_since INTEGER,
    done INTEGER NOT NULL,
    total INTEGER,
    last_success INTEGER,
    last_error TEXT,
    last_error_at INTEGER,
    wanted_since INTEGER,
    lease_owner TEXT,
    lease_until INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX registries_name ON registries (name);

CREATE TABLE models (
    id TEXT NOT NULL PRIMARY KEY,
    registry_id TEXT NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Versions that are in the registry now.
    versions INTEGER NOT NULL,
    -- The newest version, and what is known of it.
    latest TEXT NOT NULL,
    name_key TEXT NOT NULL,
    newest_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    task TEXT NOT NULL,
    format TEXT NOT NULL,
    licence TEXT NOT NULL,
    signature TEXT NOT NULL,
    scan TEXT NOT NULL,
    -- -1 where unknown, so that it can be ordered by.
    size_bytes INTEGER NOT NULL,
    parameters INTEGER NOT NULL,
    -- Name, repository, task and the beginning of the card in lower case.
    search TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX models_repository ON models (registry_id, repository);
CREATE INDEX models_by_name ON models (name_key, id);
CREATE INDEX models_by_newest ON models (newest_at, id);
CREATE INDEX models_by_size ON models (size_bytes, id);
CREATE INDEX models_by_parameters ON models (parameters, id);
CREATE INDEX models_facets ON models (versions, kind, task, format, licence, signature, scan, registry_id);

CREATE TABLE versions (
    id TEXT NOT NULL PRIMARY KEY,
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER,
    first_seen INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    gone_at INTEGER,
    -- 1 while it is in the registry; with sort_at this is the order of versions.
    live INTEGER NOT NULL,
    sort_at INTEGER NOT NULL,
    platforms_json TEXT NOT NULL,
    signature_json TEXT NOT NULL,
    scan_json TEXT,
    pickle_json TEXT,
    -- Without the list of files, which may be long and stands in version_files.
    facts_json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX versions_digest ON versions (model_id, digest);
CREATE INDEX versions_by_digest ON versions (digest);
CREATE INDEX versions_newest ON versions (model_id, live, sort_at, id);

CREATE TABLE version_files (
    version_id TEXT NOT NULL PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    files_json TEXT NOT NULL,
    card TEXT
) STRICT;

-- Tags: a row for each time a tag pointed somewhere. moved_at is NULL for where it points now;
-- moved_to is NULL when the tag was removed.
CREATE TABLE tags (
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    moved_at INTEGER,
    moved_to TEXT,
    moved_from TEXT,
    PRIMARY KEY (version_id, name, since)
) STRICT;
CREATE UNIQUE INDEX tags_current ON tags (model_id, name) WHERE moved_at IS NULL;

-- What is known about a digest, from whom and since when, one row for each kind and source.
CREATE TABLE facts (
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    report_json TEXT NOT NULL,
    PRIMARY KEY (version_id, kind, source)
) STRICT;
CREATE INDEX facts_digest ON facts (digest, kind);
