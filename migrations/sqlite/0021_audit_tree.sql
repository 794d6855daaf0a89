-- The Merkle tree over the log (RFC 6962, C2SP tlog-tiles). It can be made again from audit_records;
-- what proves anything are the checkpoints, which are kept outside too.
CREATE TABLE audit_tiles (
    -- Of tiles: level 0 holds the leaves' hashes, level n the roots of full tiles of level n - 1.
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    -- Up to 256 hashes of 32 bytes. A tile only ever grows.
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;

-- How many records are in the tiles: one row, locked by whoever adds to them.
CREATE TABLE audit_tree (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL
) STRICT;
INSERT INTO audit_tree (id, size) VALUES (1, 0);

-- Signed heads of the tree, as notes (C2SP tlog-checkpoint).
CREATE TABLE audit_checkpoints (
    size INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
