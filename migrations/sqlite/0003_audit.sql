-- The log: append-only. `bytes` are the exact canonical bytes that `hash` is over; every other column
-- of audit_records repeats something from them so that it can be searched, and says nothing new.

-- A key per person for the personal part of their records, wrapped by the configured secret key.
-- Destroying a row makes that person's part unreadable and leaves the log as it is.
CREATE TABLE person_keys (
    -- Keyed pseudonym of the person: the log names nobody.
    pseudonym TEXT NOT NULL PRIMARY KEY,
    -- NULL once it was destroyed.
    wrapped BLOB
) STRICT;

-- The sequencer: one row, locked by whoever appends, so that positions have no gaps and the order
-- of positions is the order of commits.
CREATE TABLE audit_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO audit_head (id, seq) VALUES (1, 0);

CREATE TABLE audit_records (
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    hash TEXT NOT NULL,
    bytes BLOB NOT NULL,
    at INTEGER NOT NULL,
    phase TEXT NOT NULL,
    intent TEXT,
    action TEXT NOT NULL,
    person TEXT,
    object TEXT NOT NULL,
    unit TEXT NOT NULL,
    environment TEXT NOT NULL,
    change_id TEXT,
    outcome TEXT,
    retention TEXT NOT NULL
) STRICT;
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
    intent TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_open_at ON audit_open (at, seq);
