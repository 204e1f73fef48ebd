"""A simulated PC: one device against any running server, which says all that happens to it.

What it says can be read by people and by scripts:

    [12] alice: hello        the entry at seq 12, sent by alice
    [13] bob to alice: hi    one that this PC's own account sent
    [14] alice edits 12: hi  other kinds name their target by its seq in this PC's own log
    ~ bob types in team      a signal
    = ...                    something happened or was asked for
    ! ...                    something is wrong
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from client_sim.conversations import NOT_HERE, Conversations
from client_sim.door import cannot_reach
from client_sim.live_server import http_url
from client_sim.phrases import (
    TYPING,
    deed,
    in_words,
    place_in_words,
    printable,
    signal_in_words,
)
from client_sim.reach import Reach
from client_sim.shelves import last_unfinished
from syncd.client import (
    Accepted,
    ClientError,
    ClientStore,
    Device,
    Identity,
    Item,
    Kind,
    MemoryStore,
    Pending,
    SendRefused,
    SqliteStore,
    connect,
)
from syncd.client.store import Outgoing
from syncd.errors import TOO_LARGE
from syncd.limits import BODY_BYTES_MAX, WINDOW_BYTES_DEFAULT
from syncd.model import AccountId, Position
from syncd.protocol import client_commands as news
from syncd.protocol.client_events import Marked
from syncd.wire.frames import Verdict, Welcome

ANSWER_TIMEOUT_S = 5.0
"""How long the prompt is held for an answer; a message stays in the outbox whatever comes."""
FAREWELL_TIMEOUT_S = 10.0
"""At the end of piped input: how long to wait for what was missed."""
LOOK_S = 0.2
"""How often it is looked whether the connection is still there: nobody tells."""
WITHOUT_LINE = ("waiting", "connecting", "greeting")
STORE_SIDE_FILES = ("", "-wal", "-shm", "-journal")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PcSettings:
    """Where this PC belongs and what proves it. Without `store` it keeps all in memory."""

    url: str
    token: str
    store: Path | None = None
    window: int = WINDOW_BYTES_DEFAULT
    verify_start: bool = True


class SimulatedPc:
    """One PC. It begins offline; `close` it in every case.

    What it is asked for raises ClientError where its store fails it.
    """

    def __init__(self, settings: PcSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._store = self._empty_store()
        self._stack = contextlib.AsyncExitStack()
        self._device: Device | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._account: AccountId | None = None
        self._position: Position | None = None
        self._verdict: Verdict | None = None
        self._conversations: Conversations | None = None
        self._remembered = asyncio.Event()
        self._shown = 0
        self._accepted = 0
        self._screen = asyncio.Condition()
        self._reach = Reach()
        self.failed = False
        """Whether the last session ended by itself, for a reason that stays."""

    # -------------------------------------------------------- coming and going

    async def online(self) -> None:
        """Connect; what was missed comes by itself."""
        if self._device is not None:
            self._say("= already online" if self._reach.up else "= already connecting")
            return
        self.failed = False
        self._reach.begin()
        self._remembered.clear()
        self._say("= connecting")
        asked = self._settings
        device = self._device = await self._stack.enter_async_context(
            connect(
                asked.url,
                token=asked.token,
                store=self._store,
                window=asked.window,
                verify_start=asked.verify_start,
                hear=self._hear,
            )
        )
        self._keep(self._watch(device))
        self._keep(self._look(device))

    async def offline(self) -> None:
        """Disconnect; the store stays, and so does what waits in the outbox."""
        if self._device is None:
            self._say("= already offline")
            return
        await self._disconnect()
        self._say("= offline")

    async def wipe(self) -> None:
        """Forget the store: this device holds nothing any more."""
        was_online = self._device is not None
        await self._disconnect()
        _forget(self._settings.store)
        self._store, self._shown, self._accepted = self._empty_store(), 0, 0
        self._position = self._conversations = None
        self._say("= wiped: it holds nothing now")
        if was_online:
            await self.online()

    async def close(self) -> None:
        """Disconnect if need be. Idempotent."""
        await self._disconnect()

    # -------------------------------------------------------- what it knows

    async def whose(self) -> AccountId | None:
        """Whose PC this is; None as long as nobody told it. An attempt to connect that is under
        way is waited for."""
        if self._device is not None:
            await self._line_settled()
            self._note()
        return self._account

    async def wait_current(self, timeout_s: float = FAREWELL_TIMEOUT_S) -> None:
        """Wait until everything that the server has for this PC was shown (bounded), or the
        server is out of reach."""
        device = self._device
        if device is None:
            return
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._remembered.wait()
                await self._reach.during(self._caught_up(device))

    async def conversations(self) -> Conversations | None:
        """What the log told, up to what the server has now if it is in reach; None where nothing
        came yet."""
        await self.wait_current(ANSWER_TIMEOUT_S)
        self._note()
        return self._conversations

    async def tell_state(self) -> None:
        """Say where it stands."""
        device, verdict = self._device, self._verdict
        self._note()
        position = self._position
        head = max(position.seq, verdict.head) if position and verdict else None
        place = "nothing" if position is None else place_in_words(position)
        self._say(f"= {'offline' if device is None else device.state}")
        self._say(f"= account {self._account}, device {verdict.device if verdict else None}")
        self._say(f"= cursor {place}, head {'unknown' if head is None else head}")
        self._say(f"= verdict {'none yet' if verdict is None else in_words(verdict)}")
        pending = await device.pending() if device is not None else await self._pending()
        self._say(f"= outbox {len(pending)}")
        for each in pending:
            name = "without a number" if each.number is None else f"number {each.number}"
            self._say(f"=   {name} {each.state.value}: {self._meant(each.outgoing)}")

    def _meant(self, waiting: Outgoing) -> str:
        if waiting.kind == Kind.MESSAGE:
            return printable(waiting.body)
        about = waiting.conversation, waiting.target, waiting.body
        return " ".join(deed(waiting.kind, *about, self._placed))

    def _placed(self, identity: Identity) -> str:
        known = self._conversations
        return NOT_HERE if known is None else known.placed(identity)

    # -------------------------------------------------------- what comes

    async def _watch(self, device: Device) -> None:
        try:
            if self._conversations is None:
                # Iterating goes on where the last run had come; what that one saw is in the store.
                async for item in device.history():
                    self._take(device, item)
            self._remembered.set()
            async for item in device:
                self._say(f"[{item.seq}] {self._take(device, item)}")
                async with self._screen:
                    self._shown = item.seq
                    self._screen.notify_all()
        except ClientError as error:
            self.failed = True
            self._reach.lose()
            self._remembered.set()
            self._say(f"! {error}")
            # Not from here: closing waits for this very task.
            self._keep(self._give_up(device))

    def _take(self, device: Device, item: Item) -> str:
        if self._conversations is None:
            assert device.account is not None  # an entry comes after a verdict, which says it
            self._conversations = Conversations(device.account)
        return self._conversations.take(item)

    async def _give_up(self, device: Device) -> None:
        if self._device is device:
            await self._disconnect()
            self._say("= offline")

    def _hear(self, told: news.News) -> None:
        match told:
            case news.Judged(verdict):
                self._verdict, self._account = verdict, verdict.account
                if not isinstance(verdict, Welcome):
                    self._accepted = 0  # of another past, or it may never be shown
                if self._reach.up:
                    self._lose_line()
                self._reach.gain()
                self._say("= online")
                self._say(f"= {in_words(verdict)}")
                if self._device is not None:
                    self._keep(self._announce(self._device))
            case news.Skipped(stated, start, missed):
                self._say(f"! the server passes over {missed}: stated {stated}, start {start}")
            case news.Signalled(frame):
                self._say(f"~ {signal_in_words(frame)}")
            case Marked(mark, count):
                self._say(f"! {count} entries are {mark.value}")
            case news.Unreachable(reason):
                if self._reach.up:
                    self._lose_line()
                self._reach.lose()
                address = http_url(self._settings.url)
                self._say(f"! {cannot_reach(address, reason)}; trying again")

    async def _look(self, device: Device) -> None:
        """Notice that the line is gone."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._reach.up and device.state in WITHOUT_LINE:
                self._lose_line()

    def _lose_line(self) -> None:
        self._reach.lose()
        self._say("! connection lost; trying again")

    async def _announce(self, device: Device) -> None:
        with contextlib.suppress(ClientError):
            await self._caught_up(device)
            assert device.position is not None
            self._say(f"= caught up at {device.position.seq}")

    async def _caught_up(self, device: Device) -> None:
        await device.caught_up()
        last = await last_unfinished(self._store)
        async with self._screen:
            # What was accepted has a seq that people may name before its echo is here.
            await self._screen.wait_for(lambda: self._shown >= max(last, self._accepted))

    # -------------------------------------------------------- what goes

    async def post(self, outgoing: Outgoing) -> None:
        """Send a message of any kind; offline it goes into the outbox. Says what became of it."""
        device = self._device
        accepted = None
        try:
            if device is None:
                await self._queue(outgoing)
            else:
                accepted = await self._send(device, outgoing)
        except SendRefused as refused:
            self._say(f"! refused: {refused}")
        except TimeoutError:
            self._say("= no answer yet; it waits in the outbox")
        else:
            if accepted is None:
                self._say("= queued; it waits in the outbox")
                return
            self._accepted = max(self._accepted, accepted.seq or 0)
            self._say(f"= accepted as number {accepted.number}, seq {accepted.seq}")

    async def _send(self, device: Device, it: Outgoing) -> Accepted | None:
        await self._line_settled()
        if not self._reach.up:
            await device.enqueue(it.conversation, it.body, kind=it.kind, target=it.target)
            return None
        sending = device.send(it.conversation, it.body, kind=it.kind, target=it.target)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self._reach.during(sending)

    async def _queue(self, outgoing: Outgoing) -> None:
        if len(outgoing.body) > BODY_BYTES_MAX:
            raise SendRefused(TOO_LARGE)  # in the outbox it would be in everybody's way for ever
        async with opened(self._store) as store:
            await store.call(lambda shelf: shelf.enqueue([outgoing]))

    async def signal_typing(self, conversation: str) -> None:
        """Tell the conversation's connected devices that somebody types here. It waits for nobody:
        offline it is said that nobody hears it."""
        await self.wait_current(ANSWER_TIMEOUT_S)
        if self._device is None or not self._reach.up:
            self._say("! offline: nobody would hear it")
            return
        self._device.signal(conversation, TYPING)
        self._say("= told whoever is there")

    async def _line_settled(self) -> None:
        """A first attempt that is under way decides whether there is a line (bounded)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._reach.decided()

    async def _pending(self) -> list[Pending]:
        async with opened(self._store) as store:
            return await store.call(lambda shelf: shelf.pending())

    # -------------------------------------------------------- what both need

    async def _disconnect(self) -> None:
        self._note()
        self._device = None
        self._reach.begin()
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    def _note(self) -> None:
        if self._device is not None:
            self._account = self._device.account or self._account
            self._position = self._device.position
            if self._conversations is not None:
                self._conversations.trim(self._device.floor)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _empty_store(self) -> ClientStore:
        path = self._settings.store
        return MemoryStore(keep_handed=True) if path is None else SqliteStore(path)


@contextlib.asynccontextmanager
async def opened(store: ClientStore) -> AsyncIterator[ClientStore]:
    """A store that no device has open, for the length of the block."""
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _forget(store: Path | None) -> None:
    if store is not None:
        for ending in STORE_SIDE_FILES:
            Path(f"{store}{ending}").unlink(missing_ok=True)
