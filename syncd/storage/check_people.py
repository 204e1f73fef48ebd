"""Whether what login keeps fits together: aliases, and whose everything is."""

from __future__ import annotations

import sqlite3

from syncd.model import AccountId
from syncd.persons import Standing
from syncd.storage.findings import Report
from syncd.storage.queries import load
from syncd.storage.register import ENDINGS

_SQL = load("sqlite")
_STANDINGS = frozenset(each.value for each in Standing)


def check_people(connection: sqlite3.Connection, report: Report) -> None:
    """Look at all accounts, and at all that belongs to one. What is no row is found elsewhere."""
    merged: dict[int, int] = {}
    accounts: dict[int, AccountId] = {}
    for log, account, merged_into, standing in connection.execute(_SQL["check_accounts"]):
        accounts[log] = account
        if merged_into is not None:
            merged[log] = merged_into
        if standing not in _STANDINGS:
            report.add(f"account {account}", f"nobody stands as {standing!r:.40}")
    for log in merged:
        if not _ends(log, merged):
            report.add(f"account {accounts[log]}", "it was merged into itself, in the end")
    for kind, name, account in connection.execute(_SQL["check_closed"]):
        report.add(f"{kind} {name}", f"it belongs to {account}, which was merged")
    for device, ended in connection.execute(_SQL["check_endings"]):
        if ended not in ENDINGS:
            report.add(f"device {device}", f"nothing is signed out as {ended!r:.40}")


def _ends(log: int, merged: dict[int, int]) -> bool:
    """Whether one comes to a log that is open."""
    seen = set[int]()
    while log in merged:
        if log in seen:
            return False
        seen.add(log)
        log = merged[log]
    return True
