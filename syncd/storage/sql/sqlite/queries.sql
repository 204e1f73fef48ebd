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

-- name: logs_by_number
-- The parameter is a JSON array of numbers.
SELECT log, account, epoch, floor, floor_link, head, head_link, floor_sum, head_sum, merged_into
FROM logs WHERE log IN (SELECT value FROM json_each(?));

-- name: heads
-- The parameter is a JSON array of accounts.
SELECT account, head FROM logs WHERE account IN (SELECT value FROM json_each(?));

-- name: grow_log
UPDATE logs SET head = ?, head_link = ?, head_sum = ? WHERE log = ?;

-- name: trim_log
UPDATE logs SET floor = ?, floor_link = ?, floor_sum = ? WHERE log = ?;

-- ---------------------------------------------------------------- the journal, and pages

-- name: add_to_journal
INSERT INTO journal (record, sum) VALUES (?, ?);

-- name: journal
SELECT number, record, sum FROM journal ORDER BY number;

-- name: newest_of_journal
SELECT coalesce(max(number), 0) FROM journal;

-- name: oldest_of_journal
SELECT number, length(record) FROM journal WHERE number <= ? ORDER BY number;

-- name: drop_from_journal
DELETE FROM journal WHERE number <= ?;

-- name: empty_journal
DELETE FROM journal;

-- name: journal_bytes
SELECT coalesce(sum(length(record)), 0) FROM journal;

-- name: last_arrival
-- Of what pages hold, or held once: none is given twice.
SELECT max(coalesce((SELECT arrival FROM ages ORDER BY clock_ms DESC LIMIT 1), 0),
           coalesce((SELECT max(arrival) FROM publications), 0),
           coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'arrival'), 0));

-- name: add_page
INSERT INTO pages (log, last, arrival, before, stamps, entries) VALUES (?, ?, ?, ?, ?, ?);

-- name: pages_after
SELECT last, before, stamps, entries, log FROM pages WHERE log = ? AND last > ? ORDER BY last;

-- name: pages_of
SELECT arrival, last, before, stamps, entries, log FROM pages WHERE log = ? ORDER BY last;

-- name: page_at
-- The page that holds an entry, if any does: it may begin behind it.
SELECT page, last, before, stamps, entries, log FROM pages WHERE log = ? AND last >= ?
ORDER BY last LIMIT 1;

-- name: stamps_at
SELECT last, before, stamps FROM pages WHERE log = ? AND last >= ? ORDER BY last LIMIT 1;

-- name: rewrite_page
UPDATE pages SET before = ?, stamps = ?, entries = ? WHERE page = ?;

-- name: drop_pages
DELETE FROM pages WHERE log = ? AND last <= ?;

-- name: newest_page
SELECT last, before, stamps, entries, log FROM pages ORDER BY arrival DESC LIMIT 1;

-- name: keep_body_hash
INSERT INTO erased (log, seq, body_hash) VALUES (?, ?, ?);

-- name: body_hashes
SELECT seq, body_hash FROM erased WHERE log = ?;

-- name: drop_body_hashes
DELETE FROM erased WHERE log = ? AND seq <= ?;

-- name: add_sent
INSERT INTO sent (sender, last, first, record) VALUES (?, ?, ?, ?);

-- name: sent_at
SELECT record FROM sent WHERE sender = ? AND last >= ? AND first <= ? ORDER BY last;

-- name: sent_newest
SELECT last, record FROM sent WHERE sender = ? ORDER BY last DESC;

-- name: every_sent
SELECT sender, record FROM sent ORDER BY run;

-- name: every_sent_with_ends
SELECT sender, first, last, record FROM sent ORDER BY run;

-- name: sent_oldest
SELECT run, last, record FROM sent WHERE sender = ? ORDER BY last LIMIT ?;

-- name: drop_sent
DELETE FROM sent WHERE run = ?;

-- name: floor
SELECT floor FROM logs WHERE log = ?;

-- name: sent_by
-- The parameter is a JSON array of devices.
SELECT device, sent FROM devices WHERE device IN (SELECT value FROM json_each(?));

-- name: is_a_device
SELECT 1 FROM devices WHERE device = ?;

-- name: devices_of
SELECT device FROM devices WHERE log = ? ORDER BY id;

-- name: count_sent
UPDATE devices SET sent = max(sent, ?), accepted = accepted + ? WHERE id = ?;

-- name: device_id
SELECT id FROM devices WHERE device = ?;

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
       devices.generation, devices.instance, devices.revoked, devices.ended, devices.sent
FROM devices JOIN logs USING (log) WHERE devices.device = ?;

-- name: begin_session
UPDATE devices SET generation = ?, instance = ? WHERE id = ?;

-- name: note_verdict
UPDATE devices SET verdict = ? WHERE device = ? AND generation = ?;

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

-- name: groups_of
SELECT conversations.conversation FROM members
JOIN conversations ON conversations.id = members.conversation WHERE log = ? ORDER BY id;

-- ---------------------------------------------------------------- checking a store

-- name: check_logs
SELECT log FROM logs ORDER BY log;

-- name: check_devices
SELECT device, sent, accepted FROM devices ORDER BY id;

-- name: every_cursor
SELECT key, epoch, seq FROM cursors;

-- name: check_cursor
SELECT account FROM devices JOIN logs USING (log) WHERE device = ?;

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

-- ---------------------------------------------------------------- erasing bodies

-- ---------------------------------------------------------------- exporting and importing

-- name: export_devices
SELECT device, name, platform, token_hash, credential, generation, revoked, sent, accepted,
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
VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?);

