"""Tests of a Work in SQLite: random histories give what the reference gives, to the byte."""

import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import errors
from syncd.membership import Action, Change
from syncd.model import (
    AccountId,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Draft,
    Epoch,
    Identity,
    Intent,
    Kind,
    Opening,
    Page,
    Publication,
    ReadRequest,
    Seq,
    Work,
    direct,
)
from syncd.storage import Damaged, StorageError, sqlite_identity
from syncd.storage.folding import Fold, fold_all, load
from syncd.storage.memory import MemoryStorage
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_heads, read_pages, recent_page, trim_log
from syncd.storage.unfolded import Unfolded

from .talk import CAROL, GROUP, OTHER_GROUP, TARGETED, packed
from .works import (
    ALICE,
    BOB,
    LAPTOP,
    LOST,
    NOBODY,
    PHONE,
    PSEUDO,
    TABLET,
    mark,
    opening,
    sending,
    submission,
)

Result = TypeVar("Result")

OWNER = {PHONE: ALICE, LAPTOP: BOB, TABLET: ALICE, LOST: ALICE}
PLATFORM = {PHONE: "phone", LAPTOP: "pc", TABLET: "pc"}
TOKEN = {PHONE: b"p", LAPTOP: b"l", TABLET: b"t"}
CAPACITY = 3
CURRENT = -1
"""Stands for the generation that the device has by then."""


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
    """The same store twice: the reference, and the real SQL run inline. Its journal is folded, or
    what is known of it forgotten and read again, whenever a history says so."""

    def __init__(self, connection: sqlite3.Connection, scope: CursorScope) -> None:
        epochs = iter(range(1, 100))
        reference = iter(range(1, 100))
        self.connection = connection
        self.unfolded = Unfolded()
        self.fold: Fold | None = None
        self.scope = scope
        self.works: list[Work] = []
        self.memory = MemoryStorage(scope, CAPACITY, lambda size: next(reference).to_bytes(size))
        migrate(connection)
        for account in (ALICE, BOB, CAROL):
            at_once(self.memory.create_account(account))
            sqlite_identity.create_account(
                connection, account, lambda size: next(epochs).to_bytes(size)
            )
        for device, platform in PLATFORM.items():
            made = (OWNER[device], device, "name", platform)
            at_once(self.memory.create_device(*made, TOKEN[device]))
            sqlite_identity.create_device(connection, *made, token_hash=TOKEN[device])

    def commit(self, work: Work) -> Done:
        self.works.append(work)
        submissions = tuple(
            msgspec.structs.replace(each, generation=self.generation(each.device))
            if each.generation == CURRENT
            else each
            for each in work.submissions
        )
        work = msgspec.structs.replace(work, submissions=submissions)
        done = commit_work(self.connection, self.unfolded, work, self.scope, CAPACITY)
        assert done == self.memory.commit_now(work)
        return done

    def again(self, back: int) -> None:
        """The same Work once more: whoever lost its answers sends it again."""
        if self.works:
            self.commit(self.works[-1 - back % len(self.works)])

    def generation(self, device: DeviceId) -> int:
        found = self.memory._devices.get(device)
        return 0 if found is None else found.generation

    def fold_some(self, entries: int) -> None:
        """A step of the fold that is under way; else of a new one."""
        if self.fold is None or self.fold.done:
            self.fold = Fold(self.connection, self.unfolded)
        self.fold.step(entries)

    def settle(self) -> None:
        """Fold everything; a fold that is under way is not told."""
        fold_all(self.connection, self.unfolded)

    def reopen(self) -> None:
        """What a process that was killed has left is read by the next one."""
        self.unfolded, self.fold = load(self.connection), None

    def trim(self, account: AccountId, before: Seq) -> None:
        self.settle()
        trimmed = trim_log(self.connection, account, before, CAPACITY)
        assert trimmed == self.memory.trim_now(account, before)

    def change_credential(self, device: DeviceId, token: bytes | None) -> None:
        change = partial(
            sqlite_identity.change_credential, self.connection, self.unfolded, self.scope
        )
        reference = partial(self.memory.change_credential, device, token)
        assert outcome(lambda: change(device, token)) == outcome(lambda: at_once(reference()))

    def renew_epoch(self, account: AccountId, epoch: Epoch) -> None:
        self.memory._logs[account].epoch = epoch
        self.connection.execute("UPDATE logs SET epoch = ? WHERE account = ?", (epoch, account))
        self.unfolded.rows.clear()

    def compare(self, requests: list[ReadRequest]) -> None:
        pages = self.memory.read_now(requests)
        assert self.pages(requests) == pages
        for request, page in zip(requests, pages, strict=True):
            assert recent_page(self.unfolded, request) in (None, page)
        heads = read_heads(self.connection, self.unfolded, ACCOUNTS)
        assert heads == self.memory.heads_now(ACCOUNTS)
        for account in (ALICE, BOB, NOBODY):
            assert self.devices(account) == at_once(self.memory.devices(account))
        book, reference = SqliteBook(self.connection, self.unfolded), self.memory
        for conversation in CONVERSATIONS:
            assert book.members_of(conversation) == reference.members_of(conversation)
        for account in (ALICE, BOB, CAROL):
            for conversation in CONVERSATIONS:
                assert book.mark(account, conversation) == reference.mark(account, conversation)
            for device, number in product((*PLATFORM, PSEUDO), range(1, 13)):
                which = Identity(device, number)
                assert book.find(account, which) == reference.find(account, which)

    def pages(self, requests: list[ReadRequest]) -> list[Page]:
        return read_pages(self.connection, self.unfolded, requests)

    def devices(self, account: AccountId) -> list[Device]:
        return sqlite_identity.devices(self.connection, self.unfolded, self.scope, account)


def intents() -> st.SearchStrategy[Intent]:
    conversations = st.sampled_from(CONVERSATIONS)
    message = st.builds(Intent, st.just(Kind.MESSAGE), conversations)
    about = st.builds(
        lambda kind, conversation, target, since_ms: Intent(
            kind, conversation, target, None, since_ms
        ),
        st.sampled_from(TARGETED),
        conversations,
        IDENTITIES,
        st.sampled_from([0, 0, 5]),
    )
    named = st.lists(st.sampled_from(ACCOUNTS), unique=True, max_size=2).map(tuple)
    system = st.builds(
        lambda group, action, members, owners: Intent(
            Kind.SYSTEM,
            group,
            None,
            Change(action, members, tuple(each for each in owners if each not in members)),
        ),
        st.sampled_from(GROUPS),
        st.sampled_from([Action.CREATE, Action.CREATE, *Action]),
        named,
        named,
    )
    return st.one_of(message, message, about, system)


def written(device: DeviceId, number: int, intent: Intent, text: str) -> Draft:
    made, content = packed(number, intent, text.encode(), OWNER[device], device, number)
    return Draft(OWNER[device], device, number, content, intent, made)


def drafts_of(device: DeviceId) -> st.SearchStrategy[list[Draft]]:
    one = st.builds(
        lambda number, intent, text, refusal: msgspec.structs.replace(
            written(device, number, intent, text), refusal=refusal
        ),
        NUMBERS,
        intents(),
        st.sampled_from(["one", "one", "one", "other"]),
        st.sampled_from([None] * 14 + [errors.FORBIDDEN, errors.POLICY_UNAVAILABLE]),
    )
    return st.lists(one, min_size=1, max_size=6).map(
        lambda drafts: sorted(drafts, key=lambda each: each.number)
    ) | st.lists(one, max_size=5)


def published(
    publisher: str, key: str, intent: Intent, account: AccountId | None, actor: AccountId | None
) -> Publication:
    # A key is accepted once, so its number is an identity that no other entry has.
    number = PUBLISHERS.index(publisher) * len(KEYS) + KEYS.index(key) + 1
    made, content = packed(number, intent, b"news", AccountId(publisher), PSEUDO)
    return Publication(
        publisher=publisher,
        key=key,
        content=content,
        device=PSEUDO,
        number=number,
        intent=intent,
        record=made,
        account=account,
        actor=actor,
    )


PUBLISHERS, KEYS = ["http", "embedder"], ["k", "l", "m"]
GROUPS = [GROUP, OTHER_GROUP]
CONVERSATIONS = [*GROUPS, direct(ALICE, BOB), direct(ALICE, NOBODY), direct(BOB, BOB)]
NUMBERS = st.integers(1, 12)
ACCOUNTS = [ALICE, BOB, CAROL, NOBODY]
IDENTITIES = st.builds(
    Identity, st.sampled_from([PHONE, LAPTOP, TABLET, PSEUDO, LOST]), st.integers(1, 3) | NUMBERS
)
DEVICES = st.sampled_from([PHONE, PHONE, LAPTOP, TABLET, LOST])
GENERATIONS = st.integers(0, 3) | st.just(CURRENT)
SENDING = st.sampled_from([CURRENT] * 8 + [0, 1, 2])
SEQS = st.integers(0, 12)
EPOCHS = st.sampled_from([Epoch(bytes([0, 0, 0, 0, 0, 0, 0, number])) for number in (1, 2, 3)])
SUBMISSIONS = DEVICES.flatmap(
    lambda device: st.builds(
        lambda generation, drafts: submission(*drafts, generation=generation, device=device),
        SENDING,
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
NEWS = intents().filter(lambda intent: intent.kind in (Kind.MESSAGE, Kind.SYSTEM))
PUBLICATIONS = st.builds(
    published,
    st.sampled_from(PUBLISHERS),
    st.sampled_from(KEYS),
    NEWS,
    st.sampled_from([None, None, None, ALICE, BOB, NOBODY]),
    st.sampled_from([None, None, ALICE, CAROL]),
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
SENDS = st.builds(Work, submissions=st.lists(SUBMISSIONS, min_size=1, max_size=4).map(tuple))
OWNERS = st.sampled_from([ALICE, BOB])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), WORKS),
        st.tuples(st.just("commit"), WORKS),
        st.tuples(st.just("commit"), SENDS),
        st.tuples(st.just("again"), st.integers(0, 3)),
        st.tuples(st.just("fold_some"), st.integers(1, 5)),
        st.tuples(st.just("fold_some"), st.integers(1, 5)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("reopen")),
        st.tuples(st.just("trim"), OWNERS, SEQS),
        st.tuples(
            st.just("change_credential"),
            st.sampled_from([PHONE, LAPTOP, TABLET]),
            st.none() | st.sampled_from([*TOKEN.values(), b"new", b"newer"]),
        ),
        st.tuples(st.just("renew_epoch"), OWNERS, EPOCHS),
    ),
    max_size=12,
)
READS = st.lists(
    st.builds(ReadRequest, st.sampled_from(ACCOUNTS), SEQS, st.sampled_from([0, 90, 200, 9999])),
    max_size=4,
)


@given(steps=STEPS, reads=READS, scope=st.sampled_from(CursorScope), begun=st.booleans())
def test_random_histories_match_the_reference(
    steps: list[tuple[Any, ...]], reads: list[ReadRequest], scope: CursorScope, begun: bool
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        pair = Pair(connection, scope)
        if begun:
            made = Intent(Kind.SYSTEM, GROUP, None, Change(Action.CREATE, (BOB,), (ALICE,)))
            pair.commit(Work(publications=(published("http", "m", made, None, None),)))
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
    for numbers in (range(1, 100), *([number] for number in range(100, 110))):
        pair.commit(sending(*numbers))
        pair.settle()
    pair.trim(ALICE, 200)
    assert count(connection, "sent") == 11, "Bob's copies are still found by them"
    pair.trim(BOB, 200)
    pair.commit(sending(110))
    pair.trim(ALICE, 200)
    assert count(connection, "sent") == CAPACITY
    pair.commit(sending(*range(100, 111)))


def stored(pair: Pair) -> tuple[int, int]:
    """How many transactions the journal holds, and how many logs only memory has more of."""
    return count(pair.connection, "journal"), len(pair.unfolded.tails)


def test_a_work_that_fails_leaves_nothing(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    for _ in range(2):
        with pytest.raises(StorageError, match="refused"):
            commit_work(connection, pair.unfolded, sending(1, 2), CursorScope.DEVICE, CAPACITY)
        assert stored(pair) == (0, 0)
    connection.execute("DROP TRIGGER refuse")
    pair.commit(sending(1, 2))
    assert stored(pair) == (1, 2)


def test_a_work_that_fails_after_others_leaves_these(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    pair.commit(sending(1))
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    with pytest.raises(StorageError, match="refused"):
        commit_work(connection, pair.unfolded, sending(2), CursorScope.DEVICE, CAPACITY)
    connection.execute("DROP TRIGGER refuse")
    both = [ReadRequest(ALICE, 0, 9999), ReadRequest(BOB, 0, 9999)]
    assert pair.pages(both) == pair.memory.read_now(both)
    pair.commit(sending(2, 3))
    pair.reopen()
    assert pair.pages(both) == pair.memory.read_now(both)


def test_an_opening_never_takes_the_chain_of_a_lost_entry(connection: sqlite3.Connection) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    for number in (1, 2, 3):
        pair.commit(sending(number))
        pair.settle()
    connection.execute("DELETE FROM pages WHERE last = 2")
    work = Work(openings=(opening(stated=2), opening(stated=3)))
    done = commit_work(connection, pair.unfolded, work, CursorScope.DEVICE)
    refused, opened = done.openings
    assert refused is errors.STORAGE_UNAVAILABLE
    assert isinstance(opened, Opening), "whoever needs no damaged entry goes on"
    assert done.damages == ("the log of alice is damaged: entry 2 is missing",)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("logs", "head = -9"),
        ("logs", f"head = {2**63 - 1}"),
        ("logs", "head_link = x'00'"),
        ("sent", "record = x'ff'"),
        ("sent", "record = x'9193c0c0c0'"),
    ],
)
def test_a_damaged_row_refuses_its_commit_for_certain(
    connection: sqlite3.Connection, table: str, change: str
) -> None:
    pair = Pair(connection, CursorScope.DEVICE)
    pair.commit(sending(1))
    pair.settle()
    connection.execute(f"UPDATE {table} SET {change}")
    with pytest.raises(Damaged) as caught:
        commit_work(connection, pair.unfolded, sending(1, 2), CursorScope.DEVICE, CAPACITY)
    assert caught.value.definite
    assert not connection.in_transaction
    assert stored(pair) == (0, 0)


@pytest.mark.parametrize("table", ["logs", "devices", "sent"])
def test_a_flipped_bit_is_damage_and_never_a_surprise(table: str, tmp_path: Path) -> None:
    file, scope = tmp_path / "store.db", CursorScope.DEVICE
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        pair = Pair(connection, scope)
        pair.commit(sending(1))
        pair.settle()
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (root,) = connection.execute(query, (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    sound = file.read_bytes()
    # The header of a b-tree page says at its sixth byte where rows begin, which end with the page.
    end = root * size
    page = sound[end - size : end]
    start = end - size + int.from_bytes(page[5:7])
    tokens = list(TOKEN.values())
    asked = [
        lambda flipped: commit_work(flipped, Unfolded(), sending(1, 2), scope, CAPACITY),
        lambda flipped: commit_work(flipped, Unfolded(), Work(openings=(opening(),)), scope),
        lambda flipped: sqlite_identity.devices(flipped, Unfolded(), scope, ALICE),
        lambda flipped: sqlite_identity.devices_by_token(flipped, Unfolded(), scope, tokens),
    ]
    damages = 0
    for bit in range(8 * start, 8 * end, 5):
        changed = bytearray(sound)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        with closing(sqlite3.connect(file, isolation_level=None)) as flipped:
            for ask in asked:
                try:
                    ask(flipped)
                except Damaged:
                    damages += 1
    assert damages > 10
