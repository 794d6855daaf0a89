-- Work that is owed. The key makes a job unique for ever; the epoch tells claimants apart.
CREATE TABLE jobs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    run_at BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    -- Nobody else may claim it before this.
    lease_until BIGINT NOT NULL,
    note TEXT COLLATE "C",
    done_at BIGINT
);
CREATE UNIQUE INDEX jobs_key ON jobs (key);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE done_at IS NULL;
