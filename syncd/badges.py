"""Unread counts for push badges: the devices' own fold, over the stored log, kept warm.

A push goes out when a message comes in and no device is there to count. Folding the whole log for
each would cost seconds, so folds are kept, and go on where they stand.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from syncd import limits
from syncd.model import AccountId, Chain, ConversationId, Epoch, Page, ReadRequest, Seq
from syncd.protocol.unread import Unread
from syncd.storage import Storage
from syncd.wire.codec import unpack_entries

_PAGE_BYTES = 64 * 1024
"""Read and folded at a time: the smallest entries are a thousand to a page, some milliseconds in
which no socket gets its turn."""


@dataclass(slots=True)
class _Fold:
    """One account's counts, and the position up to which they hold."""

    unread: Unread
    epoch: Epoch | None = None
    chain: Chain | None = None
    added: int = 0
    """What it holds, as far as it was added up."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def fits(self, there: Page) -> bool:
        """Whether the log is still the one that was folded; `there` is the entry at its place."""
        seq = self.unread.seq
        if there.epoch != self.epoch:
            return False
        if seq <= there.floor:
            # Below the floor no chain is left to compare, nothing to count, and what was told there
            # of merges is lost.
            return seq == there.floor and there.floor_chain == self.chain
        return there.to == seq and there.chain == self.chain

    def take(self, after: Seq, page: Page) -> None:
        """Go on by the page that follows the place."""
        count = page.to - after
        for seq, entry in enumerate(unpack_entries(count, page.entries), after + 1):
            self.unread.apply(seq, entry)
        if count:
            self.chain = page.chain
        elif after < page.floor:
            self.chain = page.floor_chain
        self.unread.trim(page.floor)


class Badges:
    """Owns no task. Any number of calls may be under way; those for one account share its fold.

    folds_max, entries_max: what is kept between calls; a fold at work may be larger.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        folds_max: int = limits.BADGE_FOLDS_MAX,
        entries_max: int = limits.BADGE_ENTRIES_MAX,
    ) -> None:
        self._storage = storage
        self._folds_max = folds_max
        self._entries_max = entries_max
        self._folds: OrderedDict[AccountId, _Fold] = OrderedDict()
        self._entries = 0

    async def unread(self, account: AccountId) -> dict[ConversationId, int]:
        """Unread messages per conversation that has any, of everything that was durable when this
        was called; for an account that was merged into another one, of that one. Raises KeyError
        for an unknown account, StorageError."""
        person = await self._storage.people.account_of(account)
        if person is None:
            raise KeyError(account)
        fold = self._folds.get(person)
        if fold is None:
            fold = self._folds[person] = _Fold(Unread(person))
        self._folds.move_to_end(person)
        try:
            async with fold.turn:
                await self._bring_up(person, fold)
                return fold.unread.counts()
        finally:
            self._settle(person, fold)

    async def _bring_up(self, account: AccountId, fold: _Fold) -> None:
        """Fold what follows, up to the head that is seen first: a log may grow faster than that."""
        until: Seq | None = None
        while until is None or fold.unread.seq < until:
            after = fold.unread.seq
            # One entry is read again, for the chain that stands there now.
            there, page = await self._storage.read(
                [
                    ReadRequest(account, max(after - 1, 0), 0),
                    ReadRequest(account, after, _PAGE_BYTES),
                ]
            )
            if not fold.fits(there):
                aliases = await self._storage.people.aliases(account)
                fold.unread, fold.epoch, until = Unread(account, aliases), page.epoch, None
                if after > 0:
                    continue
            if until is None:
                until = page.head
            fold.take(after, page)

    def _settle(self, account: AccountId, fold: _Fold) -> None:
        """Add up what is held, and let go of what was asked for longest ago."""
        if self._folds.get(account) is not fold:
            return
        if fold.epoch is None:  # nothing was folded, because storage failed
            del self._folds[account]
            return
        self._entries += fold.unread.held - fold.added
        fold.added = fold.unread.held
        while len(self._folds) > self._folds_max or self._entries > self._entries_max:
            _, oldest = self._folds.popitem(last=False)
            self._entries -= oldest.added
