"""What is stored and what is unfinished, read from outside."""

from pathlib import Path

import pytest

from client_sim.measured import digest_of
from client_sim.shelves import last_unfinished, line_of, stored_lines
from syncd.client import ClientStore, MemoryStore, SqliteStore
from syncd.model import AccountId, Chain, ConversationId, DeviceId, Epoch, Kind, Position
from syncd.protocol import client_commands as commands
from syncd.wire.frames import Entry, Welcome

OWN, FRIEND = DeviceId("11" * 12), DeviceId("22" * 12)
EPOCH, CHAIN = Epoch(b"epoch---"), Chain(b"chain---")


def entry(number: int) -> Entry:
    names = ConversationId("alice~bob"), AccountId("bob")
    return Entry(Kind.MESSAGE, *names, FRIEND, number, None, 0, b"body %d" % number)


async def filled(store: ClientStore, *, handed: int) -> None:
    """Entries 1 to 5 in two batches."""
    verdict = Welcome(AccountId("alice"), OWN, EPOCH, 0, 5, 0, CHAIN, 5, 0)
    await store.call(lambda shelf: shelf.begin("ws://server", "ab" * 8, "token"))
    await store.call(lambda shelf: shelf.take_verdict(commands.TakeVerdict(verdict, 0)))
    for prev, to in ((0, 3), (3, 5)):
        entries = tuple(entry(number) for number in range(prev + 1, to + 1))
        batch = commands.StoreBatch(prev, entries, Position(EPOCH, to, CHAIN), (), handed)
        await store.call(lambda shelf, batch=batch: shelf.store_batch(batch))


def test_a_line_is_the_identity_and_the_digest() -> None:
    line = line_of(7, entry(3))
    assert (line.seq, line.identity, line.digest) == (7, (FRIEND, 3), digest_of(b"body 3"))


@pytest.mark.parametrize(("handed", "last"), [(0, 5), (3, 5), (4, 5), (5, 0)])
async def test_what_the_application_has_not_finished(handed: int, last: int) -> None:
    store = MemoryStore(keep_handed=True)
    await filled(store, handed=handed)
    assert await last_unfinished(store) == last


async def test_all_that_a_durable_store_holds(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "pc.db")
    await store.open()
    assert await stored_lines(store) == []
    await filled(store, handed=5)
    assert [line.seq for line in await stored_lines(store)] == [1, 2, 3, 4, 5]
    await store.close()
