"""Plays a play in the live world: with our own devices, against a server process of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from client_sim.actor import Troupe
from client_sim.history import History
from client_sim.house import CannotDo
from client_sim.live.house import LiveHouse
from client_sim.live.program import Program
from client_sim.live_server import SYNCD
from client_sim.performing import play_in
from client_sim.play import Play


def play_live(play: Play, seed: int = 0, command: Sequence[str] | Program = SYNCD) -> History:
    """What happens. Everything that is made for it is gone afterwards.

    seed: of what devices draw; the rest of a real world's chance has none.
    command: the words that start the server's program, or what else starts it.

    Raises CannotDo where the play asks for what there is no way to do here, and ServerFailed.
    """
    if play.weather:
        raise CannotDo("faults by chance come in the pretend world only")
    with tempfile.TemporaryDirectory(prefix="client-sim-") as folder:
        return asyncio.run(_play(play, seed, command, Path(folder)))


async def _play(play: Play, seed: int, command: Sequence[str] | Program, folder: Path) -> History:
    scope = play.options.get("scope", "device")
    house = LiveHouse(folder, History(), scope=scope, command=command, seed=seed)
    return await play_in(house, play, Troupe(house, play.options, house.chance), seed)
