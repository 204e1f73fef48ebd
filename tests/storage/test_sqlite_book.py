"""What a transaction knows of logs and groups: its own changes before the rows, each read once."""

import sqlite3
from collections.abc import Iterator

import pytest

from syncd import errors
from syncd.membership import Role
from syncd.model import (
    Accepted,
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
from syncd.storage.migrate import migrate
from syncd.storage.rules import Ruling
from syncd.storage.sqlite_book import SqliteBook, chain_at, find_log
from syncd.storage.sqlite_commit import commit_work

from .talk import CAROL, DIRECT, GROUP, change, identity, packed
from .works import ALICE, BOB, NOBODY, PHONE

TWIN = DeviceId(PHONE[:16] + "f" * 8)
"""Another device whose key in the index is the phone's."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    for account in (ALICE, BOB, CAROL):
        sqlite_identity.create_account(opened, account)
    sqlite_identity.create_device(opened, ALICE, PHONE, "name", "pc", token_hash=b"phone")
    sqlite_identity.create_device(opened, BOB, TWIN, "name", "pc", token_hash=b"twin")
    yield opened
    opened.close()


def draft(number: int, intent: Intent, device: DeviceId = PHONE, body: bytes = b"hello") -> Draft:
    who = ALICE if device == PHONE else BOB
    made, content = packed(number, intent, body, who, device)
    return Draft(who, device, number, content, intent, made)


def send(connection: sqlite3.Connection, *drafts: Draft) -> list[Outcome]:
    work = Work(submissions=tuple(Submission(each.device, 0, (each,)) for each in drafts))
    done = commit_work(connection, work, CursorScope.DEVICE)
    return [outcome for answered in done.submissions for outcome in answered]  # type: ignore[union-attr]


MESSAGE = Intent(Kind.MESSAGE, DIRECT)
CREATION = Intent(Kind.SYSTEM, GROUP, None, change("create", [BOB], [CAROL]))


def test_an_alias_leads_to_the_log_that_is_open(connection: sqlite3.Connection) -> None:
    closed = (
        "UPDATE logs SET merged_into = (SELECT log FROM logs WHERE account = ?) WHERE account = ?"
    )
    connection.execute(closed, (BOB, ALICE))
    book = SqliteBook(connection)
    assert (book.home(ALICE), book.home(BOB)) == (BOB, BOB)
    connection.execute(closed, (ALICE, BOB))
    assert SqliteBook(connection).home(ALICE) is None, "a circle leads nowhere, and ends"


def test_a_store_is_told_as_it_is(connection: sqlite3.Connection) -> None:
    send(connection, draft(1, CREATION))
    book = SqliteBook(connection)
    assert (book.home(ALICE), book.home(NOBODY)) == (ALICE, None)
    wanted = {ALICE: Role.OWNER, BOB: Role.MEMBER, CAROL: Role.OWNER}
    assert book.members_of(GROUP) == wanted
    assert book.members_of(DIRECT) is None
    assert book.mark(BOB, GROUP) == 0
    assert book.arrival == 3


def test_what_the_transaction_did_counts_before_it_is_written(
    connection: sqlite3.Connection,
) -> None:
    book = SqliteBook(connection)
    made, _ = packed(1, CREATION, b"", ALICE, PHONE)
    ruling = Ruling((ALICE, BOB), members={ALICE: Role.OWNER, BOB: Role.MEMBER}, mark=1)
    assert book.carry_out(ruling, CREATION, made, Identity(PHONE, 1)) == 1
    assert book.members_of(GROUP) == ruling.members
    assert book.mark(ALICE, GROUP) == 1
    found = book.find(BOB, Identity(PHONE, 1))
    assert found is not None
    assert (found.seq, found.heading.conversation) == (1, GROUP)
    assert book.find(CAROL, Identity(PHONE, 1)) is None
    assert set(book.grown) == {ALICE, BOB}
    book.write()
    book.write()
    assert SqliteBook(connection).arrival == 2
    log = find_log(connection, ALICE)
    assert log is not None
    assert log.head == 1


def test_a_log_read_with_its_group_is_not_older_than_what_was_appended(
    connection: sqlite3.Connection,
) -> None:
    send(connection, draft(1, CREATION))
    to_group = Intent(Kind.MESSAGE, GROUP)
    # Alice's and Bob's logs are known and grown when the group is read for the first time.
    outcomes = send(connection, draft(2, MESSAGE), draft(3, to_group), draft(4, MESSAGE))
    assert outcomes == [Accepted(2, 2, False), Accepted(3, 3, False), Accepted(4, 4, False)]
    heads = [find_log(connection, each) for each in (ALICE, BOB, CAROL)]
    assert [log and log.head for log in heads] == [4, 4, 2]


def test_two_devices_with_one_key_are_told_apart(connection: sqlite3.Connection) -> None:
    phones, twins = draft(1, MESSAGE), draft(1, MESSAGE, TWIN)
    send(connection, phones, twins)
    book = SqliteBook(connection)
    for log in (ALICE, BOB):
        for seq, each in ((1, phones), (2, twins)):
            found = book.find(log, identity(each))
            assert found is not None
            assert (found.seq, found.heading.device) == (seq, each.device)
    other = DeviceId(PHONE[:16] + "e" * 8)
    assert book.find(ALICE, Identity(other, 1)) is None


def test_what_is_no_device_id_is_not_looked_for(connection: sqlite3.Connection) -> None:
    for text in ("", "no hex at all, 24 letter", PHONE.upper() + "A"):
        assert SqliteBook(connection).find(ALICE, Identity(DeviceId(text), 1)) is None


def damage(connection: sqlite3.Connection, change: str) -> None:
    connection.execute(f"UPDATE entries SET {change} WHERE log = 1 AND seq = 1")


def test_a_damaged_index_never_leads_to_another_message(connection: sqlite3.Connection) -> None:
    send(connection, draft(1, MESSAGE))
    damage(connection, "number = number + 4")
    for number in (1, 5):
        assert SqliteBook(connection).find(ALICE, Identity(PHONE, number)) is None


def test_a_damaged_target_stops_its_device_alone(connection: sqlite3.Connection) -> None:
    send(connection, draft(1, MESSAGE))
    damage(connection, "header = x'98c1'")
    with pytest.raises(ValueError, match=r"."):
        SqliteBook(connection).find(ALICE, Identity(PHONE, 1))
    edit = Intent(Kind.EDIT, DIRECT, Identity(PHONE, 1))
    assert send(connection, draft(2, edit), draft(3, MESSAGE), draft(1, MESSAGE, TWIN)) == [
        Refused(2, errors.BUSY),
        Refused(3, errors.BUSY),
        Accepted(1, 2, False),
    ]


def trigger(when: str) -> str:
    return f"CREATE TRIGGER t BEFORE {when} BEGIN SELECT raise(ABORT, 'refused'); END"


@pytest.mark.parametrize(
    "statement",
    [
        trigger("INSERT ON entries WHEN new.log = 3"),
        trigger("INSERT ON members WHEN new.log = 2"),
        trigger("UPDATE ON logs WHEN new.log = 3"),
        trigger("INSERT ON remembered"),
    ],
    ids=["an entry", "a member", "a head", "an answer"],
)
def test_a_change_reaches_all_members_or_nobody(
    connection: sqlite3.Connection, statement: str
) -> None:
    connection.execute(statement)
    with pytest.raises(StorageError, match="refused") as caught:
        send(connection, draft(1, CREATION))
    assert caught.value.definite
    for table in ("entries", "conversations", "members", "remembered", "marks"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert connection.execute("SELECT max(head) FROM logs").fetchone() == (0,)
    connection.execute("DROP TRIGGER t")
    assert send(connection, draft(1, CREATION)) == [Accepted(1, 1, False)]


def test_the_chain_inside_and_outside_of_a_log(connection: sqlite3.Connection) -> None:
    send(connection, draft(1, MESSAGE), draft(2, MESSAGE))
    log = find_log(connection, ALICE)
    assert log is not None
    assert [chain_at(connection, log, seq) is None for seq in (None, -1, 0, 1, 2, 3)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert find_log(connection, NOBODY) is None
