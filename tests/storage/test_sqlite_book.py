"""What a transaction knows of logs and groups: its own changes before the rows, each read once."""

import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from syncd import errors
from syncd.membership import Role
from syncd.model import (
    Accepted,
    AccountId,
    CursorScope,
    DeviceId,
    Draft,
    Identity,
    Intent,
    Kind,
    Outcome,
    Refused,
    Submission,
    Work,
)
from syncd.storage import StorageError, sqlite_identity
from syncd.storage.contents import Contents
from syncd.storage.folding import fold_all, load
from syncd.storage.migrate import migrate
from syncd.storage.pages import Run
from syncd.storage.rules import Ruling
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.unfolded import Unfolded

from .talk import CAROL, DIRECT, GROUP, change, identity, packed
from .works import ALICE, BOB, NOBODY, PHONE

TWIN = DeviceId(PHONE[:16] + "f" * 8)
"""Another device whose id begins like the phone's."""


class Store:
    """A store of its own, and what its journal says."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.unfolded = Unfolded()
        migrate(self.connection)
        for account in (ALICE, BOB, CAROL):
            sqlite_identity.create_account(self.connection, account)
        for account, device in ((ALICE, PHONE), (BOB, TWIN)):
            sqlite_identity.create_device(
                self.connection, account, device, "name", "pc", token_hash=device.encode()
            )

    def book(self) -> SqliteBook:
        return SqliteBook(self.connection, self.unfolded)

    def send(self, *drafts: Draft) -> list[Outcome]:
        work = Work(submissions=tuple(Submission(each.device, 0, (each,)) for each in drafts))
        done = commit_work(self.connection, self.unfolded, work, CursorScope.DEVICE)
        return [outcome for answered in done.submissions for outcome in answered]  # type: ignore[union-attr]

    def fold(self) -> None:
        fold_all(self.connection, self.unfolded)

    def head(self, account: AccountId) -> int:
        log = self.book().log(account)
        assert log is not None
        return log.head


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.connection.close()


def draft(number: int, intent: Intent, device: DeviceId = PHONE, body: bytes = b"hello") -> Draft:
    who = ALICE if device == PHONE else BOB
    made, content = packed(number, intent, body, who, device)
    return Draft(who, device, number, content, intent, made)


MESSAGE = Intent(Kind.MESSAGE, DIRECT)
CREATION = Intent(Kind.SYSTEM, GROUP, None, change("create", [BOB], [CAROL]))


FOLDED = pytest.mark.parametrize("folded", [False, True], ids=["in the journal", "folded"])


def test_an_alias_leads_to_the_log_that_is_open(store: Store) -> None:
    closed = (
        "UPDATE logs SET merged_into = (SELECT log FROM logs WHERE account = ?) WHERE account = ?"
    )
    store.connection.execute(closed, (BOB, ALICE))
    book = store.book()
    assert (book.home(ALICE), book.home(BOB)) == (BOB, BOB)
    store.connection.execute(closed, (ALICE, BOB))
    assert store.book().home(ALICE) is None, "a circle leads nowhere, and ends"


@FOLDED
def test_a_store_is_told_as_it_is(store: Store, folded: bool) -> None:
    store.send(draft(1, CREATION))
    if folded:
        store.fold()
    book = store.book()
    assert (book.home(ALICE), book.home(NOBODY)) == (ALICE, None)
    wanted = {ALICE: Role.OWNER, BOB: Role.MEMBER, CAROL: Role.OWNER}
    assert book.members_of(GROUP) == wanted
    assert book.members_of(DIRECT) is None
    assert book.mark(BOB, GROUP) == 0
    assert book.arrival == 3


def test_what_the_transaction_did_counts_before_it_is_written(store: Store) -> None:
    book = store.book()
    made, content = packed(1, CREATION, b"", ALICE, PHONE)
    ruling = Ruling((ALICE, BOB), members={ALICE: Role.OWNER, BOB: Role.MEMBER}, mark=1)
    assert book.carry_out(ruling, CREATION, made, (PHONE, 1), content) == 1
    assert book.members_of(GROUP) == ruling.members
    assert book.mark(ALICE, GROUP) == 1
    found = book.find(BOB, Identity(PHONE, 1))
    assert found is not None
    assert (found.seq, found.heading.conversation) == (1, GROUP)
    assert book.find(CAROL, Identity(PHONE, 1)) is None
    assert book.grown == {ALICE, BOB}
    book.write()
    assert store.unfolded.is_empty(), "nobody else sees it yet"
    book.committed()
    assert (store.book().arrival, store.head(ALICE)) == (2, 1)


def test_what_was_not_written_was_never_there(store: Store) -> None:
    store.send(draft(1, MESSAGE))
    before = load(store.connection)
    book = store.book()
    made, content = packed(2, MESSAGE, b"", ALICE, PHONE)
    assert book.carry_out(Ruling((ALICE, BOB)), MESSAGE, made, (PHONE, 2), content) == 2
    book.abandoned()
    assert (store.head(ALICE), store.book().find(BOB, Identity(PHONE, 2))) == (1, None)
    assert store.unfolded.rows == before.rows
    assert store.send(draft(2, MESSAGE)) == [Accepted(2, 2, False)]


@FOLDED
def test_a_log_is_read_with_what_the_transaction_added(store: Store, folded: bool) -> None:
    sent = [draft(number, MESSAGE) for number in range(1, 6)]
    store.send(*sent[:2])
    if folded:
        store.fold()
    book = store.book()
    for each in sent[2:]:
        book.carry_out(Ruling((ALICE,)), MESSAGE, each.record, (PHONE, each.number), each.content)
    log = book.log(ALICE)
    assert log is not None
    for after in range(6):
        pieces = list(book.runs(log, after))
        entries = [entry for run in pieces for entry in run.walk()]
        assert [entry.seq for entry in entries] == list(range(after + 1, 6))
        assert [entry.header + entry.body for entry in entries] == [
            each.record.header + each.record.body for each in sent[after:]
        ]
        assert all(map(Run.is_whole, pieces))
    assert [book.entry(log, seq) is None for seq in (0, 1, 2, 3, 5, 6)] == [
        True,
        *[False] * 4,
        True,
    ]


@FOLDED
def test_a_log_read_with_its_group_is_not_older_than_what_was_appended(
    store: Store, folded: bool
) -> None:
    store.send(draft(1, CREATION))
    if folded:
        store.fold()
    to_group = Intent(Kind.MESSAGE, GROUP)
    # Alice's and Bob's logs are known and grown when the group is read for the first time.
    outcomes = store.send(draft(2, MESSAGE), draft(3, to_group), draft(4, MESSAGE))
    assert outcomes == [Accepted(2, 2, False), Accepted(3, 3, False), Accepted(4, 4, False)]
    assert [store.head(each) for each in (ALICE, BOB, CAROL)] == [4, 4, 2]


@FOLDED
def test_two_devices_with_one_beginning_are_told_apart(store: Store, folded: bool) -> None:
    phones, twins = draft(1, MESSAGE), draft(1, MESSAGE, TWIN)
    store.send(phones, twins)
    if folded:
        store.fold()
    book = store.book()
    for log in (ALICE, BOB):
        for seq, each in ((1, phones), (2, twins)):
            found = book.find(log, identity(each))
            assert found is not None
            assert (found.seq, found.heading.device) == (seq, each.device)
    other = DeviceId(PHONE[:16] + "e" * 8)
    assert book.find(ALICE, Identity(other, 1)) is None


def test_what_is_no_device_id_is_not_looked_for(store: Store) -> None:
    for text in ("", "no hex at all, 24 letter", PHONE.upper() + "A"):
        assert store.book().find(ALICE, Identity(DeviceId(text), 1)) is None


def item(number: int, *places: int) -> bytes:
    """A run of one item."""
    return msgspec.msgpack.encode([[number, b"content", places]])


def test_a_damaged_run_never_leads_to_another_message(store: Store) -> None:
    store.send(draft(1, MESSAGE), draft(2, MESSAGE))
    store.fold()
    change = "UPDATE sent SET record = ?"
    store.connection.execute(change, (item(1, 1, 2, 2, 2),))
    with pytest.raises(ValueError, match="entry 2 is not the message that it should be"):
        store.book().find(ALICE, Identity(PHONE, 1))
    for record in (item(5, 1, 1, 2, 1), item(1, 1, 9), item(1, 7, 1), item(1)):
        store.connection.execute(change, (record,))
        assert store.book().find(ALICE, Identity(PHONE, 1)) is None


def test_a_damaged_target_stops_its_device_alone(store: Store) -> None:
    store.send(draft(1, MESSAGE))
    store.fold()
    store.connection.execute("UPDATE pages SET entries = zeroblob(length(entries)) WHERE log = 1")
    with pytest.raises(ValueError, match="no header of an entry"):
        store.book().find(ALICE, Identity(PHONE, 1))
    edit = Intent(Kind.EDIT, DIRECT, Identity(PHONE, 1))
    assert store.send(draft(2, edit), draft(3, MESSAGE), draft(1, MESSAGE, TWIN)) == [
        Refused(2, errors.BUSY),
        Refused(3, errors.BUSY),
        Accepted(1, 2, False),
    ]


def trigger(when: str) -> str:
    return f"CREATE TRIGGER t BEFORE {when} BEGIN SELECT raise(ABORT, 'refused'); END"


@pytest.mark.parametrize(
    "statement",
    [
        trigger("INSERT ON conversations"),
        trigger("INSERT ON members WHEN new.log = 2"),
        trigger("INSERT ON journal"),
    ],
    ids=["a group", "a member", "the journal"],
)
def test_a_change_reaches_all_members_or_nobody(store: Store, statement: str) -> None:
    store.connection.execute(statement)
    with pytest.raises(StorageError, match="refused") as caught:
        store.send(draft(1, CREATION))
    assert caught.value.definite
    for table in ("journal", "conversations", "members", "marks"):
        assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert store.unfolded.is_empty()
    assert [store.head(each) for each in (ALICE, BOB, CAROL)] == [0, 0, 0]
    store.connection.execute("DROP TRIGGER t")
    assert store.send(draft(1, CREATION)) == [Accepted(1, 1, False)]


@FOLDED
def test_the_chain_inside_and_outside_of_a_log(store: Store, folded: bool) -> None:
    store.send(draft(1, MESSAGE), draft(2, MESSAGE))
    if folded:
        store.fold()
    contents = Contents(store.connection, store.unfolded)
    log = contents.log(ALICE)
    assert log is not None
    assert [contents.chain_at(log, seq) is None for seq in (None, -1, 0, 1, 2, 3)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert contents.log(NOBODY) is None
