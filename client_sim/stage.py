"""Where one play takes place: an account on a live server, its devices, and a friend who writes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from client_sim.door import Door
from client_sim.installation import SYNC_TIMEOUT_S, Installation
from client_sim.live_server import socket_url
from client_sim.measured import Happening, Line, Moment, Playing, digest_of
from syncd.client import Accepted, Device, connect
from syncd.model import AccountId, direct

CURSOR_TIMEOUT_S = 3.0
"""A server saves a cursor within a second of its ack; one that has not by now will not."""
CURSOR_LOOK_S = 0.03
SEND_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What all stages of one half share."""

    url: str
    """The server's HTTP address."""
    door: Door
    folder: Path
    """For the stores of the devices."""
    verify_start: bool
    """Off in the wrong half: there it is noted what the client's check would have said."""


class Stage:
    """One account, in which nothing has happened yet, and what happens to it. See `set_up`."""

    def __init__(self, scene: Scene, account: AccountId, friend: Device) -> None:
        self.scene = scene
        self.account = account
        self.due: list[Line] = []
        self.moments: list[Moment] = []
        self.installations: list[Installation] = []
        self._friend = friend

    async def install(self, name: str, platform: str = "pc") -> Installation:
        """A new device of the account, with an empty store."""
        credential = await self.scene.door.create_device(self.account, name, platform)
        store = self.scene.folder / f"{self.account}-{name}.db"
        url = socket_url(self.scene.url)
        made = Installation(
            name, platform, url, credential.token, store, verify_start=self.scene.verify_start
        )
        made.device_id = credential.device
        self.installations.append(made)
        return made

    async def arrive(self, count: int, *, characters: int = 0) -> None:
        """The friend's phone sends messages; those who are online show them.

        characters: how long their texts are at least.
        """
        first = len(self.due) + 1
        texts = [f"message {number}" for number in range(first, first + count)]
        bodies = [text.ljust(characters, ".").encode() for text in texts]
        assert self._friend.account is not None
        conversation = direct(self._friend.account, self.account)
        async with asyncio.timeout(SEND_TIMEOUT_S):
            outcomes = await self._friend.send_many(conversation, bodies)
        sender = str(self._friend.device_id)
        for outcome, body in zip(outcomes, bodies, strict=True):
            assert isinstance(outcome, Accepted), outcome
            # Nobody else writes here, so the account's log grows by exactly these, in this order.
            self.due.append(Line(len(self.due) + 1, sender, outcome.number, digest_of(body)))
        self.moments.append(Moment(Happening.ARRIVED, count=count))
        for each in self.installations:
            if each.online:
                await each.wait_shown(len(self.due))

    async def login(self, who: Installation) -> None:
        """The device logs in and syncs."""
        cursor = await self.cursor(who)
        came = await who.login()
        self.moments.append(Moment(Happening.LOGGED_IN, who.name, came, cursor, who.start))

    async def logout(self, who: Installation) -> None:
        """The device logs out; the server has saved by then what it acknowledged."""
        await who.logout()
        cursor = await self.settle(who)
        self.moments.append(Moment(Happening.LOGGED_OUT, who.name, cursor=cursor))

    async def visit(self, who: Installation) -> None:
        """Login and logout."""
        await self.login(who)
        await self.logout(who)

    async def settle(self, who: Installation) -> int:
        """Wait until the server has saved how far the device is, and give that.

        A person who changes PCs takes longer than the second that a server may take to save a
        cursor; without this wait a wrong key would sometimes be forgiven.
        """
        due = who.position.seq if who.position is not None else 0
        try:
            async with asyncio.timeout(CURSOR_TIMEOUT_S):
                # The cursor is in another process: there is nothing to wait on but looking.
                while (cursor := await self.cursor(who)) < due:  # noqa: ASYNC110
                    await asyncio.sleep(CURSOR_LOOK_S)
        except TimeoutError:
            return await self.cursor(who)
        return cursor

    async def cursor(self, who: Installation) -> int:
        """What the server has stored for this device."""
        return (await self.scene.door.standings(self.account))[who.device_id].cursor

    def playing(self) -> Playing:
        """All that was measured."""
        holdings = tuple(each.holding() for each in self.installations)
        return Playing(tuple(self.due), holdings, tuple(self.moments))

    async def clear(self) -> None:
        """Log out whoever is still online."""
        for each in self.installations:
            await each.logout()


@asynccontextmanager
async def set_up(scene: Scene, name: str) -> AsyncIterator[Stage]:
    """A stage with a fresh account and a friend whose phone is online; cleared with the block."""
    mark = secrets.token_hex(4)
    account, friend = AccountId(f"{name}-{mark}"), AccountId(f"friend-of-{name}-{mark}")
    phone = await scene.door.create_device(friend, "phone", "phone")
    url = socket_url(scene.url)
    async with AsyncExitStack() as stack:
        device = await stack.enter_async_context(connect(url, token=phone.token))
        watching = asyncio.create_task(_watch(device))
        stack.push_async_callback(asyncio.wait, [watching])
        stack.callback(watching.cancel)
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            await device.caught_up()
        stage = Stage(scene, account, device)
        stack.push_async_callback(stage.clear)
        yield stage


async def _watch(device: Device) -> None:
    """The friend reads its own log too, or the server would stop sending to it."""
    async for _ in device:
        pass
