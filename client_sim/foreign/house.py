"""Somebody else's server as a house: what an adapter can do of all that may befall a server."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from msgspec import structs

from client_sim.evidence import Evidence
from client_sim.foreign.adapter import Adapter, AdapterFailed, Introduction, Refused
from client_sim.foreign.player import ForeignPlayer, cannot
from client_sim.history import Content, Fault, History, Process, Record, fingerprint
from client_sim.house import CannotDo, Enrolled
from syncd.client.line import Dialler
from syncd.client.store import ClientStore

LOOK_S = 0.05
"""How often a device that runs takes what has come."""
SERVER = "server"


class ForeignHouse:
    """See House. One run with one adapter, which is running and is its maker's to end.

    Accounts, devices and messages have names that no other run has, so that a server which goes on
    from run to run need not be emptied. Records have those of the play.
    """

    world = "adapter"

    def __init__(self, adapter: Adapter, introduction: Introduction) -> None:
        self.history = History()
        self.players: dict[str, ForeignPlayer] = {}
        self.accounts: set[str] = set()
        self.accepted = 0
        self.stirred = 0.0
        """When the last message was accepted."""
        self.serves = True
        """Whether the server runs, as far as this run has to do with it."""
        self.quiet_ms = introduction.quiet_ms
        self._adapter, self._introduction = adapter, introduction
        self._mark = f"-{secrets.token_hex(3)}"
        self._sessions = count(1)
        self._addressed: dict[str, int] = {}
        self._start = time.monotonic()

    async def open(self) -> None:
        """See House. The server is the adapter's, and runs."""

    async def close(self) -> None:
        """See House."""

    def now(self) -> float:
        """See House."""
        return time.monotonic() - self._start

    async def wait(self, seconds: float) -> None:
        """See House. Devices that run take what comes, in turns."""
        until = self.now() + seconds
        while True:
            await asyncio.sleep(min(max(until - self.now(), 0.0), LOOK_S))
            for player in list(self.players.values()):
                await player.look()
            if self.now() >= until:
                return

    # ------------------------------------------------------------ devices

    async def enrol(self, account: str, name: str, platform: str) -> Enrolled:
        """See House. Where a server owes nothing from before a first login, that is made now."""
        self.accounts.add(account)
        self.players[name] = player = ForeignPlayer(self, name, account)
        await self.order("enrol", **self.address(player), platform=platform)
        if self._introduction.since_login:
            player.owed = account not in self._addressed
            await self.order("login", **self.address(player))
            await self.order("close", **self.address(player))
        return Enrolled(name, "")

    async def log_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        """See House."""
        raise CannotDo("an adapter has no way to log in by itself")

    sign_out = cannot("sign an account out")
    merge = cannot("merge accounts")

    def player(self, name: str, account: str, enrolled: Enrolled) -> ForeignPlayer:
        """The device that was enrolled under this name."""
        return self.players[name]

    def dialler(self, name: str) -> Dialler:
        """See House."""
        raise CannotDo("our own client does not speak another server's language")

    async def shelve(self, name: str) -> ClientStore:
        """See House."""
        raise CannotDo("our own client does not speak another server's language")

    async def abandon(self, name: str) -> None:
        """See House."""
        await self.players[name].die()

    async def forget(self, name: str) -> None:
        """See House."""
        await self.players[name].forget()

    async def cut(self, name: str, after_bytes: int = 0) -> None:
        """See House."""
        if after_bytes:
            raise CannotDo("an adapter has no way to cut a line after so many bytes")
        await self.players[name].lose_connection()

    async def unplug(self, name: str) -> None:
        """See House."""
        await self.players[name].lose_network()

    async def plug(self, name: str) -> None:
        """See House."""
        await self.players[name].gain_network()

    copy = cannot("copy a device's store")
    set_back = cannot("set a device back")
    clone = cannot("clone a device")
    stall = cannot("stop a device from reading")
    unstall = cannot("stop a device from reading")
    delay = cannot("delay a line")

    # ------------------------------------------------------------ the server

    async def start_server(self) -> None:
        """See House."""
        if not self.serves:
            await self.order("start_server")
            self.serves = True
            self.tell(Process(whose=SERVER, state="started"))

    async def stop_server(self) -> None:
        """See House."""
        await self._end_server("stop_server", "stopped")

    async def kill_server(self) -> None:
        """See House."""
        await self._end_server("kill_server", "crashed")

    async def _end_server(self, do: str, state: str) -> None:
        if self.serves:
            await self.order(do)
            self.serves = False
            if state == "crashed":
                self.tell(Fault(kind="server_crash", target=SERVER))
            self.tell(Process(whose=SERVER, state=state))
            for player in self.players.values():
                await player.lose_server()

    freeze_server = cannot("freeze its server")
    thaw_server = cannot("freeze its server")
    fill_disk = cannot("fill its server's disk")
    free_disk = cannot("fill its server's disk")
    slow_disk = cannot("slow its server's disk down")
    fast_disk = cannot("slow its server's disk down")
    back_up = cannot("take a backup")
    restore = cannot("restore a backup")
    put_back = cannot("put a backup back")
    trim = cannot("trim a log")
    revoke = cannot("revoke a device")
    publish = cannot("send from outside a device")
    jump = cannot("set its server's clock")

    def calm(self) -> None:
        """See House. No fault happens here by itself."""

    async def heads(self) -> dict[str, int]:
        """See House: how many messages to each account were accepted."""
        return dict(self._addressed)

    async def remains(self) -> Sequence[Record]:
        """See House. What another server has stored is its own affair."""
        return ()

    # ------------------------------------------------------------ for its players

    def tell(self, record: Record) -> None:
        """Into the history, at this moment."""
        self.history.tell(structs.replace(record, at=self.now()))

    def next_session(self) -> int:
        """A number for a new connection."""
        return next(self._sessions)

    def can(self, do: str) -> bool:
        """Whether the adapter does what not all of them do."""
        return do in self._introduction.can

    def address(self, player: ForeignPlayer) -> dict[str, str]:
        """The account and the device, as the adapter knows them."""
        return {"account": self._outside(player.account), "device": self._outside(player.name)}

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The adapter's answer. Raises Refused."""
        return await self._adapter.ask(do, **fields)

    async def order(self, do: str, **fields: Any) -> None:
        """The same for what must not fail. Raises CannotDo."""
        if do in ("forget", "kill_server", "stop_server", "start_server") and not self.can(do):
            raise CannotDo(f"this adapter does not offer {do}")
        try:
            await self._adapter.ask(do, **fields)
        except Refused as error:
            raise AdapterFailed(f"the adapter was asked to {do} and said: {error}") from None

    async def part(self, player: ForeignPlayer, how: str) -> None:
        """End a connection; one that is broken already may say so."""
        try:
            await self._adapter.ask(how, **self.address(player))
        except Refused:
            return

    async def send(self, player: ForeignPlayer, message: str, address: str, body: str) -> None:
        """Returns when the server confirmed it. Raises Refused."""
        to, marked = self._outside(address), message + self._mark
        await self._adapter.ask("send", **self.address(player), to=to, message=marked, body=body)
        self.accepted += 1
        self.stirred = self.now()
        self._addressed[address] = self._addressed.get(address, 0) + 1

    def arrivals(self, answer: dict[str, Any]) -> list[Content]:
        """The messages of an answer to a pull. Raises AdapterFailed."""
        try:
            return [
                (each["message"].removesuffix(self._mark), fingerprint(each["body"].encode()))
                for each in answer["messages"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise AdapterFailed(f"no answer to a pull: {answer} ({error!r})") from None

    def _outside(self, name: str) -> str:
        """A play's name where a server sees it: a word, and no other run's."""
        return re.sub(r"\W+", "-", name) + self._mark
