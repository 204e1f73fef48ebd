"""The pretended house: a server, lines, disks and devices' stores in virtual time, from one seed.

Everything between the lines and the disks is the real thing: codec, sessions, committer, reader,
identity, storage. The same seed and the same calls give the same history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import count
from random import Random
from typing import Any, TypeVar

from client_sim.evidence import Evidence
from client_sim.history import (
    SERVER,
    History,
    Process,
    Record,
    Renewed,
    Revoked,
)
from client_sim.house import CannotDo, Enrolled
from client_sim.platform import Platform
from client_sim.pretend.device_store import Drawer, PretendStore
from client_sim.pretend.dialled import PretendDialler
from client_sim.pretend.disk import Disk, MemoryDisk, remains
from client_sim.pretend.front_desk import FrontDesk
from client_sim.pretend.latent_storage import Platter
from client_sim.pretend.line import Link
from client_sim.pretend.node import Node
from client_sim.pretend.press import Press
from client_sim.pretend.sqlite_disk import SqliteDisk
from client_sim.pretend.world import World
from client_sim.weather import CALM, Weather, checked
from syncd.identity.devices import Devices
from syncd.model import AccountId, CursorScope, DeviceId

Result = TypeVar("Result")

MEMORY, SQLITE = "memory", "sqlite"
"""What the server's storage may be."""

NO_OPTIONS: Mapping[str, Any] = {}

_DISKS: Mapping[str, Callable[[Random, CursorScope], Disk]] = {
    MEMORY: MemoryDisk,
    SQLITE: SqliteDisk,
}

_RESTART_MAX_S = 3.0
"""How long it takes until somebody starts a server that died by itself."""
_PATIENCE_S = 60.0
_LOOK_S = 0.05


class PretendHouse:
    """See House. `run` runs a coroutine in this house's time.

    storage: MEMORY or SQLITE. options: of a play; the scope of the cursors is the house's part.
    """

    world = "pretend"

    def __init__(
        self,
        seed: int,
        storage: str = MEMORY,
        weather: Weather = CALM,
        options: Mapping[str, Any] = NO_OPTIONS,
    ) -> None:
        self.history = History()
        self._world = World(seed, weather, self.history)
        scope = CursorScope(options.get("scope", CursorScope.DEVICE.value))
        random = self._world.chance("epochs")
        self._disk: Disk = _DISKS[storage](random, scope)
        self._platter = Platter(self._world, self._disk)
        self._platform = Platform(self._world.chance("platform"), self._world.now)
        self._desk = FrontDesk(self._platform, self._insist)
        self._press = Press(self._world)
        self._node: Node | None = None
        self._dead: list[Node] = []
        self._unanswered: list[asyncio.Task[Any]] = []
        self._numbers = count(1)
        self._devices: dict[str, DeviceId] = {}
        self._links: dict[str, Link] = {}
        self._drawers: dict[str, Drawer] = {}
        self._diallers: dict[str, PretendDialler] = {}
        self._stores: dict[str, PretendStore] = {}
        self._backed_up = False
        self._thaws = 0

    def run(self, play: Coroutine[Any, Any, Result]) -> Result:
        """Run it in this house's time, to its end. Raises StandsStill, and what it raises."""
        try:
            return self._world.loop.run_until_complete(play)
        except BaseException:
            self._disk.close()  # where the world stands still nobody comes to close the house
            raise

    def chance(self, name: str) -> Random:
        """The stream of chance of this name; "disk", "wakeups" and the like are taken."""
        return self._world.chance(name)

    @property
    def weather(self) -> Weather:
        """The faults that come by chance, as long as it is not calm."""
        return self._world.weather

    @property
    def faults(self) -> dict[str, int]:
        """How many faults came by chance, by kind."""
        return dict(self._world.faults)

    def befalls(self, kind: str, target: str) -> bool:
        """Whether this fault of the weather happens here and now; then it is told."""
        return self._world.befalls(kind, target)

    async def open(self) -> None:
        await self.start_server()

    async def close(self) -> None:
        """End everything: nothing of what still ends is told."""
        self._world.end()
        # A device that is closing takes the first cancellation for the end of whom it waits for.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_LOOK_S)
        self._disk.close()

    def now(self) -> float:
        return self._world.now()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # ------------------------------------------------------------ devices

    async def enrol(self, account: str, name: str, platform: str) -> Enrolled:
        draw = self._world.chance(f"identity {name}").randbytes
        made = await self._insist(
            lambda node: Devices(node.storage, draw=draw).create(
                account, name=name, platform=platform
            )
        )
        self._devices[name] = made.device
        return Enrolled(made.device, made.token)

    async def log_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        got = await self._desk.log_in(name, platform, kept, evidence)
        if self._devices.get(name) != got.device:
            self._devices[name] = DeviceId(got.device)
            self._links.pop(name, None)
        return got

    async def sign_out(self, account: str) -> None:
        await self._desk.sign_out(account)

    async def merge(self, guest: str, account: str) -> None:
        await self._desk.merge(guest, account)

    def dialler(self, name: str) -> PretendDialler:
        dialler = self._diallers[name] = PretendDialler(self._link(name))
        return dialler

    async def shelve(self, name: str) -> PretendStore:
        drawer = self._drawers.setdefault(name, Drawer())
        store = self._stores[name] = PretendStore(self._world, name, drawer)
        return store

    async def abandon(self, name: str) -> None:
        if dialler := self._diallers.pop(name, None):
            dialler.abandon()
        if store := self._stores.pop(name, None):
            store.abandon()

    async def forget(self, name: str) -> None:
        if drawer := self._drawers.get(name):
            drawer.empty()

    async def copy(self, name: str) -> None:
        self._drawers.setdefault(name, Drawer()).copy()

    async def set_back(self, name: str) -> None:
        drawer = self._drawers.get(name)
        if drawer is None or not drawer.set_back():
            raise CannotDo(f"{name} was not copied")

    async def clone(self, name: str, other: str) -> None:
        self._drawers[other] = self._drawers.setdefault(name, Drawer()).clone()
        self._devices[other] = self._devices[name]

    def _befell(self, kind: str, name: str, detail: str = "") -> None:
        self._world.fault(kind, self._devices[name], detail)

    def _link(self, name: str) -> Link:
        link = self._links.get(name)
        if link is None:
            link = self._links[name] = Link(
                self._world, name, self._devices[name], lambda: self._node
            )
        return link

    # ------------------------------------------------------------ lines

    async def cut(self, name: str, after_bytes: int = 0) -> None:
        self._link(name).cut(after_bytes)

    async def unplug(self, name: str) -> None:
        self._link(name).unplug()
        self._befell("half_open", name)

    async def plug(self, name: str) -> None:
        self._link(name).plugged = True

    async def stall(self, name: str) -> None:
        self._link(name).stalled = True
        self._befell("slow_reader", name)

    async def unstall(self, name: str) -> None:
        self._link(name).unstall()

    async def delay(self, name: str, milliseconds: int) -> None:
        self._link(name).delay_s = milliseconds / 1000
        if milliseconds:
            self._befell("delay", name, f"{milliseconds} ms")

    # ------------------------------------------------------------ the server

    async def start_server(self) -> None:
        while self._node is not None and self._node.draining:
            await asyncio.wait([self._node.dead])
        self._start()

    def _start(self) -> None:
        if self._node is None:
            self._node = Node(self._platter, self._platform, self._numbers, self._died)
            self._tell_process("started")

    async def stop_server(self) -> None:
        node = self._node
        if node is not None:
            await node.drain()
            self._bury(node, "stopped")

    async def kill_server(self) -> None:
        self._start()  # where none runs, the one that is just being started
        self._world.fault("server_crash", "server")
        self._kill()

    def _kill(self) -> None:
        if self._node is not None:
            self._node.kill()
            self._bury(self._node, "crashed")

    def _bury(self, node: Node, state: str) -> None:
        """It is dead; its tasks are kept, so that nobody sweeps them up."""
        self._dead.append(node)
        if self._node is node:
            self._node = None
            self._tell_process(state)

    def _died(self) -> None:
        """The server died by itself: somebody will start it again."""
        assert self._node is not None, "only a server that runs dies"
        self._bury(self._node, "crashed")
        delay = self._world.chance("restart").random() * _RESTART_MAX_S
        self._world.loop.call_later(delay, self._start)

    async def freeze_server(self) -> None:
        thaws = self._thaws
        node = await self._serving()
        node.freeze()
        self._world.fault("frozen", "server")
        if thaws != self._thaws:
            node.thaw()  # it was to go on already while it was still being started

    async def thaw_server(self) -> None:
        self._thaws += 1
        if self._node is not None:
            self._node.thaw()

    async def fill_disk(self) -> None:
        self._platter.full = True
        self._world.fault("disk_full", "server")

    async def free_disk(self) -> None:
        self._platter.full = False

    async def slow_disk(self) -> None:
        self._platter.slow = True
        self._world.fault("slow_disk", "server")

    async def fast_disk(self) -> None:
        self._platter.slow = False

    async def back_up(self) -> None:
        self._disk.back_up()
        self._backed_up = True

    async def restore(self) -> None:
        self._insist_on_backup()
        while self._node is not None:
            await self.stop_server()
        self._disk.restore()
        await self._renewed("restore", "restore")

    async def put_back(self) -> None:
        self._insist_on_backup()
        self._kill()
        self._disk.put_back()
        await self._renewed("put_back", "by hand")

    def _insist_on_backup(self) -> None:
        if not self._backed_up:
            raise CannotDo("no backup was taken")

    async def _renewed(self, kind: str, why: str) -> None:
        """Other logs are in place: tell which, and start."""
        self._world.fault(kind, "server")
        for log in self._disk.logs():
            self._platter.heads[log.account] = log.head
            self._world.tell(
                Renewed(
                    at=self.now(),
                    by=SERVER,
                    account=log.account,
                    epoch=log.epoch.hex(),
                    head=log.head,
                    why=why,
                )
            )
        await self.start_server()

    async def trim(self, account: str, keep: int) -> None:
        await self._insist(lambda node: self._trim(node, AccountId(account), keep))

    async def _trim(self, node: Node, account: AccountId, keep: int) -> None:
        head = (await self.heads())[account]
        await node.storage.trim(account, max(head - keep, 0) + 1)
        self._world.fault("trim", account, f"keeps {keep}")
        node.wakeups.wake([account])

    async def revoke(self, name: str) -> None:
        await self._insist(lambda node: node.devices.revoke(self._devices[name]))
        self._world.tell(Revoked(at=self.now(), by=SERVER, device=self._devices[name]))

    async def publish(self, account: str, body: bytes) -> None:
        node = await self._serving()
        await self._press.publish(node, AccountId(account), body)

    async def jump(self, seconds: float) -> None:
        self._world.jump(seconds)
        self._world.fault("clock_jump", "server", f"{seconds:g} s")

    def calm(self) -> None:
        self._world.weather = checked(CALM)

    async def _insist(self, ask: Callable[[Node], Coroutine[Any, Any, Result]]) -> Result:
        """What the server answers; the next one is asked again where it dies before that."""
        while True:
            node = await self._serving()
            asked: asyncio.Task[Result] = self._world.loop.create_task(ask(node))
            if await node.outlives(asked):
                return asked.result()
            self._unanswered.append(asked)

    async def _serving(self) -> Node:
        """The server that runs, waiting for one for a while. Raises CannotDo."""
        until = self.now() + _PATIENCE_S
        while self._node is None:
            if self.now() > until:
                raise CannotDo("no server runs")
            await asyncio.sleep(_LOOK_S)
        return self._node

    def _tell_process(self, state: str) -> None:
        self._world.tell(Process(at=self.now(), by=SERVER, whose="server", state=state))

    # ------------------------------------------------------------ the end

    async def heads(self) -> dict[str, int]:
        return {log.account: log.head for log in self._disk.logs()}

    async def remains(self) -> Sequence[Record]:
        return remains(self._disk, self.now(), self._devices.values())
