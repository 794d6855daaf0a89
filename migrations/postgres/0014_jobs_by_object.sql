-- What a job is about (namespace/name in its cluster), so that no two workers are at one object at once.
ALTER TABLE jobs ADD COLUMN object TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE jobs SET object = COALESCE(
    (SELECT i.namespace || '/' || i.object_name FROM items i WHERE i.revision_id || '/' || i.id = jobs.key), key)
WHERE done_at IS NULL;
CREATE INDEX jobs_object ON jobs (cluster, object) WHERE done_at IS NULL;
