"""The sentences that a play is made of: what each says, as a value, and how a value is said.

A sentence is one thing that is done to the cast, or one thing that must hold at the end. It may
begin with "meanwhile", which does not wait for it, or with "at 3.5 s:", which fixes its moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

Argument: TypeAlias = str | int | float | tuple[str, ...]

_NAME = r"[A-Za-z0-9._@:+=-]*[A-Za-z0-9_@+=]"
_SHAPES: Mapping[str, str] = {
    "device": _NAME,
    "other": _NAME,
    "account": _NAME,
    "address": _NAME,
    "app": "[a-z]+",
    "guest": _NAME,
    "group": _NAME,
    "accounts": rf"{_NAME}(?:(?:, | and ){_NAME})*",
    "count": r"\d+",
    "bytes": r"\d+",
    "seconds": r"-?\d+(?:\.\d+)?",
    "milliseconds": r"\d+",
    "verdict": r"[a-z]+(?: [a-z]+)?",
    "code": r"[a-z_]+",
}
_WHOLE = {"count", "bytes", "milliseconds"}
_SLOT = re.compile(r"\{(\w+)\}")


class NotASentence(Exception):
    """The text says nothing that a play knows. The text of this says what is known instead."""


@dataclass(frozen=True)
class Verb:
    """One kind of sentence. fault: the kind of fault that it is, where it is one."""

    name: str
    pattern: str
    meaning: str
    fault: str = ""

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = _SLOT.split(self.pattern)
        return re.compile(
            "".join(
                f"(?P<{part}>{_SHAPES[part]})" if odd % 2 else re.escape(part)
                for odd, part in enumerate(parts)
            )
        )

    def read(self, text: str) -> dict[str, Argument] | None:
        """What the text says in this verb's slots; None where it says something else."""
        found = self._regex.fullmatch(text)
        if found is None:
            return None
        return {name: _value(name, said) for name, said in found.groupdict().items()}

    def say(self, arguments: Mapping[str, Argument]) -> str:
        """The sentence with these things in its slots."""
        return _SLOT.sub(lambda slot: _said(arguments[slot.group(1)]), self.pattern)


DOINGS = (
    Verb("log_in", "{device} logs in", "its app starts with its store and connects"),
    Verb("log_out", "{device} logs out", "it says goodbye; its store stays"),
    Verb("send", "{device} sends {count} to {address}", "messages to an account or a group"),
    Verb("send_large", "{device} sends {count} of {bytes} bytes to {address}", "large messages"),
    Verb("edit", "{device} edits its last message", "a new body for it"),
    Verb("recall", "{device} recalls its last message", "nobody shall show it any more"),
    Verb("delete", "{device} deletes what came last", "on the own devices only"),
    Verb("read", "{device} reads everything", "a read mark in every conversation"),
    Verb("create", "{device} makes {group} with {accounts}", "a group"),
    Verb("add", "{device} adds {account} to {group}", "one more member"),
    Verb("remove", "{device} removes {account} from {group}", "one member fewer"),
    Verb("leave", "{device} leaves {group}", "its account is no member any more"),
    Verb("kill", "{device} is killed", "its process dies between two steps", "device_crash"),
    Verb("forget", "{device} loses its store", "logged out: next time it holds nothing"),
    Verb("copy", "{device} is copied", "its store as it is now is put aside"),
    Verb("set_back", "{device} is set back to its copy", "logged out", "device_restored"),
    Verb("clone", "{device} is cloned as {other}", "same store, same credential", "clone"),
    Verb("cut", "{device} is cut", "its line (or the next) ends; it comes back", "cut"),
    Verb("cut_after", "{device} is cut after {bytes} bytes", "counted in both directions", "cut"),
    Verb("unplug", "{device} loses its network", "silence: nobody is told", "half_open"),
    Verb("plug", "{device} has network again", "what was under way is lost all the same"),
    Verb("stall", "{device} stops reading", "its socket is full and stays so", "slow_reader"),
    Verb("unstall", "{device} reads on", "the opposite"),
    Verb("delay", "{device} has {milliseconds} ms of delay", "in either direction", "delay"),
    Verb("revoke", "{device} is revoked", "its right ends for ever"),
    Verb("sign_in", "{device} signs in with {app}", "its person, with a code of the platform"),
    Verb("bring", "{device} brings its unionid", "it signs in again, and its person consents"),
    Verb("scan", "{device} signs in by {other}", "which scans its QR code and confirms"),
    Verb("replay", "{device} signs in with the code of {other}", "which was used by then"),
    Verb("sign_out", "{account} is signed out everywhere", "until its devices sign in again"),
    Verb("merge", "{guest} is merged into {account}", "by an operator"),
    Verb("kill_server", "the server is killed", "kill -9", "server_crash"),
    Verb("start_server", "the server starts", "on what the store holds"),
    Verb("stop_server", "the server stops", "it drains"),
    Verb("freeze_server", "the server is frozen", "SIGSTOP", "frozen"),
    Verb("thaw_server", "the server goes on", "SIGCONT"),
    Verb("fill_disk", "the disk is full", "no append fits", "disk_full"),
    Verb("free_disk", "the disk has room again", "appends fit"),
    Verb("slow_disk", "the disk is slow", "each commit takes long", "slow_disk"),
    Verb("fast_disk", "the disk is fast again", "the opposite"),
    Verb("back_up", "a backup is taken", "of the whole store"),
    Verb("restore", "the backup is restored", "by command: new epochs", "restore"),
    Verb("put_back", "the backup is put back by hand", "old files, old epochs", "put_back"),
    Verb("trim", "{account} keeps {count}", "retention drops all older entries", "trim"),
    Verb("publish", "the service sends {count} to {account}", "over HTTP"),
    Verb("jump", "the clock jumps by {seconds} s", "the server's wall clock", "clock_jump"),
    Verb("wait", "{seconds} s pass", "nothing else is done"),
    Verb("settle", "all settle", "until all who are logged in have all"),
)
"""Everything that can be done in a play."""

EXPECTATIONS = (
    Verb("holds", "{device} holds {count}", "so many entries of its log are in its store"),
    Verb("alike", "{device} holds the same as {other}", "of one account: seq by seq"),
    Verb("told", "{device} was told {verdict}", "welcome, truncated, or reset and its reason"),
    Verb("never_told", "{device} was never told {verdict}", "the opposite"),
    Verb("closed", "{device} was closed {code}", "the server ended a socket of it so"),
    Verb("refused", "{device} had {count} refused", "so many messages, for ever"),
    Verb("accepted", "{device} had {count} accepted", "so many messages"),
    Verb("unread", "{account} has {count} unread", "over all its conversations"),
    Verb("together", "{device} and {other} share an account", "both may have been merged into it"),
    Verb("apart", "{device} and {other} have two accounts", "the opposite"),
    Verb("ids", "{device} had {count} ids", "as many devices as the server made of it"),
    Verb("turned_away", "{device} was turned away {code}", "when it signed in"),
    Verb("marked", "{device} marks {count}", "entries that the server's log does not hold"),
)
"""Everything that a play may say of its end, beside what the judges say of every run.

Of the end, once all is calm and everybody has come back; but what is sent after the last step, to
see whether a wake-up was lost, does not count: `holds`, `accepted` and `unread` are of the play.
"""

_MEANWHILE = "meanwhile "
_MOMENT = re.compile(r"at (?P<at>\d+(?:\.\d+)?) s: ")


@dataclass(frozen=True)
class Step:
    """One sentence. at: seconds after the play's beginning; None: after the step before it."""

    verb: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    at: float | None = None
    meanwhile: bool = False

    @property
    def fault(self) -> str:
        """The kind of fault that it is; empty for none."""
        return _BY_NAME[self.verb].fault

    def __str__(self) -> str:
        said = _BY_NAME[self.verb].say(self.arguments)
        if self.at is not None:
            return f"at {_said(self.at)} s: {said}"
        return _MEANWHILE + said if self.meanwhile else said


def doing(text: str) -> Step:
    """What is to be done. Raises NotASentence."""
    if moment := _MOMENT.match(text):
        return Step(*_read(text[moment.end() :], DOINGS), at=float(moment["at"]))
    meanwhile = text.startswith(_MEANWHILE)
    return Step(*_read(text.removeprefix(_MEANWHILE), DOINGS), meanwhile=meanwhile)


def expectation(text: str) -> Step:
    """What must hold at the end. Raises NotASentence."""
    verb, arguments = _read(text, EXPECTATIONS)
    return Step(verb, arguments)


def _read(text: str, verbs: tuple[Verb, ...]) -> tuple[str, dict[str, Argument]]:
    for verb in verbs:
        arguments = verb.read(text)
        if arguments is not None:
            return verb.name, arguments
    known = "\n".join(f"  {verb.pattern}" for verb in verbs)
    raise NotASentence(f"{text!r} is no sentence of a play; there are:\n{known}")


def _value(name: str, said: str) -> Argument:
    if name in _WHOLE:
        return int(said)
    if name == "seconds":
        return float(said)
    if name == "accounts":
        return tuple(re.split(r", | and ", said))
    return said


def _said(value: Argument) -> str:
    if isinstance(value, tuple):
        *most, last = value
        return f"{', '.join(most)} and {last}" if most else last
    # Not "1e+06": the sentence must be read again.
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


_BY_NAME = {verb.name: verb for verb in (*DOINGS, *EXPECTATIONS)}
assert len(_BY_NAME) == len(DOINGS) + len(EXPECTATIONS)
