"""One trial: a play, played somewhere with a seed, and judged."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass, replace

from client_sim.expectations import charges
from client_sim.foreign.adapter import AdapterFailed
from client_sim.foreign.playing import play_foreign
from client_sim.history import History
from client_sim.house import CannotDo
from client_sim.judging.court import judge
from client_sim.judging.verdict import Judgement
from client_sim.live.playing import play_live
from client_sim.live_server import SYNCD, ServerFailed
from client_sim.performing import perform
from client_sim.planted.planting import planted, server_command
from client_sim.play import Play

PRETEND, LIVE = "pretend", "live"
MEMORY, SQLITE = "memory", "sqlite"


class NotPlayed(Exception):
    """The play could not be played there. The text says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was played, what happened, and what the court says of it."""

    play: Play
    seed: int
    history: History
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Ground:
    """Where plays are played: a world of ours, or somebody else's server behind an adapter.

    adapter: the command that starts it; empty for none.
    """

    world: str = PRETEND
    storage: str = MEMORY
    adapter: str = ""

    def trial(self, play: Play, seed: int) -> Trial:
        """Play it once. Raises NotPlayed."""
        play = replace(play, seed=seed)
        try:
            history = self._played(play, seed)
        except (CannotDo, AdapterFailed, ServerFailed) as error:
            raise NotPlayed(f"{play.name}: {error}") from error
        # What a play expects is said of our own logs, in which a sender's own messages are, too.
        expected = None if self.adapter else charges(play, history.records)
        return Trial(play, seed, history, judge(history.records, expected))

    def judged(self, play: Play) -> Judgement:
        """The same with the seed that is in the play, for whoever only asks for the verdict."""
        return self.trial(play, play.seed or 0).judgement

    def options(self) -> str:
        """What a command line says to get here, with a blank before each option."""
        said = "" if self.world == PRETEND else f" --world {self.world}"
        said += "" if self.storage == MEMORY else f" --storage {self.storage}"
        said += f" --adapter {shlex.quote(self.adapter)}" if self.adapter else ""
        return said + (f" --bug {planted()}" if planted() else "")

    def _played(self, play: Play, seed: int) -> History:
        if self.adapter:
            return play_foreign(play, self.adapter, seed)
        if self.world == LIVE:
            return play_live(play, seed, server_command(planted()) if planted() else SYNCD)
        return perform(play, seed, self.storage)


def hush() -> None:
    """Let the SDK and the server's parts log nothing in this process: what they would tell of is
    what a play does to them."""
    logging.getLogger("syncd").setLevel(logging.CRITICAL + 1)
