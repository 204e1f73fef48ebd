-- Groups, read marks, an index of identities, running checksums, and what retention by age needs.
-- The functions are syncd/storage/migrate.py's.

ALTER TABLE logs ADD COLUMN floor_sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN head_sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN retain_entries INTEGER;
ALTER TABLE logs ADD COLUMN retain_ms INTEGER;

ALTER TABLE devices ADD COLUMN verdict TEXT;

CREATE TABLE new_entries (
    arrival INTEGER PRIMARY KEY,
    log INTEGER NOT NULL REFERENCES logs,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    number INTEGER NOT NULL,
    chain BLOB NOT NULL,
    -- The running checksum, sealed with the chain beside it (checksum.py).
    sum INTEGER NOT NULL,
    header BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (log, seq)
) STRICT;

INSERT INTO new_entries
SELECT rowid, log, seq, sender_of(header), number_of(header), chain,
       running_sum(log, chain, header, body), header, body_hash, body
FROM entries ORDER BY log, seq;

UPDATE logs SET head_sum = coalesce(
    (SELECT opened_sum(sum, chain) FROM new_entries
     WHERE new_entries.log = logs.log AND new_entries.seq = logs.head), 0);

DROP TABLE entries;
ALTER TABLE new_entries RENAME TO entries;
CREATE INDEX entries_by_identity ON entries (sender, number, log);

CREATE TABLE ages (
    clock_ms INTEGER PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT;

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE members (
    conversation INTEGER NOT NULL REFERENCES conversations,
    log INTEGER NOT NULL REFERENCES logs,
    owner INTEGER NOT NULL,
    PRIMARY KEY (conversation, log)
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_of_log ON members (log);

CREATE TABLE marks (
    log INTEGER NOT NULL REFERENCES logs,
    conversation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE new_publications (
    publisher TEXT NOT NULL,
    key TEXT NOT NULL,
    content BLOB NOT NULL,
    log INTEGER REFERENCES logs,
    seq INTEGER,
    arrival INTEGER NOT NULL,
    PRIMARY KEY (publisher, key)
) STRICT, WITHOUT ROWID;

INSERT INTO new_publications
SELECT publisher, key, content, log, seq, (SELECT coalesce(max(arrival), 0) FROM entries)
FROM publications;

DROP TABLE publications;
ALTER TABLE new_publications RENAME TO publications;
CREATE INDEX publications_by_arrival ON publications (arrival);
