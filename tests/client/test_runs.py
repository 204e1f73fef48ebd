"""Runs against a plain dictionary of seqs."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.client.runs import READ_ENTRIES_MAX, Runs
from tests.protocol.client_plays import entry


def filled(sizes: list[int], begin: int = 0) -> Runs:
    runs = Runs()
    for size in sizes:
        runs.append(begin, tuple(entry(begin + each) for each in range(1, size + 1)))
        begin += size
    return runs


def everything(runs: Runs, after: int) -> list[int]:
    found: list[int] = []
    while (piece := runs.after(after)) is not None:
        prev, entries = piece
        assert [each.number for each in entries] == list(range(prev + 1, prev + 1 + len(entries)))
        found += range(prev + 1, prev + 1 + len(entries))
        after = prev + len(entries)
    return found


@given(
    st.lists(st.integers(1, 5), max_size=6),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_what_is_kept_is_found(sizes: list[int], after: int, low: int, high: int) -> None:
    runs = filled(sizes)
    last = sum(sizes)
    assert everything(runs, after) == list(range(after + 1, last + 1))
    runs.drop_beyond(high)
    assert everything(runs, 0) == list(range(1, min(high, last) + 1))
    runs.drop_through(low)
    assert [seq for seq, _ in runs] == everything(runs, 0)
    assert everything(runs, low) == list(range(low + 1, min(high, last) + 1))


def test_a_hole_ends_a_piece() -> None:
    runs = filled([2])
    runs.append(5, (entry(6),))
    assert [piece[0] for piece in (runs.after(0), runs.after(2)) if piece] == [0, 5]
    assert everything(runs, 0) == [1, 2, 6]


def test_many_small_batches_are_read_in_large_pieces() -> None:
    runs = filled([1] * (READ_ENTRIES_MAX + 10))
    first = runs.after(0)
    assert first is not None
    assert len(first[1]) == READ_ENTRIES_MAX


def test_a_large_batch_is_read_whole() -> None:
    runs = filled([READ_ENTRIES_MAX + 10, 1])
    first = runs.after(0)
    assert first is not None
    assert len(first[1]) == READ_ENTRIES_MAX + 10


def test_cleared_runs_hold_nothing() -> None:
    runs = filled([3])
    runs.clear()
    assert runs.after(0) is None
    assert list(runs) == []
