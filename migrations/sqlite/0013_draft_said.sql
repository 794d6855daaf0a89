-- What a cluster said of a draft in its last dry run, so that the steps show it beside their fields.
ALTER TABLE drafts ADD COLUMN said_json TEXT NOT NULL DEFAULT '[]';
