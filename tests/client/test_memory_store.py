"""What a memory store forgets, and what it must not. The contract is in test_store.py."""

from syncd.client.memory_store import MemoryShelf, MemoryStore
from syncd.limits import REMEMBERED_MESSAGES
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Echo
from tests.client.shelves import begun, bodies, entry, outgoing, stores
from tests.protocol.client_plays import OWN, reset


def test_what_the_application_has_finished_is_forgotten() -> None:
    shelf = begun(MemoryShelf())
    shelf.store_batch(stores(0, entry(1), entry(2)))
    shelf.store_batch(stores(2, entry(3)))
    assert bodies(shelf, after=2) == [3]
    assert bodies(shelf, after=0) == []


def test_own_messages_are_kept_to_be_sent_again() -> None:
    shelf = begun(MemoryShelf())
    shelf.enqueue([outgoing()])
    shelf.store_batch(stores(0, entry(7), entry(1, OWN), echoes=(Echo(1, 2),)))
    assert shelf.read(0, 2) is None
    taken = shelf.take_verdict(commands.TakeVerdict(reset(sent=0), 2))
    assert [each.number for each in taken.outbox] == [1]
    assert [old.entry.number for old in shelf.old()] == [1]


def test_own_messages_are_kept_up_to_a_bound() -> None:
    count = REMEMBERED_MESSAGES + 5
    shelf = begun(MemoryShelf())
    shelf.enqueue([outgoing()] * count)
    entries = [entry(number, OWN) for number in range(1, count + 1)]
    echoes = tuple(Echo(number, number) for number in range(1, count + 1))
    shelf.store_batch(stores(0, *entries, echoes=echoes))
    assert shelf.read(0, count) is None
    taken = shelf.take_verdict(commands.TakeVerdict(reset(sent=0), count))
    assert [each.number for each in taken.outbox] == list(range(6, count + 1))


def test_its_calls_never_wait() -> None:
    store = MemoryStore()
    for call in (store.open(), store.call(lambda shelf: shelf.pending()), store.close()):
        try:
            call.send(None)
        except StopIteration:
            continue
        raise AssertionError("a memory store waited")
    assert not store.durable
