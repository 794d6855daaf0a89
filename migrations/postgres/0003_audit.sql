-- The log: append-only. `bytes` are the exact canonical bytes that `hash` is over; every other column
-- of audit_records repeats something from them so that it can be searched, and says nothing new.

-- A key per person for the personal part of their records, wrapped by the configured secret key.
-- Destroying a row makes that person's part unreadable and leaves the log as it is.
CREATE TABLE person_keys (
    -- Keyed pseudonym of the person: the log names nobody.
    pseudonym TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- NULL once it was destroyed.
    wrapped BYTEA
);

-- The sequencer: one row, locked by whoever appends, so that positions have no gaps and the order
-- of positions is the order of commits.
CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO audit_head (id, seq) VALUES (1, 0);

CREATE TABLE audit_records (
    seq BIGINT NOT NULL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    bytes BYTEA NOT NULL,
    at BIGINT NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    intent TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C",
    object TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    change_id TEXT COLLATE "C",
    outcome TEXT COLLATE "C",
    retention TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX audit_records_id ON audit_records (id);
CREATE INDEX audit_records_intent ON audit_records (intent);
CREATE INDEX audit_records_at ON audit_records (at, seq);
CREATE INDEX audit_records_action ON audit_records (action, seq);
CREATE INDEX audit_records_person ON audit_records (person, seq);
CREATE INDEX audit_records_object ON audit_records (object, seq);
CREATE INDEX audit_records_change ON audit_records (change_id, seq);
CREATE INDEX audit_records_outcome ON audit_records (outcome, seq);
CREATE INDEX audit_records_unit ON audit_records (unit, seq);

-- Intents without an outcome yet. Not part of the log: it can be made again from it.
CREATE TABLE audit_open (
    intent TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX audit_open_at ON audit_open (at, seq);
