"""One run of a device's app: our own SDK over a recorded line and a recorded store.

It ends when its user logs out, or in the middle of a step, when its process is killed. What the SDK
says must not happen is complained about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from client_sim.history import Complaint
from client_sim.house import Enrolled, House
from client_sim.recorded_line import RecordedDialler
from client_sim.recorded_store import RecordedStore
from syncd import errors, limits
from syncd.client import Closed, Device, Item, SendRefused, ServerSkipped, Stopped
from syncd.client.assembly import assembled
from syncd.client.exceptions import StoreUnusable
from syncd.model import AccountId, Identity, Kind
from syncd.protocol.client_table import State
from syncd.protocol.view import View

SERVER = "ws://simulated/v1/sync"
"""The address that stores belong to; lines have addresses of their own, which may change."""
_GIVE_UP_PER_S = 20.0
_TURNED_AWAY = (
    errors.FENCED,
    errors.DEVICE_REVOKED,
    errors.NOT_AUTHENTICATED,
    errors.TOKEN_ROTATED,
    errors.SIGNED_OUT,
    errors.SIGNED_OUT_BY_MERGE,
)
"""For these a server may tell a device not to come back; for others it is somebody's mistake."""

Doing = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True)
class Part:
    """Who is played, where, and how.

    sessions: numbers for its connections. options: of the play. befalls: whether this fault (its
        user gives up waiting) happens to this device here and now; None where it never does.
    """

    house: House
    name: str
    account: str
    enrolled: Enrolled
    sessions: Iterator[int]
    chance: Random
    options: Mapping[str, Any]
    befalls: Callable[[str, str], bool] | None = None

    @property
    def device(self) -> str:
        """As records name it."""
        return self.enrolled.device

    def instance(self) -> str:
        """Of one run."""
        return f"{self.chance.getrandbits(64):0{limits.INSTANCE_CHARACTERS}x}"

    def complain(self, text: str, judge: str) -> None:
        """Tell of what must not happen."""
        house = self.house
        house.history.tell(
            Complaint(at=house.now(), whose=self.device, text=f"{self.name}: {text}", judge=judge)
        )


class App:
    """Made anew for each run; `start` begins it."""

    def __init__(self, part: Part) -> None:
        self.device: Device | None = None
        """None while the store is being opened, and for ever where that failed."""
        self.store: RecordedStore | None = None
        self.over = False
        """Whether it was turned away for good, or failed."""
        self.newest: tuple[str, Identity] | None = None
        """The message that came last, and its conversation."""
        self.own: tuple[str, Identity] | None = None
        """The last message of its own that was accepted."""
        self._part = part
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._doings = 0
        self._dropped = False
        self._leaving = False
        self._place = (-1, 0)
        self._complained: set[str] = set()

    def start(self) -> None:
        """Open the store, connect, and hand out everything that comes."""
        self._keep(self._run)

    # -------------------------------------------------------- what it does by itself

    async def _run(self) -> None:
        try:
            await self._open()
            device = self.device
            assert device is not None
            await self._insist(lambda: self._read_on(device))
        finally:
            self.over = True
            if not self._opened.done():
                self._opened.set_result(None)

    async def _open(self) -> None:
        part, house = self._part, self._part.house
        tell = house.history.tell
        self.store = RecordedStore(
            await house.shelve(part.name), part.device, part.account, tell, house.now
        )
        line = house.dialler(part.name)
        self.device = await assembled(
            self.store,
            RecordedDialler(line, part.device, tell, house.now, part.sessions),
            server=SERVER,
            token=part.enrolled.token,
            instance=part.instance(),
            jitter=part.chance.random,
            window=part.options.get("window", limits.WINDOW_BYTES_DEFAULT),
            verify_start=part.options.get("verify_start", True),
        )
        self._opened.set_result(None)

    async def _read_on(self, device: Device) -> None:
        async for item in device:
            self._show(item)

    def _show(self, item: Item) -> None:
        era, seq = self._place
        if item.era == era and item.seq > seq + 1:
            self._complain(f"the application got {item.seq} after {seq}", "prefix")
        self._place = (item.era, max(item.seq, seq) if item.era == era else item.seq)
        entry = item.entry
        if entry.kind == Kind.MESSAGE:
            self.newest = (entry.conversation, entry.identity)
            if entry.device == self._part.device:
                self.own = self.newest

    async def view(self) -> View:
        """What it shows: all that its store holds of the log."""
        assert self.device is not None
        view = View(AccountId(self._part.account))
        async for item in self.device.history():
            view.apply(item.seq, item.epoch, item.entry, item.era)
        view.trim(self.device.floor)
        return view

    # -------------------------------------------------------- what is asked of it

    def settled(self, head: int) -> bool:
        """See Player."""
        if self.over:
            return True
        device, store = self.device, self.store
        if device is None or store is None or self._doings or store.waiting:
            return False
        place = device.position
        return device.state == State.SYNCING.value and place is not None and place.seq == head

    @property
    def connected(self) -> bool:
        """Whether it has a verdict, and the line that it came by."""
        return self.device is not None and self.device.state == State.SYNCING.value

    @property
    def stuck(self) -> bool:
        """Whether its user waits for something although no message is without an answer."""
        waiting = self.store is None or self.store.waiting
        return self.connected and not waiting and self._doings > 0

    async def caught_up(self, patience_s: float) -> None:
        """Wait until it has everything, or was turned away, or so long."""
        await asyncio.wait({self._opened}, timeout=patience_s)
        if self.device is not None and not self.over:
            await self._insist(self.device.caught_up, patience_s)

    async def do(
        self, doing: Callable[[Device], Coroutine[Any, Any, Any]], patience_s: float
    ) -> None:
        """Begin something, and watch it so long; it goes on by itself. Nothing where it is over."""
        await asyncio.wait({self._opened}, timeout=patience_s)
        if self.device is None or self.over:
            return
        task = self._begin(partial(doing, self.device))
        self._doings += 1
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=patience_s)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._doings -= 1

    async def close(self, patience_s: float) -> bool:
        """Say goodbye; whether that came to its end in time."""
        self._leaving = True
        await asyncio.wait({self._opened}, timeout=patience_s)
        if not self._opened.done():
            return False
        return self.device is None or await self._insist(self.device.close, patience_s)

    def drop(self) -> None:
        """Its process ends here and now; the house knows already."""
        self._dropped = self.over = True
        if self.device is not None:
            self.device.abort()
        for task in list(self._tasks):
            task.cancel()

    # -------------------------------------------------------- how it does that

    async def _insist(self, doing: Doing, patience_s: float | None = None) -> bool:
        """Whoever gives up does it again. Whether it came to its end in time."""
        until = None if patience_s is None else self._loop.time() + patience_s
        while not self._dropped:
            task = self._begin(doing)
            left = None if until is None else max(0.0, until - self._loop.time())
            await asyncio.wait({task}, timeout=left)
            if not task.cancelled():
                return task.done()
        return True

    def _begin(self, doing: Doing) -> asyncio.Task[None]:
        task = self._keep(doing)
        if self._part.befalls is not None:
            delay = self._part.chance.expovariate(_GIVE_UP_PER_S)
            self._loop.call_later(delay, self._perhaps_give_up, task, self._part.befalls)
        return task

    def _perhaps_give_up(
        self, task: asyncio.Task[None], befalls: Callable[[str, str], bool]
    ) -> None:
        if not task.done() and befalls("cancelled", self._part.name):
            task.cancel()

    def _keep(self, doing: Doing) -> asyncio.Task[None]:
        task = self._loop.create_task(self._guarded(doing))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    async def _guarded(self, doing: Doing) -> None:
        """What the SDK may say is no news here: the records tell. All else is complained about."""
        try:
            await doing()
        except (SendRefused, Closed):
            return
        except StoreUnusable as error:
            if not self._leaving:  # else its user asked for something while it said goodbye
                self._complain(str(error), "poison-safe")
        except ServerSkipped as error:
            self._complain(str(error), "explicit-gap")
        except Stopped as error:
            if error.refusal not in _TURNED_AWAY:
                self._complain(str(error), "poison-safe")
        except Exception as error:
            self._complain(f"{type(error).__name__}: {error}", "poison-safe")

    def _complain(self, text: str, judge: str) -> None:
        if text not in self._complained:
            self._complained.add(text)
            self._part.complain(text, judge)
