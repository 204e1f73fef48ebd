"""The hash chain: its formula, spelled out a second time, and what it can tell apart."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from syncd import chain
from tests.drafts import links, record

pairs = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), min_size=1, max_size=8)


def by_hand(past: bytes, seq: int, header: bytes, body: bytes) -> bytes:
    body_hash = blake2b(body, digest_size=32).digest()
    return blake2b(past + seq.to_bytes(8, "big") + header + body_hash, digest_size=32).digest()


@given(pairs)
def test_links_follow_the_documented_formula(entries: list[tuple[bytes, bytes]]) -> None:
    ours, theirs = chain.GENESIS, bytes(32)
    for seq, (header, body) in enumerate(entries, 1):
        ours = chain.link(ours, seq, header, chain.hash_of(body))
        theirs = by_hand(theirs, seq, header, body)
        assert ours == theirs


def test_known_links_never_change() -> None:
    # Made once from the formula in chain.py's docstring. A change here forks every store there is.
    first = chain.link(chain.GENESIS, 1, b"header", chain.hash_of(b"body"))
    second = chain.link(first, 2, b"", chain.hash_of(b""))
    assert chain.hash_of(b"").hex()[:16] == "0e5751c026e543b2"
    assert first.hex() == "79ac7ca56b708a310ca29574e5416cd0e15b8bb18aa4be3b0d210861f42f9719"
    assert second.hex() == "09155d3975ab443a3a14e73227bea95007fdcd240e944c1fb5c61fd7b82f65be"


def test_what_is_shown_is_the_beginning_of_the_link() -> None:
    assert bytes(chain.LINK_BYTES) == chain.GENESIS
    link = chain.link(chain.GENESIS, 1, b"a", chain.hash_of(b"b"))
    assert chain.shown(link) == link[:8]
    assert chain.shown(chain.GENESIS) == bytes(8)


def test_every_part_of_an_entry_and_all_before_it_counts() -> None:
    past, body = chain.hash_of(b"past"), chain.hash_of(b"body")
    first = chain.link(chain.GENESIS, 7, b"header", body)
    others = {
        chain.link(chain.Link(past), 7, b"header", body),
        chain.link(chain.GENESIS, 8, b"header", body),
        chain.link(chain.GENESIS, 7, b"heade", body),
        chain.link(chain.GENESIS, 7, b"header", chain.hash_of(b"other")),
    }
    assert len(others | {first}) == 5


def test_two_pasts_stay_apart_for_ever() -> None:
    same = [record(number) for number in range(2, 30)]
    one = links([record(1, b"one"), *same])
    other = links([record(1, b"other"), *same])
    assert {chain.shown(each) for each in one[1:]}.isdisjoint(map(chain.shown, other[1:]))
