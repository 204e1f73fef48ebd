"""Performs a play: in any house, or from a seed in a pretended one."""

from __future__ import annotations

from client_sim.actor import Troupe
from client_sim.director import SETTLE_S, Director, MakePlayer
from client_sim.history import Begin, History
from client_sim.house import House
from client_sim.play import Play
from client_sim.pretend.house import PretendHouse

_FAREWELL_S = 3.0
"""Shorter than the server's poll mostly takes to find what nobody was woken for, and ten times what
anything takes in a calm pretended house."""


async def play_in(
    house: House,
    play: Play,
    make_player: MakePlayer,
    seed: int | None = None,
    farewell_s: float = SETTLE_S,
) -> History:
    """The house's history, from Begin to the final state. The house is opened, and closed again.

    farewell_s: how long the very last messages may take to reach everybody.

    Raises CannotDo where the play asks for what the house has no way to do.
    """
    house.history.tell(
        Begin(
            at=house.now(),
            world=house.world,
            play=play.name,
            seed=seed,
            faults=play.faults,
            judges=play.judges,
        )
    )
    director = Director(play, house, make_player, farewell_s)
    try:
        await house.open()
        await director.run()
    finally:
        await director.dismiss()
        await house.close()
    return house.history


def perform(play: Play, seed: int, storage: str = "memory") -> History:
    """What happens in the pretend world; the same seed gives the same history, byte for byte.

    storage: memory, or sqlite for the real SQLite code. Raises CannotDo as `play_in` does.
    """
    house = PretendHouse(seed, storage, play.weather, play.options)
    befalls = house.befalls if "cancelled" in play.weather else None
    troupe = Troupe(house, play.options, house.chance, befalls)
    # Whose line is silent hears nothing before it misses the heartbeats.
    farewell_s = SETTLE_S if "half_open" in play.faults else _FAREWELL_S
    house.run(play_in(house, play, troupe, seed, farewell_s))
    return house.history
