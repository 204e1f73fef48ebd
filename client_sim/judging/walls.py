"""Nobody gets what is not theirs: tenant-wall, merge-atomic, revoke."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from client_sim.history import (
    DEVICE,
    Ack,
    Answer,
    Appended,
    Batch,
    Fault,
    Holds,
    Log,
    Merged,
    Record,
    Renewed,
    Revoked,
    Verdict,
)
from client_sim.judging.case import DELETE, READ, Case
from client_sim.judging.verdict import Finding

REVOKED_WITHIN_S = 2.0
"""From the answer to whoever revoked until nothing of the device's is served any more."""
_SLOW_LINES = {"half_open", "slow_reader", "delay", "frame_late", "frozen"}
"""Faults after which what arrives may have been sent long before."""


def tenant_wall(case: Case) -> Finding:
    """No device gets a byte of another account's log, and no log holds what was not for it."""
    finding = Finding()
    rooms: dict[str, frozenset[str] | None] = {}
    shown: set[tuple[str, str]] = set()
    for index, account, device, messages in _showings(case):
        finding.seen += len(messages)
        for message in messages:
            if (account, message) in shown:
                continue
            shown.add((account, message))
            if message not in rooms:
                rooms[message] = _room(case, message)
            room = rooms[message]
            if room is not None and account not in room:
                whose = f"{case.name(device)} of {account}" if device else f"the log of {account}"
                said = f"{whose} got {case.title(message)}, which was for"
                sent = case.sends[message][0][0]
                finding.charge(f"{said} {', '.join(sorted(room))}", sent, index, device=device)
    return finding


def _showings(case: Case) -> Iterator[tuple[int, str, str, Sequence[str]]]:
    """What was shown: by which record, as part of whose log, to which device, if to one."""
    for index, entry in case.of(Appended):
        yield index, entry.account, "", (entry.message,)
    for session in case.sessions:
        for index, batch in session.events:
            if isinstance(batch, Batch):
                messages = [message for message, _ in batch.messages]
                yield index, session.account, session.device, messages
    for index, log in case.of(Log):
        yield index, log.account, "", [message for message, _ in log.entries]
    for index, holds in case.of(Holds):
        account = case.accounts.get(holds.device, "")
        yield index, account, holds.device, [message for message, _ in holds.entries]


def _room(case: Case, message: str) -> frozenset[str] | None:
    """The accounts that may see a message, merges followed; None where only the server knew."""
    room: set[str] = set()
    for _, send in case.sends.get(message, ()):
        own = {account for _, account in case.moves.get(send.device, ())}
        if send.kind in (READ, DELETE):
            room |= own
        elif send.to:
            room |= {*send.to, *own}
        elif "~" in send.conversation:  # a direct one is named by both
            room |= {*send.conversation.split("~"), *own}
        else:
            return None
    return frozenset(each for account in room for each in case.line(account)) - {""} or None


def merge_atomic(case: Case) -> Finding:
    """A merge is whole or was not: every entry of the guest's is in the account's log once, in the
    guest's order; the guest's log is closed; only the device that proved both goes on with it."""
    finding = Finding()
    for index, merged in case.of(Merged):
        finding.seen += 1
        _judge_entries(case, finding, index, merged)
        _judge_closed(case, finding, index, merged)
        _judge_devices(case, finding, index, merged)
    begun = [(index, entry) for index, entry in case.of(Appended) if entry.merged]
    targets = {merged.account for _, merged in case.of(Merged)}
    for index, entry in begun:
        finding.seen += 1
        if entry.account not in targets:
            said = f"{case.title(entry.message)} was merged into the log of {entry.account}, and"
            finding.charge(f"{said} the merge never came to its end", index)
            break
    return finding


def _judge_entries(case: Case, finding: Finding, index: int, merged: Merged) -> None:
    guest = case.now(merged.guest)
    floor = case.floor_before(merged.guest, index)
    wanted = [
        message
        for (_, seq), (message, _) in sorted(guest.held.items(), key=lambda item: item[0][1])
        if seq > floor
    ]
    log_index, log = case.logs.get(merged.account, (-1, None))
    if log is None:
        return
    places = {message: seq for seq, (message, _) in enumerate(log.entries, log.floor + 1)}
    missing = [message for message in wanted if message not in places]
    if missing and not log.floor and not case.rewinds_after(merged.account, index):
        said = f"{case.title(missing[0])} was in the log of {merged.guest} and is not in that of"
        said += f" {merged.account}, into which it was merged"
        finding.charge(said, _guest_told(case, merged.guest, missing[0]), index, log_index)
    following = min((at for at, _ in case.of(Merged) if at > index), default=len(case.records))
    brought = {
        entry.message
        for at, entry in case.of(Appended)
        if entry.merged and entry.account == merged.account and index < at < following
    }
    order = [message for message in wanted if message in places and message in brought]
    for one, two in pairwise(order):
        if places[one] > places[two]:
            said = f"{case.title(two)} came before {case.title(one)} into the log of"
            finding.charge(f"{said} {merged.account}: not the guest's order", index, log_index)
            return


def _guest_told(case: Case, guest: str, message: str) -> int:
    """The record that first told of a message in a guest's log."""
    past, epoch, seq = case.where[guest, message][0]
    return past.told[epoch, seq]


def _judge_closed(case: Case, finding: Finding, index: int, merged: Merged) -> None:
    for late, entry in case.of(Appended):
        if late > index and entry.account == merged.guest:
            said = f"{case.title(entry.message)} was appended to the log of {merged.guest} after"
            finding.charge(f"{said} its merge into {merged.account}", index, late)
            return


def _judge_devices(case: Case, finding: Finding, index: int, merged: Merged) -> None:
    epochs = {past.epoch for past in case.pasts.get(merged.account, ())} - {None}
    for session in case.sessions:
        if not any(account == merged.guest for _, account in case.moves.get(session.device, ())):
            continue
        for late, record in session.events:
            if late <= index or case.account_at(session.device, late) != merged.guest:
                continue
            if record.epoch in epochs:
                said = f"{case.name(session.device)} of {merged.guest} was served from the log of"
                said += f" {merged.account}, to which it never logged in"
                finding.charge(said, index, late, device=session.device)
                return


def revoke(case: Case) -> Finding:
    """Two seconds after a device was revoked, or signed out and not back since, nothing is served
    to it and nothing of it counts."""
    finding = Finding()
    ended: dict[str, list[_Ended]] = defaultdict(list)
    for index, each in case.of(Revoked):
        finding.seen += 1
        if not _an_older_copy_came(case, case.accounts.get(each.device, ""), index):
            back = case.returns(each.device, index) if each.until_login else None
            ended[each.device].append(_Ended(index, each.at + REVOKED_WITHIN_S, back, each))
    if not ended:
        return finding
    slow = {case.resolve(each.target) for _, each in case.of(Fault) if each.kind in _SLOW_LINES}
    for index, record in enumerate(case.records):
        device = _served(case, record)
        found = next((each for each in ended.get(device, ()) if each.covers(index, record)), None)
        if found is None:
            continue
        delayed = record.by == DEVICE and bool(slow & {device, "server", ""})
        if delayed and _may_have_been_under_way(case, record, found.index):
            continue
        ended[device].remove(found)
        how = "signed out" if found.record.until_login else "revoked"
        said = f"{case.name(device)} was {how} at {found.record.at:.3f} s, and at {record.at:.3f}"
        finding.charge(f"{said} s {_IN_WORDS[type(record)]}", found.index, index, device=device)
    return finding


@dataclass(frozen=True)
class _Ended:
    """The end of a device's right, told by a record. back: where it was over."""

    index: int
    deadline: float
    back: int | None
    record: Revoked

    def covers(self, index: int, record: Record) -> bool:
        """Whether nothing may be served when this is told."""
        return record.at > self.deadline and (self.back is None or index < self.back)


def _an_older_copy_came(case: Case, account: str, index: int) -> bool:
    """Whether the store was set back after this record: an older copy knows of no revocation. A
    log of which nothing was ever told has no pasts, and was set back all the same."""
    renewed = any(at > index and each.account == account for at, each in case.of(Renewed))
    return renewed or bool(case.rewinds_after(account, index))


_IN_WORDS: dict[type, str] = {
    Batch: "entries came to it",
    Answer: "a message of it was accepted",
    Verdict: "it was told a verdict",
    Ack: "its ack was counted",
    Appended: "a message of it was appended",
}


def _served(case: Case, record: Record) -> str:
    """The device that a record shows to be served; empty where it shows nothing of the kind."""
    match record:
        case Batch() | Verdict():
            return record.device
        case Answer(outcome="accepted"):
            return record.device
        case Ack(by="server"):
            return record.device
        case Appended(merged=False):
            return case.sender(record.message)
    return ""


def _may_have_been_under_way(case: Case, record: Record, revoked: int) -> bool:
    """Whether the server may have sent it before the revocation, for all that is known."""
    match record:
        case Verdict():
            session = case.session(record)
            return session is None or session.connect < revoked
        case Batch():
            messages = [message for message, _ in record.messages]
        case Answer():
            messages = [record.message]
        case _:
            return True
    return all(case.sends[each][0][0] < revoked for each in messages if each in case.sends)
