"""An account's stream, taken from a store and taken apart."""

from hashlib import blake2b
from pathlib import Path

import msgspec

from syncd.model import AccountId
from syncd.storage.database_file import read_only
from syncd.storage.exporting import export_account
from syncd.storage.transfer import framed

from .works import ALICE


def exported(store: Path, account: AccountId = ALICE) -> bytes:
    pieces: list[bytes] = []
    with read_only(store) as connection:
        export_account(connection, account, pieces.append)
    return b"".join(pieces)


def taken_apart(stream: bytes) -> list[list[object]]:
    """The records, as any MessagePack library sees them."""
    records, place = [], 0
    while place < len(stream):
        assert stream[place : place + 1] == b"\xce"
        size = int.from_bytes(stream[place + 1 : place + 5], "big")
        records.append(msgspec.msgpack.decode(stream[place + 5 : place + 5 + size]))
        place += 5 + size
    return records


def put_together(records: list[list[object]]) -> bytes:
    """A stream of these records whose digest fits."""
    *first, last = records
    body = b"".join(framed(each) for each in first)  # type: ignore[arg-type]
    if last[0] == "end":
        last = [*last[:4], blake2b(body, digest_size=32).digest()]
    return body + framed(last)  # type: ignore[arg-type]
