"""What the two tables remember over a restart. Everything else: test_store.py, on both shelves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from syncd import errors
from syncd.client.sqlite_shelf import SqliteShelf
from syncd.client.store import PendingState
from syncd.membership import Action, Change, write_change
from syncd.model import Accepted, Kind, Refused
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Echo, Mark
from tests.client.shelves import INSTANCE, SERVER, begun, entry, outgoing, stores
from tests.protocol.client_plays import ALICE, EPOCH, NEW_EPOCH, OWN, reset, verdict


@contextmanager
def opened(path: Path) -> Iterator[SqliteShelf]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield SqliteShelf(connection)
    finally:
        connection.close()


def lost(shelf: SqliteShelf) -> None:
    """Own messages 1 (seen in the log) and 2 (accepted) are lost by a restore; 3 waits."""
    begun(shelf)
    shelf.enqueue([outgoing()] * 3)
    shelf.store_answers(commands.StoreAnswers((Accepted(1, 1, False), Accepted(2, 2, False))))
    shelf.store_batch(stores(0, entry(1, OWN), echoes=(Echo(1, 1),)))
    taken = shelf.take_verdict(commands.TakeVerdict(reset(floor=0, start=0, head=0, sent=0), 0))
    assert [each.number for each in taken.outbox] == [1, 2, 3]


def test_what_was_put_back_before_a_restart_is_taken_out_after_it(tmp_path: Path) -> None:
    with opened(tmp_path / "store.db") as shelf:
        lost(shelf)
    with opened(tmp_path / "store.db") as shelf:
        undone = verdict(epoch=NEW_EPOCH, floor=0, start=0, head=9, sent=3)
        taken = shelf.take_verdict(commands.TakeVerdict(undone, 0))
        assert ([each.number for each in taken.outbox], taken.accepted) == ([3], ())
        marks = [(old.entry.number, old.mark) for old in shelf.old()]
        assert marks == [(1, Mark.NOT_ON_SERVER), (2, None)]


def test_what_was_refused_before_a_restart_is_not_put_back_after_it(tmp_path: Path) -> None:
    with opened(tmp_path / "store.db") as shelf:
        lost(shelf)
        shelf.store_answers(commands.StoreAnswers((Refused(1, errors.NOT_A_MEMBER),)))
        [refused] = [each for each in shelf.pending() if each.state is PendingState.REFUSED]
        assert shelf.forget(refused.ticket)
    with opened(tmp_path / "store.db") as shelf:
        again = reset(epoch=EPOCH, floor=0, start=0, head=0, sent=0)
        taken = shelf.take_verdict(commands.TakeVerdict(again, 0))
        assert [each.number for each in taken.outbox] == [2, 3]


def test_what_came_back_too_early_before_a_restart_is_sent_again_after_it(tmp_path: Path) -> None:
    with opened(tmp_path / "store.db") as shelf:
        lost(shelf)
        early = tuple(Refused(number, errors.NOT_A_MEMBER) for number in (1, 2, 3))
        shelf.store_answers(commands.StoreAnswers(early))
    with opened(tmp_path / "store.db") as shelf:
        added = write_change(Change(Action.ADD, (ALICE,)))
        joins = msgspec.structs.replace(entry(90), kind=Kind.SYSTEM, body=added)
        done = shelf.store_batch(stores(0, joins, epoch=NEW_EPOCH))
        assert [each.number for each in done.resent] == [4, 5], "3 was never accepted"


def test_tickets_and_instances_are_never_given_again(tmp_path: Path) -> None:
    with opened(tmp_path / "store.db") as shelf:
        begun(shelf)
        [first] = shelf.enqueue([outgoing()]).tickets
        shelf.store_answers(commands.StoreAnswers((Refused(1, errors.TOO_LARGE),)))
        assert shelf.forget(first)
    with opened(tmp_path / "store.db") as shelf:
        loaded, _ = shelf.begin(SERVER, "another run", None)
        assert loaded.instances == {INSTANCE, "another run"}
        assert shelf.enqueue([outgoing()]).tickets == (first + 1,)


def test_what_cannot_be_read_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, no_bytes = tmp_path / "store.db", cast(Any, "text")
    text = msgspec.msgpack.encode(replace(outgoing(), body=no_bytes))
    with opened(path) as shelf:
        begun(shelf)
        shelf.enqueue([outgoing()] * 4)
        shelf.store_answers(commands.StoreAnswers((Refused(1, errors.TOO_LARGE),)))
        shelf.store_answers(commands.StoreAnswers((Accepted(2, 9, False),)))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE outbox SET outgoing = ? WHERE number < 4", (text,))
    connection.commit()
    connection.close()
    for _ in range(2):
        with opened(path) as shelf:
            shelf.begin(SERVER, INSTANCE, None)
            [sound] = shelf.pending()
            assert (sound.number, sound.outgoing) == (4, outgoing())
            taken = shelf.take_verdict(commands.TakeVerdict(verdict(floor=0, start=0, head=0), 0))
            assert [each.number for each in taken.outbox] == [4]
            assert (taken.accepted, taken.numbered) == ((), ())
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert "message 1 of the outbox is left out" in caplog.text
    assert "Expected `bytes`, got `str`" in caplog.text
    with opened(path) as shelf:
        assert shelf.enqueue([outgoing()]).messages[0].number == 5
