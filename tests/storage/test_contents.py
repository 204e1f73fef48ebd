"""Contents: every question has one answer, whatever is folded by then."""

from collections.abc import Iterator
from typing import Any

import pytest

from syncd import chain
from syncd.heading import ERASED
from syncd.model import CursorMark, CursorScope, DeviceId, Epoch, Identity, Record, Work
from syncd.storage import Damaged
from syncd.storage.contents import Contents
from syncd.storage.folding import Fold, load
from syncd.storage.pages import Run, keep_body_hash, replace_body
from syncd.storage.sent_runs import Item
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.transaction import transact
from syncd.storage.unfolded import LogRow

from .talk import CAROL
from .test_sqlite_book import CREATION, MESSAGE, TWIN, Store, draft
from .works import ALICE, BOB, NOBODY, PHONE, PSEUDO

ACCOUNTS = (ALICE, BOB, CAROL)
IDENTITIES = [
    Identity(device, number) for device in (PHONE, TWIN, PSEUDO) for number in range(1, 7)
]


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.connection.close()


def open_log(contents: Contents, account: str) -> LogRow:
    found = contents.log(next(each for each in ACCOUNTS if each == account))
    assert found is not None
    return found


def copy(store: Store, number: int, body: bytes | None = None) -> None:
    """What a merge does: a message of the phone goes into Carol's log, too."""
    made = draft(number, MESSAGE).record
    if body is not None:
        made = Record(made.header, body, made.body_hash)
    book = store.book()

    def append(within: object) -> None:
        book.append(CAROL, Identity(PHONE, number), made)
        book.write()

    transact(store.connection, append)
    book.committed()


def confirm(store: Store, seq: int) -> None:
    epoch = open_log(Contents(store.connection, store.unfolded), ALICE).epoch
    work = Work(cursors=(CursorMark(ALICE, PHONE, 0, epoch, seq),))
    commit_work(store.connection, store.unfolded, work, CursorScope.DEVICE)


def fill(store: Store) -> None:
    """Some of everything, in several transactions, and the first of them folded."""
    store.send(draft(1, CREATION), draft(1, MESSAGE, TWIN))
    confirm(store, 1)
    store.fold()
    store.send(draft(2, MESSAGE), draft(4, MESSAGE))
    store.send(draft(2, MESSAGE, TWIN))
    copy(store, 2)
    copy(store, 4, ERASED)
    confirm(store, 3)


def places(item: Item) -> set[tuple[int, int]]:
    return set(zip(item.places[::2], item.places[1::2], strict=True))


def told(contents: Contents) -> list[Any]:
    """All that can be asked."""
    answers: list[Any] = []
    for account in ACCOUNTS:
        log = open_log(contents, account)
        assert log == contents.own_log(account)
        entries = [entry for run in contents.runs(log, 0) for entry in run.walk()]
        assert [contents.entry(log, seq) for seq in range(log.head + 2)] == [None, *entries, None]
        for after in range(log.head + 1):
            rest = [entry for run in contents.runs(log, after) for entry in run.walk()]
            assert rest == entries[after:]
        assert [contents.stamp_at(log, entry.seq) for entry in entries] == [
            entry.stamp for entry in entries
        ]
        assert [contents.chain_at(log, entry.seq) for entry in entries] == [
            entry.stamp.chain for entry in entries
        ]
        erased = contents.erased_hashes(log)
        link = log.floor_link
        for entry in entries:
            body_hash = contents.body_hash(log, entry, erased)
            link = chain.link(link, entry.seq, entry.header, body_hash)
        assert link == log.head_link
        answers += [log, entries, erased]
        for identity in IDENTITIES:
            seq, found = contents.seq_of(log, identity), contents.found(log, identity)
            assert seq == (found and found.seq)
            answers.append(found)
    for device in (PHONE, TWIN, PSEUDO):
        for count in (1, 2, 9):
            answered = contents.answered(device, count)
            answers.append([(each, item.content, places(item)) for each, item in answered.items()])
        saved = contents._connection.execute(
            "SELECT sent, accepted FROM devices WHERE device = ?", (device,)
        ).fetchone()
        sent, accepted = saved or (0, 0)
        answers.append(contents.sent(device, sent))
        answers.append(accepted + contents.unfolded_answers(device))
    items: dict[Any, set[tuple[int, int]]] = {}
    for device, item in contents.every_item():
        items.setdefault((device, item.number), set()).update(places(item))
    for identity, known in items.items():
        assert known == set().union(*map(places, contents.items(Identity(*identity))))
    cursors = list(contents.every_cursor())
    assert [contents.cursor(key) for key, *_ in cursors] == [tuple(rest) for _, *rest in cursors]
    return [*answers, sorted(items.items()), cursors, list(contents.every_log())]


def test_the_answers_do_not_tell_what_is_folded(store: Store) -> None:
    fill(store)
    wanted = told(Contents(store.connection, store.unfolded))
    fold = Fold(store.connection, store.unfolded)
    while not fold.done:
        assert told(Contents(store.connection, load(store.connection))) == wanted
        fold.step(1)
        assert told(Contents(store.connection, store.unfolded)) == wanted
    assert store.unfolded.is_empty()


def test_a_message_has_the_places_of_all_its_copies(store: Store) -> None:
    fill(store)
    contents = Contents(store.connection, store.unfolded)
    answered = contents.answered(PHONE, 2)
    assert {number: places(item) for number, item in answered.items()} == {
        2: {(1, 3), (2, 3), (3, 2)},
        4: {(1, 4), (2, 4), (3, 3)},
    }
    assert [contents.seq_of(open_log(contents, each), Identity(PHONE, 4)) for each in ACCOUNTS] == [
        4,
        4,
        3,
    ]


def test_nobody_has_no_log(store: Store) -> None:
    contents = Contents(store.connection, store.unfolded)
    assert (contents.log(NOBODY), contents.own_log(NOBODY)) == (None, None)
    assert contents.head(NOBODY, 7) == 7
    assert contents.is_a_device(PHONE)
    assert not contents.is_a_device(PSEUDO)
    assert list(contents.items(Identity(DeviceId("no hex"), 1))) == []
    assert contents.cursor("nobody") is None


def test_a_closed_log_is_its_own_and_leads_on(store: Store) -> None:
    fill(store)
    store.connection.execute("UPDATE logs SET merged_into = 2 WHERE log = 3")
    store.unfolded.rows.pop(CAROL)
    contents = Contents(store.connection, store.unfolded)
    assert open_log(contents, CAROL).account == BOB
    own = contents.own_log(CAROL)
    assert own is not None
    assert (own.account, own.head) == (CAROL, 3)


def test_the_newest_cursor_wins_wherever_it_stands(store: Store) -> None:
    fill(store)
    [(key, epoch, seq)] = Contents(store.connection, store.unfolded).every_cursor()
    assert seq == 3
    for saved, wanted in (
        ((epoch, 9), (epoch, 9)),
        ((Epoch(b"an older"), 9), (epoch, 3)),
    ):
        store.connection.execute("UPDATE cursors SET epoch = ?, seq = ?", saved)
        assert Contents(store.connection, store.unfolded).cursor(key) == wanted


def test_trimmed_entries_are_not_found(store: Store) -> None:
    fill(store)
    store.fold()
    store.connection.execute("UPDATE logs SET floor = 3 WHERE log = 1")
    contents = Contents(store.connection, store.unfolded)
    log = open_log(contents, ALICE)
    assert contents.seq_of(log, Identity(PHONE, 2)) is None
    assert contents.found(log, Identity(PHONE, 2)) is None
    assert contents.entry(log, 3) is None
    assert contents.seq_of(log, Identity(PHONE, 4)) == 4
    assert (contents.chain_at(log, 2), contents.chain_at(log, None)) == (None, None)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("folded", [False, True], ids=["before the journal", "between pages"])
def test_a_hole_is_told(store: Store, folded: bool) -> None:
    fill(store)
    if folded:
        store.fold()
    store.connection.execute("DELETE FROM pages WHERE log = 1 AND last = 2")
    contents = Contents(store.connection, store.unfolded)
    log = open_log(contents, ALICE)
    with pytest.raises(Damaged, match="alice is damaged: entry 1 is missing"):
        list(contents.runs(log, 0))
    with pytest.raises(Damaged, match="alice is damaged: entry 2 is missing"):
        contents.chain_at(log, 2)
    assert contents.entry(log, 2) is None
    assert [run.last for run in contents.runs(log, 2)][-1] == log.head


def test_what_a_page_says_is_told_as_it_is(store: Store) -> None:
    fill(store)
    contents = Contents(store.connection, store.unfolded)
    log = open_log(contents, ALICE)
    recent = contents.recent(log)
    assert recent is not None
    pieces = [*(Run.of_row(*row) for _, *row in contents.pages(log)), recent]
    assert [(run.first, run.last) for run in pieces] == [(1, 2), (3, log.head)]
    store.fold()
    assert contents.recent(log) is None
    store.connection.execute("UPDATE pages SET stamps = x'00' WHERE log = 1 AND last = 2")
    first, *_ = contents.pages(log)
    assert first[3] == b"\0"


def test_an_erased_body_without_its_hash_is_damage(store: Store) -> None:
    fill(store)
    store.fold()
    contents = Contents(store.connection, store.unfolded)
    log = open_log(contents, ALICE)
    replace_body(store.connection, log.log, 3, ERASED)
    entry = contents.entry(log, 3)
    assert entry is not None
    with pytest.raises(Damaged, match="the hash of the erased body of entry 3 is gone"):
        contents.body_hash(log, entry, contents.erased_hashes(log))
    keep_body_hash(store.connection, log.log, 3, b"hash")
    assert contents.body_hash(log, entry, contents.erased_hashes(log)) == b"hash"


@pytest.mark.parametrize(
    "change",
    ["head = -1", f"head = {2**63 - 1}", "floor = 9", "floor_link = x'00'", "head_link = x''"],
)
def test_a_row_that_does_not_say_where_its_log_ends_is_damage(store: Store, change: str) -> None:
    store.connection.execute(f"UPDATE logs SET {change} WHERE account = 'alice'")
    contents = Contents(store.connection, store.unfolded)
    with pytest.raises(Damaged, match="alice is damaged: its row does not say where it ends"):
        contents.log(ALICE)
    assert open_log(contents, BOB).head == 0
    assert len(list(contents.every_log())) == 3
