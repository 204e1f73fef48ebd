"""What an operator may ask of a store: one JSON object each, `command` naming which."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from syncd.persons import Standing

Answer: TypeAlias = dict[str, Any]


class _Request(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", tag=str.lower
):
    """What all requests share: the field `command` names the class, in small letters."""


class Token(_Request, frozen=True):
    """Make a device, or with `device` give this device of the account a new token."""

    account: str
    name: str = ""
    platform: str = ""
    device: str | None = None


class Key(_Request, frozen=True):
    """Make an API key."""

    name: str


class Devicelist(_Request, frozen=True):
    """List the devices of an account."""

    account: str


class Revoke(_Request, frozen=True):
    """Revoke a device for ever."""

    device: str


class Trim(_Request, frozen=True):
    """Drop the entries of an account below a seq, `anyway` even where that is most of its log."""

    account: str
    before: int
    anyway: bool = False


class Erase(_Request, frozen=True):
    """Erase the body of a message wherever it is, and with `edits` those of its edits."""

    account: str
    seq: int
    edits: bool = False


class Import(_Request, frozen=True):
    """Take an account from an exported stream; `path` as this machine knows the file."""

    account: str
    path: str


class Retain(_Request, frozen=True):
    """Say how much of an account's log is kept: None leaves what was set, 0 is everything.

    default: forget what was set, and keep what the service keeps; the numbers then say nothing.
    """

    account: str
    entries: int | None = None
    days: int | None = None
    default: bool = False


class Sweep(_Request, frozen=True):
    """Drop what need not be kept any longer, `anyway` even where that is most of the store."""

    anyway: bool = False


class Subjects(_Request, frozen=True):
    """By what a person is known."""

    account: str


class Merge(_Request, frozen=True):
    """Merge two accounts of one person; all devices of the guest are signed out."""

    guest: str
    account: str


class Stand(_Request, frozen=True):
    """Say how an account stands."""

    account: str
    standing: Standing


class Pending(_Request, frozen=True):
    """List the unions that contradict the linked ones."""


class Remap(_Request, frozen=True):
    """Replace unionids of a platform account; `path` as this machine knows the file."""

    platform: str
    path: str


class Logout(_Request, frozen=True):
    """Sign out all devices of an account but `keep`; they may log in again."""

    account: str
    keep: str | None = None


LogRequest: TypeAlias = Trim | Erase | Import | Retain | Sweep
PersonRequest: TypeAlias = Subjects | Merge | Stand | Pending | Remap | Logout
Request: TypeAlias = Token | Key | Devicelist | Revoke | LogRequest | PersonRequest

read_request = msgspec.json.Decoder(Request).decode
"""The request in a line. Raises ValueError and RecursionError."""
