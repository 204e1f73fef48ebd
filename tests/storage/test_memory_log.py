"""A log in memory: dense, chained, found by identity, cut from below."""

from hypothesis import given
from hypothesis import strategies as st

from syncd import chain
from syncd.model import Epoch, Identity
from syncd.storage.memory_log import Log

from .works import PHONE, encoded, links, record

EPOCH = Epoch(b"epoch-01")


def log_of(count: int) -> Log:
    log = Log(EPOCH)
    for number in range(1, count + 1):
        assert log.append(record(number), Identity(PHONE, number), number) == number
    return log


def test_a_new_log_is_empty() -> None:
    log = Log(EPOCH)
    assert (log.floor, log.head, log.link_at(0), log.link_at(1)) == (0, 0, chain.GENESIS, None)
    assert log.page(0, 1000).entries == b""


@given(st.integers(0, 6), st.integers(0, 8))
def test_what_stays_after_a_trim(count: int, floor: int) -> None:
    log, known = log_of(count), links(*range(1, count + 1))
    log.trim(floor)
    kept = floor if floor <= count else 0  # beyond the head there is nothing to trim to
    assert (log.floor, log.head) == (kept, count)
    for seq in range(count + 2):
        inside = kept <= seq <= count
        assert log.link_at(seq) == (known[seq] if inside else None)
        assert log.chain_at(seq) == (chain.shown(known[seq]) if inside else None)
    assert log.chain_at(None) is None
    found = {seq for seq in range(1, count + 1) if Identity(PHONE, seq) in log.seqs}
    assert found == set(range(kept + 1, count + 1))
    assert log.append(record("next"), Identity(PHONE, 99), 99) == count + 1


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 8), st.integers(0, 120))
def test_a_page_continues_where_it_was_asked_to(
    count: int, floor: int, after: int, bytes_max: int
) -> None:
    log = log_of(count)
    log.trim(floor)
    page = log.page(after, bytes_max)
    assert page.entries == encoded(*range(after + 1, page.to + 1))
    if log.floor <= after < log.head:
        assert page.to > after
        assert page.chain == log.chain_at(page.to)
        assert page.to == after + 1 or len(page.entries) <= bytes_max
        assert page.to == log.head or len(page.entries + encoded(page.to + 1)) > bytes_max
    else:
        assert page.to == after
