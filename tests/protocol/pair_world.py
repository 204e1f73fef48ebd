"""Both real ends in one virtual-time world: sessions, committer and reader against clients.

Everything random comes from one seed: how long storage and lines take, what is cut and when, which
wake-ups are lost, doubled or late, which commits fail, when the server or a device dies. The only
stand-ins are the line, the device's store (a few dictionaries that obey client_commands.py) and
the latency around MemoryStorage. `Ledger` writes down what the judges need.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from syncd import errors, limits
from syncd.committer import Committer, Lane
from syncd.live_connections import LiveConnections
from syncd.model import (
    Accepted,
    AccountId,
    CursorScope,
    DeviceId,
    Done,
    Identity,
    Opening,
    Outcome,
    Page,
    Position,
    ReadRequest,
    Refused,
    Seq,
    Superseded,
    Work,
)
from syncd.protocol import client_commands as doing
from syncd.protocol import client_events as happening
from syncd.protocol import commands, events
from syncd.protocol.client import Client, Settings
from syncd.protocol.session import Session
from syncd.reader import Reader
from syncd.storage import StorageError
from syncd.storage.memory import MemoryStorage
from syncd.wakeups import Wakeups
from syncd.wire.codec import MsgpackCodec, unpack_entries
from syncd.wire.frames import Entry, Goodbye, Message, Welcome
from tests.drafts import ALICE, BOB, device_id, message
from tests.virtual_time import VirtualLoop

CODEC = MsgpackCodec()
TICK_S = 1e-6


@dataclass(frozen=True)
class Weather:
    """What the world does to its people."""

    polls: bool = True
    """Wake-ups may be lost, and the poll repairs it; without polls none is lost."""
    trims: bool = False
    refusals: bool = True
    scope: CursorScope = CursorScope.DEVICE
    verify_start: bool = True
    messages: int = 10
    storm_s: float = 25.0
    calm_s: float = 75.0


@dataclass
class Ledger:
    """What happened, for the judges."""

    logs: dict[AccountId, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    queued: dict[DeviceId, dict[int, Message]] = field(default_factory=lambda: defaultdict(dict))
    answered: dict[DeviceId, dict[int, Seq | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    complaints: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def complain(self, text: str) -> None:
        self.complaints.append(text)


# ---------------------------------------------------------------- the server


class LatentStorage:
    """MemoryStorage behind delays, with a ledger; it outlives every crash of the node."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.memory = MemoryStorage(world.weather.scope, draw=world.random.randbytes)
        self._generations: dict[DeviceId, int] = {}
        self._cursors: dict[DeviceId, Seq] = {}

    async def commit(self, work: Work) -> Done:
        random = self.world.random
        await asyncio.sleep(self._latency())
        if self.world.stormy and self.world.weather.refusals and random.random() < 0.05:
            self.world.ledger.faults["refused commit"] += 1
            refusal = random.choice([errors.STORAGE_FULL, errors.BUSY])
            raise StorageError("planned", definite=True, refusal=refusal)
        done = self.memory.commit_now(work)
        await self._write_down(work, done)
        await asyncio.sleep(self._latency())
        return done

    def _latency(self) -> float:
        random = self.world.random
        return random.random() * (0.05 if random.random() < 0.9 else 0.5)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        random = self.world.random
        await asyncio.sleep(random.random() * 0.1)
        if self.world.stormy and random.random() < 0.03:
            self.world.ledger.faults["failed read"] += 1
            raise StorageError("planned", definite=True)
        pages = self.memory.read_now(requests)
        await asyncio.sleep(random.random() * 0.1)
        return pages

    async def _write_down(self, work: Work, done: Done) -> None:
        ledger = self.world.ledger
        for request, opening in zip(work.openings, done.openings, strict=True):
            if isinstance(opening, Opening):
                self._generations[request.device] = opening.generation
        for submission, outcomes in zip(work.submissions, done.submissions, strict=True):
            current = submission.generation == self._generations[submission.device]
            if not current and not isinstance(outcomes, Superseded):
                ledger.complain(f"fencing: {submission.device} appended in an old generation")
        for account in sorted(done.grown):
            log = ledger.logs[account]
            [page] = self.memory.read_now([ReadRequest(account, len(log), 1 << 40)])
            log.extend(unpack_entries(page.to - len(log), page.entries))
        for account in sorted({mark.account for mark in work.cursors}):
            for device in await self.memory.devices(account):
                before = self._cursors.get(device.device, 0)
                if device.cursor < before:
                    ledger.complain(f"monotone-cursor: {device.device} fell to {device.cursor}")
                if device.cursor > self.world.people[device.device].store.confirmed_max:
                    ledger.complain(f"cursor: {device.device} never confirmed {device.cursor}")
                self._cursors[device.device] = device.cursor


class NoisyWakeups(Wakeups):
    """Wake-ups that get lost, doubled and late; those of the poll arrive."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def wake(self, accounts: Iterable[AccountId]) -> None:
        random = self._world.random
        for account in sorted(accounts):
            if self._world.weather.polls and random.random() < 0.3:
                self._world.ledger.faults["lost wake-up"] += 1
                continue
            for _ in range(random.choice([1, 1, 2])):
                delay = random.choice([0.0, 0.0, random.random() * 0.2])
                if delay:
                    asyncio.get_running_loop().call_later(delay, super().wake, [account])
                else:
                    super().wake([account])

    def wake_surely(self, accounts: Iterable[AccountId]) -> None:
        super().wake(accounts)


class Node:
    """One run of the server process, up to its crash."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive = True
        self.wakeups = NoisyWakeups(world)
        self.committer = Committer(world.storage, self.wakeups, self._fail)
        self.reader = Reader(world.storage)
        self.live = LiveConnections()
        self.seats: list[Seat] = []
        bodies = [self.committer.run(), self.reader.run()]
        if world.weather.polls:
            bodies.append(self._poll())
        self._tasks = [asyncio.ensure_future(body) for body in bodies]

    def _fail(self, error: StorageError) -> None:
        self.world.ledger.complain(f"the committer stopped: {error}")

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(limits.POLL_INTERVAL_S * self.world.random.uniform(0.75, 1.25))
            heads = self.world.storage.memory.heads_now(self.wakeups.accounts())
            await asyncio.sleep(self.world.random.random() * 0.1)
            self.wakeups.wake_surely(self.wakeups.moved(heads))

    async def crash(self) -> None:
        """The process dies: what was not committed is lost, what was is not always answered."""
        self.alive = False
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for seat in list(self.seats):
            seat.line.server_died()


class Seat:
    """What server/connection.py is to a socket: the interpreter of one session."""

    def __init__(self, node: Node, line: Line) -> None:
        self.node = node
        self.line = line
        self.lane = Lane()
        self.session = Session(node.world.weather.scope, node.world.now())
        self._listening = False
        self._timer = Timer(node.world, self.session.deadline, self._time_passed)
        node.seats.append(self)
        node.live.enter(self)
        self._timer.look()

    def _time_passed(self) -> None:
        self.handle(events.TimePassed())

    def woken(self) -> None:
        self.handle(events.Woken())

    def handle(self, event: events.Event) -> None:
        if not self.node.alive:
            return
        for command in self.session.handle(event, self.node.world.now()):
            self._perform(command)
        self._timer.look()

    def leave(self) -> None:
        self.handle(events.Disconnected())
        self.node.live.leave(self)
        self.node.seats.remove(self)
        if self._listening:
            self.node.wakeups.forget(self.session.account, self)

    def _perform(self, command: commands.Command) -> None:
        node = self.node
        match command:
            case commands.Authenticate(token):
                owner = node.world.people[DeviceId(token)]
                admitted = events.Admitted(owner.account, owner.device, 1)
                node.world.later(node.world.random.random() * 0.05, self.handle, admitted)
            case commands.Open(request):
                self._listening = True
                node.wakeups.listen(request.account, self)
                node.committer.open(request, self._opened)
            case commands.Append(submission):
                node.committer.append(self.lane, submission, self._committed)
            case commands.Read(request):
                node.reader.read(request, self._page_read)
            case commands.SaveCursor(mark):
                node.committer.save_cursor(mark)
            case commands.Deliver(prev, page):
                self.line.down(CODEC.batch(prev, page.to, page.entries, page.chain, page.head))
            case commands.Reply(frame):
                self.line.down(CODEC.encode(frame))
            case commands.NoteVerdict() | commands.Signal():
                pass  # nothing here depends on them
            case commands.Alarm(name, facts):
                node.world.ledger.complain(f"alarm: {name} {facts}")
            case commands.Close(refusal, instance, retry_after_ms):
                goodbye = Goodbye(refusal.code, refusal.name, instance, retry_after_ms)
                self.line.down(CODEC.encode(goodbye))
                self.line.close_down(refusal.code)

    def _opened(self, result: Opening | errors.Refusal) -> None:
        if isinstance(result, errors.Refusal):
            self.handle(events.NotOpened(result))
        else:
            self.handle(events.Opened(result))
            self.node.live.take_over(self, result.generation)

    def _page_read(self, page: Page | None) -> None:
        self.handle(events.ReadFailed() if page is None else events.PageRead(page))

    def _committed(self, result: tuple[Outcome, ...] | Superseded) -> None:
        if isinstance(result, Superseded):
            assert result.instance is not None
            self.handle(events.Superseded(result.instance))
        else:
            self.handle(events.Committed(result))


# ---------------------------------------------------------------- the line


class Line:
    """One socket: frames in order in either direction, until it is cut or closed.

    After a cut each end notices in its own time; what the client had sent may still arrive, so an
    abandoned hello can come late.
    """

    def __init__(self, world: World, person: Person) -> None:
        self.world = world
        self.person = person
        self.seat: Seat | None = None if world.node is None else Seat(world.node, self)
        self._up_at = self._down_at = world.now()
        self._up_open = self._down_open = True

    def up(self, data: bytes) -> None:
        if self._up_open:
            self._up_at = self._due(self._up_at)
            self.world.at(self._up_at, self._arrive_up, data)

    def down(self, data: bytes) -> None:
        if self._down_open:
            self._down_at = self._due(self._down_at)
            self.world.at(self._down_at, self._arrive_down, data)

    def close_up(self) -> None:
        """The client closed: after what it sent, the server notices."""
        if self._up_open:
            self._up_open = False
            self.world.at(self._due(self._up_at), self._lose_server)
        self._down_open = False
        self.world.later(0.0, self._lose_client, None)

    def close_down(self, code: int) -> None:
        """The server closed: after what it sent, the client notices."""
        if self._down_open:
            self._down_open = False
            self.world.at(self._due(self._down_at), self._lose_client, code)
        self.world.later(0.5, self._lose_server)

    def cut(self) -> None:
        random = self.world.random
        self._up_open = self._down_open = False
        arriving = random.choice([0.0, 0.1, 2.0])  # for so long, what is under way still arrives
        self.world.later(arriving + random.choice([0.0, 1.0, 40.0]), self._lose_server)
        self.world.later(random.choice([0.0, 0.5, 50.0]), self._lose_client, None)

    def server_died(self) -> None:
        self._up_open = self._down_open = False
        self.seat = None
        self.world.later(self.world.random.random(), self._lose_client, None)

    def abandon(self) -> None:
        """The client's process died."""
        self.person = None
        self.cut()

    def _due(self, earliest: float) -> float:
        # Strictly later than the one before: the loop keeps no order among equal times.
        latency = self.world.random.random() ** 3 * 0.3
        return max(earliest + TICK_S, self.world.now() + latency)

    def _arrive_up(self, data: bytes) -> None:
        if self.seat is not None:
            self.seat.handle(events.Received(CODEC.decode_client(data), 0))

    def _arrive_down(self, data: bytes) -> None:
        if self.person is not None and self.person.line is self:
            self.person.handle(happening.Received(CODEC.decode_server(data), len(data)))

    def _lose_server(self) -> None:
        seat, self.seat = self.seat, None
        if seat is not None and seat.node.alive:
            seat.leave()

    def _lose_client(self, code: int | None) -> None:
        if self.person is not None and self.person.line is self:
            self.person.line = None
            self.person.handle(happening.Disconnected(code))


# ---------------------------------------------------------------- the device


class Store:
    """The durable part of a device, as client_commands.py words it."""

    def __init__(self) -> None:
        self.account: AccountId | None = None
        self.device: DeviceId | None = None
        self.position: Position | None = None
        self.handed = self.era = self.confirmed_max = 0
        self.instances: list[str] = []
        self.counter: int | None = None
        self.entries: dict[Seq, Entry] = {}
        self.missing: list[tuple[Seq, Seq]] = []
        self.old: dict[Identity, Entry] = {}
        self.own: dict[int, Message] = {}
        self.waiting: dict[int, Message] = {}
        self.accepted: dict[int, Seq] = {}
        self.refused: dict[int, str] = {}

    def loaded(self) -> happening.Loaded:
        return happening.Loaded(self.account, self.device, self.position, self.handed, self.era)

    def perform(self, command: doing.StoreCommand) -> happening.ClientEvent:
        match command:
            case doing.TakeVerdict():
                return self._take(command)
            case doing.StoreBatch():
                return self._batch(command)
            case doing.StoreAnswers(outcomes):
                return self._answers(outcomes)
            case doing.StoreHanded(seq):
                self.handed = seq
                return happening.HandedStored()

    def queue(self, body: bytes, one: AccountId, other: AccountId) -> happening.Queued:
        assert self.counter is not None
        self.counter += 1
        made = message(self.counter, body, one, other)
        self.own[made.number] = self.waiting[made.number] = made
        return happening.Queued((made,))

    def _move(self, position: Position) -> None:
        self.position = position
        self.confirmed_max = max(self.confirmed_max, position.seq)

    def _take(self, command: doing.TakeVerdict) -> happening.VerdictTaken:
        verdict = command.verdict
        self.account, self.device = verdict.account, verdict.device
        self.handed = command.handed
        if not isinstance(verdict, Welcome):
            self.old.update((entry.identity, entry) for entry in self.entries.values())
            self.entries.clear()
            self.era += 1
            self.handed = verdict.start
            self.missing.append((1, verdict.start))
            gone = [number for number, seq in self.accepted.items() if seq <= verdict.start]
            for number in gone:
                del self.accepted[number]
        elif self.position is None and verdict.start == verdict.floor:
            self.missing.append((1, verdict.floor))  # a device that held nothing misses nothing
        self._move(Position(verdict.epoch, verdict.start, verdict.chain))
        self.counter = max(self.counter or 0, verdict.sent)
        for number, made in self.own.items():
            if number > verdict.sent and number not in self.refused:
                self.waiting[number] = made
                self.accepted.pop(number, None)
        outbox = tuple(self.waiting[number] for number in sorted(self.waiting))
        return happening.VerdictTaken(
            outbox, tuple(sorted(self.accepted)), (), self.handed, self.era, None
        )

    def _batch(self, command: doing.StoreBatch) -> happening.BatchStored:
        assert self.position is not None
        assert command.prev == self.position.seq, "the core let a gap through"
        for seq, entry in enumerate(command.entries, command.prev + 1):
            self.entries[seq] = entry
            self.old.pop(entry.identity, None)
        self._move(command.position)
        self.handed = command.handed
        for echo in command.echoes:
            self.waiting.pop(echo.number, None)
            self.accepted.pop(echo.number, None)
        return happening.BatchStored(command.position, command.echoes, None)

    def _answers(self, outcomes: tuple[Outcome, ...]) -> happening.AnswersStored:
        for outcome in outcomes:
            made = self.waiting.pop(outcome.number, None)
            if isinstance(outcome, Refused):
                self.refused[outcome.number] = outcome.refusal.name
            elif made is not None and outcome.seq is not None:
                self.accepted[outcome.number] = outcome.seq
        return happening.AnswersStored(outcomes)


class Person:
    """One device and whoever uses it: starts, sends, reads, crashes, starts again."""

    def __init__(
        self, world: World, account: AccountId, device: DeviceId, friend: AccountId
    ) -> None:
        self.world = world
        self.account = account
        self.device = device
        self.friend = friend
        self.store = Store()
        self.line: Line | None = None
        self.client: Client | None = None
        self.stopped: doing.StopReason | None = None
        self._run = 0
        self._asked: deque[Callable[[], happening.ClientEvent]] = deque()
        self._store_at = 0.0

    def start(self) -> None:
        random = self.world.random
        self._run += 1
        self._asked.clear()
        self.store.instances.append(random.randbytes(8).hex())
        settings = Settings(
            str(self.device),
            self.store.instances[-1],
            limits.WINDOW_BYTES_MIN,
            verify_start=self.world.weather.verify_start,
        )
        self.client = Client(settings, random.random)
        self._timer = Timer(self.world, self.client.deadline, self._time_passed)
        self._store_at = self.world.now()
        self.handle(self.store.loaded())

    def crash(self) -> None:
        """The process dies; the store keeps what was written."""
        self.client, self._run = None, self._run + 1
        if self.line is not None:
            self.line.abandon()
            self.line = None

    def say(self) -> None:
        """The user writes something."""
        if self.client is None or self.store.counter is None:
            return
        body = self.world.body()
        self._ask(lambda: self._queue(body))

    def _queue(self, body: bytes) -> happening.Queued:
        queued = self.store.queue(body, self.account, self.friend)
        ledger = self.world.ledger.queued[self.device]
        ledger.update((each.number, each) for each in queued.messages)
        return queued

    def _time_passed(self) -> None:
        self.handle(happening.TimePassed())

    def handle(self, event: happening.ClientEvent) -> None:
        if self.client is None:
            return
        run = self._run
        for command in self.client.handle(event, self.world.now()):
            self._perform(command)
        if run == self._run:
            self._timer.look()

    def _perform(self, command: doing.ClientCommand) -> None:
        match command:
            case doing.Connect():
                self.world.later(self.world.random.random() * 0.2, self._connect, self._run)
            case doing.SendFrame(frame):
                if self.line is not None:
                    self.line.up(CODEC.encode(frame))
            case doing.Close(refusal):
                if refusal is errors.GAP:
                    self.world.ledger.complain(f"gap: {self.device} on an ordered line")
                if self.line is not None:
                    self.line.close_up()
                else:
                    self.world.later(0.0, self.handle, happening.Disconnected(None))
            case doing.Report(doing.Answered(outcomes)):
                for outcome in outcomes:
                    if isinstance(outcome, Accepted):
                        self.world.ledger.answered[self.device][outcome.number] = outcome.seq
            case doing.Report():
                pass
            case doing.Stop(doing.Ended(errors.FENCED, instance)) if (
                instance in self.store.instances
            ):
                # A hello of an earlier run of ours came late: no stranger, so start again.
                self.world.ledger.faults["late hello of an earlier run"] += 1
                self.crash()
                self.world.later(0.1, self.start)
            case doing.Stop(reason):
                self.stopped = reason
            case _:
                self._ask(lambda: self.store.perform(command))

    def _connect(self, run: int) -> None:
        if run != self._run:
            return
        if self.world.node is None or (self.world.stormy and self.world.random.random() < 0.1):
            self.handle(happening.Disconnected(None))
            return
        self.line = Line(self.world, self)
        self.handle(happening.Connected())

    def _ask(self, write: Callable[[], happening.ClientEvent]) -> None:
        """The store works in order, takes its time, and answers a little later."""
        self._store_at = max(self._store_at + TICK_S, self._later(0.03))
        self.world.at(self._store_at, self._write, self._run, write)

    def _later(self, delay_max: float) -> float:
        return self.world.now() + self.world.random.random() * delay_max

    def _write(self, run: int, write: Callable[[], happening.ClientEvent]) -> None:
        if run != self._run:
            return
        event = write()
        self._store_at = max(self._store_at + TICK_S, self._later(0.01))
        self.world.at(self._store_at, self._written, run, event)

    def _written(self, run: int, event: happening.ClientEvent) -> None:
        if run != self._run:
            return
        self.handle(event)
        if isinstance(event, happening.BatchStored):
            self.handle(happening.Handed(self.store.era, event.position.seq))


class Timer:
    """Calls when the deadline of a machine has come, which may move at any time."""

    def __init__(
        self, world: World, deadline: Callable[[], float | None], passed: Callable[[], None]
    ) -> None:
        self._world = world
        self._deadline = deadline
        self._passed = passed
        self._set_for: float | None = None
        self._call: asyncio.TimerHandle | None = None

    def look(self) -> None:
        due = self._deadline()
        if due == self._set_for:
            return
        if self._call is not None:
            self._call.cancel()
        self._set_for = due
        self._call = None if due is None else self._world.at(due, self._ring)

    def _ring(self) -> None:
        self._set_for = self._call = None
        self._passed()


# ---------------------------------------------------------------- the world


class World:
    """Two accounts, five devices, one server, one seed."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.random = Random(seed)
        self.weather = weather
        self.ledger = Ledger()
        self.stormy = True
        self.node: Node | None = None
        self.loop = VirtualLoop()
        self.storage = LatentStorage(self)
        self._bodies = 0
        self.people: dict[DeviceId, Person] = {}
        for account, friend, names in (
            (ALICE, BOB, ("phone", "pc1", "pc2")),
            (BOB, ALICE, ("laptop", "tablet")),
        ):
            for name in names:
                device = device_id(name)
                self.people[device] = Person(self, account, device, friend)

    def now(self) -> float:
        return self.loop.time()

    def later(self, delay: float, call: Callable[..., None], *arguments: Any) -> None:
        self.loop.call_later(delay, call, *arguments)

    def at(self, when: float, call: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        return self.loop.call_at(when, call, *arguments)

    def body(self) -> bytes:
        """Every body is one of a kind; some are large, so that windows fill."""
        self._bodies += 1
        return b"%d " % self._bodies + bytes(self.random.choice([0, 0, 100, 12_000]))

    def run(self) -> Ledger:
        """Live through the storm and the calm after it."""
        try:
            self.loop.run_until_complete(self._live())
        finally:
            self.loop.close()
        return self.ledger

    async def _live(self) -> None:
        for person in self.people.values():
            await self.storage.memory.create_account(person.account)
            await self.storage.memory.create_device(
                person.account, person.device, "", "pc", person.device.encode()
            )
        self.node = Node(self)
        for person in self.people.values():
            # Some come late, after others have synced: the second PC.
            self.later(self.random.choice([0.0, self.random.random() * 15]), person.start)
        await self._storm()
        self.stormy = False
        if self.node is None:
            self.node = Node(self)
        for person in self.people.values():
            if person.client is None:
                person.start()
        await asyncio.sleep(self.weather.calm_s)
        # A last burst, on quiet lines: nothing that comes later makes good what is forgotten now.
        for person in self.people.values():
            self.later(self.random.random() * 0.3, person.say)
        await asyncio.sleep(self.weather.calm_s)
        await self.node.crash()

    async def _storm(self) -> None:
        until = self.now() + self.weather.storm_s
        left = {device: self.weather.messages for device in self.people}
        while self.now() < until or any(left.values()):
            await asyncio.sleep(self.random.expovariate(3.0))
            person = self.random.choice(list(self.people.values()))
            if left[person.device]:
                for _ in range(min(left[person.device], self.random.choice([1, 1, 4]))):
                    before = person.store.counter
                    person.say()
                    left[person.device] -= person.client is not None and before is not None
                if person.line is not None and self.random.random() < 0.3:
                    self.later(self.random.random() * 0.2, person.line.cut)
            await self._strike(person)
            if self.now() > until + 60:
                break

    async def _strike(self, person: Person) -> None:
        kind = self.random.random()
        faults = self.ledger.faults
        if kind < 0.15 and person.line is not None:
            faults["cut"] += 1
            person.line.cut()
        elif kind < 0.19 and person.client is not None:
            faults["device crash"] += 1
            person.crash()
            self.later(self.random.random() * 3, person.start)
        elif kind < 0.22 and self.node is not None:
            faults["server crash"] += 1
            node, self.node = self.node, None
            await node.crash()
            self.later(self.random.random() * 2, self._restart)
        elif kind < 0.26 and self.weather.trims:
            faults["trim"] += 1
            head = len(self.ledger.logs[person.account])
            self.storage.memory.trim_now(person.account, self.random.randint(0, head))

    def _restart(self) -> None:
        if self.node is None:
            self.node = Node(self)
