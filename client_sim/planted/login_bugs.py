"""The bugs that are planted in logins and merges; see bugs.py."""

from __future__ import annotations

from client_sim.planted.bug import Bug

LOGIN_BUGS = (
    Bug(
        "every_device_goes_on",
        "all devices of a guest go on with the account's log, not only the one that proved both",
        "syncd.storage.merging",
        "        if each.device != prover and not each.revoked:",
        "        if False:",
        "play guest_made_by_an_attacker",
        ("merge-atomic",),
    ),
    Bug(
        "merged_without_dedupe",
        "a merge brings what the account's log holds already",
        "syncd.storage.memory_people",
        """\
            yield Copy(seq, shown, held.get(shown.identity))

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        log, into = self._rows.logs[guest], self._rows.logs[account]
        for seq, entry in enumerate(log.entries, log.floor + 1):
            identity = heading.unpack(entry.header).identity
            if seq > after and identity not in into.seqs:
""",
        """\
            yield Copy(seq, shown, None)

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        log, into = self._rows.logs[guest], self._rows.logs[account]
        for seq, entry in enumerate(log.entries, log.floor + 1):
            identity = heading.unpack(entry.header).identity
            if seq > after:
""",
        "play guest_and_account_talk",
        ("one-effect",),
    ),
    Bug(
        "answers_of_the_guests_log",
        "after a merge a retry is answered with its seq in the guest's log",
        "syncd.storage.merging",
        "        register.rewrite_answers(each.device, places)",
        "        pass",
        "play answer_lost_in_a_merge",
        ("one-effect",),
    ),
    Bug(
        "alias_not_resolved",
        "what is addressed to a guest goes to its closed log",
        "syncd.storage.memory_people",
        "        if merged_into is None:",
        "        if True:",
        "play guest_bound_later",
        ("merge-atomic", "durable-ack"),
    ),
    Bug(
        "alias_of_an_alias",
        "an account that was merged into a guest is not the one into which that guest was merged",
        "syncd.storage.memory_people",
        "        account = merged_into",
        "        return merged_into",
        "play chain_of_merges",
        ("merge-atomic", "durable-ack"),
    ),
    Bug(
        "old_session_of_the_prover",
        "a login takes no generation: what the old session had under way is appended after it",
        "syncd.storage.memory_people",
        "        known.generation += 1\n        known.subject = subject or known.subject",
        "        known.subject = subject or known.subject",
        "play guest_bound_later",
        ("fencing", "poison-safe"),
    ),
    Bug(
        "signed_out_at_the_next_hello",
        "a live socket of a device that was signed out goes on",
        "syncd.identity.accounts",
        "            self._ended(each, refusal)",
        "            pass",
        "play signed_out_everywhere",
        ("revoke",),
    ),
    Bug(
        "replay_ends_nothing",
        "a code that comes again leaves what it got the first time",
        "syncd.identity.codes",
        "            device = await self._people.replayed(grant)",
        "            device = None",
        "play code_replay",
        ("expectations",),
    ),
)
