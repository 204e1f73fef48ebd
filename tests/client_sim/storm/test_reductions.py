"""What can be left out of a play, one kind at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from client_sim.play import Play, read
from client_sim.storm.draw import draw
from client_sim.storm.reductions import fewest, recast, smaller

PLAY = read(
    """
story = "Much ado."
steps = [
    "PC1 logs in",
    "phone is cloned as copy",
    "copy logs in",
    "PC1 sends 40 of 9000 bytes to team",
    "at 3.14 s: phone sends 7 to bob",
    "PC1 makes club with bob",
    "carols sends 3 to club",
    "meanwhile bobs logs in",
]
expect = ["phone holds 3", "bobs holds 4"]
[cast]
alice = ["PC1", "phone"]
bob = ["bobs"]
carol = ["carols"]
[groups]
team = ["alice", "carol"]
[weather]
wake_lost = 0.1
disk_slow = 0.1
""",
    "ado",
)


def always(play: Play) -> Play:
    return play


def says(*needed: str) -> Callable[[Play], Play | None]:
    def fails(play: Play) -> Play | None:
        said = "\n".join(map(str, play.steps))
        return play if all(each in said for each in needed) else None

    return fails


def test_without_a_device_nothing_speaks_of_it() -> None:
    without = recast(PLAY, {**PLAY.cast, "alice": ("PC1",)})
    assert [step.verb for step in without.steps] == [
        "log_in", "send_large", "create", "send", "log_in",
    ]  # fmt: skip
    assert [str(step) for step in without.expect] == ["bobs holds 4"]
    assert read(without.toml(), "ado") == without


def test_without_an_account_nothing_speaks_of_it() -> None:
    without = recast(PLAY, {"alice": PLAY.cast["alice"]})
    assert without.groups == {"team": ("alice",)}
    assert [step.verb for step in without.steps] == ["log_in", "clone", "log_in", "send_large"]


def test_what_is_needed_stays() -> None:
    small = smaller(PLAY, says("phone sends", "bobs logs in"))
    assert [step.verb for step in small.steps] == ["send", "log_in"]
    assert (small.weather, small.groups, small.expect) == ({}, {}, ())


def test_numbers_become_small_and_moments_go() -> None:
    small = smaller(PLAY, says("sends"))
    assert list(map(str, small.steps)) == ["PC1 sends 1 to alice"]
    large = smaller(PLAY, says("sends", "of 9000"))
    assert list(map(str, large.steps)) == ["PC1 sends 1 of 9000 bytes to alice"]

    def at_three(play: Play) -> Play | None:
        return play if any(step.at and 2.9 < step.at < 3.2 for step in play.steps) else None

    assert list(map(str, smaller(PLAY, at_three).steps)) == ["at 3 s: phone sends 1 to alice"]


@given(st.integers(0, 500), st.data())
def test_every_smaller_play_can_be_kept(seed: int, data: st.DataObject) -> None:
    storm = draw(seed)
    needed = str(data.draw(st.sampled_from(storm.steps))).partition(": ")[2]
    tried: list[Play] = []

    def fails(play: Play) -> Play | None:
        tried.append(play)
        return says(needed)(play)

    small = smaller(storm, fails)
    assert small.steps
    for each in tried[:: max(1, len(tried) // 20)]:
        if each.cast:
            assert read(each.toml(), each.name) == each


@given(st.sets(st.integers(0, 30)))
def test_no_item_is_left_that_could_go(needed: set[int]) -> None:
    def keep(play: Play, items: Sequence[int]) -> Play:
        return replace(play, story=" ".join(map(str, items)))

    def fails(play: Play) -> Play | None:
        return play if needed <= set(map(int, play.story.split())) else None

    found = fewest(replace(PLAY, story=""), range(31), keep, fails)
    if needed < set(range(31)):
        assert set(map(int, found.story.split())) == needed
