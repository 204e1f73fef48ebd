"""A guest turned out to be somebody: its log, its devices and its groups become the account's.

Written once, over the register of the transaction. Everything is read and judged before anything is
written, so that a guest's log that is damaged stops the merge and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd import errors
from syncd.limits import MERGE_READ_BYTES_MAX
from syncd.membership import Role
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, Seq
from syncd.persons import Merged, Notices
from syncd.storage.register import Copy, Register


@dataclass(frozen=True, slots=True)
class Plan:
    """What a merge will do, from the logs as they stand.

    entries: how many of the guest's entries the account's log does not hold.
    marks: up to where the guest has read, as places in the account's own part of its log. A mark on
        what comes is none for the account: all that stands in its own part would seem to be read,
        and nobody could say so of what is not.
    read: as in notices.Merge.
    """

    guest: AccountId
    account: AccountId
    entries: int
    marks: Mapping[ConversationId, Seq]
    read: Mapping[ConversationId, int]


def plan(register: Register, guest: AccountId, account: AccountId) -> Plan:
    """Look at both logs. Raises Damaged; nothing is written."""
    marks, own = register.marks(guest), register.marks(account)
    reading = {name: _Reading(seq) for name, seq in marks.items()}
    entries = 0
    for copy in register.copies(guest, account):
        if copy.held is None:
            entries += 1
        known = reading.get(copy.heading.conversation)
        if known is not None:
            known.pass_by(copy, entries)
    moved = {name: known.held for name, known in reading.items() if known.held > own.get(name, 0)}
    untold = {name: known.read for name, known in reading.items() if known.is_untold}
    return Plan(guest, account, entries, moved, _bounded(untold))


class _Reading:
    """How far the guest has read one conversation, seen from the account's log."""

    def __init__(self, mark: Seq) -> None:
        self._mark = mark
        self._target_comes = False
        self.held: Seq = 0
        """Where the mark's target stands in the account's own part; 0 where it is not there."""
        self.read = 0
        """How many of the entries that come count as read."""

    def pass_by(self, copy: Copy, entries: int) -> None:
        if copy.seq <= self._mark and copy.held is None and copy.heading.kind == Kind.MESSAGE:
            self.read = entries
        if copy.seq == self._mark:
            self.held = copy.held or 0
            self._target_comes = copy.held is None

    @property
    def is_untold(self) -> bool:
        """Whether the read marks among the entries that come do not say it by themselves."""
        return self.read > 0 and not self._target_comes


def _bounded(read: Mapping[ConversationId, int]) -> dict[ConversationId, int]:
    """What the notice has room for. Whatever is left out counts as unread: nothing is ever hidden
    that a person has not seen."""
    told: dict[ConversationId, int] = {}
    room = MERGE_READ_BYTES_MAX
    for name, count in sorted(read.items(), key=lambda each: each[1], reverse=True):
        room -= len(name) + 16
        if room < 0:
            break
        told[name] = count
    return told


def carry_out(
    register: Register, planned: Plan, prover: DeviceId | None, notices: Notices
) -> Merged:
    """Merge as planned. prover: the guest's device that goes on; its caller owes it a token."""
    guest, account = planned.guest, planned.account
    identity, record = notices.merged(guest, account, planned.entries, planned.read)
    register.append(account, identity, record)
    appended = sum(1 for _ in register.graft(guest, account, 0))
    assert appended == planned.entries, "nothing changes between the plan and the deed"
    for conversation, seq in planned.marks.items():
        register.save_mark(account, conversation, seq)
    _unite_groups(register, guest, account)
    signed_out = _move_devices(register, guest, account, prover)
    register.move_subjects(guest, account)
    register.settle_pending()
    register.close_log(guest, account)
    return Merged(guest, account, prover, signed_out, appended, register.grown)


def _unite_groups(register: Register, guest: AccountId, account: AccountId) -> None:
    for conversation in register.groups_of(guest):
        before = register.members(conversation)
        role = Role.OWNER if Role.OWNER in (before[guest], before.get(account)) else Role.MEMBER
        others = {each: kept for each, kept in before.items() if each != guest}
        register.set_members(conversation, {**others, account: role})


def _move_devices(
    register: Register, guest: AccountId, account: AccountId, prover: DeviceId | None
) -> tuple[DeviceId, ...]:
    signed_out = []
    for each in register.devices_of(guest):
        places = [
            (number, register.find(account, Identity(each.device, number)) or 0)
            for number, _ in register.remembered(each.device)
        ]
        register.rewrite_answers(each.device, places)
        if each.device != prover and not each.revoked:
            register.end_device(each.device, errors.SIGNED_OUT_BY_MERGE)
            signed_out.append(each.device)
    register.move_devices(guest, account)
    return tuple(signed_out)
