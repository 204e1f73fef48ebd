"""What do unread counts cost: of a log that is folded for the first time, and of one kept warm?

On a real SQLite store in a temporary folder, through what the server's push badges use, and through
the SDK's view on a device. In the log 50 people write in turn and half of them are read, up to the
message before, once in a while: what is never read is what a fold has to remember.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from aiohttp import web

from bench.machine import calibration_ms, filesystem_of
from bench.results import Results
from syncd import SERVICE, application, client
from syncd.badges import Badges
from syncd.model import (
    AccountId,
    DeviceId,
    Draft,
    Identity,
    Intent,
    Kind,
    Publication,
    Submission,
    Work,
    direct,
)
from syncd.storage import Storage
from syncd.storage.sqlite import open_sqlite
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
RUNS = 5
PEOPLE = 50
READ_EVERY = 20
"""One entry in so many is a read mark of the account's own device."""

BODY = bytes(120)
_WORK_ENTRIES = 1_000

ME, PHONE, PSEUDO = AccountId("me"), DeviceId("a" * 24), DeviceId("b" * 24)


# ------------------------------------------------------------ the log


def _message(number: int) -> Publication:
    """Entry `number` of the log: a message of one of the people."""
    sender = AccountId(f"person{number % PEOPLE}")
    message = Message(number, Kind.MESSAGE, direct(ME, sender), None, BODY)
    record = pack_entry(message, sender, PSEUDO, 0)
    return Publication(
        publisher="bench",
        key=str(number),
        content=content_of(message, record),
        device=PSEUDO,
        number=number,
        intent=Intent(Kind.MESSAGE, message.conversation),
        record=record,
        account=ME,
    )


def _reading(number: int) -> Draft:
    """Entry `number` of the log: the latest message of one of those who are read, was read."""
    target = next(before for before in range(number - 1, 0, -1) if before % PEOPLE % 2)
    conversation = direct(ME, AccountId(f"person{target % PEOPLE}"))
    message = Message(number, Kind.READ, conversation, Identity(PSEUDO, target), b"")
    record = pack_entry(message, ME, PHONE, 0)
    intent = Intent(Kind.READ, conversation, message.target)
    return Draft(ME, PHONE, number, content_of(message, record), intent, record)


async def _fill(storage: Storage, entries: int) -> None:
    """Make the account and its log; every entry's number is its seq."""
    await storage.create_account(ME)
    await storage.create_device(ME, PHONE, "phone", "phone", b"bench")
    for first in range(1, entries + 1, _WORK_ENTRIES):
        for work in _works(range(first, min(first + _WORK_ENTRIES, entries + 1))):
            await storage.commit(work)
    heads = await storage.heads([ME])
    assert heads[ME] == entries, heads


def _works(numbers: range) -> Iterator[Work]:
    """Their entries, in order. A submission goes before the publications of its transaction."""
    messages: list[Publication] = []
    readings: tuple[Submission, ...] = ()
    for number in numbers:
        if number % READ_EVERY:
            messages.append(_message(number))
            continue
        yield Work(submissions=readings, publications=tuple(messages))
        messages, readings = [], (Submission(PHONE, 0, (_reading(number),)),)
    yield Work(submissions=readings, publications=tuple(messages))


# ------------------------------------------------------------ what is measured


async def _milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    began = perf_counter()
    await work()
    return (perf_counter() - began) * 1e3


async def _badges(storage: Storage, entries: int) -> dict[str, float]:
    """A first count, the same again, and one after one more message."""
    badges = Badges(storage)
    cold = await _milliseconds(lambda: badges.unread(ME))
    warm = await _milliseconds(lambda: badges.unread(ME))
    head = (await storage.heads([ME]))[ME]
    await storage.commit(Work(publications=(_message(head + 1),)))
    grown = await _milliseconds(lambda: badges.unread(ME))
    assert sum((await badges.unread(ME)).values()) > entries * 0.4
    return {"badge_cold": cold, "badge_warm": warm, "badge_one_more": grown}


@asynccontextmanager
async def _served(data: Path) -> AsyncIterator[tuple[str, str]]:
    """The address of a server on the store in this folder, and the token of a new device."""
    app = application(store=data)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made = await app[SERVICE].create_device(ME, name="bench", platform="pc")
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}", made.token
        await app[SERVICE].drain()
    finally:
        await runner.cleanup()


async def _views(url: str, token: str, store: Path) -> dict[str, float]:
    """A new device until everything is shown, and a later run of it from its own store."""

    async def new() -> None:
        async with client.connect(url, token=token, store=store) as device:
            view = client.View(ME)
            async for item in device:
                view.apply(*item)
                if device.verdict is not None and item.seq == device.verdict.head:
                    break

    async def later() -> None:
        async with client.connect(url, store=store) as device:
            view = client.View(ME)
            async for item in device.history():
                view.apply(*item)
            assert view.unread_counts()

    return {"view_new_device": await _milliseconds(new), "view_restart": await _milliseconds(later)}


async def measure(folder: Path, entries: int, runs: int) -> dict[str, list[float]]:
    """Milliseconds of every run, by what was done, for a log of so many entries."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=folder) as place:
        data = Path(place, "data")
        storage = await open_sqlite(data)
        try:
            await _fill(storage, entries)
            for _ in range(runs):
                for name, took in (await _badges(storage, entries)).items():
                    found.setdefault(name, []).append(took)
        finally:
            await storage.close()
        for run in range(runs):
            async with _served(data) as (url, token):
                for name, took in (await _views(url, token, Path(place, f"{run}.db"))).items():
                    found.setdefault(name, []).append(took)
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m bench unread", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of everything (default {RUNS})")
    parser.add_argument("--quick", action="store_true", help="one run, without the longest log")
    given = parser.parse_args(arguments)
    sizes = dict(list(SIZES.items())[:2]) if given.quick else SIZES
    results = Results("unread", {"people": PEOPLE, "read_every": READ_EVERY})
    print(f"store in {given.folder} ({filesystem_of(given.folder)})")
    for size, entries in sizes.items():
        print(f"a log of {entries:,} entries, calibration {calibration_ms():.0f} ms", flush=True)
        runs = 1 if given.quick else given.runs
        for name, taken in asyncio.run(measure(given.folder, entries, runs)).items():
            for each in taken:
                results.note(f"{name}_{size}_ms", each)
    results.finish()
    return 0
