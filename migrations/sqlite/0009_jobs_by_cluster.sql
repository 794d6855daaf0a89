-- To which cluster a job goes, so that one that hangs holds up its own jobs only; and stops (0) go first.
ALTER TABLE jobs ADD COLUMN cluster TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 1;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (rank, run_at, id) WHERE done_at IS NULL;
