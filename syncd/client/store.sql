-- A device's durable store. One writer, one process; see sqlite_shelf.py.

-- The single facts: whose store this is, and where it stands (store.py: Kept).
CREATE TABLE kept (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    server TEXT NOT NULL,
    account TEXT,
    device TEXT,
    token TEXT,
    counter INTEGER,
    epoch BLOB,
    seq INTEGER,
    chain BLOB,
    handed INTEGER NOT NULL,
    awaited_head INTEGER,
    awaited_mark TEXT,
    secret TEXT,
    aliases TEXT NOT NULL DEFAULT '[]'
) STRICT;

INSERT INTO kept (id, server, handed) VALUES (1, '', 0);

-- One row per run: whoever is fenced by one of these met a late hello of its own.
CREATE TABLE instances (
    start INTEGER PRIMARY KEY,
    instance TEXT NOT NULL
) STRICT;

-- The log: the entries prev+1 .. until of each batch, as a MessagePack array of entries.
CREATE TABLE batches (
    until INTEGER PRIMARY KEY,
    prev INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;

-- Entries from before a reset or truncation that were not seen again (yet), and own messages that
-- were accepted where no batch will bring them; `refused`: refused when it was sent again.
CREATE TABLE old (
    device TEXT NOT NULL,
    number INTEGER NOT NULL,
    entry BLOB NOT NULL,
    handed INTEGER NOT NULL,
    mark TEXT,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (device, number)
) STRICT, WITHOUT ROWID;

-- Own messages from "queued" to "seen in the log"; number is null before the first verdict;
-- `put_back`: sent again because a restore had lost it, which another restore may undo; a refused
-- one keeps it: it may have come back too early. `state`: a PendingState, or unreadable.
CREATE TABLE outbox (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER UNIQUE,
    outgoing BLOB NOT NULL,
    state TEXT NOT NULL,
    seq INTEGER,
    code INTEGER,
    put_back INTEGER NOT NULL DEFAULT 0
) STRICT;
