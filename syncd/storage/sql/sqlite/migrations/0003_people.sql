-- Who logs in: subjects, links, aliases, and what proves a device.

ALTER TABLE logs ADD COLUMN merged_into INTEGER REFERENCES logs;
ALTER TABLE logs ADD COLUMN standing TEXT NOT NULL DEFAULT 'active';
CREATE INDEX merged_logs ON logs (merged_into) WHERE merged_into IS NOT NULL;

-- Who somebody is, as an issuer says it: the openid of an app, the sub of a token.
-- platform: the Open Platform account of the union that it brought last; pending: one that waits
-- for the operator, because the account is linked to another one.
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    log INTEGER NOT NULL REFERENCES logs,
    sealed_key BLOB,
    platform TEXT,
    pending TEXT,
    UNIQUE (issuer, name)
) STRICT;
CREATE INDEX subjects_of_log ON subjects (log);
CREATE INDEX pending_subjects ON subjects (id) WHERE pending IS NOT NULL;

ALTER TABLE devices ADD COLUMN secret_hash BLOB;
ALTER TABLE devices ADD COLUMN ended TEXT;
ALTER TABLE devices ADD COLUMN subject INTEGER REFERENCES subjects;

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
