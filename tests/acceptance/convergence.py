"""Whether everybody agrees after the server's past has changed: judged from the devices' own stores
and from what a device downloads that was never there, from nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from client_sim.door import Door
from client_sim.live_server import LiveServer, socket_url
from syncd import client
from syncd.client import Device, Identity, Kind, Mark, OldEntry, Pending, PendingState, SqliteStore
from syncd.client.store import Run, Shelf
from syncd.wire.frames import Entry

LOOK_S = 0.05


@dataclass(frozen=True)
class Seat:
    """A device's place in the play: whose it is, what proves it, where its store lies."""

    account: str
    name: str
    device: str
    token: str
    store: Path

    @property
    def files(self) -> list[Path]:
        """The store, as far as it is closed in good order."""
        return sorted(self.store.parent.glob(self.store.name + "*"))


async def seated(door: Door, folder: Path, account: str, name: str) -> Seat:
    """A new device with an empty store."""
    credential = await door.create_device(account, name, name)
    store = folder / f"{account}-{name}.db"
    return Seat(account, name, credential.device, credential.token, store)


@asynccontextmanager
async def online(server: LiveServer, seats: Iterable[Seat]) -> AsyncIterator[dict[str, Device]]:
    """These devices with their stores, by account and name: "ann pc"."""
    async with AsyncExitStack() as stack:
        yield {
            f"{seat.account} {seat.name}": await stack.enter_async_context(
                client.connect(socket_url(server.url), token=seat.token, store=seat.store)
            )
            for seat in seats
        }


async def settle(door: Door, devices: Mapping[str, Device]) -> None:
    """Wait until nothing is under way: every message is answered and seen, and every device stands
    at the head that the server tells. Each question is asked of all before the next one: who has
    its verdict puts nothing back any more, and once nothing waits, heads do not move."""
    while True:
        for device in devices.values():
            await device.caught_up()
        waiting = [
            pending
            for device in devices.values()
            for pending in await device.pending()
            if pending.state is not PendingState.REFUSED
        ]
        if not waiting and all([await _is_at_head(door, device) for device in devices.values()]):
            return
        await asyncio.sleep(LOOK_S)


async def _is_at_head(door: Door, device: Device) -> bool:
    assert device.account is not None
    assert device.device_id is not None
    assert device.position is not None
    standing = (await door.standings(device.account))[device.device_id]
    return device.position.seq == standing.head


@dataclass(frozen=True)
class Holding:
    """What a store holds."""

    entries: tuple[Entry, ...]
    pending: tuple[Pending, ...]
    old: tuple[OldEntry, ...]

    @property
    def lost(self) -> set[bytes | None]:
        """The bodies of what it shows as not on the server; of read marks, see `refused`."""
        marked = [each.entry for each in self.old if each.mark is Mark.NOT_ON_SERVER]
        return {entry.body for entry in marked if entry.kind != Kind.READ}

    @property
    def refused(self) -> list[tuple[Identity | None, int | None]]:
        """What its outbox shows as refused for ever: the target, and why."""
        assert all(each.state is PendingState.REFUSED for each in self.pending)
        return [(each.outgoing.target, each.code) for each in self.pending]


async def holding(server: LiveServer, seat: Seat) -> Holding:
    """The store of a device that is not connected."""

    def look(shelf: Shelf) -> Holding:
        shelf.begin(socket_url(server.url), "ab" * 8, None)
        entries: list[Entry] = []
        # A reader of no era goes on at the application's place; of this one, from the start.
        era = 0 if (first := shelf.read(-1, 0)) is None else first.era
        run: Run | None = shelf.read(era, 0)
        assert run is None or run.prev == 0, "nothing was trimmed in this play"
        while run is not None:
            entries += run.entries
            run = shelf.read(era, len(entries))
        return Holding(tuple(entries), tuple(shelf.pending()), tuple(shelf.old()))

    store = SqliteStore(seat.store)
    await store.open()
    try:
        return await store.call(look)
    finally:
        await store.close()


async def whole_log(server: LiveServer, door: Door, account: str) -> tuple[Entry, ...]:
    """The server's log, as a device downloads it that was never there."""
    credential = await door.create_device(account, "judge", "pc")
    entries: list[Entry] = []
    async with client.connect(socket_url(server.url), token=credential.token) as device:
        await device.caught_up()
        assert device.position is not None
        while len(entries) < device.position.seq:
            entries.append((await anext(device)).entry)
    return tuple(entries)


async def converged(
    server: LiveServer, door: Door, seats: Iterable[Seat]
) -> dict[str, tuple[Entry, ...]]:
    """Judge that all these stores (closed by now) hold the server's log, that no identity is there
    twice, and that a message is the same in every log; the logs."""
    logs: dict[str, tuple[Entry, ...]] = {}
    by_identity: dict[Identity, Entry] = {}
    for seat in seats:
        if seat.account not in logs:
            log = logs[seat.account] = await whole_log(server, door, seat.account)
            assert max(Counter(each.identity for each in log).values()) == 1, "one identity twice"
            for entry in log:
                assert by_identity.setdefault(entry.identity, entry) == entry, "one in two forms"
        held = await holding(server, seat)
        assert held.entries == logs[seat.account], f"{seat.account} {seat.name} holds another log"
        in_log = set(held.entries)
        assert all(each.mark is not None for each in held.old), "it never came to the noted head"
        assert in_log.isdisjoint(each.entry for each in held.old)
    return logs
