"""Names of devices, accounts, messages; numbers in words."""

from hypothesis import given
from hypothesis import strategies as st

from client_sim.chart.cast import NAME_MAX, Cast, in_words, listed, short, spans
from client_sim.history import Appended, Connect
from tests.client_sim.chart.histories import founding


def test_everybody_is_found() -> None:
    cast = Cast.of(founding())
    assert list(cast.devices) == ["d-phone", "d-pc1", "d-pc2"]
    assert cast.accounts == ("alice", "bob")
    assert (cast.name("d-pc1"), cast.account("d-pc1")) == ("PC1", "bob")
    assert cast.message("d-phone#3") == "phone#3"


def test_who_is_not_introduced_is_there_all_the_same() -> None:
    entry = Appended(account="carol", epoch="e", seq=1, message="m", body=None)
    cast = Cast.of([Connect(device="d", session=1), entry])
    assert (cast.name("d"), cast.account("d"), cast.accounts) == ("d", "", ("carol",))
    assert cast.message("m") == "m"


def test_long_names_are_cut() -> None:
    assert len(short("x" * 50)) == NAME_MAX


@given(st.sets(st.integers(0, 60)))
def test_spans_hold_the_same_numbers(numbers: set[int]) -> None:
    held = {each for low, high in spans(numbers) for each in range(low, high + 1)}
    assert held == numbers


def test_words() -> None:
    assert in_words([1, 2, 3, 7]) == "1-3, 7"
    assert in_words(range(1, 20, 2)) == "1, 3, 5, 7 …"
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"
