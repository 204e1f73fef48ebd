"""The one reader: equal requests are one, many are one call, a failure harms nobody for long."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from syncd.model import AccountId, OpeningRequest, Page, ReadRequest, Work
from syncd.reader import Reader
from syncd.storage import Damaged, StorageError
from syncd.storage.memory import MemoryStorage
from tests.drafts import ALICE, BOB, PHONE, submission


class GatedStorage(MemoryStorage):
    """The reference backend; every read waits until the gate is open, and is written down.
    `failure` is what befalls the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[list[ReadRequest]] = []
        self.failure: StorageError | None = None

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        self.calls.append(list(requests))
        await self.gate.wait()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return await super().read(requests)

    async def fill(self, entries: int) -> None:
        for account in (ALICE, BOB):
            await self.create_account(account)
        await self.create_device(ALICE, PHONE, "", "phone", b"a hash")
        self.commit_now(Work(openings=(OpeningRequest(ALICE, PHONE, 1, "0011223344556677", None),)))
        self.commit_now(Work(submissions=(submission(*range(1, entries + 1)),)))


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[GatedStorage, Reader]]:
    storage = GatedStorage()
    await storage.fill(5)
    reader = Reader(storage)
    running = asyncio.create_task(reader.run())
    try:
        yield storage, reader
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


def asked(reader: Reader, request: ReadRequest) -> asyncio.Future[Page | None]:
    future: asyncio.Future[Page | None] = asyncio.get_running_loop().create_future()
    reader.read(request, partial(_answer, future))
    return future


def _answer(future: asyncio.Future[Page | None], page: Page | None) -> None:
    assert not future.done(), "answered twice"
    future.set_result(page)


async def test_a_page_is_what_storage_holds() -> None:
    async with reading() as (storage, reader):
        request = ReadRequest(ALICE, 2, 1 << 20)
        page = await asked(reader, request)
        assert [page] == storage.read_now([request])
        assert page is not None
        assert (page.to, page.head) == (5, 5)


async def test_equal_requests_are_one() -> None:
    async with reading() as (storage, reader):
        request = ReadRequest(ALICE, 0, 1 << 20)
        pages = await asyncio.gather(*(asked(reader, request) for _ in range(5)))
        assert storage.calls == [[request]]
        assert all(page is pages[0] for page in pages)


async def test_different_requests_share_a_call_and_keep_their_answers() -> None:
    async with reading() as (storage, reader):
        requests = [ReadRequest(ALICE, after, 1 << 20) for after in range(5)]
        requests.append(ReadRequest(BOB, 0, 1))
        pages = await asyncio.gather(*(asked(reader, each) for each in requests))
        assert storage.calls == [requests]
        assert pages == storage.read_now(requests)


async def test_a_request_during_a_read_waits_for_a_fresh_one() -> None:
    async with reading() as (storage, reader):
        request = ReadRequest(ALICE, 5, 1 << 20)
        asks_again: asyncio.Future[asyncio.Future[Page | None]] = asyncio.Future()

        def grow_and_ask(page: Page | None) -> None:
            storage.commit_now(Work(submissions=(submission(6),)))
            asks_again.set_result(asked(reader, request))

        reader.read(request, grow_and_ask)
        page = await (await asks_again)
        assert storage.calls == [[request], [request]]
        assert page is not None
        assert page.to == 6


async def test_an_equal_request_behind_a_read_that_is_under_way_is_not_answered_by_it() -> None:
    async with reading() as (storage, reader):
        request = ReadRequest(ALICE, 0, 1 << 20)
        storage.gate.clear()
        early = asked(reader, request)
        await asyncio.sleep(0)
        late = asked(reader, request)
        storage.gate.set()
        assert await early == await late
        assert storage.calls == [[request], [request]]


async def test_a_crowd_is_read_for_in_several_calls_oldest_first() -> None:
    async with reading() as (storage, reader):
        requests = [ReadRequest(ALICE, 0, room) for room in range(1, 151)]
        pages = await asyncio.gather(*(asked(reader, each) for each in requests))
        assert len(pages) == 150
        assert [len(call) for call in storage.calls] == [64, 64, 22]
        assert [each for call in storage.calls for each in call] == requests


async def test_a_failure_is_told_and_the_next_read_is_served() -> None:
    async with reading() as (storage, reader):
        request = ReadRequest(ALICE, 0, 1 << 20)
        storage.failure = StorageError("planned", definite=True)
        assert await asyncio.gather(asked(reader, request), asked(reader, request)) == [None, None]
        assert await asked(reader, request) is not None


async def test_an_idle_reader_asks_for_nothing() -> None:
    async with reading() as (storage, reader):
        await asked(reader, ReadRequest(ALICE, 0, 1))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(storage.calls) == 1


class HurtStorage(MemoryStorage):
    """The reference backend, in which the logs of some accounts are damaged."""

    def __init__(self, *hurt: AccountId) -> None:
        super().__init__()
        self.hurt = set(hurt)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        for request in requests:
            if request.account in self.hurt:
                raise Damaged(f"the log of {request.account} is damaged: near {request.after}")
        return await super().read(requests)


async def test_a_damaged_log_takes_no_other_with_it_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = HurtStorage(BOB)
    await storage.create_account(ALICE)
    reader = Reader(storage)
    running = asyncio.create_task(reader.run())
    for _ in range(3):
        futures = [asked(reader, ReadRequest(each, 0, 100)) for each in (ALICE, BOB)]
        sound, hurt = await asyncio.gather(*futures)
        assert sound is not None
        assert hurt is None
    assert await asked(reader, ReadRequest(BOB, 7, 100)) is None
    running.cancel()
    await asyncio.wait([running])
    told = [record.__dict__["facts"]["what"] for record in caplog.records]
    assert told == [f"the log of {BOB} is damaged: near {after}" for after in (0, 7)]
