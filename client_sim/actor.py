"""Whoever plays a device of the cast with our own SDK, and the habits of its user."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from random import Random
from typing import Any

from msgspec import structs

from client_sim.app import SERVER, App, Part
from client_sim.history import Content, Holds, Process
from client_sim.house import Enrolled, House
from client_sim.recorded_line import content, identity
from client_sim.recorded_store import RecordedStore
from syncd.client import Device, PendingState
from syncd.client.store import ClientStore, Run, Shelf
from syncd.model import Accepted, AccountId, DeviceId, Identity, Outcome, direct
from syncd.protocol.client_events import Loaded

_LOGIN_PATIENCE_S = 60.0
_PATIENCE_S = 3.0
"""How long a user looks at a message that is not through, before doing something else."""
_GOODBYE_PATIENCE_S = 30.0


class Troupe:
    """Makes the actors of one run, and shares among them what they must not draw twice.

    chance: streams by their names. befalls: see Part.
    """

    def __init__(
        self,
        house: House,
        options: Mapping[str, Any],
        chance: Callable[[str], Random],
        befalls: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._house = house
        self._options = options
        self._chance = chance
        self._befalls = befalls
        self._sessions = count(1)
        self._texts: Mapping[str, Iterator[int]] = defaultdict(partial(count, 1))

    def __call__(self, name: str, account: str, enrolled: Enrolled) -> Actor:
        """The player of this device."""
        chance = self._chance(f"actor {name}")
        return Actor(
            Part(
                self._house,
                name,
                account,
                enrolled,
                self._sessions,
                chance,
                self._options,
                self._befalls,
            ),
            self._texts[name],
        )


class Actor:
    """See Player.

    texts: numbers for what its user writes. Whoever plays a device of the same name later goes on
        with them: where a store was lost, the next one may give another message the same number.
    """

    def __init__(self, part: Part, texts: Iterator[int]) -> None:
        self.name = part.name
        self.account = part.account
        self.device = part.device
        self._part = part
        self._house = part.house
        self._app: App | None = None
        self._leaving: App | None = None
        self._outdated: App | None = None
        self._ended = False
        self._dying = asyncio.Lock()
        self._texts = texts

    @property
    def enrolled(self) -> Enrolled:
        """What it logs in with."""
        return self._part.enrolled

    @property
    def online(self) -> bool:
        """See Player."""
        return self._app is not None

    # -------------------------------------------------------- the app's life

    def admit(self, enrolled: Enrolled) -> None:
        """See Player."""
        self._part = replace(self._part, enrolled=enrolled, account=enrolled.account)
        self.account = enrolled.account
        self._outdated = self._app

    async def log_in(self) -> None:
        """See Player. Where its app was turned away for good, that one ends, and another starts."""
        app = self._app
        if app is not None and (app.over or app in (self._leaving, self._outdated)):
            await self.log_out()
        async with self._dying:
            if self._ended:
                return
            if self._app is None:
                self._app = App(self._part)
                self._tell_process("started")
                self._app.start()
        await self._app.caught_up(_LOGIN_PATIENCE_S)

    async def log_out(self) -> None:
        """See Player."""
        app = self._leaving = self._app
        if app is None:
            return
        ended = await app.close(_GOODBYE_PATIENCE_S)
        if self._app is app:
            if ended:
                app.drop()
                self._app = None
                self._tell_process("stopped")
            else:
                await self.die()

    async def die(self) -> None:
        """See Player."""
        async with self._dying:
            app, self._app = self._app, None
            if app is not None:
                await self._house.abandon(self.name)
                app.drop()
                self._tell_process("crashed")

    async def end(self) -> None:
        """See Player."""
        self._ended = True
        await self.die()

    def _tell_process(self, state: str) -> None:
        self._house.history.tell(Process(at=self._house.now(), whose=self.device, state=state))

    def settled(self, head: int) -> bool:
        """See Player."""
        return self._app is None or self._app.settled(head)

    # -------------------------------------------------------- what its user does

    async def send(self, address: str, count: int, size: int, to: tuple[str, ...]) -> None:
        """See Player."""
        conversation = direct(AccountId(self.account), AccountId(address)) if to else address
        bodies = [self._text(size) for _ in range(count)]

        async def doing(app: App, device: Device) -> None:
            for outcome in await device.send_many(conversation, bodies):
                self._note(app, conversation, outcome)

        await self._do(doing)

    def _text(self, size: int = 0) -> bytes:
        """What nobody has written before."""
        return f"{self.name} says {next(self._texts)}".encode().ljust(size, b".")

    def _note(self, app: App, conversation: str, outcome: Outcome) -> None:
        """Its echo may be later than the user's next wish."""
        if isinstance(outcome, Accepted):
            own = Identity(DeviceId(self.device), outcome.number)
            if app.own is None or app.own[1].number < own.number:
                app.own = (conversation, own)

    async def edit(self) -> None:
        """See Player."""
        body = self._text()

        async def doing(app: App, device: Device) -> None:
            if app.own is not None:
                await device.edit(*app.own, body)

        await self._do(doing)

    async def recall(self) -> None:
        """See Player."""

        async def doing(app: App, device: Device) -> None:
            if app.own is not None:
                await device.recall(*app.own)

        await self._do(doing)

    async def delete(self) -> None:
        """See Player."""

        async def doing(app: App, device: Device) -> None:
            if app.newest is not None:
                await device.delete(*app.newest)

        await self._do(doing)

    async def read(self) -> None:
        """See Player."""

        async def doing(app: App, device: Device) -> None:
            view = await app.view()
            for conversation in view.unread_counts():
                await device.read(conversation, view.messages(conversation)[-1].identity)

        await self._do(doing)

    async def create(self, group: str, accounts: tuple[str, ...]) -> None:
        """See Player."""
        others = [account for account in accounts if account != self.account]
        await self._do(lambda app, device: device.create_group(group, others))

    async def add(self, account: str, group: str) -> None:
        """See Player."""
        await self._do(lambda app, device: device.add(group, [account]))

    async def remove(self, account: str, group: str) -> None:
        """See Player."""
        await self._do(lambda app, device: device.remove(group, [account]))

    async def leave(self, group: str) -> None:
        """See Player."""
        await self._do(lambda app, device: device.leave(group))

    async def _do(self, doing: Callable[[App, Device], Coroutine[Any, Any, Any]]) -> None:
        app = self._app
        if app is not None:
            await app.do(lambda device: doing(app, device), _PATIENCE_S)

    # -------------------------------------------------------- the end

    async def remains(self) -> Holds:
        """See Player."""
        app = self._app
        online = app is not None and app.connected
        unread = None
        if app is not None and online:
            if app.stuck:
                self._part.complain("its user waits for what was answered", "convergence")
            unread = sum((await app.view()).unread_counts().values())
        store = await self._store_at_the_end(app)
        instance, token = self._part.instance(), self._part.enrolled.token
        kept = await store.call(lambda shelf: _Kept(shelf, instance, token))
        await store.close()
        holds = kept.holds(self._house.now(), self.device)
        return structs.replace(holds, online=online, unread=unread, name=self.name)

    async def _store_at_the_end(self, app: App | None) -> ClientStore:
        """Open, and nobody else has it."""
        if app is not None and app.store is not None:
            self._app = None
            app.drop()
            return app.store
        store = RecordedStore(
            await self._house.shelve(self.name),
            self.device,
            self.account,
            self._house.history.tell,
            self._house.now,
        )
        await store.open()
        return store


class _Kept:
    """Everything in a store, read at once."""

    def __init__(self, shelf: Shelf, instance: str, token: str) -> None:
        self._loaded: Loaded = shelf.begin(SERVER, instance, token)[0]
        self._runs = list(_runs(shelf, self._loaded.era))
        self._old = shelf.old()
        self._pending = shelf.pending()

    def holds(self, at: float, device: str) -> Holds:
        """As the record of a device."""
        place = self._loaded.position
        seq = 0 if place is None else place.seq
        first, entries = seq, list[Content]()
        for run in self._runs:
            if run.prev != first + len(entries):
                # Behind a hole it begins anew: only what reaches up to the place is the log's.
                first, entries = run.prev, []
            entries += map(content, run.entries)
        return Holds(
            at=at,
            device=device,
            epoch=None if place is None else place.epoch.hex(),
            first=first,
            seq=seq,
            entries=tuple(entries),
            old=tuple(identity(old.entry.device, old.entry.number) for old in self._old),
            waiting=tuple(
                identity(device, each.number)
                for each in self._pending
                if each.state is PendingState.WAITING and each.number is not None
            ),
        )


def _runs(shelf: Shelf, era: int) -> list[Run]:
    runs: list[Run] = []
    while (
        run := shelf.read(era, runs[-1].prev + len(runs[-1].entries) if runs else 0)
    ) is not None:
        runs.append(run)
    return runs
