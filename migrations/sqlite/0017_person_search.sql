-- What a person is searched by: their name and user names in lower case, written by the program,
-- because the databases' own lower() changes ASCII letters only. Empty: not written yet; each start
-- of the program fills these.
ALTER TABLE persons ADD COLUMN search TEXT NOT NULL DEFAULT '';
