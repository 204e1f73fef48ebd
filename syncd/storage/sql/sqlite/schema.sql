-- The newest schema, as a new store gets it. A store that exists walks through migrations/ to the
-- same place; tests/storage/test_migrate.py compares the two.

-- What was decided when the store was made.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One log per account. It holds the entries floor+1 .. head; the links continue its hash chain.
CREATE TABLE logs (
    log INTEGER PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    epoch BLOB NOT NULL,
    floor INTEGER NOT NULL,
    floor_link BLOB NOT NULL,
    head INTEGER NOT NULL,
    head_link BLOB NOT NULL
) STRICT;

-- Rows lie in the order of arrival, found through the index of (log, seq): appending to a thousand
-- logs then fills a few pages at the end, not one page of each log. The body comes last, so that a
-- chain is walked without touching the pages that a long body spills into.
CREATE TABLE entries (
    log INTEGER NOT NULL REFERENCES logs,
    seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    header BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT;

CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL UNIQUE,
    log INTEGER NOT NULL REFERENCES logs,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    credential INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    instance TEXT,
    revoked INTEGER NOT NULL,
    -- The highest message number ever accepted, and how many were.
    sent INTEGER NOT NULL,
    accepted INTEGER NOT NULL
) STRICT;
CREATE INDEX devices_of_log ON devices (log);

-- The last accepted messages of each device: a ring, so that it is bounded without any deletion.
-- slot = (accepted before this one) modulo the number of messages that are remembered.
CREATE TABLE remembered (
    device INTEGER NOT NULL REFERENCES devices,
    slot INTEGER NOT NULL,
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (device, slot)
) STRICT, WITHOUT ROWID;

-- What was confirmed, by the key that the store's cursor scope makes (see cursors.py).
CREATE TABLE cursors (
    key TEXT PRIMARY KEY,
    epoch BLOB NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE publications (
    publisher TEXT NOT NULL,
    key TEXT NOT NULL,
    content BLOB NOT NULL,
    log INTEGER NOT NULL REFERENCES logs,
    seq INTEGER NOT NULL,
    PRIMARY KEY (publisher, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX keys_by_hash ON keys (hash);
