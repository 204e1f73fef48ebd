-- Every statement of the SQLite backend. `-- name: x` starts one; storage/queries.py reads them.

-- name: begin_write
BEGIN IMMEDIATE;

-- name: begin_read
BEGIN;

-- name: commit
COMMIT;

-- name: roll_back
ROLLBACK;

-- name: meta
SELECT value FROM meta WHERE key = ?;

-- name: set_meta
INSERT INTO meta (key, value) VALUES (?, ?);

-- ---------------------------------------------------------------- logs

-- name: create_log
INSERT INTO logs (account, epoch, floor, floor_link, head, head_link) VALUES (?, ?, 0, ?, 0, ?)
ON CONFLICT (account) DO NOTHING;

-- name: log
SELECT log, account, epoch, floor, floor_link, head, head_link FROM logs WHERE account = ?;

-- name: heads
-- The parameter is a JSON array of accounts.
SELECT account, head FROM logs WHERE account IN (SELECT value FROM json_each(?));

-- name: grow_log
UPDATE logs SET head = ?, head_link = ? WHERE log = ?;

-- name: trim_log
UPDATE logs SET floor = ?, floor_link = ? WHERE log = ?;

-- name: append_entry
INSERT INTO entries (log, seq, chain, header, body_hash, body) VALUES (?, ?, ?, ?, ?, ?);

-- name: entries_after
SELECT seq, chain, header, body FROM entries WHERE log = ? AND seq > ? ORDER BY seq;

-- name: chain_at
SELECT chain FROM entries WHERE log = ? AND seq = ?;

-- name: links_until
SELECT seq, chain, header, body_hash FROM entries WHERE log = ? AND seq <= ? ORDER BY seq;

-- name: drop_entries
DELETE FROM entries WHERE log = ? AND seq <= ?;

-- ---------------------------------------------------------------- sending and confirming

-- name: sender
SELECT devices.id, devices.device, logs.account, devices.platform, devices.credential,
       devices.generation, devices.instance, devices.revoked, devices.accepted, devices.sent
FROM devices JOIN logs USING (log) WHERE devices.device = ?;

-- name: save_sender
UPDATE devices SET generation = ?, instance = ?, sent = ?, accepted = ? WHERE id = ?;

-- name: remembered
SELECT number, seq, content FROM remembered WHERE device = ? ORDER BY number;

-- name: remember
INSERT INTO remembered (device, slot, number, seq, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, slot)
DO UPDATE SET number = excluded.number, seq = excluded.seq, content = excluded.content;

-- name: publication
SELECT publications.content, logs.account, publications.seq
FROM publications JOIN logs USING (log) WHERE publisher = ? AND key = ?;

-- name: remember_publication
INSERT INTO publications (publisher, key, content, log, seq) VALUES (?, ?, ?, ?, ?);

-- name: cursor
SELECT epoch, seq FROM cursors WHERE key = ?;

-- name: save_cursor
-- Within an epoch a cursor never falls; the caller has seen to it that the epoch is the newest.
INSERT INTO cursors (key, epoch, seq) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq
WHERE cursors.epoch <> excluded.epoch OR cursors.seq < excluded.seq;

-- ---------------------------------------------------------------- identity's rows

-- name: create_device
INSERT INTO devices (device, log, name, platform, token_hash, credential, generation, instance,
                     revoked, sent, accepted)
VALUES (?, ?, ?, ?, ?, 1, 0, NULL, 0, 0, 0);

-- name: device
SELECT devices.device, logs.account, devices.name, devices.platform, devices.credential,
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head
FROM devices JOIN logs USING (log) WHERE devices.device = ?;

-- name: device_by_token
SELECT devices.device, logs.account, devices.name, devices.platform, devices.credential,
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head
FROM devices JOIN logs USING (log) WHERE devices.token_hash = ?;

-- name: devices
SELECT devices.device, logs.account, devices.name, devices.platform, devices.credential,
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head
FROM devices JOIN logs USING (log) WHERE logs.account = ? ORDER BY devices.id;

-- name: rotate_token
UPDATE devices SET token_hash = ?, credential = credential + 1, generation = generation + 1
WHERE device = ?;

-- name: revoke
UPDATE devices SET revoked = 1, generation = generation + 1 WHERE device = ?;

-- name: add_key
INSERT INTO keys (name, hash) VALUES (?, ?);

-- name: key_name
SELECT name FROM keys WHERE hash = ? ORDER BY rowid LIMIT 1;
