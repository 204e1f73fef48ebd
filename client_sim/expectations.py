"""Judges what a play says of its own end, from the history alone.

The farewell that every account sends itself when all is over is no part of any play: it is not
counted. Nor is what made the groups, but where the question is what a device holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from client_sim.director import FAREWELL
from client_sim.history import (
    DEVICE,
    Answer,
    Closed,
    Device,
    Holds,
    Log,
    Login,
    Merged,
    Phase,
    Record,
    Send,
    Verdict,
)
from client_sim.judging.verdict import Charge
from client_sim.play import Play
from client_sim.sentences import Step

Kind = TypeVar("Kind")


def charges(play: Play, records: Sequence[Record]) -> list[Charge]:
    """One for each sentence that does not hold."""
    told = _Told(play, records)
    found = ((step, *getattr(told, step.verb)(**step.arguments)) for step in play.expect)
    return [
        Charge(f"expected: {step}; found: {what}", tuple(steps), told.device_of(step))
        for step, holds, what, steps in found
        if not holds
    ]


Finding = tuple[bool, str, list[int]]
"""Whether it holds, what was found instead, and the records that show it."""


class _Told:
    """A history, asked one question per kind of sentence; each is named as its verb."""

    def __init__(self, play: Play, records: Sequence[Record]) -> None:
        self._records = records
        self._ids = {each.name: each.device for _, each in self._of(Device)}
        self._accounts = {each.device: each.account for _, each in self._of(Device)}
        self._merged = {each.guest: each.account for _, each in self._of(Merged)}
        self._cast = play.cast
        self._late = self._sent_from(FAREWELL)
        played = self._sent_from("storm")
        self._early = set(self._sent()) - played if played else set()

    def _of(self, kind: type[Kind]) -> Iterator[tuple[int, Kind]]:
        return ((index, each) for index, each in enumerate(self._records) if isinstance(each, kind))

    def _sent(self, since: int = 0) -> Iterator[str]:
        return (send.message for at, send in self._of(Send) if at >= since)

    def _sent_from(self, name: str) -> set[str]:
        begins = next((at for at, phase in self._of(Phase) if phase.name == name), None)
        return set() if begins is None else set(self._sent(begins))

    def device_of(self, step: Step) -> str:
        """The id of the device that a sentence is about; empty for one about an account."""
        return self._ids.get(str(step.arguments.get("device")), "")

    def _account(self, device: str) -> str:
        """In whose account a device is at the end, by its id; empty for none."""
        account = self._accounts.get(device, "")
        while account in self._merged:
            account = self._merged[account]
        return account

    def _holds(self, device: str) -> tuple[int, Holds | None]:
        own = self._ids.get(device)
        for index, each in self._of(Holds):
            if each.name == device or (not each.name and each.device == own):
                return index, each
        return -1, None

    def _entries(self, holds: Holds) -> list[tuple[int, str, str | None]]:
        return [
            (seq, message, body)
            for seq, (message, body) in enumerate(holds.entries, holds.first + 1)
            if message not in self._late
        ]

    # -------------------------------------------------------- what a device holds

    def holds(self, device: str, count: int) -> Finding:
        at, held = self._holds(device)
        if held is None:
            return False, "nobody told what it holds", []
        found = len(self._entries(held))
        return found == count, str(found), [at]

    def alike(self, device: str, other: str) -> Finding:
        (at, held), (there, others) = self._holds(device), self._holds(other)
        if held is None or others is None:
            return False, "nobody told what they hold", []
        if held.epoch != others.epoch:
            return False, "they are at different pasts", [at, there]
        mine, its = self._entries(held), self._entries(others)
        only = [entry for entry in mine if entry not in its]
        missing = [entry for entry in its if entry not in mine]
        what = f"{device} alone holds {_listed(only)}; {other} alone holds {_listed(missing)}"
        return mine == its, what, [at, there]

    def marked(self, device: str, count: int) -> Finding:
        at, held = self._holds(device)
        if held is None:
            return False, "nobody told what it holds", []
        account = self._account(held.device)
        logged = {
            message
            for _, log in self._of(Log)
            if log.account == account
            for message, _ in log.entries
        }
        found = sum(message not in logged for message in held.old)
        return found == count, str(found), [at]

    def unread(self, account: str, count: int) -> Finding:
        its = {self._account(self._ids.get(name, "")) for name in self._cast.get(account, ())}
        counted = [
            (at, each.name or each.device, each.unread)
            for at, each in self._of(Holds)
            if self._account(each.device) in its and each.unread is not None
        ]
        what = ", ".join(f"{name} counts {unread}" for _, name, unread in counted)
        right = bool(counted) and all(unread == count for *_, unread in counted)
        return right, what or "nobody counted", [at for at, *_ in counted]

    # -------------------------------------------------------- who is who

    def together(self, device: str, other: str) -> Finding:
        one, two = (self._account(self._ids.get(each, "")) for each in (device, other))
        return one == two != "", f"{device} is in {one}, {other} in {two}", []

    def apart(self, device: str, other: str) -> Finding:
        one, two = (self._account(self._ids.get(each, "")) for each in (device, other))
        return one != two and "" not in (one, two), f"both are in {one or 'no account'}", []

    def ids(self, device: str, count: int) -> Finding:
        found = {each.device for _, each in self._of(Device) if each.name == device}
        return len(found) == count, str(len(found)), []

    def turned_away(self, device: str, code: str) -> Finding:
        told = [(at, each) for at, each in self._of(Login) if each.name == device and each.code]
        codes = [each.code for _, each in told]
        return code in codes, ", ".join(dict.fromkeys(codes)) or "no code", [at for at, _ in told]

    # -------------------------------------------------------- what a device was told

    def _verdicts(self, device: str) -> list[tuple[int, str]]:
        own = self._ids.get(device)
        return [
            (at, f"{each.kind} {each.reason}".strip())
            for at, each in self._of(Verdict)
            if each.by == DEVICE and each.device == own
        ]

    def told(self, device: str, verdict: str) -> Finding:
        heard = self._verdicts(device)
        what = ", ".join(dict.fromkeys(kind for _, kind in heard))
        return any(_is(kind, verdict) for _, kind in heard), what or "nothing", []

    def never_told(self, device: str, verdict: str) -> Finding:
        heard = [at for at, kind in self._verdicts(device) if _is(kind, verdict)]
        return not heard, f"it was, {len(heard)} times", heard

    def closed(self, device: str, code: str) -> Finding:
        own = self._ids.get(device)
        codes = [
            each.code
            for _, each in self._of(Closed)
            if each.by == DEVICE and each.device == own and each.code
        ]
        return code in codes, ", ".join(dict.fromkeys(codes)) or "no code", []

    # -------------------------------------------------------- what became of its messages

    def refused(self, device: str, count: int) -> Finding:
        answers = [(at, each) for at, each in self._answers(device, "refused") if each.definite]
        found = {each.message for _, each in answers} - self._late
        codes = ", ".join(dict.fromkeys(each.code for _, each in answers))
        what = f"{len(found)} ({codes})" if codes else str(len(found))
        return len(found) == count, what, [at for at, _ in answers]

    def accepted(self, device: str, count: int) -> Finding:
        own = self._ids.get(device)
        # An echo is an answer, too: who got that first was perhaps never told anything else.
        sent = {each.message for _, each in self._of(Send) if each.device == own}
        held = {message for _, log in self._of(Log) for message, _ in log.entries}
        answered = {each.message for _, each in self._answers(device, "accepted")}
        found = ((sent & held) | answered) - self._late - self._early
        return len(found) == count, str(len(found)), []

    def _answers(self, device: str, outcome: str) -> list[tuple[int, Answer]]:
        own = self._ids.get(device)
        return [
            (at, each)
            for at, each in self._of(Answer)
            if each.by == DEVICE and each.device == own and each.outcome == outcome
        ]


def _is(heard: str, wanted: str) -> bool:
    """Without a reason any reset is meant."""
    return heard == wanted or heard.split()[0] == wanted


def _listed(entries: Sequence[tuple[int, str, str | None]]) -> str:
    return ", ".join(str(seq) for seq, *_ in entries[:5]) or "nothing"
