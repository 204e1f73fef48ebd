"""A device of somebody else's server, and whoever uses it: they send and receive, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from client_sim.foreign.adapter import Refused
from client_sim.history import (
    Ack,
    Answer,
    Batch,
    Closed,
    Connect,
    Content,
    Fault,
    Holds,
    Process,
    Record,
    Send,
    fingerprint,
)
from client_sim.house import CannotDo, Enrolled

if TYPE_CHECKING:
    from client_sim.foreign.house import ForeignHouse

CATCH_UP_S = 20.0
"""A server that has something new to say for longer than this says the same again and again."""

LOGINS_MAX = 20
"""Refused one after the other, while the server runs: then it is no matter of waiting."""


def cannot(what: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """A doing that adapters have no word for."""

    async def refuse(*_: object, **__: object) -> None:
        raise CannotDo(f"an adapter has no way to {what}")

    return refuse


class ForeignPlayer:
    """See Player. The device's place is the number of messages that it keeps, in the order in which
    they came: another server's own places mean nothing to us.

    It keeps and confirms what it pulls at once, and passes over what comes again only where its
    confirmation may have been lost.
    """

    def __init__(self, house: ForeignHouse, name: str, account: str) -> None:
        self.name = self.device = name
        self.account = account
        self.online = self.unplugged = self.cut_awaits = False
        self.owed = True
        self.kept: list[Content] = []
        self._house = house
        self._doing = asyncio.Lock()
        self._session = 0
        self._sent = self._refusals = 0
        self._outbox: list[tuple[str, str, str]] = []
        self._unconfirmed: set[str] = set()
        self._stirred = self._quiet = 0.0

    # -------------------------------------------------------- the app's life

    async def log_in(self) -> None:
        """See Player."""
        async with self._doing:
            if not self.online:
                self.online = True
                self._tell(Process(whose=self.device, state="started"))
            await self._connect()
            until = self._house.now() + CATCH_UP_S
            while await self._pull(self._house.quiet_ms) and self._house.now() < until:
                pass

    def admit(self, enrolled: Enrolled) -> None:
        """See Player."""
        raise CannotDo("an adapter has no way to log in by itself")

    async def log_out(self) -> None:
        """See Player. What has already come is kept first, as by an app that reads all the time."""
        async with self._doing:
            if self.online:
                await self._pull(0)
                await self._disconnect("close")
                self._end("stopped")

    async def end(self) -> None:
        """See Player."""
        await self.die()

    async def die(self) -> None:
        """See Player. What had come, and was not kept yet, is lost with the process."""
        async with self._doing:
            if self.online:
                if self._session and not self.unplugged:
                    await self._ask("pull", wait_ms=0)
                await self._disconnect("cut")
                self._end("crashed")

    def _end(self, state: str) -> None:
        self.online = False
        self._tell(Process(whose=self.device, state=state))

    # -------------------------------------------------------- what its user does

    async def send(self, address: str, count: int, size: int, to: tuple[str, ...]) -> None:
        """See Player. Only the addressee's devices must hold it; a sender's copies are not asked
        for."""
        if address not in self._house.accounts:
            raise CannotDo(f"adapters know accounts and no groups: {address}")
        async with self._doing:
            for _ in range(count):
                self._sent += 1
                message = f"{self.device}#{self._sent}"
                body = f"{self.name} says {self._sent}".ljust(size, ".")
                said = fingerprint(body.encode())
                told = Send(device=self.device, message=message, body=said, to=(address,))
                self._tell(told)
                self._outbox.append((message, address, body))
            await self._connect()

    edit = cannot("edit a message")
    recall = cannot("recall a message")
    delete = cannot("delete a message")
    read = cannot("mark anything as read")
    create = cannot("make a group")
    add = cannot("change a group")
    remove = cannot("change a group")
    leave = cannot("leave a group")

    def settled(self, head: int) -> bool:
        """See Player: it pulled in vain when nothing had happened for a while. Who is out of reach
        is not waited for."""
        if not self.online or self.unplugged or not self._house.serves:
            return True
        quiet_s = self._quiet - max(self._stirred, self._house.stirred)
        return bool(self._session) and quiet_s >= self._house.quiet_ms / 1000 and not self._outbox

    async def remains(self) -> Record:
        """See Player. A device whose server owes it nothing from before its first login is not
        judged by what it should have, where it came too late."""
        return Holds(
            at=self._house.now(),
            device=self.device,
            name=self.name,
            epoch=None,
            first=0,
            seq=len(self.kept),
            entries=tuple(self.kept),
            waiting=tuple(message for message, _, _ in self._outbox),
            online=self.online and self.owed,
        )

    # -------------------------------------------------------- what befalls it

    async def look(self) -> None:
        """What an app that runs does all the time: connect if need be, take what comes."""
        async with self._doing:
            if self.online:
                await self._connect()
                await self._pull(0)

    async def lose_connection(self) -> None:
        """It ends without a word, and the app notices at once."""
        async with self._doing:
            if self._session:
                self._tell(Fault(kind="cut", target=self.device))
                await self._disconnect("cut")
            else:
                self.cut_awaits = True

    async def lose_network(self) -> None:
        """Nothing passes, and neither the server nor the app is told."""
        if self._session:
            self._tell(Fault(kind="half_open", target=self.device))
        self.unplugged = True

    async def gain_network(self) -> None:
        """The old connection is of no use any more."""
        async with self._doing:
            self.unplugged = False
            await self._disconnect("cut")

    async def lose_server(self) -> None:
        """Its server is gone."""
        async with self._doing:
            await self._disconnect("cut")

    async def forget(self) -> None:
        """Its store is empty. It does not run."""
        await self._house.order("forget", **self._house.address(self))
        self.kept.clear()
        self._unconfirmed.clear()

    # -------------------------------------------------------- the adapter

    async def _connect(self) -> None:
        """Connect where it is to be connected, then send what waits."""
        if not self.online or self.unplugged or not self._house.serves:
            return
        if not self._session:
            if not await self._dial():
                return
            self._session = self._house.next_session()
            self._stirred = self._house.now()
            self._tell(Connect(device=self.device, session=self._session))
        if self.cut_awaits:
            self.cut_awaits = False
            self._tell(Fault(kind="cut", target=self.device))
            await self._disconnect("cut")
            return
        while self._session and self._outbox:
            await self._send(*self._outbox.pop(0))

    async def _dial(self) -> bool:
        """Whether the server let it in. Raises CannotDo where it never does."""
        try:
            await self._house.ask("login", **self._house.address(self))
        except Refused as error:
            self._refusals += 1
            if self._refusals == LOGINS_MAX:
                raise CannotDo(f"{self.name} cannot log in: {error}") from None
            return False
        self._refusals = 0
        return True

    async def _send(self, message: str, address: str, body: str) -> None:
        """What was not confirmed is not sent again: nobody says that the server would know it."""
        error = "the connection broke"
        try:
            await self._house.send(self, message, address, body)
        except Refused as refused:
            error = str(refused)
        else:
            error = ""
        outcome, code = ("lost", error) if error else ("accepted", "")
        told = Answer(device=self.device, message=message, outcome=outcome, code=code)
        self._tell(told)
        if error:
            await self._disconnect("cut")

    async def _pull(self, wait_ms: int) -> bool:
        """Take what has come; whether anything had."""
        if not self._session or self.unplugged:
            return False
        answer = await self._ask("pull", wait_ms=wait_ms)
        if answer is None:
            return False
        arrived = self._house.arrivals(answer)
        if not arrived:
            self._quiet = self._house.now()
            return False
        self._stirred = self._house.now()
        new = [each for each in arrived if each[0] not in self._unconfirmed]
        if new:
            prev = len(self.kept)
            self.kept += new
            self._unconfirmed.update(message for message, _ in new)
            told = Batch(
                device=self.device,
                session=self._session,
                epoch=self.device,
                prev=prev,
                messages=tuple(new),
            )
            self._tell(told)
        await self._confirm(answer["messages"][-1].get("place"))
        return bool(new)

    async def _confirm(self, place: object) -> None:
        if self._house.can("ack"):
            if place is None or await self._ask("ack", place=place) is None:
                return
            told = Ack(
                device=self.device, session=self._session, epoch=self.device, seq=len(self.kept)
            )
            self._tell(told)
        self._unconfirmed.clear()

    async def _ask(self, do: str, **fields: Any) -> dict[str, Any] | None:
        """The adapter's answer; None where it could not, and then the connection is given up."""
        try:
            return await self._house.ask(do, **self._house.address(self), **fields)
        except Refused:
            await self._disconnect("cut")
            return None

    async def _disconnect(self, how: str) -> None:
        session, self._session = self._session, 0
        if session:
            self._tell(Closed(device=self.device, session=session))
            await self._house.part(self, how)

    def _tell(self, record: Record) -> None:
        self._house.tell(record)
