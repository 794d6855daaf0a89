-- Work that is owed. The key makes a job unique for ever; the epoch tells claimants apart.
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease_owner TEXT,
    -- Nobody else may claim it before this.
    lease_until INTEGER NOT NULL,
    note TEXT,
    done_at INTEGER
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (key);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE done_at IS NULL;
