"""What only the journal holds: tails that grow under their readers, and what was sent."""

from itertools import islice
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import chain
from syncd.model import AccountId, Chain, Epoch
from syncd.storage import unfolded as module
from syncd.storage.journal import FORMAT, Appended, Cursor, Message
from syncd.storage.pages import STAMP, Entry, Run, Stamp
from syncd.storage.unfolded import Growth, LogRow, Tail, Unfolded, higher, patched

from .works import ALICE, BOB, PHONE, PSEUDO, encoded, record

NUMBER = {ALICE: 1, BOB: 2}
FIRST, OTHER = Epoch(b"epoch  1"), Epoch(b"epoch  2")


def row_of(account: str, head: int = 0) -> LogRow:
    known = ALICE if account == ALICE else BOB
    link = chain.GENESIS
    return LogRow(NUMBER[known], known, FIRST, 0, link, head, link, 0, 7)


def grow(row: LogRow, *numbers: int) -> Growth:
    """What a transaction appends to a log."""
    growth = Growth(row)
    for number in numbers:
        made = record(number)
        growth.append(made.header, made.body_hash, made.header + made.body, 100 + number)
    return growth


def tail_of(*numbers: int, head: int = 0) -> Tail:
    """Alice's newest entries, behind so many that pages hold."""
    unfolded = Unfolded()
    unfolded.take([grow(row_of(ALICE, head), *numbers)], appended())
    return unfolded.tails[ALICE]


def appended(*messages: Message, cursors: tuple[Cursor, ...] = ()) -> Appended:
    return Appended(FORMAT, 1, [PHONE, PSEUDO], list(messages), list(cursors))


def message(
    number: int, *places: int, content: bytes = b"content", body_hash: bytes | None = None
) -> Message:
    """Of the phone, or where nobody can send it again of a publisher."""
    return Message(0 if content else 1, number, content, 1, b"hb", places, body_hash)


# ---------------------------------------------------------------- tails


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    marked=st.integers(1, 8),
    entries_max=st.integers(1, 40),
)
def test_a_tail_is_cut_where_a_transaction_ended(
    sizes: list[int], marked: int, entries_max: int
) -> None:
    numbers = iter(range(3, 100))
    growths, row, links = list[Growth](), row_of(ALICE, 2), {}
    unfolded = Unfolded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MARKED_ENTRIES", marked)
        for size in sizes:
            growths.append(grow(row, *islice(numbers, size)))
            unfolded.take(growths[-1:], appended())
            links[row.head] = row.head_link
        whole = pieces = unfolded.tails[ALICE]
        while (mark := pieces.cut(entries_max)).seq < whole.head:
            taken = mark.seq + 1 - pieces.first
            assert taken <= max(entries_max, marked + max(sizes)), "little more than was asked for"
            assert mark.link == links[mark.seq]
            rest = pieces.behind(mark)
            assert (rest.first, rest.before) == (mark.seq + 1, whole.sum_at(mark.seq))
            assert pieces.entries == pieces.entries[:taken] + rest.entries
            assert pieces.stamps == pieces.stamps[:taken] + rest.stamps
            pieces = rest
        assert mark == (whole.head, whole.head_link) == (pieces.head, pieces.head_link)
        unfolded.tails[ALICE] = pieces
        unfolded.take([grow(row, *islice(numbers, 8))], appended())
        assert pieces.marks[-1] == (row.head, row.head_link), "the rest goes on being marked"


def test_whoever_reads_finds_no_tail_without_an_entry() -> None:
    class Watched(dict[AccountId, Tail]):
        def __setitem__(self, account: AccountId, tail: Tail) -> None:
            assert tail.entries
            assert len(tail.stamps) == len(tail.entries)
            super().__setitem__(account, tail)

    unfolded, row = Unfolded(), row_of(ALICE, 2)
    unfolded.tails = Watched()
    for number in (3, 4):
        unfolded.take([grow(row, number)], appended())
    assert unfolded.tails[ALICE].head == 4


def test_a_tail_begins_where_the_pages_end() -> None:
    tail = tail_of(5, 6, head=4)
    assert (tail.log, tail.first, tail.before, tail.head) == (1, 5, 7, 6)
    assert tail.head_sum == crc32(encoded(5, 6), 7)
    shown = chain.shown(tail.head_link)
    assert tail.stamp(6) == Stamp(
        shown, tail.head_sum ^ crc32(shown), 106, len(encoded(6)), len(record(6).header)
    )
    assert tail.entry(5) == Entry(5, tail.stamp(5), record(5).header, record(5).body)


@given(
    count=st.integers(1, 6) | st.integers(60, 200),
    head=st.integers(0, 3),
    skipped=st.integers(0, 140),
    upto=st.integers(1, 200),
    bytes_max=st.integers(0, 120) | st.integers(0, 5000),
)
def test_some_of_a_tail_is_what_fits(
    count: int, head: int, skipped: int, upto: int, bytes_max: int
) -> None:
    after = head + min(skipped, count - 1)
    to = max(after + 1, min(head + upto, head + count))
    numbers = range(head + 1, head + count + 1)
    tail = tail_of(*numbers, head=head)
    pieces = tail.some(after, to, bytes_max)
    wanted = [encoded(number) for number in range(after + 1, to + 1)]
    assert pieces == wanted[: len(pieces)]
    assert pieces
    assert len(pieces) == 1 or sum(map(len, pieces)) <= bytes_max
    if pieces != wanted:
        assert sum(map(len, wanted[: len(pieces) + 1])) > bytes_max
    assert tail.some(head + count, head + count, bytes_max) == []


@given(count=st.integers(1, 6), head=st.integers(0, 3), skipped=st.integers(0, 5))
def test_a_tail_is_a_run_from_wherever_it_is_asked(count: int, head: int, skipped: int) -> None:
    after = head + min(skipped, count - 1)
    tail = tail_of(*range(head + 1, head + count + 1), head=head)
    run = tail.run(after)
    assert (run.first, run.last) == (after + 1, head + count)
    assert run.entries == encoded(*range(after + 1, head + count + 1))
    assert run.is_whole()
    assert run.before == crc32(encoded(*range(head + 1, after + 1)), 7)


def test_a_reader_of_a_tail_sees_no_entry_without_its_stamp() -> None:
    tail = tail_of(1, 2)
    run = Run(3, tail.head_sum, STAMP.pack(Chain(bytes(8)), 0, 103, 2, 1), b"hb")
    # What the thread that writes has done when a reader looks between its two steps.
    tail.stamps.append(run.stamps)
    assert tail.head == 2
    assert tail.some(0, tail.head, 1000) == [encoded(1), encoded(2)]
    assert tail.stamp(tail.head).arrival == 102


# ---------------------------------------------------------------- what transactions add


def test_what_comes_later_grows_the_same_tail() -> None:
    unfolded, row = Unfolded(), row_of(ALICE)
    unfolded.take([grow(row, 1)], appended())
    taken = unfolded.tails[ALICE]
    other = row_of(BOB)
    unfolded.take([grow(row, 2, 3), grow(other, 1)], appended())
    assert unfolded.tails[ALICE] is taken
    assert (taken.head, unfolded.tails[BOB].head, unfolded.arrival) == (3, 1, 4)
    assert unfolded.rows == {ALICE: row, BOB: other}
    assert taken.run(0).is_whole()


def test_what_was_taken_back_never_was() -> None:
    row = row_of(ALICE, 3)
    before = (row.head, row.head_link, row.head_sum)
    growth = grow(row, 4, 5)
    assert row.head == 5
    assert growth.joined() == (b"".join(growth.stamps), encoded(4, 5))
    growth.take_back()
    assert (row.head, row.head_link, row.head_sum) == before


def test_what_can_be_sent_again_is_told_from_what_cannot() -> None:
    unfolded = Unfolded()
    first, second = message(1, 1, 1, 2, 1), message(4, 1, 2)
    news = message(9, 1, 3, content=b"")
    unfolded.take([], appended(first, second, news))
    unfolded.take([], appended(message(9, 2, 2, content=b"")))
    phone, publisher = unfolded.sendings[PHONE], unfolded.sendings[PSEUDO]
    assert phone.retriable == {1: first, 4: second}
    assert (phone.highest, phone.others) == (4, {})
    assert (publisher.retriable, publisher.highest) == ({}, 0)
    assert publisher.others == {9: [1, 3, 2, 2]}


def test_the_hash_of_an_erased_body_is_noted_for_logs_that_grew() -> None:
    unfolded, row = Unfolded(), row_of(ALICE, 2)
    growth = grow(row, 3, 4)
    gone = message(8, 1, 2, 1, 4, 2, 5, content=b"", body_hash=b"hash")
    unfolded.take([growth], appended(gone))
    assert unfolded.erased == {1: {4: b"hash"}}, "pages hold the other two, and their hashes"


def test_a_cursor_never_falls_within_its_epoch() -> None:
    unfolded = Unfolded()
    for epoch, seq, wanted in (
        (FIRST, 5, (FIRST, 5)),
        (FIRST, 3, (FIRST, 5)),
        (OTHER, 1, (OTHER, 1)),
        (OTHER, 2, (OTHER, 2)),
    ):
        unfolded.take([], appended(cursors=(Cursor("key", epoch, seq),)))
        assert unfolded.cursors == {"key": wanted}


@pytest.mark.parametrize(
    ("known", "stated", "wanted"),
    [
        (None, (FIRST, 1), (FIRST, 1)),
        ((FIRST, 2), (FIRST, 1), (FIRST, 2)),
        ((FIRST, 2), (FIRST, 2), (FIRST, 2)),
        ((FIRST, 2), (FIRST, 3), (FIRST, 3)),
        ((FIRST, 2), (OTHER, 1), (OTHER, 1)),
    ],
    ids=["the first", "lower", "the same", "higher", "another epoch"],
)
def test_the_higher_cursor(
    known: tuple[Epoch, int] | None, stated: tuple[Epoch, int], wanted: tuple[Epoch, int]
) -> None:
    assert higher(known, stated) == wanted


def test_so_many_rows_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_MAX", 1)
    unfolded, row = Unfolded(), row_of(ALICE)
    unfolded.take([grow(row, 1), grow(row_of(BOB), 1)], appended())
    unfolded.take([grow(row, 2)], appended())
    assert unfolded.rows == {ALICE: row}
    assert {account: tail.head for account, tail in unfolded.tails.items()} == {ALICE: 2, BOB: 1}


def test_a_row_gets_the_end_that_its_tail_has() -> None:
    unfolded, grown = Unfolded(), row_of(ALICE)
    unfolded.take([grow(grown, 1, 2)], appended())
    assert patched(row_of(ALICE), unfolded.tails) == grown
    assert patched(row_of(BOB), unfolded.tails) == row_of(BOB)
    folded_since = row_of(ALICE, 3)
    assert patched(folded_since, unfolded.tails) == row_of(ALICE, 3)


def test_what_is_left_of_the_journal_is_not_nothing() -> None:
    unfolded = Unfolded()
    assert unfolded.is_empty()
    unfolded.bytes = 1
    assert not unfolded.is_empty()
