"""Plays as files: read, written, and refused where they make no sense."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sim import play as plays
from client_sim.play import BadPlay, load, read
from client_sim.storm.draw import draw

PLAY = """
story = 'Bob says "hello"; a backslash is \\ .'
seed = 7
judges = ["prefix"]
steps = ["PC1 logs in", "meanwhile PC1 sends 3 to team", "at 2.5 s: PC1 is cut"]
expect = ["PC1 holds 3"]
[cast]
alice = ["PC1"]
"bob@example.org" = ["phone"]
[groups]
team = ["alice", "bob@example.org"]
[weather]
wake_lost = 0.25
[options]
window = 65536
scope = "platform"
verify_start = false
"""


def changed(old: str, new: str) -> str:
    assert PLAY.count(old) == 1
    return PLAY.replace(old, new)


def test_what_is_written_is_what_was_read() -> None:
    play = read(PLAY, "hello")
    assert read(play.toml(), "hello") == play
    assert play.cast["bob@example.org"] == ("phone",)
    assert play.seed == 7
    assert play.faults == ("cut",)


@given(st.integers())
def test_every_storm_can_be_kept(seed: int) -> None:
    storm = draw(seed)
    assert read(storm.toml(), storm.name) == storm


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("steps =", "hello: "),
        (changed("seed = 7", "sed = 7"), "unknown: sed"),
        (changed("story = ", "judge = "), "unknown: judge"),
        ('story = ""\nsteps = []', "there is no cast"),
        (changed("PC1 logs in", "PC1 dances"), "'PC1 dances' is no sentence"),
        (changed("PC1 logs in", "PC3 logs in"), "nobody is called PC3"),
        (changed("3 to team", "3 to teem"), "nobody is called teem"),
        (changed("PC1 holds 3", "PC2 holds 3"), "nobody is called PC2"),
        (changed('["phone"]', '["PC1"]'), "a name stands for two devices"),
        (changed('["phone"]', '"phone"'), "is a list of names"),
        (changed('["alice", "bob@example.org"]', '["carol"]'), "members of team are not"),
        (changed("wake_lost", "rain"), "no weather called rain"),
        (changed("65536", '"large"'), "option window: there is window"),
        (changed("window", "widow"), "option widow"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(BadPlay, match=complaint):
        read(text, "hello")


def test_a_clone_and_a_group_may_be_made_on_the_way() -> None:
    steps = ["PC1 is cloned as PC9", "PC9 makes club with alice", "PC1 sends 1 to club"]
    text = f'story = ""\nsteps = {steps}\n[cast]\nalice = ["PC1"]'
    assert [step.verb for step in read(text, "x").steps] == ["clone", "create", "send"]


def test_plays_are_found_by_name_and_by_file(tmp_path: Path) -> None:
    assert "founding_report" in plays.names()
    assert load("founding_report").name == "founding_report"
    file = tmp_path / "mine.toml"
    file.write_text(PLAY, encoding="utf-8")
    assert load(str(file)).name == "mine"
    with pytest.raises(BadPlay, match="there is no play nothing"):
        load("nothing")
    file.write_bytes(b"\xfd\x00")
    with pytest.raises(BadPlay, match=r"mine\.toml is no text"):
        load(str(file))
