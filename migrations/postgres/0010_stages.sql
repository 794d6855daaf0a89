-- The stages of a revision as rows, so that a query can tell which one is open and whose turn it is.
-- stages_json stays what the revision says; this repeats it.
CREATE TABLE stages (
    revision_id TEXT COLLATE "C" NOT NULL REFERENCES revisions (id),
    -- From 0, in the order in which they are passed.
    stage BIGINT NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    -- So many people of this role have to agree.
    needed BIGINT NOT NULL,
    PRIMARY KEY (revision_id, stage)
);
INSERT INTO stages (revision_id, stage, role, needed)
SELECT v.id, s.n - 1, s.value ->> 'role', (s.value ->> 'count')::BIGINT
FROM revisions v, json_array_elements(v.stages_json::JSON) WITH ORDINALITY AS s (value, n);
