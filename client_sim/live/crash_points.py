"""Every call by which a server writes to its disk, and what is left when it dies there.

One run of one of two fixed plays counts the calls. Then the play is run again for each of them,
and its server is killed before the call, after it, and where the call writes bytes, half-way
through; it is started again, devices send again what was not answered, and all judges look at the
history.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from client_sim import play as plays
from client_sim.actor import Troupe
from client_sim.history import History
from client_sim.judging.court import judge
from client_sim.judging.verdict import Judgement, Ruling
from client_sim.live.house import LiveHouse
from client_sim.live.program import Program
from client_sim.performing import play_in

SENDING, MERGE = "sending", "merge"
PLAYS = {
    SENDING: Path(__file__).with_suffix(".toml"),
    MERGE: Path(__file__).with_name("crash_points_merge.toml"),
}
MEMORY_DISK = Path("/dev/shm")
"""What the kernel has, a killed process cannot lose: so the disk may as well be a fast one."""
MOMENTS = ("before", "half", "after")
"""Of one call; half only where it writes bytes."""
_POINTS, _KILL = "points", "kill"
_WRITES_BYTES = "pwrite "


@dataclass(frozen=True, slots=True)
class Point:
    """One moment to die at: `number` counts calls from 1, `call` is what was counted there, `when`
    is one of MOMENTS."""

    number: int
    when: str
    call: str

    def __str__(self) -> str:
        return f"{self.number} {self.when}"


@dataclass(frozen=True, slots=True)
class Life:
    """What became of a run. died: whether it came to the point at all; calls vary a little from
    run to run."""

    point: Point
    died: bool
    judgement: Judgement

    @property
    def survived(self) -> bool:
        """Whether every invariant held, and there was something that could have been lost."""
        return self.judgement.ruling is Ruling.TRUE


async def count(program: Program, play: str = SENDING) -> list[str]:
    """The calls of a run in which nobody dies. play: of PLAYS. Raises CannotDo, ServerFailed."""
    with _folder() as folder:
        house = LiveHouse(folder, History(), command=program)
        disk = house.disk()
        disk.begin(_POINTS)
        await _play(house, play)
        return (disk.folder / _POINTS).read_text().splitlines()


def points(calls: Iterable[str]) -> Iterator[Point]:
    """All moments at which a server can die in these calls."""
    for number, call in enumerate(calls, 1):
        for when in MOMENTS:
            if when != "half" or call.startswith(_WRITES_BYTES):
                yield Point(number, when, call)


async def live_through(
    point: Point, program: Program, *, play: str = SENDING, power_cut: bool = False
) -> Life:
    """Die there, once, and be judged. play: as counted. power_cut: what was not flushed by then is
    lost. Raises CannotDo, ServerFailed."""
    with _folder() as folder:
        house = LiveHouse(folder, History(), command=program, seed=point.number)
        house.loses_power = power_cut
        disk = house.disk()
        disk.begin(_POINTS)
        disk.begin(_KILL, str(point))
        await _play(house, play)
        died = not (disk.folder / _KILL).exists()
        return Life(point, died, judge(house.history.records, ()))


async def _play(house: LiveHouse, name: str) -> None:
    play = plays.load(str(PLAYS[name]))
    await play_in(house, play, Troupe(house, play.options, _Impatient))


class _Impatient(Random):
    """Chance of devices that lost their server: they come back as soon as they may."""

    def random(self) -> float:
        return super().random() / 50


@contextmanager
def _folder() -> Iterator[Path]:
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="client-sim-", dir=where) as folder:
        yield Path(folder)
