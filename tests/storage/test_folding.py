"""Folds: whatever steps, failures and deaths come between them, a store holds the same."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.heading import ERASED
from syncd.membership import Action, Change
from syncd.model import (
    Accepted,
    CursorScope,
    DeviceId,
    Draft,
    Epoch,
    Identity,
    Intent,
    Kind,
    ReadRequest,
    Record,
    Submission,
    Superseded,
    Work,
)
from syncd.storage import Damaged, StorageError, sqlite_identity
from syncd.storage.contents import Contents
from syncd.storage.folding import Fold, fold_all, load
from syncd.storage.migrate import migrate
from syncd.storage.pages import body_hashes
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_pages
from syncd.storage.unfolded import Unfolded

from .talk import CAROL, DIRECT, GROUP, packed
from .works import ALICE, BOB, LAPTOP, PHONE, TABLET, mark

OWNER = {PHONE: ALICE, LAPTOP: BOB, TABLET: ALICE}
EPOCH = Epoch(b"epoch no")
CAPACITY = 100
PLAIN, TO_ALL = Intent(Kind.MESSAGE, DIRECT), Intent(Kind.MESSAGE, GROUP)
CREATION = Intent(Kind.SYSTEM, GROUP, None, Change(Action.CREATE, (BOB,), (ALICE, CAROL)))


class Store:
    """A store whose journal is folded as a test says; `unfolded` is what its process knows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.unfolded = Unfolded()
        self.fold: Fold | None = None
        self.number = 0
        migrate(connection)
        for account in (ALICE, BOB, CAROL):
            sqlite_identity.create_account(connection, account, lambda size: EPOCH)
        for device, account in OWNER.items():
            made = (account, device, "name", "pc")
            sqlite_identity.create_device(connection, *made, token_hash=device.encode())
        self.send(PHONE, CREATION)

    def send(self, device: DeviceId, intent: Intent, times: int = 1) -> None:
        drafts = []
        for _ in range(times):
            self.number += 1
            drafts.append(draft(device, self.number, intent))
        work = Work(
            submissions=(Submission(device, 0, tuple(drafts)),),
            cursors=(mark(EPOCH, self.number % 3, 0, device, OWNER[device]),),
        )
        commit_work(self.connection, self.unfolded, work, CursorScope.DEVICE, CAPACITY)

    def step(self, entries: int) -> None:
        if self.fold is None or self.fold.done:
            self.fold = Fold(self.connection, self.unfolded)
        self.fold.step(entries)

    def settle(self) -> None:
        """Fold everything; a fold that is under way is not told."""
        fold_all(self.connection, self.unfolded)

    def die(self) -> None:
        """Whatever was not committed is gone, and what was known of the rest is read again."""
        self.connection.rollback()
        self.unfolded, self.fold = load(self.connection), None


def draft(device: DeviceId, number: int, intent: Intent) -> Draft:
    made, content = packed(number, intent, b"body %d" % number, OWNER[device], device)
    return Draft(OWNER[device], device, number, content, intent, made)


def contents(store: Store, unfolded: Unfolded) -> list[Any]:
    """All that a store holds, wherever it stands."""
    held = Contents(store.connection, unfolded)
    items: dict[Any, set[tuple[int, int]]] = {}
    for device, item in held.every_item():
        places = zip(item.places[::2], item.places[1::2], strict=True)
        items.setdefault((device, item.number, item.content), set()).update(places)
    logs = [
        (log, [list(run.walk()) for run in held.runs(log, 0)], held.erased_hashes(log))
        for log in held.every_log()
    ]
    every = [(log, [entry for run in runs for entry in run], hashes) for log, runs, hashes in logs]
    rows = store.connection.execute("SELECT device, sent, accepted FROM devices ORDER BY id")
    devices = [
        (device, held.sent(device, sent), accepted + held.unfolded_answers(device))
        for device, sent, accepted in rows
    ]
    return [every, sorted(items.items()), devices, list(held.every_cursor()), unfolded.arrival]


def is_folded(store: Store) -> bool:
    (rows,) = store.connection.execute("SELECT count(*) FROM journal").fetchone()
    return rows == 0 and store.unfolded.is_empty() and store.unfolded.bytes == 0


SENDS = st.tuples(
    st.just("send"),
    st.sampled_from([*OWNER]),
    st.sampled_from([Intent(Kind.MESSAGE, DIRECT), Intent(Kind.MESSAGE, GROUP)]),
    st.integers(1, 3),
)
STEPS = st.lists(
    st.one_of(
        SENDS,
        SENDS,
        st.tuples(st.just("step"), st.integers(1, 9)),
        st.tuples(st.just("step"), st.integers(1, 9)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("die")),
    ),
    max_size=12,
)


def told(steps: list[tuple[Any, ...]], store: Store) -> None:
    for name, *arguments in steps:
        getattr(store, name)(*arguments)


@given(steps=STEPS)
def test_folds_and_deaths_change_nothing(steps: list[tuple[Any, ...]]) -> None:
    with closing(opened()) as one, closing(opened()) as other:
        plain, folding = Store(one), Store(other)
        told([step for step in steps if step[0] == "send"], plain)
        told(steps, folding)
        wanted = contents(plain, plain.unfolded)
        assert contents(folding, folding.unfolded) == wanted
        assert contents(folding, load(other)) == wanted, "another process reads the same"
        fold_all(other, folding.unfolded)
        assert contents(folding, Unfolded())[:-1] == wanted[:-1]
        assert is_folded(folding)


def opened() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def interrupt(connection: sqlite3.Connection, at: int) -> None:
    """Let SQLite fail once, at its so many-th step."""
    steps = iter(range(at + 1))
    connection.set_progress_handler(lambda: next(steps, None) == at, 1)


def test_a_fold_that_fails_anywhere_loses_nothing() -> None:
    wanted, failures, at = None, 0, 0
    while failures == at // 7:
        with closing(opened()) as connection:
            store = Store(connection)
            store.send(LAPTOP, Intent(Kind.MESSAGE, DIRECT), 3)
            store.send(TABLET, Intent(Kind.MESSAGE, GROUP), 2)
            wanted = wanted or contents(store, store.unfolded)
            interrupt(connection, at)
            try:
                fold_all(connection, store.unfolded)
            except StorageError as error:
                failures += 1
                connection.set_progress_handler(None, 1)
                if not error.definite:
                    store.die()
                # No disk fails at the last step of BEGIN, when the transaction is begun already.
                connection.rollback()
            connection.set_progress_handler(None, 1)
            assert contents(store, store.unfolded) == wanted
            fold_all(connection, store.unfolded)
            assert contents(store, load(connection)) == wanted
            assert is_folded(store)
            at += 7
    assert failures > 20


def test_a_fold_that_another_one_overtook_drops_nothing() -> None:
    with closing(opened()) as connection:
        store = Store(connection)
        store.send(PHONE, Intent(Kind.MESSAGE, DIRECT), 3)
        store.step(1)
        store.settle()
        # The journal is empty, and counts from 1 again.
        store.send(PHONE, Intent(Kind.MESSAGE, GROUP))
        wanted = contents(store, store.unfolded)
        assert store.fold is not None
        while not store.fold.done:
            store.fold.step(1)
        assert contents(store, load(connection)) == wanted


def test_what_was_erased_before_its_copy_was_made_is_folded_once() -> None:
    with closing(opened()) as connection:
        store = Store(connection)
        made, _ = packed(1, Intent(Kind.MESSAGE, DIRECT), b"body", BOB, LAPTOP)
        for number in (1, 2):
            book = SqliteBook(connection, store.unfolded)
            book.append(CAROL, Identity(LAPTOP, number), Record(made.header, ERASED, b"hash"))
            book.write()
            book.committed()
            wanted = contents(store, store.unfolded)
            store.step(1)
            while store.unfolded.tails:
                store.step(1)
            store.die()
            assert contents(store, store.unfolded) == wanted
        fold_all(connection, store.unfolded)
        assert body_hashes(connection, 3) == {2: b"hash", 3: b"hash"}


def test_a_retry_is_known_whatever_was_folded() -> None:
    with closing(opened()) as connection:
        store = Store(connection)
        store.send(PHONE, Intent(Kind.MESSAGE, DIRECT), 2)
        again = Work(
            submissions=(Submission(PHONE, 0, (draft(PHONE, 2, Intent(Kind.MESSAGE, DIRECT)),)),)
        )
        while not is_folded(store):
            done = commit_work(
                connection, store.unfolded, again, CursorScope.DEVICE, remembered=CAPACITY
            )
            [answered] = done.submissions
            assert not isinstance(answered, Superseded)
            assert answered == (Accepted(2, 2, duplicate=True),)
            store.step(1)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("DELETE FROM journal WHERE number = 2", "the journal does not hold entry 2"),
        ("DELETE FROM journal WHERE number = 1", "the journal does not hold entry 1"),
        ("UPDATE logs SET log = 9 WHERE account = 'carol'", "the journal names it; there is none"),
    ],
    ids=["a row in the middle", "the first row", "a log"],
)
def test_a_journal_that_does_not_continue_is_damaged(statement: str, complaint: str) -> None:
    with closing(opened()) as connection:
        store = Store(connection)
        store.send(PHONE, Intent(Kind.MESSAGE, GROUP))
        store.send(PHONE, Intent(Kind.MESSAGE, GROUP))
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM members")
        connection.execute(statement)
        with pytest.raises(Damaged, match=complaint):
            load(connection)


class Failing(sqlite3.Connection):
    """Refuses the statements that hold a word."""

    word = ""

    def executemany(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        if self.word and self.word in statement:
            raise sqlite3.OperationalError("disk I/O error")
        return super().executemany(statement, *arguments)


def test_a_fold_goes_on_after_another_one_that_wrote_newer_runs_and_failed() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=Failing)) as connection:
        store = Store(connection)
        store.send(PHONE, PLAIN, 5)
        fold = Fold(connection, store.unfolded)
        for _ in range(2):
            fold.step(1_000)  # logs, then senders: what is left is to count them
        store.send(PHONE, PLAIN, 5)
        connection.word = "UPDATE devices SET sent"
        with pytest.raises(StorageError):
            store.settle()
        connection.word = ""
        while not fold.done:
            fold.step(1_000)
        again = Submission(PHONE, 0, (draft(PHONE, store.number, PLAIN),))
        done = commit_work(
            connection, store.unfolded, Work(submissions=(again,)), CursorScope.DEVICE, CAPACITY
        )
        [(outcome,)] = done.submissions  # type: ignore[misc]
        assert isinstance(outcome, Accepted)
        assert outcome.duplicate


@pytest.mark.parametrize("intent", [PLAIN, TO_ALL])
@pytest.mark.parametrize("head", [-100, (1 << 63) - 1])
def test_a_row_that_ends_nowhere_takes_nothing_from_one_nor_from_a_group(
    intent: Intent, head: int
) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        store = Store(connection)
        store.send(PHONE, PLAIN, 2)
        store.settle()
        connection.execute("UPDATE logs SET head = ? WHERE account = ?", (head, BOB))
        with pytest.raises(Damaged):
            store.send(PHONE, intent)


@pytest.mark.parametrize("room", [1, 150, 300, 400, 1 << 20])
def test_a_tail_that_was_folded_meanwhile_ends_where_it_ended(room: int) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        store = Store(connection)
        store.settle()
        store.send(PHONE, PLAIN, 3)
        old = store.unfolded.tails[ALICE]
        store.settle()
        store.send(PHONE, PLAIN, 3)
        store.settle()
        now = Unfolded()
        now.tails[ALICE] = old
        for after in range(old.head + 4):
            [page] = read_pages(connection, now, [ReadRequest(ALICE, after, room)])
            assert page.to > after or page.to == page.head
