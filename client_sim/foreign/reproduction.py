"""`client-sim reproduce --against PEER`: the founding report, played at a server that we did not
write."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client_sim.foreign.adapter import command_of, started
from client_sim.foreign.house import ForeignHouse
from client_sim.foreign.player import ForeignPlayer
from client_sim.history import Answer
from client_sim.house import CannotDo
from client_sim.report import console, print_bare

COMPUTERS: Final = ("PC1", "PC2")


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a peer. met: the PCs that had connected once before anything arrived; due:
    those that have everything in the end, if the peer is as `found` says."""

    adapter: str
    title: str
    met: tuple[str, ...]
    due: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """What is played at a peer, and what is said if it comes as it was found to be."""

    settings: tuple[Setting, ...]
    measured: str
    found: str


PEERS: Final[Mapping[str, Peer]] = {
    "prosody": Peer(
        (
            Setting("prosody", "offline storage", met=(), due=("PC1",)),
            Setting("prosody-archive", "message archive", met=(), due=("PC1", "PC2")),
        ),
        "Prosody runs with the modules that Debian enables; the PCs are two resources of one "
        "account. With the archive (mod_mam) each PC asks for what follows its own place.",
        "The founding bug is there, in a server that we did not write: what waits in the offline "
        "storage waits for the account, and the PC that comes first takes it away. An archive that "
        "each device reads from its own place cures it.",
    ),
    "mosquitto": Peer(
        (
            Setting("mosquitto", "PC2 never connected before", met=("PC1",), due=("PC1",)),
            Setting("mosquitto", "both PCs connected once", met=COMPUTERS, due=COMPUTERS),
        ),
        "mosquitto keeps a persistent session per client id; each PC is one, subscribed at QoS 1 "
        "to its account's topic.",
        "No PC takes a message away from another: every client id has a session of its own. But a "
        "PC that never connected has none, so it never gets what came before, and is not told.",
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One setting as it was played. held: how many of the messages due each PC has, and how many
    of them twice."""

    setting: Setting
    server: str
    count: int
    held: Mapping[str, int]
    doubled: Mapping[str, int]

    @property
    def as_found(self) -> bool:
        """Whether exactly those that are due to have everything have it."""
        complete = tuple(name for name in COMPUTERS if self.held[name] == self.count)
        return complete == self.setting.due and not any(self.doubled.values())

    def words(self) -> str:
        """What each PC misses, as a person would say it."""
        said = []
        for name in COMPUTERS:
            if missing := self.count - self.held[name]:
                some = f"{missing} of {self.count}" if self.held[name] else f"all {missing}"
                said.append(f"{name} misses {some if self.count > 1 else 'it'}")
            if self.doubled[name]:
                said.append(f"{name} has {self.doubled[name]} twice")
        return "; ".join(said) or "all complete"


def run(peer: str, count: int, *, as_json: bool) -> int:
    """Play it, print it; the exit status: 0 only if the peer is as it was found to be."""
    try:
        measured = [asyncio.run(measure(each, count)) for each in PEERS[peer].settings]
    except CannotDo as error:
        print(f"client-sim reproduce: {error}", file=sys.stderr)
        return 1
    show(peer, measured, console(sys.stderr if as_json else sys.stdout))
    succeeded = all(each.as_found for each in measured)
    if as_json:
        print(json.dumps(_as_json(peer, measured, succeeded)), flush=True)
    return 0 if succeeded else 1


async def measure(setting: Setting, count: int) -> Measured:
    """Play the founding report once. Raises CannotDo."""
    async with started(command_of(setting.adapter)) as adapter:
        introduction = await adapter.hello()
        # Whether a PC connected before is what is played here, so it is not to be arranged.
        house = ForeignHouse(adapter, replace(introduction, since_login=False))
        for account, name in (("alice", "PC1"), ("alice", "PC2"), ("bob", "phone")):
            await house.enrol(account, name, "phone" if name == "phone" else "pc")
        computers, phone = [house.players[name] for name in COMPUTERS], house.players["phone"]
        for each in computers:
            if each.name in setting.met:
                await each.log_in()
                await each.log_out()
        await phone.log_in()
        await phone.send("alice", count, 0, ())
        answers = [each for each in house.history.records if isinstance(each, Answer)]
        if refused := [each.code for each in answers if each.outcome != "accepted"]:
            raise CannotDo(f"{introduction.name} did not take a message: {refused[0]}")
        for each in computers:
            await each.log_in()
            await each.log_out()
        await phone.log_out()
        held = {each.name: _identities(each) for each in computers}
    return Measured(
        setting,
        introduction.name,
        count,
        {name: len(set(kept)) for name, kept in held.items()},
        {name: len(kept) - len(set(kept)) for name, kept in held.items()},
    )


def show(peer: str, measured: Sequence[Measured], target: Console) -> None:
    """The table, what is measured, and what follows from it."""
    count = measured[0].count
    arrive = "1 message arrives" if count == 1 else f"{count} messages arrive"
    print_bare(
        f"The founding report at {measured[0].server.partition(',')[0]}: {arrive} while no PC is "
        "logged in.\nPC1 logs in, syncs and logs out. Then PC2 logs in.\n"
        "Each cell: how many of the messages due the device holds.",
        target,
    )
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    drawn.add_column("played", no_wrap=True)
    for name in COMPUTERS:
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("measured")
    for each in measured:
        cells = [
            Text(f"{held}/{count}", style="green" if held == count else "bold red")
            for held in each.held.values()
        ]
        drawn.add_row(each.setting.title, *cells, each.words())
    print_bare(drawn, target)
    print_bare(f"\n{PEERS[peer].measured}", target)
    succeeded = all(each.as_found for each in measured)
    said = PEERS[peer].found if succeeded else "Not as it was found before: see the table."
    print_bare(Text(said, style="bold green" if succeeded else "bold red"), target)


def _identities(player: ForeignPlayer) -> list[str]:
    return [message for message, _ in player.kept]


def _as_json(peer: str, measured: Sequence[Measured], succeeded: bool) -> dict[str, Any]:
    rows = [{"server": each.server, "played": each.setting.title, **each.held} for each in measured]
    return {
        "against": peer,
        "messages": measured[0].count,
        "played": rows,
        "as_found": succeeded,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `client-sim reproduce` takes for this."""
    parser.add_argument(
        "--against", choices=tuple(PEERS), help="play at a server that is not ours, if installed"
    )
