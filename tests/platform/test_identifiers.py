"""openids and unionids: one per sector and person, and they tell nothing."""

import re

from hypothesis import given
from hypothesis import strategies as st

from syncd.platform.identifiers import identifier

KEY = bytes(32)
NAMES = st.text(alphabet="abc", min_size=1, max_size=3)


@given(NAMES, NAMES, st.integers(0, 9))
def test_its_form(sector: str, person: str, epoch: int) -> None:
    assert re.fullmatch(r"o[\w-]{27}", identifier(KEY, sector, person, epoch), re.ASCII)


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 3)), unique=True, max_size=20))
def test_no_two_are_the_same(names: list[tuple[str, str, int]]) -> None:
    assert len({identifier(KEY, *each) for each in names}) == len(names)


@given(NAMES, NAMES, NAMES)
def test_people_of_one_sector_share_its_first_letters(sector: str, one: str, other: str) -> None:
    assert identifier(KEY, sector, one, 0)[:6] == identifier(KEY, sector, other, 0)[:6]


def test_another_key_makes_others() -> None:
    assert (
        identifier(KEY, "wx", "alice", 0)[6:] != identifier(bytes([1] * 32), "wx", "alice", 0)[6:]
    )
