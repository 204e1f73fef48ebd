"""The bugs that are planted: one line of the service each, where it is hunted, who must find it.

A bug is a replacement in the source of one module, so the list reads as a list of diffs. A line
that is no longer there, or is there twice, fails the tests: the list stays true.
"""

from __future__ import annotations

from client_sim.planted.bug import CRASH_POINTS, POWER_CUT, Bug
from client_sim.planted.login_bugs import LOGIN_BUGS

BUGS = (
    # ---------------------------------------------------------------- durability
    Bug(
        "ack_before_commit",
        "a message is answered when it comes in, not when it is durable",
        "syncd.committer",
        "        self._line_up(waiting.account, waiting)",
        "        self._line_up(waiting.account, waiting); waiting.take = lambda outcomes: None; "
        "asyncio.get_running_loop().call_soon("
        "take, tuple(Accepted(each.number, None, False) for each in submission.drafts))",
        "storm",
        ("durable-ack",),
    ),
    Bug(
        "synchronous_normal",
        "a commit does not wait for the disk",
        "syncd.storage.sqlite_connection",
        '    _require(connection, journal_mode="wal", synchronous=_FULL, foreign_keys=1)',
        '    connection.execute("PRAGMA synchronous = NORMAL")',
        POWER_CUT,
        ("durable-ack", "epoch", "fencing"),
    ),
    Bug(
        "two_transactions",
        "the receiver's copy and the sender's are committed one after the other",
        "syncd.storage.journal",
        "    record = _encode(appended)",
        "    each = [(x.sender, x.number, x.content, x.header_size, x.entry, x.places[:2], None)"
        " for x in appended.messages]; own = _encode(appended._replace(messages=each));"
        ' connection.execute(_SQL["add_to_journal"], (own, crc32(own)));'
        ' connection.execute("COMMIT"); connection.execute("BEGIN IMMEDIATE");'
        ' each = [(x.sender, x.number, b"", x.header_size, x.entry, x.places[2:], None)'
        " for x in appended.messages];"
        " record = _encode(appended._replace(messages=each, cursors=[]))",
        CRASH_POINTS,
        ("one-effect", "durable-ack", "convergence"),
    ),
    Bug(
        "not_put_back",
        "what a restore lost is not sent again by the device that sent it",
        "syncd.client.memory_store",
        "            if above and number not in self._refused_old:",
        "            if False:",
        "play restore_from_yesterday",
        ("durable-ack",),
    ),
    # ---------------------------------------------------------------- one effect
    Bug(
        "retry_without_dedupe",
        "a retry of an accepted message is appended again",
        "syncd.storage.remembered",
        "        if number > self.highest:",
        "        if number > 0:",
        "storm",
        ("one-effect",),
    ),
    Bug(
        "content_not_compared",
        "another message under a known number is answered as accepted",
        "syncd.storage.remembered",
        "        if answer.content != draft.content:",
        "        if False:",
        "play clone_of_a_device",
        ("durable-ack", "one-effect"),
    ),
    Bug(
        "refusal_not_sticky",
        "what follows a refused message in its session is appended all the same",
        "syncd.committer",
        "            waiting.lane.refusing = refusal",
        "            pass",
        "storm",
        ("sender-fifo",),
    ),
    # ---------------------------------------------------------------- the founding bug
    Bug(
        "cursor_by_platform",
        "the stored cursor is kept per platform",
        "syncd.storage.cursors",
        "            return device",
        '            return f"{account}/{platform}"',
        "storm",
        ("monotone-cursor",),
    ),
    Bug(
        "start_at_stored_cursor",
        "a device begins where the server thinks it is, whatever it says it holds",
        "syncd.protocol.verdict",
        "    if scope is CursorScope.DEVICE or stored is None:",
        "    if stored is None:",
        "play lost_store",
        ("explicit-gap", "convergence"),
    ),
    Bug(
        "start_at_stored_cursor_live",
        "the same, in a real server process",
        "syncd.protocol.verdict",
        "    if scope is CursorScope.DEVICE or stored is None:",
        "    if stored is None:",
        "live lost_store",
        ("explicit-gap", "convergence"),
    ),
    Bug(
        "start_at_the_head",
        "a new device begins at the head",
        "syncd.protocol.verdict",
        "    return Judgement(begin, _chain_at(begin, stated, stated_chain, opening))",
        "    return Judgement(opening.head if stated is None else begin, "
        "_chain_at(begin, stated, stated_chain, opening))",
        "play new_laptop",
        ("explicit-gap", "convergence"),
    ),
    Bug(
        "cursor_moved_when_sent",
        "what was sent counts as acknowledged",
        "syncd.protocol.session",
        "        return ([] if prev is None else [commands.Deliver(prev, page)]) + self._pump()",
        "        return ([] if prev is None else [commands.Deliver(prev, page), "
        "self._save(page.epoch, page.to)]) + self._pump()",
        "storm",
        ("monotone-cursor",),
    ),
    Bug(
        "ack_before_stored",
        "a device acknowledges what it has not made durable yet",
        "syncd.protocol.client",
        "        self.place.receive(position, event.size)",
        "        self.place.receive(position, event.size); self.place.store(position, self._now); "
        "self._do(commands.SendFrame(frames.Ack(here.epoch, batch.to)))",
        "storm",
        ("prefix", "monotone-cursor"),
    ),
    # ---------------------------------------------------------------- resume
    Bug(
        "off_by_one_resume",
        "reading goes on one entry too late",
        "syncd.protocol.delivery",
        "        return ReadRequest(account, self.window.sent, room)",
        "        return ReadRequest(account, self.window.sent + (self.window.sent > 0), room)",
        "storm",
        ("poison-safe", "explicit-gap", "convergence"),
    ),
    Bug(
        "clamped",
        "a place beyond the head is taken for the head",
        "syncd.protocol.verdict",
        "        return _from_floor(opening, Reason.AHEAD)",
        "        return Judgement(opening.head, opening.floor_chain)",
        "play files_put_back_by_hand",
        ("epoch", "convergence"),
    ),
    Bug(
        "chain_not_compared",
        "another past of the same length is taken for the own",
        "syncd.protocol.verdict",
        "    if position is not None and stated_chain != position.chain:",
        "    if False:",
        "play forked_past",
        ("one-order", "epoch", "prefix", "convergence"),
    ),
    Bug(
        "epoch_not_compared",
        "a place in an older epoch is taken for one in this",
        "syncd.protocol.verdict",
        "        if position.epoch != opening.epoch:",
        "        if False:",
        "play restored_as_it_was",
        ("epoch",),
    ),
    Bug(
        "head_a_moment_old",
        "a hello is answered from a head that is one entry old",
        "syncd.storage.memory",
        "            head=log.head,\n            sent",
        "            head=max(log.floor, log.head - 1),\n            sent",
        "storm",
        ("read-your-writes",),
    ),
    Bug(
        "trim_unnoticed",
        "a session that retention overtook is not told",
        "syncd.protocol.delivery",
        "        if page.floor > place:",
        "        if False:",
        "play trimmed_while_resuming",
        ("convergence", "explicit-gap"),
    ),
    Bug(
        "skipped_to_the_head",
        "a page counts as everything up to the head",
        "syncd.protocol.delivery",
        "        self.window.send(page.to, len(page.entries))",
        "        self.window.send(max(page.to, page.head), len(page.entries))",
        "storm",
        ("explicit-gap", "convergence"),
    ),
    # ---------------------------------------------------------------- wake-ups
    Bug(
        "wake_dropped_during_read",
        "a wake-up that comes while a page is read is forgotten",
        "syncd.protocol.delivery",
        "        self._dirty = True",
        "        self._dirty = not self._reading",
        "storm",
        ("convergence",),
    ),
    Bug(
        "one_device_woken",
        "only the first device of an account is woken",
        "syncd.wakeups",
        "            for sleeper in tuple(self._sleepers.get(account, ())):",
        "            for sleeper in tuple(self._sleepers.get(account, ()))[:1]:",
        "storm",
        ("convergence",),
    ),
    Bug(
        "nobody_woken",
        "nobody is told that a log has grown",
        "syncd.committer",
        "        self._wakeups.wake(done.grown)",
        "        pass",
        "storm",
        ("convergence",),
    ),
    # ---------------------------------------------------------------- sessions
    Bug(
        "no_fencing",
        "an older session of a device may still append",
        "syncd.storage.memory",
        "        if submission.generation != device.generation:",
        "        if False:",
        "storm",
        ("fencing",),
    ),
    Bug(
        "stale_ack_counted",
        "an ack of an older session moves the cursor",
        "syncd.storage.memory",
        "        if device is None or device.revoked or mark.generation != device.generation:",
        "        if device is None or device.revoked:",
        "storm",
        ("fencing", "monotone-cursor"),
    ),
    Bug(
        "revoked_at_the_next_hello",
        "a live socket of a revoked device goes on",
        "syncd.identity.devices",
        "        self._ended(wanted, errors.DEVICE_REVOKED)",
        "        pass",
        "play revoked_while_syncing",
        ("revoke",),
    ),
    # ---------------------------------------------------------------- logs
    Bug(
        "late_insert",
        "now and then an entry is put below the newest one",
        "syncd.storage.memory_log",
        "        self.entries.append("
        "Entry(record.header, record.body, record.body_hash, link, arrival))",
        "        self.entries.insert(max(0, len(self.entries) - (arrival % 9 == 0)), "
        "Entry(record.header, record.body, record.body_hash, link, arrival))",
        "storm",
        ("stable-prefix", "one-order"),
    ),
    Bug(
        "pages_mixed_up",
        "pages that were read together are given to the wrong readers",
        "syncd.reader",
        "        for page, taking in zip(pages, takers, strict=True):",
        "        for page, taking in zip(reversed(pages), takers, strict=True):",
        "storm",
        ("tenant-wall",),
    ),
    # ---------------------------------------------------------------- resources, poison, clocks
    Bug(
        "window_never_full",
        "a device that does not read is sent to without end",
        "syncd.protocol.window",
        "        room = self._limit - self._bytes",
        "        room = self._limit",
        "play slow_reader",
        ("bounded-memory",),
    ),
    Bug(
        "window_never_freed",
        "an ack makes no room",
        "syncd.protocol.window",
        "            self._bytes -= size",
        "            pass",
        "storm",
        ("convergence",),
    ),
    Bug(
        "empty_body_is_poison",
        "an entry that says nothing stops its reader",
        "syncd.protocol.client",
        "        assert isinstance(batch, frames.Batch)",
        "        assert isinstance(batch, frames.Batch); "
        "assert all(entry.body for entry in batch.entries)",
        "play read_on_one",
        ("poison-safe", "convergence"),
    ),
    Bug(
        "order_by_clock",
        "messages are taken only while the wall clock is not behind",
        "syncd.protocol.session",
        "                return self._send(event.frame, event.wall_ms)",
        "                return self._send(event.frame, event.wall_ms) "
        "if event.wall_ms > 1_500_000_000_000 else []",
        "play clock_set_back",
        ("clock-free", "convergence"),
    ),
    *LOGIN_BUGS,
)
"""All planted bugs. `synchronous_normal` needs a power cut and `two_transactions` crash points."""

BY_NAME = {bug.name: bug for bug in BUGS}
