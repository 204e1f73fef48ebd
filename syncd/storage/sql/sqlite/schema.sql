-- The newest schema, as a new store gets it. A store that exists walks through migrations/ to the
-- same place; tests/storage/test_migrate.py compares the two.

-- What was decided when the store was made.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One log per account. Its pages hold the entries floor+1 .. head, and the journal what follows; the
-- links continue its hash chain.
CREATE TABLE logs (
    log INTEGER PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    epoch BLOB NOT NULL,
    floor INTEGER NOT NULL,
    floor_link BLOB NOT NULL,
    head INTEGER NOT NULL,
    head_link BLOB NOT NULL,
    -- The running checksum at floor and head (checksum.py).
    floor_sum INTEGER NOT NULL DEFAULT 0,
    head_sum INTEGER NOT NULL DEFAULT 0,
    -- How much is kept, where it is not what the service keeps by default: entries, milliseconds.
    retain_entries INTEGER,
    retain_ms INTEGER,
    -- The log that takes what is addressed to this account since a merge; this one is closed then.
    merged_into INTEGER REFERENCES logs,
    standing TEXT NOT NULL DEFAULT 'active'
) STRICT;
CREATE INDEX merged_logs ON logs (merged_into) WHERE merged_into IS NOT NULL;

-- What was appended and is not yet in `pages`, `sent` and `cursors`: one row for each transaction,
-- in their order (journal.py). sum: the CRC-32 of the record.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    sum INTEGER NOT NULL
) STRICT;

-- Runs of entries of one log (pages.py): up to seq `last`, as many as there are stamps. `arrival` is
-- that of the last one, `before` the log's checksum before the first one, under what tells the row's
-- own log and seqs once more.
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

-- The hashes by which erased bodies stand in the chain: only they cannot be computed any more.
CREATE TABLE erased (
    log INTEGER NOT NULL REFERENCES logs,
    seq INTEGER NOT NULL,
    body_hash BLOB NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- What each device sent, in runs of its numbers first .. last (sent_runs.py).
CREATE TABLE sent (
    run INTEGER PRIMARY KEY,
    sender BLOB NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX sent_by_sender ON sent (sender, last, first);

-- What the persisted clock showed when `arrival` was the newest entry of the store.
CREATE TABLE ages (
    clock_ms INTEGER PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT;

-- Groups, and who is in them; a direct conversation is told by its id.
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

-- Up to where an account has read a conversation.
CREATE TABLE marks (
    log INTEGER NOT NULL REFERENCES logs,
    conversation TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (log, conversation)
) STRICT, WITHOUT ROWID;

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
    -- The highest message number ever accepted, and how many were; by `sent`, not by the journal.
    sent INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    -- What its last hello was told.
    verdict TEXT,
    -- What proves the device at a login, where it was made by one.
    secret_hash BLOB,
    -- The name of the refusal for which its token opens nothing, until the next login.
    ended TEXT,
    -- With which it signed in last.
    subject INTEGER REFERENCES subjects
) STRICT;
CREATE INDEX devices_of_log ON devices (log);

-- What was confirmed, by the key that the store's cursor scope makes (see cursors.py).
CREATE TABLE cursors (
    key TEXT PRIMARY KEY,
    epoch BLOB NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was published, by its idempotency key; log and seq are those that were answered, if any.
-- arrival: the newest entry of the store at that time, by which a key's age is told.
CREATE TABLE publications (
    publisher TEXT NOT NULL,
    key TEXT NOT NULL,
    content BLOB NOT NULL,
    log INTEGER REFERENCES logs,
    seq INTEGER,
    arrival INTEGER NOT NULL,
    PRIMARY KEY (publisher, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX publications_by_arrival ON publications (arrival);

CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX keys_by_hash ON keys (hash);

-- Who somebody is, as an issuer says it: the openid of an app, the sub of a token.
-- platform: the Open Platform account of the union that it brought last; pending: one that waits
-- for the operator, because the account is linked to another one.
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    log INTEGER NOT NULL REFERENCES logs,
    -- The session_key, encrypted; storage has no key for it.
    sealed_key BLOB,
    platform TEXT,
    pending TEXT,
    UNIQUE (issuer, name)
) STRICT;
CREATE INDEX subjects_of_log ON subjects (log);
CREATE INDEX pending_subjects ON subjects (id) WHERE pending IS NOT NULL;

-- Which account has which union: at most one of each platform account.
CREATE TABLE links (
    platform TEXT NOT NULL,
    unionid TEXT NOT NULL,
    log INTEGER NOT NULL REFERENCES logs,
    PRIMARY KEY (platform, unionid)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_of_log ON links (log, platform);

-- What codes got: the version of the token that the device had then. The newest are kept.
CREATE TABLE grants (
    id INTEGER PRIMARY KEY,
    code BLOB NOT NULL UNIQUE,
    device INTEGER NOT NULL REFERENCES devices,
    credential INTEGER NOT NULL
) STRICT;
