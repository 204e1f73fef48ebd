"""Which accounts are one person's: its account, and those that were merged into it.

A merge is told by a `system` entry of the account's conversation with itself, and the guest's
entries follow it. Who began to listen later is told the aliases by the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncd.model import AccountId, Kind, Seq, members_of_direct
from syncd.notices import Merge, read_notice
from syncd.wire.frames import Entry


class Aliases:
    """The own account and its aliases, as far as they were told.

    accounts: all of them.
    """

    __slots__ = ("_segments", "account", "accounts")

    def __init__(self, account: AccountId, aliases: Iterable[AccountId] = ()) -> None:
        self.account = account
        self.accounts = {account, *aliases}
        self._segments: dict[AccountId, tuple[Seq, Seq]] = {}

    def learn(self, guest: AccountId, notice: Seq, until: Seq) -> None:
        """`guest` was merged: the entry at `notice` says so, and its own entries end at `until`."""
        self.accounts.add(guest)
        self._segments[guest] = notice, until

    def trim(self, floor: Seq) -> None:
        """Of what is not above the floor only the aliases are remembered: whoever begins there
        knows no more."""
        if self._segments:
            self._segments = {
                guest: place for guest, place in self._segments.items() if place[0] > floor
            }

    def at(self, account: AccountId, seq: Seq) -> AccountId:
        """Who that is for an entry at `seq`: the own account, if it is an alias and the entry was
        not made before the merge."""
        if account not in self.accounts:
            return account
        _, until = self._segments.get(account, (0, 0))
        return self.account if until < seq else account


def merge_of(entry: Entry) -> Merge | None:
    """What an entry says of a merge; None for all others. No device can send such a one."""
    if entry.kind != Kind.SYSTEM or entry.account or entry.body is None:
        return None
    direct = members_of_direct(entry.conversation)
    if direct is None or direct[0] != direct[1]:
        return None
    try:
        notice = read_notice(entry.body)
    except ValueError:
        return None
    return notice if isinstance(notice, Merge) else None
