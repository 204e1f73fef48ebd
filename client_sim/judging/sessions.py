"""Of a device only the newest session counts, and only what it confirmed: monotone-cursor,
fencing."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from client_sim.history import (
    DEVICE,
    SERVER,
    Ack,
    Appended,
    Connect,
    Cursor,
    Merged,
    Opened,
    Saved,
    Send,
)
from client_sim.judging.case import Case
from client_sim.judging.verdict import Finding


def monotone_cursor(case: Case) -> Finding:
    """Within an epoch the stored cursor of a device never falls, and is never above what the device
    confirmed, by an ack or by the place that it stated."""
    finding = Finding()
    confirmed = _confirmed(case)
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for index, saved in case.of(Saved):
        finding.seen += 1
        key = saved.device, saved.epoch
        before, told = last.get(key, (-1, index))
        account = case.accounts.get(saved.device, "")
        rewound = any(past.begun < index for past in case.rewinds_after(account, told))
        if saved.seq < before and not rewound:
            said = f"the cursor of {case.name(saved.device)} fell from {before} to {saved.seq}"
            finding.charge(said, told, index, device=saved.device)
        last[key] = saved.seq, index
        highest, shown = confirmed[key].before(index)
        if saved.seq > highest:
            said = f"the cursor of {case.name(saved.device)} was saved as {saved.seq}, and the"
            said += f" device had confirmed {max(highest, 0) or 'nothing'}"
            finding.charge(said, shown, index, device=saved.device)
    for index, cursor in case.of(Cursor):
        _judge_final(case, finding, index, cursor, confirmed[cursor.device, cursor.epoch])
    _acks_of_sessions(case, finding)
    return finding


class _Confirmed:
    """What a device confirmed in one epoch, as it went on."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.highest: list[int] = []

    def add(self, index: int, seq: int) -> None:
        if not self.highest or seq > self.highest[-1]:
            self.told.append(index)
            self.highest.append(seq)

    def before(self, index: int) -> tuple[int, int]:
        """The highest so far, and the record that told; 0 where nothing was."""
        found = bisect_left(self.told, index) - 1
        return (0, -1) if found < 0 else (self.highest[found], self.told[found])


def _confirmed(case: Case) -> defaultdict[tuple[str, str], _Confirmed]:
    """As devices tell it; as the server does, of those who tell nothing."""
    telling = {each.device for _, each in case.of(Connect) if each.by == DEVICE}
    confirmed: defaultdict[tuple[str, str], _Confirmed] = defaultdict(_Confirmed)
    told: list[tuple[int, Ack | Connect]] = [*case.of(Ack), *case.of(Connect)]
    for index, each in sorted(told, key=lambda one: one[0]):
        trusted = each.by == DEVICE or each.device not in telling
        if trusted and each.epoch is not None and each.seq is not None:
            confirmed[each.device, each.epoch].add(index, each.seq)
    return confirmed


def _judge_final(
    case: Case, finding: Finding, index: int, cursor: Cursor, confirmed: _Confirmed
) -> None:
    finding.seen += 1
    name, account = case.name(cursor.device), case.accounts.get(cursor.device, "")
    highest, shown = confirmed.before(index)
    said = ""
    if cursor.seq > highest and case.lives.get(cursor.device):
        said = f"the server has the cursor of {name} at {cursor.seq}, and the device confirmed"
        said += f" {highest or 'nothing'}"
    elif account in case.logs:
        shown, log = case.logs[account]
        if log.epoch == cursor.epoch and cursor.seq > log.head:
            said = f"the cursor of {name} is {cursor.seq}, beyond the head {log.head}"
    if said:
        finding.charge(said, shown, index, device=cursor.device)


def _acks_of_sessions(case: Case, finding: Finding) -> None:
    last: dict[tuple[str, int, str], tuple[int, int]] = {}
    for index, ack in case.of(Ack):
        if ack.by != SERVER:
            continue
        finding.seen += 1
        key = ack.device, ack.session, ack.epoch
        before, told = last.get(key, (-1, index))
        if ack.seq < before:
            said = (
                f"the server counted an ack of {ack.seq} by {case.name(ack.device)} after {before}"
            )
            finding.charge(said, told, index, device=ack.device)
        last[key] = ack.seq, index


def fencing(case: Case) -> Finding:
    """What an older session of a device left behind has no effect once a newer one has its
    generation: nothing is appended, no cursor moves."""
    finding = Finding()
    opened: dict[str, tuple[int, int]] = {}
    ended: dict[str, tuple[int, int]] = {}
    sent = _sent_in(case)
    happened: list[tuple[int, Opened | Appended | Saved | Merged]] = [
        *case.of(Opened),
        *case.of(Appended),
        *case.of(Saved),
        *case.of(Merged),
    ]
    for index, each in sorted(happened, key=lambda one: one[0]):
        if isinstance(each, Opened):
            finding.seen += 1
            _open(case, finding, opened, index, each)
            continue
        if isinstance(each, Merged):
            # Its login took a generation of its own.
            ended[each.prover] = opened.get(each.prover, (0, -1))[0], index
            continue
        if isinstance(each, Appended) and each.merged:
            continue  # not sent by anybody now
        device = each.device if isinstance(each, Saved) else case.sender(each.message)
        newest, told = opened.get(device, (0, -1))
        account = case.accounts.get(device, "")
        generation = each.generation
        if not generation and isinstance(each, Appended):
            generation = max(
                (number for at, number in sent.get(each.message, ()) if at < index), default=0
            )
        last, at = ended.get(device, (0, -1))
        if 0 < generation <= last:
            newest, told = last + 1, at
        if not 0 < generation < newest:
            continue
        if any(past.begun < index for past in case.rewinds_after(account, told)):
            continue
        name = case.name(device)
        said = (
            f"moved its cursor to {each.seq}"
            if isinstance(each, Saved)
            else f"appended {case.title(each.message)} at {each.seq} of {each.account}"
        )
        finding.charge(
            f"session {generation} of {name} {said} after session {newest} had begun",
            told,
            index,
            device=device,
        )
    return finding


def _sent_in(case: Case) -> dict[str, list[tuple[int, int]]]:
    """The generations of the sessions in which the server received each message, and when."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, send in case.of(Send):
        session = case.session(send)
        if send.by == SERVER and session is not None and session.generation:
            found[send.message].append((index, session.generation))
    return found


def _open(
    case: Case, finding: Finding, opened: dict[str, tuple[int, int]], index: int, each: Opened
) -> None:
    before, told = opened.get(each.device, (0, -1))
    account = case.accounts.get(each.device, "")
    if each.generation <= before and not case.rewinds_after(account, told):
        said = f"a session of {case.name(each.device)} got the generation {each.generation} after"
        finding.charge(f"{said} {before}", told, index, device=each.device)
    opened[each.device] = each.generation, index
