"""Account to sleeping sessions: "your log may have grown", and nothing else.

A wake-up carries no data, so it may be lost, doubled or merged without harm: whoever wakes looks
at the log from its own place. `moved` makes a lost one harmless: it compares heads, seen by one
slow look per node, with those of the look before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from syncd.model import AccountId, Seq


class Sleeper(Protocol):
    """Whoever follows an account's log."""

    def woken(self) -> None:
        """The log may have grown. Must not raise and must not wait."""


class Wakeups:
    """Who sleeps on which account."""

    def __init__(self) -> None:
        self._sleepers: dict[AccountId, list[Sleeper]] = {}
        self._seen: dict[AccountId, Seq] = {}

    def listen(self, account: AccountId, sleeper: Sleeper) -> None:
        """From now on wake `sleeper` for `account`, until it is forgotten."""
        self._sleepers.setdefault(account, []).append(sleeper)

    def forget(self, account: AccountId, sleeper: Sleeper) -> None:
        """The opposite of listen; a sleeper that never listened is no error."""
        sleepers = self._sleepers.get(account)
        if sleepers is None or sleeper not in sleepers:
            return
        sleepers.remove(sleeper)
        if not sleepers:
            del self._sleepers[account]
            self._seen.pop(account, None)

    def wake(self, accounts: Iterable[AccountId]) -> None:
        """Their logs grew. Called after the commit, never before it."""
        for account in accounts:
            # A copy: whoever wakes may close and forget itself.
            for sleeper in tuple(self._sleepers.get(account, ())):
                sleeper.woken()

    def accounts(self) -> list[AccountId]:
        """Every account that somebody sleeps on."""
        return list(self._sleepers)

    def moved(self, heads: Mapping[AccountId, Seq]) -> list[AccountId]:
        """The accounts whose head is not the one of the last look, to be woken now."""
        moved = [
            account
            for account, head in heads.items()
            if account in self._sleepers and self._seen.get(account) != head
        ]
        self._seen.update((account, heads[account]) for account in moved)
        return moved
