"""The running checksum of a log: what makes it affordable to look at every byte that is served.

    sum(n) = CRC-32 of header(n) | body(n), continued from sum(n-1)

One call checks a whole page of entries against two numbers: the checksums at its two ends. The hash
chain proves the past to a device; this finds a bit that a disk has flipped before anybody is served
it. Where a body was erased the stored sum stays what it was, so that what follows still continues.
"""

from __future__ import annotations

from zlib import crc32

from syncd.model import Chain

START = 0
"""The checksum before the first entry of a log."""


def extend(previous: int, entries: bytes) -> int:
    """The checksum after one or more entries, from the one before them."""
    return crc32(entries, previous)


def sealed(checksum: int, chain: Chain) -> int:
    """What is stored beside an entry: its checksum, with the chain that is stored there, too."""
    return checksum ^ crc32(chain)


def opened(stored: int, chain: Chain) -> int:
    """The checksum again, from what is stored beside an entry."""
    return stored ^ crc32(chain)
