"""The whole tale: lives of devices, messages, groups and the server's own fate, as one play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from client_sim.history import (
    Appended,
    Connect,
    Floor,
    Process,
    Record,
    Renewed,
    Revoked,
    Send,
    Verdict,
)
from client_sim.play import Play
from client_sim.retelling.acts import Act, act, paced
from client_sim.retelling.cast import Names
from client_sim.retelling.lives import lived
from client_sim.retelling.recording import SYSTEM, Recording, changes
from client_sim.sentences import Step
from syncd.limits import BODY_BYTES_MAX, WINDOW_BYTES_DEFAULT

_LARGE_BYTES = 1024
_OWN_VERBS = {2: "edit", 3: "recall", 4: "delete", 5: "read"}
"""What a user does for which kind of message."""
_BEFORE_S = 1.0
"""For each step of what was before the recording."""
_JUST_S = 0.001
_ONE_START_S = 1.0
"""What is told of a start within such a time belongs to it."""
_GAP_MAX = 3
"""So many messages stand for as many as there were between two places."""


@dataclass(frozen=True)
class Retold:
    """A play, and in words what of the recording is not in it."""

    play: Play
    left_out: tuple[str, ...]


class NothingToTell(Exception):
    """No device ever connected."""


def retold(records: Sequence[Record], name: str, *, keep_times: bool = False) -> Retold:
    """The play of a recording. Raises NothingToTell."""
    recording = Recording(records)
    if not recording.devices:
        raise NothingToTell("no device connected while it was recorded")
    tale = _Tale(recording)
    before = tale.before()
    acts = [*tale.lives(), *tale.messages(), *tale.group_changes(), *tale.server()]
    begin = _BEFORE_S * len(before)
    size = f"{len(tale.names.accounts)} accounts, {len(recording.devices)} devices"
    play = Play(
        name=name,
        story=f"Recorded from a server: {size}, {len(recording.sends)} messages.",
        cast={account: tuple(names) for account, names in tale.names.cast.items()},
        steps=(*before, *paced(acts, begin, keep_times=keep_times)),
        groups=tale.groups,
        options=_options(recording),
    )
    return Retold(play, tuple(dict.fromkeys(tale.left_out)))


def _options(recording: Recording) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if recording.scope != "device":
        options = {"scope": recording.scope, "verify_start": False}
    windows = {each.window for each in recording.records if isinstance(each, Connect)}
    if len(windows) == 1 and not windows & {0, WINDOW_BYTES_DEFAULT}:
        options["window"] = windows.pop()
    return options


class _Tale:
    def __init__(self, recording: Recording) -> None:
        self.names = Names(recording)
        self.left_out: list[str] = []
        self.groups: dict[str, tuple[str, ...]] = {}
        self._recording = recording
        self._records = recording.records

    # -------------------------------------------------------- devices and messages

    def lives(self) -> Iterator[Act]:
        for device in self._recording.devices:
            yield from lived(self.names.devices[device], device, self._records)

    def messages(self) -> Iterator[Act]:
        for send in self._recording.sends.values():
            if send.kind == SYSTEM:
                continue
            device = self.names.devices.get(send.device)
            address = self._address(send)
            if send.kind in _OWN_VERBS and device is not None:
                yield act(send.at, _OWN_VERBS[send.kind], device=device)
            elif address is None or (device is None and address not in self.names.cast):
                self.left_out.append(f"messages to {send.conversation}")
            elif device is None:
                yield act(send.at, "publish", count=1, account=address)
            elif send.size < _LARGE_BYTES:
                yield act(send.at, "send", device=device, count=1, address=address)
            else:
                size = min(send.size, BODY_BYTES_MAX)
                yield act(
                    send.at, "send_large", device=device, count=1, bytes=size, address=address
                )

    def _address(self, send: Send) -> str | None:
        """Whom a message goes to, as the play names it."""
        if "~" not in send.conversation:
            return self.names.groups.get(send.conversation)
        if send.device not in self._recording.devices:
            return self.names.accounts.get(next(iter(send.to), ""))
        own = self._recording.devices[send.device].account
        one, _, two = send.conversation.partition("~")
        return self.names.accounts.get(two if one == own else one)

    # -------------------------------------------------------- groups

    def group_changes(self) -> Iterator[Act]:
        logs = self._recording.logs
        for group, sends in self._recording.groups().items():
            name, first = self.names.groups[group], sends[0]
            device = self.names.devices.get(first.device)
            members = tuple(self.names.accounts[each] for each in logs[first.message])
            if first.kind == SYSTEM and device is not None:
                own = self.names.accounts[self._recording.devices[first.device].account]
                others = tuple(each for each in members if each != own) or (own,)
                yield act(first.at, "create", device=device, group=name, accounts=others)
            else:
                self.groups[name] = members
            for send, verb, account in changes(sends, logs):
                yield from self._change(name, send, verb, account)

    def _change(self, group: str, send: Send, verb: str, account: str) -> Iterator[Act]:
        device = self.names.devices.get(send.device)
        if device is None:
            self.left_out.append(f"changes of {group} over HTTP")
        elif verb == "remove" and self._recording.devices[send.device].account == account:
            yield act(send.at, "leave", device=device, group=group)
        else:
            changed = self.names.accounts[account]
            yield act(send.at, verb, device=device, account=changed, group=group)

    # -------------------------------------------------------- the server

    def server(self) -> Iterator[Act]:
        yield from _processes(self._records)
        yield from self._trims()
        yield from self._restores()
        for each in self._records:
            if isinstance(each, Revoked) and not each.until_login:
                known = self.names.devices.get(each.device)
                yield from () if known is None else (act(each.at, "revoke", device=known),)

    def _trims(self) -> Iterator[Act]:
        heads: dict[str, int] = {}
        grown = {id(record): (account, head) for record, account, head in self._recording.heads()}
        for each in self._records:
            account, head = grown.get(id(each), ("", 0))
            heads[account] = max(heads.get(account, 0), head)
            if isinstance(each, Floor) and each.account in self.names.accounts:
                kept = max(heads.get(each.account, 0) - each.floor, 0)
                yield act(each.at, "trim", account=self.names.accounts[each.account], count=kept)

    def _restores(self) -> Iterator[Act]:
        """The copy was taken before anything that it does not hold was sent."""
        renewed: list[list[Renewed]] = []
        for each in self._records:
            if not isinstance(each, Renewed):
                continue
            if each.why == "import":
                self.left_out.append(f"the import of {each.account}")
            elif renewed and each.at - renewed[-1][0].at < _ONE_START_S:
                renewed[-1].append(each)
            else:
                renewed.append([each])
        for logs in renewed:
            began, why = logs[0].at, logs[0].why
            kept = {log.account: log.head for log in logs}
            lost = [
                self._recording.sends[each.message].at
                for each in self._records
                if isinstance(each, Appended) and each.at < began
                if each.seq > kept.get(each.account, each.seq)
                if each.message in self._recording.sends
            ]
            yield act(min(lost, default=began) - _JUST_S, "back_up")
            yield act(began, "restore" if why == "restore" else "put_back")

    # -------------------------------------------------------- before the recording

    def before(self) -> list[Step]:
        """What lets the logs and the devices stand as they stood when the recording began."""
        return [step for account in self.names.accounts for step in self._log_before(account)]

    def _log_before(self, account: str) -> Iterator[Step]:
        head, floor = self._found(account)
        if not head:
            return
        stood = self._stood(account)
        name, last, kept = self.names.accounts[account], 0, 0
        for place in sorted({head, floor, *(seq for seq in stood.values() if seq <= head)} - {0}):
            count = min(place - last, _GAP_MAX)
            last, kept = place, kept + (count if place > floor else 0)
            yield Step("publish", {"count": count, "account": name})
            for device, seq in stood.items():
                if seq == place:
                    yield Step("log_in", {"device": self.names.devices[device]})
                    yield Step("log_out", {"device": self.names.devices[device]})
        if floor:
            yield Step("trim", {"account": name, "count": kept})

    def _found(self, account: str) -> tuple[int, int]:
        """Where the log ended, and its floor, before anything recorded was appended to it."""
        for each, whose, head in self._recording.heads():
            if whose == account and isinstance(each, Appended):
                return head - 1, 0
            if whose == account and isinstance(each, Verdict):
                return head, each.floor
        return 0, 0

    def _stood(self, account: str) -> dict[str, int]:
        """Where each device of the account stood when it first said so."""
        places: dict[str, int] = {}
        for each in self._records:
            if isinstance(each, Connect):
                told = self._recording.devices.get(each.device)
                if told is not None and told.account == account:
                    places.setdefault(each.device, each.seq or 0)
        return places


def _processes(records: Sequence[Record]) -> Iterator[Act]:
    """A start that no end came before followed a crash, right after what was last told."""
    runs, started, last = False, -_ONE_START_S, 0.0
    for each in records:
        if isinstance(each, Process) and each.whose == "server":
            if each.state != "started":
                verb = "stop_server" if each.state == "stopped" else "kill_server"
                yield from [act(each.at, verb)] if runs else []
                runs = False
            elif not runs or each.at - started > _ONE_START_S:  # else two tell of one start
                yield from [act(last + _JUST_S, "kill_server")] if runs else []
                yield from [act(each.at, "start_server")] if started >= 0 else []
                runs, started = True, each.at
        last = each.at
