"""The one reader: gathers what sessions want to read and fetches it in one call to storage.

A woken account has several devices at the same place: their equal requests become one. No task is
made per read, and a session that went away costs nothing but a page that nobody takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeAlias

from syncd.damages import Damages
from syncd.model import Page, ReadRequest
from syncd.storage import Damaged, Storage, StorageError

log = logging.getLogger(__name__)

PageTaker: TypeAlias = Callable[[Page | None], None]
"""Takes the page, or None where storage could not serve it. Must not raise and must not wait."""

_READS_PER_CALL = 64
"""Pages of up to 256 KiB each: at most 16 MiB at a time, and no device waits for a long round."""


class Reader:
    """Owns no task: `run` is the body of one that the assembler starts and cancels."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._waiting: dict[ReadRequest, list[PageTaker]] = {}
        self._wanted = asyncio.Event()
        self._damages = Damages()

    def read(self, request: ReadRequest, take: PageTaker) -> None:
        """Fetch a page; `take` is called once, later, from the loop."""
        self._waiting.setdefault(request, []).append(take)
        self._wanted.set()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await self._wanted.wait()
            await self._round()

    async def _round(self) -> None:
        # Oldest first; what comes while we read waits for the next round.
        requests = list(islice(self._waiting, _READS_PER_CALL))
        takers = [self._waiting.pop(request) for request in requests]
        if not self._waiting:
            self._wanted.clear()
        pages: Sequence[Page | None]
        try:
            pages = await self._storage.read(requests)
        except Damaged:
            pages = [await self._alone(request) for request in requests]
        except StorageError as error:
            log.error("! read failed: %s", error)
            pages = [None] * len(requests)
        for page, taking in zip(pages, takers, strict=True):
            for take in taking:
                take(page)

    async def _alone(self, request: ReadRequest) -> Page | None:
        """One page by itself: a damaged log must not take those with it that are sound."""
        try:
            [page] = await self._storage.read([request])
        except Damaged as damage:
            self._damages.tell(str(damage))
        except StorageError as error:
            log.error("! read failed: %s", error)
        else:
            return page
        return None
