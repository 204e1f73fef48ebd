"""The running checksum of a log: what makes it affordable to look at every byte that is served.

    sum(n) = CRC-32 of header(n) | body(n), continued from sum(n-1)

One call checks a whole page of entries against two numbers: the checksums at its two ends. The hash
chain proves the past to a device; this finds a bit that a disk has flipped before anybody is served
it. Where a body was erased the stored sum stays what it was, so that what follows still continues.

The same CRC-32 comes from either library; zlib's alone would take a third of a catch-up's time.
"""

from __future__ import annotations

from syncd.model import Chain

try:
    from isal.isal_zlib import crc32
except ImportError:  # there is no wheel for this processor
    from zlib import crc32

__all__ = ("START", "crc32", "extend", "opened", "sealed")

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
