"""A recording, put in order by device, by message and by group, before anything is retold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from client_sim.history import (
    DEVICE,
    SERVER,
    Ack,
    Appended,
    Batch,
    Begin,
    Closed,
    Connect,
    Device,
    Record,
    Send,
    Verdict,
)

SYSTEM = 6
"""The kind of a message that changes who is in a group."""

_SCOPE = "cursor scope "


class Recording:
    """What one side told, the server if it told anything of the kind; all the rest is left out.

    devices: each device that ever connected, with its account, in the order of first sight.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        side = SERVER if any(_connects(each, SERVER) for each in records) else DEVICE
        self.records = [
            each
            for each in records
            if each.by == side or not isinstance(each, Connect | Closed | Send | Ack | Batch)
        ]
        self.begin = next((each for each in records if isinstance(each, Begin)), Begin(world=""))
        told = {each.device: each for each in self.records if isinstance(each, Device)}
        connected = dict.fromkeys(each.device for each in self.records if isinstance(each, Connect))
        self.devices = {device: told[device] for device in connected if device in told}
        self.sends = _firsts(self.records)
        self.logs: dict[str, dict[str, None]] = defaultdict(dict)
        """Each message, and the accounts whose logs were seen to get it."""
        for each in self.records:
            if isinstance(each, Appended):
                self.logs[each.message][each.account] = None

    @property
    def scope(self) -> str:
        """By which key the server kept cursors."""
        said = (each for each in self.begin.versions if each.startswith(_SCOPE))
        return next(said, f"{_SCOPE}device").removeprefix(_SCOPE)

    def accounts(self) -> list[str]:
        """Everybody who has a device, or got a message."""
        with_device = (each.account for each in self.devices.values())
        reached = (account for message in self.sends for account in self.logs.get(message, ()))
        return list(dict.fromkeys([*with_device, *reached]))

    def groups(self) -> dict[str, list[Send]]:
        """Each group, and all that was accepted in it, in order."""
        found: dict[str, list[Send]] = defaultdict(list)
        for message, send in self.sends.items():
            if "~" not in send.conversation and message in self.logs:
                found[send.conversation].append(send)
        return found

    def heads(self) -> Iterator[tuple[Record, str, int]]:
        """Where it was told how long an account's log is."""
        for each in self.records:
            match each:
                case Appended():
                    yield each, each.account, each.seq
                case Verdict() | Batch() if each.device in self.devices:
                    yield each, self.devices[each.device].account, each.head


def _connects(record: Record, side: str) -> bool:
    return isinstance(record, Connect) and record.by == side


def _firsts(records: Iterable[Record]) -> dict[str, Send]:
    """Each message as it came for the first time: what follows are retries."""
    sends: dict[str, Send] = {}
    for each in records:
        if isinstance(each, Send):
            sends.setdefault(each.message, each)
    return sends


def changes(sends: list[Send], logs: dict[str, dict[str, None]]) -> Iterator[tuple[Send, str, str]]:
    """Who joined or left a group, and by which message: its verb, and the account.

    Bodies are not recorded: who is added gets the change, who is removed gets nothing after it.
    """
    for before, send in pairwise(sends):
        if send.kind != SYSTEM:
            continue
        for account in logs[send.message]:
            if account not in logs[before.message]:
                yield send, "add", account
    for send, after in pairwise(sends):
        if send.kind == SYSTEM:
            for account in logs[send.message]:
                if account not in logs[after.message]:
                    yield send, "remove", account
