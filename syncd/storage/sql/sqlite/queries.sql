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
SELECT log, account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum, merged_into
FROM logs WHERE account = ?;

-- name: log_by_number
SELECT log, account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum, merged_into
FROM logs WHERE log = ?;

-- name: heads
-- The parameter is a JSON array of accounts.
SELECT account, head FROM logs WHERE account IN (SELECT value FROM json_each(?));

-- name: grow_log
UPDATE logs SET head = ?, head_link = ?, head_sum = ? WHERE log = ?;

-- name: trim_log
UPDATE logs SET floor = ?, floor_link = ?, floor_sum = ? WHERE log = ?;

-- name: append_entry
INSERT INTO entries (arrival, log, seq, sender, number, chain, sum, header, body_hash, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: last_arrival
-- Not only of the entries: trimmed ones may have been the newest, and none is given twice.
SELECT max(coalesce((SELECT max(arrival) FROM entries), 0),
           coalesce((SELECT arrival FROM ages ORDER BY clock_ms DESC LIMIT 1), 0),
           coalesce((SELECT max(arrival) FROM publications), 0),
           coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'trimmed_at'), 0));

-- name: by_identity
SELECT seq, header FROM entries WHERE sender = ? AND number = ? AND log = ?;

-- name: page
-- In one piece, as it is sent. What || gives is text to SQLite, though not a byte changes.
SELECT seq, CAST(header || body AS BLOB) FROM entries WHERE log = ? AND seq > ? ORDER BY seq;

-- name: entries_between
SELECT seq, chain, sum, header, body FROM entries
WHERE log = ? AND seq > ? AND seq <= ? ORDER BY seq;

-- name: sum_at
SELECT sum, chain FROM entries WHERE log = ? AND seq = ?;

-- name: chain_at
SELECT chain FROM entries WHERE log = ? AND seq = ?;

-- name: links_until
SELECT seq, chain, header, body_hash FROM entries WHERE log = ? AND seq <= ? ORDER BY seq;

-- name: drop_entries
DELETE FROM entries WHERE log = ? AND seq <= ?;

-- ---------------------------------------------------------------- retention

-- name: save_meta
INSERT INTO meta (key, value) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: saved_clock
SELECT CAST(clock.value AS INTEGER), CAST(wall.value AS INTEGER)
FROM meta AS clock JOIN meta AS wall ON wall.key = 'wall_ms' WHERE clock.key = 'clock_ms';

-- name: samples
SELECT clock_ms, arrival FROM ages ORDER BY clock_ms;

-- name: add_sample
-- A sample that repeats the newest arrival says less than the older one with the same arrival.
INSERT INTO ages (clock_ms, arrival)
SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM ages WHERE arrival >= ?)
ON CONFLICT (clock_ms) DO UPDATE SET arrival = excluded.arrival;

-- name: drop_sample
DELETE FROM ages WHERE clock_ms = ?;

-- name: retained_logs
SELECT log, account, floor, head, retain_entries, retain_ms
FROM logs WHERE log >= ? ORDER BY log LIMIT ?;

-- name: arrival_of
SELECT arrival FROM entries WHERE log = ? AND seq = ?;

-- name: keep
UPDATE logs SET retain_entries = ?, retain_ms = ? WHERE account = ?;

-- name: kept_for
SELECT retain_entries, retain_ms FROM logs WHERE account = ?;

-- name: drop_keys
DELETE FROM publications WHERE (publisher, key) IN
    (SELECT publisher, key FROM publications WHERE arrival <= ? LIMIT ?);

-- ---------------------------------------------------------------- groups and marks

-- name: group
SELECT id FROM conversations WHERE conversation = ?;

-- name: create_group
INSERT INTO conversations (conversation) VALUES (?) RETURNING id;

-- name: members
SELECT members.owner, log, account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum
FROM members JOIN logs USING (log) WHERE members.conversation = ? ORDER BY log;

-- name: roles
SELECT account, owner FROM members JOIN logs USING (log)
WHERE members.conversation = ? ORDER BY log;

-- name: save_member
INSERT INTO members (conversation, log, owner) VALUES (?, ?, ?)
ON CONFLICT (conversation, log) DO UPDATE SET owner = excluded.owner;

-- name: drop_member
DELETE FROM members WHERE conversation = ? AND log = ?;

-- name: mark
SELECT seq FROM marks WHERE log = ? AND conversation = ?;

-- name: save_mark
INSERT INTO marks (log, conversation, seq) VALUES (?, ?, ?)
ON CONFLICT (log, conversation) DO UPDATE SET seq = excluded.seq;

-- ---------------------------------------------------------------- sending and confirming

-- name: sender
SELECT devices.id, devices.device, logs.account, devices.platform, devices.credential,
       devices.generation, devices.instance, devices.revoked, devices.accepted, devices.ended,
       devices.sent
FROM devices JOIN logs USING (log) WHERE devices.device = ?;

-- name: save_sender
UPDATE devices SET generation = ?, instance = ?, sent = ?, accepted = ? WHERE id = ?;

-- name: note_verdict
UPDATE devices SET verdict = ? WHERE device = ? AND generation = ?;

-- name: remembered
SELECT number, seq, content FROM remembered WHERE device = ? ORDER BY number;

-- name: remember
INSERT INTO remembered (device, slot, number, seq, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, slot)
DO UPDATE SET number = excluded.number, seq = excluded.seq, content = excluded.content;

-- name: publication
SELECT publications.content, logs.account, publications.seq
FROM publications LEFT JOIN logs USING (log) WHERE publisher = ? AND key = ?;

-- name: remember_publication
INSERT INTO publications (publisher, key, content, log, seq, arrival) VALUES (?, ?, ?, ?, ?, ?);

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
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head, devices.verdict,
       devices.ended
FROM devices JOIN logs USING (log) WHERE devices.device = ?;

-- name: device_by_token
SELECT devices.device, logs.account, devices.name, devices.platform, devices.credential,
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head, devices.verdict,
       devices.ended
FROM devices JOIN logs USING (log) WHERE devices.token_hash = ?;

-- name: devices
SELECT devices.device, logs.account, devices.name, devices.platform, devices.credential,
       devices.generation, devices.sent, devices.revoked, logs.epoch, logs.head, devices.verdict,
       devices.ended
FROM devices JOIN logs USING (log) WHERE logs.account = ? ORDER BY devices.id;

-- name: rotate_token
UPDATE devices SET token_hash = ?, credential = credential + 1, generation = generation + 1,
                   ended = NULL
WHERE device = ?;

-- name: revoke
UPDATE devices SET revoked = 1, generation = generation + 1 WHERE device = ?;

-- name: add_key
INSERT INTO keys (name, hash) VALUES (?, ?);

-- name: key_name
SELECT name FROM keys WHERE hash = ? ORDER BY rowid LIMIT 1;

-- ---------------------------------------------------------------- who logs in

-- name: aliases
-- The closed logs whose account is an alias of this one, directly or not.
WITH RECURSIVE closed(log) AS (
    SELECT log FROM logs WHERE merged_into = ?
    UNION ALL SELECT logs.log FROM logs JOIN closed ON logs.merged_into = closed.log
)
SELECT account, epoch FROM logs JOIN closed USING (log) ORDER BY log;

-- name: standing
SELECT standing FROM logs WHERE log = ?;

-- name: stand
UPDATE logs SET standing = ? WHERE log = ?;

-- name: close_log
UPDATE logs SET merged_into = ? WHERE log = ?;

-- name: subject
SELECT subjects.id, account FROM subjects JOIN logs USING (log) WHERE issuer = ? AND name = ?;

-- name: add_subject
INSERT INTO subjects (issuer, name, log) VALUES (?, ?, ?);

-- name: keep_key
UPDATE subjects SET sealed_key = ? WHERE issuer = ? AND name = ?;

-- name: note_union
UPDATE subjects SET platform = ?, pending = ? WHERE issuer = ? AND name = ?;

-- name: subjects_of
SELECT issuer, name, subjects.platform, links.unionid, pending
FROM subjects LEFT JOIN links ON links.log = subjects.log AND links.platform = subjects.platform
WHERE subjects.log = ? ORDER BY subjects.id;

-- name: forget_subject
UPDATE devices SET subject = NULL
WHERE subject = (SELECT id FROM subjects WHERE issuer = ? AND name = ?);

-- name: remove_subject
DELETE FROM subjects WHERE issuer = ? AND name = ?;

-- name: move_subjects
UPDATE subjects SET log = ? WHERE log = ?;

-- name: owner
SELECT account FROM links JOIN logs USING (log) WHERE platform = ? AND unionid = ?;

-- name: add_link
INSERT INTO links (platform, unionid, log) VALUES (?, ?, ?);

-- name: links_of
SELECT platform, unionid FROM links WHERE log = ?;

-- name: move_links
UPDATE links SET log = ? WHERE log = ?;

-- name: unionids
SELECT unionid FROM links WHERE platform = ?;

-- name: remap
UPDATE links SET unionid = ? WHERE platform = ? AND unionid = ?;

-- name: settle_pending
UPDATE subjects SET pending = NULL WHERE pending IS NOT NULL AND EXISTS
    (SELECT 1 FROM links WHERE links.platform = subjects.platform
     AND links.unionid = subjects.pending AND links.log = subjects.log);

-- name: pending
SELECT account, issuer, name, subjects.platform, links.unionid, pending
FROM subjects JOIN logs USING (log)
LEFT JOIN links ON links.log = subjects.log AND links.platform = subjects.platform
WHERE pending IS NOT NULL ORDER BY subjects.id;

-- name: installed
SELECT device, account, credential, revoked, ended, secret_hash, issuer, subjects.name
FROM devices JOIN logs ON logs.log = devices.log
LEFT JOIN subjects ON subjects.id = devices.subject
WHERE device = ?;

-- name: installed_of
SELECT device, account, credential, revoked, ended, secret_hash, issuer, subjects.name
FROM devices JOIN logs ON logs.log = devices.log
LEFT JOIN subjects ON subjects.id = devices.subject
WHERE devices.log = ? ORDER BY devices.id;

-- name: prove_device
UPDATE devices SET secret_hash = ? WHERE device = ?;

-- name: sign_device_in
UPDATE devices SET subject = coalesce((SELECT id FROM subjects WHERE issuer = ? AND name = ?), subject)
WHERE device = ?;

-- name: end_device
UPDATE devices SET ended = ?, generation = generation + 1 WHERE device = ?;

-- name: move_devices
UPDATE devices SET log = ? WHERE log = ?;

-- name: rename_device
UPDATE devices SET name = ? WHERE device = ? AND log = ?;

-- name: over
-- The parameter is a JSON array of pairs: a device, and the version of its token or null.
SELECT pair.value ->> 0, devices.revoked, devices.ended
FROM json_each(?) AS pair LEFT JOIN devices ON devices.device = pair.value ->> 0
WHERE devices.id IS NULL OR devices.revoked OR devices.ended IS NOT NULL
   OR devices.credential <> pair.value ->> 1;

-- name: answers
SELECT number, seq FROM remembered JOIN devices ON devices.id = remembered.device
WHERE devices.device = ?;

-- name: rewrite_answer
UPDATE remembered SET seq = ?
WHERE device = (SELECT id FROM devices WHERE device = ?) AND number = ?;

-- name: add_grant
INSERT INTO grants (code, device, credential)
SELECT ?, id, credential FROM devices WHERE device = ?
ON CONFLICT (code) DO UPDATE SET device = excluded.device, credential = excluded.credential;

-- name: drop_grants
DELETE FROM grants WHERE id <= (SELECT max(id) FROM grants) - ?;

-- name: granted
SELECT devices.device FROM grants JOIN devices ON devices.id = grants.device
WHERE code = ? AND devices.credential = grants.credential AND NOT revoked AND ended IS NULL;

-- name: sealed_key
SELECT account, issuer, subjects.name, sealed_key
FROM devices JOIN logs ON logs.log = devices.log JOIN subjects ON subjects.id = devices.subject
WHERE device = ?;

-- name: copies
-- Each entry of a guest's log, and where the account's log holds one of its index key.
SELECT entries.seq, entries.chain, entries.sum, entries.header, entries.body_hash,
       entries.body, held.seq, held.header
FROM entries LEFT JOIN entries AS held
    ON held.sender = entries.sender AND held.number = entries.number AND held.log = ?
WHERE entries.log = ? ORDER BY entries.seq;

-- name: grafted
SELECT seq, header, body_hash, body FROM entries WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: groups_of
SELECT conversations.conversation FROM members
JOIN conversations ON conversations.id = members.conversation WHERE log = ? ORDER BY id;

-- ---------------------------------------------------------------- checking a store

-- name: check_size
SELECT coalesce(sum(head - floor), 0) FROM logs;

-- name: check_logs
SELECT log FROM logs ORDER BY log;

-- name: check_log
SELECT log, account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum
FROM logs WHERE log = ?;

-- name: check_entries
SELECT seq, sender, number, chain, sum, header, body_hash, body
FROM entries WHERE log = ? ORDER BY seq;

-- name: check_copies
-- The order is the index's own, so nothing is sorted: CROSS JOIN keeps the entries outside.
SELECT sender, number, header, body_hash, account, seq
FROM entries INDEXED BY entries_by_identity CROSS JOIN logs ON logs.log = entries.log
ORDER BY sender, number, entries.log;

-- name: check_devices
SELECT devices.device, sent, accepted, coalesce(max(remembered.number), 0), count(remembered.number)
FROM devices LEFT JOIN remembered ON remembered.device = devices.id GROUP BY devices.id;

-- name: check_answers
SELECT devices.device, account, remembered.number, remembered.seq, floor, head, entries.header
FROM devices JOIN logs USING (log) JOIN remembered ON remembered.device = devices.id
LEFT JOIN entries ON entries.log = devices.log AND entries.seq = remembered.seq;

-- name: check_cursors
SELECT key, epoch, seq FROM cursors;

-- name: check_cursor
SELECT epoch, head FROM devices JOIN logs USING (log) WHERE device = ?;

-- name: check_marks
SELECT account, conversation, seq, head FROM marks JOIN logs USING (log);

-- name: check_publications
SELECT publisher, key, account, seq, head FROM publications JOIN logs USING (log)
WHERE seq IS NOT NULL;

-- name: check_accounts
SELECT log, account, merged_into, standing FROM logs ORDER BY log;

-- name: check_closed
-- What a merge moves, and belongs to a closed log all the same.
SELECT 'device', device, account FROM devices JOIN logs USING (log) WHERE merged_into IS NOT NULL
UNION ALL
SELECT 'subject', issuer || ' ' || name, account
FROM subjects JOIN logs USING (log) WHERE merged_into IS NOT NULL
UNION ALL
SELECT 'link', platform || ' ' || unionid, account
FROM links JOIN logs USING (log) WHERE merged_into IS NOT NULL
UNION ALL
SELECT 'membership', members.conversation, account
FROM members JOIN logs USING (log) WHERE merged_into IS NOT NULL;

-- name: check_endings
SELECT device, ended FROM devices WHERE ended IS NOT NULL;

-- ---------------------------------------------------------------- restoring a store

-- name: renew_epoch
UPDATE logs SET epoch = ? WHERE log = ?;

-- name: renew_generations
UPDATE devices SET generation = generation + 1;

-- name: newest_entry
SELECT header FROM entries ORDER BY arrival DESC LIMIT 1;

-- ---------------------------------------------------------------- erasing bodies

-- name: copy
SELECT sender, number, header FROM entries WHERE log = ? AND seq = ?;

-- name: erase_copies
UPDATE entries SET body = ? WHERE sender = ? AND number = ? AND header = ? AND body <> ?;

-- name: headers_after
SELECT seq, header FROM entries WHERE log = ? AND seq > ? AND body <> ? ORDER BY seq;

-- ---------------------------------------------------------------- exporting and importing

-- name: export_entries
SELECT seq, header, body_hash, body FROM entries WHERE log = ? ORDER BY seq;

-- name: export_devices
SELECT id, device, name, platform, token_hash, credential, generation, revoked, sent, accepted,
       secret_hash, ended
FROM devices WHERE log = ? ORDER BY id;

-- name: marks
SELECT conversation, seq FROM marks WHERE log = ? ORDER BY conversation;

-- name: import_log
INSERT INTO logs (account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account) DO UPDATE
SET epoch = excluded.epoch, floor = excluded.floor, floor_link = excluded.floor_link,
    head = excluded.head, head_link = excluded.head_link,
    floor_sum = excluded.floor_sum, head_sum = excluded.head_sum
RETURNING log;

-- name: import_device
INSERT INTO devices (device, log, name, platform, token_hash, credential, generation, instance,
                     revoked, sent, accepted, secret_hash, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?) RETURNING id;

-- name: answers_of_log
SELECT devices.device, remembered.number, remembered.seq, entries.header
FROM devices JOIN remembered ON remembered.device = devices.id
JOIN entries ON entries.log = devices.log AND entries.seq = remembered.seq
WHERE devices.log = ?;
