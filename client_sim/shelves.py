"""Looking into a device's store from outside of the SDK: what is there, what is unfinished."""

from __future__ import annotations

from client_sim.measured import Line, digest_of
from syncd.client.store import ClientStore, Shelf
from syncd.model import Seq
from syncd.wire.frames import Entry

_FIRST_ERA = 0
"""The era of a store whose log was never reset, as in every play here."""
_NO_ERA = -1
"""A reader of no era is given what the application has not finished."""


def line_of(seq: Seq, entry: Entry) -> Line:
    """An entry as it is compared: which message at which seq, and its body's fingerprint."""
    return Line(seq, entry.device, entry.number, digest_of(entry.body or b""))


async def last_unfinished(store: ClientStore) -> Seq:
    """The seq of the last stored entry, where the application has some to finish; else 0."""

    def read(shelf: Shelf) -> Seq:
        last, run = 0, shelf.read(_NO_ERA, 0)
        while run is not None:
            last = run.prev + len(run.entries)
            run = shelf.read(run.era, last)
        return last

    return await store.call(read)


async def stored_lines(store: ClientStore) -> list[Line]:
    """Every entry of a durable store, in the order of the log."""

    def read(shelf: Shelf) -> list[Line]:
        lines: list[Line] = []
        run = shelf.read(_FIRST_ERA, 0)
        while run is not None:
            lines += map(line_of, range(run.prev + 1, run.prev + 1 + len(run.entries)), run.entries)
            run = shelf.read(run.era, lines[-1].seq)
        return lines

    return await store.call(read)
