"""A running sum tells every flipped bit of a page, however the page was cut."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from syncd.checksum import START, extend, opened, sealed
from syncd.model import Chain

chains = st.binary(min_size=8, max_size=8).map(Chain)
sums = st.integers(0, 2**32 - 1)


@given(st.lists(st.binary(max_size=40)))
def test_a_page_and_its_entries_one_by_one_give_the_same(entries: list[bytes]) -> None:
    running = START
    for entry in entries:
        running = extend(running, entry)
    assert running == extend(START, b"".join(entries)) == crc32(b"".join(entries))


@given(sums, st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_is_seen(begun: int, entries: bytes, data: st.DataObject) -> None:
    flipped = bytearray(entries)
    place = data.draw(st.integers(0, 8 * len(entries) - 1))
    flipped[place // 8] ^= 1 << place % 8
    assert extend(begun, bytes(flipped)) != extend(begun, entries)


@given(sums, chains)
def test_what_is_sealed_is_opened(checksum: int, chain: Chain) -> None:
    assert opened(sealed(checksum, chain), chain) == checksum
    assert 0 <= sealed(checksum, chain) < 2**32


@given(sums, chains, st.integers(0, 63))
def test_a_flipped_bit_of_the_chain_breaks_the_seal(
    checksum: int, chain: Chain, place: int
) -> None:
    flipped = bytearray(chain)
    flipped[place // 8] ^= 1 << place % 8
    assert opened(sealed(checksum, chain), Chain(bytes(flipped))) != checksum
