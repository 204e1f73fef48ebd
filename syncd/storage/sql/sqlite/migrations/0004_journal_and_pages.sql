-- A journal that is folded into pages, instead of a row for each entry and for each answer. What the
-- old tables hold is carried over by storage/old_rows.py, which drops them.

CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE pages (
    page INTEGER PRIMARY KEY,
    log INTEGER NOT NULL REFERENCES logs,
    last INTEGER NOT NULL,
    arrival INTEGER NOT NULL,
    before INTEGER NOT NULL,
    stamps BLOB NOT NULL,
    entries BLOB NOT NULL,
    UNIQUE (log, last)
) STRICT;

CREATE TABLE erased (
    log INTEGER NOT NULL REFERENCES logs,
    seq INTEGER NOT NULL,
    body_hash BLOB NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE sent (
    run INTEGER PRIMARY KEY,
    sender BLOB NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX sent_by_sender ON sent (sender, last, first);
