"""One run of the pretended server's process: real committer, reader, wake-ups, identity, sessions.

What server/app.py puts together around sockets. When it dies none of its steps has an effect any
more: its storage never answers, its seats hear nothing, its lines are cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

from client_sim.platform import Platform
from client_sim.pretend.latent_storage import LatentStorage, Platter
from client_sim.pretend.line import Line
from client_sim.pretend.reception import Reception
from client_sim.pretend.seat import Seat
from client_sim.pretend.world import World
from syncd import errors
from syncd.committer import Committer
from syncd.errors import Refusal
from syncd.identity.devices import Admission, Devices
from syncd.limits import POLL_INTERVAL_S
from syncd.live_connections import LiveConnections
from syncd.model import AccountId, DeviceId, members_of_direct
from syncd.reader import Reader
from syncd.storage import StorageError
from syncd.wakeups import Wakeups
from syncd.wire.frames import Signal, Signalled

Answer = TypeVar("Answer")

_STALL_LOOK_S = 5.0
_LATE_MAX_S = 0.5
_GOODBYE_S = 6.0
_LOOK_S = 0.05


class NoisyWakeups(Wakeups):
    """Wake-ups that get lost, come late or twice; those of the poll arrive."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._random = world.chance("wakeups")

    def wake(self, accounts: Iterable[AccountId]) -> None:
        world = self._world
        for account in sorted(accounts):
            if world.befalls("wake_lost", account):
                continue
            if world.befalls("wake_late", account):
                delay = self._random.random() * _LATE_MAX_S
                world.loop.call_later(delay, super().wake, [account])
            else:
                super().wake([account])
            if world.befalls("wake_doubled", account):
                super().wake([account])

    def wake_surely(self, accounts: Iterable[AccountId]) -> None:
        """What the poll found."""
        super().wake(accounts)


class Node:
    """See the module. died: told when it stops by itself; nothing is left to be done for it."""

    def __init__(
        self,
        platter: Platter,
        platform: Platform,
        numbers: count[int],
        died: Callable[[], None],
    ) -> None:
        self._platform = platform
        self.world = platter.world
        self.alive = True
        self.frozen = False
        self.draining = False
        self.dead: asyncio.Future[None] = self.world.loop.create_future()
        self.storage = LatentStorage(platter, platter.disk.open(), self)
        self.scope = self.storage.cursor_scope
        self.live = LiveConnections()
        self.wakeups = NoisyWakeups(self.world)
        self.committer = Committer(self.storage, self.wakeups, self.storage_failed)
        self.reader = Reader(self.storage)
        draw = self.world.chance("identity").randbytes
        self.devices = Devices(self.storage, ended=self.live.end, draw=draw)
        self._numbers = numbers
        self._died = died
        self._seats: dict[Line, Seat] = {}
        self._thawed: deque[asyncio.Future[None]] = deque()
        self._postponed: deque[Callable[[], None]] = deque()
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._committing = self.keep(self.committer.run())
        self.keep(self.reader.run())
        if self.world.loses_wakeups:
            # Else nothing may lean on the poll: it would hide a wake-up that the service forgot.
            self.keep(self._poll())
        self.keep(self._look_for_stalled())

    @cached_property
    def reception(self) -> Reception:
        """Where one logs in."""
        return Reception(self, self._platform)

    # -------------------------------------------------------- for the parts

    def keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run it as a part of this process."""
        task = self.world.loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and self.alive:
            self.world.complain(f"a task of the server died: {error!r}")
            self.crash()

    def storage_failed(self, error: StorageError) -> None:
        """The outcome of a commit is unknown: nothing may be answered any more."""
        self.crash()

    async def breathe(self) -> None:
        """Return where the process lives and may go on; a dead one never returns."""
        while self.frozen and self.alive:
            thawed = self.world.loop.create_future()
            self._thawed.append(thawed)
            await thawed
        if not self.alive:
            await self.world.never()

    def awake(self, call: Callable[[], None]) -> None:
        """Call it now, or when the process goes on."""
        if self.frozen:
            self._postponed.append(call)
        else:
            call()

    async def authenticate(self, token: str) -> Admission | Refusal:
        """Whose token it is."""
        try:
            return await self.devices.authenticate(token)
        except StorageError:
            return errors.STORAGE_UNAVAILABLE

    async def sound(self, asked: Coroutine[object, object, Answer]) -> Answer:
        """What this answers; where nobody can know what became of it, the process ends."""
        try:
            return await asked
        except StorageError as error:
            if not error.definite:
                self.crash()
                await self.world.never()
            raise

    def signal(self, frame: Signal, account: AccountId, device: DeviceId) -> None:
        """Tell the connected devices of the conversation's members."""
        self.keep(
            self._signal(Signalled(frame.conversation, account, device, frame.kind, frame.body))
        )

    async def _signal(self, signal: Signalled) -> None:
        members: Collection[AccountId] | None = members_of_direct(signal.conversation)
        if members is None:
            members = await self.storage.members(signal.conversation) or ()
        for account in dict.fromkeys(members) if signal.account in members else ():
            for device, seat in self.live.of(account):
                if device != signal.device:
                    seat.signalled(signal)

    async def outlives(self, asked: asyncio.Future[Any]) -> bool:
        """Whether this is done before the process is dead."""
        both: tuple[asyncio.Future[Any], ...] = (asked, self.dead)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return asked.done()

    # -------------------------------------------------------- lines

    def welcome(self, line: Line) -> Seat:
        """A connection was accepted."""
        seat = self._seats[line] = Seat(self, line, next(self._numbers))
        return seat

    def forget(self, line: Line) -> None:
        """The session on it is over."""
        self._seats.pop(line, None)

    # -------------------------------------------------------- looking around

    async def _poll(self) -> None:
        random = self.world.chance("poll")
        while True:
            await asyncio.sleep(POLL_INTERVAL_S * random.uniform(0.75, 1.25))
            await self.breathe()
            try:
                heads = await self.storage.heads(self.wakeups.accounts())
            except StorageError:
                continue
            self.wakeups.wake_surely(self.wakeups.moved(heads))

    async def _look_for_stalled(self) -> None:
        while True:
            await asyncio.sleep(_STALL_LOOK_S)
            await self.breathe()
            for connection in self.live.all():
                connection.look_for_stall(self.world.now())

    # -------------------------------------------------------- the end

    def freeze(self) -> None:
        """It does nothing any more, and its sockets stay."""
        self.frozen = True

    def thaw(self) -> None:
        """It goes on."""
        self.frozen = False
        while self._thawed:
            self._thawed.popleft().set_result(None)
        while self._postponed:
            self._postponed.popleft()()
        for line in list(self._seats):
            line.up.release()

    async def drain(self) -> None:
        """Say goodbye, let what was taken become durable, and end."""
        self.draining = True
        self.live.drain()
        for _ in range(int(_GOODBYE_S / _LOOK_S)):
            if not len(self.live):
                break
            await asyncio.sleep(_LOOK_S)
        self.committer.drain()
        await self.outlives(self._committing)
        self.kill()

    def crash(self) -> None:
        """It dies by itself. Nothing where it is dead."""
        if self.alive:
            self.kill()
            self._died()

    def kill(self) -> None:
        """It dies here: what is not committed is lost, what is is not always answered."""
        if not self.alive:
            return
        self.alive = self.frozen = False
        self.dead.set_result(None)
        for seat in self._seats.values():
            seat.died()
