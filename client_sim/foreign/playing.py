"""Plays a play on somebody else's server, through an adapter."""

from __future__ import annotations

import asyncio

from client_sim.foreign.adapter import AdapterFailed, command_of, started
from client_sim.foreign.house import ForeignHouse
from client_sim.history import Answer, History
from client_sim.performing import play_in
from client_sim.play import Play


def play_foreign(play: Play, command: str, seed: int) -> History:
    """What happened. command: a shipped adapter's name or a command line, started for this play.

    Raises CannotDo where adapters have no word for what the play asks, and AdapterFailed.
    """
    return asyncio.run(_play(play, command, seed))


async def _play(play: Play, command: str, seed: int) -> History:
    async with started(command_of(command)) as adapter:
        house = ForeignHouse(adapter, await adapter.hello())
        history = await play_in(house, play, house.player, seed)
    answers = [each for each in history.records if isinstance(each, Answer)]
    if answers and all(each.outcome == "lost" for each in answers):
        raise AdapterFailed(f"no message was accepted; the adapter said: {answers[0].code}")
    return history
