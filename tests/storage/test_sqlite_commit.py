"""Tests of a Work in SQLite: random histories give what the reference gives, to the byte."""

import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import (
    AccountId,
    CursorScope,
    Device,
    DeviceId,
    Draft,
    Epoch,
    Page,
    ReadRequest,
    Seq,
    Work,
)
from syncd.storage import StorageError, sqlite_identity
from syncd.storage.memory import MemoryStorage
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_pages, trim_log

from .works import (
    ALICE,
    BOB,
    LAPTOP,
    LOST,
    NOBODY,
    PHONE,
    TABLET,
    draft,
    mark,
    opening,
    publication,
    sending,
    submission,
)

Result = TypeVar("Result")

OWNER = {PHONE: ALICE, LAPTOP: BOB, TABLET: ALICE, LOST: ALICE}
PLATFORM = {PHONE: "phone", LAPTOP: "pc", TABLET: "pc"}
TOKEN = {PHONE: b"p", LAPTOP: b"l", TABLET: b"t"}
CAPACITY = 3


def at_once(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine of the reference, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    raise AssertionError("the reference waited")


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except KeyError as error:
        return error.args


class Pair:
    """The same store twice: the reference, and the real SQL run inline."""

    def __init__(self, connection: sqlite3.Connection, scope: CursorScope) -> None:
        epochs = iter(range(1, 100))
        reference = iter(range(1, 100))
        self.connection = connection
        self.scope = scope
        self.memory = MemoryStorage(scope, CAPACITY, lambda size: next(reference).to_bytes(size))
        migrate(connection)
        for account in (ALICE, BOB):
            at_once(self.memory.create_account(account))
            sqlite_identity.create_account(
                connection, account, lambda size: next(epochs).to_bytes(size)
            )
        for device, platform in PLATFORM.items():
            made = (OWNER[device], device, "name", platform)
            at_once(self.memory.create_device(*made, TOKEN[device]))
            sqlite_identity.create_device(connection, *made, token_hash=TOKEN[device])

    def commit(self, work: Work) -> None:
        done = commit_work(self.connection, work, self.scope, CAPACITY)
        assert done == self.memory.commit_now(work)

    def trim(self, account: AccountId, before: Seq) -> None:
        assert trim_log(self.connection, account, before) == self.memory.trim_now(account, before)

    def change_credential(self, device: DeviceId, token: bytes | None) -> None:
        change = partial(sqlite_identity.change_credential, self.connection, self.scope)
        reference = partial(self.memory.change_credential, device, token)
        assert outcome(lambda: change(device, token)) == outcome(lambda: at_once(reference()))

    def renew_epoch(self, account: AccountId, epoch: Epoch) -> None:
        self.memory._logs[account].epoch = epoch
        self.connection.execute("UPDATE logs SET epoch = ? WHERE account = ?", (epoch, account))

    def compare(self, requests: list[ReadRequest]) -> None:
        assert self.pages(requests) == self.memory.read_now(requests)
        for account in (ALICE, BOB, NOBODY):
            assert self.devices(account) == at_once(self.memory.devices(account))

    def pages(self, requests: list[ReadRequest]) -> list[Page]:
        return read_pages(self.connection, requests)

    def devices(self, account: AccountId) -> list[Device]:
        return sqlite_identity.devices(self.connection, self.scope, account)


def members_of(device: DeviceId) -> st.SearchStrategy[list[AccountId]]:
    own = OWNER[device]
    peers = [account for account in (ALICE, BOB, NOBODY) if account != own]
    drawn = st.lists(st.sampled_from([*peers, peers[0]]), unique=True, max_size=2)
    return drawn.map(lambda others: [own, *others])


def drafts_of(device: DeviceId) -> st.SearchStrategy[list[Draft]]:
    one = st.builds(
        lambda number, text, members: draft(number, text, members, device),
        st.integers(1, 12),
        st.sampled_from(["one", "one", "one", "other"]),
        members_of(device),
    )
    return st.lists(one, max_size=5)


DEVICES = st.sampled_from([PHONE, PHONE, LAPTOP, TABLET, LOST])
GENERATIONS = st.integers(0, 3)
SEQS = st.integers(0, 12)
EPOCHS = st.sampled_from([Epoch(bytes([0, 0, 0, 0, 0, 0, 0, number])) for number in (1, 2, 3)])
SUBMISSIONS = DEVICES.flatmap(
    lambda device: st.builds(
        lambda generation, drafts: submission(*drafts, generation=generation, device=device),
        GENERATIONS,
        drafts_of(device),
    )
)
OPENINGS = st.builds(
    lambda device, account, credential, instance, stated: opening(
        device, account or OWNER[device], credential, instance, stated
    ),
    DEVICES,
    st.sampled_from([None, None, None, BOB]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["one", "other"]),
    st.none() | SEQS,
)
PUBLICATIONS = st.builds(
    publication,
    st.sampled_from(["k", "l"]),
    st.sampled_from(["one", "other"]),
    st.sampled_from([ALICE, BOB, NOBODY]),
    st.sampled_from(["http", "embedder"]),
)
MARKS = DEVICES.flatmap(
    lambda device: st.builds(
        mark, EPOCHS, SEQS, GENERATIONS, st.just(device), st.sampled_from([OWNER[device], BOB])
    )
)


def few(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


WORKS = st.builds(
    Work,
    cursors=few(MARKS),
    openings=few(OPENINGS),
    submissions=few(SUBMISSIONS),
    publications=few(PUBLICATIONS),
)
ACCOUNTS = st.sampled_from([ALICE, BOB])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), WORKS),
        st.tuples(st.just("commit"), WORKS),
        st.tuples(st.just("trim"), ACCOUNTS, SEQS),
        st.tuples(
            st.just("change_credential"),
            st.sampled_from([PHONE, LAPTOP, TABLET]),
            st.none() | st.sampled_from([*TOKEN.values(), b"new", b"newer"]),
        ),
        st.tuples(st.just("renew_epoch"), ACCOUNTS, EPOCHS),
    ),
    max_size=8,
)
READS = st.lists(
    st.builds(
        ReadRequest, st.sampled_from([ALICE, BOB, NOBODY]), SEQS, st.sampled_from([0, 30, 70, 999])
    ),
    max_size=4,
)


@given(steps=STEPS, reads=READS, scope=st.sampled_from(CursorScope))
def test_random_histories_match_the_reference(
    steps: list[tuple[Any, ...]], reads: list[ReadRequest], scope: CursorScope
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        pair = Pair(connection, scope)
        for name, *arguments in steps:
            getattr(pair, name)(*arguments)
            pair.compare(reads)
    finally:
        connection.close()


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def count(connection: sqlite3.Connection, table: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(rows)


def test_what_is_remembered_is_bounded(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    pair.commit(sending(*range(1, 100)))
    for number in range(100, 110):
        pair.commit(sending(number))
    assert count(connection, "remembered") == CAPACITY
    pair.commit(sending(*range(100, 110)))


def test_a_work_that_fails_leaves_nothing(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    connection.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON logs BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    with pytest.raises(StorageError, match="refused"):
        commit_work(connection, sending(1, 2), CursorScope.DEVICE, CAPACITY)
    assert (count(connection, "entries"), count(connection, "remembered")) == (0, 0)
    connection.execute("DROP TRIGGER refuse")
    pair.commit(sending(1, 2))


def test_an_opening_never_takes_the_chain_of_a_lost_entry(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    pair.commit(sending(1, 2, 3))
    connection.execute("DELETE FROM entries WHERE seq = 2")
    with pytest.raises(StorageError, match="the log of alice is damaged: entry 2 is missing"):
        commit_work(connection, Work(openings=(opening(stated=2),)), CursorScope.DEVICE)
