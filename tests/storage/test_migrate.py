"""Tests of the schema's way to the newest version."""

import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from syncd import chain, errors
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import (
    Accepted,
    AccountId,
    CursorScope,
    Draft,
    Identity,
    Intent,
    Kind,
    Link,
    Page,
    Publication,
    ReadRequest,
    Record,
    Submission,
    Work,
)
from syncd.persons import Standing
from syncd.storage import StorageError, StoreRefused
from syncd.storage.contents import Contents
from syncd.storage.folding import fold_all, load
from syncd.storage.logins import Person
from syncd.storage.migrate import SQLITE_FOLDER, migrate, migrations, offer_functions, version_of
from syncd.storage.old_rows import carry_over
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_pages, trim_log
from syncd.storage.sqlite_register import SqliteRegister
from syncd.storage.unfolded import Unfolded

from . import damage
from .talk import CAROL, DIRECT, packed
from .works import ALICE, BOB, PHONE, PSEUDO

NEWEST = len(migrations())


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the schema and its migrations, free to be changed."""
    return Path(shutil.copytree(SQLITE_FOLDER, tmp_path / "sql"))


def schema(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(kind, name, plain(sql)) for kind, name, sql in rows}


def plain(sql: str) -> str:
    """A statement without what a migration leaves behind: comments, blanks, quotes of a rename."""
    uncommented = re.sub(r"--.*", "", sql).replace('"', "")
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(uncommented.split()))


def test_a_new_store_equals_one_that_walked_all_migrations(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection)
    walked = sqlite3.connect(":memory:", isolation_level=None)
    offer_functions(walked)
    for step in migrations():
        walked.executescript(step.script)
    carry_over(walked)
    assert schema(connection) == schema(walked)
    assert version_of(connection) == migrations()[-1].version
    walked.close()


def test_an_older_store_walks_the_steps_it_lacks(
    connection: sqlite3.Connection, folder: Path
) -> None:
    migrate(connection, folder)
    added_name = f"{NEWEST + 1:04}_added.sql"
    added = "CREATE TABLE added (key TEXT) STRICT;"
    (folder / "migrations" / added_name).write_text(added)
    (folder / "schema.sql").write_text((folder / "schema.sql").read_text() + added)
    migrate(connection, folder)
    assert version_of(connection) == NEWEST + 1
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    migrate(fresh, folder)
    assert schema(connection) == schema(fresh)
    fresh.close()


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = schema(connection)
    migrate(connection)
    assert schema(connection) == before


def test_a_step_that_fails_leaves_nothing(connection: sqlite3.Connection, folder: Path) -> None:
    migrate(connection, folder)
    before = schema(connection)
    broken = "CREATE TABLE half (key TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);"
    (folder / "migrations" / f"{NEWEST + 1:04}_broken.sql").write_text(broken)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, folder)
    assert schema(connection) == before
    assert version_of(connection) == NEWEST
    assert not connection.in_transaction


def test_a_newer_store_is_refused(connection: sqlite3.Connection) -> None:
    newest = migrations()[-1].version
    connection.execute(f"PRAGMA user_version = {newest + 1}")
    with pytest.raises(StoreRefused, match=f"version {newest + 1}.*up to {newest}"):
        migrate(connection)
    assert schema(connection) == set()


def test_a_foreign_database_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(StoreRefused, match="no store of this program"):
        migrate(connection)


def test_devices_of_version_1_are_signed_in(grown_up: sqlite3.Connection) -> None:
    found = SqliteRegister(grown_up, Unfolded()).device(PHONE)
    assert found is not None
    assert (found.account, found.ended, found.secret_hash) == (ALICE, None, None)
    assert SqliteRegister(grown_up, Unfolded()).person(ALICE) == Person(ALICE, Standing.ACTIVE, {})


@pytest.mark.parametrize("name", [f"{NEWEST + 2:04}_gap.sql", "0001_twice.sql", "second.sql"])
def test_steps_are_numbered_without_gaps(folder: Path, name: str) -> None:
    (folder / "migrations" / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match="does not follow"):
        migrations(folder)


# ---------------------------------------------------------------- a store of version 1


def sent(number: int, body: bytes) -> tuple[Record, bytes]:
    return packed(number, Intent(Kind.MESSAGE, DIRECT), body, ALICE, PHONE, time=number)


SENT = [sent(number, b"body %d" % number * number) for number in range(1, 7)]


def links_of(records: Sequence[Record]) -> list[Link]:
    found = [chain.GENESIS]
    for seq, each in enumerate(records, 1):
        found.append(chain.link(found[-1], seq, each.header, each.body_hash))
    return found


def fill_version_1(connection: sqlite3.Connection, floor: int) -> None:
    """Six messages from Alice to Bob, the first `floor` of them trimmed in Alice's log; a third log
    that is empty; what was answered."""
    connection.executescript(migrations()[0].script)
    connection.execute("PRAGMA user_version = 1")
    links = links_of([made for made, _ in SENT])
    for log, (account, trimmed) in enumerate([(ALICE, floor), (BOB, 0), (CAROL, 6)], 1):
        head = 0 if account is CAROL else 6
        trimmed = min(trimmed, head)
        row = (log, account, bytes([log]) * 8, trimmed, links[trimmed], head, links[head])
        connection.execute("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    insert = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)"
    for seq, (made, _) in enumerate(SENT, 1):
        for log in (2, 1):
            if log == 2 or seq > floor:
                shown = chain.shown(links[seq])
                row = (log, seq, shown, made.header, made.body_hash, made.body)
                connection.execute(insert, row)
    connection.execute(
        "INSERT INTO devices VALUES (1, ?, 1, 'phone', 'phone', x'00', 1, 4, 'i', 0, 6, 6)",
        (PHONE,),
    )
    for number, (_, content) in enumerate(SENT, 1):
        row = (1, number - 1, number, number, content)
        connection.execute("INSERT INTO remembered VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO publications VALUES ('http', 'key 1', ?, 1, 5)", (SENT[4][1],))
    connection.execute("INSERT INTO cursors VALUES (?, ?, 4)", (PHONE, bytes([1]) * 8))


def draft(number: int) -> Draft:
    made, content = SENT[number - 1] if number <= len(SENT) else sent(number, b"new")
    return Draft(ALICE, PHONE, number, content, Intent(Kind.MESSAGE, DIRECT), made)


@pytest.fixture(params=[0, 2, 6], ids=lambda floor: f"floor {floor}")
def floor(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def grown_up(connection: sqlite3.Connection, floor: int) -> sqlite3.Connection:
    fill_version_1(connection, floor)
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    assert version_of(connection) == NEWEST
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return connection


def read(
    connection: sqlite3.Connection, account: AccountId, after: int, bytes_max: int = 10_000
) -> Page:
    [page] = read_pages(connection, Unfolded(), [ReadRequest(account, after, bytes_max)])
    return page


def test_entries_of_version_1_are_served_and_checked(
    grown_up: sqlite3.Connection, floor: int
) -> None:
    links = links_of([made for made, _ in SENT])
    for account, begun in ((ALICE, floor), (BOB, 0)):
        for after in range(begun, 6):
            page = read(grown_up, account, after)
            assert page.entries == b"".join(each.header + each.body for each, _ in SENT[after:])
            assert (page.head, page.to, page.chain) == (6, 6, chain.shown(links[6]))
            assert read(grown_up, account, after, 1).chain == chain.shown(links[after + 1])
    assert read(grown_up, CAROL, 0).head == 0
    damage.run(grown_up, "UPDATE entries SET body = x'00' WHERE seq = 6")
    with pytest.raises(StorageError, match="bob is damaged: the checksum"):
        read(grown_up, BOB, 0)


def test_messages_of_version_1_are_found_by_their_identity(
    grown_up: sqlite3.Connection, floor: int
) -> None:
    book = SqliteBook(grown_up, load(grown_up))
    for number in range(1, 7):
        bobs = book.find(BOB, Identity(PHONE, number))
        alices = book.find(ALICE, Identity(PHONE, number))
        assert bobs is not None
        assert (bobs.seq, bobs.heading.time) == (number, number)
        assert alices == (bobs if number > floor else None)
    assert book.find(BOB, Identity(PHONE, 7)) is None


def test_a_store_of_version_1_goes_on(grown_up: sqlite3.Connection, floor: int) -> None:
    read_mark = Intent(Kind.READ, DIRECT, Identity(PHONE, 7))
    made, content = packed(8, read_mark, b"", ALICE, PHONE)
    drafts = (*map(draft, range(1, 8)), Draft(ALICE, PHONE, 8, content, read_mark, made))
    work = Work(submissions=(Submission(PHONE, 4, drafts),))
    unfolded = load(grown_up)
    done = commit_work(grown_up, unfolded, work, CursorScope.DEVICE)
    fold_all(grown_up, unfolded)
    assert done.submissions == (
        (
            *(Accepted(each, each if each > floor else None, True) for each in range(1, 7)),
            Accepted(7, 7, False),
            Accepted(8, 8, False),
        ),
    )
    assert read(grown_up, ALICE, 6).entries == draft(7).record.header + draft(7).record.body + (
        made.header + made.body
    )
    assert trim_log(grown_up, BOB, 7, REMEMBERED_MESSAGES) == 6
    assert read(grown_up, BOB, 6).head == 7
    contents = Contents(grown_up, Unfolded())
    arrivals = [
        entry.stamp.arrival
        for log in contents.every_log()
        for run in contents.runs(log, log.floor)
        for entry in run.walk()
    ]
    assert len(set(arrivals)) == len(arrivals)


def test_publications_of_version_1_keep_their_answers(
    grown_up: sqlite3.Connection, floor: int
) -> None:
    intent = Intent(Kind.MESSAGE, DIRECT)
    again = Publication(
        publisher="http",
        key="key 1",
        content=SENT[4][1],
        device=PSEUDO,
        number=1,
        intent=intent,
        record=SENT[4][0],
        account=ALICE,
    )
    work = Work(
        publications=(again, replace(again, content=bytes(16)), replace(again, account=BOB))
    )
    done = commit_work(grown_up, load(grown_up), work, CursorScope.DEVICE)
    told = Accepted(0, 5 if floor < 5 else None, True)
    assert done.publications == (told, errors.KEY_CONFLICT, errors.KEY_CONFLICT)


def test_a_damaged_store_of_version_1_is_not_taken_for_whole(
    connection: sqlite3.Connection,
) -> None:
    fill_version_1(connection, 0)
    connection.execute("UPDATE entries SET header = x'98' WHERE log = 2 AND seq = 3")
    with pytest.raises(sqlite3.Error):
        migrate(connection)
    assert version_of(connection) == 1
    assert not connection.in_transaction
