"""Storms are judged true, and what they are meant to bring about does happen.

Some dozens here; thousands by `client-sim storm --seeds 5000`, which prints how to play a failure
again.
"""

import pytest

from client_sim.history import Fault
from client_sim.judging.verdict import Ruling
from client_sim.storm.draw import Size, draw
from client_sim.trial import MEMORY, SQLITE, Ground

BLOCK = 12


def fired(ground: Ground, seeds: range, size: Size) -> set[str]:
    """Every seed is true; the kinds of fault that fired."""
    kinds: set[str] = set()
    for seed in seeds:
        trial = ground.trial(draw(seed, size), seed)
        assert trial.judgement.ruling is Ruling.TRUE, (seed, trial.judgement.broken)
        kinds |= {each.kind for each in trial.history.records if isinstance(each, Fault)}
    return kinds


@pytest.mark.parametrize("block", range(5))
def test_storms_in_memory(block: int) -> None:
    first = 1 + block * BLOCK
    kinds = fired(Ground(storage=MEMORY), range(first, first + BLOCK), Size())
    assert len(kinds) > 15  # no storm is a calm


def test_storms_with_the_real_database() -> None:
    assert fired(Ground(storage=SQLITE), range(1, 1 + BLOCK), Size(3, 3, 60))
