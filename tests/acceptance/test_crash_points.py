"""A server that dies at any of its writes loses nothing: one death per kind of write, and a few
around a merge.

`client-sim crash-points` dies at all of them.
"""

from collections.abc import Iterable

import pytest

from client_sim.house import CannotDo
from client_sim.live.crash_points import MERGE, Life, Point, count, live_through, points
from client_sim.live.faulty_disk import compiled
from client_sim.live.nursery import Nursery

STRIDE = 7
"""So that of one kind the first moment is chosen, of the next a later one, and so on."""


def one_of_each_kind(calls: Iterable[str]) -> list[Point]:
    """A kind is a call on a file, of any number of bytes."""
    kinds: dict[str, list[Point]] = {}
    for point in points(calls):
        kinds.setdefault(point.call.rpartition(" ")[0], []).append(point)
    return [found[STRIDE * at % len(found)] for at, found in enumerate(kinds.values())]


def told(life: Life) -> str:
    charges = [each.text for opinion in life.judgement.opinions for each in opinion.charges]
    return f"{life.point} ({life.point.call}): {[*charges, *life.judgement.why]}"


async def test_everything_survives() -> None:
    try:
        environment = {"LD_PRELOAD": str(compiled())}
    except CannotDo as reason:
        pytest.skip(str(reason))
    with Nursery(environment) as nursery:
        chosen = one_of_each_kind(await count(nursery))
        lives = [await live_through(point, nursery) for point in chosen]
        merging = [*points(await count(nursery, MERGE))]
        # The merge itself is in the last third of them.
        late = merging[len(merging) * 2 // 3 :: len(merging) // 12]
        lives += [await live_through(point, nursery, play=MERGE) for point in late]
    assert [told(life) for life in lives if not life.survived] == []
    died = {life.point.call.split()[0] for life in lives if life.died}
    assert died >= {"create", "pwrite", "fdatasync", "unlink"}
