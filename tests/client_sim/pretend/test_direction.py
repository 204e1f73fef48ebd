"""One direction of a line: order, an end, what is blocked and what is cut off."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from client_sim.pretend.clock import VirtualLoop
from client_sim.pretend.direction import Direction, End, Piece
from tests.client_sim.pretend.rooms import passing


class Pipe:
    def __init__(self, seed: int = 1) -> None:
        self.loop = VirtualLoop(print)
        self.blocked = False
        self.taken: list[Piece] = []
        random = Random(seed)
        self.direction = Direction(
            self.loop, self.taken.append, lambda: self.blocked, lambda: random.random()
        )

    def wait(self, seconds: float = 5.0) -> None:
        self.loop.run_until_complete(passing(seconds))


@given(st.integers(0, 1000), st.integers(0, 20))
def test_pieces_arrive_in_order(seed: int, count: int) -> None:
    pipe = Pipe(seed)
    pieces: list[Piece] = [b"%d" % number for number in range(count)]
    for piece in pieces:
        pipe.direction.put(piece)
    assert pipe.taken == []
    pipe.wait()
    assert pipe.taken == pieces


def test_nothing_passes_after_an_end() -> None:
    pipe = Pipe()
    for piece in (b"one", End(1000), b"two"):
        pipe.direction.put(piece)
    pipe.wait()
    assert pipe.taken == [b"one", End(1000)]
    assert not pipe.direction.open


@given(st.integers(0, 4))
def test_a_cut_keeps_the_first_pieces_and_then_the_end_is_noticed(kept: int) -> None:
    pipe = Pipe()
    pieces: list[Piece] = [b"a", b"b", b"c", b"d"]
    for piece in pieces:
        pipe.direction.put(piece)
    pipe.direction.cut(kept)
    pipe.direction.end()
    pipe.wait()
    assert pipe.taken == [*pieces[:kept], End()]


def test_what_is_blocked_waits_in_order() -> None:
    pipe = Pipe()
    pipe.blocked = True
    pipe.direction.put(b"one")
    pipe.wait()
    pipe.direction.put(b"two!")
    assert pipe.taken == []
    assert pipe.direction.size == 7
    pipe.blocked = False
    pipe.direction.release()
    assert pipe.taken == [b"one"]
    pipe.wait()
    assert pipe.taken == [b"one", b"two!"]
    assert len(pipe.direction) == 0
