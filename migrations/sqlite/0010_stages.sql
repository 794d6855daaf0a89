-- The stages of a revision as rows, so that a query can tell which one is open and whose turn it is.
-- stages_json stays what the revision says; this repeats it.
CREATE TABLE stages (
    revision_id TEXT NOT NULL REFERENCES revisions (id),
    -- From 0, in the order in which they are passed.
    stage INTEGER NOT NULL,
    role TEXT NOT NULL,
    -- So many people of this role have to agree.
    needed INTEGER NOT NULL,
    PRIMARY KEY (revision_id, stage)
) STRICT;
INSERT INTO stages (revision_id, stage, role, needed)
SELECT v.id, s.key, json_extract(s.value, '$.role'), json_extract(s.value, '$.count')
FROM revisions v, json_each(v.stages_json) s;
