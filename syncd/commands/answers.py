"""What the commands that ask a server print of its answers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from syncd.commands.outcome import note, show


def show_answer(given: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    """Print the facts that answer the command, and tell people what they mean."""
    match given.command:
        case "token":
            note(f"device {facts['device']} of {given.account}")
            text = facts["token"]
        case "key":
            note(f"API key {facts['name']}")
            text = facts["key"]
        case "devices":
            text = rows(facts["devices"])
        case "revoke":
            note(f"device {facts['device']} of {facts['account']} is revoked")
            text = facts["device"]
        case "trim":
            begins = f"begins after seq {facts['floor']}"
            if facts["dropped"]:
                note(f"the log of {facts['account']} now {begins}")
            else:
                note(f"nothing was dropped: the log of {facts['account']} {begins} as before")
            text = str(facts["floor"])
        case "retain":
            text = f"{facts['account']}: {_kept(facts, 'entries')}, {_kept(facts, 'days')}"
        case "sweep":
            text = _swept(facts)
        case "erase":
            text = _erased(facts)
        case "import":
            note("groups are not part of an export; the account is in none")
            text = (
                f"{facts['account']}: {facts['entries']} entries up to {facts['head']},"
                f" {facts['devices']} devices"
            )
        case _:
            text = _told_of_people(given, facts)
    show(facts, text, as_json=given.json)


def _told_of_people(given: argparse.Namespace, facts: Mapping[str, Any]) -> str:
    match given.command:
        case "subjects":
            note(f"account {facts['account']} is {facts['standing']}")
            return columns(
                ("issuer", "name", "union", "pending"),
                [
                    (each["issuer"], each["name"], _union(each["union"]), _union(each["pending"]))
                    for each in facts["subjects"]
                ],
            )
        case "merge":
            _note_signed_out(facts)
            return f"{facts['guest']} is {facts['account']}: {facts['entries']} entries appended"
        case "standing":
            _note_signed_out(facts)
            return f"{facts['account']}: {facts['standing']}"
        case "pending":
            titles = ("account", "issuer", "name", "platform", "linked", "given")
            waiting = [tuple(each[title] for title in titles) for each in facts["pending"]]
            return columns(titles, waiting)
        case "remap":
            for word in ("unknown", "taken"):
                for unionid in facts[word]:
                    note(f"{word}: {unionid}")
            return f"{facts['done']} links of {facts['platform']} changed"
        case "logout":
            return "\n".join(facts["signed_out"])
    raise AssertionError(given.command)


def _note_signed_out(facts: Mapping[str, Any]) -> None:
    for device in facts["signed_out"]:
        note(f"device {device} is signed out")


def _union(union: Mapping[str, str] | None) -> str:
    return "-" if union is None else f"{union['platform']}/{union['unionid']}"


def rows(devices: Sequence[Mapping[str, Any]]) -> str:
    """One device a line; the name last, because it may hold spaces."""
    return columns(
        ("device", "platform", "cursor", "head", "lag", "sent", "state", "verdict", "name"),
        [
            (
                each["device"],
                each["platform"],
                str(each["cursor"]),
                str(each["head"]),
                str(each["lag"]),
                str(each["sent"]),
                "revoked" if each["revoked"] else each["signed_out"] or "active",
                # One word a column, for programs that split at spaces.
                "-" if each["verdict"] is None else "-".join(each["verdict"].split()),
                each["name"],
            )
            for each in devices
        ],
    )


def columns(titles: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """A table as text, one line for each, under its titles."""
    table = [titles, *lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _kept(facts: Mapping[str, Any], unit: str) -> str:
    own, default = facts[unit], facts[f"default_{unit}"]
    count = default if own is None else own
    everything = "all entries" if unit == "entries" else "for ever"
    amount = f"{count} {unit}" if count else everything
    return f"{amount} (the service's default)" if own is None else amount


def _swept(facts: Mapping[str, Any]) -> str:
    what = f"{facts['dropped']} of {facts['entries']} entries in {facts['logs']} logs"
    if not facts["swept"]:
        note("a setting or a clock may be wrong; --anyway drops them all the same")
        return f"nothing dropped: it would have been {what}"
    if facts["failed"]:
        note(f"{facts['failed']} logs could not be trimmed: see the server's log, run syncd check")
    return f"dropped {what}"


def _erased(facts: Mapping[str, Any]) -> str:
    note(
        "backups and exports made before still hold it, and so does every device that received it:"
        " they keep their copies"
    )
    for edit in facts["edits"]:
        done = "erased, too" if facts["edits_erased"] else "NOT erased: it holds a text of its own"
        note(f"edit {edit['device']}/{edit['number']}, entry {edit['seq']}: {done}")
    return f"erased in {facts['logs']} logs" if facts["logs"] else "was erased already"
