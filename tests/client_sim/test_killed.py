"""What a killed PC's screens and store must agree on. The play itself runs in test_reproduce.py."""

from client_sim.killed import Screen, troubles
from tests.client_sim.samples import lines


def screen(*seqs: int, current: bool = True) -> Screen:
    return Screen(list(seqs), [], current)


def test_a_screen_reads_what_the_pc_prints() -> None:
    shown = Screen()
    for line in (b"= online\n", b"[12] alice: [1] x\n", b"! the server passes over 3\n"):
        shown.take(line)
    assert (shown.seqs, shown.warnings) == ([12], ["the server passes over 3"])
    assert not shown.current
    shown.take(b"= caught up at 12\n")
    assert shown.current


def test_shown_before_or_after_is_shown() -> None:
    held = list(lines(1, 2, 3))
    assert troubles(held, screen(1, 2), screen(2, 3)) == []


def test_stored_and_never_shown() -> None:
    assert troubles(list(lines(1, 2, 3)), screen(1), screen(3)) == [
        "stored 1 messages that it never showed"
    ]


def test_twice_after_the_restart_or_never_current() -> None:
    assert len(troubles(list(lines(1, 2)), screen(), screen(1, 1, 2))) == 1
    assert len(troubles([], screen(), screen(current=False))) == 1
